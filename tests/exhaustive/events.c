/* SPDX-License-Identifier: MIT */
/* The events of the small world. */
#include "world.h"

#include "arena.h"

#include <stdio.h>
#include <string.h>

struct world world;
struct move events[EVENTS_MAX];
uint32_t events_count;

#define OBSERVER_LINK 1
#define ADVANCE_BUDGET 64

/* ---- the registry: small enough that a picture of it is a few kilobytes ---- */

static struct limits small_limits(void)
{
    struct limits limits = limits_default();
    limits.operations = limits.operations_namespace = limits.operations_session = 16;
    limits.bytes = 4096;
    limits.namespaces = 2;
    limits.connections = limits.connections_unopened = 8;
    limits.sessions = 10;
    limits.parked = limits.parked_session = 32;
    limits.parked_gens = 64;
    limits.armed = 4;
    limits.labels = limits.label_uses = 2;
    limits.bulks = limits.covers = 4;
    limits.drains = 2;
    limits.watch_events = 16;
    limits.watch_bytes = 4096;
    limits.recovered = 16;
    limits.journal_bytes = 2 * FRAME_BYTES_MAX;
    limits.finished = 32;
    limits.finished_ms = MEMORY_MS;
    limits.grace_ms = GRACE_TIME_MS;
    limits.replies_session_bytes = limits.replies_bytes = 65536;
    return limits;
}

static void begin_registry(void)
{
    const struct registry_config config = {.limits = small_limits(),
                                           .epoch = world.epoch,
                                           .counter_first = 1,
                                           .table_key = {1, 2},
                                           .secret_key = {3, 4},
                                           .now_ms = world.now_ms,
                                           .recovery_ms = world.crashed ? RECOVERY_TIME_MS : 0};
    arena_reset();
    arena_open();
    world.registry = registry_new(&config, &world_port);
    arena_close();
    EXPECT(world.registry != NULL, "no registry");
    world.log_count = 0;
    world.kept = 0;
}

static void settle(void)
{
    while (registry_advance(world.registry, world.now_ms, ADVANCE_BUDGET)) {
    }
    answers_take();
}

static void send(uint32_t actor, const struct frame *frame)
{
    const struct reply_to to = {.link = world.actors[actor].link};
    registry_frame(world.registry, &to, frame, world.now_ms);
}

static void open_session(uint32_t index, bool resumes)
{
    struct actor *actor = &world.actors[index];
    struct op op;
    op_clear(&op, OP_OPEN);
    actor->link = ++world.link_last;
    EXPECT(registry_link_up(world.registry, actor->link, bytes_of_string("uid:1")), "no link");
    if (resumes) {
        op.as.open.resume_session = actor->session;
        op.as.open.resume_secret = bytes_of(actor->secret, SECRET_BYTES);
    } else {
        actor->is_lost = true; /* until it is answered: it is not resumed */
        actor->after = 0;
        actor->last_id = 0;
    }
    const struct frame frame = {.version = 1, .request_id = 1, .ops = &op, .ops_count = 1};
    send(index, &frame);
    answers_take();
    actor->is_lost = false;
    actor->is_cut = false;
    actor->grace_ms = 0;
}

static void begin_run(void)
{
    begin_registry();
    world.link_last = OBSERVER_LINK;
    EXPECT(registry_link_up(world.registry, OBSERVER_LINK, bytes_of_string("uid:0")), "no link");
}

void world_begin(void)
{
    memset(&world, 0, sizeof world);
    world.now_ms = 1;
    world.epoch = 1;
    begin_run();
    for (uint32_t actor = 0; actor < ACTORS; actor++) {
        open_session(actor, false);
    }
}

/* ---- requests ---- */

static struct bytes key_name(uint32_t key)
{
    static const char *const names[KEYS] = {"k0", "k1"};
    return bytes_of_string(names[key]);
}

static struct bytes actor_name(uint32_t actor)
{
    static const char *const names[ACTORS + 1] = {"a", "b", "c", "d", ""};
    return bytes_of_string(names[actor]);
}

