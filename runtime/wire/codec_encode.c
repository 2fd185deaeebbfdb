/* SPDX-License-Identifier: MIT */
/* A reply's way out, piece by piece: the head is a Reply without results, and each result behind it
 * is one more `results` field, so that the pieces in a row are a Reply. Nearly all are written by
 * result_writer.c; what follows is the general way, which takes all.
 *
 * A result's lists are written element by element behind its other fields, each element through one
 * struct on the stack: a page of a thousand operations needs no memory but its own bytes. protobuf
 * leaves the order of fields free. */
#include "wire/codec_general.h"
#include "wire/codec_lists.h"
#include "wire/result_writer.h"

#include "canceld.pb-c.h"

#define PROTOCOL_VERSION 1
#define WIRE_LENGTH 2

/* ---- the words are the same on both sides ---- */

#define SAME_NUMBER(ours, theirs)                                                                  \
    _Static_assert((int) (ours) == (int) (theirs), #ours " has the number of canceld.proto")

#define ANSWER_SAME(name, number) SAME_NUMBER(ANSWER_##name, CANCELD__V1__ANSWER__ANSWER_##name);
ANSWER_TABLE(ANSWER_SAME)
SAME_NUMBER(ANSWER_UNSET, CANCELD__V1__ANSWER__ANSWER_UNSET);

#define ERROR_SAME(name, number) SAME_NUMBER(ERROR_##name, CANCELD__V1__ERROR_CODE__ERROR_##name);
ERROR_TABLE(ERROR_SAME)
SAME_NUMBER(ERROR_UNSET, CANCELD__V1__ERROR_CODE__ERROR_UNSET);

/* The smaller ones: SAME(enum of canceld.proto, word). */
#define SAME(theirs, word) SAME_NUMBER(word, CANCELD__V1__##theirs##__##word)
SAME(POLICY, POLICY_REJECT);
SAME(POLICY, POLICY_SUPERSEDE);
SAME(POLICY, POLICY_JOIN);
SAME(ON_EXPIRY, ON_EXPIRY_CANCEL);
SAME(ON_EXPIRY, ON_EXPIRY_REAP);
SAME(ON_OWNER_LOSS, ON_OWNER_LOSS_REAP);
SAME(ON_OWNER_LOSS, ON_OWNER_LOSS_KEEP);
SAME(STATE, STATE_UNSET);
SAME(STATE, STATE_LIVE);
SAME(STATE, STATE_CANCELLING);
SAME(STATE, STATE_ENDED);
SAME(OUTCOME, OUTCOME_UNSET);
SAME(OUTCOME, OUTCOME_COMPLETED);
SAME(OUTCOME, OUTCOME_FAILED);
SAME(OUTCOME, OUTCOME_CANCELLED);
SAME(OUTCOME, OUTCOME_EXPIRED);
SAME(OUTCOME, OUTCOME_OWNER_LOST);
SAME(LEVEL, LEVEL_NONE);
SAME(LEVEL, LEVEL_RECORDED);
SAME(LEVEL, LEVEL_DELIVERED);
SAME(LEVEL, LEVEL_STOPPED);
SAME(CAUSE_CODE, CAUSE_UNSET);
SAME(CAUSE_CODE, CAUSE_USER);
SAME(CAUSE_CODE, CAUSE_POLICY);
SAME(CAUSE_CODE, CAUSE_SHUTDOWN);
SAME(CAUSE_CODE, CAUSE_DEADLINE);
SAME(CAUSE_CODE, CAUSE_SUPERSEDED);
SAME(CAUSE_CODE, CAUSE_PARENT);
SAME(NOTICE_KIND, NOTICE_UNSET);
SAME(NOTICE_KIND, NOTICE_CANCEL);
SAME(NOTICE_KIND, NOTICE_ENDED);
SAME(UNTIL, UNTIL_UNSET);
SAME(UNTIL, UNTIL_CANCELLING);
SAME(UNTIL, UNTIL_ENDED);
SAME(LIST_ORDER, LIST_ORDER_NONE);
SAME(LIST_ORDER, LIST_ORDER_OLDEST);
SAME(LIST_ORDER, LIST_ORDER_UNACKNOWLEDGED);
SAME(HISTORY_KIND, HISTORY_UNSET);
SAME(HISTORY_KIND, HISTORY_CANCEL);
SAME(HISTORY_KIND, HISTORY_BULK);
SAME(HISTORY_KIND, HISTORY_ARM);

/* ---- our words into protobuf-c's structs ---- */

static Canceld__V1__Error *lent_error(const struct error *error, Canceld__V1__Error *room)
{
    if (error->code == ERROR_UNSET) {
        return NULL;
    }
    canceld__v1__error__init(room);
    room->code = (Canceld__V1__ErrorCode) error->code;
    room->field = codec_lent_text(error->field);
    room->text = codec_lent_text(error->text);
    room->limit = codec_lent_text(error->limit);
    return room;
}

static Canceld__V1__Opened *lent_opened(const struct opened *opened, Canceld__V1__Opened *room)
{
    if (opened == NULL) {
        return NULL;
    }
    canceld__v1__opened__init(room);
    room->session = opened->session;
    room->secret = codec_lent(bytes_of(opened->secret, sizeof opened->secret));
    room->epoch = opened->epoch;
    room->grace_ms = opened->grace_ms;
    room->finished_ms = opened->finished_ms;
    room->parked_max = opened->parked_max;
    room->resumed = opened->resumed;
    room->namespace_ = codec_lent(opened->space);
    return room;
}

static size_t list_count(const struct codec_list *row, const struct result *result)
{
    return *(const size_t *) (const void *) ((const char *) result + row->count_offset);
}

/* ---- writing ---- */

static size_t varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7) {
        size++;
    }
    return size;
}

