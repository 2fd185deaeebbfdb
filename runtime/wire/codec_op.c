/* SPDX-License-Identifier: MIT */
#include "wire/codec_op.h"

static struct bytes taken(ProtobufCBinaryData data)
{
    return bytes_of(data.len == 0 ? NULL : data.data, data.len);
}

static struct cause taken_cause(const Canceld__V1__Cause *cause)
{
    return (struct cause){
        .text = taken(cause->text), .actor = taken(cause->actor), .peer = taken(cause->peer)};
}

/* Of too many labels one too many: enough to be refused. False: the arena is exhausted. */
static bool take_labels(struct arena *arena, const ProtobufCBinaryData *from, size_t count,
                        struct labels *labels)
{
    *labels = (struct labels){.count = count > LABELS_MAX ? LABELS_MAX + 1 : count};
    struct bytes *items = arena_take(arena, labels->count * sizeof *items);
    if (items == NULL) {
        return false;
    }
    for (size_t i = 0; i < labels->count; i++) {
        items[i] = taken(from[i]);
    }
    labels->items = items;
    return true;
}

static bool take_open(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    (void) arena;
    const Canceld__V1__Open *open = from->open;
    op->space = taken(open->namespace_);
    op->as.open.client_name = taken(open->client_name);
    op->as.open.heartbeat_ms = open->heartbeat_ms;
    op->as.open.resume_session = open->resume_session;
    op->as.open.resume_secret = taken(open->resume_secret);
    op->as.open.token = taken(open->token);
    return true;
}

static bool take_store(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    const Canceld__V1__Store *store = from->store;
    op->space = taken(store->namespace_);
    op->key = taken(store->key);
    op->as.store.policy = (uint32_t) store->policy;
    op->as.store.ttl_ms = store->ttl_ms;
    op->as.store.on_expiry = (uint32_t) store->on_expiry;
    op->as.store.stop_grace_ms = store->stop_grace_ms;
    op->as.store.on_owner_loss = (uint32_t) store->on_owner_loss;
    op->as.store.meta = taken(store->meta);
    op->as.store.parent = store->parent;
    return take_labels(arena, store->labels, store->n_labels, &op->as.store.labels);
}

static bool take_adopt(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    const Canceld__V1__Adopt *adopt = from->adopt;
    op->space = taken(adopt->namespace_);
    op->key = taken(adopt->key);
    op->gen = adopt->gen;
    op->as.store.policy = (uint32_t) adopt->policy;
    op->as.store.ttl_ms = adopt->ttl_ms;
    op->as.store.on_expiry = (uint32_t) adopt->on_expiry;
    op->as.store.stop_grace_ms = adopt->stop_grace_ms;
    op->as.store.on_owner_loss = (uint32_t) adopt->on_owner_loss;
    op->as.store.meta = taken(adopt->meta);
    op->as.store.parent = adopt->parent;
    if (adopt->cause != NULL) {
        op->as.store.cause_code = (uint32_t) adopt->cause->code;
        op->as.store.cause = taken_cause(adopt->cause);
    }
    op->as.store.previous_session = adopt->previous_session;
    return take_labels(arena, adopt->labels, adopt->n_labels, &op->as.store.labels);
}

static bool take_cancel(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    (void) arena;
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
    op->as.cancel.label = taken(cancel->label);
    op->as.cancel.owner = cancel->owner;
    op->as.cancel.whole_namespace = cancel->whole_namespace;
    return true;
}

static bool take_delete(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    (void) arena;
    op->space = taken(from->delete_->namespace_);
    op->key = taken(from->delete_->key);
    op->gen = from->delete_->gen;
    op->as.delete.outcome = (uint32_t) from->delete_->outcome;
    return true;
}

static bool take_touch(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    (void) arena;
    op->space = taken(from->touch->namespace_);
    op->key = taken(from->touch->key);
    op->gen = from->touch->gen;
    op->as.touch.ttl_ms = from->touch->ttl_ms;
    return true;
}

