/* SPDX-License-Identifier: MIT */
/* Requests about many operations, and about those of an earlier start: labels, parents, adopt, bulk
 * cancels, drains, watches and the history. */
#include "codec_rig.h"

#include <stdio.h>

/* ---- every field ---- */

static Canceld__V1__Op op_of(Canceld__V1__Op__OpCase op_case)
{
    Canceld__V1__Op op;
    canceld__v1__op__init(&op);
    op.op_case = op_case;
    return op;
}

static void check_labels(const struct labels *got, const ProtobufCBinaryData *labels, size_t count)
{
    CHECK_EQ(got->count, count);
    for (size_t i = 0; i < count; i++) {
        CHECK_BYTES_EQ(got->items[i].data, got->items[i].size, labels[i].data, labels[i].len);
    }
}

static void the_groups_of_a_store(void)
{
    struct codec *codec = codec_of_case();
    ProtobufCBinaryData labels[] = {DATA("chat"), DATA("team:\0red"), DATA("")};
    Canceld__V1__Store store;
    canceld__v1__store__init(&store);
    store.key = DATA("key");
    store.parent = UINT64_MAX;
    store.labels = labels;
    store.n_labels = 3;
    Canceld__V1__Op op = op_of(CANCELD__V1__OP__OP_STORE);
    op.store = &store;
    const struct op got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_STORE);
    CHECK(got.as.store.parent == UINT64_MAX);
    check_labels(&got.as.store.labels, labels, 3);
    CHECK_EQ(got.as.store.cause_code, CAUSE_UNSET);
    CHECK_EQ(got.as.store.previous_session, 0);
    store.n_labels = 0;
    CHECK_EQ(decode_one(codec, &op).as.store.labels.count, 0);
    codec_free(codec);
}

static Canceld__V1__Adopt an_adopt(void)
{
    Canceld__V1__Adopt adopt;
    canceld__v1__adopt__init(&adopt);
    adopt.namespace_ = DATA("space");
    adopt.key = DATA("k\0y");
    adopt.policy = CANCELD__V1__POLICY__POLICY_SUPERSEDE;
    adopt.ttl_ms = 60001;
    adopt.on_expiry = CANCELD__V1__ON_EXPIRY__ON_EXPIRY_REAP;
    adopt.stop_grace_ms = 251;
    adopt.on_owner_loss = CANCELD__V1__ON_OWNER_LOSS__ON_OWNER_LOSS_KEEP;
    adopt.meta = DATA("{}");
    adopt.parent = 31;
    adopt.gen = UINT64_C(1) << 63;
    adopt.previous_session = UINT64_MAX;
    return adopt;
}

static void a_whole_adopt(void)
{
    struct codec *codec = codec_of_case();
    ProtobufCBinaryData labels[] = {DATA("one"), DATA("two")};
    Canceld__V1__Cause cause;
    canceld__v1__cause__init(&cause);
    cause.code = CANCELD__V1__CAUSE_CODE__CAUSE_PARENT;
    cause.text = DATA("because");
    cause.actor = DATA("bob");
    cause.peer = DATA("uid:7");
    Canceld__V1__Adopt adopt = an_adopt();
    adopt.labels = labels;
    adopt.n_labels = 2;
    adopt.cause = &cause;
    Canceld__V1__Op op = op_of(CANCELD__V1__OP__OP_ADOPT);
    op.adopt = &adopt;
    const struct op got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_ADOPT);
    CHECK_TEXT(got.space, "space");
    CHECK_TEXT(got.key, "k\0y");
    CHECK(got.gen == UINT64_C(1) << 63);
    CHECK_EQ(got.as.store.policy, POLICY_SUPERSEDE);
    CHECK_EQ(got.as.store.ttl_ms, 60001);
    CHECK_EQ(got.as.store.on_expiry, ON_EXPIRY_REAP);
    CHECK_EQ(got.as.store.stop_grace_ms, 251);
    CHECK_EQ(got.as.store.on_owner_loss, ON_OWNER_LOSS_KEEP);
    CHECK_TEXT(got.as.store.meta, "{}");
    CHECK_EQ(got.as.store.parent, 31);
    check_labels(&got.as.store.labels, labels, 2);
    CHECK_EQ(got.as.store.cause_code, CAUSE_PARENT);
    CHECK_EQ(got.as.store.cause.code, CAUSE_UNSET);
    CHECK_TEXT(got.as.store.cause.text, "because");
    CHECK_TEXT(got.as.store.cause.actor, "bob");
    CHECK_TEXT(got.as.store.cause.peer, "uid:7");
    CHECK(got.as.store.previous_session == UINT64_MAX);
    adopt.cause = NULL;
    CHECK_EQ(decode_one(codec, &op).as.store.cause_code, CAUSE_UNSET);
    codec_free(codec);
}