static void make_store(const struct ask *ask, struct op *op)
{
    const struct gen *gen = ask->event == EVENT_ADOPT ? &world.gens[ask->gen] : NULL;
    const bool has_ttl = gen != NULL ? gen->has_ttl : ask->mode == STORE_SUPERSEDE_TTL;
    op->as.store.policy = has_ttl ? POLICY_SUPERSEDE : POLICY_REJECT;
    op->as.store.ttl_ms = has_ttl ? (uint32_t) TTL_MS : 0;
    if (gen != NULL && gen->told[NOTICE_CANCEL] > 0) {
        op->as.store.cause_code = gen->cause;
        op->as.store.cause.actor = actor_name(gen->by);
    }
    if (gen != NULL) {
        op->gen = gen->number;
    }
}

static void make_op(const struct ask *ask, struct op *op, struct notice_ack *acks)
{
    static const enum op_kind kinds[EVENT_KINDS] = {
        [EVENT_STORE] = OP_STORE, [EVENT_DELETE] = OP_DELETE, [EVENT_POLL] = OP_POLL,
        [EVENT_ADOPT] = OP_ADOPT, [EVENT_CANCEL] = OP_CANCEL, [EVENT_WAIT] = OP_WAIT};
    op_clear(op, kinds[ask->event]);
    op->key = ask->event == EVENT_POLL ? (struct bytes){0} : key_name(ask->key);
    if (ask->event == EVENT_STORE || ask->event == EVENT_ADOPT) {
        make_store(ask, op);
    } else if (ask->event == EVENT_DELETE) {
        op->gen = world.gens[ask->gen].number;
        op->as.delete.outcome = OUTCOME_COMPLETED;
    } else if (ask->event == EVENT_CANCEL) {
        op->gen = ask->gen == NOBODY_GEN ? 0 : world.gens[ask->gen].number;
        op->as.cancel.cause.actor = actor_name(ask->actor);
        op->as.cancel.arm_ttl_ms = ask->mode == CANCEL_ARM ? (uint32_t) ARM_TTL_MS : 0;
        op->as.cancel.level = ask->mode == CANCEL_DELIVERED ? LEVEL_DELIVERED : LEVEL_RECORDED;
        op->as.cancel.deadline_ms = ask->mode == CANCEL_DELIVERED ? (uint32_t) DEADLINE_TIME_MS : 0;
    } else if (ask->event == EVENT_WAIT) {
        op->as.wait.until = UNTIL_ENDED;
        op->as.wait.deadline_ms = (uint32_t) DEADLINE_TIME_MS;
    } else {
        for (uint32_t i = 0; i < ask->acks_count; i++) {
            acks[i] = (struct notice_ack){world.gens[ask->acks[i] / NOTICE_END].number,
                                          ask->acks[i] % NOTICE_END};
        }
        op->as.poll.acks = acks;
        op->as.poll.acks_count = ask->acks_count;
        op->as.poll.after = ask->after;
        op->as.poll.wait_ms = POLL_MS_MAX;
    }
}

static uint64_t digest_of(const struct ask *ask)
{
    return ask->event + 16u * ask->key + 64u * ask->mode + 1024u * ask->gen + 1048576u * ask->id;
}

void ask_send(uint32_t index)
{
    const struct ask *ask = &world.asks[index];
    struct notice_ack acks[2 * GENS_MAX];
    struct op op;
    make_op(ask, &op, acks);
    uint64_t below = world.actors[ask->actor].last_id + 1;
    for (uint32_t i = 0; i < world.asks_count; i++) {
        if (world.asks[i].actor == ask->actor && world.asks[i].id < below) {
            below = world.asks[i].id;
        }
    }
    const struct frame frame = {.version = 1,
                                .session = world.actors[ask->actor].session,
                                .request_id = ask->id,
                                .answered_below = below,
                                .ops = &op,
                                .ops_count = 1,
                                .ops_digest = digest_of(ask)};
    send(ask->actor, &frame);
    settle();
}

