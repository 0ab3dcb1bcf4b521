# SPDX-License-Identifier: LGPL-3.0-or-later
# The manual page for Scheme: its head as it is, then what the manual's chapters
# define, a subsection a chapter, in it a line for each procedure and syntax.

function plain(text) {
  gsub(/@dots\{\}/, "...", text)
  while (match(text, /@[a-z]+\{[^{}]*\}/)) {
    inner = substr(text, RSTART, RLENGTH)
    sub(/^@[a-z]+\{/, "", inner)
    sub(/\}$/, "", inner)
    text = substr(text, 1, RSTART - 1) inner substr(text, RSTART + RLENGTH)
  }
  gsub(/@@/, "@", text)
  gsub(/\\/, "\\e", text)
  gsub(/-/, "\\-", text)
  return text
}

FILENAME !~ /\.texi$/ {
  print
  next
}
/^@chapter / {
  chapter = plain(substr($0, 10))
}
continued || /^@deffnx? \{Scheme (Procedure|Syntax)\} / {
  text = (continued ? text : "") $0
  continued = sub(/ *@$/, "", text)
  if (continued)
    next
  sub(/^@deffnx? \{[^}]*\} /, "", text)
  gsub(/  +/, " ", text)
  if (chapter != "") {
    print ".SS " chapter "\n.nf"
    open = 1
    chapter = ""
  }
  name = text
  sub(/ .*/, "", name)
  arguments = substr(text, length(name) + 2)
  print ".BI \"(" plain(name) "\" \"" (arguments == "" ? "" : " " plain(arguments)) "\" )"
}
END { print ".fi" }