static uint8_t *put_varint(uint8_t *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *out++ = (uint8_t) (value | 0x80);
    }
    *out++ = (uint8_t) value;
    return out;
}

static uint64_t tag_of(uint32_t number)
{
    return (uint64_t) number << 3 | WIRE_LENGTH;
}

/* A field that holds `size` bytes, with its tag and its length. */
static size_t field_size(uint32_t number, size_t size)
{
    return varint_size(tag_of(number)) + varint_size(size) + size;
}

static uint8_t *put_field_head(uint8_t *out, uint32_t number, size_t size)
{
    return put_varint(put_varint(out, tag_of(number)), size);
}

static size_t lists_size(const struct result *result)
{
    struct codec_element element;
    size_t size = 0;
    for (size_t row = 0; row < CODEC_LISTS_COUNT; row++) {
        const size_t count = list_count(&codec_lists[row], result);
        for (size_t i = 0; i < count; i++) {
            codec_lists[row].lend(result, i, &element);
            size += field_size(codec_lists[row].number,
                               protobuf_c_message_get_packed_size(&element.as.base));
        }
    }
    return size;
}

static uint8_t *put_list(uint8_t *out, const struct codec_list *row, const struct result *result)
{
    struct codec_element element;
    const size_t count = list_count(row, result);
    for (size_t i = 0; i < count; i++) {
        row->lend(result, i, &element);
        out =
            put_field_head(out, row->number, protobuf_c_message_get_packed_size(&element.as.base));
        out += protobuf_c_message_pack(&element.as.base, out);
    }
    return out;
}

/* The sub-messages of a result that are there once at most. */
struct result_parts {
    Canceld__V1__Cause cause;
    Canceld__V1__Error error;
    Canceld__V1__Opened opened;
};

