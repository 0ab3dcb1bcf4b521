/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How channels bring those who wait together (guile/task/claim.c, channel.c): threads
   that each wait for the first of two operations, to get or to put, in one of two
   channels; one that only tries, one that closes a channel, and an async that makes a
   thread give up at any moment.  Who does what is chosen at the beginning.

   Claimed: each value that a channel took is got by one, and no other is; nobody gets
   his own; who gives up gets and gives nothing; two who could meet do not both wait;
   everybody's wait ends (or the end state is invalid), and no flag stays at C.

   Mistakes that spin has to find, with -D:
     CLAIM_ALONE      one's own wait is not claimed together with the other's
     CLAIM_IN_TWO     the flag is looked at, then set
     KEEP_CLAIM       who meets a flag at C keeps his own at C meanwhile
     SCAN_UNLOCKED    the lock is left between the look for others and the wait
     MEET_SELF        the other end of the same choice is taken for another's
     VALUE_LATE       who is woken may find no value yet
     GIVE_UP_BLIND    who gives up does not look whether he was claimed
     LEFT_UNASKED     a wait that is over is claimed like any other
     CLOSE_FORGETS    closing does not wake who waits to put */

#define THREADS 3
#define GET(c) (2 * c)
#define PUT(c) (2 * c + 1)
#define NO 4
#define NOBODY 0
#define LAST 8                          /* got from a closed channel */
#define TAKEN 9                         /* what putting gives */
#define REFUSED 10

mtype:flag = { W, C, S };
mtype:claimed = { busy, ended, its_over, mine_over };

mtype:flag flag[5] = W;
byte given[5];                          /* what a wait gives */
bool rung[5], gone[5], asleep[5], async[5];
bool lock[2], closed[2];
chan getters[2] = [6] of { byte };
chan putters[2] = [6] of { byte };
byte tried;                             /* what the one that only tries has got */
byte over;
byte does[8];                           /* the operations of each */
byte taken[5];                          /* how often the value of each was got */

inline acquire (c) { atomic { !lock[c] -> lock[c] = true } }
inline release (c) { lock[c] = false }

inline note (value)
{
  if
  :: value > 0 && value < LAST -> taken[value]++
  :: else
  fi
}

/* End the wait `its', and with it `mine' unless that is NOBODY.  */
inline claim (its, mine, result)
{
  assert (its != mine);                 /* or it goes round for ever */
  result = busy;
  do
  :: result == busy ->
#ifndef CLAIM_ALONE
     if
     :: mine == NOBODY
     :: atomic { mine != NOBODY && flag[mine] == W -> flag[mine] = C }
     :: atomic { mine != NOBODY && flag[mine] == S -> result = mine_over }
     fi;
#endif
     if
     :: result == mine_over
#ifdef CLAIM_IN_TWO
     :: result == busy && flag[its] == W -> flag[its] = S; result = ended
#else
     :: atomic { result == busy && flag[its] == W -> flag[its] = S;
                 result = ended }
#endif
#ifdef LEFT_UNASKED
     :: atomic { result == busy && flag[its] == S -> result = ended }
#else
     :: atomic { result == busy && flag[its] == S -> result = its_over }
#endif
     :: result == busy && flag[its] == C
     fi;
     if
#ifdef KEEP_CLAIM
     :: result == busy -> flag[its] != C
#endif
     :: mine != NOBODY && result == ended -> flag[mine] = S
     :: mine != NOBODY && result != ended && result != mine_over ->
        flag[mine] = W
     :: else
     fi;
     if
     :: result == busy -> flag[its] != C
     :: else
     fi
  :: else -> break
  od
}

inline deliver (its, value)
{
#ifdef VALUE_LATE
  rung[its] = true;
  given[its] = value
#else
  given[its] = value;
  rung[its] = true
#endif
}

/* Claim the first in QUEUE that can be, and take it out.  */
inline claim_first (queue, mine)
{
  atomic { left = len (queue); found = NOBODY; result = its_over };
  do
  :: left == 0 -> break
  :: left > 0 ->
     atomic { left--; queue?its };
     if
#ifndef MEET_SELF
     :: its == mine -> queue!its
     :: its != mine ->
#else
     :: true ->
#endif
        claim (its, mine, result);
        if
        :: result == ended -> found = its; left = 0
        :: result == mine_over -> queue!its; left = 0
        :: else                         /* dropped */
        fi
     fi
  od
}

/* Have ME wait in C to get or to put, unless that can be done at once.  */
inline enter (me, c, putting)
{
  acquire (c);
  if
  :: closed[c] ->
     atomic {
       if
       :: flag[me] == W ->
          flag[me] = S;
          if :: putting -> given[me] = REFUSED :: else -> given[me] = LAST fi;
          done = true
       :: else
       fi
     };
     release (c)
  :: else ->
     if
     :: putting -> claim_first (getters[c], me)
     :: else -> claim_first (putters[c], me)
     fi;
#ifdef SCAN_UNLOCKED
     release (c);
     acquire (c);
#endif
     if
     :: found == NOBODY && result != mine_over ->
        if
        :: putting -> putters[c]!me
        :: else -> getters[c]!me
        fi
     :: else
     fi;
     release (c);
     if
     :: found != NOBODY ->
        atomic {
          done = true;
          if :: putting -> given[me] = TAKEN :: else -> given[me] = found fi
        };
        if
        :: putting -> deliver (found, me)
        :: else -> deliver (found, TAKEN)
        fi
     :: else
     fi
  fi
}

