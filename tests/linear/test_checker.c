/* SPDX-License-Identifier: MIT */
/* The checker on histories whose verdict is known: made from a run of a simple registry, with the calls
 * stretched around the moments at which they were done, they are legal; with one thing in them that cannot
 * have been, they are not. */
#include "checker.h"
#include "testing.h"

#include <stdio.h>
#include <string.h>

#define HISTORIES 2000
#define CALLS 60
#define PLANTS 8

struct made {
    struct call calls[CALLS];
    size_t count;
    uint64_t live;
    bool cancelling;
    uint64_t newest;
    uint64_t moment_ns;
};

static uint64_t random_state;

static uint64_t below(uint64_t bound)
{
    return test_random(&random_state) % bound;
}

/* A call done at the next moment, that began up to 30 moments before and returned up to 30 after. */
static struct call *add(struct made *made, enum call_kind kind, enum said said, uint64_t gen,
                        bool flag)
{
    struct call *call = &made->calls[made->count++];
    made->moment_ns += 10;
    *call = (struct call){.call_ns = made->moment_ns - below(30),
                          .return_ns = made->moment_ns + 1 + below(30),
                          .gen = gen,
                          .kind = (uint8_t) kind,
                          .said = (uint8_t) said,
                          .flag = flag};
    return call;
}

static void do_store(struct made *made)
{
    if (made->live != 0) {
        (void) add(made, CALL_STORE, SAID_EXISTS, made->live, made->cancelling);
        return;
    }
    made->live = made->newest += 1 + below(3);
    made->cancelling = false;
    (void) add(made, CALL_STORE, SAID_STORED, made->live, false);
}

static void do_cancel(struct made *made)
{
    if (made->live == 0 || below(4) == 0) {
        const uint64_t gen = made->live == 0 ? made->newest : made->newest - 1;
        (void) add(made, CALL_CANCEL, SAID_GONE, gen, false);
        return;
    }
    const enum said said = made->cancelling ? SAID_ALREADY : SAID_REQUESTED;
    made->cancelling = true;
    struct call *call = add(made, CALL_CANCEL, said, made->live, false);
    if (below(10) == 0) {
        call->said = SAID_UNKNOWN;
        call->return_ns = UINT64_MAX;
    }
}

static void do_finish(struct made *made)
{
    if (made->live != 0) {
        (void) add(made, CALL_FINISH, SAID_DELETED, made->live, made->cancelling);
        made->live = 0;
    }
}

static void do_get(struct made *made)
{
    if (made->live != 0) {
        (void) add(made, CALL_GET, SAID_LIVE, made->live, made->cancelling);
    } else {
        (void) add(made, CALL_GET, made->newest == 0 ? SAID_NOTHING : SAID_ENDED, made->newest,
                   false);
    }
}

static void make(struct made *made, size_t calls)
{
    static void (*const dos[])(struct made * made) = {do_store, do_cancel, do_finish, do_get,
                                                      do_cancel};
    *made = (struct made){.moment_ns = 1000, .newest = 10};
    do_store(made);
    while (made->count < calls) {
        dos[below(sizeof dos / sizeof dos[0])](made);
    }
}

static void what_was_done_in_an_order_is_legal(void)
{
    random_state = test_seed();
    for (int i = 0; i < HISTORIES; i++) {
        struct made made;
        make(&made, CALLS);
        const struct verdict verdict = check_key(made.calls, made.count);
        CHECK(!verdict.too_big);
        CHECK(verdict.legal);
    }
}

/* Each a thing that cannot have been, whatever stands around it: its calls begin when all else is over. */
static void plant(struct made *made, uint64_t which)
{
    const uint64_t gen = made->newest + 10;
    made->moment_ns += 1000;
    if (made->live != 0) {
        do_finish(made);
        made->moment_ns += 1000;
    }
    (void) add(made, CALL_STORE, SAID_STORED, gen, false);
    made->moment_ns += 1000;
    switch (which) {
    case 0: /* a cancel that was answered is lost */
        (void) add(made, CALL_CANCEL, SAID_REQUESTED, gen, false);
        made->moment_ns += 1000;
        (void) add(made, CALL_FINISH, SAID_DELETED, gen, false);
        break;
    case 1: /* cancelled, and nobody had */
        (void) add(made, CALL_FINISH, SAID_DELETED, gen, true);
        break;
    case 2: /* two that did it first */
        (void) add(made, CALL_CANCEL, SAID_REQUESTED, gen, false);
        (void) add(made, CALL_CANCEL, SAID_REQUESTED, gen, false);
        break;
    case 3: /* a gen given out twice */
        (void) add(made, CALL_FINISH, SAID_DELETED, gen, false);
        made->moment_ns += 1000;
        (void) add(made, CALL_STORE, SAID_STORED, gen, false);
        break;
    case 4: /* two live at once */
        (void) add(made, CALL_STORE, SAID_STORED, gen + 1, false);
        break;
    case 5: /* a read of the past */
        (void) add(made, CALL_CANCEL, SAID_REQUESTED, gen, false);
        made->moment_ns += 1000;
        (void) add(made, CALL_GET, SAID_LIVE, gen, false);
        break;
    case 6: /* a successor is cancelled for its predecessor */
        (void) add(made, CALL_FINISH, SAID_DELETED, gen, false);
        made->moment_ns += 1000;
        (void) add(made, CALL_STORE, SAID_STORED, gen + 1, false);
        made->moment_ns += 1000;
        (void) add(made, CALL_CANCEL, SAID_GONE, gen, false);
        made->moment_ns += 1000;
        (void) add(made, CALL_GET, SAID_LIVE, gen + 1, true);
        break;
    default: /* gone, and it is there */
        (void) add(made, CALL_CANCEL, SAID_GONE, gen, false);
        made->moment_ns += 1000;
        (void) add(made, CALL_FINISH, SAID_DELETED, gen, false);
    }
}