static void the_targets_of_a_cancel(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__Cancel cancel;
    canceld__v1__cancel__init(&cancel);
    Canceld__V1__Op op = op_of(CANCELD__V1__OP__OP_CANCEL);
    op.cancel = &cancel;
    struct op got = decode_one(codec, &op);
    CHECK_EQ(got.as.cancel.label.size, 0);
    CHECK_EQ(got.as.cancel.owner, 0);
    CHECK(!got.as.cancel.whole_namespace);
    cancel.label = DATA("la\0bel");
    cancel.owner = UINT64_MAX - 1;
    cancel.whole_namespace = true;
    got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_CANCEL);
    CHECK_TEXT(got.as.cancel.label, "la\0bel");
    CHECK(got.as.cancel.owner == UINT64_MAX - 1);
    CHECK(got.as.cancel.whole_namespace);
    CHECK_EQ(got.key.size, 0);
    codec_free(codec);
}

static void the_selections_of_list_and_count(void)
{
    struct codec *codec = codec_of_case();
    ProtobufCBinaryData labels[] = {DATA("a"), DATA("b"), DATA("c")};
    Canceld__V1__List list;
    canceld__v1__list__init(&list);
    list.labels = labels;
    list.n_labels = 3;
    list.order = CANCELD__V1__LIST_ORDER__LIST_ORDER_UNACKNOWLEDGED;
    Canceld__V1__Op op = op_of(CANCELD__V1__OP__OP_LIST);
    op.list = &list;
    struct op got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_LIST);
    check_labels(&got.as.list.labels, labels, 3);
    CHECK_EQ(got.as.list.order, LIST_ORDER_UNACKNOWLEDGED);
    Canceld__V1__Count count;
    canceld__v1__count__init(&count);
    count.labels = labels + 1;
    count.n_labels = 2;
    op = op_of(CANCELD__V1__OP__OP_COUNT);
    op.count = &count;
    got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_COUNT);
    check_labels(&got.as.list.labels, labels + 1, 2);
    CHECK_EQ(got.as.list.order, LIST_ORDER_NONE);
    codec_free(codec);
}

static void a_whole_detach_and_watch(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__Detach detach;
    canceld__v1__detach__init(&detach);
    detach.namespace_ = DATA("d-space");
    detach.key = DATA("d-key");
    detach.gen = 5;
    Canceld__V1__Op op = op_of(CANCELD__V1__OP__OP_DETACH);
    op.detach = &detach;
    struct op got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_DETACH);
    CHECK_TEXT(got.space, "d-space");
    CHECK_TEXT(got.key, "d-key");
    CHECK_EQ(got.gen, 5);
    Canceld__V1__Watch watch;
    canceld__v1__watch__init(&watch);
    watch.namespace_ = DATA("w-space");
    watch.epoch = UINT64_MAX;
    watch.revision = UINT64_MAX - 1;
    watch.cursor = 6;
    watch.wait_ms = 7;
    op = op_of(CANCELD__V1__OP__OP_WATCH);
    op.watch = &watch;
    got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_WATCH);
    CHECK_TEXT(got.space, "w-space");
    CHECK(got.as.watch.epoch == UINT64_MAX);
    CHECK(got.as.watch.revision == UINT64_MAX - 1);
    CHECK_EQ(got.as.watch.cursor, 6);
    CHECK_EQ(got.as.watch.wait_ms, 7);
    codec_free(codec);
}

