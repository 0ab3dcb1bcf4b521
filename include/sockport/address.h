/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Socket addresses: the kernel's bytes, the parts that make them up, and text.

   A family is a table of fields (RFC 3493, unix(7), ip(7), ipv6(7), netlink(7),
   packet(7), vsock(7)).  A family that the table lacks has one: its bytes after
   the family number.  Memory belongs to the caller; decoded bytes point into
   the address that they were taken from.  */

#ifndef SKP_ADDRESS_H
#define SKP_ADDRESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sockport/field.h>

SKP_BEGIN_DECLS

/* LENGTH bytes of STORAGE count, the family number included.  The kernel can
   return three bytes more than a sockaddr_un holds; they fit here.  */
struct skp_address
{
  socklen_t length;
  struct sockaddr_storage storage;
};

/* The most parts that a family has.  */
#define SKP_ADDRESS_PARTS 5

/* REQUIRED of the COUNT parts must be given; the others are 0 by default.  */
struct skp_family
{
  int family;
  uint8_t count;
  uint8_t required;
  uint8_t length; /* of the sockaddr; 0 if it varies */
  struct skp_field fields[SKP_ADDRESS_PARTS];
};

/* The rules of FAMILY.  Never NULL: an unknown family has the rules of raw
   bytes, with the family number AF_UNSPEC.  */
SKP_API const struct skp_family *skp_address_family (int family);

/* The family number of ADDRESS; AF_UNSPEC when it holds none.  */
SKP_API int skp_address_number (const struct skp_address *address);

/* Make ADDRESS from COUNT PARTS in the order of the rules.  0, or -EINVAL
   (family or count; a pathname with a NUL inside), -ERANGE (a number too
   large), -ENAMETOOLONG (too many bytes).  */
SKP_API int skp_address_encode (struct skp_address *address, int family,
                                const struct skp_part *parts, int count);

/* The rules that apply to ADDRESS: its family's, or those of raw bytes if it is
   too short for them.  */
SKP_API const struct skp_family *
skp_address_rules (const struct skp_address *address);

/* Take ADDRESS apart: PARTS has room for SKP_ADDRESS_PARTS.  Returns the rules
   that apply.  */
SKP_API const struct skp_family *
skp_address_decode (const struct skp_address *address, struct skp_part *parts);

/* The largest text of skp_address_format, its NUL included: each byte of a
   name can take four characters.  */
#define SKP_ADDRESS_TEXT 512

/* Write ADDRESS as text with a NUL: "192.0.2.1:80", "[2001:db8::1%2]:80",
   "unix:/run/name", "unix:@abstract", "vsock:2:1024", "family 16: 0102".
   Bytes that do not print appear as \xHH.  The length, or -ENOSPC.  */
SKP_API int skp_address_format (const struct skp_address *address, char *text,
                                size_t size);

/* Read what skp_address_format writes for INET, INET6, UNIX and VSOCK; a
   scope may be an interface's name.  0, or -EINVAL, -ENAMETOOLONG, -ENODEV.  */
SKP_API int skp_address_parse (struct skp_address *address, const char *text);

/* The most bytes of a host address, and the most characters of its text, the
   NUL included.  */
#define SKP_HOST_BYTES 16
#define SKP_HOST_TEXT 46

/* A numeric host address of FAMILY, INET or INET6: the bytes of its text, most
   significant first, and the text of its bytes.  The number of bytes, and the
   length of TEXT; -EAFNOSUPPORT for another family, -EINVAL for what is no
   address.  inet_pton(3), inet_ntop(3).  */
SKP_API int skp_address_host_parse (int family, const char *text,
                                    unsigned char bytes[SKP_HOST_BYTES]);
SKP_API int skp_address_host_format (int family, const unsigned char *bytes,
                                     char text[SKP_HOST_TEXT]);

SKP_END_DECLS

#endif /* SKP_ADDRESS_H */
