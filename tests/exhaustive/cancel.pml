/* SPDX-License-Identifier: MIT */
/* Cancel, journal and resend, between a canceller, the daemon, its journal and the owner.
 *
 * The owner stores an operation, waits for notices, acknowledges them, finishes it, and does the same with
 * a second one under the same key. The canceller cancels the first by its gen. Each of the four links
 * loses one message at the most, each client sends once more than it needs to, and the daemon may be killed
 * once: then it knows what its journal has kept, and the owner brings back what it has.
 *
 * What has to hold:
 *   A1  what the canceller was answered is kept; and its owner is told, or learns of it when it finishes
 *   A2  the owner's callback runs once for a gen
 *   A3  and never for one that nobody cancelled
 *   A4  gens rise, across the crash too
 *   A6  everybody is answered: a state in which somebody waits for ever is an error (spin's own check)
 *   A7  NOT_FOUND is said only of what is really over, never of what has not come back yet
 *   a request that is sent again is not done again
 * Broken on purpose, one at a time, by -D: run.py has the list. Each must lead to an error. */

#define GENS 5 /* two, and those that a crash leaves nobody knowing of */

mtype = { STORE, STORED, POLL, NOTICE, FINISH, DELETED, OVER, ADOPT, ADOPTED,
          REQUESTED, ALREADY, FINISHED, STALE, NOT_FOUND, RECOVERING };
mtype = { ABSENT, LIVE, CANCELLING, ENDED };

chan owner_up = [1] of { mtype, byte, byte, bool };   /* op, id, gen, flag */
chan owner_down = [1] of { byte, mtype, byte, bool }; /* id, answer, gen, flag */
chan canceller_up = [1] of { byte };                  /* id: cancel gen 1 */
chan canceller_down = [1] of { byte, mtype };

/* ---- the daemon's memory: gone with a crash; but for `newest`, for the epoch is durable ---- */
mtype state[GENS];
bool acked[GENS];
byte newest, current;
bool recovers;                       /* the recovery time is not over */
byte parked;                         /* id of a poll that waits; 0: none */
byte owner_id, owner_gen; mtype owner_answer; bool owner_flag; /* what was answered last */
byte cancel_id; mtype cancel_answer; bool cancel_waits;        /* and to the canceller */
bool given[GENS];                    /* a record on its way to the journal */

/* ---- the journal ---- */
bool kept[GENS];

/* ---- the world ---- */
bool crashed, restarted;             /* the owner has not noticed it yet */
bool brings_back;                    /* it has something that the daemon does not know of */
bool lost_up, lost_down, lost_ask, lost_answer;
byte store_effects, cancel_effects;  /* of one request */

/* ---- what the clients know ---- */
byte mine, calls[GENS];
bool told[GENS], done[GENS], done_cancelled[GENS];
bool promised, answered;
bool asked_all;                      /* the owner has nothing left to bring back */

inline settle_cancel(g) {
    state[g] = CANCELLING;
    acked[g] = false;
    given[g] = true
}

inline decide_cancel() {
    if
    :: state[1] == LIVE -> cancel_effects++; settle_cancel(1); cancel_answer = REQUESTED
    :: state[1] == CANCELLING -> cancel_answer = ALREADY
    :: state[1] == ENDED -> cancel_answer = FINISHED
#ifdef DELIVER_TO_SUCCESSOR
    :: state[1] == ABSENT && current > 1 && state[current] == LIVE ->
        settle_cancel(current); cancel_answer = REQUESTED
#endif
    :: else ->
        if
#ifndef NO_RECOVERING
        :: recovers -> cancel_answer = RECOVERING
#endif
        :: else -> cancel_answer = (current > 1 -> STALE : NOT_FOUND)
        fi
    fi
}

#ifdef ACK_BEFORE_JOURNAL
#define MAY_TELL true
#else
#define MAY_TELL ((cancel_answer != REQUESTED && cancel_answer != ALREADY) || kept[1])
#endif

#define HAS_NEWS (current != 0 && state[current] == CANCELLING && !acked[current])

inline answer_owner(id, answer, gen, flag) {
    owner_id = id; owner_answer = answer; owner_gen = gen; owner_flag = flag;
    if
    :: owner_down!id, answer, gen, flag
    :: !lost_down -> lost_down = true
    fi
}

