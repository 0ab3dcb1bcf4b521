/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How a task of a loop waits for a descriptor and for a channel at once, and
   who wakes it: the peer that sends, another thread that puts a value, one that
   closes the port, one that cancels, an async that cancels in the loop's own
   thread, and a deadline.  Each of them is there or not; all that can happen in
   whatever order is tried.

   Claimed, and checked by `spin -run':
     - no wake-up is lost: with whatever came, the task ends (a state in which it
       sleeps for ever is an invalid end state);
     - none comes twice (the assertion in RESUME);
     - no value and no byte is lost or doubled (the assertions in `judge');
     - a closed port wakes who waits for it.

   Each -D below puts a mistake back that was once made, or that is easily made;
   the test demands that spin finds a fault in every one:
     NO_MARK            who waits is woken before the port is closed, and nothing
                        says that it will be
     MARK_LATE          who waits is woken, then the port is marked
     MARK_GONE          the mark goes before the port is closed
     CHECK_THEN_WATCH   the task looks for the mark, then watches the descriptor
     ASYNC_ANYWHERE     handlers run between the look at the interrupt and the wait
     ASYNC_DEAF         a handler that is due does not end the loop's sleep
     DROWSY             a handler runs between the look for work and the sleep
     SWAP_THEN_DRAIN    the inbox is emptied before the bell is silenced
     BELL_FIRST         the bell rings before the inbox has the message
     EDGE_ONLY          who waits before trying is taken to have tried
     EDGE_FORGOTTEN     an edge that nobody waited for is dropped
     HINT_KEPT          what a short read said is believed after a wake-up
     CLAIM_IN_TWO       whether the waiter waits is looked at, then it is claimed
     ABANDON_BLIND      a cancelled task leaves without asking whether it still
                        waits
     RESUME_ABANDONED   who wakes does not look whether the waiter has gone */

#ifdef ASYNC_ANYWHERE
#define UNSAFE_POINT point ()
#else
#define UNSAFE_POINT skip
#endif

#ifndef MOST
#define MOST 3
#endif

mtype:task = { ready, running, suspended, ended };
mtype:waiter = { idle, waiting, claimed, withdrawn };
mtype:why = { none, retry, value, interrupted };
mtype:end = { unended, received, got, refused, cancelled, expired };
mtype:message = { wake_task, forget_port, cancel_task };
mtype:async = { absent, due, handled };

/* Who is there.  */
bool with_put, with_close, with_cancel, with_async, with_deadline;
byte sends;                             /* bytes that the peer sends at once */

/* The kernel.  */
byte data;                              /* received, not yet taken */
bool registered, edge;                  /* in the epoll set, with an event */
bool bell;                              /* the eventfd is readable */

/* What the threads share.  */
bool lock;                              /* the channel's */
bool closing, closed;                   /* the mark; the port itself */
bool watched;                           /* the loop knows the descriptor */
byte held;                              /* values in the channel; one fits */
bool in_ring;                           /* the task waits in the channel */
mtype:waiter waiter = idle;
mtype:why given = none;                 /* with what the waiter was claimed */
chan inbox = [8] of { mtype:message };

/* The loop's own.  */
mtype:task task = ready;
mtype:why woken = none;
mtype:end outcome = unended;
mtype:end interrupt = unended;          /* cancelled or expired, or nothing */
bool slot_task, slot_edge;              /* what the descriptor's slot has */
mtype:async async = absent;
bool drained;                           /* a short read said so: no attempt */
bool yielded;
byte taken, over;
bool put_done;

inline acquire () { atomic { !lock -> lock = true } }
inline release () { lock = false }

inline post (what)
{
#ifdef BELL_FIRST
  bell = true;
  inbox!what
#else
  inbox!what;
  bell = true
#endif
}

/* In the loop's thread, once for each suspension.  */
inline resume (with)
{
  assert (task == suspended);
  task = ready;
  woken = with
}