static void a_whole_drain_and_undrain(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__Drain drain;
    canceld__v1__drain__init(&drain);
    drain.namespace_ = DATA("d-space");
    drain.owner = UINT64_MAX;
    drain.daemon = true;
    drain.deadline_ms = 8;
    drain.text = DATA("up\0grade");
    drain.actor = DATA("ops");
    Canceld__V1__Op op = op_of(CANCELD__V1__OP__OP_DRAIN);
    op.drain = &drain;
    struct op got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_DRAIN);
    CHECK_TEXT(got.space, "d-space");
    CHECK(got.as.drain.owner == UINT64_MAX);
    CHECK(got.as.drain.daemon);
    CHECK_EQ(got.as.drain.deadline_ms, 8);
    CHECK_EQ(got.as.drain.cause.code, CAUSE_UNSET);
    CHECK_TEXT(got.as.drain.cause.text, "up\0grade");
    CHECK_TEXT(got.as.drain.cause.actor, "ops");
    CHECK_EQ(got.as.drain.cause.peer.size, 0);
    Canceld__V1__Undrain undrain;
    canceld__v1__undrain__init(&undrain);
    undrain.namespace_ = DATA("u-space");
    undrain.owner = 9;
    op = op_of(CANCELD__V1__OP__OP_UNDRAIN);
    op.undrain = &undrain;
    got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_UNDRAIN);
    CHECK_TEXT(got.space, "u-space");
    CHECK_EQ(got.as.drain.owner, 9);
    CHECK(!got.as.drain.daemon);
    undrain.daemon = true;
    CHECK(decode_one(codec, &op).as.drain.daemon);
    codec_free(codec);
}

static void a_whole_history(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__History history;
    canceld__v1__history__init(&history);
    history.namespace_ = DATA("h-space");
    history.key = DATA("h-key");
    history.cursor = UINT64_MAX;
    history.page_size = 1000;
    Canceld__V1__Op op = op_of(CANCELD__V1__OP__OP_HISTORY);
    op.history = &history;
    const struct op got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_HISTORY);
    CHECK_TEXT(got.space, "h-space");
    CHECK_TEXT(got.key, "h-key");
    CHECK(got.as.list.cursor == UINT64_MAX);
    CHECK_EQ(got.as.list.page_size, 1000);
    codec_free(codec);
}

/* ---- labels in numbers ---- */

static ProtobufCBinaryData label_room[20000];

/* `count` labels of `size` bytes, each of which tells its place. */
static ProtobufCBinaryData *labels_of(size_t count, size_t size)
{
    static uint8_t text[20000][LABEL_BYTES_MAX];
    CHECK(count <= 20000 && size <= LABEL_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        memset(text[i], 'a' + (int) (i % 26), size);
        label_room[i] = (ProtobufCBinaryData){.len = size, .data = text[i]};
    }
    return label_room;
}

/* One of the ops that bring labels, and where they are when it is decoded. */
struct labelled {
    Canceld__V1__Op op;
    Canceld__V1__Store store;
    Canceld__V1__Adopt adopt;
    Canceld__V1__List list;
    Canceld__V1__Count count;
};

static const Canceld__V1__Op__OpCase labelled_cases[] = {
    CANCELD__V1__OP__OP_STORE, CANCELD__V1__OP__OP_ADOPT, CANCELD__V1__OP__OP_LIST,
    CANCELD__V1__OP__OP_COUNT};

