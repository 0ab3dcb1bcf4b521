/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A signal that is watched: its handler wakes who waits, or leaves word that it
   came.  Two threads wait for one signal each; the second signal comes when the
   first has been seen.  Each of them is seen by somebody.

   Mistakes that spin has to find, with -D:
     TWO_SECTIONS      whether somebody waits is found out in one critical
                       section, the word is left in another
     KEPT              the word stays when it was taken */

bool lock, pending, waits[2], woken[2];
byte seen, sent, over;

inline acquire () { atomic { !lock -> lock = true } }
inline release () { lock = false }

proctype handler ()
{
  bool anyone;
again:
  sent++;
  acquire ();
  anyone = waits[0] || waits[1];
  if
  :: waits[0] -> waits[0] = false; woken[0] = true
  :: !waits[0] && waits[1] -> waits[1] = false; woken[1] = true
  :: else
  fi;
#ifdef TWO_SECTIONS
  release ();
  acquire ();
#endif
  if
  :: !anyone -> pending = true
  :: else
  fi;
  release ();
  seen == sent;
  if
  :: sent < 2 -> goto again
  :: else
  fi;
  over++
}

proctype waiter (byte me)
{
  acquire ();
  if
  :: pending ->
#ifndef KEPT
     pending = false;
#endif
     release ()
  :: else ->
     waits[me] = true;
     release ();
     woken[me]
  fi;
  seen++;
  over++
}

init
{
  atomic { run handler (); run waiter (0); run waiter (1) };
  over == 3;
  assert (!pending && seen == sent)
}
