/* SPDX-License-Identifier: MIT */
/* The quick way of decoding beside the general one, over frames by chance: whole ones, such as are
 * whole but strange, and damaged ones. Frames are made from protobuf-c's description of message
 * Frame, so that no field is left out. */
#include "codec_equal.h"
#include "testing.h"
#include "wire/op_fields.h"

#include "canceld.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_COUNT TEST_SCALE(1000000)
#define FRAME_ROOM ((size_t) 8192)

/* How strange a frame is: each a chance in 256. */
struct strangeness {
    uint32_t again;    /* a field comes once more */
    uint32_t unknown;  /* a field that nobody knows */
    uint32_t long_way; /* a number in more bytes than it needs */
    uint32_t wrong;    /* a field in another form */
};

struct maker {
    uint64_t random;
    struct strangeness strange;
    uint8_t *at;
    uint8_t *end;
};

static uint32_t below(struct maker *maker, uint32_t bound)
{
    return (uint32_t) (test_random(&maker->random) % bound);
}

static bool chance(struct maker *maker, uint32_t of_256)
{
    return below(maker, 256) < of_256;
}

/* ---- making ---- */

static void put_raw(struct maker *maker, const void *data, size_t size)
{
    if (size > 0 && size <= (size_t) (maker->end - maker->at)) {
        memcpy(maker->at, data, size);
        maker->at += size;
    }
}

static void put_number(struct maker *maker, uint64_t value)
{
    uint8_t bytes[16];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) {
        bytes[size++] = (uint8_t) (value | 0x80);
    }
    bytes[size++] = (uint8_t) value;
    for (uint32_t more = chance(maker, maker->strange.long_way) ? 1 + below(maker, 4) : 0; more > 0;
         more--) {
        bytes[size - 1] |= 0x80;
        bytes[size++] = 0;
    }
    put_raw(maker, bytes, size);
}

static uint64_t some_number(struct maker *maker)
{
    static const uint64_t edges[] = {0,          1,
                                     127,        128,
                                     0x3fff,     0x4000,
                                     UINT32_MAX, UINT64_C(1) << 32,
                                     UINT64_MAX, (UINT64_C(1) << 63) - 1};
    const uint32_t which = below(maker, 16);
    if (which < sizeof edges / sizeof edges[0]) {
        return edges[which];
    }
    return test_random(&maker->random) >> below(maker, 64);
}

/* Numbers of 32 bits are as a rule in their range, for above it they are for the general way. */
static uint64_t some_number_of(struct maker *maker, const ProtobufCFieldDescriptor *field)
{
    const uint64_t number = some_number(maker);
    if (field->type == PROTOBUF_C_TYPE_UINT64 || chance(maker, maker->strange.wrong)) {
        return number;
    }
    return field->type == PROTOBUF_C_TYPE_BOOL ? number & 1 : (uint32_t) number;
}

static void put_run(struct maker *maker, const void *data, size_t size)
{
    put_number(maker, size);
    put_raw(maker, data, size);
}

static void put_some_bytes(struct maker *maker)
{
    uint8_t bytes[200];
    const uint32_t size = below(maker, chance(maker, 16) ? sizeof bytes : 12);
    for (uint32_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t) test_random(&maker->random);
    }
    put_run(maker, bytes, size);
}

static void put_message(struct maker *maker, const ProtobufCMessageDescriptor *message);

/* A message within another: made apart, for its length stands before it. */
static void put_inner(struct maker *maker, const ProtobufCMessageDescriptor *message)
{
    struct maker inner = *maker;
    uint8_t *room = malloc(FRAME_ROOM);
    CHECK(room != NULL);
    inner.at = room;
    inner.end = room + FRAME_ROOM;
    put_message(&inner, message);
    maker->random = inner.random;
    put_run(maker, room, (size_t) (inner.at - room));
    free(room);
}

static uint32_t wire_type_of(const ProtobufCFieldDescriptor *field)
{
    const bool is_run =
        field->type == PROTOBUF_C_TYPE_BYTES || field->type == PROTOBUF_C_TYPE_MESSAGE;
    return is_run ? 2 : 0;
}

