/* SPDX-License-Identifier: MIT */
/* What an answer says, and whether it may. */
#include "sim/oracle.h"

#include "sim/world.h"

#include <inttypes.h>
#include <string.h>

#define G(fact) (unsigned) ((fact)->gen >> 40), (unsigned) ((fact)->gen & 0xffffff)

#define DEADLINE_DEFAULT_MS 10000

/* What every answer about a gen says. */
static void state_seen(struct world *world, struct gen_fact *fact,
                       const struct request_fact *request, enum canceld_state state)
{
    const bool was_ended =
        fact->ended_epoch == request->epoch && fact->ended_ns < request->submitted_ns;
    const bool was_cancelled = fact->is_cancelled && fact->cancelled_ns < request->submitted_ns &&
                               fact->cancelled_epoch == request->epoch;
    const bool was_promised = fact->is_promised && fact->promised_ns < request->submitted_ns &&
                              oracle_lasts(world, fact->promised_epoch, request->epoch);
    world->figures->checks++;
    if (was_ended && state != CANCELD_STATE_ENDED) {
        world_violated(world, "A6: gen %u.%u had ended, and is seen in state %d", G(fact),
                       (int) state);
    }
    if ((was_cancelled || was_promised) && state == CANCELD_STATE_LIVE) {
        world_violated(world, "A1: gen %u.%u was cancelled, and is seen LIVE", G(fact));
    }
}

/* Of what nobody asked for (by a ttl, a parent, a newer gen) a read may be told while the journal fails, and
 * then it is not kept; the answer of a cancel always is. */
static void cancelled_seen(struct world *world, struct gen_fact *fact, uint64_t epoch,
                           enum canceld_cause_code code)
{
    const bool is_asked = code == CANCELD_CAUSE_USER || code == CANCELD_CAUSE_SHUTDOWN;
    if (is_asked && !fact->is_promised) {
        fact->is_promised = true;
        fact->promised_ns = world->now_ns;
        fact->promised_epoch = epoch;
    }
    if (!fact->is_cancelled || fact->cancelled_epoch != epoch) {
        WORLD_TRACE(world, "oracle: gen %" PRIx64 " is known to be cancelled, by epoch %u",
                    fact->gen, (unsigned) epoch);
        fact->is_cancelled = true;
        fact->cancelled_ns = world->now_ns;
        fact->cancelled_epoch = epoch;
    }
}

static void cause_seen(struct world *world, struct gen_fact *fact,
                       const struct canceld_cause *cause)
{
    if (cause->code != CANCELD_CAUSE_UNSET) {
        oracle_justify(world, fact, cause);
    }
}

/* By an older gen, while a newer one of its key is held. */
static void older_seen(struct world *world, const struct request_fact *request,
                       enum sometimes which)
{
    const struct oracle *oracle = &world->oracle;
    if (request->gen != 0 && request->key >= 0 && oracle->key_held[request->key] > 0 &&
        request->gen < oracle->key_newest[request->key]) {
        world_sometimes(world, which);
    }
}

/* ---- cancel ---- */

static void level_check(struct world *world, const struct gen_fact *fact,
                        const struct canceld_gen_result *of)
{
    const bool is_finishing = (fact->deleters & 1U << fact->holder) != 0;
    world->figures->checks++;
    if (of->level >= CANCELD_LEVEL_DELIVERED && fact->is_known && !fact->is_called &&
        !is_finishing) {
        world_violated(world, "gen %u.%u is DELIVERED, and its owner was not told", G(fact));
    }
    if (of->level == CANCELD_LEVEL_STOPPED && fact->is_known && !is_finishing) {
        world_violated(world, "gen %u.%u is STOPPED, and its owner has not finished it", G(fact));
    }
}

static void requested_seen(struct world *world, struct gen_fact *fact,
                           const struct request_fact *request)
{
    world_sometimes(world, SOMETIMES_REQUESTED);
    if (fact->requested_epoch != 0 && oracle_lasts(world, fact->requested_epoch, request->epoch)) {
        world_violated(world, "gen %u.%u was LIVE for two cancels", G(fact));
    }
    if (fact->is_clean && fact->clean_epoch == request->epoch) {
        world_violated(world,
                       "A1: the delete of gen %u.%u said that no cancel came, and a cancel is "
                       "answered REQUESTED",
                       G(fact));
    }
    fact->requested_epoch = request->epoch;
}

