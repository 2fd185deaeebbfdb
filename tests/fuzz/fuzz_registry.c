/* SPDX-License-Identifier: MIT */
/* For libFuzzer: the input is a script of what clients, links, the clock and the journal do to the real
 * registry, kills and restarts included. Its invariants are checked as it goes and at the end, and its answers
 * are held against what it promised before: see fuzz_world.h. */
#include "fuzz_cursor.h"
#include "fuzz_world.h"
#include "testing.h"

#include <string.h>

#define STEPS_MAX 200
#define OPS_MAX 6
#define CHECK_EVERY_MAX 128 /* steps: the input says how often the invariants are checked */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world world;

static const uint32_t spans_ms[] = {0, 1, 60, 100, 1000, 5000, 25000, 60000, 86400000};
#define SPANS (sizeof spans_ms / sizeof spans_ms[0])

/* ---- ops ---- */

static uint32_t span(struct fuzz_cursor *cursor)
{
    return spans_ms[fuzz_below(cursor, SPANS)];
}

static struct bytes make_key(struct fuzz_cursor *cursor)
{
    static const char keys[] = "abcd";
    const uint32_t which = fuzz_below(cursor, 6);
    return which < 4    ? bytes_of(keys + which, 1)
           : which == 4 ? fuzz_bytes(cursor, KEY_BYTES_MAX + 1)
                        : bytes_of(keys, 0);
}

static struct bytes make_space(struct fuzz_cursor *cursor)
{
    static const char spaces[] = "xyz";
    const uint32_t which = fuzz_below(cursor, 8);
    return which < 5   ? bytes_of(spaces, 0)
           : which < 7 ? bytes_of(&spaces[which - 5], 1)
                       : fuzz_bytes(cursor, NAMESPACE_BYTES_MAX + 1);
}

/* 0, one that was given out, the next one, or anything. */
static uint64_t make_gen(struct fuzz_cursor *cursor)
{
    const uint32_t which = fuzz_below(cursor, WORLD_GENS + 4);
    return which < WORLD_GENS        ? world.gens[which]
           : which == WORLD_GENS     ? world.gen_last + 1
           : which == WORLD_GENS + 1 ? fuzz_number(cursor)
                                     : 0;
}

static uint64_t make_session(struct fuzz_cursor *cursor)
{
    const uint32_t which = fuzz_below(cursor, WORLD_SESSIONS + 2);
    return which < WORLD_SESSIONS ? world.sessions[which].number : which - WORLD_SESSIONS;
}

static struct labels make_labels(struct fuzz_cursor *cursor)
{
    static const char names[] = "lmnopqrst";
    static struct bytes items[OPS_MAX * 10];
    static size_t used;
    const uint32_t count = fuzz_below(cursor, 12);
    used = used + count > sizeof items / sizeof items[0] ? 0 : used;
    const size_t first = used;
    for (uint32_t i = 0; i < count; i++) {
        items[used++] = bytes_of(names + fuzz_below(cursor, 9), 1);
    }
    return (struct labels){.items = items + first, .count = count};
}

static struct cause make_cause(struct fuzz_cursor *cursor)
{
    return (struct cause){.text = fuzz_bytes(cursor, CAUSE_TEXT_BYTES_MAX + 1),
                          .actor = fuzz_bytes(cursor, CAUSE_ACTOR_BYTES_MAX + 1)};
}

static void make_open(struct fuzz_cursor *cursor, struct op *op)
{
    const uint32_t which = fuzz_below(cursor, WORLD_SESSIONS * 2);
    op->as.open.heartbeat_ms = span(cursor);
    op->as.open.token = fuzz_bytes(cursor, 4);
    if (which < WORLD_SESSIONS) {
        op->as.open.resume_session = world.sessions[which].number;
        op->as.open.resume_secret = bytes_of(world.sessions[which].secret, SECRET_BYTES);
    }
}