/* A list of numbers in one field, as clients send it. */
static void put_packed(struct maker *maker, const ProtobufCFieldDescriptor *field)
{
    uint8_t room[1024];
    struct maker inner = *maker;
    inner.at = room;
    inner.end = room + sizeof room;
    put_number(maker, field->id << 3 | 2);
    for (uint32_t count = below(maker, chance(maker, 16) ? 70 : 5); count > 0; count--) {
        put_number(&inner, some_number(&inner));
    }
    maker->random = inner.random;
    put_run(maker, room, (size_t) (inner.at - room));
}

static void put_field(struct maker *maker, const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED && wire_type_of(field) == 0 &&
        !chance(maker, maker->strange.wrong)) {
        put_packed(maker, field);
        return;
    }
    const uint32_t type =
        chance(maker, maker->strange.wrong) ? below(maker, 6) : wire_type_of(field);
    put_number(maker, field->id << 3 | type);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        put_inner(maker, field->descriptor);
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        put_some_bytes(maker);
    } else {
        put_number(maker, some_number_of(maker, field));
    }
}

/* A field that is there any number of times comes a few times, and now and then too often. */
static uint32_t times_of(struct maker *maker, const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED && field->type != PROTOBUF_C_TYPE_UINT64) {
        return below(maker, chance(maker, 16) ? 12 : 4);
    }
    return (chance(maker, 128) ? 1U : 0U) + (chance(maker, maker->strange.again) ? 1U : 0U);
}

static void put_unknown(struct maker *maker)
{
    put_number(maker, (16 + below(maker, 3000)) << 3 | 2);
    put_some_bytes(maker);
}

#define FIELDS_MAX 32

static void put_shuffled(struct maker *maker, const ProtobufCMessageDescriptor *message)
{
    uint32_t order[FIELDS_MAX];
    CHECK_LE(message->n_fields, FIELDS_MAX);
    const bool shuffles = chance(maker, 64);
    for (uint32_t i = 0; i < message->n_fields; i++) {
        const uint32_t other = shuffles ? below(maker, i + 1) : i;
        order[i] = order[other];
        order[other] = i;
    }
    for (uint32_t i = 0; i < message->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->fields[order[i]];
        for (uint32_t times = times_of(maker, field); times > 0; times--) {
            put_field(maker, field);
        }
    }
}

/* One field of a oneof; where it is strange another, or none. */
static void put_op(struct maker *maker)
{
    const ProtobufCMessageDescriptor *op = &canceld__v1__op__descriptor;
    for (uint32_t times = chance(maker, maker->strange.again) ? below(maker, 3) : 1; times > 0;
         times--) {
        put_field(maker, &op->fields[below(maker, op->n_fields)]);
    }
}

static void put_message(struct maker *maker, const ProtobufCMessageDescriptor *message)
{
    if (message == &canceld__v1__op__descriptor) {
        put_op(maker);
    } else {
        put_shuffled(maker, message);
    }
    if (chance(maker, maker->strange.unknown)) {
        put_unknown(maker);
    }
}

/* Version 1 as a rule, and then by chance. */
static void put_frame(struct maker *maker)
{
    const ProtobufCMessageDescriptor *frame = &canceld__v1__frame__descriptor;
    const bool first = chance(maker, 192);
    if (first) {
        put_raw(maker, "\x08\x01", 2);
    }
    for (uint32_t i = 1; i < frame->n_fields; i++) {
        for (uint32_t times = times_of(maker, &frame->fields[i]); times > 0; times--) {
            put_field(maker, &frame->fields[i]);
        }
    }
    if (!first || chance(maker, maker->strange.again)) {
        put_raw(maker, "\x08\x01", 2);
    }
    if (chance(maker, maker->strange.unknown)) {
        put_unknown(maker);
    }
}

/* ---- damage ---- */