#define LABELLED_CASES (sizeof labelled_cases / sizeof labelled_cases[0])

static Canceld__V1__Op *label(struct labelled *with, Canceld__V1__Op__OpCase op_case, size_t count,
                              size_t size)
{
    canceld__v1__store__init(&with->store);
    canceld__v1__adopt__init(&with->adopt);
    canceld__v1__list__init(&with->list);
    canceld__v1__count__init(&with->count);
    with->store.labels = with->adopt.labels = with->list.labels = with->count.labels =
        labels_of(count, size);
    with->store.n_labels = with->adopt.n_labels = with->list.n_labels = with->count.n_labels =
        count;
    with->op = op_of(op_case);
    if (op_case == CANCELD__V1__OP__OP_STORE) {
        with->op.store = &with->store;
    } else if (op_case == CANCELD__V1__OP__OP_ADOPT) {
        with->op.adopt = &with->adopt;
    } else if (op_case == CANCELD__V1__OP__OP_LIST) {
        with->op.list = &with->list;
    } else {
        with->op.count = &with->count;
    }
    return &with->op;
}

static const struct labels *labels_in(const struct op *op)
{
    const bool stores = op->kind == OP_STORE || op->kind == OP_ADOPT;
    return stores ? &op->as.store.labels : &op->as.list.labels;
}

static void too_many_labels_are_cut_to_one_too_many(void)
{
    struct codec *codec = codec_of_case();
    const size_t counts[] = {LABELS_MAX, LABELS_MAX + 1, 100, 1000};
    for (size_t i = 0; i < LABELLED_CASES * 4; i++) {
        const size_t count = counts[i / LABELLED_CASES];
        struct labelled with;
        Canceld__V1__Op *op = label(&with, labelled_cases[i % LABELLED_CASES], count, 61);
        const struct op got = decode_one(codec, op);
        CHECK_LE(request_size, FRAME_BYTES_MAX);
        check_labels(labels_in(&got), label_room, count > LABELS_MAX ? LABELS_MAX + 1 : count);
    }
    codec_free(codec);
}

static void one_op_with_too_many_fails_alone(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__Op *ops[512];
    struct labelled eight;
    struct labelled nine;
    for (size_t i = 0; i < 512; i++) {
        ops[i] = label(&eight, CANCELD__V1__OP__OP_STORE, LABELS_MAX, 8);
    }
    ops[100] = label(&nine, CANCELD__V1__OP__OP_STORE, LABELS_MAX + 1, 8);
    Canceld__V1__Frame from;
    canceld__v1__frame__init(&from);
    from.version = 1;
    from.n_ops = 512;
    from.ops = ops;
    struct frame frame;
    CHECK_EQ(codec_decode(codec, pack_frame(&from), &frame), ERROR_UNSET);
    CHECK_EQ(frame.ops_count, 512);
    for (size_t i = 0; i < 512; i++) {
        check_labels(&frame.ops[i].as.store.labels, label_room, i == 100 ? 9 : 8);
    }
    codec_free(codec);
}

/* However small they are: refused for what they cost, and what comes next is judged by itself. */
static void ten_thousand_labels(void)
{
    struct codec *codec = codec_of_case();
    struct frame frame;
    const size_t counts[] = {10000, 20000};
    for (size_t i = 0; i < LABELLED_CASES * 2; i++) {
        struct labelled with;
        Canceld__V1__Op *op =
            label(&with, labelled_cases[i % LABELLED_CASES], counts[i / LABELLED_CASES], i % 2);
        const struct bytes body = pack_ops(op, 1);
        CHECK_LE(body.size, FRAME_BYTES_MAX);
        CHECK_EQ(codec_decode(codec, body, &frame), ERROR_TOO_COMPLEX);
        CHECK_EQ(frame.session, 5);
        CHECK_EQ(frame.request_id, 6);
        CHECK_EQ(frame.ops_count, 0);
        op = label(&with, CANCELD__V1__OP__OP_STORE, LABELS_MAX, LABEL_BYTES_MAX);
        const struct op got = decode_one(codec, op);
        check_labels(&got.as.store.labels, label_room, LABELS_MAX);
    }
    codec_free(codec);
}