static void gen_answered(struct world *world, const struct request_fact *request,
                         const struct canceld_gen_result *of)
{
    struct gen_fact *fact = oracle_gen(world, of->gen);
    const bool is_keyed = request->key >= 0 && request->gen == 0;
    if ((request->gen != 0 && request->gen != of->gen) || of->gen <= request->after_gen ||
        (is_keyed && fact->key >= 0 && fact->key != request->key)) {
        world_violated(world, "A3: a cancel is answered about gen %u.%u, which it is not of",
                       G(fact));
    }
    level_check(world, fact, of);
    switch (of->answer) {
    case CANCELD_ANSWER_REQUESTED:
        state_seen(world, fact, request, CANCELD_STATE_CANCELLING);
        requested_seen(world, fact, request);
        cancelled_seen(world, fact, request->epoch, CANCELD_CAUSE_USER);
        break;
    case CANCELD_ANSWER_ALREADY_REQUESTED:
        if (fact->requested_epoch != 0) {
            world_sometimes(world, SOMETIMES_TEST_9);
        }
        world_sometimes(world, SOMETIMES_ALREADY_REQUESTED);
        state_seen(world, fact, request, CANCELD_STATE_CANCELLING);
        cancelled_seen(world, fact, request->epoch, CANCELD_CAUSE_USER);
        break;
    case CANCELD_ANSWER_FINISHED:
    case CANCELD_ANSWER_OWNER_LOST:
        break;
    default:
        world_violated(world, "a cancel is answered %d about gen %u.%u", (int) of->answer, G(fact));
    }
    if (of->outcome != CANCELD_OUTCOME_UNSET) {
        oracle_ended(world, fact, of->outcome, request->epoch);
    }
}

static void cancel_counted(struct world *world, const struct request_fact *request,
                           const struct canceld_result *result)
{
    static const struct {
        enum canceld_answer answer;
        enum sometimes which;
    } rows[] = {{CANCELD_ANSWER_ARMED, SOMETIMES_ARMED},
                {CANCELD_ANSWER_FINISHED, SOMETIMES_FINISHED},
                {CANCELD_ANSWER_OWNER_LOST, SOMETIMES_CANCEL_OWNER_LOST},
                {CANCELD_ANSWER_NOT_FOUND, SOMETIMES_NOT_FOUND},
                {CANCELD_ANSWER_STALE_GEN, SOMETIMES_STALE_GEN},
                {CANCELD_ANSWER_STALE_EPOCH, SOMETIMES_STALE_EPOCH}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (result->answer == rows[i].answer) {
            world_sometimes(world, rows[i].which);
        }
    }
    if (result->answer == CANCELD_ANSWER_FINISHED && result->cause.code != CANCELD_CAUSE_UNSET) {
        world_sometimes(world, SOMETIMES_FINISHED_CAUSE);
    }
    if (result->answer == CANCELD_ANSWER_FINISHED && request->arm_ttl_ms != 0) {
        world_sometimes(world, SOMETIMES_TEST_4);
    }
    if (result->memory_incomplete) {
        world_sometimes(world, SOMETIMES_ARMED_INCOMPLETE);
    }
    if (result->no_owner) {
        world_sometimes(world, SOMETIMES_NO_OWNER);
    }
    if (request->after_gen != 0) {
        world_sometimes(world, SOMETIMES_AFTER_GEN);
    }
}

static bool is_done_to(enum canceld_answer answer)
{
    return answer == CANCELD_ANSWER_REQUESTED || answer == CANCELD_ANSWER_ALREADY_REQUESTED;
}

static void level_counted(struct world *world, const struct request_fact *request,
                          const struct canceld_result *result)
{
    if (request->level <= CANCELD_LEVEL_RECORDED || !is_done_to(result->answer)) {
        return;
    }
    if (result->level == CANCELD_LEVEL_DELIVERED) {
        world_sometimes(world, SOMETIMES_DELIVERED);
    }
    if (result->level == CANCELD_LEVEL_STOPPED) {
        world_sometimes(world, SOMETIMES_STOPPED);
    }
    if (request->level == CANCELD_LEVEL_STOPPED && result->level == CANCELD_LEVEL_DELIVERED) {
        world_sometimes(world, SOMETIMES_TEST_11);
    }
    for (size_t i = 0; i < result->gens_count; i++) {
        if (result->gens[i].outcome != CANCELD_OUTCOME_UNSET &&
            result->gens[i].level < CANCELD_LEVEL_STOPPED) {
            world_sometimes(world, SOMETIMES_LEVEL_ENDED);
        }
    }
}

