/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The headers that name what the socket calls take, in the one order in which
   the C library's and the kernel's fit together, and the names that those of
   Debian 12 (Linux 6.1, glibc 2.36) lack or that only conflicting headers have.
   The numbers are the kernel's interface and never change; nothing here is a
   guess about the running kernel, which refuses what it does not know.  */

#ifndef SKP_KERNEL_H
#define SKP_KERNEL_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <netdb.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <linux/in6.h>
#include <linux/net_tstamp.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/netlink.h>
#include <linux/tls.h>
#include <linux/vm_sockets.h>

/* <linux/tcp.h>, <linux/udp.h> and <linux/in.h>, whose structures clash with
 * glibc's.  */
#ifndef TCP_ENCAP_ESPINTCP
#  define TCP_ENCAP_ESPINTCP 7
#endif
#ifndef TCP_MD5SIG_FLAG_IFINDEX
#  define TCP_MD5SIG_FLAG_IFINDEX 0x2
#endif
#ifndef TCP_RECEIVE_ZEROCOPY_FLAG_TLB_CLEAN_HINT
#  define TCP_RECEIVE_ZEROCOPY_FLAG_TLB_CLEAN_HINT 0x1
#endif
#ifndef UDP_ENCAP_RXRPC
#  define UDP_ENCAP_RXRPC 6
#endif
#ifndef IP_LOCAL_PORT_RANGE
#  define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef IP_PROTOCOL
#  define IP_PROTOCOL 52
#endif
/* The kernel's own <net/udplite.h> and <linux/socket.h>.  */
#ifndef UDPLITE_SEND_CSCOV
#  define UDPLITE_SEND_CSCOV 10
#endif
#ifndef UDPLITE_RECV_CSCOV
#  define UDPLITE_RECV_CSCOV 11
#endif
#ifndef SCM_SECURITY
#  define SCM_SECURITY 0x03
#endif
/* Linux 5.11 to 6.1, for older headers.  */
#ifndef SO_PREFER_BUSY_POLL
#  define SO_PREFER_BUSY_POLL 69
#endif
#ifndef SO_BUSY_POLL_BUDGET
#  define SO_BUSY_POLL_BUDGET 70
#endif
#ifndef SO_NETNS_COOKIE
#  define SO_NETNS_COOKIE 71
#endif
#ifndef SO_BUF_LOCK
#  define SO_BUF_LOCK 72
#endif
#ifndef SO_RESERVE_MEM
#  define SO_RESERVE_MEM 73
#endif
#ifndef SO_TXREHASH
#  define SO_TXREHASH 74
#endif
#ifndef SO_RCVMARK
#  define SO_RCVMARK 75
#endif
#ifndef SOCK_SNDBUF_LOCK
#  define SOCK_SNDBUF_LOCK 1
#endif
#ifndef SOCK_RCVBUF_LOCK
#  define SOCK_RCVBUF_LOCK 2
#endif
#ifndef SOCK_BUF_LOCK_MASK
#  define SOCK_BUF_LOCK_MASK 3
#endif
#ifndef SOCK_TXREHASH_DEFAULT
#  define SOCK_TXREHASH_DEFAULT 255
#endif
#ifndef SOCK_TXREHASH_DISABLED
#  define SOCK_TXREHASH_DISABLED 0
#endif
#ifndef SOCK_TXREHASH_ENABLED
#  define SOCK_TXREHASH_ENABLED 1
#endif
#ifndef AF_MCTP
#  define AF_MCTP 45
#endif
#ifndef PF_MCTP
#  define PF_MCTP 45
#endif
#ifndef SOL_SMC
#  define SOL_SMC 286
#endif
#ifndef SOL_MCTP
#  define SOL_MCTP 285
#endif
#ifndef SOL_VSOCK
#  define SOL_VSOCK 287
#endif
#ifndef IPPROTO_L2TP
#  define IPPROTO_L2TP 115
#endif
#ifndef ETH_P_REALTEK
#  define ETH_P_REALTEK 0x8899
#endif
#ifndef ETH_P_PROFINET
#  define ETH_P_PROFINET 0x8892
#endif
#ifndef ETH_P_CFM
#  define ETH_P_CFM 0x8902
#endif
#ifndef ETH_P_CANXL
#  define ETH_P_CANXL 0x000E
#endif
#ifndef ETH_P_DSA_A5PSW
#  define ETH_P_DSA_A5PSW 0xE001
#endif
#ifndef ETH_P_MCTP
#  define ETH_P_MCTP 0x00FA
#endif
#ifndef IPV6_TLV_IOAM
#  define IPV6_TLV_IOAM 49
#endif
/* Linux 6.2 and later.  */
#ifndef SO_PASSPIDFD
#  define SO_PASSPIDFD 76
#endif
#ifndef SO_PEERPIDFD
#  define SO_PEERPIDFD 77
#endif
#ifndef SO_DEVMEM_LINEAR
#  define SO_DEVMEM_LINEAR 78
#endif
#ifndef SO_DEVMEM_DMABUF
#  define SO_DEVMEM_DMABUF 79
#endif
#ifndef SO_DEVMEM_DONTNEED
#  define SO_DEVMEM_DONTNEED 80
#endif
#ifndef SO_RCVPRIORITY
#  define SO_RCVPRIORITY 82
#endif
#ifndef SO_PASSRIGHTS
#  define SO_PASSRIGHTS 83
#endif
#ifndef SO_INQ
#  define SO_INQ 84
#endif
#ifndef SCM_PIDFD
#  define SCM_PIDFD 0x04
#endif
#ifndef SCM_DEVMEM_LINEAR
#  define SCM_DEVMEM_LINEAR SO_DEVMEM_LINEAR
#endif
#ifndef SCM_DEVMEM_DMABUF
#  define SCM_DEVMEM_DMABUF SO_DEVMEM_DMABUF
#endif
#ifndef SCM_TS_OPT_ID
#  define SCM_TS_OPT_ID 81
#endif
#ifndef SCM_INQ
#  define SCM_INQ SO_INQ
#endif
#ifndef MSG_SOCK_DEVMEM
#  define MSG_SOCK_DEVMEM 0x2000000
#endif
#ifndef TCP_AO_ADD_KEY
#  define TCP_AO_ADD_KEY 38
#endif
#ifndef TCP_AO_DEL_KEY
#  define TCP_AO_DEL_KEY 39
#endif
#ifndef TCP_AO_INFO
#  define TCP_AO_INFO 40
#endif
#ifndef TCP_AO_GET_KEYS
#  define TCP_AO_GET_KEYS 41
#endif
#ifndef TCP_AO_REPAIR
#  define TCP_AO_REPAIR 42
#endif
#ifndef TCP_IS_MPTCP
#  define TCP_IS_MPTCP 43
#endif
#ifndef TCP_RTO_MAX_MS
#  define TCP_RTO_MAX_MS 44
#endif
#ifndef TCP_RTO_MIN_US
#  define TCP_RTO_MIN_US 45
#endif
#ifndef TCP_DELACK_MAX_US
#  define TCP_DELACK_MAX_US 46
#endif
#ifndef PACKET_VNET_HDR_SZ
#  define PACKET_VNET_HDR_SZ 24
#endif
#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#  define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif
/* Enumerators in newer headers, which a macro of the same value hides.  */
#define SOF_TIMESTAMPING_OPT_ID_TCP (1 << 16)
#define SOF_TIMESTAMPING_OPT_RX_FILTER (1 << 17)
#define SOF_TIMESTAMPING_TX_COMPLETION (1 << 18)

