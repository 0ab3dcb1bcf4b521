/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Socket options: a table that says what each one is, and reading and writing
   them (socket(7), ip(7), ipv6(7), tcp(7), udp(7), netlink(7), packet(7),
   vsock(7)).

   An option is known by its level together with its number; the number alone
   means different things on different levels.  One that the table lacks is
   bytes.  The table says what an option is for, not what the running kernel
   supports: that returns -ENOPROTOOPT for what it does not know.  */

#ifndef SKP_OPTION_H
#define SKP_OPTION_H

#include <sys/socket.h>
#include <sockport/structure.h>

SKP_BEGIN_DECLS

enum skp_option_kind
{
  SKP_OPTION_BYTES,
  SKP_OPTION_INT,        /* int */
  SKP_OPTION_BOOL,       /* int, of which only zero or not counts */
  SKP_OPTION_UINT,       /* uint32_t */
  SKP_OPTION_WIDE,       /* uint64_t */
  SKP_OPTION_STRING,     /* characters, with or without a NUL at the end */
  SKP_OPTION_LINGER,     /* struct linger */
  SKP_OPTION_TIMEVAL,    /* struct timeval */
  SKP_OPTION_STRUCTURE,  /* the row's structure */
  SKP_OPTION_MEMBERSHIP, /* the row's structure: a group and an interface */
  SKP_OPTION_INTERFACE,  /* int, the index of an interface */
  SKP_OPTION_NETWORK_INTERFACE, /* the same, most significant byte first */
  SKP_OPTION_ADDRESS_INTERFACE, /* set as the row's structure, read as its
                                   address: struct in_addr */
  SKP_OPTION_ADDRESS,           /* a sockaddr */
  SKP_OPTION_DESCRIPTOR,        /* int, a descriptor */
  SKP_OPTION_FILTER,            /* an array of struct sock_filter */
  SKP_OPTION_KINDS              /* how many there are */
};

enum skp_option_access
{
  SKP_OPTION_R = 1,
  SKP_OPTION_W = 2,
  SKP_OPTION_RW = SKP_OPTION_R | SKP_OPTION_W,
  SKP_OPTION_EFFECT = 4, /* reading clears, frees or opens something */
  SKP_OPTION_TAKE = SKP_OPTION_R | SKP_OPTION_EFFECT
};

struct skp_option
{
  const char *name; /* as in C: "TCP_KEEPIDLE" */
  int level, number;
  uint8_t kind;
  uint8_t access;
  uint64_t families; /* the bit 1 << AF_… of each family that has it */
  uint32_t types;    /* the bit 1 << SOCK_… of each type */
  const struct skp_structure *structure; /* NULL: none */
  const char *purpose;
};

/* The row of the option NUMBER of LEVEL; NULL if the table lacks it.  */
SKP_API const struct skp_option *skp_option_find (int level, int number);

/* The row called NAME, a hyphen counting as an underscore, letters in either
   case, "SO_" left out at will: "TCP_KEEPIDLE", "keepalive".  If several have
   the name (MCAST_JOIN_GROUP), the one for FAMILY; the first one if there is
   none or FAMILY is AF_UNSPEC.  NULL if none has the name.  */
SKP_API const struct skp_option *skp_option_named (const char *name,
                                                   int family);

/* The row number INDEX, NULL past the end.  */
SKP_API const struct skp_option *skp_option_at (size_t index);

/* Whether sockets of FAMILY and TYPE have the option.  */
SKP_API int skp_option_applies (const struct skp_option *option, int family,
                                int type);

/* Read the option into VALUE, which has *LENGTH bytes of room and may hold what
   the kernel wants to know first; *LENGTH becomes how many bytes it wrote.
   getsockopt(2).  */
SKP_API int skp_option_get (int fd, int level, int number, void *value,
                            socklen_t *length);

/* The same for an option that the table has as INT or BOOL and that the kernel
   gives as an int.  -ENOMSG: it is another, and VALUE may have changed.  */
SKP_API int skp_option_get_int (int fd, int level, int number, int *value);

/* setsockopt(2).  */
SKP_API int skp_option_set (int fd, int level, int number, const void *value,
                            socklen_t length);

/* Attach the classic BPF program of LENGTH bytes, an array of struct
   sock_filter, by an option of kind FILTER.  -EINVAL: LENGTH is no multiple of
   an instruction's, or beyond what the kernel takes.  */
SKP_API int skp_option_set_filter (int fd, int level, int number,
                                   const void *program, size_t length);

SKP_END_DECLS

#endif /* SKP_OPTION_H */
