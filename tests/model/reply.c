/* SPDX-License-Identifier: MIT */
#include "model/reply.h"

#include "base/check.h"

#include <string.h>

/* ---- writing ---- */

struct writer {
    uint8_t *out;
    size_t room;
    size_t used;
    bool overflown;
};

static void put(struct writer *writer, const void *data, size_t size)
{
    if (writer->overflown || size > writer->room - writer->used) {
        writer->overflown = true;
        return;
    }
    if (size > 0) {
        memcpy(writer->out + writer->used, data, size);
        writer->used += size;
    }
}

static void put_u8(struct writer *writer, unsigned value)
{
    uint8_t byte = (uint8_t) value;
    ASSERT(value == byte);
    put(writer, &byte, 1);
}

static void put_u64(struct writer *writer, uint64_t value)
{
    put(writer, &value, sizeof value);
}

static void put_bytes(struct writer *writer, struct bytes bytes)
{
    uint16_t size = (uint16_t) bytes.size;
    ASSERT(size == bytes.size);
    put(writer, &size, sizeof size);
    put(writer, bytes.data, bytes.size);
}

/* With its terminator, so that a reader may point to it. */
static void put_text(struct writer *writer, const char *text)
{
    put(writer, text == NULL ? "" : text, text == NULL ? 1 : strlen(text) + 1);
}

static void put_cause(struct writer *writer, const struct cause *cause)
{
    put_u8(writer, cause->code);
    if (cause->code == CAUSE_UNSET) {
        ASSERT(cause->text.size == 0 && cause->actor.size == 0 && cause->peer.size == 0);
        return;
    }
    put_bytes(writer, cause->text);
    put_bytes(writer, cause->actor);
    put_bytes(writer, cause->peer);
}

/* A sentence that names the field is owed with each error, and is nobody's to compare. */
static void put_error(struct writer *writer, const struct error *error)
{
    put_u8(writer, error->code);
    if (error->code == ERROR_UNSET) {
        return;
    }
    ASSERT(error->text != NULL && error->text[0] != '\0');
    ASSERT(error->code != ERROR_FIELD || strstr(error->text, error->field) != NULL);
    /* Which field is to blame is open, but where its own range was left. */
    put_text(writer, error->code == ERROR_FIELD ? error->field : NULL);
    put_text(writer, error->limit);
}

static void put_opened(struct writer *writer, const struct opened *opened)
{
    put_u64(writer, opened->session);
    put(writer, opened->secret, SECRET_BYTES);
    put_u64(writer, opened->epoch);
    put_u64(writer, opened->grace_ms);
    put_u64(writer, opened->finished_ms);
    put_u64(writer, opened->parked_max);
    put_u8(writer, opened->resumed);
    put_bytes(writer, opened->space);
}

static void put_gen(struct writer *writer, const struct gen_result *gen)
{
    put_u64(writer, gen->gen);
    put_u8(writer, gen->answer);
    put_u8(writer, gen->level);
    put_u8(writer, gen->outcome);
    put_u8(writer, gen->state);
    put_bytes(writer, gen->key);
}

static void put_notice(struct writer *writer, const struct notice *notice)
{
    put_u64(writer, notice->number);
    put_bytes(writer, notice->space);
    put_bytes(writer, notice->key);
    put_u64(writer, notice->gen);
    put_u8(writer, notice->kind);
    put_cause(writer, &notice->cause);
    put_u8(writer, notice->outcome);
}

static void put_operation(struct writer *writer, const struct operation_info *info)
{
    put_bytes(writer, info->space);
    put_bytes(writer, info->key);
    put_u64(writer, info->gen);
    put_u8(writer, info->state);
    put_u8(writer, info->outcome);
    put_u64(writer, info->age_ms);
    put_u64(writer, info->ttl_left_ms);
    put_u64(writer, info->owner);
    put_bytes(writer, info->owner_name);
    put_bytes(writer, info->meta);
    put_cause(writer, &info->cause);
    put_u8(writer, info->level);
    put_u64(writer, info->parent);
    put_u64(writer, info->cancelling_ms);
    put_u8(writer, (unsigned) info->labels_count);
    for (size_t i = 0; i < info->labels_count; i++) {
        put_bytes(writer, info->labels[i]);
    }
}

static void put_event(struct writer *writer, const struct event *event)
{
    put_u64(writer, event->revision);
    put_bytes(writer, event->key);
    put_u64(writer, event->gen);
    put_u8(writer, event->state);
    put_u8(writer, event->outcome);
    put_cause(writer, &event->cause);
}

static void put_history(struct writer *writer, const struct history_entry *entry)
{
    put_u8(writer, entry->kind);
    put_u64(writer, entry->at_unix_ms);
    put_bytes(writer, entry->space);
    put_bytes(writer, entry->key);
    put_u64(writer, entry->gen);
    put_cause(writer, &entry->cause);
    put_u8(writer, entry->outcome);
    put_u8(writer, entry->by_owner);
    put_u8(writer, entry->delivered);
    put_u64(writer, entry->delivered_after_ms);
    put_u64(writer, entry->ended_after_ms);
    put_bytes(writer, entry->label);
    put_u64(writer, entry->owner);
    put_u64(writer, entry->requested);
}

static void put_armed(struct writer *writer, const struct armed_key *armed)
{
    put_bytes(writer, armed->space);
    put_bytes(writer, armed->key);
    put_cause(writer, &armed->cause);
    put_u64(writer, armed->ttl_left_ms);
}

