/* SPDX-License-Identifier: MIT */
#include "checker.h"

#include <stdlib.h>
#include <string.h>

#define LIVE_MAX 6
#define EPOCH_SHIFT 40
#define MEMORY_SIZE ((size_t) 1 << 16) /* of states gone into; a power of two */
#define STATES_MAX ((uint64_t) 1 << 24)

enum condition { IS_LIVE, IS_CANCELLING, IS_EITHER };

/* A registry of one key. */
struct state {
    uint64_t gens[LIVE_MAX]; /* live ones; 0: none */
    uint8_t conditions[LIVE_MAX];
    bool shadows[LIVE_MAX]; /* may look as if it had ended */
    uint64_t newest;
    uint64_t ended; /* the one that ended last */
    bool ended_cancelled;
    bool
        ended_later; /* in a later epoch than its own: the end was undone by a kill, and done again */
};

struct set {
    uint64_t words[CALLS_OF_KEY_MAX / 64];
};

struct check {
    const struct call *calls;
    size_t count;
    uint64_t states;
    bool
        is_weak; /* a store whose gen nobody knows may have superseded anything of an earlier epoch */
};

struct met {
    uint64_t run; /* of the check that met it: so the memory is never wiped */
    struct set set;
    struct state state;
};
static struct met *memory;
static uint64_t run;

/* ---- the registry of one key ---- */

static int place_of(const struct state *state, uint64_t gen)
{
    for (int i = 0; i < LIVE_MAX; i++) {
        if (state->gens[i] == gen) {
            return i;
        }
    }
    return -1;
}

static bool holds_only_earlier(const struct state *state, uint64_t epoch)
{
    for (int i = 0; i < LIVE_MAX; i++) {
        if (state->gens[i] != 0 && !state->shadows[i] && state->gens[i] >> EPOCH_SHIFT >= epoch) {
            return false;
        }
    }
    return true;
}

static bool is_empty(const struct state *state)
{
    for (int i = 0; i < LIVE_MAX; i++) {
        if (state->gens[i] != 0 && !state->shadows[i]) {
            return false;
        }
    }
    return true;
}

/* The gen was seen in this condition; false where it cannot have been. */
static bool see(struct state *state, int at, bool cancelling)
{
    if (state->conditions[at] == IS_EITHER && cancelling) {
        state->conditions[at] = IS_CANCELLING;
    }
    return state->conditions[at] == IS_EITHER ||
           (state->conditions[at] == IS_CANCELLING) == cancelling;
}

static bool store(const struct check *check, struct state *state, uint64_t gen)
{
    const int at = place_of(state, 0);
    if (at < 0 || gen <= state->newest || !holds_only_earlier(state, gen >> EPOCH_SHIFT)) {
        return false;
    }
    for (int i = 0; i < LIVE_MAX; i++) {
        if (state->gens[i] != 0 && state->conditions[i] == IS_LIVE) {
            state->conditions[i] = IS_EITHER; /* superseded, as soon as its owner is back */
        }
    }
    state->gens[at] = gen;
    state->conditions[at] = check->is_weak ? IS_EITHER : IS_LIVE;
    state->newest = gen;
    return true;
}

static void end(struct state *state, int at)
{
    state->ended = state->gens[at];
    state->ended_cancelled = state->conditions[at] == IS_CANCELLING;
    state->ended_later = false;
    state->gens[at] = 0;
    state->conditions[at] = IS_LIVE;
    state->shadows[at] = false;
}

static bool finish(struct state *state, const struct call *call)
{
    const int at = place_of(state, call->gen);
    if (at < 0 || !see(state, at, call->flag)) {
        return false;
    }
    state->conditions[at] = call->flag ? IS_CANCELLING : IS_LIVE;
    end(state, at);
    state->ended_later = call->resent;
    return true;
}

static bool cancel(struct state *state, const struct call *call)
{
    const int at = place_of(state, call->gen);
    if (call->said == SAID_GONE) {
        if (at >= 0 && state->shadows[at]) {
            return true;
        }
        return at < 0 && call->gen <= state->newest &&
               (!call->flag_known || call->gen != state->ended ||
                call->flag == state->ended_cancelled);
    }
    if (at < 0 || !see(state, at, call->said == SAID_ALREADY)) {
        return false;
    }
    state->conditions[at] = IS_CANCELLING;
    return true;
}

/* Whoever is live now may have been away then: of an earlier epoch than the one in which the newest ended. */
static bool get_ended(const struct state *state, uint64_t gen, int at)
{
    const bool is_later = gen == state->ended && state->ended_later;
    return gen != 0 && (at < 0 || state->shadows[at]) && gen <= state->newest &&
           holds_only_earlier(state, (gen >> EPOCH_SHIFT) + is_later);
}

static bool get(struct state *state, const struct call *call)
{
    const int at = place_of(state, call->gen);
    switch ((enum said) call->said) {
    case SAID_LIVE:
        return call->gen != 0 && at >= 0 && see(state, at, call->flag);
    case SAID_ENDED:
        return get_ended(state, call->gen, at);
    default:
        return is_empty(state);
    }
}

