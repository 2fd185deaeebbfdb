/* SPDX-License-Identifier: MIT */
/* For libFuzzer: a request out of the input's bytes, written by protobuf-c and read by the daemon, says what it
 * said before. Both ways of reading agree, and each field of each op stands where the table of op_fields.h
 * has it. */
#include "codec_equal.h"
#include "fuzz_message.h"
#include "testing.h"
#include "wire/op_fields.h"

#include "canceld.pb-c.h"

#define BODY_BYTES_MAX ((size_t) 16384)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- whether it is to be refused ---- */

static bool is_long(size_t count, size_t count_max)
{
    return count > count_max;
}

/* Whether an op is within the contract's bounds of lists: then it is never too complex. */
static bool op_is_usual(const Canceld__V1__Op *op)
{
    switch (op->op_case) {
    case CANCELD__V1__OP__OP_STORE:
        return !is_long(op->store->n_labels, LABELS_MAX);
    case CANCELD__V1__OP__OP_ADOPT:
        return !is_long(op->adopt->n_labels, LABELS_MAX);
    case CANCELD__V1__OP__OP_LIST:
        return !is_long(op->list->n_labels, LABELS_MAX);
    case CANCELD__V1__OP__OP_COUNT:
        return !is_long(op->count->n_labels, LABELS_MAX);
    default:
        return true;
    }
}

static bool is_usual(const Canceld__V1__Frame *frame)
{
    for (size_t i = 0; i < frame->n_ops; i++) {
        if (!op_is_usual(frame->ops[i])) {
            return false;
        }
    }
    return true;
}

/* ---- whether it says the same ---- */

static void same_bytes(const ProtobufCBinaryData *said, struct bytes read)
{
    CHECK_BYTES_EQ(said->data, said->len, read.data, read.size);
}

static const void *at(const void *base, size_t offset)
{
    return (const char *) base + offset;
}

static void same_labels(const void *message, const ProtobufCFieldDescriptor *field,
                        const struct labels *read)
{
    const size_t said = *(const size_t *) at(message, field->quantifier_offset);
    const ProtobufCBinaryData *items = *(ProtobufCBinaryData *const *) at(message, field->offset);
    CHECK_EQ(read->count, said < LABELS_MAX ? said : said > LABELS_MAX ? LABELS_MAX + 1 : said);
    for (size_t i = 0; i < read->count; i++) {
        same_bytes(&items[i], read->items[i]);
    }
}

static void same_acks(const void *message, const ProtobufCFieldDescriptor *field,
                      const struct op *op)
{
    Canceld__V1__NoticeAck *const *items =
        *(Canceld__V1__NoticeAck * *const *) at(message, field->offset);
    CHECK_EQ(op->as.poll.acks_count, *(const size_t *) at(message, field->quantifier_offset));
    for (size_t i = 0; i < op->as.poll.acks_count; i++) {
        CHECK_EQ(op->as.poll.acks[i].gen, items[i]->gen);
        CHECK_EQ(op->as.poll.acks[i].kind, (uint32_t) items[i]->kind);
    }
}

static void same_message(const ProtobufCMessage *message, const struct message_fields *fields,
                         const void *read);

static void same_field(const void *message, const ProtobufCFieldDescriptor *field,
                       const struct field_row *row, const void *read)
{
    const void *said = at(message, field->offset);
    const void *place = at(read, row->offset);
    switch ((enum field_form) row->form) {
    case FIELD_U32:
        CHECK_EQ(*(const uint32_t *) said, *(const uint32_t *) place);
        break;
    case FIELD_U64:
        CHECK(*(const uint64_t *) said == *(const uint64_t *) place);
        break;
    case FIELD_BOOL:
        CHECK_EQ(*(const protobuf_c_boolean *) said != 0, *(const bool *) place);
        break;
    case FIELD_BYTES:
        same_bytes(said, *(const struct bytes *) place);
        break;
    case FIELD_LABELS:
        same_labels(message, field, place);
        break;
    case FIELD_CAUSE:
        if (*(ProtobufCMessage *const *) said != NULL) {
            same_message(*(ProtobufCMessage *const *) said, &cause_fields, place);
        }
        break;
    case FIELD_ACKS:
        same_acks(message, field, read);
        break;
    case FIELD_NONE:
        test_failed(__FILE__, __LINE__, "a field that is in no table");
    }
}

static void same_message(const ProtobufCMessage *message, const struct message_fields *fields,
                         const void *read)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        CHECK_LT(field->id, OP_FIELDS_MAX);
        same_field(message, field, &fields->rows[field->id], read);
    }
}

static void same_frame(const Canceld__V1__Frame *said, const struct frame *read)
{
    CHECK_EQ(said->n_ops, read->ops_count);
    CHECK(said->session == read->session && said->request_id == read->request_id &&
          said->answered_below == read->answered_below);
    CHECK_EQ(said->n_answered, read->answered_count);
    for (size_t i = 0; i < read->answered_count; i++) {
        CHECK(said->answered[i] == read->answered[i]);
    }
    same_bytes(&said->secret, read->secret);
    for (size_t i = 0; i < read->ops_count; i++) {
        CHECK_EQ((unsigned) said->ops[i]->op_case, (unsigned) read->ops[i].kind);
        if (read->ops[i].kind != OP_UNKNOWN) {
            same_message((const ProtobufCMessage *) said->ops[i]->open,
                         &op_fields[read->ops[i].kind], &read->ops[i]);
        }
    }
}

/* Takes no more than the contract lets a client say. */
static void check_decoded(const struct codec_pair *pair, const Canceld__V1__Frame *said,
                          struct bytes body)
{
    struct frame read;
    const enum error_code code = codec_decode_general(pair->general, body, &read);
    if (said->n_answered > FRAME_ANSWERED_MAX) {
        CHECK_EQ(code, ERROR_ANSWERED);
        return;
    }
    CHECK(code == ERROR_UNSET || (code == ERROR_TOO_COMPLEX && !is_usual(said)));
    if (code == ERROR_UNSET) {
        same_frame(said, &read);
    }
    if (codec_pair_agree(pair, body, &read)) {
        same_frame(said, &read);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_memory memory;
    static struct codec_pair pair;
    static uint8_t body[BODY_BYTES_MAX];
    struct fuzz_cursor cursor = fuzz_cursor_of(data, size);
    if (pair.quick == NULL) {
        codec_pair_init(&pair);
    }
    fuzz_memory_begin(&memory);
    Canceld__V1__Frame *frame = fuzz_message(&cursor, &memory, &canceld__v1__frame__descriptor);
    frame->version = 1;
    const size_t body_bytes = canceld__v1__frame__get_packed_size(frame);
    if (body_bytes <= sizeof body) {
        CHECK_EQ(canceld__v1__frame__pack(frame, body), body_bytes);
        check_decoded(&pair, frame, bytes_of(body, body_bytes));
    }
    return 0;
}
