/* SPDX-License-Identifier: MIT */
/* The registry's port: answers are kept as they come and read afterwards, each against what the oracle
 * expects of it. An answer that tells of a cancel may not come before the cancel's record is kept. */
#include "world.h"

#include <string.h>

#define GENS_SEEN_MAX 24
#define REPLIES_MAX 32
#define OBSERVER_ID 1

/* A result as it is written into a reply; behind it the lists. */
struct seen {
    uint64_t gen;
    uint64_t session;
    uint8_t secret[SECRET_BYTES];
    uint8_t answer;
    uint8_t state;
    uint8_t outcome;
    uint8_t level;
    uint8_t cause;
    uint8_t by;
    uint8_t gens_count;
    uint8_t notices_count;
    uint8_t infos_count;
    bool cancelled;
    bool resumed;
};

struct gen_seen {
    uint64_t gen;
    uint8_t answer, level, outcome;
};

struct notice_seen {
    uint64_t number, gen;
    uint8_t kind, cause, by, outcome, key;
};

struct info_seen {
    uint64_t gen, owner, ttl_left_ms;
    uint8_t key, state, cause, by, level;
};

struct reply {
    uint64_t link;
    uint64_t id;
    uint8_t error;
    struct seen seen;
    struct gen_seen gens[GENS_SEEN_MAX];
    struct notice_seen notices[GENS_SEEN_MAX];
    struct info_seen infos[GENS_SEEN_MAX];
};

static struct reply replies[REPLIES_MAX];
static uint32_t replies_count;

/* ---- the port ---- */

static uint8_t by_of(const struct cause *cause)
{
    return cause->actor.size == 1 ? (uint8_t) (cause->actor.data[0] - 'a') : NOBODY;
}

static uint8_t key_of(struct bytes key)
{
    return key.size == 2 ? (uint8_t) (key.data[1] - '0') : KEYS;
}

static size_t put_head(void *context, const struct reply_head *head, uint8_t *out, size_t room)
{
    (void) context;
    (void) room;
    memcpy(out, &head->request_id, sizeof head->request_id);
    out[sizeof head->request_id] = (uint8_t) head->error.code;
    return sizeof head->request_id + 1;
}

static uint8_t *put(uint8_t *out, const void *item, size_t size)
{
    memcpy(out, item, size);
    return out + size;
}

static uint8_t *put_lists(uint8_t *out, const struct result *result)
{
    for (size_t i = 0; i < result->gens_count; i++) {
        const struct gen_result *gen = &result->gens[i];
        struct gen_seen seen = {.gen = gen->gen,
                                .answer = (uint8_t) gen->answer,
                                .level = (uint8_t) gen->level,
                                .outcome = (uint8_t) gen->outcome};
        out = put(out, &seen, sizeof seen);
    }
    for (size_t i = 0; i < result->notices_count; i++) {
        const struct notice *notice = &result->notices[i];
        struct notice_seen seen = {.number = notice->number,
                                   .gen = notice->gen,
                                   .kind = (uint8_t) notice->kind,
                                   .cause = (uint8_t) notice->cause.code,
                                   .by = by_of(&notice->cause),
                                   .outcome = (uint8_t) notice->outcome,
                                   .key = key_of(notice->key)};
        out = put(out, &seen, sizeof seen);
    }
    for (size_t i = 0; i < result->operations_count; i++) {
        const struct operation_info *info = &result->operations[i];
        struct info_seen seen = {.gen = info->gen,
                                 .owner = info->owner,
                                 .ttl_left_ms = info->ttl_left_ms,
                                 .key = key_of(info->key),
                                 .state = (uint8_t) info->state,
                                 .cause = (uint8_t) info->cause.code,
                                 .by = by_of(&info->cause),
                                 .level = (uint8_t) info->level};
        out = put(out, &seen, sizeof seen);
    }
    return out;
}

static size_t put_result(void *context, const struct result *result, uint8_t *out, size_t room)
{
    (void) context;
    struct seen seen = {.gen = result->gen,
                        .answer = (uint8_t) result->answer,
                        .state = (uint8_t) result->state,
                        .outcome = (uint8_t) result->outcome,
                        .level = (uint8_t) result->level,
                        .cause = (uint8_t) result->cause.code,
                        .by = by_of(&result->cause),
                        .gens_count = (uint8_t) result->gens_count,
                        .notices_count = (uint8_t) result->notices_count,
                        .infos_count = (uint8_t) result->operations_count,
                        .cancelled = result->cancelled};
    EXPECT(room > 2048 && result->gens_count <= GENS_SEEN_MAX &&
               result->notices_count <= GENS_SEEN_MAX && result->operations_count <= GENS_SEEN_MAX,
           "a reply without room");
    if (result->opened != NULL) {
        seen.session = result->opened->session;
        seen.resumed = result->opened->resumed;
        memcpy(seen.secret, result->opened->secret, SECRET_BYTES);
    }
    return (size_t) (put_lists(put(out, &seen, sizeof seen), result) - out);
}

