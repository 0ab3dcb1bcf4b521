# SPDX-License-Identifier: LGPL-3.0-or-later
# What the public headers say, as documents: -v format=texi prints a section of the
# manual for each; -v format=man writes a page for each into the directory `out', and
# a link to it for each function, and prints their names.  A header is opened by its
# first comment; each function, type or group of macros has the comment above it.

function escape(text) {
  if (format == "texi")
    gsub(/[@{}]/, "@&", text)
  else {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    text = guarded(text)
  }
  return text
}

# For man: no line begins with what would be a request.
function guarded(text) {
  gsub(/\n\./, "\n\\\\\\&.", text)
  gsub(/\n'/, "\n\\\\\\&'", text)
  if (text ~ /^[.']/)
    text = "\\&" text
  return text
}

# One comment without its marks; blank lines in it part paragraphs.
function plain(text) {
  sub(/^\/\* */, "", text)
  sub(/ *\*\/ *$/, "", text)
  gsub(/\n +/, "\n", text)
  text = escape(text)
  if (format == "man")
    gsub(/\n\n+/, "\n.PP\n", text)
  return text
}

function put(text) {
  if (format == "texi")
    print text
  else
    body = body text "\n"
}

# A block of C as it stands.
function put_code(text) {
  sub(/\n$/, "", text)
  if (format == "texi")
    put("@example\n" escape(text) "\n@end example")
  else
    put(".PP\n.nf\n.ft B\n" escape(text) "\n.ft R\n.fi")
}

# A declaration as the argument of @deftypefun: type, name, arguments.
function declared(text, type) {
  gsub(/\n */, " ", text)
  sub(/^SKP_API /, "", text)
  sub(/;.*/, "", text)
  if (!match(text, /[a-z_0-9]+ *\(/)) {
    print FILENAME ": cannot read: " text > "/dev/stderr"
    exit 1
  }
  type = substr(text, 1, RSTART - 1)
  sub(/ *$/, "", type)
  return "{" escape(type) "} " escape(substr(text, RSTART))
}

function function_name(text) {
  match(text, /(scm_)?skp_[a-z_0-9]+ *\(/)
  text = substr(text, RSTART, RLENGTH)
  sub(/ *\($/, "", text)
  return text
}

function flush_functions(i, text) {
  if (!declarations)
    return
  if (format == "texi") {
    print "@deftypefun " declared(declaration[1])
    for (i = 2; i <= declarations; i++)
      print "@deftypefunx " declared(declaration[i])
    print plain(comment) "\n@end deftypefun\n"
  } else {
    for (i = 1; i <= declarations; i++) {
      text = text declaration[i]
      names[++named] = function_name(declaration[i])
    }
    gsub(/SKP_API[ \n]/, "", text)
    gsub(/\n        /, "\n", text)
    put_code(text)
    if (comment != "")
      put(".RS 4\n" plain(comment) "\n.RE")
  }
  declarations = 0
  comment = ""
}

function flush_type() {
  if (type == "")
    return
  if (comment != "")
    put((format == "man" ? ".PP\n" : "") plain(comment))
  put_code(type)
  type = comment = ""
}

function flush_macros(i) {
  if (!macros)
    return
  for (i = 1; format == "texi" && i <= macros; i++)
    print "@defvr" (i > 1 ? "x" : "") " Macro " macro[i]
  if (comment != "")
    put((format == "man" ? ".PP\n" : "") plain(comment))
  put_code(macro_text)
  if (format == "texi")
    print "@end defvr\n"
  macros = 0
  macro_text = comment = ""
}

function flush_all() {
  flush_functions()
  flush_type()
  flush_macros()
}

# The first sentence of a comment, up to its first mark.
function sentence(text) {
  sub(/^\/\* */, "", text)
  gsub(/\n */, " ", text)
  sub(/[.:;(].*/, "", text)
  sub(/ *$/, "", text)
  return tolower(substr(text, 1, 1)) substr(text, 2)
}

# The page that was gathered, if it is about anything.
function end_page(page, file, i, list) {
  if (format != "man" || header == "" || body == "")
    return
  page = header
  gsub(/\//, "-", page)
  sub(/\.h$/, "", page)
  if (named == 0)
    return
  file = out "/" page ".3"
  for (i = 1; i <= named; i++)
    list = list (i > 1 ? ",\n" : "") names[i]
  print "." "\\\" SPDX-License-Identifier: LGPL-3.0-or-later" > file
  print ".TH " toupper(page) " 3 \"\" \"Sockport " version "\" \"Sockport Manual\"" > file
  print ".SH NAME\n" list "\n\\- " escape(sentence(opening)) > file
  print ".SH SYNOPSIS\n.nf\n.B #include <" header ">" > file
  print ".PP\n.B cc program.c $(pkg\\-config \\-\\-cflags \\-\\-libs " \
        (header ~ /guile/ ? "sockport\\-guile" : "sockport") ")\n.fi" > file
  print ".SH DESCRIPTION\n" plain(opening) > file
  printf "%s", body > file
  print ".SH SEE ALSO\n.BR sockport (3),\n.B info sockport" > file
  close(file)
  print page ".3"
  for (i = 1; i <= named; i++) {
    file = out "/" names[i] ".3"
    print ".so man3/" page ".3" > file
    close(file)
    print names[i] ".3"
  }
}

FNR == 1 {
  flush_all()
  end_page()
  header = FILENAME
  sub(/.*include\//, "", header)
  if (format == "texi")
    printf "@section @file{%s}\n@cindex @file{%s}\n\n", header, header
  opened = inside = continued = commenting = named = 0
  comment = body = opening = ""
  next
}
commenting || /^\/\*/ && !/^\/\* SKP_[A-Z_]*_H / {
  if (!commenting) {
    flush_all()
    comment = ""
  }
  comment = comment (commenting ? "\n" : "") $0
  commenting = !/\*\//
  if (!commenting && !opened) {
    opening = comment
    if (format == "texi")
      print plain(comment) "\n"
    comment = ""
    opened = 1
  }
  next
}
defining || /^# *define (SKP|scm)_/ && !/_H$/ {
  if (!defining) {
    flush_functions()
    flush_type()
    name = $0
    sub(/^# *define */, "", name)
    sub(/[ (].*/, "", name)
    # The second of two ways, as #else has it.
    if (seen[name]++)
      next
    macro[++macros] = name
  }
  macro_text = macro_text $0 "\n"
  defining = /\\$/
  next
}
continued || /^SKP_API/ {
  if (!continued) {
    flush_type()
    flush_macros()
    declaration[++declarations] = ""
  }
  declaration[declarations] = declaration[declarations] $0 "\n"
  continued = !/;/
  next
}
inside || /^(struct|union|enum|typedef) / && !/;$/ || /^(struct|enum) .*\{/ {
  type = type $0 "\n"
  inside = !/;$/ || /^ /
  next
}
/^$/ {
  flush_all()
}
END {
  flush_all()
  end_page()
}
