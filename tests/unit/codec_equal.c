/* SPDX-License-Identifier: MIT */
#include "codec_equal.h"

#include "testing.h"

#include <string.h>

void codec_pair_init(struct codec_pair *pair)
{
    const struct siphash_key key = {.k0 = 7, .k1 = 11};
    *pair = (struct codec_pair){.quick = codec_new(&key), .general = codec_new(&key)};
    CHECK(pair->quick != NULL && pair->general != NULL);
}

void codec_pair_fini(struct codec_pair *pair)
{
    codec_free(pair->quick);
    codec_free(pair->general);
}

/* ---- each field ---- */

#define SAME(member) CHECK(a->member == b->member)

static void same_bytes(struct bytes a, struct bytes b)
{
    CHECK_BYTES_EQ(a.data, a.size, b.data, b.size);
    CHECK(a.size > 0 || (a.data == NULL && b.data == NULL));
}

static void same_cause(const struct cause *a, const struct cause *b)
{
    SAME(code);
    same_bytes(a->text, b->text);
    same_bytes(a->actor, b->actor);
    same_bytes(a->peer, b->peer);
}

static void same_labels(const struct labels *a, const struct labels *b)
{
    CHECK_EQ(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        same_bytes(a->items[i], b->items[i]);
    }
}

static void same_open(const struct op *a, const struct op *b)
{
    same_bytes(a->as.open.client_name, b->as.open.client_name);
    SAME(as.open.heartbeat_ms);
    SAME(as.open.resume_session);
    same_bytes(a->as.open.resume_secret, b->as.open.resume_secret);
    same_bytes(a->as.open.token, b->as.open.token);
}

static void same_store(const struct op *a, const struct op *b)
{
    SAME(as.store.policy);
    SAME(as.store.ttl_ms);
    SAME(as.store.on_expiry);
    SAME(as.store.stop_grace_ms);
    SAME(as.store.on_owner_loss);
    same_bytes(a->as.store.meta, b->as.store.meta);
    SAME(as.store.parent);
    same_labels(&a->as.store.labels, &b->as.store.labels);
    SAME(as.store.cause_code);
    same_cause(&a->as.store.cause, &b->as.store.cause);
    SAME(as.store.previous_session);
}

static void same_cancel(const struct op *a, const struct op *b)
{
    SAME(as.cancel.cause_code);
    same_cause(&a->as.cancel.cause, &b->as.cancel.cause);
    SAME(as.cancel.level);
    SAME(as.cancel.deadline_ms);
    SAME(as.cancel.arm_ttl_ms);
    SAME(as.cancel.after_gen);
    same_bytes(a->as.cancel.label, b->as.cancel.label);
    SAME(as.cancel.owner);
    SAME(as.cancel.whole_namespace);
}

static void same_delete(const struct op *a, const struct op *b)
{
    SAME(as.delete.outcome);
}

static void same_touch(const struct op *a, const struct op *b)
{
    SAME(as.touch.ttl_ms);
}

static void same_poll(const struct op *a, const struct op *b)
{
    SAME(as.poll.acks_count);
    for (size_t i = 0; i < a->as.poll.acks_count; i++) {
        SAME(as.poll.acks[i].gen);
        SAME(as.poll.acks[i].kind);
    }
    SAME(as.poll.after);
    SAME(as.poll.wait_ms);
}

static void same_wait(const struct op *a, const struct op *b)
{
    SAME(as.wait.until);
    SAME(as.wait.deadline_ms);
}

static void same_list(const struct op *a, const struct op *b)
{
    SAME(as.list.state);
    SAME(as.list.owner);
    SAME(as.list.cursor);
    SAME(as.list.page_size);
    same_labels(&a->as.list.labels, &b->as.list.labels);
    SAME(as.list.order);
}

static void same_watch(const struct op *a, const struct op *b)
{
    SAME(as.watch.epoch);
    SAME(as.watch.revision);
    SAME(as.watch.cursor);
    SAME(as.watch.wait_ms);
}