static const uint8_t *get(const uint8_t *from, void *item, size_t size)
{
    memcpy(item, from, size);
    return from + size;
}

static void receive(void *context, const struct reply_to *to, struct bytes bytes)
{
    (void) context;
    EXPECT(replies_count < REPLIES_MAX, "too many replies at once");
    struct reply *reply = &replies[replies_count++];
    const uint8_t *at = get(bytes.data, &reply->id, sizeof reply->id);
    at = get(at, &reply->error, 1);
    reply->link = to->link;
    memset(&reply->seen, 0, sizeof reply->seen);
    if (reply->error != ERROR_UNSET) {
        return;
    }
    at = get(at, &reply->seen, sizeof reply->seen);
    at = get(at, reply->gens, reply->seen.gens_count * sizeof reply->gens[0]);
    at = get(at, reply->notices, reply->seen.notices_count * sizeof reply->notices[0]);
    (void) get(at, reply->infos, reply->seen.infos_count * sizeof reply->infos[0]);
}

static bool next_epoch(void *context, uint64_t *epoch_out)
{
    (void) context;
    (void) epoch_out;
    violated("a new epoch is asked for");
}

static void take_record(void *context, const struct journal_record *record)
{
    (void) context;
    EXPECT(world.log_count < LOG_MAX, "too many records");
    world.log[world.log_count++] = (struct log_entry){.gen = record->gen,
                                                      .kind = (uint8_t) record->kind,
                                                      .key = key_of(record->key),
                                                      .by = by_of(&record->cause),
                                                      .cause = (uint8_t) record->cause.code,
                                                      .by_owner = record->by_owner};
}

static bool no_history(void *context, uint64_t ticket, const struct history_query *query)
{
    (void) context;
    (void) ticket;
    (void) query;
    return false;
}

static uint64_t pending(void *context)
{
    (void) context;
    return world.log_count - world.kept;
}

const struct registry_port world_port = {.send = receive,
                                         .head = put_head,
                                         .result = put_result,
                                         .next_epoch = next_epoch,
                                         .journal = take_record,
                                         .history = no_history,
                                         .journal_pending = pending};

/* ---- what an answer says, against what is expected ---- */

/* A2, and that none is left out: the notices are those that are due and that this session has not seen. */
static void compare_notices(const struct ask *ask, const struct reply *reply)
{
    uint32_t expected = 0;
    uint64_t last = ask->after;
    for (uint32_t i = 0; i < world.gens_count; i++) {
        const struct gen *gen = &world.gens[i];
        for (uint32_t kind = NOTICE_CANCEL; kind < NOTICE_END && ask->mode == 0; kind++) {
            expected += oracle_is_news(gen, kind, ask);
        }
    }
    EXPECT(reply->seen.notices_count == expected, "%u notices, and %u are due",
           reply->seen.notices_count, expected);
    for (uint32_t i = 0; i < reply->seen.notices_count; i++) {
        const struct notice_seen *notice = &reply->notices[i];
        const struct gen *gen = world.gens;
        while (gen < world.gens + world.gens_count && gen->number != notice->gen) {
            gen++;
        }
        EXPECT(gen < world.gens + world.gens_count && gen->key == notice->key &&
                   oracle_is_news(gen, notice->kind, ask),
               "a notice that nobody is owed");
        EXPECT(notice->number > last, "numbers of notices do not rise");
        EXPECT(notice->cause == gen->cause && notice->by == gen->by, "a notice of a wrong cause");
        last = notice->number;
    }
}