static void bulk_counted(struct world *world, const struct request_fact *request)
{
    unsigned births = 0;
    if (request->label >= 0) {
        world_sometimes(world, SOMETIMES_BULK_LABEL);
    } else if (request->owner != 0) {
        world_sometimes(world, SOMETIMES_BULK_SESSION);
    } else {
        world_sometimes(world, SOMETIMES_BULK_SPACE);
    }
    for (uint32_t i = 0; i < world->oracle.requests_count; i++) {
        const struct request_fact *other = &world->oracle.requests[i];
        births += (other->op == CANCELD_OP_STORE || other->op == CANCELD_OP_DELETE) &&
                  other->submitted_ns <= world->now_ns &&
                  (!other->is_done || other->done_ns >= request->submitted_ns);
    }
    if (births > 0) {
        world_sometimes(world, SOMETIMES_TEST_13);
    }
}

static void of_cancel(struct world *world, struct request_fact *request,
                      const struct reply_seen *seen)
{
    const struct canceld_result *result = seen->result;
    if (request->key < 0 && is_done_to(result->answer)) {
        bulk_counted(world, request);
    }
    older_seen(world, request, SOMETIMES_TEST_2);
    cancel_counted(world, request, result);
    level_counted(world, request, result);
    for (size_t i = 0; i < result->gens_count; i++) {
        gen_answered(world, request, &result->gens[i]);
    }
    if (result->answer == CANCELD_ANSWER_FINISHED && result->gen != 0) {
        oracle_ended(world, oracle_gen(world, result->gen), result->outcome, request->epoch);
    }
    if (request->gen != 0) {
        cause_seen(world, oracle_gen(world, request->gen), &result->cause);
    }
}

/* ---- delete, touch, wait, get ---- */

static void ended_seen(struct world *world, const struct request_fact *request,
                       const struct canceld_result *result)
{
    const uint64_t gen = result->gen != 0 ? result->gen : request->gen;
    if (gen == 0) {
        return;
    }
    struct gen_fact *fact = oracle_gen(world, gen);
    oracle_ended(world, fact, result->outcome, request->epoch);
    cause_seen(world, fact, &result->cause);
}

/* A cancel of it was under way at the same time. */
static void race_seen(struct world *world, const struct request_fact *request)
{
    const struct oracle *oracle = &world->oracle;
    const uint32_t begin = oracle->requests_count > 64 ? oracle->requests_count - 64 : 0;
    for (uint32_t i = begin; i < oracle->requests_count; i++) {
        const struct request_fact *cancel = &oracle->requests[i];
        if (cancel->op == CANCELD_OP_CANCEL && cancel->gen == request->gen &&
            (!cancel->is_done || cancel->done_ns > request->submitted_ns)) {
            world_sometimes(world, SOMETIMES_TEST_10);
            return;
        }
    }
}

static void of_delete(struct world *world, struct request_fact *request,
                      const struct reply_seen *seen)
{
    const struct canceld_result *result = seen->result;
    struct gen_fact *fact = oracle_gen(world, request->gen);
    older_seen(world, request, SOMETIMES_TEST_1);
    if (result->answer == CANCELD_ANSWER_ENDED) {
        world_sometimes(world, SOMETIMES_DELETE_ENDED);
        ended_seen(world, request, result);
    }
    if (result->answer != CANCELD_ANSWER_DELETED) {
        return;
    }
    state_seen(world, fact, request,
               result->cancelled ? CANCELD_STATE_CANCELLING : CANCELD_STATE_UNSET);
    oracle_ended(world, fact, request->outcome, request->epoch);
    if (request->is_finish) {
        race_seen(world, request);
    } else {
        world_sometimes(world, SOMETIMES_FOREIGN_DELETE);
    }
    if (result->cancelled) {
        world_sometimes(world, SOMETIMES_DELETED_CANCELLED);
        oracle_justify(world, fact, &result->cause);
        return;
    }
    world_sometimes(world, SOMETIMES_DELETED_CLEAN);
    oracle_clean(world, fact, request);
    fact->is_clean = true;
    fact->clean_epoch = request->epoch;
    if (fact->requested_epoch == request->epoch) {
        world_violated(world,
                       "A1: a cancel of gen %u.%u was answered REQUESTED, and its delete says "
                       "that no cancel came",
                       G(fact));
    }
}

