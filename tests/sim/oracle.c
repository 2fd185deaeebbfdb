/* SPDX-License-Identifier: MIT */
#include "sim/oracle.h"

#include "sim/daemon.h"
#include "sim/world.h"

#include <inttypes.h>
#include <string.h>

#define G(fact) (unsigned) ((fact)->gen >> 40), (unsigned) ((fact)->gen & 0xffffff)

/* ---- facts ---- */

void oracle_begin(struct world *world)
{
    struct oracle *oracle = &world->oracle;
    for (uint32_t i = 0; i < oracle->gens_count; i++) {
        oracle->gens[oracle->order[i]].gen = 0;
    }
    oracle->gens_count = 0;
    oracle->requests_count = 0;
    oracle->newest_gen = 0;
    memset(oracle->alive, 0, sizeof oracle->alive);
    memset(oracle->key_active_ns, 0, sizeof oracle->key_active_ns);
    memset(oracle->key_held, 0, sizeof oracle->key_held);
    memset(oracle->key_newest, 0, sizeof oracle->key_newest);
    oracle->stored_ns = 0;
}

struct gen_fact *oracle_gen(struct world *world, uint64_t gen)
{
    struct oracle *oracle = &world->oracle;
    uint32_t at = (uint32_t) (chance_mix(gen) & (GENS_MAX - 1));
    while (oracle->gens[at].gen != 0 && oracle->gens[at].gen != gen) {
        at = (at + 1) & (GENS_MAX - 1);
    }
    struct gen_fact *fact = &oracle->gens[at];
    if (fact->gen == 0) {
        if (oracle->gens_count == GENS_MAX / 2) {
            world_violated(world, "the world is too large for the oracle");
        }
        *fact = (struct gen_fact){.gen = gen, .key = -1};
        oracle->order[oracle->gens_count++] = at;
    }
    return fact;
}

uint64_t oracle_any_gen(const struct world *world, uint64_t chance)
{
    const struct oracle *oracle = &world->oracle;
    if (oracle->gens_count == 0) {
        return 0;
    }
    uint64_t back = (chance >> 8) % oracle->gens_count;
    if ((chance & 7) != 0 && back > 8) {
        back %= 8;
    }
    return oracle->gens[oracle->order[oracle->gens_count - 1 - back]].gen;
}

uint32_t oracle_submit(struct world *world, const struct request_fact *fact, uint64_t stalled_ns)
{
    struct oracle *oracle = &world->oracle;
    if (oracle->requests_count == REQUESTS_MAX) {
        world_violated(world, "too many requests for the oracle");
    }
    struct request_fact *request = &oracle->requests[oracle->requests_count];
    *request = *fact;
    request->submitted_ns = world->now_ns;
    request->stalled_ns = stalled_ns;
    request->newest_gen = oracle->newest_gen;
    request->ends_count = daemon_ends(world);
    if (request->op == CANCELD_OP_DELETE) {
        struct gen_fact *gen = oracle_gen(world, request->gen);
        gen->deleters |= 1U << request->process;
    }
    return oracle->requests_count++;
}

/* ---- the world's rules ---- */

bool oracle_lasts(const struct world *world, uint64_t since_epoch, uint64_t epoch)
{
    return since_epoch == epoch || world->flavour.has_journal;
}

static void grace_check(struct world *world, const struct gen_fact *fact)
{
    for (size_t i = 0; i < PROCESSES_COUNT; i++) {
        const struct alive_fact *alive = &world->oracle.alive[i];
        if (fact->session == 0 || alive->session != fact->session || alive->is_closing) {
            continue;
        }
        world->figures->checks++;
        if (world->now_ns + daemon_slack_ns(world) <
            alive->sent_ns + world->flavour.grace_ms * MS) {
            world_violated(world,
                           "A5: gen %u.%u is OWNER_LOST before the grace of its session is over",
                           G(fact));
        }
    }
}

static void ttl_check(struct world *world, const struct gen_fact *fact, const char *what)
{
    if (!fact->is_known) {
        return;
    }
    world->figures->checks++;
    if (fact->birth.ttl_ms == 0 ||
        world->now_ns + daemon_slack_ns(world) < fact->renewed_ns + fact->birth.ttl_ms * MS) {
        world_violated(world, "A5: gen %u.%u is %s before its ttl is over", G(fact), what);
    }
}