static void compare(const struct ask *ask, const struct reply *reply)
{
    const struct expected *expected = &ask->expected;
    const struct seen *seen = &reply->seen;
    EXPECT(seen->answer == expected->answer, "answered %s, and %s was expected",
           answer_name((enum answer) seen->answer), answer_name((enum answer) expected->answer));
    EXPECT(seen->gen == expected->gen, "%s of gen %llx, and %llx was expected",
           answer_name((enum answer) seen->answer), (unsigned long long) seen->gen,
           (unsigned long long) expected->gen);
    EXPECT(seen->state == expected->state, "state %u, not %u", seen->state, expected->state);
    EXPECT(seen->outcome == expected->outcome, "outcome %u, not %u", seen->outcome,
           expected->outcome);
    EXPECT(seen->level == expected->level, "level %u, not %u", seen->level, expected->level);
    EXPECT(seen->cause == expected->cause &&
               (seen->cause == CAUSE_UNSET || seen->by == expected->by),
           "cause %u of %u, not %u of %u", seen->cause, seen->by, expected->cause, expected->by);
    EXPECT(seen->cancelled == expected->cancelled, "cancelled %d", seen->cancelled);
    EXPECT(seen->gens_count == ask->ties_count || ask->event != EVENT_CANCEL,
           "%u gens are told of, not %u", seen->gens_count, ask->ties_count);
    for (uint32_t i = 0; i < seen->gens_count; i++) {
        EXPECT(reply->gens[i].gen == world.gens[ask->ties[i]].number &&
                   reply->gens[i].answer == ask->tie_answers[i],
               "what was done to a gen");
    }
}

/* ---- what is kept when it is told ---- */

static void promise(struct gen *gen)
{
    const uint32_t record = oracle_record_of(gen->number);
    EXPECT(record != 0 && record <= world.kept,
           "told of a cancel of gen %u whose record is not kept", (unsigned) (gen - world.gens));
    gen->promised = true;
}

static void keep_promises(const struct ask *ask, const struct reply *reply)
{
    const enum answer answer = (enum answer) reply->seen.answer;
    const bool covers = world.crashed && world.covers[ask->key] != 0;
    for (uint32_t i = 0; i < reply->seen.gens_count && ask->event == EVENT_CANCEL; i++) {
        promise(&world.gens[ask->ties[i]]);
    }
    if (answer == ANSWER_BORN_CANCELLED) {
        promise(&world.gens[ask->gen]);
    }
    if (reply->seen.cause != CAUSE_UNSET && answer != ANSWER_ADOPTED && !covers) {
        for (uint32_t i = 0; i < world.gens_count; i++) {
            if (world.gens[i].number == reply->seen.gen &&
                world.gens[i].number >> GEN_COUNTER_BITS == world.epoch) {
                promise(&world.gens[i]);
            }
        }
    }
    if (answer == ANSWER_ARMED) {
        bool is_kept = false;
        for (uint32_t i = 0; i < world.kept; i++) {
            is_kept = is_kept || (world.log[i].kind == JOURNAL_ARM && world.log[i].key == ask->key);
        }
        EXPECT(is_kept, "told of an arm whose record is not kept");
    }
}

/* ---- what the actors make of it ---- */

static void tell_notices(struct ask *ask, const struct reply *reply)
{
    for (uint32_t i = 0; i < reply->seen.notices_count; i++) {
        const struct notice_seen *notice = &reply->notices[i];
        for (uint32_t g = 0; g < world.gens_count; g++) {
            struct gen *gen = &world.gens[g];
            if (gen->number != notice->gen) {
                continue;
            }
            gen->seen[notice->kind] = notice->number;
            gen->unacked[notice->kind] = true;
            gen->told[notice->kind] = 1; /* the library gives each once to the application */
        }
        if (notice->number > world.actors[ask->actor].after) {
            world.actors[ask->actor].after = notice->number;
        }
    }
}

static void tell_owner(struct ask *ask)
{
    struct gen *gen = ask->gen == NOBODY_GEN ? NULL : &world.gens[ask->gen];
    const uint8_t answer = ask->expected.answer;
    if (ask->event == EVENT_STORE && (answer == ANSWER_STORED || answer == ANSWER_BORN_CANCELLED)) {
        gen->known = true;
        gen->told[NOTICE_CANCEL] |= answer == ANSWER_BORN_CANCELLED;
    } else if (ask->event == EVENT_DELETE && answer == ANSWER_RECOVERING) {
        gen->finished = false; /* it will try again */
    } else if (ask->event == EVENT_ADOPT && ask->expected.state == STATE_CANCELLING) {
        gen->told[NOTICE_CANCEL] = 1;
    }
}