static void flip_bits(struct maker *maker, uint8_t *bytes, size_t *size)
{
    for (uint32_t times = 1 + below(maker, 4); *size > 0 && times > 0; times--) {
        bytes[below(maker, (uint32_t) *size)] ^= (uint8_t) (1U << below(maker, 8));
    }
}

static void cut_off(struct maker *maker, uint8_t *bytes, size_t *size)
{
    (void) bytes;
    *size = below(maker, (uint32_t) *size + 1);
}

static void leave_out(struct maker *maker, uint8_t *bytes, size_t *size)
{
    const size_t from = below(maker, (uint32_t) *size + 1);
    const size_t count = below(maker, (uint32_t) (*size - from) + 1);
    memmove(bytes + from, bytes + from + count, *size - from - count);
    *size -= count;
}

static void repeat_some(struct maker *maker, uint8_t *bytes, size_t *size)
{
    const size_t from = below(maker, (uint32_t) *size + 1);
    const size_t count = below(maker, (uint32_t) (*size - from) + 1);
    if (*size + count <= FRAME_ROOM) {
        memmove(bytes + from + count, bytes + from, *size - from);
        *size += count;
    }
}

static void all_by_chance(struct maker *maker, uint8_t *bytes, size_t *size)
{
    for (size_t i = below(maker, 8); i < *size; i++) {
        bytes[i] = (uint8_t) test_random(&maker->random);
    }
}

static void (*const damages[])(struct maker *maker, uint8_t *bytes, size_t *size) = {
    flip_bits, flip_bits, cut_off, leave_out, repeat_some, all_by_chance};

#define DAMAGES_COUNT ((uint32_t) (sizeof damages / sizeof damages[0]))

/* ---- the cases ---- */

/* Of the frames of one sort how many the quick way took, and of which kinds their ops were. */
struct tally {
    size_t frames;
    size_t quick;
    size_t kinds[OP_END];
    size_t lists; /* ops with labels or acks */
};

static void tally_op(struct tally *tally, const struct op *op)
{
    tally->kinds[op->kind]++;
    const bool has_labels = (op->kind == OP_STORE && op->as.store.labels.count > 0) ||
                            (op->kind == OP_LIST && op->as.list.labels.count > 0);
    const bool has_acks = op->kind == OP_POLL && op->as.poll.acks_count > 0;
    tally->lists += has_labels || has_acks ? 1 : 0;
}

/* The bytes stand at the end of a block of their own, so that a sanitizer sees what reads on. */
static void try_frame(const struct codec_pair *pair, const uint8_t *bytes, size_t size,
                      struct tally *tally)
{
    uint8_t *exact = malloc(size + 1);
    struct frame frame;
    CHECK(exact != NULL);
    memcpy(exact + 1, bytes, size);
    tally->frames++;
    if (codec_pair_agree(pair, bytes_of(exact + 1, size), &frame)) {
        tally->quick++;
        for (size_t i = 0; i < frame.ops_count; i++) {
            tally_op(tally, &frame.ops[i]);
        }
    }
    free(exact);
}

static struct tally run_frames(size_t count, const struct strangeness *strange, bool damage)
{
    static uint8_t bytes[FRAME_ROOM];
    struct codec_pair pair;
    struct tally tally = {.frames = 0};
    struct maker maker = {.random = test_seed(), .strange = *strange};
    codec_pair_init(&pair);
    for (size_t i = 0; i < count; i++) {
        maker.at = bytes;
        maker.end = bytes + sizeof bytes;
        put_frame(&maker);
        size_t size = (size_t) (maker.at - bytes);
        if (damage) {
            damages[below(&maker, DAMAGES_COUNT)](&maker, bytes, &size);
        }
        try_frame(&pair, bytes, size, &tally);
    }
    codec_pair_fini(&pair);
    (void) printf("%zu of %zu frames were taken by the quick way\n", tally.quick, tally.frames);
    return tally;
}