void oracle_ended(struct world *world, struct gen_fact *fact, enum canceld_outcome outcome,
                  uint64_t epoch)
{
    world->figures->checks++;
    if (fact->ended_epoch == epoch && fact->outcome != outcome) {
        world_violated(world, "A6: gen %u.%u ended as %d and as %d", G(fact), (int) fact->outcome,
                       (int) outcome);
    }
    if (fact->ended_epoch == epoch) {
        return;
    }
    if (outcome == CANCELD_OUTCOME_OWNER_LOST) {
        world_sometimes(world, SOMETIMES_TEST_6);
        grace_check(world, fact);
    }
    if (outcome == CANCELD_OUTCOME_EXPIRED) {
        world_sometimes(world, SOMETIMES_EXPIRED);
        ttl_check(world, fact, "EXPIRED");
    }
    fact->ended_epoch = epoch;
    fact->ended_ns = world->now_ns;
    fact->outcome = outcome;
}

/* ---- causes ---- */

static uint32_t request_of_text(struct canceld_bytes text)
{
    const char *digits = text.data;
    uint32_t number = 0;
    if (text.size < 2 || digits[0] != 'r') {
        return NO_REQUEST;
    }
    for (size_t i = 1; i < text.size; i++) {
        if (digits[i] < '0' || digits[i] > '9') {
            return NO_REQUEST;
        }
        number = number * 10 + (uint32_t) (digits[i] - '0');
    }
    return number;
}

uint64_t oracle_asked_ns(const struct world *world, const struct canceld_cause *cause)
{
    const uint32_t number = request_of_text(cause->text);
    return number < world->oracle.requests_count
               ? world->oracle.requests[number % REQUESTS_MAX].submitted_ns
               : 0;
}

static bool is_target(const struct request_fact *request, const struct gen_fact *fact)
{
    if (request->op == CANCELD_OP_DRAIN || request->whole || request->owner != 0) {
        return true;
    }
    if (request->label >= 0) {
        return !fact->is_known || (fact->birth.labels & 1U << request->label) != 0;
    }
    if (request->gen != 0) {
        return request->gen == fact->gen;
    }
    return (fact->key < 0 || request->key == fact->key) && fact->gen > request->after_gen;
}

/* One that was answered before the operation was even asked for can be its cancel by an arm alone, and an
 * arm is used once. */
static bool is_in_time(struct request_fact *request, const struct gen_fact *fact)
{
    const bool is_before =
        request->is_answered && fact->is_known && request->done_ns < fact->submitted_ns;
    if (request->is_answered && request->answer == CANCELD_ANSWER_ARMED) {
        if (request->arm_gen != 0 && request->arm_gen != fact->gen) {
            return false;
        }
        request->arm_gen = fact->gen;
        return true;
    }
    /* A drain covers what is adopted under it: that was asked for long before. */
    return !is_before || request->op == CANCELD_OP_DRAIN;
}

static void request_justify(struct world *world, const struct gen_fact *fact,
                            const struct canceld_cause *cause)
{
    const uint32_t number = request_of_text(cause->text);
    if (number >= world->oracle.requests_count) {
        world_violated(world, "A3: gen %u.%u is cancelled by nobody", G(fact));
    }
    struct request_fact *request = &world->oracle.requests[number % REQUESTS_MAX];
    if (request->op != CANCELD_OP_CANCEL && request->op != CANCELD_OP_DRAIN) {
        world_violated(world, "A3: gen %u.%u is cancelled by what is no cancel", G(fact));
    }
    if (request->is_denied || !is_target(request, fact)) {
        world_violated(world, "A3: gen %u.%u is cancelled by request %u, which is of another",
                       G(fact), number);
    }
    if (!is_in_time(request, fact)) {
        world_violated(world, "A3: gen %u.%u is cancelled by request %u, which came too early",
                       G(fact), number);
    }
}

static bool has_rival(const struct world *world, const struct gen_fact *fact)
{
    for (uint32_t i = 0; i < world->oracle.requests_count; i++) {
        const struct request_fact *request = &world->oracle.requests[i];
        if ((request->op == CANCELD_OP_STORE || request->op == CANCELD_OP_ADOPT) &&
            request->key == fact->key && i != fact->born_request) {
            return true;
        }
    }
    return false;
}

