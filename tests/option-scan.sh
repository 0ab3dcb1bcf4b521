#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# option-scan.sh SOURCE-ROOT: TAP.  Every constant whose name is that of an option
# is in option.def, or here with the reason why it is no option.
set -eu
root=$1
prefixes='SO|TCP|UDP|UDPLITE|IP|IPV6|MCAST|NETLINK|PACKET'
others='
values of other options
  IPV6_(PRIORITY|FL|PREFER_SRC|PMTUDISC|RTHDR)_.+ IPV6_FLOWINFO_(FLOWLABEL|PRIORITY)
  IP_PMTUDISC(_.+)? IP_DEFAULT_.+ IP_MAX_MEMBERSHIPS MCAST_(EXCLUDE|INCLUDE)
  PACKET_FANOUT_(CBPF|CPU|EBPF|FLAG_.+|HASH|LB|QM|RND|ROLLOVER) PACKET_MR_.+
  TCP_MD5SIG_(FLAG_.+|MAXKEYLEN) TCP_(NO|RECV|SEND)_QUEUE TCP_QUEUES_NR TCP_REPAIR_(ON|OFF|OFF_NO_WP)
  TCP_RECEIVE_ZEROCOPY_FLAG_.+ TCP_COOKIE_.+ TCP_S_DATA_.+ UDP_ENCAP_.+
states of TCP and of its congestion control, and its headers
  TCP_CA_.+ TCP_CLOSE(_WAIT)? TCP_CLOSING TCP_ESTABLISHED TCP_FIN_WAIT[12] TCP_LAST_ACK
  TCP_LISTEN TCP_SYN_(RECV|SENT) TCP_TIME_WAIT TCP_ENCAP_ESPINTCP TCP_MAXWIN
  TCP_MAX_WINSHIFT TCP_MSS TCP_MSS_(DEFAULT|DESIRED)
headers of IP
  IP_(DF|MF|RF|OFFMASK|MSS|MAXPACKET) IPV6_TLV_.+
control messages
  IPV6_HOPLIMIT TCP_CM_INQ SO_DEVMEM_(DMABUF|LINEAR) SO_EE_.+ PACKET_TX_TIMESTAMP
protocols and states of netlink
  NETLINK_(AUDIT|CONNECTED|CONNECTOR|CRYPTO|DNRTMSG|ECRYPTFS|FIB_LOOKUP|FIREWALL)
  NETLINK_(GENERIC|INET_DIAG|IP6_FW|ISCSI|KOBJECT_UEVENT|NETFILTER|NFLOG|RDMA|ROUTE)
  NETLINK_(SCSITRANSPORT|SELINUX|SMC|SOCK_DIAG|UNCONNECTED|UNUSED|USERSOCK|XFRM)
kinds of packets
  PACKET_(BROADCAST|FASTROUTE|HOST|KERNEL|LOOPBACK|MULTICAST|OTHERHOST|OUTGOING|USER)
that no Linux has, or has no more
  IPV6_AUTHHDR IPV6_NEXTHOP NETLINK_[RT]X_RING PACKET_RECV_OUTPUT SO_SECURITY_.+
  SO_VM_SOCKETS_(NONBLOCK_TXRX|PEER_HOST_VM_ID|TRUSTED)
other forms of an option for other sizes of time_t
  SO_(RCV|SND)TIMEO_(NEW|OLD) SO_TIMESTAMP(NS|ING)?_OLD
  SO_VM_SOCKETS_CONNECT_TIMEOUT_(NEW|OLD)
'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "$others" | grep '^  ' | tr -s ' ' '\n' | sed '/^$/d; s/.*/^&$/' > "$work/others"
sed -n -E "s/^C \((($prefixes)_[A-Za-z0-9_]+)\)/\1/p" "$root/src/constant.def" |
  sort > "$work/constants"
sed -n -E 's/^[OA] \([A-Z0-9_]+, ([A-Za-z0-9_]+).*/\1/p' "$root/src/option.def" |
  sort > "$work/rows"
comm -23 "$work/constants" "$work/rows" | grep -vE -f "$work/others" \
  > "$work/missing" || :
grep -E -f "$work/others" "$work/rows" > "$work/both" || :
count=$(grep -c '^O ' "$root/src/option.def")

echo 1..3
[ ! -s "$work/missing" ] || printf 'not '
echo 'ok 1 - every option of the headers is in the table'
sed 's/^/# missing: /' "$work/missing"
[ ! -s "$work/both" ] || printf 'not '
echo 'ok 2 - nothing in the table is no option'
sed 's/^/# /' "$work/both"
[ "$count" -ge 250 ] || printf 'not '
echo "ok 3 - the table has $count options"