static void check_stats(const struct result *result)
{
    for (size_t i = 0; i < result->stats_count; i++) {
        for (size_t j = 0; j < i; j++) {
            ASSERT(strcmp(result->stats[i].name, result->stats[j].name) != 0);
        }
    }
    ASSERT((result->stats_count > 0) == (result->answer == ANSWER_STATS));
}

static void put_lists(struct writer *writer, const struct result *result)
{
    put_u64(writer, result->gens_count);
    for (size_t i = 0; i < result->gens_count; i++) {
        put_gen(writer, &result->gens[i]);
    }
    put_u64(writer, result->notices_count);
    for (size_t i = 0; i < result->notices_count; i++) {
        put_notice(writer, &result->notices[i]);
    }
    put_u64(writer, result->operations_count);
    for (size_t i = 0; i < result->operations_count; i++) {
        put_operation(writer, &result->operations[i]);
    }
    put_u64(writer, result->armed_count);
    for (size_t i = 0; i < result->armed_count; i++) {
        put_armed(writer, &result->armed[i]);
    }
    put_u64(writer, result->events_count);
    for (size_t i = 0; i < result->events_count; i++) {
        put_event(writer, &result->events[i]);
    }
    put_u64(writer, result->history_count);
    for (size_t i = 0; i < result->history_count; i++) {
        put_history(writer, &result->history[i]);
    }
    put_u64(writer, result->next_cursor);
    put_u64(writer, result->count);
    put_u64(writer, result->retry_ms);
    put_u64(writer, result->requested);
    put_u64(writer, result->already_requested);
    put_u64(writer, result->revision);
    put_u64(writer, result->epoch);
}

static unsigned flags_of(const struct result *result)
{
    bool lists = result->gens_count > 0 || result->notices_count > 0 ||
                 result->operations_count > 0 || result->armed_count > 0 ||
                 result->events_count > 0 || result->history_count > 0 || result->next_cursor > 0 ||
                 result->count > 0 || result->retry_ms > 0 || result->requested > 0 ||
                 result->already_requested > 0 || result->revision > 0 || result->epoch > 0;
    return (result->no_owner ? REPLY_NO_OWNER : 0U) | (result->cancelled ? REPLY_CANCELLED : 0) |
           (result->by_owner ? REPLY_BY_OWNER : 0) | (result->more ? REPLY_MORE : 0) |
           (result->opened != NULL ? REPLY_OPENED : 0) | (lists ? REPLY_LISTS : 0) |
           (result->journaled ? REPLY_JOURNALED : 0) |
           (result->memory_incomplete ? REPLY_INCOMPLETE : 0);
}

size_t reply_write_head(const struct reply_head *head, uint8_t *out, size_t room)
{
    struct writer writer = {.out = out, .room = room};
    put_u64(&writer, head->session);
    put_u64(&writer, head->request_id);
    put_error(&writer, &head->error);
    return writer.overflown ? 0 : writer.used;
}

size_t reply_write_result(const struct result *result, uint8_t *out, size_t room)
{
    struct writer writer = {.out = out, .room = room};
    unsigned flags = flags_of(result);
    check_stats(result);
    put_u8(&writer, result->answer);
    if (result->answer == ANSWER_NOT_APPLIED) {
        return writer.overflown ? 0 : writer.used;
    }
    put_u8(&writer, flags);
    put_u64(&writer, result->gen);
    put_u8(&writer, result->state);
    put_u8(&writer, result->outcome);
    put_u8(&writer, result->level);
    put_cause(&writer, &result->cause);
    put_text(&writer, result->limit);
    put_error(&writer, &result->error);
    if ((flags & REPLY_OPENED) != 0) {
        put_opened(&writer, result->opened);
    }
    if ((flags & REPLY_LISTS) != 0) {
        put_lists(&writer, result);
    }
    return writer.overflown ? 0 : writer.used;
}

/* ---- the step's replies ---- */

void outbox_init(struct outbox *outbox)
{
    list_init(&outbox->sent, sizeof(struct sent));
    list_init(&outbox->bytes, 1);
}

void outbox_fini(struct outbox *outbox)
{
    list_fini(&outbox->sent);
    list_fini(&outbox->bytes);
}

void outbox_clear(struct outbox *outbox)
{
    list_clear(&outbox->sent);
    list_clear(&outbox->bytes);
}

void outbox_add(struct outbox *outbox, const struct reply_to *to, struct bytes encoded,
                bool optional)
{
    struct sent *sent = list_push(&outbox->sent);
    *sent = (struct sent){
        .to = *to, .optional = optional, .offset = outbox->bytes.count, .size = encoded.size};
    list_append(&outbox->bytes, encoded.data, encoded.size);
}

struct sent *outbox_at(const struct outbox *outbox, size_t index)
{
    return list_at(&outbox->sent, index);
}

struct bytes outbox_bytes(const struct outbox *outbox, const struct sent *sent)
{
    return bytes_of((const uint8_t *) outbox->bytes.items + sent->offset, sent->size);
}

struct sent *outbox_find(const struct outbox *outbox, const struct reply_to *to)
{
    for (size_t i = 0; i < outbox->sent.count; i++) {
        if (reply_to_equal(&outbox_at(outbox, i)->to, to)) {
            return outbox_at(outbox, i);
        }
    }
    return NULL;
}

bool reply_to_equal(const struct reply_to *a, const struct reply_to *b)
{
    return a->link == b->link && a->route_words == b->route_words &&
           memcmp(a->route, b->route, a->route_words * sizeof a->route[0]) == 0;
}
