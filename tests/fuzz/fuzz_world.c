/* SPDX-License-Identifier: MIT */
#include "fuzz_world.h"

#include "testing.h"
#include "wire/codec.h"

#include <string.h>

#define ADVANCES_MAX 100000

/* ---- what was promised ---- */

static uint64_t name_of(struct bytes space, struct bytes key)
{
    static const struct siphash_key by = {.k0 = 3, .k1 = 5};
    return siphash24(&by, space) ^ (siphash24(&by, key) * 31);
}

static struct world_seen *seen_of(struct world *world, uint64_t gen, uint64_t name)
{
    for (size_t i = 0; i < world->seen_count; i++) {
        if (world->seen[i].gen == gen && world->seen[i].name == name) {
            return &world->seen[i];
        }
    }
    if (world->seen_count == WORLD_SEEN) {
        return NULL;
    }
    struct world_seen *seen = &world->seen[world->seen_count++];
    *seen = (struct world_seen){.gen = gen, .name = name, .state = STATE_LIVE};
    return seen;
}

/* `is_now`: as it stands, not as it once was. */
static void see(struct world *world, const struct world_seen *now, bool is_now)
{
    struct world_seen *before = seen_of(world, now->gen, now->name);
    if (before == NULL) {
        return;
    }
    CHECK(!is_now || now->state >= before->state);
    CHECK(before->cause == CAUSE_UNSET || now->cause == CAUSE_UNSET || now->cause == before->cause);
    before->state = now->state > before->state ? now->state : before->state;
    before->cause = before->cause == CAUSE_UNSET ? now->cause : before->cause;
}

static void see_operations(struct world *world, const struct result *result)
{
    for (size_t i = 0; i < result->operations_count; i++) {
        const struct operation_info *info = &result->operations[i];
        CHECK(info->state != STATE_CANCELLING || info->cause.code != CAUSE_UNSET);
        see(world,
            &(struct world_seen){.gen = info->gen,
                                 .name = name_of(info->space, info->key),
                                 .state = info->state,
                                 .cause = info->cause.code},
            true);
    }
}

static void see_notices(struct world *world, const struct result *result)
{
    uint64_t number = 0;
    for (size_t i = 0; i < result->notices_count; i++) {
        const struct notice *notice = &result->notices[i];
        CHECK(notice->number > number);
        number = notice->number;
        see(world,
            &(struct world_seen){.gen = notice->gen,
                                 .name = name_of(notice->space, notice->key),
                                 .state =
                                     notice->kind == NOTICE_ENDED ? STATE_ENDED : STATE_CANCELLING,
                                 .cause = notice->cause.code},
            false);
    }
}

static void see_gen(struct world *world, uint64_t gen)
{
    CHECK(gen > world->gen_last);
    world->gen_last = gen;
    world->gens[world->gens_count++ % WORLD_GENS] = gen;
}

static void see_opened(struct world *world, const struct opened *opened)
{
    for (size_t i = 0; i < WORLD_SESSIONS; i++) {
        if (world->sessions[i].number == opened->session) {
            CHECK(opened->resumed);
            return;
        }
    }
    struct world_session *session = &world->sessions[world->sessions_count++ % WORLD_SESSIONS];
    *session = (struct world_session){.number = opened->session, .id_next = 1};
    memcpy(session->secret, opened->secret, SECRET_BYTES);
}

/* ---- the port ---- */

static void port_send(void *context, const struct reply_to *to, struct bytes reply)
{
    struct world *world = context;
    CHECK(reply.size > 0 && reply.size <= FRAME_BYTES_MAX);
    CHECK(to->link >= 1 && to->link <= WORLD_LINKS);
    world->counts.replies++;
}

static size_t port_result(void *context, const struct result *result, uint8_t *out, size_t room)
{
    struct world *world = context;
    CHECK(result->answer > ANSWER_UNSET && result->answer < ANSWER_END);
    CHECK_EQ(result->answer == ANSWER_ERROR, result->error.code != ERROR_UNSET);
    if (result->answer == ANSWER_STORED || result->answer == ANSWER_BORN_CANCELLED) {
        see_gen(world, result->gen);
    }
    if (result->opened != NULL) {
        see_opened(world, result->opened);
    }
    see_operations(world, result);
    see_notices(world, result);
    const size_t size = codec_result(NULL, result, out, room);
    CHECK(size > 0 || result->answer != ANSWER_NOT_APPLIED || room < 4);
    world->counts.results++;
    return size;
}

static bool port_next_epoch(void *context, uint64_t *epoch_out)
{
    struct world *world = context;
    if (world->epochs_end) {
        return false;
    }
    *epoch_out = ++world->epoch;
    return true;
}

