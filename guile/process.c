/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Child processes: started, and as a port that becomes readable when one has
   ended.  */

#include "port.h"
#include "primitive.h"
#include "value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sockport/process.h>

/* For process-operation if OPERATION, else for wait-process.  */
static SCM
process_port (SCM pid, SCM operation)
{
  const char *who
      = scm_is_true (operation) ? "process-operation" : "wait-process";
  int fd = skp_process_open ((int)scm_skp__integer (pid, 1, INT32_MAX, 1, who));
  if (fd < 0)
    scm_skp__error (fd, who);
  return scm_skp__port (fd);
}

/* Guile's own environ warns, from 3.0.10 on, where there are threads.  */
static SCM
environment (void)
{
  SCM list = SCM_EOL;
  for (char **variable = environ; variable && *variable; variable++)
    list = scm_cons (scm_from_locale_string (*variable), list);
  return scm_reverse (list);
}

static const char start_name[] = "start-process";
static const char pid_variable[] = "LISTEN_PID=";

/* TEXT, a string without NUL, in memory of the collector.  */
static char *
text_to (SCM text, int pos)
{
  size_t length;
  if (!scm_is_string (text))
    scm_wrong_type_arg_msg (start_name, pos, text, "string");
  char *bytes = scm_to_locale_stringn (text, &length);
  char *copy = scm_gc_malloc_pointerless (length + 1, start_name);
  memcpy (copy, bytes, length);
  copy[length] = '\0';
  free (bytes);
  if (strlen (copy) < length)
    scm_wrong_type_arg_msg (start_name, pos, text, "string without NUL");
  return copy;
}

/* The strings of LIST, with room for two more and the NULL.  */
static char **
texts_to (SCM list, int pos)
{
  long length = scm_ilength (list);
  if (length < 0)
    scm_wrong_type_arg_msg (start_name, pos, list, "list of strings");
  char **texts
      = scm_gc_malloc (((size_t)length + 3) * sizeof *texts, start_name);
  memset (texts, 0, ((size_t)length + 3) * sizeof *texts);
  for (long i = 0; i < length; i++, list = SCM_CDR (list))
    texts[i] = text_to (SCM_CAR (list), pos);
  return texts;
}

/* Ports, and descriptors as integers.  */
static int *
descriptors_to (SCM list, size_t *count)
{
  long length = scm_ilength (list);
  int *fds = scm_gc_malloc_pointerless (((size_t)length + 1) * sizeof *fds,
                                        start_name);
  *count = (size_t)length;
  for (long i = 0; i < length; i++, list = SCM_CDR (list))
    fds[i] = SCM_PORTP (SCM_CAR (list))
                 ? scm_skp__fd (SCM_CAR (list), 0, start_name)
                 : (int)scm_skp__integer (SCM_CAR (list), -1, INT32_MAX, 0,
                                          start_name);
  return fds;
}

/* DESCRIPTORS is a list of ports and numbers; TELL_PID adds LISTEN_PID to the
   environment.  */
static SCM
process_start (SCM program, SCM arguments, SCM environment, SCM descriptors,
               SCM tell_pid)
{
  struct skp_process_plan plan = { .program = text_to (program, 1) };
  char **texts = texts_to (arguments, 2),
       **variables = texts_to (environment, 3);
  plan.descriptors = descriptors_to (descriptors, &plan.descriptor_count);
  memmove (texts + 1, texts,
           ((size_t)scm_ilength (arguments) + 1) * sizeof *texts);
  texts[0] = (char *)plan.program;
  if (scm_is_true (tell_pid))
    {
      char *variable = scm_gc_malloc_pointerless (
          sizeof pid_variable + SKP_PROCESS_PID_SIZE, start_name);
      strcpy (variable, pid_variable);
      variables[scm_ilength (environment)] = variable;
      plan.pid_text = variable + sizeof pid_variable - 1;
    }
  plan.arguments = texts;
  plan.environment = variables;
  pid_t pid = skp_process_start (&plan);
  scm_remember_upto_here_1 (descriptors);
  if (pid < 0)
    {
      errno = -pid;
      scm_syserror_msg (
          start_name, "~A: ~A",
          scm_list_2 (program, scm_strerror (scm_from_int (-pid))), -pid);
    }
  return scm_from_int (pid);
}

void
scm_skp__init_process (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%process-port", 2, 0, 0, process_port },
    { "%environment", 0, 0, 0, environment },
    { "%process-start", 5, 0, 0, process_start },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
