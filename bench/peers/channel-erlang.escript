#!/usr/bin/env escript
%% SPDX-License-Identifier: LGPL-3.0-or-later
%% Processes and messages of Erlang at work: usage: channel-erlang.escript ROW; for each
%% line that is read, prints nanoseconds for each hop, leaf, choice or process, as
%% channel.scm.  ERL_FLAGS="+S N:N" gives the threads.  What several would get from one
%% channel is sent to them in turn, as a process has a mailbox of its own.
-mode(compile).

main([Row]) ->
    Work = maps:get(Row, #{"ping-pong" => fun ping_pong/0, "chain" => fun chain/0,
                           "diagonal" => fun diagonal/0, "fan-out" => fun fan_out/0,
                           "sieve" => fun sieve/0, "skynet" => fun skynet/0,
                           "choice" => fun choice/0, "start" => fun start/0}),
    Work(),
    rounds(Work).

rounds(Work) ->
    case io:get_line("") of
        eof -> ok;
        _ ->
            Start = erlang:monotonic_time(nanosecond),
            io:format("~p~n", [measured(Work, Start, Work())]),
            rounds(Work)
    end.

measured(Work, Start, Count) ->
    case erlang:monotonic_time(nanosecond) - Start of
        Passed when Passed < 100000000 -> measured(Work, Start, Count + Work());
        Passed -> Passed / Count
    end.

wait(0) -> ok;
wait(Count) -> receive done -> wait(Count - 1) end.

many(0, _) -> ok;
many(Count, Thunk) -> Thunk(), many(Count - 1, Thunk).

ping_pong() ->
    Me = self(),
    many(10, fun() ->
                     Pong = spawn(fun() -> pong(2000) end),
                     spawn(fun() -> ping(Pong, 2000), Me ! done end)
             end),
    wait(10),
    40000.

ping(_, 0) -> ok;
ping(Pong, Count) ->
    Pong ! {ping, self()},
    receive pong -> ping(Pong, Count - 1) end.

pong(0) -> ok;
pong(Count) -> receive {ping, From} -> From ! pong, pong(Count - 1) end.

link_to(_, 0) -> ok;
link_to(To, Count) -> receive N -> To ! N, link_to(To, Count - 1) end.

chain() ->
    First = links(10, self()),
    spawn(fun() -> many(2000, fun() -> First ! done end) end),
    wait(2000),
    22000.

links(0, To) -> To;
links(Left, To) -> links(Left - 1, spawn(fun() -> link_to(To, 2000) end)).

in_turn(0, _, _) -> ok;
in_turn(Count, [], All) -> in_turn(Count, All, All);
in_turn(Count, [To | Rest], All) -> To ! done, in_turn(Count - 1, Rest, All).

diagonal() ->
    Me = self(),
    Links = [spawn(fun() -> link_to(Me, 1000) end) || _ <- lists:seq(1, 10)],
    spawn(fun() -> in_turn(10000, Links, Links) end),
    wait(10000),
    20000.

fan_out() ->
    Me = self(),
    All = [spawn(fun() -> wait(2000), Me ! done end) || _ <- lists:seq(1, 10)],
    in_turn(20000, All, All),
    wait(10),
    20000.

%% A filter asks for the next number, so that nobody runs ahead.
sieve() ->
    Last = primes(100, spawn(fun() -> numbers(2) end)),
    exit(Last, kill),
    100.

primes(0, Source) -> Source;
primes(Left, Source) ->
    Prime = ask(Source),
    primes(Left - 1, spawn(fun() -> link(Source), without(Prime, Source) end)).

ask(Source) ->
    Source ! {next, self()},
    receive {number, N} -> N end.

numbers(N) -> receive {next, From} -> From ! {number, N}, numbers(N + 1) end.

without(Prime, Source) ->
    receive {next, From} -> From ! {number, other(Prime, Source)}, without(Prime, Source)
    end.

other(Prime, Source) ->
    case ask(Source) of
        N when N rem Prime =:= 0 -> other(Prime, Source);
        N -> N
    end.

skynet() ->
    leaf_or_branch(self(), 0, 10000),
    receive {sum, _} -> 10000 end.

leaf_or_branch(To, Number, 1) -> To ! {sum, Number};
leaf_or_branch(To, Number, Size) ->
    Part = Size div 10,
    spawn(fun() ->
                  Me = self(),
                  [spawn(fun() -> leaf_or_branch(Me, Number + I * Part, Part) end)
                   || I <- lists:seq(0, 9)],
                  To ! {sum, sums(10, 0)}
          end).

sums(0, Sum) -> Sum;
sums(Left, Sum) -> receive {sum, N} -> sums(Left - 1, Sum + N) end.

choice() ->
    Me = self(),
    spawn(fun() -> many(5000, fun() -> Me ! {a, 1}, Me ! {b, 2} end) end),
    choose(10000),
    10000.

choose(0) -> ok;
choose(Left) ->
    receive
        {a, _} -> choose(Left - 1);
        {b, _} -> choose(Left - 1)
    after 60000 -> ok
    end.

start() ->
    Me = self(),
    many(20000, fun() -> spawn(fun() -> Me ! done end) end),
    wait(20000),
    20000.
