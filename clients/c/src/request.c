/* SPDX-License-Identifier: MIT */
#include "request.h"
#include "wire_bytes.h"

#include <canceld.pb-c.h>

/* One message of each kind, so that packing needs no memory but its output. */
struct op_messages {
    Canceld__V1__Op op;
    Canceld__V1__Cause cause;
    union {
        Canceld__V1__Store store;
        Canceld__V1__Cancel cancel;
        Canceld__V1__Delete delete_;
        Canceld__V1__Touch touch;
        Canceld__V1__Wait wait;
        Canceld__V1__Get get;
        Canceld__V1__List list;
        Canceld__V1__Count count;
        Canceld__V1__Armed armed;
        Canceld__V1__Disarm disarm;
        Canceld__V1__Ping ping;
        Canceld__V1__Stats stats;
    } of;
};

static void store_fill(struct op_messages *messages, const struct canceld_request *from,
                       struct canceld_bytes name_space)
{
    const struct canceld_store_request *store = &from->of.store;

    messages->op.op_case = CANCELD__V1__OP__OP_STORE;
    messages->op.store = &messages->of.store;
    canceld__v1__store__init(&messages->of.store);
    messages->of.store.namespace_ = wire_bytes(name_space);
    messages->of.store.key = wire_bytes(store->key);
    messages->of.store.policy = (Canceld__V1__Policy) store->policy;
    messages->of.store.ttl_ms = store->ttl_ms;
    messages->of.store.on_expiry = (Canceld__V1__OnExpiry) store->on_expiry;
    messages->of.store.stop_grace_ms = store->stop_grace_ms;
    messages->of.store.on_owner_loss = (Canceld__V1__OnOwnerLoss) store->on_owner_loss;
    messages->of.store.meta = wire_bytes(store->meta);
}

static void cancel_fill(struct op_messages *messages, const struct canceld_request *from,
                        struct canceld_bytes name_space)
{
    const struct canceld_cancel_request *cancel = &from->of.cancel;

    canceld__v1__cause__init(&messages->cause);
    messages->cause.code = (Canceld__V1__CauseCode) cancel->cause.code;
    messages->cause.text = wire_bytes(cancel->cause.text);
    messages->cause.actor = wire_bytes(cancel->cause.actor);
    messages->cause.peer = wire_bytes(cancel->cause.peer);
    messages->op.op_case = CANCELD__V1__OP__OP_CANCEL;
    messages->op.cancel = &messages->of.cancel;
    canceld__v1__cancel__init(&messages->of.cancel);
    messages->of.cancel.namespace_ = wire_bytes(name_space);
    messages->of.cancel.key = wire_bytes(cancel->key);
    messages->of.cancel.gen = cancel->gen;
    messages->of.cancel.cause = &messages->cause;
    messages->of.cancel.level = (Canceld__V1__Level) cancel->level;
    messages->of.cancel.deadline_ms = cancel->wait_ms;
    messages->of.cancel.arm_ttl_ms = cancel->arm_ttl_ms;
    messages->of.cancel.after_gen = cancel->after_gen;
}

static void delete_fill(struct op_messages *messages, const struct canceld_request *from,
                        struct canceld_bytes name_space)
{
    messages->op.op_case = CANCELD__V1__OP__OP_DELETE;
    messages->op.delete_ = &messages->of.delete_;
    canceld__v1__delete__init(&messages->of.delete_);
    messages->of.delete_.namespace_ = wire_bytes(name_space);
    messages->of.delete_.key = wire_bytes(from->of.delete_.key);
    messages->of.delete_.gen = from->of.delete_.gen;
    messages->of.delete_.outcome = (Canceld__V1__Outcome) from->of.delete_.outcome;
}

static void touch_fill(struct op_messages *messages, const struct canceld_request *from,
                       struct canceld_bytes name_space)
{
    messages->op.op_case = CANCELD__V1__OP__OP_TOUCH;
    messages->op.touch = &messages->of.touch;
    canceld__v1__touch__init(&messages->of.touch);
    messages->of.touch.namespace_ = wire_bytes(name_space);
    messages->of.touch.key = wire_bytes(from->of.touch.key);
    messages->of.touch.gen = from->of.touch.gen;
    messages->of.touch.ttl_ms = from->of.touch.ttl_ms;
}