static void make_store(struct fuzz_cursor *cursor, struct op *op)
{
    const uint8_t flags = fuzz_byte(cursor);
    op->as.store.policy = flags & 3;
    op->as.store.on_expiry = flags >> 2 & 1;
    op->as.store.on_owner_loss = flags >> 3 & 1;
    op->as.store.ttl_ms = (flags & 16) != 0 ? span(cursor) : 0;
    op->as.store.stop_grace_ms = (flags & 32) != 0 ? span(cursor) : 0;
    if ((flags & 64) != 0) {
        op->as.store.parent = make_gen(cursor);
        op->as.store.meta = fuzz_bytes(cursor, META_BYTES_MAX + 1);
    }
    if ((flags & 128) != 0) {
        op->as.store.labels = make_labels(cursor);
    }
}

static void make_adopt(struct fuzz_cursor *cursor, struct op *op)
{
    make_store(cursor, op);
    op->gen = make_gen(cursor);
    op->as.store.cause_code = fuzz_below(cursor, CAUSE_END + 1);
    op->as.store.previous_session = make_session(cursor);
}

static void make_cancel(struct fuzz_cursor *cursor, struct op *op)
{
    const uint8_t flags = fuzz_byte(cursor);
    op->gen = (flags & 1) != 0 ? make_gen(cursor) : 0;
    op->as.cancel.level = flags >> 1 & 3;
    op->as.cancel.deadline_ms = (flags & 8) != 0 ? span(cursor) : 0;
    op->as.cancel.arm_ttl_ms = (flags & 16) != 0 ? span(cursor) : 0;
    op->as.cancel.after_gen = (flags & 32) != 0 ? make_gen(cursor) : 0;
    if ((flags & 64) != 0) {
        const uint32_t which = fuzz_below(cursor, 4);
        op->key = which < 3 ? bytes_of(NULL, 0) : op->key;
        op->as.cancel.label = which == 0 ? bytes_of_string("l") : bytes_of(NULL, 0);
        op->as.cancel.owner = which == 1 ? make_session(cursor) : 0;
        op->as.cancel.whole_namespace = which >= 2;
    }
    if ((flags & 128) != 0) {
        op->as.cancel.cause_code = fuzz_below(cursor, CAUSE_END + 1);
        op->as.cancel.cause = make_cause(cursor);
    }
}

static void make_delete(struct fuzz_cursor *cursor, struct op *op)
{
    op->gen = make_gen(cursor);
    op->as.delete.outcome = fuzz_below(cursor, OUTCOME_END + 1);
}

static void make_touch(struct fuzz_cursor *cursor, struct op *op)
{
    op->gen = make_gen(cursor);
    op->as.touch.ttl_ms = span(cursor);
}

static void make_poll(struct fuzz_cursor *cursor, struct op *op)
{
    static struct notice_ack acks[8];
    op->as.poll.acks = acks;
    op->as.poll.acks_count = fuzz_below(cursor, 8);
    for (size_t i = 0; i < op->as.poll.acks_count; i++) {
        acks[i] = (struct notice_ack){.gen = make_gen(cursor), .kind = fuzz_below(cursor, 4)};
    }
    op->as.poll.after = fuzz_number(cursor);
    op->as.poll.wait_ms = span(cursor);
}

static void make_wait(struct fuzz_cursor *cursor, struct op *op)
{
    op->gen = make_gen(cursor);
    op->as.wait.until = fuzz_below(cursor, 4);
    op->as.wait.deadline_ms = span(cursor);
}

static void make_gen_alone(struct fuzz_cursor *cursor, struct op *op)
{
    op->gen = make_gen(cursor);
}

static void make_list(struct fuzz_cursor *cursor, struct op *op)
{
    op->as.list.state = fuzz_below(cursor, STATE_END + 1);
    op->as.list.owner = make_session(cursor);
    op->as.list.cursor = make_gen(cursor);
    op->as.list.page_size = fuzz_below(cursor, 8);
    op->as.list.labels = make_labels(cursor);
    op->as.list.order = fuzz_below(cursor, 4);
}

static void make_watch(struct fuzz_cursor *cursor, struct op *op)
{
    op->as.watch.epoch = fuzz_bool(cursor) ? world.epoch : 0;
    op->as.watch.revision = fuzz_number(cursor);
    op->as.watch.cursor = make_gen(cursor);
    op->as.watch.wait_ms = span(cursor);
}