static void usual_frames(void)
{
    const struct tally tally = run_frames(FRAMES_COUNT / 2, &(struct strangeness){0}, false);
    CHECK_GT(tally.quick, tally.frames / 3);
    CHECK_GT(tally.lists, tally.frames / 100);
    for (size_t kind = OP_UNKNOWN + 1; kind < OP_END; kind++) {
        CHECK_GT(tally.kinds[kind], tally.frames / 100);
    }
}

static void strange_frames(void)
{
    const struct strangeness strange = {.again = 8, .unknown = 4, .long_way = 8, .wrong = 2};
    const struct tally tally = run_frames(FRAMES_COUNT / 4, &strange, false);
    CHECK_GT(tally.quick, tally.frames / 20);
    CHECK_LT(tally.quick, tally.frames);
}

static void damaged_frames(void)
{
    const struct tally tally = run_frames(FRAMES_COUNT / 4, &(struct strangeness){0}, true);
    CHECK_GT(tally.quick, tally.frames / 20);
    CHECK_LT(tally.quick, tally.frames * 3 / 4);
}

/* ---- the table ---- */

static enum field_form form_of(const ProtobufCFieldDescriptor *field)
{
    const bool list = field->label == PROTOBUF_C_LABEL_REPEATED;
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_ENUM:
        return FIELD_U32;
    case PROTOBUF_C_TYPE_UINT64:
        return FIELD_U64;
    case PROTOBUF_C_TYPE_BOOL:
        return FIELD_BOOL;
    case PROTOBUF_C_TYPE_BYTES:
        return list ? FIELD_LABELS : FIELD_BYTES;
    case PROTOBUF_C_TYPE_MESSAGE:
        return list ? FIELD_ACKS : FIELD_CAUSE;
    default:
        return FIELD_NONE;
    }
}

static void check_fields(const struct message_fields *fields,
                         const ProtobufCMessageDescriptor *message)
{
    for (uint32_t number = 0; number < OP_FIELDS_MAX; number++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(message, number);
        const struct field_row *row = &fields->rows[number];
        CHECK_EQ(row->form, field == NULL ? FIELD_NONE : form_of(field));
        CHECK_EQ(row->tag, field == NULL ? 0 : number << 3 | wire_type_of(field));
    }
    for (uint32_t i = 0; i < message->n_fields; i++) {
        CHECK_LT(message->fields[i].id, OP_FIELDS_MAX);
    }
}

static void the_table_is_the_contract(void)
{
    const ProtobufCMessageDescriptor *op = &canceld__v1__op__descriptor;
    CHECK_EQ(op->n_fields, OP_END - 1);
    for (uint32_t kind = OP_UNKNOWN + 1; kind < OP_END; kind++) {
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(op, kind);
        CHECK(field != NULL);
        check_fields(&op_fields[kind], field->descriptor);
    }
    check_fields(&cause_fields, &canceld__v1__cause__descriptor);
    check_fields(&ack_fields, &canceld__v1__notice_ack__descriptor);
}

/* ---- the bounds ---- */

static uint8_t big[FRAME_BYTES_MAX + 1];
static size_t big_size;

static void big_put(const char *data, size_t size, size_t times)
{
    for (; times > 0; times--) {
        CHECK_LE(big_size + size, sizeof big);
        memcpy(big + big_size, data, size);
        big_size += size;
    }
}

#define BIG_PUT(text, times) big_put("" text, sizeof(text) - 1, times)

static bool big_is_quick(void)
{
    struct codec_pair pair;
    struct tally tally = {.frames = 0};
    codec_pair_init(&pair);
    try_frame(&pair, big, big_size, &tally);
    codec_pair_fini(&pair);
    return tally.quick == 1;
}

/* What the quick way takes has to be within what the general one may spend. An adopt with all of its
 * fields and 8 labels is what costs it most. */