static void ask(const struct move *event, uint8_t gen)
{
    EXPECT(world.asks_count < ASKS_MAX, "too many requests for the oracle");
    struct ask *asked = &world.asks[world.asks_count];
    *asked = (struct ask){.id = ++world.actors[event->actor].last_id,
                          .event = event->kind,
                          .actor = event->actor,
                          .key = event->key,
                          .mode = event->mode,
                          .gen = gen,
                          .lost = world.lose_next};
    world.lose_next = false;
    if (event->kind == EVENT_POLL) {
        asked->after = world.actors[event->actor].after;
        for (uint32_t i = 0; i < world.gens_count; i++) {
            for (uint32_t kind = NOTICE_CANCEL; kind < NOTICE_END; kind++) {
                if (world.gens[i].owner == event->actor && world.gens[i].unacked[kind]) {
                    asked->acks[asked->acks_count++] = (uint8_t) (i * NOTICE_END + kind);
                }
            }
        }
    }
    world.asks_count++;
    oracle_apply(asked);
    ask_send(world.asks_count - 1);
}

/* ---- which gen an event is about; NOBODY_GEN: there is none ---- */

static bool owner_has(const struct gen *gen, const struct move *event)
{
    return gen->key == event->key && gen->owner == event->actor && gen->known && !gen->finished;
}

static bool is_known(const struct gen *gen, const struct move *event)
{
    return gen->key == event->key && gen->known;
}

static bool is_to_adopt(const struct gen *gen, const struct move *event)
{
    return owner_has(gen, event) && gen->state == STATE_UNSET &&
           gen->number >> GEN_COUNTER_BITS < world.epoch && gen->ended_ms == 0;
}

/* Gens are in the order of their birth. `nth` from the newest. */
static uint8_t newest(const struct move *event, uint32_t nth,
                      bool (*is)(const struct gen *gen, const struct move *event))
{
    for (uint32_t i = world.gens_count; i > 0; i--) {
        if (is(&world.gens[i - 1], event) && nth-- == 0) {
            return (uint8_t) (i - 1);
        }
    }
    return NOBODY_GEN;
}

static uint8_t gen_of(const struct move *event)
{
    if (event->kind == EVENT_DELETE) {
        return newest(event, event->mode, owner_has);
    }
    if (event->kind == EVENT_ADOPT) {
        return newest(event, event->mode, is_to_adopt);
    }
    if (event->kind == EVENT_CANCEL && event->mode == CANCEL_NEWEST) {
        return newest(event, 0, is_known);
    }
    return event->kind == EVENT_CANCEL && event->mode == CANCEL_OLDER ? newest(event, 1, is_known)
                                                                      : NOBODY_GEN;
}

/* ---- events ---- */

static bool may_poll(uint32_t owner)
{
    bool parked = false;
    for (uint32_t i = 0; i < world.asks_count; i++) {
        parked = parked || (world.asks[i].event == EVENT_POLL && world.asks[i].actor == owner);
    }
    for (uint32_t i = 0; i < world.gens_count && parked; i++) {
        const struct gen *gen = &world.gens[i];
        if (gen->owner == owner && (gen->unacked[NOTICE_CANCEL] || gen->unacked[NOTICE_ENDED])) {
            return true;
        }
    }
    return !parked;
}

/* A wait whose answer waits for the journal is not asked again meanwhile: as a read it would be a second one,
 * with an answer of its own. */
static bool is_to_retry(const struct ask *ask)
{
    return ask->lost && (ask->event != EVENT_WAIT || !ask->decided || ask->emitted);
}

static bool has_lost(uint32_t actor)
{
    for (uint32_t i = 0; i < world.asks_count; i++) {
        if (world.asks[i].actor == actor && is_to_retry(&world.asks[i])) {
            return true;
        }
    }
    return false;
}

bool event_is_possible(const struct move *event)
{
    const struct actor *actor = &world.actors[event->actor];
    switch ((enum event_kind) event->kind) {
    case EVENT_STORE:
    case EVENT_WAIT:
        return !actor->is_cut;
    case EVENT_POLL:
        return !actor->is_cut && may_poll(event->actor);
    case EVENT_DELETE:
    case EVENT_ADOPT:
        return !actor->is_cut && gen_of(event) != NOBODY_GEN;
    case EVENT_CANCEL:
        return !actor->is_cut && ((event->mode != CANCEL_NEWEST && event->mode != CANCEL_OLDER) ||
                                  gen_of(event) != NOBODY_GEN);
    case EVENT_KEPT:
        return world.kept < world.log_count;
    case EVENT_CRASH:
        return !world.crashed && (event->mode == 0 || world.kept < world.log_count);
    case EVENT_LOSE:
        return !world.loss_used;
    case EVENT_RETRY:
        return !actor->is_cut && has_lost(event->actor);
    case EVENT_CUT:
        return !world.loss_used && !actor->is_cut;
    case EVENT_RESUME:
        return actor->is_cut;
    default:
        return true;
    }
}

