/* SPDX-License-Identifier: MIT */
/* The verbs that go through the mailbox: the request, copied into an ask; the ask, sent; its result. */
#include "base/clock.h"
#include "local/flat.h"
#include "local/owner.h"
#include "local/state.h"

#include <stdlib.h>

/* ---- copying a request ---- */

/* Of what is longer than `size_max` one byte more is kept: the registry then says that it is too long. */
static struct bytes keep(struct ask *ask, struct canceld_bytes bytes, size_t size_max)
{
    const size_t size = bytes.size <= size_max ? bytes.size : size_max + 1;
    uint8_t *memory = ask->input + ask->input_used;
    ASSERT(size <= sizeof ask->input - ask->input_used);
    if (size > 0) {
        memcpy(memory, bytes.data, size);
    }
    ask->input_used += size;
    return bytes_of(memory, size);
}

static void keep_name(struct ask *ask, struct canceld_bytes name_space, struct canceld_bytes key)
{
    ask->op.space = keep(ask, name_space, NAMESPACE_BYTES_MAX);
    ask->op.key = keep(ask, key, KEY_BYTES_MAX);
}

static struct labels keep_labels(struct ask *ask, const struct canceld_bytes *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ask->labels[i] = keep(ask, labels[i], LABEL_BYTES_MAX);
    }
    return (struct labels){.items = ask->labels, .count = count};
}

/* ---- asking ---- */

/* A record for an op of a kind, with memory for its answer. Not OK: *ask_out is not written. */
static enum canceld_status begin(struct canceld_local *local, enum op_kind kind, uint32_t wait_ms,
                                 struct canceld_result *result_out, struct ask **ask_out)
{
    if (result_out != NULL) {
        *result_out = (struct canceld_result){0};
    }
    if (local == NULL || (local->inline_mode && wait_ms > 0)) {
        return CANCELD_INVALID;
    }
    if (atomic_load_explicit(&local->closed, memory_order_relaxed)) {
        return CANCELD_CLOSED;
    }
    struct ask *ask = ask_take(local);
    if (ask == NULL) {
        return CANCELD_FULL;
    }
    const bool page = kind == OP_LIST || kind == OP_ARMED || kind == OP_WATCH;
    ask->block_bytes = page ? FLAT_PAGE_BYTES : FLAT_BYTES;
    ask->block = malloc(ask->block_bytes);
    if (ask->block == NULL) {
        ask_free(ask);
        return CANCELD_NO_MEMORY;
    }
    ask->kind = ASK_FRAME;
    op_clear(&ask->op, kind);
    *ask_out = ask;
    return CANCELD_OK;
}

/* On the caller's thread: what needs several turns is given them. */
static enum canceld_status serve_now(struct canceld_local *local, struct ask *ask)
{
    ask_serve(local, ask);
    while (atomic_load_explicit(&ask->state, memory_order_relaxed) != ASK_DONE) {
        (void) owner_sweep(local); /* The ask says when it is enough. */
    }
    return CANCELD_OK;
}

static enum canceld_status end(struct canceld_local *local, struct ask *ask, uint64_t deadline_ms,
                               uint32_t wait_ms, struct canceld_result *result_out)
{
    enum canceld_status status =
        local->inline_mode ? serve_now(local, ask)
                           : ask_wait(local, ask, deadline_ms == 0 ? 0 : deadline_ms + wait_ms);
    if (status != CANCELD_OK) {
        return status;
    }
    status = ask->status;
    if (result_out != NULL) {
        *result_out = ask->result;
        result_out->memory = ask->block;
        ask->block = NULL;
    }
    ask_free(ask);
    return status;
}

void canceld_local_result_clear(struct canceld_result *result)
{
    if (result != NULL) {
        free(result->memory);
        *result = (struct canceld_result){0};
    }
}

/* ---- the verbs ---- */

enum canceld_status canceld_local_store(struct canceld_local *local,
                                        const struct canceld_local_store_request *request,
                                        uint32_t deadline_ms, struct canceld_result *result_out)
{
    struct ask *ask;
    if (request == NULL || request->labels_count > CANCELD_LABELS_MAX || request->key.size == 0 ||
        request->key.size > KEY_BYTES_MAX) {
        return CANCELD_INVALID;
    }
    enum canceld_status status = begin(local, OP_STORE, 0, result_out, &ask);
    if (status != CANCELD_OK) {
        return status;
    }
    ask->kind = ASK_STORE;
    keep_name(ask, (struct canceld_bytes){0}, request->key);
    ask->op.as.store.policy = (uint32_t) request->policy;
    ask->op.as.store.ttl_ms = request->ttl_ms;
    ask->op.as.store.on_expiry = (uint32_t) request->on_expiry;
    ask->op.as.store.stop_grace_ms = request->stop_grace_ms;
    ask->op.as.store.meta = keep(ask, request->meta, META_BYTES_MAX);
    ask->op.as.store.parent = request->parent;
    ask->op.as.store.labels = keep_labels(ask, request->labels, request->labels_count);
    ask->value.of.on_cancel = request->on_cancel;
    ask->value.of.arg = request->arg;
    return end(local, ask, deadline_ms, 0, result_out);
}