static void make_drain(struct fuzz_cursor *cursor, struct op *op)
{
    const uint8_t flags = fuzz_byte(cursor);
    op->as.drain.daemon = (flags & 1) != 0;
    op->as.drain.owner = (flags & 2) != 0 ? make_session(cursor) : 0;
    op->as.drain.deadline_ms = (flags & 4) != 0 ? span(cursor) : 0;
    op->as.drain.cause = (flags & 8) != 0 ? make_cause(cursor) : (struct cause){0};
}

static void (*const makes[OP_END])(struct fuzz_cursor *cursor, struct op *op) = {
    [OP_OPEN] = make_open,     [OP_STORE] = make_store,      [OP_CANCEL] = make_cancel,
    [OP_DELETE] = make_delete, [OP_TOUCH] = make_touch,      [OP_POLL] = make_poll,
    [OP_WAIT] = make_wait,     [OP_GET] = make_gen_alone,    [OP_LIST] = make_list,
    [OP_COUNT] = make_list,    [OP_ARMED] = make_list,       [OP_ADOPT] = make_adopt,
    [OP_WATCH] = make_watch,   [OP_DETACH] = make_gen_alone, [OP_DRAIN] = make_drain,
    [OP_UNDRAIN] = make_drain, [OP_HISTORY] = make_list,
};

static void make_op(struct fuzz_cursor *cursor, struct op *op)
{
    op_clear(op, (enum op_kind) fuzz_below(cursor, OP_END));
    op->space = make_space(cursor);
    op->key = make_key(cursor);
    if (makes[op->kind] != NULL) {
        makes[op->kind](cursor, op);
    }
}

/* ---- steps ---- */

static uint64_t make_link(struct fuzz_cursor *cursor)
{
    return 1 + fuzz_below(cursor, WORLD_LINKS);
}

/* An id that is new, or was used before. */
static void make_head(struct fuzz_cursor *cursor, struct frame *frame)
{
    const uint32_t which = fuzz_below(cursor, WORLD_SESSIONS + 2);
    frame->version = 1;
    if (which >= WORLD_SESSIONS) {
        frame->request_id = 1;
        return;
    }
    struct world_session *session = &world.sessions[which];
    const uint8_t flags = fuzz_byte(cursor);
    frame->session = session->number;
    frame->request_id = session->id_next - ((flags & 7) == 1 ? 1 : 0);
    session->id_next += (flags & 7) != 1;
    frame->answered_below = (flags & 8) != 0 ? session->id_next : 0;
    frame->secret = (flags & 16) != 0 ? bytes_of(session->secret, SECRET_BYTES) : bytes_of(NULL, 0);
    frame->version += (flags & 0xe0) == 0xe0;
}

static void do_frame(struct fuzz_cursor *cursor)
{
    static struct op ops[OPS_MAX];
    static uint64_t answered[2];
    struct frame frame = {.ops = ops};
    const uint8_t shape = fuzz_byte(cursor);
    const struct reply_to from = {.link = make_link(cursor), .route_words = 1};
    make_head(cursor, &frame);
    frame.ops_count = (shape & 1) == 0 ? 1 : (shape >> 1) % (OPS_MAX + 1U);
    for (size_t i = 0; i < frame.ops_count; i++) {
        make_op(cursor, &ops[i]);
    }
    if ((shape & 0x80) != 0) {
        answered[0] = fuzz_number(cursor);
        frame.answered = answered;
        frame.answered_count = 1;
    }
    frame.ops_digest = frame.ops_count * OP_END + (frame.ops_count > 0 ? ops[0].kind : 0);
    if (world.links[from.link - 1]) {
        registry_frame(world.registry, &from, &frame, world.now_ms);
    }
}