/* ---- whatever the contract allows is decoded ---- */

/* Bytes of one op, made by hand. */
struct written {
    uint8_t bytes[8192];
    size_t size;
};

static void write_varint(struct written *to, uint64_t value)
{
    CHECK(to->size + 10 <= sizeof to->bytes);
    for (; value >= 0x80; value >>= 7) {
        to->bytes[to->size++] = (uint8_t) (value | 0x80);
    }
    to->bytes[to->size++] = (uint8_t) value;
}

static void write_bytes(struct written *to, const void *data, size_t size)
{
    write_varint(to, size);
    CHECK(to->size + size <= sizeof to->bytes);
    memcpy(to->bytes + to->size, data, size);
    to->size += size;
}

/* How the messages of a frame are filled. */
struct filling {
    uint64_t seed;
    size_t part;       /* of 8: how many of the fields are there */
    size_t size_max;   /* of bytes */
    uint64_t mask;     /* of numbers */
    size_t labels_max; /* elements of a list */
};

static void write_message(struct written *to, const ProtobufCMessageDescriptor *type,
                          struct filling *how);

static void write_field(struct written *to, const ProtobufCFieldDescriptor *field,
                        struct filling *how)
{
    const bool is_bytes = field->type == PROTOBUF_C_TYPE_BYTES;
    const bool is_message = field->type == PROTOBUF_C_TYPE_MESSAGE;
    write_varint(to, (uint64_t) field->id << 3 | (is_bytes || is_message ? 2 : 0));
    if (is_message) {
        static struct written inner; /* there is one level only: a cause, an ack */
        inner.size = 0;
        write_message(&inner, field->descriptor, how);
        write_bytes(to, inner.bytes, inner.size);
    } else if (is_bytes) {
        static const uint8_t text[META_BYTES_MAX];
        write_bytes(to, text, test_random(&how->seed) % (how->size_max + 1));
    } else {
        write_varint(to, test_random(&how->seed) & how->mask);
    }
}

static void write_message(struct written *to, const ProtobufCMessageDescriptor *type,
                          struct filling *how)
{
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        size_t count = test_random(&how->seed) % 8 < how->part ? 1 : 0;
        if (field->label == PROTOBUF_C_LABEL_REPEATED && count == 1) {
            count = how->labels_max;
        }
        for (size_t k = 0; k < count; k++) {
            write_field(to, field, how);
        }
    }
}

/* Puts ops of one kind into the request until 1024 are there or it is full; gives their number. */
static size_t put_many(const ProtobufCFieldDescriptor *kind, struct filling *how)
{
    static struct written message;
    static struct written op;
    begin_request();
    for (size_t count = 0; count < FRAME_OPS_MAX; count++) {
        message.size = 0;
        op.size = 0;
        write_message(&message, kind->descriptor, how);
        write_varint(&op, (uint64_t) kind->id << 3 | 2);
        write_bytes(&op, message.bytes, message.size);
        if (request_size + op.size + 4 > FRAME_BYTES_MAX) {
            return count;
        }
        put_varint(6 << 3 | 2);
        put_varint(op.size);
        put(op.bytes, op.size);
    }
    return FRAME_OPS_MAX;
}

