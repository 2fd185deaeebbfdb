%% SPDX-License-Identifier: MIT
%% The programs of bench/savina/savina.h for Erlang/OTP, from inside one runtime system:
%%   erlc savina.erl; erl +S 1:1 -noshell -s savina main -extra --runs 5 --peer erlang
%% A line of JSON a program. Sizes, keys and what counts as an op are the same. An ask is a call to a
%% gen_server where the row says ask; in cdict-20 and banking it is a bare message with a reference and
%% a bare receive, which is the cheapest way that Erlang has.
-module(savina).
-behaviour(gen_server).
-export([main/0]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(KEYS, 65536).
-define(WORKERS, 20).
-define(ACCOUNTS, 1000).

main() ->
    Options = options(init:get_plain_arguments(), #{runs => 5, peer => <<"erlang">>, seed => 1, only => all}),
    make_keys(),
    [measure(Name, Peer, Run, Ops, Options) || {Name, Peer, Run, Ops} <- programs(), wanted(Name, Options)],
    halt(0).

options(["--runs", N | Rest], O) -> options(Rest, O#{runs => list_to_integer(N)});
options(["--peer", Name | Rest], O) -> options(Rest, O#{peer => list_to_binary(Name)});
options(["--seed", N | Rest], O) -> options(Rest, O#{seed => list_to_integer(N)});
options(["--only", Name | Rest], O) -> options(Rest, O#{only => Name});
options([_ | Rest], O) -> options(Rest, O);
options([], O) -> O.

wanted(_, #{only := all}) -> true;
wanted(Name, #{only := Only}) -> string:find(Name, Only) =/= nomatch.

programs() ->
    [{"count", "", fun count/2, {1000000, 1}},
     {"pingpong", "", fun pingpong/2, {40000, 2}},
     {"pingpong-300k", "", fun pingpong/2, {300000, 2}},
     {"cdict-20", "", fun cdict/2, {10000, ?WORKERS}},
     {"banking", "", fun banking/2, {50000, 1}},
     {"ask", "", fun(N, _) -> asks(N, infinity) end, {200000, 1}},
     {"ask-deadline", "", fun(N, _) -> asks(N, 5000) end, {200000, 1}},
     {"ask", "-bare", fun(N, _) -> bare_asks(N, infinity) end, {200000, 1}},
     {"ask-deadline", "-bare", fun(N, _) -> bare_asks(N, 5000) end, {200000, 1}}].

measure(Name, Suffix, Run, {Size, Each}, #{runs := Runs, peer := Peer, seed := Seed}) ->
    io:format(standard_error, "~s ~s~n", [Peer, Name]),
    [Run(Size, Seed) || _ <- lists:seq(1, 2)],
    Times = lists:sort([Run(Size, Seed + I) / (Size * Each) || I <- lists:seq(1, Runs)]),
    io:format("{\"group\": \"actor\", \"row\": \"~s\", \"peer\": \"~s~s\", \"unit\": \"ns/op\", \"value\": ~.3f, "
              "\"median\": ~.1f, \"runs\": ~b}~n",
              [Name, Peer, Suffix, float(hd(Times)), float(lists:nth((Runs + 1) div 2, Times)), Runs]).

%% Runs it in a fresh process, so that no run inherits a heap; what it returns is its time in ns.
timed(Fun) ->
    Self = self(),
    spawn(fun() ->
        Begin = erlang:monotonic_time(nanosecond),
        Fun(),
        Self ! {ended, erlang:monotonic_time(nanosecond) - Begin}
    end),
    receive {ended, Ns} -> Ns end.

%% ---- count ----

count(N, _) ->
    timed(fun() ->
        Counter = spawn(fun() -> counter(0) end),
        Self = self(),
        spawn(fun() -> produce(Counter, N), Counter ! {retrieve, Self} end),
        receive {value, N} -> ok end
    end).

produce(_, 0) -> ok;
produce(Counter, N) -> Counter ! increment, produce(Counter, N - 1).

counter(Value) ->
    receive
        increment -> counter(Value + 1);
        {retrieve, From} -> From ! {value, Value}
    end.

%% ---- pingpong ----

pingpong(N, _) ->
    timed(fun() ->
        Self = self(),
        Pong = spawn(fun pong/0),
        spawn(fun() -> ping(Pong, N, Self) end),
        receive ended -> ok end
    end).

ping(Pong, 0, Parent) -> Pong ! stop, Parent ! ended;
ping(Pong, N, Parent) ->
    Pong ! {ping, self()},
    receive pong -> ping(Pong, N - 1, Parent) end.

pong() ->
    receive
        {ping, From} -> From ! pong, pong();
        stop -> ok
    end.

%% ---- cdict-20 ----

%% Literals: they are not copied into each worker.
make_keys() ->
    Keys = [iolist_to_binary(io_lib:format("operation-~22..0b", [I])) || I <- lists:seq(0, ?KEYS - 1)],
    persistent_term:put(keys, list_to_tuple(Keys)).

cdict(N, Seed) ->
    timed(fun() ->
        Self = self(),
        Dictionary = spawn(fun() -> dictionary(#{}) end),
        Keys = persistent_term:get(keys),
        [spawn(fun() -> work(Dictionary, Keys, N, Seed * 1000 + I), Self ! done end) || I <- lists:seq(1, ?WORKERS)],
        [receive done -> ok end || _ <- lists:seq(1, ?WORKERS)],
        Dictionary ! stop
    end).

dictionary(Map) ->
    receive
        {read, From, Ref, Key} ->
            case Map of
                #{Key := Value} -> From ! {Ref, Value};
                _ -> From ! {Ref, none}
            end,
            dictionary(Map);
        {write, From, Ref, Key, Value} ->
            From ! {Ref, Value},
            dictionary(Map#{Key => Value});
        stop -> ok
    end.

work(_, _, 0, _) -> ok;
work(Dictionary, Keys, N, Random0) ->
    Random = next(Random0),
    Key = element(Random band (?KEYS - 1) + 1, Keys),
    Ref = make_ref(),
    case Random rem 100 < 10 of
        true -> Dictionary ! {write, self(), Ref, Key, Random};
        false -> Dictionary ! {read, self(), Ref, Key}
    end,
    receive {Ref, _} -> work(Dictionary, Keys, N - 1, Random) end.

%% Lehmer's generator: no product leaves the small integers.
next(X) -> X * 16807 rem 2147483647.

%% ---- banking ----

banking(N, Seed) ->
    timed(fun() ->
        Accounts = list_to_tuple([spawn(fun() -> account(1000000) end) || _ <- lists:seq(1, ?ACCOUNTS)]),
        teller(Accounts, N, Seed),
        [receive done -> ok end || _ <- lists:seq(1, N)],
        [Account ! stop || Account <- tuple_to_list(Accounts)]
    end).

teller(_, 0, _) -> ok;
teller(Accounts, N, Random0) ->
    Random1 = next(Random0),
    Random = next(Random1),
    Source = Random1 rem (?ACCOUNTS div 10 * 8),
    Offset = case Random rem (?ACCOUNTS - Source) of 0 -> 1; Other -> Other end,
    element(Source + 1, Accounts) ! {credit, self(), Random rem 1000, element(Source + Offset + 1, Accounts)},
    teller(Accounts, N - 1, Random).

account(Balance) ->
    receive
        {credit, Teller, Amount, Destination} ->
            Ref = make_ref(),
            Destination ! {debit, self(), Ref, Amount},
            receive {Ref, done} -> ok end,
            Teller ! done,
            account(Balance - Amount);
        {debit, From, Ref, Amount} ->
            From ! {Ref, done},
            account(Balance + Amount);
        stop -> ok
    end.

%% ---- ask ----

asks(N, Timeout) ->
    {ok, Server} = gen_server:start(?MODULE, [], []),
    Ns = timed(fun() -> call(Server, N, Timeout) end),
    gen_server:stop(Server),
    Ns.

call(_, 0, _) -> ok;
call(Server, N, Timeout) ->
    ok = gen_server:call(Server, question, Timeout),
    call(Server, N - 1, Timeout).

init([]) -> {ok, []}.
handle_call(question, _, State) -> {reply, ok, State}.
handle_cast(_, State) -> {noreply, State}.

bare_asks(N, Timeout) ->
    Server = spawn(fun answer/0),
    Ns = timed(fun() -> bare_call(Server, N, Timeout) end),
    Server ! stop,
    Ns.

answer() ->
    receive
        {question, From, Ref} -> From ! {Ref, ok}, answer();
        stop -> ok
    end.

bare_call(_, 0, _) -> ok;
bare_call(Server, N, Timeout) ->
    Ref = make_ref(),
    Server ! {question, self(), Ref},
    receive {Ref, ok} -> ok after Timeout -> exit(late) end,
    bare_call(Server, N - 1, Timeout).
