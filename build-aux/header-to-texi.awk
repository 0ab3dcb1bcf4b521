# SPDX-License-Identifier: LGPL-3.0-or-later
# Makes the manual's sections of C functions from public headers: a section a
# header, opened by its first comment; each declaration with the comment above.

function escape(text) {
  gsub(/[@{}]/, "@&", text)
  return text
}

# One comment without its marks; blank lines in it part paragraphs.
function plain(text) {
  sub(/^\/\* */, "", text)
  sub(/ *\*\/ *$/, "", text)
  gsub(/\n +/, "\n", text)
  return escape(text)
}

# A declaration as the argument of @deftypefun: type, name, arguments.
function declared(text, name, type) {
  gsub(/\n */, " ", text)
  sub(/^SKP_API /, "", text)
  sub(/;.*/, "", text)
  if (!match(text, /[a-z_0-9]+ *\(/)) {
    print FILENAME ": cannot read: " text > "/dev/stderr"
    exit 1
  }
  type = substr(text, 1, RSTART - 1)
  name = substr(text, RSTART)
  sub(/ *$/, "", type)
  return "{" escape(type) "} " escape(name)
}

function flush_functions(i) {
  if (!declarations)
    return
  print "@deftypefun " declared(declaration[1])
  for (i = 2; i <= declarations; i++)
    print "@deftypefunx " declared(declaration[i])
  print plain(comment) "\n@end deftypefun\n"
  declarations = 0
  comment = ""
}

function flush_type() {
  if (type == "")
    return
  if (comment != "")
    print plain(comment)
  print "@example\n" escape(type) "@end example\n"
  type = comment = ""
}

function flush_all() {
  flush_functions()
  flush_type()
}

FNR == 1 {
  flush_all()
  header = FILENAME
  sub(/.*include\//, "", header)
  printf "@section @file{%s}\n@cindex @file{%s}\n\n", header, header
  opened = inside = continued = commenting = 0
  comment = ""
  next
}
commenting || /^\/\*/ && !/^\/\* SKP_/ {
  if (!commenting) {
    flush_all()
    comment = ""
  }
  comment = comment (commenting ? "\n" : "") $0
  commenting = !/\*\//
  if (!commenting && !opened) {
    print plain(comment) "\n"
    comment = ""
    opened = 1
  }
  next
}
continued || /^SKP_API/ {
  if (!continued) {
    flush_type()
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
  flush_functions()
  flush_type()
}
END { flush_all() }