static void tell(struct ask *ask, const struct reply *reply)
{
    if (ask->event == EVENT_POLL) {
        for (uint32_t i = 0; i < ask->acks_count; i++) {
            world.gens[ask->acks[i] / NOTICE_END].unacked[ask->acks[i] % NOTICE_END] = false;
        }
        tell_notices(ask, reply);
    } else {
        tell_owner(ask);
    }
    const uint32_t index = (uint32_t) (ask - world.asks);
    for (uint32_t i = index; i + 1 < world.asks_count; i++) {
        world.asks[i] = world.asks[i + 1];
    }
    world.asks_count--;
}

static void take(const struct reply *reply)
{
    uint32_t actor = 0;
    while (actor < ACTORS && world.actors[actor].link != reply->link) {
        actor++;
    }
    if (actor == ACTORS) {
        return; /* a link that is gone */
    }
    if (reply->seen.answer == ANSWER_OPENED) {
        world.actors[actor].session = reply->seen.session;
        memcpy(world.actors[actor].secret, reply->seen.secret, SECRET_BYTES);
        EXPECT(reply->seen.resumed == !world.actors[actor].is_lost, "a session is resumed or not");
        return;
    }
    struct ask *ask = world.asks;
    while (ask < world.asks + world.asks_count && (ask->actor != actor || ask->id != reply->id)) {
        ask++;
    }
    EXPECT(ask < world.asks + world.asks_count && !ask->emitted,
           "an answer that nobody waits for: %s", answer_name((enum answer) reply->seen.answer));
    EXPECT(reply->error == ERROR_UNSET, "a frame is refused with error %u", reply->error);
    EXPECT(ask->decided, "%s comes too early", answer_name((enum answer) reply->seen.answer));
    if (ask->event == EVENT_POLL) {
        EXPECT(reply->seen.answer == ANSWER_NOTICES, "a poll's answer");
        compare_notices(ask, reply);
    } else {
        compare(ask, reply);
        keep_promises(ask, reply);
    }
    if (ask->lost) {
        ask->emitted = true;
    } else {
        tell(ask, reply);
    }
}

void answers_take(void)
{
    for (uint32_t i = 0; i < replies_count; i++) {
        take(&replies[i]);
    }
    replies_count = 0;
}

void answers_check_silence(void)
{
    if (world.kept < world.log_count) {
        return;
    }
    for (uint32_t i = 0; i < world.asks_count; i++) {
        const struct ask *ask = &world.asks[i];
        EXPECT(!ask->decided || ask->emitted || world.actors[ask->actor].is_cut,
               "actor %u waits for what is decided: event %u", ask->actor, ask->event);
    }
}

/* ---- the registry's own list of what is live ---- */

static void compare_info(const struct info_seen *info)
{
    const struct gen *gen = world.gens;
    while (gen < world.gens + world.gens_count && gen->number != info->gen) {
        gen++;
    }
    EXPECT(gen < world.gens + world.gens_count && gen->key == info->key,
           "an operation from nowhere");
    EXPECT(info->state == gen->state, "listed in state %u, not %u", info->state, gen->state);
    EXPECT(info->cause == gen->cause && (gen->cause == CAUSE_UNSET || info->by == gen->by),
           "listed with cause %u of %u, not %u of %u", info->cause, info->by, gen->cause, gen->by);
    EXPECT(info->owner == (gen->owned ? world.actors[gen->owner].session : 0), "listed with owner");
    EXPECT(info->level == gen->level, "listed with level %u, not %u", info->level, gen->level);
    const uint64_t left = gen->ttl_end_ms > world.now_ms ? gen->ttl_end_ms - world.now_ms : 0;
    EXPECT(info->ttl_left_ms == left, "listed with another ttl");
}

void answers_compare_list(void)
{
    struct op op;
    op_clear(&op, OP_LIST);
    op.as.list.page_size = 100;
    const struct frame frame = {
        .version = 1, .request_id = OBSERVER_ID, .ops = &op, .ops_count = 1};
    const struct reply_to to = {.link = 1};
    replies_count = 0;
    registry_frame(world.registry, &to, &frame, world.now_ms);
    EXPECT(replies_count == 1 && replies[0].seen.answer == ANSWER_PAGE, "a list is not answered");
    replies_count = 0;
    uint32_t expected = 0;
    for (uint32_t i = 0; i < world.gens_count; i++) {
        expected += world.gens[i].state == STATE_LIVE || world.gens[i].state == STATE_CANCELLING;
    }
    EXPECT(replies[0].seen.infos_count == expected, "%u operations are live, not %u",
           replies[0].seen.infos_count, expected);
    for (uint32_t i = 0; i < replies[0].seen.infos_count; i++) {
        compare_info(&replies[0].infos[i]);
    }
}