static void fill_with(struct codec *codec, struct filling how)
{
    const ProtobufCMessageDescriptor *ops = &canceld__v1__op__descriptor;
    for (unsigned i = 0; i < ops->n_fields; i++) {
        struct frame frame;
        const size_t count = put_many(&ops->fields[i], &how);
        const enum error_code error = decode(codec, &frame);
        if (error != ERROR_UNSET) {
            (void) fprintf(stderr, "%zu of %s, part %zu, bytes to %zu: %zu bytes\n", count,
                           ops->fields[i].name, how.part, how.size_max, request_size);
        }
        CHECK_EQ(error, ERROR_UNSET);
        CHECK_EQ(frame.ops_count, count);
        CHECK_EQ(frame.ops[0].kind, ops->fields[i].id);
    }
}

static void whatever_fits_is_decoded(void)
{
    const uint64_t seed = test_seed();
    struct codec *codec = codec_of_case();
    static const size_t sizes[] = {0, 1, 2, 7, 9, 40, 64};
    CHECK_EQ(canceld__v1__op__descriptor.n_fields, OP_END - 1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t part = 0; part <= 8; part++) {
            for (size_t wide = 0; wide < 2; wide++) {
                fill_with(codec, (struct filling){.seed = seed + i * 100 + part * 10 + wide,
                                                  .part = part,
                                                  .size_max = sizes[i],
                                                  .mask = wide != 0 ? UINT64_MAX : 1,
                                                  .labels_max = LABELS_MAX});
            }
        }
    }
    codec_free(codec);
}

/* As many as there may be, with all that they may bring: nothing here is left to chance. */
static void a_thousand_stores_with_eight_labels(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__Store store;
    canceld__v1__store__init(&store);
    store.namespace_ = DATA("n");
    store.key = DATA("k");
    store.policy = CANCELD__V1__POLICY__POLICY_JOIN;
    store.ttl_ms = 100;
    store.on_expiry = CANCELD__V1__ON_EXPIRY__ON_EXPIRY_REAP;
    store.stop_grace_ms = 1;
    store.on_owner_loss = CANCELD__V1__ON_OWNER_LOSS__ON_OWNER_LOSS_KEEP;
    store.meta = DATA("m");
    store.parent = 1;
    store.labels = labels_of(LABELS_MAX, 1);
    store.n_labels = LABELS_MAX;
    Canceld__V1__Op op = op_of(CANCELD__V1__OP__OP_STORE);
    op.store = &store;
    const struct bytes body = pack_ops(&op, FRAME_OPS_MAX);
    CHECK_LE(body.size, FRAME_BYTES_MAX);
    struct frame frame;
    CHECK_EQ(codec_decode(codec, body, &frame), ERROR_UNSET);
    CHECK_EQ(frame.ops_count, FRAME_OPS_MAX);
    for (size_t i = 0; i < FRAME_OPS_MAX; i++) {
        check_labels(&frame.ops[i].as.store.labels, label_room, LABELS_MAX);
        CHECK_TEXT(frame.ops[i].as.store.meta, "m");
        CHECK_EQ(frame.ops[i].as.store.parent, 1);
    }
    codec_free(codec);
}

static const struct test_case cases[] = {
    {"a store brings a parent and labels", the_groups_of_a_store, 0},
    {"every field of an adopt comes through", a_whole_adopt, 0},
    {"every target of a cancel comes through", the_targets_of_a_cancel, 0},
    {"labels and order of list and count come through", the_selections_of_list_and_count, 0},
    {"every field of a detach and of a watch comes through", a_whole_detach_and_watch, 0},
    {"every field of a drain and of an undrain comes through", a_whole_drain_and_undrain, 0},
    {"every field of a history comes through", a_whole_history, 0},
    {"of too many labels one too many come through", too_many_labels_are_cut_to_one_too_many, 0},
    {"an op with too many labels leaves the others alone", one_op_with_too_many_fails_alone, 0},
    {"ten thousand labels are too complex, and do no harm", ten_thousand_labels, 0},
    {"ops of every kind, however filled, are decoded", whatever_fits_is_decoded, 0},
    {"1024 stores with eight labels each are decoded", a_thousand_stores_with_eight_labels, 0},
};
TEST_MAIN(cases)
