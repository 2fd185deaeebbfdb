/* SPDX-License-Identifier: MIT */
/* For libFuzzer: a result out of the input's bytes, written by the daemon and read by protobuf-c, says what it
 * said before. Both ways of writing make the same bytes, and where there is too little room neither writes
 * beyond it. */
#include "fuzz_message.h"
#include "testing.h"
#include "wire/codec_general.h"
#include "wire/codec_lists.h"

#include "canceld.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define ROOM ((size_t) 65536)
#define GUARD_BYTES 16
#define GUARD 0xa5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- from canceld.proto's messages to the registry's structs ---- */

enum form { U32, U64, BOOL, BYTES, TEXT, CAUSE, ERROR, OPENED, SECRET, LABELS, LIST };

/* A field by its number, and where it is in the struct. */
struct row {
    uint32_t number;
    enum form form;
    size_t offset;
    size_t count_offset; /* LABELS and LIST */
    size_t item_bytes;   /* LIST */
    const struct row *item_rows;
};

#define ROW(struct_name, number, form, member)                                                     \
    {                                                                                              \
        number, form, offsetof(struct struct_name, member)                                         \
    }

static const struct row cause_rows[] = {ROW(cause, 1, U32, code), ROW(cause, 2, BYTES, text),
                                        ROW(cause, 3, BYTES, actor), ROW(cause, 4, BYTES, peer)};

static const struct row error_rows[] = {ROW(error, 1, U32, code), ROW(error, 2, TEXT, field),
                                        ROW(error, 3, TEXT, text), ROW(error, 4, TEXT, limit)};

static const struct row opened_rows[] = {
    ROW(opened, 1, U64, session),     ROW(opened, 2, SECRET, secret),
    ROW(opened, 3, U64, epoch),       ROW(opened, 4, U32, grace_ms),
    ROW(opened, 5, U32, finished_ms), ROW(opened, 6, U32, parked_max),
    ROW(opened, 7, BOOL, resumed),    ROW(opened, 8, BYTES, space)};

static const struct row gen_rows[] = {
    ROW(gen_result, 1, U64, gen),   ROW(gen_result, 2, U32, answer),
    ROW(gen_result, 3, U32, level), ROW(gen_result, 4, U32, outcome),
    ROW(gen_result, 5, BYTES, key), ROW(gen_result, 6, U32, state)};

static const struct row notice_rows[] = {ROW(notice, 1, U64, number),  ROW(notice, 2, BYTES, key),
                                         ROW(notice, 3, U64, gen),     ROW(notice, 4, U32, kind),
                                         ROW(notice, 5, CAUSE, cause), ROW(notice, 6, U32, outcome),
                                         ROW(notice, 7, BYTES, space)};

#define INFO(number, form, member) ROW(operation_info, number, form, member)
static const struct row operation_rows[] = {INFO(1, BYTES, space),
                                            INFO(2, BYTES, key),
                                            INFO(3, U64, gen),
                                            INFO(4, U32, state),
                                            INFO(5, U32, outcome),
                                            INFO(6, U64, age_ms),
                                            INFO(7, U64, ttl_left_ms),
                                            INFO(8, U64, owner),
                                            INFO(9, BYTES, owner_name),
                                            INFO(10, BYTES, meta),
                                            INFO(11, CAUSE, cause),
                                            INFO(12, U32, level),
                                            {13, LABELS, offsetof(struct operation_info, labels),
                                             offsetof(struct operation_info, labels_count), 0,
                                             NULL},
                                            INFO(14, U64, parent),
                                            INFO(15, U64, cancelling_ms)};

static const struct row armed_rows[] = {
    ROW(armed_key, 1, BYTES, space), ROW(armed_key, 2, BYTES, key), ROW(armed_key, 3, CAUSE, cause),
    ROW(armed_key, 4, U64, ttl_left_ms)};

static const struct row stat_rows[] = {ROW(stat_row, 1, TEXT, name), ROW(stat_row, 2, U64, value)};

static const struct row event_rows[] = {ROW(event, 1, U64, revision), ROW(event, 2, BYTES, key),
                                        ROW(event, 3, U64, gen),      ROW(event, 4, U32, state),
                                        ROW(event, 5, U32, outcome),  ROW(event, 6, CAUSE, cause)};