inline do_store() {
    store_effects++;
    assert(store_effects == 1);
    newest++;
    current = newest;
    state[current] = LIVE;
    answer_owner(id, STORED, current, false)
}

inline do_finish() {
    if
    :: state[g] == LIVE || state[g] == CANCELLING ->
        f = (state[g] == CANCELLING);
        state[g] = ENDED;
        answer_owner(id, DELETED, g, f)
    :: else -> answer_owner(id, OVER, g, false)
    fi
}

inline do_adopt() {
    recovers = false;
    brings_back = false;
    current = (g > current -> g : current);
#ifdef FORGET_JOURNAL
    if
    :: f -> settle_cancel(g)
    :: else -> state[g] = LIVE
    fi;
#else
    if
    :: f || kept[g] -> settle_cancel(g)
    :: else -> state[g] = LIVE
    fi;
#endif
    answer_owner(id, ADOPTED, g, (state[g] == CANCELLING))
}

active proctype Daemon()
{
    mtype op; byte id, g; bool f;
end:
    do
    :: atomic { nfull(owner_down) && nempty(owner_up) ->
        owner_up?op, id, g, f;
        if
#ifndef NO_DEDUPLICATION
        :: op != POLL && id == owner_id ->
            answer_owner(id, owner_answer, owner_gen, owner_flag) /* done already */
        :: else ->
#else
        :: true ->
#endif
            if
            :: op == STORE -> do_store()
            :: op == FINISH -> do_finish()
            :: op == ADOPT -> do_adopt()
            :: op == POLL ->
                acked[g] = acked[g] || (f && g != 0);
                parked = id
            fi
        fi;
        f = false; g = 0; id = 0 }
    :: atomic { parked != 0 && HAS_NEWS && nfull(owner_down) ->
#ifdef FORGET_ON_SEND
        acked[current] = true; /* as if a send were a delivery */
#endif
        if
        :: owner_down!parked, NOTICE, current, true
        :: !lost_down -> lost_down = true
        fi;
        parked = 0 }
    :: atomic { !cancel_waits && nempty(canceller_up) ->
        canceller_up?id;
        if
#ifndef NO_DEDUPLICATION
        :: id == cancel_id -> skip /* the same answer again */
        :: else -> decide_cancel(); cancel_id = (cancel_answer == RECOVERING -> 0 : id)
#else
        :: true -> decide_cancel()
#endif
        fi;
        cancel_waits = true; id = 0 }
    :: atomic { cancel_waits && MAY_TELL && nfull(canceller_down) ->
        cancel_waits = false;
        if
        :: canceller_down!1, cancel_answer
        :: !lost_answer -> lost_answer = true
        fi }
    :: atomic { recovers && !brings_back -> recovers = false } /* its time is over */
    od
}

active proctype Journal()
{
end:
    do
    :: atomic { given[1] -> given[1] = false; kept[1] = true }
    :: atomic { given[2] -> given[2] = false; kept[2] = true }
    :: atomic { given[3] -> given[3] = false; kept[3] = true }
    od
}

active proctype Crash()
{
    byte i;
    if
    :: atomic { true ->
        do
        :: i < GENS -> state[i] = ABSENT; acked[i] = false; given[i] = false; i++
        :: else -> break
        od;
        i = 0; current = 0; parked = 0;
        owner_id = 0; owner_gen = 0; owner_flag = false; owner_answer = STORE;
        cancel_id = 0; cancel_waits = false; cancel_effects = 0; cancel_answer = RECOVERING;
        do /* what is on its way on a connection goes with it */
        :: owner_up?_, _, _, _
        :: owner_down?_, _, _, _
        :: canceller_up?_
        :: canceller_down?_, _
        :: empty(owner_up) && empty(owner_down) && empty(canceller_up) && empty(canceller_down) ->
            break
        od;
#ifdef GENS_AGAIN
        newest = 0;
#endif
        recovers = true; crashed = true; restarted = true; brings_back = (mine != 0) }
    :: true -> skip /* or it is never killed */
    fi
}