/* Take the task out of whatever it waits in; `there' is whether it still was.  */
inline abandon ()
{
  /* It stays in the channel's queue, until it is met there.  */
  atomic {
#ifdef ABANDON_BLIND
    there = true;
#else
    there = (waiter == waiting);
#endif
    if
    :: there -> waiter = withdrawn; slot_task = false
    :: else
    fi
  }
}

inline trigger (what)
{
  if
  :: interrupt == unended && task != ended ->
     interrupt = what;
     if
     :: task == suspended ->
        abandon ();
        if
        :: there -> resume (interrupted)
        :: else
        fi
     :: else
     fi
  :: else
  fi
}

/* A point at which a handler may run.  */
inline point ()
{
  if
  :: async == due -> async = handled; trigger (cancelled)
  :: true
  fi
}

/* Have who waits for the descriptor try again.  */
inline wake_slot ()
{
  if
  :: slot_task ->
     atomic {
       slot_task = false;
#ifdef RESUME_ABANDONED
       there = true;
#else
       there = (waiter == waiting);
#endif
       if
       :: there -> waiter = claimed; given = retry
       :: else
       fi
     };
     if
     :: there -> resume (retry)
     :: else
     fi
  :: else
  fi
}

proctype loop ()
{
  mtype:message what;
  bool there, busy, rang, ready_edge, tried;

turn:
  if
  :: task == ready -> task = running; goto go_on
  :: else
  fi;
after_batch:
#ifdef SWAP_THEN_DRAIN
  do
  :: inbox?what -> break
  :: empty (inbox) -> goto no_message
  od;
  goto handle;
no_message:
  bell = false;
  goto sleep;
#endif
  do
  :: inbox?what ->
handle:
     if
     :: what == wake_task -> resume (value)
     :: what == forget_port ->
        watched = false; slot_edge = false; wake_slot ()
     :: what == cancel_task -> trigger (cancelled)
     fi
  :: empty (inbox) -> break
  od;
sleep:
  if
  :: task == ended -> goto out
  :: else
  fi;
  busy = (task == ready);
#ifdef DROWSY
  point ();
#endif
  /* epoll_wait.  */
  if
  :: busy
  :: bell
  :: edge
  :: with_deadline && interrupt == unended
#ifndef ASYNC_DEAF
  :: async == due
#endif
  fi;
  atomic { rang = bell; ready_edge = edge; edge = false };
#ifndef SWAP_THEN_DRAIN
  if
  :: rang -> bell = false
  :: else
  fi;
#endif
  if
  :: ready_edge && slot_task -> wake_slot ()
  :: ready_edge && !slot_task ->
#ifdef EDGE_FORGOTTEN
     skip
#else
     slot_edge = true
#endif
  :: else
  fi;
  if
  :: with_deadline -> trigger (expired)
  :: true
  fi;
  /* The one point of the loop at which handlers run.  */
  point ();
  goto turn;

  /* The task.  */
go_on:
  if
  :: yielded -> yielded = false; goto wait
  :: else
  fi;
  if
  :: waiter == idle -> goto attempt
  :: else
  fi;
  waiter = idle;
#ifndef HINT_KEPT
  drained = false;
#endif
  if
  :: woken == value -> outcome = got; goto end_task
  :: woken == interrupted -> outcome = interrupt; goto end_task
  :: else
  fi;
attempt:
  if
  :: tried = true
  :: tried = false; goto wait           /* a waiter that is called first */
  :: drained ->
     /* Others run, and then nothing is tried that a short read made vain.  */
     tried = true; drained = false; yielded = true; task = ready;
     goto after_batch
  fi;
  point ();
  if
  :: closed -> outcome = refused; goto end_task
  :: else
  fi;
  if
  :: data > 0 ->
     atomic { data--; taken++; drained = (data == 0) };
     if
     :: taken == sends -> outcome = received; goto end_task
     :: else -> goto attempt
     fi
  :: else
  fi;
wait:
#ifdef CHECK_THEN_WATCH
  if
  :: closing || closed -> outcome = refused; goto end_task
  :: else
  fi;
#endif
  atomic {
    if
    :: !registered && !closed -> registered = true; edge = (data > 0)
    :: else
    fi
  };
  watched = true;
#ifndef CHECK_THEN_WATCH
  if
  :: closing || closed -> outcome = refused; goto end_task
  :: else
  fi;
#endif
  if
  :: slot_edge -> slot_edge = false; drained = false; goto attempt
  :: else
  fi;
#ifndef EDGE_ONLY
  if
  :: !tried && data > 0 -> drained = false; goto attempt
  :: else
  fi;
#endif
  point ();
  /* From here to the suspension no handler runs.  */
  if
  :: interrupt != unended -> outcome = interrupt; goto end_task
  :: else
  fi;
  UNSAFE_POINT;
  acquire ();
  if
  :: held > 0 -> held--; release (); outcome = got; goto end_task
  :: else
  fi;
  waiter = waiting; in_ring = true; given = none;
  release ();
  UNSAFE_POINT;
  slot_task = true;
  woken = none;
  UNSAFE_POINT;
  task = suspended;
  goto after_batch;
end_task:
  task = ended;
  goto after_batch;
out:
  over++
}