#define PAST(number, form, member) ROW(history_entry, number, form, member)
static const struct row history_rows[] = {PAST(1, U32, kind),
                                          PAST(2, U64, at_unix_ms),
                                          PAST(3, BYTES, space),
                                          PAST(4, BYTES, key),
                                          PAST(5, U64, gen),
                                          PAST(6, CAUSE, cause),
                                          PAST(7, U32, outcome),
                                          PAST(8, BOOL, by_owner),
                                          PAST(9, U64, delivered_after_ms),
                                          PAST(10, U64, ended_after_ms),
                                          PAST(11, BOOL, delivered),
                                          PAST(12, BYTES, label),
                                          PAST(13, U64, owner),
                                          PAST(14, U64, requested)};

#define ITEMS(number, member, rows)                                                                \
    {                                                                                              \
        number, LIST, offsetof(struct result, member), offsetof(struct result, member##_count),    \
            sizeof *((struct result *) 0)->member, rows                                            \
    }
#define OF(number, form, member) ROW(result, number, form, member)
static const struct row result_rows[] = {
    OF(1, U32, answer),
    OF(2, U64, gen),
    OF(3, U32, state),
    OF(4, U32, outcome),
    OF(5, CAUSE, cause),
    OF(6, U32, level),
    OF(7, BOOL, no_owner),
    OF(8, BOOL, cancelled),
    OF(9, BOOL, by_owner),
    ITEMS(10, gens, gen_rows),
    OF(11, ERROR, error),
    OF(12, TEXT, limit),
    OF(13, OPENED, opened),
    ITEMS(14, notices, notice_rows),
    OF(15, BOOL, more),
    ITEMS(16, operations, operation_rows),
    OF(17, U64, next_cursor),
    OF(18, U64, count),
    ITEMS(19, armed, armed_rows),
    ITEMS(20, stats, stat_rows),
    OF(21, U32, retry_ms),
    OF(22, U64, requested),
    OF(23, U64, already_requested),
    OF(24, BOOL, journaled),
    OF(25, BOOL, memory_incomplete),
    ITEMS(26, events, event_rows),
    OF(27, U64, revision),
    OF(28, U64, epoch),
    ITEMS(29, history, history_rows),
};

static struct fuzz_memory memory;

static void to_struct(ProtobufCMessage *message, const struct row *rows, void *out);

/* The daemon says no word that there is not. */
static uint32_t known_word(const ProtobufCFieldDescriptor *field, uint32_t *said)
{
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        const ProtobufCEnumDescriptor *words = field->descriptor;
        *said = (uint32_t) words->values[*said % words->n_values].value;
    }
    return *said;
}

/* A message without a code is not written at all. */
static void to_coded(ProtobufCMessage **said, const struct row *rows, void *out)
{
    if (*said == NULL) {
        return;
    }
    to_struct(*said, rows, out);
    if (*(const uint32_t *) out == 0) {
        *said = NULL;
    }
}

static void to_opened(ProtobufCMessage *said, const struct opened **out)
{
    if (said != NULL) {
        struct opened *opened = fuzz_memory_take(&memory, sizeof *opened);
        to_struct(said, opened_rows, opened);
        *out = opened;
    }
}

static void to_secret(ProtobufCBinaryData *said, uint8_t out[SECRET_BYTES])
{
    const size_t size = said->len < SECRET_BYTES ? said->len : SECRET_BYTES;
    if (size > 0) {
        memcpy(out, said->data, size);
    }
    *said = (ProtobufCBinaryData){.len = SECRET_BYTES, .data = out};
}

static void to_labels(size_t *count, const ProtobufCBinaryData *said, const struct row *row,
                      char *out)
{
    struct bytes *labels = (struct bytes *) (void *) (out + row->offset);
    *count = *count < LABELS_MAX ? *count : LABELS_MAX;
    for (size_t i = 0; i < *count; i++) {
        labels[i] = bytes_of(said[i].data, said[i].len);
    }
    *(size_t *) (void *) (out + row->count_offset) = *count;
}

static void to_list(size_t count, ProtobufCMessage **said, const struct row *row, char *out)
{
    char *items = fuzz_memory_take(&memory, count * row->item_bytes);
    for (size_t i = 0; i < count; i++) {
        to_struct(said[i], row->item_rows, items + i * row->item_bytes);
    }
    *(char **) (void *) (out + row->offset) = items;
    *(size_t *) (void *) (out + row->count_offset) = count;
}