static void again(uint32_t actor, bool only_lost)
{
    uint64_t id = 0; /* of the last one sent: those that are answered go from the list */
    for (uint32_t i = 0; i < world.asks_count; i++) {
        struct ask *asked = &world.asks[i];
        if (asked->actor != actor || asked->id <= id || (only_lost && !is_to_retry(asked))) {
            continue;
        }
        id = asked->id;
        const bool was_told = asked->emitted || !only_lost;
        asked->lost = false;
        asked->emitted = false;
        if (was_told) {
            oracle_again(asked);
        }
        ask_send(i);
        i = UINT32_MAX; /* from the beginning, behind this id */
    }
}

void world_keep(void)
{
    world.kept = world.log_count;
    registry_journal_kept(world.registry, world.kept, world.now_ms);
    oracle_decide_parked();
    settle();
}

/* Moment by moment: what is due happens then, and not a millisecond before. */
static void pass_time(void)
{
    const uint64_t end_ms = world.now_ms + STEP_MS;
    for (uint64_t next = oracle_next_ms(); next <= end_ms; next = oracle_next_ms()) {
        world.now_ms = next - 1;
        settle();
        oracle_advance(next);
        settle();
    }
    world.now_ms = end_ms;
    settle();
}

static struct journal_record record_of(const struct log_entry *entry)
{
    return (struct journal_record){.kind = JOURNAL_CANCEL,
                                   .space = bytes_of_string("default"),
                                   .key = key_name(entry->key),
                                   .gen = entry->gen,
                                   .by_owner = entry->by_owner,
                                   .cause = {.code = (enum cause_code) entry->cause,
                                             .actor = actor_name(entry->by),
                                             .peer = bytes_of_string("uid:1")}};
}

static void recover(void)
{
    for (uint32_t i = 0; i < world.gens_count; i++) {
        if (world.gens[i].recovered) {
            const struct log_entry entry = {.gen = world.gens[i].number,
                                            .key = world.gens[i].key,
                                            .cause = world.gens[i].cause,
                                            .by = world.gens[i].by,
                                            .by_owner = world.gens[i].repeats};
            const struct journal_record record = record_of(&entry);
            EXPECT(registry_recover(world.registry, &record), "a record is not taken");
        }
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        if (world.arms[key].due_ms != 0) {
            const struct log_entry entry = {
                .key = (uint8_t) key, .cause = CAUSE_USER, .by = world.arms[key].by};
            struct journal_record record = record_of(&entry);
            record.kind = JOURNAL_ARM;
            record.ttl_ms = ARM_TTL_MS;
            EXPECT(registry_recover(world.registry, &record), "an arm is not taken");
        }
    }
}

static void crash(uint32_t kept)
{
    oracle_crash(kept);
    begin_run();
    recover();
    for (uint32_t actor = 0; actor < ACTORS; actor++) {
        open_session(actor, false);
    }
}

static void resume(uint32_t actor)
{
    const bool was_lost = world.actors[actor].is_lost;
    open_session(actor, !was_lost);
    if (!was_lost) {
        again(actor, false);
    }
}

void event_apply(const struct move *event)
{
    switch ((enum event_kind) event->kind) {
    case EVENT_TIME:
        pass_time();
        break;
    case EVENT_KEPT:
        world_keep();
        break;
    case EVENT_CRASH:
        crash(event->mode == 0 ? world.kept : world.log_count);
        break;
    case EVENT_LOSE:
        world.loss_used = true;
        world.lose_next = true;
        break;
    case EVENT_RETRY:
        again(event->actor, true);
        break;
    case EVENT_CUT:
        world.loss_used = true;
        oracle_cut(event->actor);
        registry_link_down(world.registry, world.actors[event->actor].link, world.now_ms);
        world.actors[event->actor].link = 0;
        settle();
        break;
    case EVENT_RESUME:
        resume(event->actor);
        break;
    default: {
        const uint8_t gen = gen_of(event);
        if (event->kind == EVENT_DELETE) {
            world.gens[gen].finished = true;
        }
        ask(event, gen);
    }
    }
    answers_check_silence();
}