static void of_touch(struct world *world, struct request_fact *request,
                     const struct reply_seen *seen)
{
    struct gen_fact *fact = oracle_gen(world, request->gen);
    switch (seen->result->answer) {
    case CANCELD_ANSWER_TOUCHED:
        world_sometimes(world, SOMETIMES_TOUCHED);
        state_seen(world, fact, request, CANCELD_STATE_LIVE);
        fact->renewed_ns =
            request->submitted_ns > fact->renewed_ns ? request->submitted_ns : fact->renewed_ns;
        break;
    case CANCELD_ANSWER_CANCELLING:
        world_sometimes(world, SOMETIMES_TOUCH_CANCELLING);
        state_seen(world, fact, request, CANCELD_STATE_CANCELLING);
        cause_seen(world, fact, &seen->result->cause);
        cancelled_seen(world, fact, request->epoch, seen->result->cause.code);
        break;
    case CANCELD_ANSWER_ENDED:
        world_sometimes(world, SOMETIMES_TOUCH_ENDED);
        ended_seen(world, request, seen->result);
        break;
    default:
        break;
    }
}

static void of_wait(struct world *world, struct request_fact *request,
                    const struct reply_seen *seen)
{
    const struct canceld_result *result = seen->result;
    struct gen_fact *fact = result->gen == 0 ? NULL : oracle_gen(world, result->gen);
    if (result->answer == CANCELD_ANSWER_ENDED) {
        world_sometimes(world, SOMETIMES_WAIT_ENDED);
        ended_seen(world, request, result);
    }
    if (result->answer == CANCELD_ANSWER_CANCELLING && fact != NULL) {
        world_sometimes(world, SOMETIMES_WAIT_CANCELLING);
        state_seen(world, fact, request, CANCELD_STATE_CANCELLING);
        cause_seen(world, fact, &result->cause);
        cancelled_seen(world, fact, request->epoch, result->cause.code);
        if (request->until == CANCELD_UNTIL_ENDED) {
            world_violated(world, "a wait for the end of gen %u.%u is answered CANCELLING",
                           G(fact));
        }
    }
    if (result->answer == CANCELD_ANSWER_TIMED_OUT && fact != NULL) {
        world_sometimes(world, SOMETIMES_WAIT_TIMED_OUT);
        state_seen(world, fact, request, result->state);
    }
    if (fact != NULL && request->gen != 0 && request->gen != result->gen &&
        result->answer != CANCELD_ANSWER_STALE_GEN) {
        world_violated(world, "A3: a wait is answered about gen %u.%u, which it is not of",
                       G(fact));
    }
}

static void of_get(struct world *world, struct request_fact *request, const struct reply_seen *seen)
{
    const struct canceld_result *result = seen->result;
    if (result->answer != CANCELD_ANSWER_FOUND || result->operations_count != 1) {
        return;
    }
    const struct canceld_operation_info *info = &result->operations[0];
    struct gen_fact *fact = oracle_gen(world, info->gen);
    if (request->gen != 0 && request->gen != info->gen) {
        world_violated(world, "A3: get gives gen %u.%u, which it was not asked for", G(fact));
    }
    state_seen(world, fact, request, info->state);
    cause_seen(world, fact, &info->cause);
    if (info->state == CANCELD_STATE_ENDED) {
        oracle_ended(world, fact, info->outcome, request->epoch);
    } else if (info->state == CANCELD_STATE_CANCELLING) {
        cancelled_seen(world, fact, request->epoch, info->cause.code);
    }
}

/* ---- births and the rest ---- */

