/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A task is started in a loop that is another thread's and may be ending: two
   threads post, the loop ends when it has no task.  Each of them gets its
   answer: the task, or that the loop has ended; and a task that was started
   runs.

   Mistakes that spin has to find, with -D:
     LOOK_THEN_POST    whether the loop has ended is looked at before the post
     LEFT_BEHIND       what came in before the inbox was closed is dropped
     GONE_BELL         the bell is rung after its loop has closed it */

mtype = { unanswered, started, ended };

chan inbox = [4] of { byte };
bool inbox_closed, bell, bell_exists = true, rings[2];
bool root = true;
byte tasks = 1;                         /* the first task of the loop */
byte ran;
mtype answer[2] = unanswered;
byte over;

inline ring_bell ()
{
  assert (bell_exists);
  bell = true
}

proctype loop ()
{
  byte who;
  do
  :: tasks > 0 -> tasks--; ran++
  :: else ->
     do
     :: inbox?who -> tasks++; answer[who] = started
     :: empty (inbox) -> break
     od;
     if
     :: tasks > 0
     :: else ->
        /* Nothing runs any more: only who posts could start something.  */
        if
        :: bell -> bell = false
        :: root = false; inbox_closed = true; break
        fi
     fi
  od;
  do
  :: inbox?who ->
#ifndef LEFT_BEHIND
     answer[who] = ended
#else
     skip
#endif
  :: empty (inbox) -> break
  od;
  /* The bell goes when nobody is about to ring it.  */
#ifndef GONE_BELL
  !rings[0] && !rings[1];
#endif
  bell_exists = false;
  over++
}

proctype spawner (byte me)
{
  bool posted;
#ifdef LOOK_THEN_POST
  if
  :: !root -> answer[me] = ended; goto out
  :: else
  fi;
  rings[me] = true;
  inbox!me;
  posted = true;
#else
  rings[me] = true;
  /* One compare-and-swap: closed, or the message is in.  */
  atomic {
    if
    :: inbox_closed -> posted = false
    :: else -> inbox!me; posted = true
    fi
  };
#endif
  if
  :: posted -> ring_bell ()
  :: else -> answer[me] = ended
  fi;
  rings[me] = false;
  answer[me] != unanswered;
out:
  over++
}

init
{
  atomic { run loop (); run spawner (0); run spawner (1) };
  over == 3;
  assert (ran == 1 + (answer[0] == started) + (answer[1] == started))
}