/* ---- their names ---- */

static const struct {
    const char *name;
    uint8_t actor_first, actors, keys, modes;
} kinds[EVENT_KINDS] = {[EVENT_STORE] = {"store", 0, OWNERS, KEYS, STORE_MODES},
                        [EVENT_DELETE] = {"delete", 0, OWNERS, KEYS, 2},
                        [EVENT_POLL] = {"poll", 0, OWNERS, 1, 1},
                        [EVENT_ADOPT] = {"adopt", 0, OWNERS, KEYS, 2},
                        [EVENT_CANCEL] = {"cancel", OWNERS, CANCELLERS, KEYS, CANCEL_MODES},
                        [EVENT_WAIT] = {"wait", OWNERS, CANCELLERS, KEYS, 1},
                        [EVENT_TIME] = {"time", 0, 1, 1, 1},
                        [EVENT_KEPT] = {"kept", 0, 1, 1, 1},
                        [EVENT_CRASH] = {"crash", 0, 1, 1, 2},
                        [EVENT_LOSE] = {"lose", 0, 1, 1, 1},
                        [EVENT_RETRY] = {"retry", 0, ACTORS, 1, 1},
                        [EVENT_CUT] = {"cut", 0, ACTORS, 1, 1},
                        [EVENT_RESUME] = {"resume", 0, ACTORS, 1, 1}};

static bool is_core(uint8_t kind, uint8_t mode)
{
    static const uint8_t core[EVENT_KINDS] = {[EVENT_STORE] = 1u << STORE_SUPERSEDE_TTL,
                                              [EVENT_DELETE] = 1u << 0,
                                              [EVENT_POLL] = 1u << 0,
                                              [EVENT_ADOPT] = 1u << 0,
                                              [EVENT_CANCEL] =
                                                  1u << CANCEL_NEWEST | 1u << CANCEL_ARM,
                                              [EVENT_TIME] = 1u << 0,
                                              [EVENT_KEPT] = 1u << 0,
                                              [EVENT_CRASH] = 1u << 0,
                                              [EVENT_LOSE] = 1u << 0,
                                              [EVENT_RETRY] = 1u << 0};
    return (core[kind] >> mode & 1u) != 0;
}

void events_make(enum scope scope)
{
    events_count = 0;
    for (uint8_t kind = 0; kind < EVENT_KINDS; kind++) {
        const uint32_t all = (uint32_t) kinds[kind].actors * kinds[kind].keys * kinds[kind].modes;
        for (uint32_t i = 0; i < all; i++) {
            EXPECT(events_count < EVENTS_MAX, "too many events");
            if (scope == SCOPE_CORE && !is_core(kind, (uint8_t) (i % kinds[kind].modes))) {
                continue;
            }
            events[events_count++] =
                (struct move){.kind = kind,
                              .actor = (uint8_t) (kinds[kind].actor_first +
                                                  i / kinds[kind].modes / kinds[kind].keys),
                              .key = (uint8_t) (i / kinds[kind].modes % kinds[kind].keys),
                              .mode = (uint8_t) (i % kinds[kind].modes)};
        }
    }
}

bool event_is_in_scope(uint32_t kind)
{
    for (uint32_t i = 0; i < events_count; i++) {
        if (events[i].kind == kind) {
            return true;
        }
    }
    return false;
}

const char *event_kind_name(enum event_kind kind)
{
    return kinds[kind].name;
}

void event_print(const struct move *event)
{
    static const char *const modes[EVENT_KINDS][CANCEL_MODES] = {
        [EVENT_STORE] = {"REJECT", "SUPERSEDE with a ttl"},
        [EVENT_DELETE] = {"its newest", "the one before"},
        [EVENT_ADOPT] = {"its newest", "the one before"},
        [EVENT_CANCEL] = {"of the key", "of the newest gen", "of the gen before", "armed",
                          "DELIVERED"},
        [EVENT_CRASH] = {"what was not kept is lost", "all was kept after all"}};
    const char *mode = modes[event->kind][event->mode];
    (void) fprintf(stderr, "  %s of actor %c, key k%u %s\n", kinds[event->kind].name,
                   'a' + event->actor, event->key, mode == NULL ? "" : mode);
}