static void of_store(struct world *world, struct request_fact *request,
                     const struct reply_seen *seen)
{
    const struct canceld_result *result = seen->result;
    switch (result->answer) {
    case CANCELD_ANSWER_STORED:
        world_sometimes(world, SOMETIMES_STORED);
        if (request->birth.policy == CANCELD_POLICY_JOIN &&
            world->oracle.key_held[request->key] > 0) {
            world_sometimes(world, SOMETIMES_JOINED);
        }
        oracle_born(world, request, seen);
        break;
    case CANCELD_ANSWER_BORN_CANCELLED:
        world_sometimes(world, result->cause.code == CANCELD_CAUSE_PARENT ? SOMETIMES_TEST_12
                                                                          : SOMETIMES_TEST_3);
        oracle_born(world, request, seen);
        break;
    case CANCELD_ANSWER_EXISTS:
        world_sometimes(world, result->state == CANCELD_STATE_CANCELLING
                                   ? SOMETIMES_EXISTS_CANCELLING
                                   : SOMETIMES_EXISTS);
        if (request->birth.policy != CANCELD_POLICY_REJECT) {
            world_violated(world, "a store that does not reject is answered EXISTS");
        }
        break;
    case CANCELD_ANSWER_DRAINING:
        world_sometimes(world, SOMETIMES_DRAINING);
        break;
    case CANCELD_ANSWER_PARENT_ENDED:
        world_sometimes(world, SOMETIMES_PARENT_ENDED);
        break;
    default:
        break;
    }
}

static void of_adopt(struct world *world, struct request_fact *request,
                     const struct reply_seen *seen)
{
    if (seen->result->answer == CANCELD_ANSWER_ADOPTED) {
        world_sometimes(world, SOMETIMES_KEPT);
        oracle_born(world, request, seen);
    }
}

static void of_other(struct world *world, struct request_fact *request,
                     const struct reply_seen *seen)
{
    static const struct {
        enum canceld_answer answer;
        enum sometimes which;
    } rows[] = {{CANCELD_ANSWER_DETACHED, SOMETIMES_DETACHED},
                {CANCELD_ANSWER_DISARMED, SOMETIMES_DISARMED},
                {CANCELD_ANSWER_DRAINED, SOMETIMES_DRAINED},
                {CANCELD_ANSWER_UNDRAINED, SOMETIMES_UNDRAINED},
                {CANCELD_ANSWER_EVENTS, SOMETIMES_EVENTS},
                {CANCELD_ANSWER_PAGE, SOMETIMES_LISTED}};
    const struct canceld_result *result = seen->result;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (result->answer == rows[i].answer) {
            world_sometimes(world, rows[i].which);
        }
    }
    if (request->op == CANCELD_OP_DRAIN && result->answer == CANCELD_ANSWER_TIMED_OUT) {
        world_sometimes(world, SOMETIMES_DRAIN_TIMED_OUT);
    }
    if (result->answer == CANCELD_ANSWER_ARMED_KEYS && result->armed_count > 0) {
        world_sometimes(world, SOMETIMES_ARMED_LISTED);
    }
    if (result->answer == CANCELD_ANSWER_SNAPSHOT) {
        world_sometimes(world, SOMETIMES_TEST_20);
    }
}

static void (*const checks[CANCELD_OP_ADOPT + 1])(struct world *world, struct request_fact *request,
                                                  const struct reply_seen *seen) = {
    [CANCELD_OP_STORE] = of_store,   [CANCELD_OP_ADOPT] = of_adopt, [CANCELD_OP_CANCEL] = of_cancel,
    [CANCELD_OP_DELETE] = of_delete, [CANCELD_OP_TOUCH] = of_touch, [CANCELD_OP_WAIT] = of_wait,
    [CANCELD_OP_GET] = of_get,
};