enum canceld_status canceld_local_cancel(struct canceld_local *local,
                                         const struct canceld_cancel_request *request,
                                         uint32_t deadline_ms, struct canceld_result *result_out)
{
    struct ask *ask;
    if (request == NULL) {
        return CANCELD_INVALID;
    }
    enum canceld_status status = begin(local, OP_CANCEL, request->wait_ms, result_out, &ask);
    if (status != CANCELD_OK) {
        return status;
    }
    keep_name(ask, request->name_space, request->key);
    ask->op.gen = request->gen;
    ask->op.as.cancel.cause_code = (uint32_t) request->cause.code;
    ask->op.as.cancel.cause.text = keep(ask, request->cause.text, CAUSE_TEXT_BYTES_MAX);
    ask->op.as.cancel.cause.actor = keep(ask, request->cause.actor, CAUSE_ACTOR_BYTES_MAX);
    ask->op.as.cancel.cause.peer = keep(ask, request->cause.peer, 0);
    ask->op.as.cancel.level = (uint32_t) request->level;
    ask->op.as.cancel.deadline_ms = request->wait_ms;
    ask->op.as.cancel.arm_ttl_ms = request->arm_ttl_ms;
    ask->op.as.cancel.after_gen = request->after_gen;
    ask->op.as.cancel.label = keep(ask, request->label, LABEL_BYTES_MAX);
    ask->op.as.cancel.owner = request->owner;
    ask->op.as.cancel.whole_namespace = request->whole_namespace;
    return end(local, ask, deadline_ms, request->wait_ms, result_out);
}

enum canceld_status canceld_local_wait(struct canceld_local *local,
                                       const struct canceld_wait_request *request,
                                       uint32_t deadline_ms, struct canceld_result *result_out)
{
    struct ask *ask;
    if (request == NULL) {
        return CANCELD_INVALID;
    }
    enum canceld_status status = begin(local, OP_WAIT, request->wait_ms, result_out, &ask);
    if (status != CANCELD_OK) {
        return status;
    }
    keep_name(ask, request->name_space, request->key);
    ask->op.gen = request->gen;
    ask->op.as.wait.until = (uint32_t) request->until;
    ask->op.as.wait.deadline_ms = request->wait_ms;
    return end(local, ask, deadline_ms, request->wait_ms, result_out);
}

/* A verb that has a key and a gen, and nothing else. */
struct named {
    enum op_kind kind;
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    uint64_t gen;
};

static enum canceld_status ask_named(struct canceld_local *local, const struct named *named,
                                     uint32_t deadline_ms, struct canceld_result *result_out)
{
    struct ask *ask;
    enum canceld_status status = begin(local, named->kind, 0, result_out, &ask);
    if (status != CANCELD_OK) {
        return status;
    }
    keep_name(ask, named->name_space, named->key);
    ask->op.gen = named->gen;
    return end(local, ask, deadline_ms, 0, result_out);
}

enum canceld_status canceld_local_get(struct canceld_local *local,
                                      const struct canceld_get_request *request,
                                      uint32_t deadline_ms, struct canceld_result *result_out)
{
    if (request == NULL) {
        return CANCELD_INVALID;
    }
    const struct named named = {OP_GET, request->name_space, request->key, request->gen};
    return ask_named(local, &named, deadline_ms, result_out);
}

enum canceld_status canceld_local_disarm(struct canceld_local *local,
                                         const struct canceld_get_request *request,
                                         uint32_t deadline_ms, struct canceld_result *result_out)
{
    if (request == NULL) {
        return CANCELD_INVALID;
    }
    const struct named named = {OP_DISARM, request->name_space, request->key, 0};
    return ask_named(local, &named, deadline_ms, result_out);
}

enum canceld_status canceld_local_detach(struct canceld_local *local,
                                         const struct canceld_detach_request *request,
                                         uint32_t deadline_ms, struct canceld_result *result_out)
{
    if (request == NULL) {
        return CANCELD_INVALID;
    }
    const struct named named = {OP_DETACH, request->name_space, request->key, request->gen};
    return ask_named(local, &named, deadline_ms, result_out);
}

