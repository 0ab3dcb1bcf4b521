/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The file name of the program that looks names up.  */

#ifndef SKP_HELPER_PATH_H
#define SKP_HELPER_PATH_H

extern const char scm_skp__resolve_helper[];

#endif /* SKP_HELPER_PATH_H */
