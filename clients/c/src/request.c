/* SPDX-License-Identifier: MIT */
#include "request.h"
#include "wire_bytes.h"

#include <canceld.pb-c.h>

/* One message of each kind, so that packing needs no memory but its output. */
struct op_messages {
    Canceld__V1__Op op;
    Canceld__V1__Cause cause;
    ProtobufCBinaryData labels[CANCELD_LABELS_MAX];
    union {
        Canceld__V1__Store store;
        Canceld__V1__Adopt adopt;
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
        Canceld__V1__Detach detach;
        Canceld__V1__Drain drain;
        Canceld__V1__Undrain undrain;
        Canceld__V1__Watch watch;
        Canceld__V1__History history;
    } of;
};

/* Where the labels are to be found once they are in place. */
static ProtobufCBinaryData *labels_fill(struct op_messages *messages,
                                        const struct canceld_bytes *labels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        messages->labels[i] = wire_bytes(labels[i]);
    return messages->labels;
}

static Canceld__V1__Cause *cause_fill(struct op_messages *messages,
                                      const struct canceld_cause *cause)
{
    canceld__v1__cause__init(&messages->cause);
    messages->cause.code = (Canceld__V1__CauseCode) cause->code;
    messages->cause.text = wire_bytes(cause->text);
    messages->cause.actor = wire_bytes(cause->actor);
    messages->cause.peer = wire_bytes(cause->peer);
    return &messages->cause;
}

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
    messages->of.store.parent = store->parent;
    messages->of.store.labels = labels_fill(messages, store->labels, store->labels_count);
    messages->of.store.n_labels = store->labels_count;
}

static void adoption_fill(struct op_messages *messages, const struct adoption *from)
{
    const struct canceld_store_request *stored = from->stored;

    messages->op.op_case = CANCELD__V1__OP__OP_ADOPT;
    messages->op.adopt = &messages->of.adopt;
    canceld__v1__adopt__init(&messages->of.adopt);
    messages->of.adopt.namespace_ = wire_bytes(stored->name_space);
    messages->of.adopt.key = wire_bytes(stored->key);
    messages->of.adopt.policy = (Canceld__V1__Policy) stored->policy;
    messages->of.adopt.ttl_ms = stored->ttl_ms;
    messages->of.adopt.on_expiry = (Canceld__V1__OnExpiry) stored->on_expiry;
    messages->of.adopt.stop_grace_ms = stored->stop_grace_ms;
    messages->of.adopt.on_owner_loss = (Canceld__V1__OnOwnerLoss) stored->on_owner_loss;
    messages->of.adopt.meta = wire_bytes(stored->meta);
    messages->of.adopt.parent = stored->parent;
    messages->of.adopt.labels = labels_fill(messages, stored->labels, stored->labels_count);
    messages->of.adopt.n_labels = stored->labels_count;
    messages->of.adopt.gen = from->gen;
    messages->of.adopt.previous_session = from->previous_session;
    if (from->cause != NULL)
        messages->of.adopt.cause = cause_fill(messages, from->cause);
}

static void adopt_fill(struct op_messages *messages, const struct canceld_request *from,
                       struct canceld_bytes name_space)
{
    const struct canceld_adopt_request *adopt = &from->of.adopt;
    struct canceld_store_request stored = adopt->store;
    bool caused = adopt->cause.code != CANCELD_CAUSE_UNSET;

    stored.name_space = name_space;
    adoption_fill(messages, &(struct adoption){.stored = &stored,
                                               .gen = adopt->gen,
                                               .previous_session = adopt->previous_session,
                                               .cause = caused ? &adopt->cause : NULL});
}

static void cancel_fill(struct op_messages *messages, const struct canceld_request *from,
                        struct canceld_bytes name_space)
{
    const struct canceld_cancel_request *cancel = &from->of.cancel;

