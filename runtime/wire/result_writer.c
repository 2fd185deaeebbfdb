/* SPDX-License-Identifier: MIT */
/* Fields are written in the order of their numbers, those that are zero left out, and a result's
 * lists behind all else: see codec_encode.c.
 *
 * Whether there is room is asked once for each message, and generously: for all of its bytes, and so
 * much for whatever else it may hold. So nothing has to be measured before it is written. A message
 * gets one byte for its length, and is moved on by one or two where that was too little. */
#include "wire/result_writer.h"

#define PROTOCOL_VERSION 1

/* Of numbers, tags and lengths no message has more: there are fewer than 40 of them, and none has
 * more than 12 bytes. */
#define MESSAGE_BYTES ((size_t) 512)

enum { WIRE_VARINT = 0, WIRE_LENGTH = 2 };

struct output {
    uint8_t *at;
    const uint8_t *end;
};

static inline bool has_room(const struct output *output, size_t bytes)
{
    const size_t left = (size_t) (output->end - output->at);
    return left >= MESSAGE_BYTES && left - MESSAGE_BYTES >= bytes;
}

/* ---- fields ---- */

static inline uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *at++ = (uint8_t) (value | 0x80);
    }
    *at++ = (uint8_t) value;
    return at;
}

static inline uint8_t *put_number(uint8_t *at, uint32_t number, uint64_t value)
{
    if (value == 0) {
        return at;
    }
    return put_varint(put_varint(at, number << 3 | WIRE_VARINT), value);
}

