/* SPDX-License-Identifier: MIT */
/* A request's way in: first a scan of its top level, which costs no memory and finds what has to be
 * refused or echoed; then protobuf-c's decoder, whose every allocation comes from the arena; then
 * one flat struct op for each of its trees.
 *
 * protobuf-c can make 70 bytes of memory from one byte of a hostile message. So the arena's bound
 * is in proportion to the message, with an allowance for each op and for the one list an op can
 * bring: no frame within the contract's limits can exceed it, however small its ops are, and none
 * at all can exceed the block. */
#include "wire/codec.h"

#include "wire/arena.h"
#include "wire/prescan.h"

#include "canceld.pb-c.h"

#include <stdlib.h>

#define PROTOCOL_VERSION 1

struct codec {
    struct arena arena;
    struct siphash_key digest_key;
    ProtobufCAllocator allocator; /* of the arena */
    struct op ops[FRAME_OPS_MAX];
};

/* ---- one op ---- */

static struct bytes taken(ProtobufCBinaryData data)
{
    return bytes_of(data.len == 0 ? NULL : data.data, data.len);
}

static struct cause taken_cause(const Canceld__V1__Cause *cause)
{
    return (struct cause){
        .text = taken(cause->text), .actor = taken(cause->actor), .peer = taken(cause->peer)};
}

static bool take_open(struct codec *codec, const Canceld__V1__Op *from, struct op *op)
{
    (void) codec;
    const Canceld__V1__Open *open = from->open;
    op->space = taken(open->namespace_);
    op->as.open.client_name = taken(open->client_name);
    op->as.open.heartbeat_ms = open->heartbeat_ms;
    op->as.open.resume_session = open->resume_session;
    op->as.open.resume_secret = taken(open->resume_secret);
    return true;
}

static bool take_store(struct codec *codec, const Canceld__V1__Op *from, struct op *op)
{
    (void) codec;
    const Canceld__V1__Store *store = from->store;
    op->space = taken(store->namespace_);
    op->key = taken(store->key);
    op->as.store.policy = (uint32_t) store->policy;
    op->as.store.ttl_ms = store->ttl_ms;
    op->as.store.on_expiry = (uint32_t) store->on_expiry;
    op->as.store.stop_grace_ms = store->stop_grace_ms;
    op->as.store.on_owner_loss = (uint32_t) store->on_owner_loss;
    op->as.store.meta = taken(store->meta);
    return true;
}

static bool take_cancel(struct codec *codec, const Canceld__V1__Op *from, struct op *op)
{
    (void) codec;
    const Canceld__V1__Cancel *cancel = from->cancel;
    op->space = taken(cancel->namespace_);
    op->key = taken(cancel->key);
    op->gen = cancel->gen;
    if (cancel->cause != NULL) {
        op->as.cancel.cause_code = (uint32_t) cancel->cause->code;
        op->as.cancel.cause = taken_cause(cancel->cause);
    }
    op->as.cancel.level = (uint32_t) cancel->level;
    op->as.cancel.deadline_ms = cancel->deadline_ms;
    op->as.cancel.arm_ttl_ms = cancel->arm_ttl_ms;
    op->as.cancel.after_gen = cancel->after_gen;
    return true;
}

static bool take_delete(struct codec *codec, const Canceld__V1__Op *from, struct op *op)
{
    (void) codec;
    op->space = taken(from->delete_->namespace_);
    op->key = taken(from->delete_->key);
    op->gen = from->delete_->gen;
    op->as.delete.outcome = (uint32_t) from->delete_->outcome;
    return true;
}

static bool take_touch(struct codec *codec, const Canceld__V1__Op *from, struct op *op)
{
    (void) codec;
    op->space = taken(from->touch->namespace_);
    op->key = taken(from->touch->key);
    op->gen = from->touch->gen;
    op->as.touch.ttl_ms = from->touch->ttl_ms;
    return true;
}