    messages->op.op_case = CANCELD__V1__OP__OP_CANCEL;
    messages->op.cancel = &messages->of.cancel;
    canceld__v1__cancel__init(&messages->of.cancel);
    messages->of.cancel.namespace_ = wire_bytes(name_space);
    messages->of.cancel.key = wire_bytes(cancel->key);
    messages->of.cancel.gen = cancel->gen;
    messages->of.cancel.cause = cause_fill(messages, &cancel->cause);
    messages->of.cancel.level = (Canceld__V1__Level) cancel->level;
    messages->of.cancel.deadline_ms = cancel->wait_ms;
    messages->of.cancel.arm_ttl_ms = cancel->arm_ttl_ms;
    messages->of.cancel.after_gen = cancel->after_gen;
    messages->of.cancel.label = wire_bytes(cancel->label);
    messages->of.cancel.owner = cancel->owner;
    messages->of.cancel.whole_namespace = cancel->whole_namespace;
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
    messages->of.list.labels =
        labels_fill(messages, from->of.list.labels, from->of.list.labels_count);
    messages->of.list.n_labels = from->of.list.labels_count;
    messages->of.list.order = (Canceld__V1__ListOrder) from->of.list.order;
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
    messages->of.count.labels =
        labels_fill(messages, from->of.list.labels, from->of.list.labels_count);
    messages->of.count.n_labels = from->of.list.labels_count;
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

static void detach_fill(struct op_messages *messages, const struct canceld_request *from,
                        struct canceld_bytes name_space)
{
    messages->op.op_case = CANCELD__V1__OP__OP_DETACH;
    messages->op.detach = &messages->of.detach;
    canceld__v1__detach__init(&messages->of.detach);
    messages->of.detach.namespace_ = wire_bytes(name_space);
    messages->of.detach.key = wire_bytes(from->of.detach.key);
    messages->of.detach.gen = from->of.detach.gen;
}

/* A drain of the daemon is of no namespace: the client's own must not stand in. */
static struct canceld_bytes drained_space(const struct canceld_drain_request *drain,
                                          struct canceld_bytes name_space)
{
    return drain->daemon ? drain->name_space : name_space;
}

static void drain_fill(struct op_messages *messages, const struct canceld_request *from,
                       struct canceld_bytes name_space)
{
    const struct canceld_drain_request *drain = &from->of.drain;

    messages->op.op_case = CANCELD__V1__OP__OP_DRAIN;
    messages->op.drain = &messages->of.drain;
    canceld__v1__drain__init(&messages->of.drain);
    messages->of.drain.namespace_ = wire_bytes(drained_space(drain, name_space));
    messages->of.drain.owner = drain->owner;
    messages->of.drain.daemon = drain->daemon;
    messages->of.drain.deadline_ms = drain->wait_ms;
    messages->of.drain.text = wire_bytes(drain->text);
    messages->of.drain.actor = wire_bytes(drain->actor);
}

static void undrain_fill(struct op_messages *messages, const struct canceld_request *from,
                         struct canceld_bytes name_space)
{
    const struct canceld_drain_request *drain = &from->of.drain;