/* Nobody knows its end. A store of an unknown gen leaves no trace here: see is_weak. */
static bool apply_unknown(struct state *state, const struct call *call)
{
    const int at = call->gen == 0 ? -1 : place_of(state, call->gen);
    if (at < 0) {
        return false; /* it would change nothing: left for later, or for never */
    }
    if (call->kind == CALL_CANCEL && state->conditions[at] != IS_CANCELLING) {
        state->conditions[at] = IS_CANCELLING;
        return true;
    }
    if (call->kind == CALL_SHADOW && !state->shadows[at]) {
        state->shadows[at] = true;
        return true;
    }
    if (call->kind == CALL_FINISH) {
        end(state, at);
        return true;
    }
    return false;
}

static bool apply(const struct check *check, struct state *state, const struct call *call)
{
    if (call->said == SAID_UNKNOWN) {
        return apply_unknown(state, call);
    }
    switch ((enum call_kind) call->kind) {
    case CALL_STORE:
        if (call->said == SAID_STORED) {
            return store(check, state, call->gen);
        }
        return place_of(state, call->gen) >= 0 &&
               see(state, place_of(state, call->gen), call->flag);
    case CALL_FINISH:
        return finish(state, call);
    case CALL_CANCEL:
        return cancel(state, call);
    default:
        return get(state, call);
    }
}

/* ---- the search ---- */

static bool has(const struct set *set, size_t i)
{
    return (set->words[i / 64] >> i % 64 & 1) != 0;
}

/* Whether it was met before in this run; from now on it was. An entry that is in the way is dropped: that
 * costs time, never truth. */
static bool meet(const struct set *set, const struct state *state)
{
    uint64_t hash = state->newest;
    const uint64_t words[] = {
        set->words[0],  set->words[1],
        state->gens[0], state->gens[1],
        state->gens[2], state->ended * 4 + state->ended_cancelled * 2u + state->ended_later};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        hash = (hash ^ words[i]) * UINT64_C(0xff51afd7ed558ccd);
        hash ^= hash >> 32;
    }
    for (size_t i = 0; i < LIVE_MAX; i++) {
        hash = (hash ^ state->conditions[i] ^ (uint64_t) state->shadows[i] << 8) *
               UINT64_C(0xc4ceb9fe1a85ec53);
    }
    struct met *met = &memory[(hash ^ hash >> 29) & (MEMORY_SIZE - 1)];
    if (met->run == run && memcmp(&met->set, set, sizeof *set) == 0 &&
        memcmp(&met->state, state, sizeof *state) == 0) {
        return true;
    }
    *met = (struct met){.run = run};
    memcpy(&met->set, set, sizeof *set);
    memcpy(&met->state, state, sizeof *state);
    return false;
}

static bool explain(struct check *check, const struct set *done, const struct state *state)
{
    uint64_t first_return = UINT64_MAX;
    bool all_known_done = true;
    for (size_t i = 0; i < check->count && check->calls[i].call_ns <= first_return; i++) {
        if (!has(done, i) && check->calls[i].said != SAID_UNKNOWN) {
            all_known_done = false;
            if (check->calls[i].return_ns < first_return) {
                first_return = check->calls[i].return_ns;
            }
        }
    }
    if (all_known_done) {
        return true;
    }
    if (++check->states > STATES_MAX || meet(done, state)) {
        return false;
    }
    for (size_t i = 0; i < check->count && check->calls[i].call_ns <= first_return; i++) {
        struct state next;
        memcpy(&next, state, sizeof next);
        if (has(done, i) || !apply(check, &next, &check->calls[i])) {
            continue;
        }
        struct set more = *done;
        more.words[i / 64] |= UINT64_C(1) << i % 64;
        if (explain(check, &more, &next)) {
            return true;
        }
    }
    return false;
}

static int compare_calls(const void *a, const void *b)
{
    const struct call *x = a, *y = b;
    return (x->call_ns > y->call_ns) - (x->call_ns < y->call_ns);
}

struct verdict check_key(struct call *calls, size_t count)
{
    struct check check = {.calls = calls, .count = count};
    struct set none = {{0}};
    struct state empty;
    if (memory == NULL) {
        memory = calloc(MEMORY_SIZE, sizeof *memory);
    }
    if (count > CALLS_OF_KEY_MAX || memory == NULL) {
        return (struct verdict){.too_big = true};
    }
    memset(&empty, 0, sizeof empty);
    qsort(calls, count, sizeof *calls, compare_calls);
    for (size_t i = 0; i < count; i++) {
        check.is_weak =
            check.is_weak || (calls[i].kind == CALL_STORE && calls[i].said == SAID_UNKNOWN);
    }
    run++;
    const bool legal = explain(&check, &none, &empty);
    return (struct verdict){
        .legal = legal, .too_big = check.states > STATES_MAX, .states = check.states};
}