static void do_time(struct fuzz_cursor *cursor)
{
    const uint64_t next_ms = registry_next_ms(world.registry);
    const uint32_t which = fuzz_below(cursor, SPANS + 2);
    if (which < SPANS) {
        world.now_ms += spans_ms[which];
    } else if (next_ms != TIME_NEVER && next_ms > world.now_ms) {
        world.now_ms = next_ms - (which == SPANS ? 0 : 1);
    }
}

static void do_link(struct fuzz_cursor *cursor)
{
    static const char *const peers[] = {"uid:1", "", "tcp:127.0.0.1"};
    const uint64_t link = make_link(cursor);
    bool *is_up = &world.links[link - 1];
    if (*is_up) {
        registry_link_down(world.registry, link, world.now_ms);
        *is_up = false;
    } else {
        *is_up = registry_link_up(world.registry, link, bytes_of_string(peers[link % 3]));
    }
}

static void do_pause(struct fuzz_cursor *cursor)
{
    const uint64_t link = make_link(cursor);
    if (world.links[link - 1]) {
        registry_link_paused(world.registry, link, fuzz_bool(cursor), world.now_ms);
    }
}

static void do_keep(struct fuzz_cursor *cursor)
{
    world_keep(&world, 1 + fuzz_byte(cursor));
}

static void do_fail(struct fuzz_cursor *cursor)
{
    world.journal_is_full = fuzz_bool(cursor);
    world.history_fails = fuzz_bool(cursor);
    world.epochs_end = fuzz_bool(cursor);
    if (world.records_given > world.records_kept) {
        registry_journal_failed(world.registry, world.now_ms);
    }
}

static void do_history(struct fuzz_cursor *cursor)
{
    struct history_entry entries[2] = {{.kind = HISTORY_CANCEL, .gen = 5}, {.kind = HISTORY_ARM}};
    const uint32_t count = fuzz_below(cursor, 3);
    if (world.ticket == 0) {
        return;
    }
    entries[0].space = bytes_of_string("x");
    entries[0].key = make_key(cursor);
    registry_history(world.registry, world.ticket, entries, count, fuzz_number(cursor),
                     fuzz_bool(cursor), world.now_ms);
    world.ticket = 0;
}

static void do_rights(struct fuzz_cursor *cursor)
{
    world.roles = fuzz_byte(cursor) & ROLES_ALL;
    registry_rights_changed(world.registry);
}

static void do_restart(struct fuzz_cursor *cursor)
{
    world_restart(&world, spans_ms[fuzz_below(cursor, 6)]);
}

static void do_stop(struct fuzz_cursor *cursor)
{
    if (fuzz_byte(cursor) == 0xff) {
        registry_shut_down(world.registry, world.now_ms);
    }
}

static void (*const steps[])(struct fuzz_cursor *cursor) = {
    do_frame, do_frame, do_frame,   do_frame,  do_frame,   do_time, do_link,
    do_pause, do_keep,  do_history, do_rights, do_restart, do_stop, do_fail,
};

/* Most steps are followed by all that is due; some leave work half done. */
static void play(struct fuzz_cursor *cursor)
{
    const uint8_t what = fuzz_byte(cursor);
    const size_t kinds = sizeof steps / sizeof steps[0];
    steps[what % kinds](cursor);
    if (world.registry == NULL) {
        return;
    }
    if (what / kinds % 8 == 1) {
        (void) !registry_advance(world.registry, world.now_ms, 1);
    } else {
        world_advance(&world, 1 + what % 4);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cursor cursor = fuzz_cursor_of(data, size);
    const uint8_t mode = fuzz_byte(&cursor);
    const size_t check_every = (size_t) CHECK_EVERY_MAX >> (mode / 6 % 8);
    const struct stat_row *rows;
    world_begin(&world, spans_ms[mode % 6]);
    for (size_t i = 0; i < STEPS_MAX && cursor.left > 0 && world.registry != NULL; i++) {
        play(&cursor);
        if (i % check_every == check_every - 1 && world.registry != NULL) {
            registry_check(world.registry);
        }
    }
    if (world.registry != NULL) {
        registry_check(world.registry);
        CHECK_LE(registry_stats(world.registry, &rows), STATS_MAX);
        world_end(&world);
    }
    return 0;
}