static struct bytes keep_text(struct world *world, struct bytes text)
{
    if (text.size == 0) {
        return bytes_of(NULL, 0);
    }
    uint8_t *room = world->texts + world->texts_bytes;
    memcpy(room, text.data, text.size);
    world->texts_bytes += text.size;
    return bytes_of(room, text.size);
}

/* Where there is no room left the script ends: see world_advance(). */
static bool is_out_of_room(const struct world *world)
{
    return world->records_count == WORLD_RECORDS || world->texts_bytes > WORLD_TEXT_BYTES - 1024;
}

static void port_journal(void *context, const struct journal_record *record)
{
    struct world *world = context;
    world->records_given++;
    if (is_out_of_room(world)) {
        return;
    }
    struct world_record *copy = &world->records[world->records_count++];
    *copy = (struct world_record){.record = *record, .number = world->records_given};
    copy->record.space = keep_text(world, record->space);
    copy->record.key = keep_text(world, record->key);
    copy->record.label = keep_text(world, record->label);
    copy->record.cause.text = keep_text(world, record->cause.text);
    copy->record.cause.actor = keep_text(world, record->cause.actor);
    copy->record.cause.peer = keep_text(world, record->cause.peer);
}

static bool port_history(void *context, uint64_t ticket, const struct history_query *query)
{
    struct world *world = context;
    CHECK(query->items_max >= 1 && query->items_max <= HISTORY_ITEMS_MAX);
    if (world->history_fails) {
        return false;
    }
    world->ticket = ticket;
    return true;
}

static uint64_t port_pending(void *context)
{
    const struct world *world = context;
    return world->journal_is_full ? UINT64_C(1) << 40 : world->records_given - world->records_kept;
}

static size_t port_token(void *context, struct bytes token, uint8_t name_out[CAUSE_PEER_BYTES_MAX])
{
    static const char name[] = "token:ci";
    (void) context;
    if (token.size == 0 || token.data[0] != 't') {
        return 0;
    }
    memcpy(name_out, name, sizeof name - 1);
    return sizeof name - 1;
}

static uint32_t port_principal(void *context, struct bytes name)
{
    (void) context;
    return bytes_equal(name, bytes_of_string("token:ci")) ? 2 : 1;
}

static uint32_t port_roles(void *context, uint32_t principal, struct bytes space)
{
    const struct world *world = context;
    (void) space;
    return principal == 2 ? (uint32_t) ROLES_ALL : world->roles;
}

static void port_space_limits(void *context, struct bytes space, struct space_limits *limits)
{
    const struct world *world = context;
    if (space.size == 1 && world->roles != ROLES_ALL) {
        limits->operations = 3;
    }
}

/* ---- life ---- */

static struct limits small_limits(void)
{
    struct limits limits = limits_default();
    limits.operations = 48;
    limits.operations_namespace = 32;
    limits.operations_session = 24;
    limits.bytes = 65536;
    limits.namespaces = 4;
    limits.connections = WORLD_LINKS;
    limits.connections_unopened = WORLD_LINKS;
    limits.sessions = 6;
    limits.parked_session = 6;
    limits.parked = 16;
    limits.parked_gens = 32;
    limits.armed = 4;
    limits.labels = 8;
    limits.label_uses = 32;
    limits.bulks = 8;
    limits.covers = 8;
    limits.drains = 3;
    limits.watch_events = 16;
    limits.watch_bytes = 65536;
    limits.recovered = 32;
    limits.journal_bytes = 131072;
    limits.finished = 8;
    limits.replies_session_bytes = 65536;
    limits.replies_bytes = 131072;
    return limits;
}

static void registry_start(struct world *world, uint64_t recovery_ms)
{
    const struct registry_config config = {.limits = small_limits(),
                                           .epoch = world->epoch,
                                           .counter_first = 1,
                                           .table_key = {1, 2},
                                           .secret_key = {3, world->epoch}, /* new each start */
                                           .now_ms = world->now_ms,
                                           .recovery_ms = recovery_ms};
    const struct registry_port port = {.context = world,
                                       .send = port_send,
                                       .head = codec_head,
                                       .result = port_result,
                                       .next_epoch = port_next_epoch,
                                       .journal = port_journal,
                                       .history = port_history,
                                       .journal_pending = port_pending,
                                       .token = port_token,
                                       .principal = port_principal,
                                       .roles = port_roles,
                                       .space_limits = port_space_limits};
    world->registry = registry_new(&config, &port);
    CHECK(world->registry != NULL);
}