static enum canceld_status ask_list(struct canceld_local *local, enum op_kind kind,
                                    const struct canceld_list_request *request,
                                    uint32_t deadline_ms, struct canceld_result *result_out)
{
    struct ask *ask;
    if (request == NULL || request->labels_count > CANCELD_LABELS_MAX) {
        return CANCELD_INVALID;
    }
    enum canceld_status status = begin(local, kind, 0, result_out, &ask);
    if (status != CANCELD_OK) {
        return status;
    }
    keep_name(ask, request->name_space, (struct canceld_bytes){0});
    ask->op.as.list.cursor = request->cursor;
    if (kind != OP_ARMED) {
        ask->op.as.list.state = (uint32_t) request->state;
        ask->op.as.list.owner = request->owner;
        ask->op.as.list.page_size = request->page_size;
        ask->op.as.list.labels = keep_labels(ask, request->labels, request->labels_count);
        ask->op.as.list.order = (uint32_t) request->order;
    }
    return end(local, ask, deadline_ms, 0, result_out);
}

enum canceld_status canceld_local_list(struct canceld_local *local,
                                       const struct canceld_list_request *request,
                                       uint32_t deadline_ms, struct canceld_result *result_out)
{
    return ask_list(local, OP_LIST, request, deadline_ms, result_out);
}

enum canceld_status canceld_local_count(struct canceld_local *local,
                                        const struct canceld_list_request *request,
                                        uint32_t deadline_ms, struct canceld_result *result_out)
{
    return ask_list(local, OP_COUNT, request, deadline_ms, result_out);
}

enum canceld_status canceld_local_armed(struct canceld_local *local,
                                        const struct canceld_list_request *request,
                                        uint32_t deadline_ms, struct canceld_result *result_out)
{
    return ask_list(local, OP_ARMED, request, deadline_ms, result_out);
}

static enum canceld_status ask_drain(struct canceld_local *local, enum op_kind kind,
                                     const struct canceld_drain_request *request,
                                     uint32_t deadline_ms, struct canceld_result *result_out)
{
    struct ask *ask;
    if (request == NULL) {
        return CANCELD_INVALID;
    }
    const bool drains = kind == OP_DRAIN;
    const uint32_t wait_ms = drains ? request->wait_ms : 0;
    enum canceld_status status = begin(local, kind, wait_ms, result_out, &ask);
    if (status != CANCELD_OK) {
        return status;
    }
    keep_name(ask, request->name_space, (struct canceld_bytes){0});
    ask->op.as.drain.owner = request->owner;
    ask->op.as.drain.daemon = request->daemon;
    ask->op.as.drain.deadline_ms = wait_ms;
    if (drains) {
        ask->op.as.drain.cause.text = keep(ask, request->text, CAUSE_TEXT_BYTES_MAX);
        ask->op.as.drain.cause.actor = keep(ask, request->actor, CAUSE_ACTOR_BYTES_MAX);
    }
    return end(local, ask, deadline_ms, wait_ms, result_out);
}

enum canceld_status canceld_local_drain(struct canceld_local *local,
                                        const struct canceld_drain_request *request,
                                        uint32_t deadline_ms, struct canceld_result *result_out)
{
    return ask_drain(local, OP_DRAIN, request, deadline_ms, result_out);
}

enum canceld_status canceld_local_undrain(struct canceld_local *local,
                                          const struct canceld_drain_request *request,
                                          uint32_t deadline_ms, struct canceld_result *result_out)
{
    return ask_drain(local, OP_UNDRAIN, request, deadline_ms, result_out);
}

enum canceld_status canceld_local_watch(struct canceld_local *local,
                                        const struct canceld_watch_request *request,
                                        uint32_t deadline_ms, struct canceld_result *result_out)
{
    struct ask *ask;
    if (request == NULL) {
        return CANCELD_INVALID;
    }
    enum canceld_status status = begin(local, OP_WATCH, request->wait_ms, result_out, &ask);
    if (status != CANCELD_OK) {
        return status;
    }
    keep_name(ask, request->name_space, (struct canceld_bytes){0});
    ask->op.as.watch.epoch = request->epoch;
    ask->op.as.watch.revision = request->revision;
    ask->op.as.watch.cursor = request->cursor;
    ask->op.as.watch.wait_ms = request->wait_ms;
    return end(local, ask, deadline_ms, request->wait_ms, result_out);
}

enum canceld_status canceld_local_stats(struct canceld_local *local, uint32_t deadline_ms,
                                        struct canceld_result *result_out)
{
    struct ask *ask;
    enum canceld_status status = begin(local, OP_STATS, 0, result_out, &ask);
    if (status != CANCELD_OK) {
        return status;
    }
    ask->kind = ASK_STATS;
    return end(local, ask, deadline_ms, 0, result_out);
}