void oracle_justify(struct world *world, struct gen_fact *fact, const struct canceld_cause *cause)
{
    bool is_good = true;
    world->figures->checks++;
    switch (cause->code) {
    case CANCELD_CAUSE_PARENT:
        is_good = !fact->is_known || fact->birth.parent != 0;
        world_sometimes(world, SOMETIMES_PARENT);
        break;
    case CANCELD_CAUSE_SUPERSEDED:
        is_good = !fact->is_known || has_rival(world, fact);
        world_sometimes(world, SOMETIMES_SUPERSEDED);
        break;
    case CANCELD_CAUSE_DEADLINE:
        is_good = !fact->is_known || fact->birth.on_expiry == CANCELD_ON_EXPIRY_CANCEL;
        if (!fact->is_deadline) { /* an adoption renews the ttl, and undoes no cancel */
            ttl_check(world, fact, "cancelled with DEADLINE");
        }
        fact->is_deadline = true;
        world_sometimes(world, SOMETIMES_DEADLINE);
        break;
    case CANCELD_CAUSE_USER:
    case CANCELD_CAUSE_POLICY:
    case CANCELD_CAUSE_SHUTDOWN:
        request_justify(world, fact, cause);
        break;
    case CANCELD_CAUSE_UNSET:
        is_good = false;
        break;
    }
    if (!is_good) {
        world_violated(world, "A3: gen %u.%u has a cause (%d) that it cannot have", G(fact),
                       (int) cause->code);
    }
}

/* ---- births ---- */

/* An arm that nobody can have used, and whose time is not over. */
static bool is_armed_for(const struct world *world, const struct request_fact *arm,
                         const struct request_fact *birth)
{
    return arm->op == CANCELD_OP_CANCEL && arm->is_answered &&
           arm->answer == CANCELD_ANSWER_ARMED && arm->key == birth->key &&
           arm->done_ns < birth->submitted_ns && arm->arm_gen == 0 &&
           world->now_ns < arm->submitted_ns + arm->arm_ttl_ms * MS &&
           (world->flavour.has_journal || arm->ends_count == daemon_ends(world));
}

static bool is_undisturbed(const struct world *world, const struct request_fact *arm,
                           const struct request_fact *birth)
{
    for (uint32_t i = 0; i < world->oracle.requests_count; i++) {
        const struct request_fact *other = &world->oracle.requests[i];
        const bool uses = other->op == CANCELD_OP_STORE || other->op == CANCELD_OP_ADOPT ||
                          other->op == CANCELD_OP_DISARM;
        if (uses && other != birth && other->key == birth->key &&
            (!other->is_done || other->done_ns >= arm->submitted_ns)) {
            return false;
        }
    }
    return daemon_slack_ns(world) == 0;
}

static void arm_check(struct world *world, const struct request_fact *birth)
{
    const struct oracle *oracle = &world->oracle;
    for (uint32_t i = 0; i < oracle->requests_count; i++) {
        const struct request_fact *arm = &oracle->requests[i];
        if (!is_armed_for(world, arm, birth) ||
            oracle->key_active_ns[birth->key] >= arm->submitted_ns ||
            oracle->key_held[birth->key] > 0 || !is_undisturbed(world, arm, birth)) {
            continue;
        }
        world->figures->checks++;
        world_violated(world, "A7: request %u armed key %d, and the next store is not cancelled", i,
                       birth->key);
    }
}

void oracle_born(struct world *world, struct request_fact *request, const struct reply_seen *seen)
{
    struct oracle *oracle = &world->oracle;
    const struct canceld_result *result = seen->result;
    struct gen_fact *fact = oracle_gen(world, result->gen);
    const bool is_store = request->op == CANCELD_OP_STORE;
    world->figures->checks++;
    if (is_store && (fact->is_known || result->gen <= request->newest_gen)) {
        world_violated(world, "A4: gen %u.%u is given out after gen %u.%u", G(fact),
                       (unsigned) (request->newest_gen >> 40),
                       (unsigned) (request->newest_gen & 0xffffff));
    }
    oracle->newest_gen = result->gen > oracle->newest_gen ? result->gen : oracle->newest_gen;
    if (!is_store && result->cause.code != CANCELD_CAUSE_UNSET) {
        oracle_justify(world, fact,
                       &result->cause); /* of before: what it was then is still known */
    }
    fact->submitted_ns = fact->is_known ? fact->submitted_ns : request->submitted_ns;
    fact->is_known = true;
    fact->holder = request->process;
    fact->key = request->key;
    fact->birth = request->birth;
    /* An adopt of what the session has already renews nothing. */
    if (is_store || fact->born_epoch != seen->epoch || fact->session != seen->session) {
        fact->renewed_ns = request->submitted_ns;
    }
    fact->born_ns = world->now_ns;
    fact->born_epoch = seen->epoch;
    fact->born_request = (uint32_t) (request - oracle->requests);
    if (is_store && oracle->stored_ns / MS == world->now_ns / MS) {
        world_sometimes(world, SOMETIMES_TEST_5);
    }
    oracle->stored_ns = is_store ? world->now_ns : oracle->stored_ns;
    if (result->answer == CANCELD_ANSWER_STORED) {
        arm_check(world, request);
    } else if (is_store && result->cause.code != CANCELD_CAUSE_UNSET) {
        oracle_justify(world, fact, &result->cause);
    }
}