static void wait_fill(struct op_messages *messages, const struct canceld_request *from,
                      struct canceld_bytes name_space)
{
    messages->op.op_case = CANCELD__V1__OP__OP_WAIT;
    messages->op.wait = &messages->of.wait;
    canceld__v1__wait__init(&messages->of.wait);
    messages->of.wait.namespace_ = wire_bytes(name_space);
    messages->of.wait.key = wire_bytes(from->of.wait.key);
    messages->of.wait.gen = from->of.wait.gen;
    messages->of.wait.until = (Canceld__V1__Until) from->of.wait.until;
    messages->of.wait.deadline_ms = from->of.wait.wait_ms;
}

static void get_fill(struct op_messages *messages, const struct canceld_request *from,
                     struct canceld_bytes name_space)
{
    messages->op.op_case = CANCELD__V1__OP__OP_GET;
    messages->op.get = &messages->of.get;
    canceld__v1__get__init(&messages->of.get);
    messages->of.get.namespace_ = wire_bytes(name_space);
    messages->of.get.key = wire_bytes(from->of.get.key);
    messages->of.get.gen = from->of.get.gen;
}

static void list_fill(struct op_messages *messages, const struct canceld_request *from,
                      struct canceld_bytes name_space)
{
    messages->op.op_case = CANCELD__V1__OP__OP_LIST;
    messages->op.list = &messages->of.list;
    canceld__v1__list__init(&messages->of.list);
    messages->of.list.namespace_ = wire_bytes(name_space);
    messages->of.list.state = (Canceld__V1__State) from->of.list.state;
    messages->of.list.owner = from->of.list.owner;
    messages->of.list.cursor = from->of.list.cursor;
    messages->of.list.page_size = from->of.list.page_size;
}

static void count_fill(struct op_messages *messages, const struct canceld_request *from,
                       struct canceld_bytes name_space)
{
    messages->op.op_case = CANCELD__V1__OP__OP_COUNT;
    messages->op.count = &messages->of.count;
    canceld__v1__count__init(&messages->of.count);
    messages->of.count.namespace_ = wire_bytes(name_space);
    messages->of.count.state = (Canceld__V1__State) from->of.list.state;
    messages->of.count.owner = from->of.list.owner;
}

static void armed_fill(struct op_messages *messages, const struct canceld_request *from,
                       struct canceld_bytes name_space)
{
    messages->op.op_case = CANCELD__V1__OP__OP_ARMED;
    messages->op.armed = &messages->of.armed;
    canceld__v1__armed__init(&messages->of.armed);
    messages->of.armed.namespace_ = wire_bytes(name_space);
    messages->of.armed.cursor = from->of.list.cursor;
}

static void disarm_fill(struct op_messages *messages, const struct canceld_request *from,
                        struct canceld_bytes name_space)
{
    messages->op.op_case = CANCELD__V1__OP__OP_DISARM;
    messages->op.disarm = &messages->of.disarm;
    canceld__v1__disarm__init(&messages->of.disarm);
    messages->of.disarm.namespace_ = wire_bytes(name_space);
    messages->of.disarm.key = wire_bytes(from->of.get.key);
}

static void ping_fill(struct op_messages *messages, const struct canceld_request *from,
                      struct canceld_bytes name_space)
{
    (void) from;
    (void) name_space;
    messages->op.op_case = CANCELD__V1__OP__OP_PING;
    messages->op.ping = &messages->of.ping;
    canceld__v1__ping__init(&messages->of.ping);
}

static void stats_fill(struct op_messages *messages, const struct canceld_request *from,
                       struct canceld_bytes name_space)
{
    (void) from;
    (void) name_space;
    messages->op.op_case = CANCELD__V1__OP__OP_STATS;
    messages->op.stats = &messages->of.stats;
    canceld__v1__stats__init(&messages->of.stats);
}

static struct canceld_bytes of_store(const struct canceld_request *from)
{
    return from->of.store.name_space;
}

static struct canceld_bytes of_cancel(const struct canceld_request *from)
{
    return from->of.cancel.name_space;
}

static struct canceld_bytes of_delete(const struct canceld_request *from)
{
    return from->of.delete_.name_space;
}

static struct canceld_bytes of_touch(const struct canceld_request *from)
{
    return from->of.touch.name_space;
}

static struct canceld_bytes of_wait(const struct canceld_request *from)
{
    return from->of.wait.name_space;
}

static struct canceld_bytes of_get(const struct canceld_request *from)
{
    return from->of.get.name_space;
}

static struct canceld_bytes of_list(const struct canceld_request *from)
{
    return from->of.list.name_space;
}

static struct canceld_bytes of_none(const struct canceld_request *from)
{
    (void) from;
    return (struct canceld_bytes){0};
}