/* Another thread that puts a value.  */
proctype putter ()
{
  bool claims;
  acquire ();
  if
  :: in_ring ->
     in_ring = false;
#ifdef CLAIM_IN_TWO
     claims = (waiter == waiting);
     if
     :: claims -> waiter = claimed
     :: else
     fi
#else
     atomic {
       claims = (waiter == waiting);
       if
       :: claims -> waiter = claimed
       :: else
       fi
     }
#endif
  :: else
  fi;
  if
  :: claims -> given = value
  :: else -> held++
  fi;
  release ();
  if
  :: claims -> post (wake_task)
  :: else
  fi;
  put_done = true;
  over++
}

/* Another thread that closes the port; what is buffered may have to wait.  */
inline wake_watcher ()
{
  if
  :: watched -> post (forget_port)
  :: else
  fi
}

proctype closer ()
{
#ifdef MARK_LATE
  wake_watcher ();
  closing = true;
#else
#ifndef NO_MARK
  closing = true;
#endif
  wake_watcher ();
#endif
  /* Here it may wait until what is buffered has been sent.  */
#ifdef MARK_GONE
  closing = false;
#endif
  closed = true;
  atomic { registered = false; edge = false };
  closing = false;
  over++
}

proctype canceller () { post (cancel_task); over++ }

proctype marker () { async = due; over++ }

inline send (n)
{
  atomic {
    data = data + n;
    if
    :: registered -> edge = true
    :: else
    fi
  }
}

proctype peer ()
{
  if
  :: send (sends)
  :: sends == 2 -> send (1); send (1)
  fi;
  over++
}

proctype judge (byte actors)
{
  over == actors;
  assert (outcome != unended);
  assert (taken + data == sends);
  assert (put_done == with_put);
  assert (with_put == held + (outcome == got -> 1 : 0));
  assert (outcome != received || taken == sends);
  assert (outcome != refused || with_close);
  assert (outcome != cancelled || with_cancel || with_async);
  assert (outcome != expired || with_deadline)
}

init
{
  byte actors = 1;
  atomic {
    if :: with_put = true; actors++ :: true fi;
    if :: with_close = true; actors++ :: true fi;
    if :: with_cancel = true; actors++ :: true fi;
    if :: with_async = true; actors++ :: true fi;
    if :: with_deadline = true :: true fi;
    if :: sends = 1; actors++ :: sends = 2; actors++ :: true fi;
    /* Three at a time: what goes wrong goes wrong between two.  */
    if
    :: actors + with_deadline > 1 && actors + with_deadline <= 1 + MOST
    :: else -> goto nobody
    fi;
    run loop ();
    if :: with_put -> run putter () :: else fi;
    if :: with_close -> run closer () :: else fi;
    if :: with_cancel -> run canceller () :: else fi;
    if :: with_async -> run marker () :: else fi;
    if :: sends > 0 -> run peer () :: else fi;
    run judge (actors)
  };
nobody:
  skip
}
