/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The grammar of a head: a state for each of its parts, in the order in which
   they come.  A step looks at each byte once and stops where the bytes do; what
   a field means for the framing is http-framing.c's matter.  */

#include "http-framing.h"

#include <errno.h>
#include <string.h>
#include <sockport/http-head.h>

enum class
{
  TOKEN = 1,  /* tchar (RFC 9110, 5.6.2) */
  TARGET = 2, /* what may stand in a target */
  VALUE = 4,  /* field-vchar, SP and HTAB (RFC 9110, 5.5) */
};

#define T (TOKEN | TARGET | VALUE)
#define H (TOKEN | VALUE) /* '#': a target has no fragment (RFC 9112, 3.2) */
#define U (TARGET | VALUE)
#define V VALUE

/* By byte.  */
/* clang-format off */
static const unsigned char classes[256] = {
  0, 0, 0, 0, 0, 0, 0, 0, 0, V, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  V, T, U, H, T, T, T, T, U, U, T, T, U, T, T, U,
  T, T, T, T, T, T, T, T, T, T, U, U, U, U, U, U,
  U, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
  T, T, T, T, T, T, T, T, T, T, T, U, U, U, T, T,
  T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T,
  T, T, T, T, T, T, T, T, T, T, T, U, T, U, T, 0,
  V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
  V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
  V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
  V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
  V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
  V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
  V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
  V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V
};
/* clang-format on */

enum state
{
  BLANK,    /* lines before the request */
  BLANK_LF, /* the LF of such a line */
  METHOD,
  IN_TARGET,
  VERSION,
  LINE_END,
  LINE_LF,
  FIELD,   /* a name, or the end */
  LAST_LF, /* the LF of the empty line */
  NAME,
  BEFORE_VALUE,
  IN_VALUE,
  STATUS, /* behind the version of a response */
  REASON,
  DONE,
};

enum kind
{
  REQUEST,
  RESPONSE,
  TRAILERS,
};

/* A step: 0 to go on with the state that is set, or a negative errno.  */
typedef int step (struct skp_http_head *head, const unsigned char *bytes,
                  uint32_t size);

static inline int
become (struct skp_http_head *head, enum state state)
{
  head->state = (unsigned char)state;
  return 0;
}

/* Go past one byte and on with STATE.  */
static inline int
pass (struct skp_http_head *head, enum state state)
{
  head->at++;
  return become (head, state);
}

/* Begin a part here.  */
static inline int
begin (struct skp_http_head *head, enum state state)
{
  head->mark = head->at;
  return become (head, state);
}

static inline struct skp_http_span
part (const struct skp_http_head *head)
{
  return (struct skp_http_span){ head->mark, head->at - head->mark };
}

static inline uint32_t
run (const unsigned char *bytes, uint32_t at, uint32_t size, unsigned class)
{
  while (at < size && classes[bytes[at]] & class)
    at++;
  return at;
}

static int
blank (struct skp_http_head *head, const unsigned char *bytes, uint32_t size)
{
  (void)size;
  switch (bytes[head->at])
    {
    case '\r':
      return pass (head, BLANK_LF);
    case '\n':
      return pass (head, BLANK);
    default:
      return begin (head, head->kind == RESPONSE ? VERSION : METHOD);
    }
}

static int
blank_lf (struct skp_http_head *head, const unsigned char *bytes, uint32_t size)
{
  (void)size;
  return bytes[head->at] == '\n' ? pass (head, BLANK) : -EBADMSG;
}

static int
method (struct skp_http_head *head, const unsigned char *bytes, uint32_t size)
{
  head->at = run (bytes, head->at, size, TOKEN);
  if (head->at == size)
    return 0;
  head->method = part (head);
  if (bytes[head->at] != ' ' || head->method.size == 0)
    return -EBADMSG;
  head->at++;
  return begin (head, IN_TARGET);
}

static int
target (struct skp_http_head *head, const unsigned char *bytes, uint32_t size)
{
  head->at = run (bytes, head->at, size, TARGET);
  head->target = part (head);
  if (head->target.size > head->target_limit)
    return -ENAMETOOLONG;
  if (head->at == size)
    return 0;
  if (bytes[head->at] != ' ')
    return -EBADMSG;
  head->at++;
  return begin (head, VERSION);
}

static inline int
digit (unsigned char byte)
{
  return byte >= '0' && byte <= '9';
}

static int
version (struct skp_http_head *head, const unsigned char *bytes, uint32_t size)
{
  static const char pattern[] = "HTTP/d.d";
  for (; head->at < size && pattern[head->at - head->mark]; head->at++)
    {
      unsigned char wanted = (unsigned char)pattern[head->at - head->mark];
      unsigned char byte = bytes[head->at];
      if (wanted == 'd' ? !digit (byte) : byte != wanted)
        return -EBADMSG;
    }
  if (head->at - head->mark < sizeof pattern - 1)
    return 0;
  head->major = bytes[head->mark + 5] - '0';
  head->minor = bytes[head->mark + 7] - '0';
  if (head->kind == RESPONSE)
    return begin (head, STATUS);
  return become (head, LINE_END);
}

/* A blank, three digits, and a reason behind another blank, which some servers
   leave out with it.  */
