/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Network interfaces as Scheme values.  */

#include "primitive.h"
#include "value.h"

#include <limits.h>
#include <string.h>
#include <sockport/guile.h>
#include <sockport/interface.h>

/* VALUE, a name or an index, is what nothing was found for.  */
_Noreturn static void
refuse_interface (int negative_errno, SCM value, const char *who)
{
  SCM number = scm_from_int (-negative_errno);
  scm_syserror_msg (who, "interface ~A: ~A",
                    scm_list_2 (value, scm_strerror (number)), -negative_errno);
}

int
scm_skp__interface (SCM value, int pos, const char *who)
{
  if (!scm_is_string (value))
    return (int)scm_skp__integer (value, 0, INT_MAX, pos, who);
  size_t length;
  const char *name = scm_skp__name_to (value, &length, pos, who);
  int index = skp_interface_index (name, length);
  if (index < 0)
    refuse_interface (index, value, who);
  return index;
}

SCM
scm_skp_if_nametoindex (SCM name)
{
  static const char who[] = "if-nametoindex";
  SCM_ASSERT_TYPE (scm_is_string (name), name, 1, who, "string");
  return scm_from_int (scm_skp__interface (name, 1, who));
}

SCM
scm_skp_if_indextoname (SCM index)
{
  static const char who[] = "if-indextoname";
  char name[IF_NAMESIZE];
  int number = (int)scm_skp__integer (index, 0, INT_MAX, 1, who);
  int err = skp_interface_name ((unsigned)number, name);
  if (err < 0)
    refuse_interface (err, index, who);
  return scm_skp__name_from (name, strlen (name));
}

static SCM
row (const struct skp_interface *i)
{
  SCM values[] = { scm_skp__name_from (i->name, strlen (i->name)),
                   scm_from_uint (i->index),
                   scm_from_uint (i->flags),
                   scm_skp__address_from (&i->address),
                   scm_skp__address_from (&i->netmask),
                   scm_skp__address_from (&i->peer) };
  SCM vector = scm_c_make_vector (6, SCM_BOOL_F);
  for (size_t k = 0; k < 6; k++)
    scm_c_vector_set_x (vector, k, values[k]);
  return vector;
}

/* A list of vectors, one an address: name, index, flags, address, netmask, and
   broadcast or peer address.  */
static SCM
interfaces (void)
{
  struct skp_interface *list;
  SCM rows = SCM_EOL;
  int count = skp_interface_list (&list);
  if (count < 0)
    scm_skp__error (count, "network-interfaces");
  scm_dynwind_begin (0);
  scm_dynwind_free (list);
  while (count-- > 0)
    rows = scm_cons (row (&list[count]), rows);
  scm_dynwind_end ();
  return rows;
}

void
scm_skp__init_interface (void)
{
  static const struct scm_skp__primitive primitives[]
      = { { "if-nametoindex", 1, 0, 0, scm_skp_if_nametoindex },
          { "if-indextoname", 1, 0, 0, scm_skp_if_indextoname },
          { "%interfaces", 0, 0, 0, interfaces } };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