/* Everything but the lists. */
static Canceld__V1__Result lent_result(const struct result *result, struct result_parts *parts)
{
    Canceld__V1__Result to;
    canceld__v1__result__init(&to);
    to.answer = (Canceld__V1__Answer) result->answer;
    to.gen = result->gen;
    to.state = (Canceld__V1__State) result->state;
    to.outcome = (Canceld__V1__Outcome) result->outcome;
    to.cause = codec_lent_cause(&result->cause, &parts->cause);
    to.level = (Canceld__V1__Level) result->level;
    to.no_owner = result->no_owner;
    to.cancelled = result->cancelled;
    to.by_owner = result->by_owner;
    to.error = lent_error(&result->error, &parts->error);
    to.limit = codec_lent_text(result->limit);
    to.opened = lent_opened(result->opened, &parts->opened);
    to.more = result->more;
    to.next_cursor = result->next_cursor;
    to.count = result->count;
    to.retry_ms = result->retry_ms;
    to.requested = result->requested;
    to.already_requested = result->already_requested;
    to.journaled = result->journaled;
    to.memory_incomplete = result->memory_incomplete;
    to.revision = result->revision;
    to.epoch = result->epoch;
    return to;
}

#define REPLY_RESULTS_NUMBER 5

size_t codec_result_general(void *context, const struct result *result, uint8_t *out, size_t room)
{
    (void) context;
    struct result_parts parts;
    const Canceld__V1__Result single = lent_result(result, &parts);
    const size_t size = canceld__v1__result__get_packed_size(&single) + lists_size(result);
    const size_t whole = field_size(REPLY_RESULTS_NUMBER, size);
    if (whole > room) {
        return 0;
    }
    uint8_t *at = put_field_head(out, REPLY_RESULTS_NUMBER, size);
    at += canceld__v1__result__pack(&single, at);
    for (size_t row = 0; row < CODEC_LISTS_COUNT; row++) {
        at = put_list(at, &codec_lists[row], result);
    }
    ASSERT((size_t) (at - out) == whole);
    return whole;
}

size_t codec_head_general(void *context, const struct reply_head *head, uint8_t *out, size_t room)
{
    (void) context;
    Canceld__V1__Error error;
    Canceld__V1__Reply reply;
    canceld__v1__reply__init(&reply);
    reply.version = PROTOCOL_VERSION;
    reply.session = head->session;
    reply.request_id = head->request_id;
    reply.error = lent_error(&head->error, &error);
    if (canceld__v1__reply__get_packed_size(&reply) > room) {
        return 0;
    }
    return canceld__v1__reply__pack(&reply, out);
}

size_t codec_result(void *context, const struct result *result, uint8_t *out, size_t room)
{
    size_t size;
    return result_write(result, out, room, &size)
               ? size
               : codec_result_general(context, result, out, room);
}

size_t codec_head(void *context, const struct reply_head *head, uint8_t *out, size_t room)
{
    size_t size;
    return result_write_head(head, out, room, &size) ? size
                                                     : codec_head_general(context, head, out, room);
}

/* What codec_decode() refuses for, in words. */
static const struct error refusals[] = {
    {.code = ERROR_MALFORMED, .text = "the request is not the bytes of a Frame"},
    {.code = ERROR_TOO_COMPLEX,
     .text = "decoding the frame would take more memory than a frame may"},
    {.code = ERROR_OP_COUNT, .field = "ops", .text = "a frame carries 1 to 1024 ops"},
    {.code = ERROR_ANSWERED, .field = "answered", .text = "a frame names 64 answered ids at most"},
};

size_t codec_refuse(const struct frame *frame, enum error_code code, uint8_t *out, size_t room)
{
    struct reply_head head = {.session = frame->session, .request_id = frame->request_id};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (refusals[i].code == code) {
            head.error = refusals[i];
        }
    }
    ASSERT(head.error.code != ERROR_UNSET && room >= CODEC_REFUSAL_BYTES_MAX);
    return codec_head(NULL, &head, out, room);
}

void codec_check(void)
{
    for (size_t row = 0; row < CODEC_LISTS_COUNT; row++) {
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
            &canceld__v1__result__descriptor, codec_lists[row].name);
        ASSERT(field != NULL && field->id == codec_lists[row].number);
        ASSERT(field->label == PROTOBUF_C_LABEL_REPEATED);
    }
    const ProtobufCFieldDescriptor *results =
        protobuf_c_message_descriptor_get_field_by_name(&canceld__v1__reply__descriptor, "results");
    ASSERT(results != NULL && results->id == REPLY_RESULTS_NUMBER);
}