static void what_cannot_have_been_is_not_legal(void)
{
    random_state = test_seed();
    for (uint64_t i = 0; i < HISTORIES; i++) {
        struct made made;
        make(&made, CALLS - 10);
        plant(&made, i % PLANTS);
        CHECK(!check_key(made.calls, made.count).legal);
    }
}

static void a_call_of_unknown_end_may_come_late_or_never(void)
{
    struct call calls[] = {
        {10, 20, 5, 0, CALL_STORE, SAID_STORED, false, false},
        {30, UINT64_MAX, 5, 0, CALL_CANCEL, SAID_UNKNOWN, false, false},
        {40, 50, 5, 0, CALL_GET, SAID_LIVE, false, false},
        {60, 70, 5, 0, CALL_GET, SAID_LIVE, true, false},
        {80, 90, 5, 0, CALL_FINISH, SAID_DELETED, true, false},
    };
    CHECK(check_key(calls, 5).legal);
    calls[3].flag = false;
    calls[4].flag = false;
    CHECK(check_key(calls, 5).legal);
    calls[3].flag = true; /* it was done, and is undone: no */
    CHECK(!check_key(calls, 5).legal);
}

static void what_is_of_an_earlier_epoch_may_be_superseded(void)
{
    const uint64_t old = UINT64_C(1) << 40 | 7;
    const uint64_t young = UINT64_C(2) << 40 | 1;
    struct call calls[] = {
        {10, 20, old, 0, CALL_STORE, SAID_STORED, false, false},
        {30, 40, young, 0, CALL_STORE, SAID_STORED, false, false},
        {50, 60, old, 0, CALL_FINISH, SAID_DELETED, true, false},
        {70, 80, young, 0, CALL_FINISH, SAID_DELETED, false, false},
    };
    CHECK(check_key(calls, 4).legal);
    calls[1].gen = calls[3].gen = old + 1; /* of the same epoch: REJECT would have said EXISTS */
    CHECK(!check_key(calls, 4).legal);
}

/* An end that a kill undid, done again: the newest that has ended, while one behind it is not back yet. */
static void what_ended_again_hides_nobody_who_is_away(void)
{
    const uint64_t first = UINT64_C(1) << 40 | 7;
    const uint64_t away = first + 1;
    const uint64_t young = UINT64_C(2) << 40 | 1;
    struct call calls[] = {
        {10, 20, first, 0, CALL_STORE, SAID_STORED, false, false},
        {30, UINT64_MAX, first, 0, CALL_SHADOW, SAID_UNKNOWN, false, false, .resent = true},
        {31, 100, first, 0, CALL_FINISH, SAID_DELETED, false, false, .resent = true},
        {40, 50, away, 0, CALL_STORE, SAID_STORED, false, false},
        {110, 120, first, 0, CALL_GET, SAID_ENDED, false, false},
        {130, 140, young, 0, CALL_STORE, SAID_STORED, false, false},
        {150, 160, young, 0, CALL_FINISH, SAID_DELETED, false, false},
        {170, 180, away, 0, CALL_GET, SAID_LIVE, false, false},
        {190, 200, away, 0, CALL_FINISH, SAID_DELETED, false, false},
    };
    const size_t count = sizeof calls / sizeof calls[0];
    CHECK(check_key(calls, count).legal);
    for (size_t i = 0; i < count; i++) {
        calls[i].resent = false; /* no kill: who is live would have been told of */
    }
    CHECK(!check_key(calls, count).legal);
}

static const struct test_case cases[] = {
    {"what was done in an order is legal", what_was_done_in_an_order_is_legal},
    {"what cannot have been is not legal", what_cannot_have_been_is_not_legal},
    {"a call of unknown end may come late or never", a_call_of_unknown_end_may_come_late_or_never},
    {"what is of an earlier epoch may be superseded",
     what_is_of_an_earlier_epoch_may_be_superseded},
    {"what ended again hides nobody who is away", what_ended_again_hides_nobody_who_is_away},
};
TEST_MAIN(cases)