static bool take_poll(struct codec *codec, const Canceld__V1__Op *from, struct op *op)
{
    const Canceld__V1__Poll *poll = from->poll;
    const size_t count = poll->n_acks > POLL_ACKS_MAX ? POLL_ACKS_MAX + 1 : poll->n_acks;
    struct notice_ack *acks = arena_take(&codec->arena, count * sizeof *acks);
    if (acks == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        acks[i] =
            (struct notice_ack){.gen = poll->acks[i]->gen, .kind = (uint32_t) poll->acks[i]->kind};
    }
    op->as.poll.acks = acks;
    op->as.poll.acks_count = count;
    op->as.poll.after = poll->after;
    op->as.poll.wait_ms = poll->wait_ms;
    return true;
}

static bool take_wait(struct codec *codec, const Canceld__V1__Op *from, struct op *op)
{
    (void) codec;
    op->space = taken(from->wait->namespace_);
    op->key = taken(from->wait->key);
    op->gen = from->wait->gen;
    op->as.wait.until = (uint32_t) from->wait->until;
    op->as.wait.deadline_ms = from->wait->deadline_ms;
    return true;
}

static bool take_get(struct codec *codec, const Canceld__V1__Op *from, struct op *op)
{
    (void) codec;
    op->space = taken(from->get->namespace_);
    op->key = taken(from->get->key);
    op->gen = from->get->gen;
    return true;
}

static bool take_list(struct codec *codec, const Canceld__V1__Op *from, struct op *op)
{
    (void) codec;
    op->space = taken(from->list->namespace_);
    op->as.list.state = (uint32_t) from->list->state;
    op->as.list.owner = from->list->owner;
    op->as.list.cursor = from->list->cursor;
    op->as.list.page_size = from->list->page_size;
    return true;
}

static bool take_count(struct codec *codec, const Canceld__V1__Op *from, struct op *op)
{
    (void) codec;
    op->space = taken(from->count->namespace_);
    op->as.list.state = (uint32_t) from->count->state;
    op->as.list.owner = from->count->owner;
    return true;
}

static bool take_armed(struct codec *codec, const Canceld__V1__Op *from, struct op *op)
{
    (void) codec;
    op->space = taken(from->armed->namespace_);
    op->as.list.cursor = from->armed->cursor;
    return true;
}

static bool take_disarm(struct codec *codec, const Canceld__V1__Op *from, struct op *op)
{
    (void) codec;
    op->space = taken(from->disarm->namespace_);
    op->key = taken(from->disarm->key);
    return true;
}

static bool take_nothing(struct codec *codec, const Canceld__V1__Op *from, struct op *op)
{
    (void) codec;
    (void) from;
    (void) op;
    return true;
}

/* By the number of the field that is set: 0 for none that we know. False: the arena is exhausted.
 */
static const struct {
    enum op_kind kind;
    bool (*take)(struct codec *codec, const Canceld__V1__Op *from, struct op *op);
} op_rows[] = {
    [CANCELD__V1__OP__OP__NOT_SET] = {OP_UNKNOWN, take_nothing},
    [CANCELD__V1__OP__OP_OPEN] = {OP_OPEN, take_open},
    [CANCELD__V1__OP__OP_STORE] = {OP_STORE, take_store},
    [CANCELD__V1__OP__OP_CANCEL] = {OP_CANCEL, take_cancel},
    [CANCELD__V1__OP__OP_DELETE] = {OP_DELETE, take_delete},
    [CANCELD__V1__OP__OP_TOUCH] = {OP_TOUCH, take_touch},
    [CANCELD__V1__OP__OP_POLL] = {OP_POLL, take_poll},
    [CANCELD__V1__OP__OP_WAIT] = {OP_WAIT, take_wait},
    [CANCELD__V1__OP__OP_GET] = {OP_GET, take_get},
    [CANCELD__V1__OP__OP_LIST] = {OP_LIST, take_list},
    [CANCELD__V1__OP__OP_COUNT] = {OP_COUNT, take_count},
    [CANCELD__V1__OP__OP_ARMED] = {OP_ARMED, take_armed},
    [CANCELD__V1__OP__OP_DISARM] = {OP_DISARM, take_disarm},
    [CANCELD__V1__OP__OP_PING] = {OP_PING, take_nothing},
    [CANCELD__V1__OP__OP_STATS] = {OP_STATS, take_nothing},
    [CANCELD__V1__OP__OP_CLOSE] = {OP_CLOSE, take_nothing},
};