/* Where time_t has 64 bits and long has not, SO_TIMESTAMP is SO_TIMESTAMP_NEW
   (asm-generic/socket.h).  */
#if __WORDSIZE == 64 || (__TIMESIZE == 32 && !defined __USE_TIME_BITS64)
#  define SKP__NEWER_TIMES_DIFFER 1
#endif

/* What <linux/tcp.h> has, up to Linux 6.7; glibc's own ends at total_retrans.
   The kernel only ever adds to its end.  */
struct skp__tcp_info
{
  uint8_t state, ca_state, retransmits, probes, backoff, options, wscale, flags;
  uint32_t rto, ato, snd_mss, rcv_mss;
  uint32_t unacked, sacked, lost, retrans, fackets;
  uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
  uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss;
  uint32_t reordering, rcv_rtt, rcv_space, total_retrans;
  uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
  uint32_t segs_out, segs_in, notsent_bytes, min_rtt;
  uint32_t data_segs_in, data_segs_out;
  uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
  uint32_t delivered, delivered_ce;
  uint64_t bytes_sent, bytes_retrans;
  uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd, rcv_wnd, rehash;
  uint16_t total_rto, total_rto_recoveries;
  uint32_t total_rto_time;
};

/* <linux/tcp.h>'s; glibc's has no interface.  */
struct skp__tcp_md5sig
{
  struct sockaddr_storage address;
  uint8_t flags, prefixlen;
  uint16_t keylen;
  int ifindex;
  uint8_t key[TCP_MD5SIG_MAXKEYLEN];
};

/* The array that SO_MEMINFO fills (sock_diag(7)).  */
struct skp__meminfo
{
  uint32_t rmem_alloc, rcvbuf, wmem_alloc, sndbuf, fwd_alloc, wmem_queued;
  uint32_t optmem, backlog, drops;
};

#endif /* SKP_KERNEL_H */