static const struct op_row {
    void (*fill)(struct op_messages *, const struct canceld_request *, struct canceld_bytes);
    struct canceld_bytes (*name_space)(const struct canceld_request *);
    bool alone;
    bool repeatable;
} op_rows[] = {
    [CANCELD_OP_STORE] = {store_fill, of_store},
    [CANCELD_OP_CANCEL] = {cancel_fill, of_cancel}, /* by gen: see below */
    [CANCELD_OP_DELETE] = {delete_fill, of_delete, .repeatable = true},
    [CANCELD_OP_TOUCH] = {touch_fill, of_touch, .repeatable = true},
    [CANCELD_OP_WAIT] = {wait_fill, of_wait, .alone = true, .repeatable = true},
    [CANCELD_OP_GET] = {get_fill, of_get, .repeatable = true},
    [CANCELD_OP_LIST] = {list_fill, of_list, .alone = true, .repeatable = true},
    [CANCELD_OP_COUNT] = {count_fill, of_list, .repeatable = true},
    [CANCELD_OP_ARMED] = {armed_fill, of_list, .alone = true, .repeatable = true},
    [CANCELD_OP_DISARM] = {disarm_fill, of_get},
    [CANCELD_OP_PING] = {ping_fill, of_none, .repeatable = true},
    [CANCELD_OP_STATS] = {stats_fill, of_none, .repeatable = true},
};

static void flags_set(struct request *request, const struct canceld_request *from)
{
    const struct op_row *row = &op_rows[from->op];

    request->op = from->op;
    request->alone = row->alone;
    request->repeatable = row->repeatable;
    if (from->op == CANCELD_OP_WAIT)
        request->wait_ms = from->of.wait.wait_ms;
    if (from->op == CANCELD_OP_CANCEL) {
        request->repeatable = from->of.cancel.gen != 0;
        request->alone = from->of.cancel.level > CANCELD_LEVEL_RECORDED;
        request->wait_ms = request->alone ? from->of.cancel.wait_ms : 0;
    }
    request->parks = request->wait_ms > 0;
}

static enum canceld_status frame_pack(struct request *request, Canceld__V1__Op *op)
{
    Canceld__V1__Frame frame = CANCELD__V1__FRAME__INIT;
    Canceld__V1__Op *ops[] = {op};
    uint8_t *bytes = NULL;
    size_t size = 0;

    frame.n_ops = 1;
    frame.ops = ops;
    size = canceld__v1__frame__get_packed_size(&frame);
    if (size > OP_BYTES_MAX)
        return CANCELD_INVALID;
    bytes = malloc(size);
    if (bytes == NULL)
        return CANCELD_NO_MEMORY;
    request->size = canceld__v1__frame__pack(&frame, bytes);
    free(request->bytes);
    request->bytes = bytes;
    return CANCELD_OK;
}

enum canceld_status request_new(const struct canceld_request *from,
                                struct canceld_bytes namespace_default,
                                struct request **request_out)
{
    struct op_messages messages = {.op = CANCELD__V1__OP__INIT};
    struct canceld_bytes name_space = {0};
    struct request *request = NULL;
    enum canceld_status status = CANCELD_OK;

    if (from->op < CANCELD_OP_STORE || from->op > CANCELD_OP_STATS)
        return CANCELD_INVALID;
    request = calloc(1, sizeof *request);
    if (request == NULL)
        return CANCELD_NO_MEMORY;
    link_init(&request->link);
    flags_set(request, from);
    name_space = op_rows[from->op].name_space(from);
    op_rows[from->op].fill(&messages, from, name_space.size == 0 ? namespace_default : name_space);
    status = frame_pack(request, &messages.op);
    if (status != CANCELD_OK) {
        request_free(request);
        return status;
    }
    *request_out = request;
    return CANCELD_OK;
}

void request_free(struct request *request)
{
    if (request == NULL)
        return;
    ASSERT(link_is_alone(&request->link) && request->deadline_index == 0);
    free(request->bytes);
    free(request);
}

bool request_shorten(struct request *request, uint32_t wait_ms)
{
    Canceld__V1__Frame *frame = canceld__v1__frame__unpack(NULL, request->size, request->bytes);
    bool done = false;

    if (frame == NULL)
        return false;
    if (frame->ops[0]->op_case == CANCELD__V1__OP__OP_WAIT)
        frame->ops[0]->wait->deadline_ms = wait_ms;
    if (frame->ops[0]->op_case == CANCELD__V1__OP__OP_CANCEL)
        frame->ops[0]->cancel->deadline_ms = wait_ms;
    done = frame_pack(request, frame->ops[0]) == CANCELD_OK;
    canceld__v1__frame__free_unpacked(frame, NULL);
    return done;
}