static bool take_poll(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    const Canceld__V1__Poll *poll = from->poll;
    const size_t count = poll->n_acks > POLL_ACKS_MAX ? POLL_ACKS_MAX + 1 : poll->n_acks;
    struct notice_ack *acks = arena_take(arena, count * sizeof *acks);
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

static bool take_wait(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    (void) arena;
    op->space = taken(from->wait->namespace_);
    op->key = taken(from->wait->key);
    op->gen = from->wait->gen;
    op->as.wait.until = (uint32_t) from->wait->until;
    op->as.wait.deadline_ms = from->wait->deadline_ms;
    return true;
}

static bool take_get(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    (void) arena;
    op->space = taken(from->get->namespace_);
    op->key = taken(from->get->key);
    op->gen = from->get->gen;
    return true;
}

static bool take_list(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    op->space = taken(from->list->namespace_);
    op->as.list.state = (uint32_t) from->list->state;
    op->as.list.owner = from->list->owner;
    op->as.list.cursor = from->list->cursor;
    op->as.list.page_size = from->list->page_size;
    op->as.list.order = (uint32_t) from->list->order;
    return take_labels(arena, from->list->labels, from->list->n_labels, &op->as.list.labels);
}

static bool take_count(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    op->space = taken(from->count->namespace_);
    op->as.list.state = (uint32_t) from->count->state;
    op->as.list.owner = from->count->owner;
    return take_labels(arena, from->count->labels, from->count->n_labels, &op->as.list.labels);
}

static bool take_armed(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    (void) arena;
    op->space = taken(from->armed->namespace_);
    op->as.list.cursor = from->armed->cursor;
    return true;
}

static bool take_disarm(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    (void) arena;
    op->space = taken(from->disarm->namespace_);
    op->key = taken(from->disarm->key);
    return true;
}

static bool take_detach(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    (void) arena;
    op->space = taken(from->detach->namespace_);
    op->key = taken(from->detach->key);
    op->gen = from->detach->gen;
    return true;
}

static bool take_watch(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    (void) arena;
    op->space = taken(from->watch->namespace_);
    op->as.watch.epoch = from->watch->epoch;
    op->as.watch.revision = from->watch->revision;
    op->as.watch.cursor = from->watch->cursor;
    op->as.watch.wait_ms = from->watch->wait_ms;
    return true;
}

static bool take_drain(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    (void) arena;
    op->space = taken(from->drain->namespace_);
    op->as.drain.owner = from->drain->owner;
    op->as.drain.daemon = from->drain->daemon;
    op->as.drain.deadline_ms = from->drain->deadline_ms;
    op->as.drain.cause.text = taken(from->drain->text);
    op->as.drain.cause.actor = taken(from->drain->actor);
    return true;
}

static bool take_undrain(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    (void) arena;
    op->space = taken(from->undrain->namespace_);
    op->as.drain.owner = from->undrain->owner;
    op->as.drain.daemon = from->undrain->daemon;
    return true;
}

static bool take_history(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    (void) arena;
    op->space = taken(from->history->namespace_);
    op->key = taken(from->history->key);
    op->as.list.cursor = from->history->cursor;
    op->as.list.page_size = from->history->page_size;
    return true;
}

static bool take_nothing(struct arena *arena, const Canceld__V1__Op *from, struct op *op)
{
    (void) arena;
    (void) from;
    (void) op;
    return true;
}

/* By the number of the field that is set: 0 for none that we know. False: the arena is exhausted.
 */
static const struct {
    enum op_kind kind;
    bool (*take)(struct arena *arena, const Canceld__V1__Op *from, struct op *op);
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
    [CANCELD__V1__OP__OP_ADOPT] = {OP_ADOPT, take_adopt},
    [CANCELD__V1__OP__OP_DETACH] = {OP_DETACH, take_detach},
    [CANCELD__V1__OP__OP_WATCH] = {OP_WATCH, take_watch},
    [CANCELD__V1__OP__OP_DRAIN] = {OP_DRAIN, take_drain},
    [CANCELD__V1__OP__OP_UNDRAIN] = {OP_UNDRAIN, take_undrain},
    [CANCELD__V1__OP__OP_HISTORY] = {OP_HISTORY, take_history},
};

_Static_assert(sizeof op_rows / sizeof op_rows[0] == OP_END, "a row for each kind of op");

bool codec_op(struct arena *arena, const Canceld__V1__Op *from, struct op *op_out)
{
    const unsigned row = (unsigned) from->op_case;
    ASSERT(row < OP_END && op_rows[row].take != NULL);
    op_clear(op_out, op_rows[row].kind);
    return op_rows[row].take(arena, from, op_out);
}