static void same_drain(const struct op *a, const struct op *b)
{
    SAME(as.drain.owner);
    SAME(as.drain.daemon);
    SAME(as.drain.deadline_ms);
    same_cause(&a->as.drain.cause, &b->as.drain.cause);
}

static void (*const same_of[OP_END])(const struct op *a, const struct op *b) = {
    [OP_OPEN] = same_open,     [OP_STORE] = same_store,   [OP_ADOPT] = same_store,
    [OP_CANCEL] = same_cancel, [OP_DELETE] = same_delete, [OP_TOUCH] = same_touch,
    [OP_POLL] = same_poll,     [OP_WAIT] = same_wait,     [OP_LIST] = same_list,
    [OP_COUNT] = same_list,    [OP_ARMED] = same_list,    [OP_HISTORY] = same_list,
    [OP_WATCH] = same_watch,   [OP_DRAIN] = same_drain,   [OP_UNDRAIN] = same_drain,
};

/* A list of nothing may have an address or none; and a cause has a hole, which may hold anything: its members
 * were compared. */
static struct op without_holes(const struct op *op)
{
    struct op copy;
    memcpy(&copy, op, sizeof copy);
    if ((op->kind == OP_STORE || op->kind == OP_ADOPT) && op->as.store.labels.count == 0) {
        copy.as.store.labels.items = NULL;
    }
    if ((op->kind == OP_LIST || op->kind == OP_COUNT) && op->as.list.labels.count == 0) {
        copy.as.list.labels.items = NULL;
    }
    if (op->kind == OP_POLL && op->as.poll.acks_count == 0) {
        copy.as.poll.acks = NULL;
    }
    if (op->kind == OP_STORE || op->kind == OP_ADOPT) {
        memset(&copy.as.store.cause, 0, sizeof copy.as.store.cause);
    } else if (op->kind == OP_CANCEL) {
        memset(&copy.as.cancel.cause, 0, sizeof copy.as.cancel.cause);
    } else if (op->kind == OP_DRAIN || op->kind == OP_UNDRAIN) {
        memset(&copy.as.drain.cause, 0, sizeof copy.as.drain.cause);
    }
    return copy;
}

/* Where one has left the room of another kind of op untouched the other has too. */
static void same_zeroes(const struct op *a, const struct op *b)
{
    const struct op copies[2] = {without_holes(a), without_holes(b)};
    uint64_t words[2][sizeof(struct op) / 8];
    memcpy(words, copies, sizeof words);
    for (size_t i = 0; i < sizeof(struct op) / 8; i++) {
        CHECK_EQ(words[0][i] == 0, words[1][i] == 0);
    }
}

static void same_op(const struct op *a, const struct op *b)
{
    CHECK_EQ(a->kind, b->kind);
    SAME(gen);
    same_bytes(a->space, b->space);
    same_bytes(a->key, b->key);
    if (same_of[a->kind] != NULL) {
        same_of[a->kind](a, b);
    }
    same_zeroes(a, b);
}

bool codec_pair_agree(const struct codec_pair *pair, struct bytes body, struct frame *frame_out)
{
    struct frame general;
    if (!codec_decode_quick(pair->quick, body, frame_out)) {
        return false;
    }
    CHECK_EQ(codec_decode_general(pair->general, body, &general), ERROR_UNSET);
    const struct frame *a = frame_out;
    const struct frame *b = &general;
    SAME(version);
    SAME(session);
    SAME(request_id);
    SAME(answered_below);
    CHECK_EQ(a->answered_count, b->answered_count);
    for (size_t i = 0; i < a->answered_count; i++) {
        SAME(answered[i]);
    }
    CHECK_BYTES_EQ(a->secret.data, a->secret.size, b->secret.data, b->secret.size);
    SAME(ops_digest);
    CHECK_EQ(a->ops_count, b->ops_count);
    for (size_t i = 0; i < a->ops_count; i++) {
        same_op(&a->ops[i], &b->ops[i]);
    }
    return true;
}