proctype waiter (byte me)
{
  byte left, its, found, c, operations;
  bool done, putting;
  mtype:claimed result;
  do
  :: operations < 2 && !done && flag[me] != S && does[2 * me + operations] != NO ->
     atomic {
       c = does[2 * me + operations] / 2;
       putting = does[2 * me + operations] % 2;
       operations++
     };
     enter (me, c, putting)
  :: else -> break
  od;
  if
  :: done
  :: operations == 0 -> flag[me] = S; gone[me] = true
  :: else ->
     asleep[me] = true;
     if
     :: rung[me]
     :: async[me] ->
        async[me] = false;
#ifdef GIVE_UP_BLIND
        flag[me] = S; gone[me] = true
#else
        if
        :: atomic { flag[me] == W -> flag[me] = S }; gone[me] = true
        :: flag[me] == S -> rung[me]    /* a value comes, and counts */
        fi
#endif
     fi
  fi;
  assert (gone[me] || given[me] != NOBODY);
  assert (given[me] != me);
  if
  :: !gone[me] -> note (given[me])
  :: else
  fi;
  over++
}

/* Gets if that can be done at once.  */
proctype trier ()
{
  byte left, its, found;
  mtype:claimed result;
  acquire (0);
  claim_first (putters[0], NOBODY);
  release (0);
  if
  :: found != NOBODY -> tried = found; deliver (found, TAKEN); note (found)
  :: else
  fi;
  over++
}

inline close_channel (c)
{
  acquire (c);
  closed[c] = true;
  release (c);
  /* Nobody enters any more; who was claimed before is dropped.  */
  do
  :: claim_first (getters[c], NOBODY);
     if
     :: found != NOBODY -> deliver (found, LAST)
     :: else -> break
     fi
  od;
#ifndef CLOSE_FORGETS
  do
  :: claim_first (putters[c], NOBODY);
     if
     :: found != NOBODY -> deliver (found, REFUSED)
     :: else -> break
     fi
  od
#endif
}

proctype closer ()
{
  byte left, its, found;
  mtype:claimed result;
  close_channel (0);
  over++
}

proctype marker () { async[1] = true; over++ }

#define WAITS(i) (flag[i] == W && asleep[i])
#define COULD_MEET(i, j, c) \
  (WAITS (i) && WAITS (j) && getters[c]??[i] && putters[c]??[j])
#define ANY_TWO(c) \
  (COULD_MEET (1, 2, c) || COULD_MEET (2, 1, c) || COULD_MEET (1, 3, c) \
   || COULD_MEET (3, 1, c) || COULD_MEET (2, 3, c) || COULD_MEET (3, 2, c))
#define RESTS(i) (WAITS (i) && !async[i])
#define RESTING (RESTS (1) + RESTS (2) + RESTS (3))

proctype judge (byte actors)
{
  byte left, its, found;
  mtype:claimed result;
  /* Nothing goes on any more but by what is done here.  */
  over + RESTING == actors;
  assert (!ANY_TWO (0) && !ANY_TWO (1));
  close_channel (0);
  close_channel (1);
  over == actors;
  assert (!lock[0] && !lock[1]);
  assert (flag[1] == S && flag[2] == S && flag[3] == S);
  assert (taken[1] == (given[1] == TAKEN) && taken[2] == (given[2] == TAKEN)
          && taken[3] == (given[3] == TAKEN));
  assert (!gone[1] || given[1] == NOBODY)
}

#define ALL(a, b, c, d, e, f) \
  does[2] = a; does[3] = b; does[4] = c; does[5] = d; does[6] = e; does[7] = f

init
{
  byte actors = THREADS;
  atomic {
    run waiter (1); run waiter (2); run waiter (3);
    if
    :: ALL (PUT (0), GET (1), GET (0), PUT (1), GET (0), NO)
    :: ALL (PUT (0), PUT (1), GET (1), GET (0), PUT (1), NO)
    :: ALL (PUT (0), GET (0), GET (0), PUT (0), PUT (0), NO)
    :: ALL (PUT (0), GET (1), PUT (1), GET (0), NO, NO)
    :: ALL (PUT (0), GET (1), PUT (1), GET (0), NO, NO);
       run trier (); actors++
    :: ALL (GET (0), PUT (1), PUT (0), GET (1), NO, NO);
       run closer (); actors++
    :: ALL (GET (0), PUT (1), PUT (0), GET (1), NO, NO);
       run marker (); actors++
    fi;
    run judge (actors)
  }
}