    messages->op.op_case = CANCELD__V1__OP__OP_UNDRAIN;
    messages->op.undrain = &messages->of.undrain;
    canceld__v1__undrain__init(&messages->of.undrain);
    messages->of.undrain.namespace_ = wire_bytes(drained_space(drain, name_space));
    messages->of.undrain.owner = drain->owner;
    messages->of.undrain.daemon = drain->daemon;
}

static void watch_fill(struct op_messages *messages, const struct canceld_request *from,
                       struct canceld_bytes name_space)
{
    messages->op.op_case = CANCELD__V1__OP__OP_WATCH;
    messages->op.watch = &messages->of.watch;
    canceld__v1__watch__init(&messages->of.watch);
    messages->of.watch.namespace_ = wire_bytes(name_space);
    messages->of.watch.epoch = from->of.watch.epoch;
    messages->of.watch.revision = from->of.watch.revision;
    messages->of.watch.cursor = from->of.watch.cursor;
    messages->of.watch.wait_ms = from->of.watch.wait_ms;
}

static void history_fill(struct op_messages *messages, const struct canceld_request *from,
                         struct canceld_bytes name_space)
{
    messages->op.op_case = CANCELD__V1__OP__OP_HISTORY;
    messages->op.history = &messages->of.history;
    canceld__v1__history__init(&messages->of.history);
    messages->of.history.namespace_ = wire_bytes(name_space);
    messages->of.history.key = wire_bytes(from->of.history.key);
    messages->of.history.cursor = from->of.history.cursor;
    messages->of.history.page_size = from->of.history.page_size;
}

static const struct op_row {
    void (*fill)(struct op_messages *, const struct canceld_request *, struct canceld_bytes);
    bool bare; /* of no namespace */
    bool alone;
    bool repeatable;
    bool reads;
} op_rows[] = {
    [CANCELD_OP_STORE] = {store_fill},
    [CANCELD_OP_CANCEL] = {cancel_fill}, /* see below */
    [CANCELD_OP_DELETE] = {delete_fill, .repeatable = true},
    [CANCELD_OP_TOUCH] = {touch_fill, .repeatable = true},
    [CANCELD_OP_WAIT] = {wait_fill, .alone = true, .repeatable = true, .reads = true},
    [CANCELD_OP_GET] = {get_fill, .repeatable = true, .reads = true},
    [CANCELD_OP_LIST] = {list_fill, .alone = true, .repeatable = true, .reads = true},
    [CANCELD_OP_COUNT] = {count_fill, .repeatable = true, .reads = true},
    [CANCELD_OP_ARMED] = {armed_fill, .alone = true, .repeatable = true, .reads = true},
    [CANCELD_OP_DISARM] = {disarm_fill},
    [CANCELD_OP_PING] = {ping_fill, .bare = true, .repeatable = true, .reads = true},
    [CANCELD_OP_STATS] = {stats_fill, .bare = true, .repeatable = true, .reads = true},
    [CANCELD_OP_DETACH] = {detach_fill, .repeatable = true},
    [CANCELD_OP_DRAIN] = {drain_fill, .alone = true},
    [CANCELD_OP_UNDRAIN] = {undrain_fill},
    [CANCELD_OP_WATCH] = {watch_fill, .alone = true, .repeatable = true, .reads = true},
    [CANCELD_OP_HISTORY] = {history_fill, .alone = true, .repeatable = true, .reads = true},
    [CANCELD_OP_ADOPT] = {adopt_fill, .repeatable = true},
};

static void cancel_flags_set(struct request *request, const struct canceld_cancel_request *cancel)
{
    bool bulk = cancel->label.size > 0 || cancel->owner != 0 || cancel->whole_namespace;

    request->repeatable = cancel->gen != 0;
    request->alone = bulk || cancel->level > CANCELD_LEVEL_RECORDED;
    request->wait_ms = cancel->level > CANCELD_LEVEL_RECORDED ? cancel->wait_ms : 0;
}

static void flags_set(struct request *request, const struct canceld_request *from)
{
    const struct op_row *row = &op_rows[from->op];

    request->op = from->op;
    request->alone = row->alone;
    request->repeatable = row->repeatable;
    request->reads = row->reads;
    if (from->op == CANCELD_OP_WAIT)
        request->wait_ms = from->of.wait.wait_ms;
    if (from->op == CANCELD_OP_DRAIN)
        request->wait_ms = from->of.drain.wait_ms;
    if (from->op == CANCELD_OP_WATCH)
        request->wait_ms = from->of.watch.wait_ms;
    if (from->op == CANCELD_OP_DELETE)
        request->gen = from->of.delete_.gen;
    if (from->op == CANCELD_OP_CANCEL)
        cancel_flags_set(request, &from->of.cancel);
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

/* All structs of the union begin with it. */
static struct canceld_bytes space_of(const struct canceld_request *from,
                                     struct canceld_bytes namespace_default)
{
    if (op_rows[from->op].bare || from->of.get.name_space.size == 0)
        return namespace_default;
    return from->of.get.name_space;
}

static bool labels_fit(const struct canceld_request *from)
{
    if (from->op == CANCELD_OP_STORE)
        return from->of.store.labels_count <= CANCELD_LABELS_MAX;
    if (from->op == CANCELD_OP_ADOPT)
        return from->of.adopt.store.labels_count <= CANCELD_LABELS_MAX;
    if (from->op == CANCELD_OP_LIST || from->op == CANCELD_OP_COUNT)
        return from->of.list.labels_count <= CANCELD_LABELS_MAX;
    return true;
}

static enum canceld_status request_pack(struct op_messages *messages, struct request *request,
                                        struct request **request_out)
{
    enum canceld_status status = frame_pack(request, &messages->op);

    if (status == CANCELD_OK)
        *request_out = request;
    else
        request_free(request);
    return status;
}

enum canceld_status request_new(const struct canceld_request *from,
                                struct canceld_bytes namespace_default,
                                struct request **request_out)
{
    struct op_messages messages = {.op = CANCELD__V1__OP__INIT};
    struct request *request = NULL;

    if (from->op < CANCELD_OP_STORE || from->op > CANCELD_OP_ADOPT || !labels_fit(from))
        return CANCELD_INVALID;
    request = calloc(1, sizeof *request);
    if (request == NULL)
        return CANCELD_NO_MEMORY;
    link_init(&request->link);
    flags_set(request, from);
    op_rows[from->op].fill(&messages, from, space_of(from, namespace_default));
    return request_pack(&messages, request, request_out);
}

enum canceld_status request_new_adopt(const struct adoption *from, struct request **request_out)
{
    struct op_messages messages = {.op = CANCELD__V1__OP__INIT};
    struct request *request = calloc(1, sizeof *request);

    if (request == NULL)
        return CANCELD_NO_MEMORY;
    link_init(&request->link);
    request->adopts = true;
    adoption_fill(&messages, from);
    return request_pack(&messages, request, request_out);
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
    switch (frame->ops[0]->op_case) {
    case CANCELD__V1__OP__OP_WAIT:
        frame->ops[0]->wait->deadline_ms = wait_ms;
        break;
    case CANCELD__V1__OP__OP_CANCEL:
        frame->ops[0]->cancel->deadline_ms = wait_ms;
        break;
    case CANCELD__V1__OP__OP_DRAIN:
        frame->ops[0]->drain->deadline_ms = wait_ms;
        break;
    case CANCELD__V1__OP__OP_WATCH:
        frame->ops[0]->watch->wait_ms = wait_ms;
        break;
    default:
        break;
    }
    done = frame_pack(request, frame->ops[0]) == CANCELD_OK;
    canceld__v1__frame__free_unpacked(frame, NULL);
    return done;
}