active proctype Canceller()
{
    mtype answer; byte id; byte losses; bool sent_twice, knew_crash;
    mine == 1 || done[1] || asked_all; /* who never hears of a gen cancels none */
    if
    :: asked_all && mine != 1 && !done[1] -> goto end
    :: else -> skip
    fi;
    do
    :: atomic { nfull(canceller_up) && !(recovers && answer == RECOVERING) &&
                (id == 0 || !sent_twice || lost_ask + lost_answer > losses || crashed != knew_crash) &&
                empty(canceller_up) && empty(canceller_down) && !cancel_waits ->
        sent_twice = (id != 0);
        knew_crash = crashed;
        losses = lost_ask + lost_answer;
        id = 1; answer = REQUESTED;
        if
        :: canceller_up!id
        :: !lost_ask -> lost_ask = true
        fi }
    :: atomic { canceller_down?_, answer ->
        assert(cancel_effects <= 1);
        if
        :: answer == RECOVERING -> id = 0
        :: answer == REQUESTED || answer == ALREADY ->
            assert(kept[1]);                       /* A1: a crash may come now */
            promised = true; break
        :: answer == NOT_FOUND -> assert(done[1]); break /* A7 */
        :: else -> break
        fi }
    od;
    answered = true;
    do /* what was sent once more than needed */
    :: canceller_down?_, _
    :: asked_all && empty(canceller_up) && !cancel_waits && empty(canceller_down) -> break
    od;
end:
    skip
}

inline hear(g) {
    assert(g == 1);                                /* A3 */
    if
#ifdef CALLBACK_AGAIN
    :: true -> calls[g]++
#else
    :: told[g] -> skip                             /* the library has given it already */
    :: else -> calls[g]++
#endif
    fi;
    told[g] = true;
    assert(calls[g] == 1)                          /* A2 */
}

inline send(what, gen, flag) {
    op = what;
    if
    :: owner_up!what, id, gen, flag
    :: !lost_up -> lost_up = true
    fi
}

inline ask(what, gen, flag) {
    id++;
    sent_flag = flag;
    sends = 1;
    losses = lost_up + lost_down;
    send(what, gen, flag);
    busy = true
}

inline take() {
    if
    :: answer == STORED ->
        assert(g > last); last = g;                /* A4 */
        mine = g
    :: answer == NOTICE -> hear(g)
    :: answer == ADOPTED ->
        if
        :: f -> hear(g)
        :: else -> skip
        fi
    :: answer == DELETED || answer == OVER ->
        done[mine] = true; done_cancelled[mine] = f;
        assert(!f || mine == 1);
        assert(mine != 1 || !promised || told[1] || f); /* A1: both sides agree */
        mine = 0; finished++
    fi
}

active proctype Owner()
{
    mtype op, answer; byte id, g, last, finished, sends, losses; bool f, busy, sent_flag, acks; byte last_seen;
    do
    :: atomic { !busy && restarted && mine != 0 && nfull(owner_up) ->
        restarted = false; ask(ADOPT, mine, told[mine]) }
    :: atomic { !busy && restarted && mine == 0 -> restarted = false }
    :: atomic { !busy && !restarted && mine == 0 && finished < 2 && newest < 3 && nfull(owner_up) ->
        store_effects = 0; ask(STORE, 0, false) }
    :: atomic { !busy && !restarted && mine == 1 && !(told[1] && acks) && nfull(owner_up) ->
        acks = told[1]; ask(POLL, mine, told[1]) }
    :: atomic { !busy && !restarted && mine != 0 && nfull(owner_up) &&
                (mine != 1 || told[1] || (answered && !promised)) ->
        ask(FINISH, mine, false) }
    :: atomic { !busy && !restarted && mine == 1 && nfull(owner_up) -> /* or it is done by itself */
        ask(FINISH, mine, false) }
    :: atomic { busy && !restarted && nfull(owner_up) && empty(owner_up) && empty(owner_down) &&
                (sends == 1 || lost_up + lost_down > losses) ->
        sends++; losses = lost_up + lost_down;     /* again, under the same id */
        send(op, mine, sent_flag) }
    :: atomic { busy && op == POLL && parked == id && !restarted &&
                (told[1] || (answered && !promised)) ->
        busy = false }                             /* it does not wait for the poll's end */
    :: atomic { owner_down?g, answer, last_seen, f ->
        if
        :: g == id && busy -> g = last_seen; busy = false; take()
        :: else -> skip                            /* of a request that was answered before */
        fi }
    :: atomic { busy && restarted -> busy = false } /* nobody can say what became of it */
    :: atomic { !busy && mine == 0 && (finished == 2 || newest >= 3) && empty(owner_down) -> break }
    od;
    asked_all = true;
end:
    do
    :: owner_down?_, _, _, _
    od
}