_Static_assert(sizeof op_rows / sizeof op_rows[0] == OP_END, "a row for each kind of op");

static bool take_op(struct codec *codec, const Canceld__V1__Op *from, struct op *op)
{
    const unsigned row = (unsigned) from->op_case;
    ASSERT(row < OP_END && op_rows[row].take != NULL);
    *op = (struct op){.kind = op_rows[row].kind};
    return op_rows[row].take(codec, from, op);
}

/* ---- the frame ---- */

static void *take_memory(void *data, size_t bytes)
{
    return arena_take(data, bytes);
}

static void give_memory(void *data, void *memory)
{
    (void) data;
    (void) memory; /* the arena takes back all at once */
}

/* Where the scan says that a frame is within the contract, this is enough to decode it. */
static size_t cost_max(size_t body_bytes, const struct prescan *prescan)
{
    return DECODE_BYTES_BASE + DECODE_BYTES_FACTOR * body_bytes +
           DECODE_OP_BYTES * prescan->ops_count +
           (prescan->ops_count == 1 ? DECODE_ACK_BYTES * (size_t) POLL_ACKS_MAX : 0);
}

static enum error_code decode_body(struct codec *codec, struct bytes body,
                                   const struct prescan *prescan, struct frame *frame)
{
    const Canceld__V1__Frame *from =
        canceld__v1__frame__unpack(&codec->allocator, body.size, body.data);
    if (from == NULL) {
        return codec->arena.exhausted ? ERROR_TOO_COMPLEX : ERROR_MALFORMED;
    }
    if (from->n_ops != prescan->ops_count || from->n_answered != prescan->answered_count) {
        return ERROR_MALFORMED; /* two readers who do not agree on what it says */
    }
    for (size_t i = 0; i < from->n_ops; i++) {
        if (!take_op(codec, from->ops[i], &codec->ops[i])) {
            return ERROR_TOO_COMPLEX;
        }
    }
    frame->answered_below = from->answered_below;
    frame->secret = taken(from->secret);
    frame->answered = from->answered;
    frame->answered_count = from->n_answered;
    frame->ops = codec->ops;
    frame->ops_count = from->n_ops;
    return ERROR_UNSET;
}

enum error_code codec_decode(struct codec *codec, struct bytes body, struct frame *frame_out)
{
    struct prescan prescan;
    if (body.size == 0) {
        body = bytes_of("", 0); /* an address that the decoder may look at */
    }
    const bool sound = prescan_frame(body, &codec->digest_key, &prescan);
    *frame_out = (struct frame){.version = prescan.version,
                                .session = prescan.session,
                                .request_id = prescan.request_id,
                                .ops_digest = prescan.ops_digest};
    if (!sound) {
        return ERROR_MALFORMED;
    }
    if (prescan.version != PROTOCOL_VERSION) {
        return ERROR_UNSET;
    }
    if (prescan.ops_count > FRAME_OPS_MAX) {
        return ERROR_OP_COUNT;
    }
    if (prescan.answered_count > FRAME_ANSWERED_MAX) {
        return ERROR_ANSWERED;
    }
    arena_begin(&codec->arena, cost_max(body.size, &prescan));
    return decode_body(codec, body, &prescan, frame_out);
}

/* ---- life ---- */

struct codec *codec_new(const struct siphash_key *digest_key)
{
    struct codec *codec = malloc(sizeof *codec);
    if (codec == NULL) {
        return NULL;
    }
    if (!arena_init(&codec->arena, DECODE_BYTES_MAX)) {
        free(codec);
        return NULL;
    }
    codec->digest_key = *digest_key;
    codec->allocator = (ProtobufCAllocator){
        .alloc = take_memory, .free = give_memory, .allocator_data = &codec->arena};
    return codec;
}

void codec_free(struct codec *codec)
{
    if (codec == NULL) {
        return;
    }
    arena_fini(&codec->arena);
    free(codec);
}
