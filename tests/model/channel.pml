/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How threads wait for a channel: two that put, two that get, an async that
   makes a getter leave at any moment (an escape, cancel-thread), and one that
   closes the channel.  CAPACITY is 0 or 1, chosen at the beginning.

   Claimed: whoever can go on does (or the end state is invalid); no value is
   lost, doubled or given to who has left; who has left is in no queue.

   Mistakes that spin has to find, with -D:
     LEAVE_IN_QUEUE    who leaves by an escape stays in the ring
     LEAVE_CLAIMED     the async runs although a value was given already
     LOOK_UNLOCKED     the state is looked at before the bell is put up
     BELL_REFUSED      the bell is not rung where the waker's turn is over
     CLOSE_FORGETS     closing does not wake who waits to put
     RAISE_LOCKED      a bad argument raises while the lock is held */

#define NOBODY 0
#define EOF_VALUE 9

mtype:state = { idle, waiting, claimed, withdrawn };

bool lock;
byte capacity, held, held_value;
bool closed;
/* The rings: the numbers of the threads that wait, the first first.  */
chan getters = [2] of { byte };
chan putters = [2] of { byte };
mtype:state state[5] = idle;
byte given[5];                          /* what the waiter was claimed with */
bool has_bell[5], rung[5];
byte carries[5];                        /* the value that a putter brings */
/* What became of each: a value, EOF_VALUE, or nothing for who left.  */
byte got[5];
bool left[5], taken[5], refused[5];
bool async[5];
byte over;
bool with_async, with_close;

inline acquire () { atomic { !lock -> lock = true } }
inline release () { lock = false }

/* Under the lock.  */
inline claim (who, what)
{
  assert (state[who] == waiting);
  state[who] = claimed;
  given[who] = what;
  if
#ifdef BELL_REFUSED
  :: has_bell[who]
#endif
  :: has_bell[who] -> rung[who] = true
  :: else
  fi
}

/* The first of RING, or NOBODY.  */
inline first (ring, who)
{
  who = NOBODY;
  do
  :: ring?who ->
     assert (state[who] == waiting);
     break
  :: empty (ring) -> break
  od
}

/* Take WHO out of RING, wherever it is in it.  */
inline take_out (ring, who)
{
  if
  :: ring??[eval (who)] -> ring??eval (who)
  :: else
  fi
}

/* Wait for a claim.  GONE is whether an async made WHO leave.  */
inline await (ring, who, gone)
{
  gone = false;
#ifdef LOOK_UNLOCKED
  asleep = (state[who] == waiting);
  acquire ();
  has_bell[who] = true;
  release ();
#else
  acquire ();
  has_bell[who] = true;
  asleep = (state[who] == waiting);
  release ();
#endif
  if
  :: asleep ->
     if
     :: rung[who]
     :: async[who] ->
        async[who] = false;
#ifdef LEAVE_IN_QUEUE
        gone = true
#else
        acquire ();
        if
#ifdef LEAVE_CLAIMED
        :: true ->
#else
        :: state[who] == waiting ->
#endif
           state[who] = withdrawn; take_out (ring, who); gone = true
        :: else                         /* it returns what it was given */
        fi;
        release ()
#endif
     fi
  :: else
  fi;
  acquire ();
  has_bell[who] = false;
  release ()
}

proctype getter (byte me)
{
  byte who;
  bool asleep, gone;
#ifdef RAISE_LOCKED
  if
  :: acquire (); goto out
  :: true
  fi;
#endif
again:
  acquire ();
  if
  :: held > 0 ->
     got[me] = held_value; held--;
     first (putters, who);
     if
     :: who != NOBODY -> held++; held_value = carries[who]; claim (who, 1)
     :: else
     fi;
     release ()
  :: else ->
     first (putters, who);
     if
     :: who != NOBODY -> got[me] = carries[who]; claim (who, 1); release ()
     :: who == NOBODY && closed -> got[me] = EOF_VALUE; release ()
     :: who == NOBODY && !closed ->
        state[me] = waiting; getters!me;
        release ();
        await (getters, me, gone);
        if
        :: gone -> left[me] = true      /* the async has escaped */
#ifndef LEAVE_IN_QUEUE
        :: gone -> goto again           /* it has returned */
#endif
        :: else -> assert (state[me] == claimed); got[me] = given[me]
        fi
     fi
  fi;
out:
  over++
}

proctype putter (byte me)
{
  byte who;
  bool asleep, gone;
  acquire ();
  if
  :: closed -> refused[me] = true; release ()
  :: else ->
     first (getters, who);
     if
     :: who != NOBODY -> claim (who, carries[me]); taken[me] = true; release ()
     :: who == NOBODY && held < capacity ->
        held++; held_value = carries[me]; taken[me] = true; release ()
     :: who == NOBODY && held >= capacity ->
        state[me] = waiting; putters!me;
        release ();
        await (putters, me, gone);
        assert (state[me] == claimed);
        if
        :: given[me] == 1 -> taken[me] = true
        :: else -> refused[me] = true
        fi
     fi
  fi;
  over++
}

inline claim_all (ring, what)
{
  do
  :: first (ring, who);
     if
     :: who != NOBODY -> claim (who, what)
     :: else -> break
     fi
  od
}

proctype closer ()
{
  byte who;
  acquire ();
  closed = true;
  claim_all (getters, EOF_VALUE);
#ifndef CLOSE_FORGETS
  claim_all (putters, 0);
#endif
  release ();
  over++
}

proctype marker () { async[1] = true; over++ }

/* Values 5 and 6 are put by the threads 3 and 4, got by 1 and 2.  */
#define COUNT(v) ((got[1] == v) + (got[2] == v) + (held > 0 && held_value == v))

proctype judge (byte actors)
{
  over == actors;
  assert (!lock && empty (getters) && empty (putters));
  assert (COUNT (5) == taken[3] && COUNT (6) == taken[4]);
  assert (taken[3] != refused[3] && taken[4] != refused[4]);
  assert (!left[1] || got[1] == 0);
  assert (!left[2] && got[2] != 0);
  assert (left[1] || got[1] != 0)
}

init
{
  byte actors = 4;
  atomic {
    if :: capacity = 0 :: capacity = 1 fi;
    if :: with_close = true; actors++ :: true fi;
    if
    :: with_async = true; actors++
    :: true
    fi;
    /* With one that may leave and none that closes, a value may find nobody:
       then there has to be room for it; one that closes needs no room.  */
    if
    :: with_async && with_close == capacity -> goto nobody
    :: else
    fi;
    carries[3] = 5; carries[4] = 6;
    run getter (1); run getter (2);
    run putter (3); run putter (4);
    if :: with_close -> run closer () :: else fi;
    if :: with_async -> run marker () :: else fi;
    run judge (actors)
  };
nobody:
  skip
}