static inline uint8_t *put_bytes(uint8_t *at, uint32_t number, struct bytes bytes)
{
    if (bytes.size == 0) {
        return at;
    }
    at = put_varint(put_varint(at, number << 3 | WIRE_LENGTH), bytes.size);
    memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

/* The head of a message; what it holds is written behind it, and then it is closed. */
static inline uint8_t *message_open(uint8_t *at, uint32_t number)
{
    return put_varint(at, number << 3 | WIRE_LENGTH) + 1;
}

static uint8_t *message_close_long(uint8_t *begin, size_t size)
{
    size_t more = 0;
    for (size_t rest = size >> 7; rest > 0; rest >>= 7) {
        more++;
    }
    memmove(begin + more, begin, size);
    (void) put_varint(begin - 1, size);
    return begin + more + size;
}

static inline uint8_t *message_close(uint8_t *begin, uint8_t *at)
{
    const size_t size = (size_t) (at - begin);
    if (size >= 0x80) {
        return message_close_long(begin, size);
    }
    begin[-1] = (uint8_t) size;
    return at;
}

/* ---- what results hold ---- */

static size_t cause_bytes(const struct cause *cause)
{
    return cause->text.size + cause->actor.size + cause->peer.size;
}

static uint8_t *put_cause(uint8_t *at, uint32_t number, const struct cause *cause)
{
    if (cause->code == CAUSE_UNSET) {
        return at;
    }
    uint8_t *begin = message_open(at, number);
    at = put_number(begin, 1, cause->code);
    at = put_bytes(at, 2, cause->text);
    at = put_bytes(at, 3, cause->actor);
    at = put_bytes(at, 4, cause->peer);
    return message_close(begin, at);
}

static bool put_gen(struct output *output, const struct gen_result *gen)
{
    if (!has_room(output, gen->key.size)) {
        return false;
    }
    uint8_t *begin = message_open(output->at, 10);
    uint8_t *at = put_number(begin, 1, gen->gen);
    at = put_number(at, 2, gen->answer);
    at = put_number(at, 3, gen->level);
    at = put_number(at, 4, gen->outcome);
    at = put_bytes(at, 5, gen->key);
    at = put_number(at, 6, gen->state);
    output->at = message_close(begin, at);
    return true;
}

static bool put_notice(struct output *output, const struct notice *notice)
{
    if (!has_room(output, notice->space.size + notice->key.size + cause_bytes(&notice->cause))) {
        return false;
    }
    uint8_t *begin = message_open(output->at, 14);
    uint8_t *at = put_number(begin, 1, notice->number);
    at = put_bytes(at, 2, notice->key);
    at = put_number(at, 3, notice->gen);
    at = put_number(at, 4, notice->kind);
    at = put_cause(at, 5, &notice->cause);
    at = put_number(at, 6, notice->outcome);
    at = put_bytes(at, 7, notice->space);
    output->at = message_close(begin, at);
    return true;
}

static size_t operation_bytes(const struct operation_info *operation)
{
    size_t bytes = operation->space.size + operation->key.size + operation->owner_name.size +
                   operation->meta.size + cause_bytes(&operation->cause);
    ASSERT(operation->labels_count <= LABELS_MAX);
    for (size_t i = 0; i < operation->labels_count; i++) {
        bytes += operation->labels[i].size;
    }
    return bytes;
}

/* A label that is empty is there nevertheless: it is one of a list. */
static uint8_t *put_label(uint8_t *at, struct bytes label)
{
    at = put_varint(put_varint(at, 13 << 3 | WIRE_LENGTH), label.size);
    if (label.size > 0) {
        memcpy(at, label.data, label.size);
    }
    return at + label.size;
}

static bool put_operation(struct output *output, const struct operation_info *operation)
{
    if (!has_room(output, operation_bytes(operation))) {
        return false;
    }
    uint8_t *begin = message_open(output->at, 16);
    uint8_t *at = put_bytes(begin, 1, operation->space);
    at = put_bytes(at, 2, operation->key);
    at = put_number(at, 3, operation->gen);
    at = put_number(at, 4, operation->state);
    at = put_number(at, 5, operation->outcome);
    at = put_number(at, 6, operation->age_ms);
    at = put_number(at, 7, operation->ttl_left_ms);
    at = put_number(at, 8, operation->owner);
    at = put_bytes(at, 9, operation->owner_name);
    at = put_bytes(at, 10, operation->meta);
    at = put_cause(at, 11, &operation->cause);
    at = put_number(at, 12, operation->level);
    for (size_t i = 0; i < operation->labels_count; i++) {
        at = put_label(at, operation->labels[i]);
    }
    at = put_number(at, 14, operation->parent);
    at = put_number(at, 15, operation->cancelling_ms);
    output->at = message_close(begin, at);
    return true;
}

static bool put_lists(struct output *output, const struct result *result)
{
    bool fits = true;
    for (size_t i = 0; fits && i < result->gens_count; i++) {
        fits = put_gen(output, &result->gens[i]);
    }
    for (size_t i = 0; fits && i < result->notices_count; i++) {
        fits = put_notice(output, &result->notices[i]);
    }
    for (size_t i = 0; fits && i < result->operations_count; i++) {
        fits = put_operation(output, &result->operations[i]);
    }
    return fits;
}

/* Numbers that few answers have. */
static uint8_t *put_figures(uint8_t *at, const struct result *result)
{
    at = put_number(at, 17, result->next_cursor);
    at = put_number(at, 18, result->count);
    at = put_number(at, 21, result->retry_ms);
    at = put_number(at, 22, result->requested);
    at = put_number(at, 23, result->already_requested);
    at = put_number(at, 24, result->journaled);
    at = put_number(at, 25, result->memory_incomplete);
    at = put_number(at, 27, result->revision);
    return put_number(at, 28, result->epoch);
}

static inline bool has_figures(const struct result *result)
{
    return (result->next_cursor | result->count | result->retry_ms | result->requested |
            result->already_requested | result->journaled | result->memory_incomplete |
            result->revision | result->epoch) != 0;
}

static inline uint8_t *put_numbers(uint8_t *at, const struct result *result)
{
    at = put_number(at, 1, result->answer);
    at = put_number(at, 2, result->gen);
    at = put_number(at, 3, result->state);
    at = put_number(at, 4, result->outcome);
    at = put_cause(at, 5, &result->cause);
    at = put_number(at, 6, result->level);
    at = put_number(at, 7, result->no_owner);
    at = put_number(at, 8, result->cancelled);
    at = put_number(at, 9, result->by_owner);
    at = put_number(at, 15, result->more);
    return has_figures(result) ? put_figures(at, result) : at;
}

static inline bool is_usual(const struct result *result)
{
    return ((uintptr_t) result->limit | (uintptr_t) result->error.code |
            (uintptr_t) result->opened | result->armed_count | result->stats_count |
            result->events_count | result->history_count) == 0;
}

static inline bool has_lists(const struct result *result)
{
    return (result->gens_count | result->notices_count | result->operations_count) != 0;
}

bool result_write(const struct result *result, uint8_t *out, size_t room, size_t *size_out)
{
    struct output output = {.at = out, .end = out + room};
    if (!is_usual(result) || !has_room(&output, cause_bytes(&result->cause))) {
        return false;
    }
    uint8_t *begin = message_open(out, 5);
    output.at = put_numbers(begin, result);
    if (has_lists(result) && !put_lists(&output, result)) {
        return false;
    }
    *size_out = (size_t) (message_close(begin, output.at) - out);
    return true;
}

bool result_write_head(const struct reply_head *head, uint8_t *out, size_t room, size_t *size_out)
{
    const struct output output = {.at = out, .end = out + room};
    if (head->error.code != ERROR_UNSET || !has_room(&output, 0)) {
        return false;
    }
    uint8_t *at = put_number(out, 1, PROTOCOL_VERSION);
    at = put_number(at, 2, head->session);
    at = put_number(at, 3, head->request_id);
    *size_out = (size_t) (at - out);
    return true;
}
