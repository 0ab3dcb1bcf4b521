# SPDX-License-Identifier: LGPL-3.0-or-later
# Makes the manual's tables from src/constant.def, control.def, option.def and
# structure.def, one of them at a time.

function scheme(name) {
  gsub(/_/, "-", name)
  return tolower(name)
}

function close_table() {
  if (open)
    print "@end table"
  open = 0
}

# Constants: a paragraph for each run of lines.

/^[CV] \(/ {
  name = $0
  sub(/^[CV] \(/, "", name)
  sub(/[,)].*/, "", name)
  printf "%s@code{%s}", in_run ? ",\n" : "@noindent\n", name
  in_run = 1
}

/^$/ && in_run { print ".\n"; in_run = 0 }

# Options: a section for each level.

BEGIN {
  level_title["SOL_SOCKET"] = "All sockets"
  level_title["IPPROTO_TCP"] = "TCP"
  level_title["IPPROTO_UDP"] = "UDP"
  level_title["IPPROTO_UDPLITE"] = "UDP-Lite"
  level_title["IPPROTO_IP"] = "IPv4"
  level_title["IPPROTO_IPV6"] = "IPv6"
  level_title["SOL_RAW"] = "ICMP"
  level_title["IPPROTO_ICMPV6"] = "ICMPv6"
  level_title["SOL_NETLINK"] = "Netlink"
  level_title["SOL_PACKET"] = "Packets"
  level_title["AF_VSOCK"] = "Virtual machines"

  kind_text["BYTES"] = "bytes"
  kind_text["INT"] = "integer"
  kind_text["BOOL"] = "boolean"
  kind_text["UINT"] = "unsigned integer"
  kind_text["WIDE"] = "unsigned integer of 64 bits"
  kind_text["STRING"] = "string"
  kind_text["LINGER"] = "linger"
  kind_text["TIMEVAL"] = "time"
  kind_text["MEMBERSHIP"] = "membership"
  kind_text["INTERFACE"] = kind_text["NETWORK_INTERFACE"] = "interface"
  kind_text["ADDRESS_INTERFACE"] = "interface or its address"
  kind_text["ADDRESS"] = "address"
  kind_text["DESCRIPTOR"] = "descriptor"
  kind_text["FILTER"] = "filter"

  access_text["R"] = "read only"
  access_text["W"] = "set only"
  access_text["RW"] = "read and set"
  access_text["TAKE"] = "read only, with an effect"

  set_text["INET"] = "IPv4"
  set_text["INET6"] = "IPv6"
  set_text["INETS"] = "IPv4 and IPv6"
  set_text["UNIX"] = "UNIX"
  set_text["NETLINK"] = "netlink"
  set_text["LOCAL"] = "UNIX and netlink"
  set_text["PACKET"] = "packet"
  set_text["VSOCK"] = "vsock"
  set_text["STREAM"] = "stream"
  set_text["DGRAM"] = "datagram"
  set_text["RAW"] = "raw"
  set_text["PACKETS"] = "datagram and raw"
  set_text["CONNECTED"] = "stream and seqpacket"
}

function sockets(families, types, text) {
  text = set_text[families]
  if (types != "ANY")
    text = text (text == "" ? "" : ", ") set_text[types]
  return text == "" ? "" : "; " text
}

function known(table, key) {
  if (!(key in table)) {
    print FILENAME ": " FNR ": no words for " key > "/dev/stderr"
    exit 1
  }
  return table[key]
}

/^O \(/ {
  row = $0
  sub(/^O \(/, "", row)
  split(row, column, /, /)
  phrase = row
  sub(/^[^"]*"/, "", phrase)
  sub(/"\).*/, "", phrase)
  if (column[1] != level) {
    close_table()
    level = column[1]
    printf "\n@subsection %s (@code{%s})\n\n@table @code\n", \
      known(level_title, level), level
    open = 1
  }
  name = column[2]
  sub(/^SO_/, "", name)
  printf "@item %s\n@vindex %s\n", scheme(name), column[2]
  kind = column[3] == "STRUCTURE" ? "record @code{" scheme(column[7]) "}" \
                                  : known(kind_text, column[3])
  printf "@code{%s}: %s.  (%s; %s%s)\n", column[2], phrase, kind, \
    known(access_text, column[4]), sockets(column[5], column[6])
}

/^A \(/ {
  row = $0
  sub(/^A \([A-Z0-9_a-z]*, /, "", row)
  sub(/\).*/, "", row)
  split(row, column, /, /)
  name = column[1]
  sub(/^SO_/, "", name)
  printf "@item %s\n@vindex %s\nThe same as @code{%s}.\n", scheme(name), \
    column[1], column[2]
}

# Control messages: a table; the words say what the data is.

BEGIN {
  layout_text["rights"] = "list of ports"
  layout_text["descriptor"] = "list of a descriptor object"
  layout_text["credentials"] = "@code{#(pid uid gid)}"
  layout_text["pktinfo"] = "@code{#(interface local address)}"
  layout_text["pktinfo6"] = "@code{#(interface address)}"
  layout_text["timestamping_old"] = layout_text["timestamping_new"] = \
    "@code{#(software legacy hardware)}, times"
  layout_text["timestamping_pktinfo"] = "@code{#(interface length)}"
  layout_text["error"] = \
    "@code{#(errno origin type code info data offender)}"
  layout_text["pathmtu"] = "@code{#(address mtu)}"
  layout_text["auxdata"] = \
    "@code{#(status length captured mac net vlan-tci vlan-tpid)}"
  layout_text["address"] = "address object"
  layout_text["bytes"] = "bytevector"
  layout_text["signed32"] = layout_text["unsigned8"] = "integer"
  layout_text["unsigned16"] = layout_text["unsigned32"] = "integer"
  layout_text["unsigned64"] = "integer"
  layout_text["timeval_old"] = layout_text["timeval_new"] = "time"
  layout_text["timespec_old"] = layout_text["timespec_new"] = "time"
}

/^CONTROL \(/ {
  while ($0 !~ /\)$/) {
    row = $0
    getline
    $0 = row " " $0
  }
  row = $0
  gsub(/^CONTROL \(|\)$|"/, "", row)
  split(row, column, /, +/)
  if (!open)
    print "@table @code"
  open = 1
  printf "@item %s\n@code{%s}, @code{%s}: %s.\n", column[1], column[2], \
    column[3], known(layout_text, column[4])
}

# Structures: a constructor, a predicate and the accessors of each.

/^STRUCTURE \(/ {
  base = $2
  gsub(/[(,]/, "", base)
  base = scheme(base)
  arguments = accessors = ""
}

/^(FIELD|BITS) \(/ {
  field = $3
  sub(/,/, "", field)
  field = scheme(field)
  arguments = arguments " " field
  accessors = accessors "\n@deffnx {Scheme Procedure} " base "-" field " record"
}

/^END \(/ {
  printf "\n@deffn {Scheme Procedure} make-%s%s\n", base, arguments
  printf "@deffnx {Scheme Procedure} %s? object%s\n@end deffn\n", base, accessors
}

END {
  if (in_run)
    print "."
  close_table()
}