#define COSTLY_FIELDS                                                                              \
    "\x0a\x01x\x12\x01k\x18\x01\x20\x01\x28\x01\x30\x01\x38\x01\x42\x01m\x48\x01\x52\x01q\x52\x01" \
    "r"                                                                                            \
    "\x52\x01s\x52\x01t\x52\x01u\x52\x01v\x52\x01w\x52\x01x\x58\x01\x62\x09\x12\x01t\x1a\x01y\x22" \
    "\x01z"

static void costly_frames(void)
{
    big_size = 0;
    BIG_PUT("\x08\x01", 1);
    BIG_PUT("\x32\x3d\x82\x01\x3a" COSTLY_FIELDS, FRAME_OPS_MAX);
    CHECK(big_is_quick());
    big_size = 0;
    BIG_PUT("\x08\x01", 1);
    BIG_PUT("\x32\x3f\x82\x01\x3c" COSTLY_FIELDS "\x68\x01", FRAME_BYTES_MAX / 65 - 1);
    CHECK(big_is_quick());
}

static void a_list_at_its_bound_is_taken(void)
{
    static const struct {
        size_t acks;
        bool quick;
    } rows[] = {{1, true}, {POLL_ACKS_MAX, true}, {POLL_ACKS_MAX + 1, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t head[] = {0x08, 1, 0x32, 0x80, 0x80, 0, 0x32, 0x80, 0x80, 0};
        const size_t size = rows[i].acks * 4;
        head[7] = (uint8_t) (0x80 | (size & 0x7f));
        head[8] = (uint8_t) (0x80 | (size >> 7 & 0x7f));
        head[9] = (uint8_t) (size >> 14);
        head[3] = (uint8_t) (0x80 | ((size + 4) & 0x7f));
        head[4] = (uint8_t) (0x80 | ((size + 4) >> 7 & 0x7f));
        head[5] = (uint8_t) ((size + 4) >> 14);
        big_size = 0;
        big_put((const char *) head, sizeof head, 1);
        BIG_PUT("\x0a\x02\x08\x05", rows[i].acks);
        CHECK_EQ(big_is_quick(), rows[i].quick);
    }
}

static void frames_at_their_bounds(void)
{
    big_size = 0;
    BIG_PUT("\x08\x01", 1);
    CHECK(!big_is_quick()); /* no op */
    BIG_PUT("\x32\x02\x6a\x00", FRAME_OPS_MAX);
    CHECK(big_is_quick());
    BIG_PUT("\x32\x02\x6a\x00", 1);
    CHECK(!big_is_quick());
    big_size = 0;
    BIG_PUT("\x08\x01\x2a\x40", 1);
    BIG_PUT("\x05", FRAME_ANSWERED_MAX);
    BIG_PUT("\x32\x02\x6a\x00", 1);
    CHECK(big_is_quick());
    big[3]++;
    big_size = 4;
    BIG_PUT("\x05", FRAME_ANSWERED_MAX + 1);
    BIG_PUT("\x32\x02\x6a\x00", 1);
    CHECK(!big_is_quick());
}

/* Polls with acks that are not alone may cost the general way more than it may spend. */
static void polls_with_acks_are_alone(void)
{
    big_size = 0;
    BIG_PUT("\x08\x01", 1);
    BIG_PUT("\x32\x06\x32\x04\x0a\x02\x08\x05", 1);
    CHECK(big_is_quick());
    BIG_PUT("\x32\x06\x32\x04\x0a\x02\x08\x05", 1);
    CHECK(!big_is_quick());
}

static const struct test_case cases[] = {
    {"the table of fields is canceld.proto's", the_table_is_the_contract, 0},
    {"usual frames mean the same both ways", usual_frames, 300000},
    {"strange frames mean the same both ways", strange_frames, 300000},
    {"damaged frames mean the same both ways", damaged_frames, 300000},
    {"what the quick way takes the general one can pay for", costly_frames, 0},
    {"a poll has as many acks as it may", a_list_at_its_bound_is_taken, 0},
    {"a frame has as many ops and answered ids as it may", frames_at_their_bounds, 0},
    {"polls with acks are taken alone", polls_with_acks_are_alone, 0},
};

TEST_MAIN(cases)