static void answered(struct world *world, struct request_fact *request,
                     const struct reply_seen *seen)
{
    const struct canceld_result *result = seen->result;
    if (request->is_denied != (result->answer == CANCELD_ANSWER_DENIED)) {
        world_violated(world, "an op of kind %d is answered %d in a namespace with%s rights",
                       (int) request->op, (int) result->answer, request->is_denied ? "out" : "");
    }
    if (result->answer == CANCELD_ANSWER_DENIED) {
        world_sometimes(world, SOMETIMES_TEST_19);
    }
    if (result->answer == CANCELD_ANSWER_RECOVERING) {
        world_sometimes(world, SOMETIMES_RECOVERING);
    }
    if (result->answer == CANCELD_ANSWER_SHUTTING_DOWN) {
        world_sometimes(world, SOMETIMES_SHUTTING_DOWN);
    }
    if (result->answer == CANCELD_ANSWER_FULL) {
        const bool is_journal = strcmp(result->limit, "journal") == 0;
        const bool is_arms = strcmp(result->limit, "armed") == 0;
        world_sometimes(world, is_journal ? SOMETIMES_JOURNAL_FULL
                               : is_arms  ? SOMETIMES_TEST_18
                                          : SOMETIMES_TEST_14);
    }
    if (result->answer == CANCELD_ANSWER_ERROR) {
        world_violated(world, "an op of kind %d is answered ERROR %u, field %s: %s",
                       (int) request->op, result->error.code, result->error.field,
                       result->error.text);
    }
    (checks[request->op] == NULL ? of_other : checks[request->op])(world, request, seen);
}

/* ---- calls ---- */

static void deadline_check(struct world *world, const struct request_fact *request,
                           const struct reply_seen *seen)
{
    const uint64_t deadline_ms =
        (request->deadline_ms == 0 ? DEADLINE_DEFAULT_MS : request->deadline_ms) + request->wait_ms;
    const uint64_t took_ns =
        world->now_ns - request->submitted_ns - (seen->stalled_ns - request->stalled_ns);
    world->figures->checks++;
    if (took_ns > deadline_ms * MS) {
        world_violated(world, "A6: a call with a deadline of %" PRIu64 " ms took %" PRIu64 " ms",
                       deadline_ms, took_ns / MS);
    }
}

static void unanswered(struct world *world, const struct request_fact *request,
                       enum canceld_status status)
{
    switch (status) {
    case CANCELD_UNKNOWN:
        world_sometimes(world, SOMETIMES_UNKNOWN);
        break;
    case CANCELD_UNAVAILABLE:
        world_sometimes(world, SOMETIMES_UNAVAILABLE);
        return; /* never sent */
    case CANCELD_TIMED_OUT:
        world_sometimes(world, SOMETIMES_TIMED_OUT);
        break;
    case CANCELD_CLOSED:
    case CANCELD_REFUSED:
        break;
    default:
        world_violated(world, "a call of kind %d ends with status %d", (int) request->op,
                       (int) status);
    }
    if (request->op == CANCELD_OP_STORE || request->op == CANCELD_OP_ADOPT) {
        world->oracle.key_active_ns[request->key] = AT_NEVER;
        world->has_strays = world->has_strays || request->op == CANCELD_OP_ADOPT;
    }
}

static void alive_note(struct world *world, const struct request_fact *request, uint64_t session)
{
    struct alive_fact *alive = &world->oracle.alive[request->process];
    if (session == 0) {
        return;
    }
    if (alive->session != session) {
        *alive = (struct alive_fact){.session = session};
    }
    /* Asked for in a session before, it may have been sent again in this one: later, at any rate. */
    if (request->submitted_ns > alive->sent_ns) {
        alive->sent_ns = request->submitted_ns;
    }
}

void oracle_done(struct world *world, uint32_t number, const struct reply_seen *seen)
{
    struct request_fact *request = &world->oracle.requests[number];
    if (request->is_done) {
        world_violated(world, "A6: request %u is answered twice", number);
    }
    request->is_done = true;
    request->done_ns = world->now_ns;
    request->epoch = seen->epoch;
    deadline_check(world, request, seen);
    world->figures->answers++;
    if (request->is_finish &&
        (seen->status != CANCELD_OK || seen->result->answer == CANCELD_ANSWER_RECOVERING)) {
        /* The library goes on with it, and adopts for it. */
        world->oracle.key_active_ns[request->key] = AT_NEVER;
    }
    if (seen->status != CANCELD_OK) {
        unanswered(world, request, seen->status);
        return;
    }
    request->is_answered = true;
    request->answer = seen->result->answer;
    if (request->answer != CANCELD_ANSWER_RECOVERING) {
        alive_note(world, request, seen->session);
    }
    answered(world, request, seen);
}