void oracle_hold(struct world *world, uint64_t gen, uint64_t session, unsigned process)
{
    struct gen_fact *fact = oracle_gen(world, gen);
    fact->session = session;
    fact->holder = process;
    fact->is_over = false;
    if (fact->key >= 0) {
        world->oracle.key_held[fact->key]++;
        if (world->oracle.key_newest[fact->key] < gen) {
            world->oracle.key_newest[fact->key] = gen;
        }
    }
}

void oracle_release(struct world *world, uint64_t gen)
{
    struct gen_fact *fact = oracle_gen(world, gen);
    fact->is_over = true;
    if (fact->key >= 0) {
        world->oracle.key_held[fact->key]--;
        if (world->oracle.key_active_ns[fact->key] < world->now_ns) {
            world->oracle.key_active_ns[fact->key] = world->now_ns;
        }
    }
}

void oracle_died(struct world *world, unsigned process)
{
    struct oracle *oracle = &world->oracle;
    for (uint32_t i = 0; i < oracle->requests_count; i++) {
        struct request_fact *request = &oracle->requests[i];
        if (request->process == process && !request->is_done) {
            request->is_done = true;
            request->done_ns = AT_NEVER; /* it may come to pass at any time */
        }
    }
}

/* ---- ends ---- */

/* Whether such an answer would have been given had the gen been live all the time. */
static bool is_answer_of_live(const struct request_fact *cancel)
{
    switch (cancel->answer) {
    case CANCELD_ANSWER_REQUESTED:
    case CANCELD_ANSWER_ALREADY_REQUESTED:
    case CANCELD_ANSWER_ARMED:
    case CANCELD_ANSWER_FINISHED:
    case CANCELD_ANSWER_OWNER_LOST:
    case CANCELD_ANSWER_NOT_FOUND:
    case CANCELD_ANSWER_STALE_GEN:
        return true;
    default:
        return false;
    }
}

static bool covers_surely(const struct request_fact *cancel, const struct gen_fact *fact)
{
    if (cancel->op != CANCELD_OP_CANCEL || !cancel->is_answered || cancel->is_denied ||
        cancel->owner != 0 || cancel->epoch != fact->born_epoch) {
        return false;
    }
    return cancel->submitted_ns > fact->born_ns && is_answer_of_live(cancel) &&
           is_target(cancel, fact);
}

/* It was live from its birth to its delete, so each cancel in between that covers it has found it. */
void oracle_clean(struct world *world, struct gen_fact *fact, const struct request_fact *request)
{
    world->figures->checks++;
    if (fact->is_promised && fact->promised_ns < request->submitted_ns &&
        oracle_lasts(world, fact->promised_epoch, request->epoch)) {
        world_violated(world,
                       "A1: gen %u.%u was answered as cancelled, and its delete says it was not",
                       G(fact));
    }
    if (!fact->is_known || request->epoch != fact->born_epoch) {
        return;
    }
    for (uint32_t i = fact->born_request; i < world->oracle.requests_count; i++) {
        const struct request_fact *cancel = &world->oracle.requests[i];
        if (covers_surely(cancel, fact) && cancel->done_ns < request->submitted_ns) {
            world_violated(world,
                           "A1: request %u cancelled what gen %u.%u is of (answer %d), and its "
                           "delete says that it did not",
                           i, G(fact), (int) cancel->answer);
        }
    }
}

void oracle_told(struct world *world, const struct telling *telling)
{
    struct gen_fact *fact = oracle_gen(world, telling->gen);
    if (telling->cancelled) {
        oracle_justify(world, fact, telling->cause);
    }
    if (telling->ended) {
        world_sometimes(world, SOMETIMES_ENDED_TOLD);
    }
}