void world_begin(struct world *world, uint64_t recovery_ms)
{
    memset(world, 0, offsetof(struct world, records));
    world->records_count = 0;
    memset(&world->texts_bytes, 0, sizeof *world - offsetof(struct world, texts_bytes));
    world->epoch = 1;
    world->now_ms = 1000;
    world->roles = ROLES_ALL;
    registry_start(world, recovery_ms);
    world->links[0] = registry_link_up(world->registry, 1, bytes_of_string("uid:1"));
    CHECK(world->links[0]);
}

void world_end(struct world *world)
{
    registry_free(world->registry);
    world->registry = NULL;
}

void world_keep(struct world *world, uint64_t count)
{
    const uint64_t left = world->records_given - world->records_kept;
    world->records_kept += count < left ? count : left;
    registry_journal_kept(world->registry, world->records_kept, world->now_ms);
}

void world_advance(struct world *world, uint32_t budget)
{
    size_t count = 0;
    while (registry_advance(world->registry, world->now_ms, budget)) {
        CHECK_LT(count++, ADVANCES_MAX);
    }
    CHECK(registry_next_ms(world->registry) > world->now_ms);
    if (is_out_of_room(world)) {
        world_end(world);
    }
}

/* ---- the restart ---- */

static bool is_same_key(const struct journal_record *a, const struct journal_record *b)
{
    return bytes_equal(a->space, b->space) && bytes_equal(a->key, b->key);
}

/* Takes away what a later record has settled. */
static void settle(struct world *world, size_t records_count, const struct world_record *by)
{
    const struct journal_record *said = &by->record;
    for (size_t i = 0; i < records_count; i++) {
        struct journal_record *open = &world->records[i].record;
        const bool is_ended = said->kind == JOURNAL_END && open->kind == JOURNAL_CANCEL &&
                              open->gen == said->gen && is_same_key(open, said);
        const bool is_settled = said->kind == JOURNAL_BULK_SETTLED && open->kind == JOURNAL_BULK &&
                                world->records[i].number != 0 && open->bulk == said->bulk;
        const bool is_over = (said->kind == JOURNAL_ARM || said->kind == JOURNAL_ARM_USED ||
                              said->kind == JOURNAL_ARM_GONE) &&
                             open->kind == JOURNAL_ARM && is_same_key(open, said);
        if (is_ended || is_settled || is_over) {
            open->kind = JOURNAL_KIND_END;
        }
    }
}

/* Leaves what was kept and is unsettled, in its order. */
static void fold(struct world *world)
{
    size_t left = 0;
    for (size_t i = 0; i < world->records_count; i++) {
        struct world_record *record = &world->records[i];
        if (record->number <= world->records_kept) {
            settle(world, i, record);
        } else {
            record->record.kind = JOURNAL_KIND_END;
        }
    }
    for (size_t i = 0; i < world->records_count; i++) {
        struct world_record record = world->records[i];
        if (record.record.kind == JOURNAL_ARM_USED) {
            record.record.kind = JOURNAL_CANCEL;
        }
        if (record.record.kind == JOURNAL_CANCEL || record.record.kind == JOURNAL_BULK ||
            record.record.kind == JOURNAL_ARM) {
            record.number = 0;
            world->records[left++] = record;
        }
    }
    world->records_count = left;
}

/* An ARM_USED that was ended is a cancel that was ended. */
static void settle_used(struct world *world)
{
    for (size_t i = 0; i < world->records_count; i++) {
        if (world->records[i].record.kind == JOURNAL_ARM_USED) {
            for (size_t j = i + 1; j < world->records_count; j++) {
                const struct world_record *later = &world->records[j];
                if (later->record.kind == JOURNAL_END && later->number <= world->records_kept &&
                    later->record.gen == world->records[i].record.gen) {
                    world->records[i].record.kind = JOURNAL_ARM_GONE;
                }
            }
        }
    }
}

void world_restart(struct world *world, uint64_t recovery_ms)
{
    registry_free(world->registry);
    settle_used(world);
    fold(world);
    world->epoch++;
    world->records_given = 0;
    world->records_kept = 0;
    world->ticket = 0;
    world->seen_count = 0;
    memset(world->links, 0, sizeof world->links);
    registry_start(world, recovery_ms);
    for (size_t i = 0; i < world->records_count; i++) {
        const struct journal_record *record = &world->records[i].record;
        if (!registry_recover(world->registry, record)) {
            world_end(world); /* a bound: it would not start */
            return;
        }
        if (record->kind == JOURNAL_CANCEL) {
            see(world,
                &(struct world_seen){.gen = record->gen,
                                     .name = name_of(record->space, record->key),
                                     .state = STATE_CANCELLING,
                                     .cause = record->cause.code},
                false);
        }
    }
    registry_check(world->registry);
}