static int
status (struct skp_http_head *head, const unsigned char *bytes, uint32_t size)
{
  for (; head->at < size && head->at - head->mark < 4; head->at++)
    {
      unsigned char byte = bytes[head->at];
      uint32_t at = head->at - head->mark;
      if (at == 0 ? byte != ' ' : !digit (byte) || (at == 1 && byte == '0'))
        return -EBADMSG;
      if (at > 0)
        head->status = head->status * 10 + (byte - '0');
    }
  if (head->at == size)
    return 0;
  if (bytes[head->at] != ' ')
    return become (head, LINE_END);
  head->at++;
  return begin (head, REASON);
}

static int
reason (struct skp_http_head *head, const unsigned char *bytes, uint32_t size)
{
  head->at = run (bytes, head->at, size, VALUE);
  if (head->at == size)
    return 0;
  head->reason = part (head);
  return become (head, LINE_END);
}

static int
line_end (struct skp_http_head *head, const unsigned char *bytes, uint32_t size)
{
  (void)size;
  switch (bytes[head->at])
    {
    case '\r':
      return pass (head, LINE_LF);
    case '\n':
      return pass (head, FIELD);
    default:
      return -EBADMSG;
    }
}

static int
line_lf (struct skp_http_head *head, const unsigned char *bytes, uint32_t size)
{
  (void)size;
  if (head->kind != TRAILERS && head->major != 1)
    return -EPROTONOSUPPORT;
  return bytes[head->at] == '\n' ? pass (head, FIELD) : -EBADMSG;
}

static int
field (struct skp_http_head *head, const unsigned char *bytes, uint32_t size)
{
  (void)size;
  if (head->kind != TRAILERS && head->major != 1)
    return -EPROTONOSUPPORT;
  switch (bytes[head->at])
    {
    case '\r':
      return pass (head, LAST_LF);
    case '\n':
      return pass (head, DONE);
    default:
      return begin (head, NAME);
    }
}

static int
last_lf (struct skp_http_head *head, const unsigned char *bytes, uint32_t size)
{
  (void)size;
  return bytes[head->at] == '\n' ? pass (head, DONE) : -EBADMSG;
}

static int
name (struct skp_http_head *head, const unsigned char *bytes, uint32_t size)
{
  head->at = run (bytes, head->at, size, TOKEN);
  if (head->at == size)
    return 0;
  if (bytes[head->at] != ':' || head->at == head->mark)
    return -EBADMSG;
  if (head->count == SKP_HTTP_FIELDS)
    return -E2BIG;
  head->field[head->count].name = part (head);
  return pass (head, BEFORE_VALUE);
}

static int
before_value (struct skp_http_head *head, const unsigned char *bytes,
              uint32_t size)
{
  while (head->at < size && skp__http_blank (bytes[head->at]))
    head->at++;
  return head->at < size ? begin (head, IN_VALUE) : 0;
}

static int
value (struct skp_http_head *head, const unsigned char *bytes, uint32_t size)
{
  head->at = run (bytes, head->at, size, VALUE);
  if (head->at == size)
    return 0;
  struct skp_http_field *field = &head->field[head->count];
  field->value = part (head);
  while (field->value.size > 0
         && skp__http_blank (bytes[field->value.at + field->value.size - 1]))
    field->value.size--;
  head->count++;
  if (head->kind != TRAILERS)
    {
      int err = skp__http_note (head, bytes, field, head->kind == RESPONSE);
      if (err < 0)
        return err;
    }
  return become (head, LINE_END);
}

static step *const steps[] = {
  [BLANK] = blank,      [BLANK_LF] = blank_lf, [METHOD] = method,
  [IN_TARGET] = target, [VERSION] = version,   [LINE_END] = line_end,
  [LINE_LF] = line_lf,  [FIELD] = field,       [LAST_LF] = last_lf,
  [NAME] = name,        [IN_VALUE] = value,    [BEFORE_VALUE] = before_value,
  [STATUS] = status,    [REASON] = reason,
};

static void
init (struct skp_http_head *head, size_t size_limit, size_t target_limit,
      enum kind kind)
{
  /* What a head has of fields is set as they come.  */
  memset (head, 0, offsetof (struct skp_http_head, field));
  head->size_limit
      = (uint32_t)(size_limit < UINT32_MAX ? size_limit : UINT32_MAX - 1);
  head->target_limit
      = (uint32_t)(target_limit < UINT32_MAX ? target_limit : UINT32_MAX - 1);
  head->kind = (unsigned char)kind;
  head->state = kind == TRAILERS ? FIELD : BLANK;
}

void
skp_http_head_init (struct skp_http_head *head, size_t size_limit,
                    size_t target_limit)
{
  init (head, size_limit, target_limit, REQUEST);
}

void
skp_http_head_init_response (struct skp_http_head *head, size_t size_limit)
{
  init (head, size_limit, 0, RESPONSE);
}

void
skp_http_head_init_trailers (struct skp_http_head *head, size_t size_limit)
{
  init (head, size_limit, 0, TRAILERS);
}

ssize_t
skp_http_head_parse (struct skp_http_head *head, const void *bytes, size_t size)
{
  /* One byte more than is allowed shows that there are too many.  */
  uint32_t end
      = (uint32_t)(size <= head->size_limit ? size
                                            : (size_t)head->size_limit + 1);
  while (head->at < end && head->state != DONE)
    {
      int err = steps[head->state](head, bytes, end);
      if (err < 0)
        return err;
    }
  if (head->at > head->size_limit)
    return -E2BIG;
  if (head->state != DONE)
    return -EAGAIN;
  int err = head->kind == TRAILERS
                ? 0
                : skp__http_check (head, bytes, head->kind == RESPONSE);
  return err < 0 ? err : (ssize_t)head->at;
}