static void to_field(char *message, const ProtobufCFieldDescriptor *field, const struct row *row,
                     char *out)
{
    void *said = message + field->offset;
    size_t *count = (size_t *) (void *) (message + field->quantifier_offset);
    void *place = out + row->offset;
    const ProtobufCBinaryData *data = said;
    switch (row->form) {
    case U32:
        *(uint32_t *) place = known_word(field, said);
        break;
    case U64:
        *(uint64_t *) place = *(const uint64_t *) said;
        break;
    case BOOL:
        *(bool *) place = *(const protobuf_c_boolean *) said != 0;
        break;
    case BYTES:
        *(struct bytes *) place = bytes_of(data->data, data->len);
        break;
    case TEXT:
        *(const char **) place = *(const char *const *) said;
        break;
    case CAUSE:
        to_coded(said, cause_rows, place);
        break;
    case ERROR:
        to_coded(said, error_rows, place);
        break;
    case OPENED:
        to_opened(*(ProtobufCMessage **) said, place);
        break;
    case SECRET:
        to_secret(said, place);
        break;
    case LABELS:
        to_labels(count, *(ProtobufCBinaryData **) said, row, out);
        break;
    case LIST:
        to_list(*count, *(ProtobufCMessage ***) said, row, out);
        break;
    }
}

/* Every field of the message has a row, in the order of its number. */
static void to_struct(ProtobufCMessage *message, const struct row *rows, void *out)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        CHECK_EQ(field->id, rows[i].number);
        to_field((char *) (void *) message, field, &rows[i], out);
    }
}

/* ---- writing and reading ---- */

static void *take_memory(void *context, size_t size)
{
    (void) context;
    return fuzz_memory_take(&memory, size);
}

static void give_memory(void *context, void *room)
{
    (void) context;
    (void) room;
}

/* Writes it both ways into exactly so much room; the size, or 0. */
static size_t write_both(const struct result *result, uint8_t *out, size_t room)
{
    static uint8_t general[ROOM];
    memset(out + room, GUARD, GUARD_BYTES);
    const size_t size = codec_result(NULL, result, out, room);
    CHECK_EQ(codec_result_general(NULL, result, general, room), size);
    CHECK_BYTES_EQ(out, size, general, size);
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        CHECK_EQ(out[room + i], GUARD);
    }
    return size;
}

static void check_read(const Canceld__V1__Result *said, const uint8_t *data, size_t size)
{
    ProtobufCAllocator allocator = {.alloc = take_memory, .free = give_memory};
    static uint8_t one[ROOM];
    static uint8_t other[ROOM];
    const Canceld__V1__Reply *reply = canceld__v1__reply__unpack(&allocator, size, data);
    CHECK(reply != NULL && reply->n_results == 1);
    const size_t packed = canceld__v1__result__get_packed_size(said);
    CHECK_LE(packed, ROOM);
    CHECK_EQ(canceld__v1__result__get_packed_size(reply->results[0]), packed);
    CHECK_EQ(canceld__v1__result__pack(said, one), packed);
    CHECK_EQ(canceld__v1__result__pack(reply->results[0], other), packed);
    CHECK_BYTES_EQ(one, packed, other, packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[ROOM + GUARD_BYTES];
    struct fuzz_cursor cursor = fuzz_cursor_of(data, size);
    const size_t room = (size_t) fuzz_number(&cursor) % ROOM;
    fuzz_memory_begin(&memory);
    Canceld__V1__Result *said = fuzz_message(&cursor, &memory, &canceld__v1__result__descriptor);
    struct result result = {.answer = ANSWER_UNSET};
    to_struct(&said->base, result_rows, &result);
    const size_t whole = write_both(&result, out, ROOM);
    if (whole == 0) {
        return 0; /* more than a reply holds */
    }
    check_read(said, out, whole);
    CHECK_EQ(write_both(&result, out, whole), whole);
    CHECK_EQ(write_both(&result, out, whole - 1), 0);
    CHECK_EQ(write_both(&result, out, room), room < whole ? 0 : whole);
    return 0;
}
