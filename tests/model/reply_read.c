/* SPDX-License-Identifier: MIT */
/* The way back: from bytes to a reply that can be looked at and printed. */
#include "base/check.h"
#include "model/reply.h"

#include <inttypes.h>
#include <string.h>

struct reader {
    const uint8_t *data;
    size_t left;
    struct arena *arena;
};

static const uint8_t *take(struct reader *reader, size_t size)
{
    ASSERT(size <= reader->left);
    const uint8_t *data = reader->data;
    reader->data += size;
    reader->left -= size;
    return data;
}

static unsigned take_u8(struct reader *reader)
{
    return *take(reader, 1);
}

static uint64_t take_u64(struct reader *reader)
{
    uint64_t value;
    memcpy(&value, take(reader, sizeof value), sizeof value);
    return value;
}

static struct bytes take_bytes(struct reader *reader)
{
    uint16_t size;
    memcpy(&size, take(reader, sizeof size), sizeof size);
    return bytes_of(take(reader, size), size);
}

static const char *take_text(struct reader *reader)
{
    const char *text = (const char *) reader->data;
    (void) take(reader, strnlen(text, reader->left - 1) + 1);
    return text[0] == '\0' ? NULL : text;
}

static struct cause take_cause(struct reader *reader)
{
    struct cause cause = {.code = take_u8(reader)};
    if (cause.code != CAUSE_UNSET) {
        cause.text = take_bytes(reader);
        cause.actor = take_bytes(reader);
        cause.peer = take_bytes(reader);
    }
    return cause;
}

static struct error take_error(struct reader *reader)
{
    struct error error = {.code = take_u8(reader)};
    if (error.code != ERROR_UNSET) {
        error.field = take_text(reader);
        error.limit = take_text(reader);
        error.text = error.field == NULL ? "(a sentence)" : error.field;
    }
    return error;
}

static const struct opened *take_opened(struct reader *reader)
{
    struct opened *opened = arena_take(reader->arena, sizeof *opened);
    opened->session = take_u64(reader);
    memcpy(opened->secret, take(reader, SECRET_BYTES), SECRET_BYTES);
    opened->epoch = take_u64(reader);
    opened->grace_ms = (uint32_t) take_u64(reader);
    opened->finished_ms = (uint32_t) take_u64(reader);
    opened->parked_max = (uint32_t) take_u64(reader);
    opened->resumed = take_u8(reader) != 0;
    opened->space = take_bytes(reader);
    return opened;
}

static struct gen_result take_gen(struct reader *reader)
{
    struct gen_result gen = {.gen = take_u64(reader)};
    gen.answer = take_u8(reader);
    gen.level = take_u8(reader);
    gen.outcome = take_u8(reader);
    gen.state = take_u8(reader);
    gen.key = take_bytes(reader);
    return gen;
}

static struct notice take_notice(struct reader *reader)
{
    struct notice notice = {.number = take_u64(reader)};
    notice.space = take_bytes(reader);
    notice.key = take_bytes(reader);
    notice.gen = take_u64(reader);
    notice.kind = take_u8(reader);
    notice.cause = take_cause(reader);
    notice.outcome = take_u8(reader);
    return notice;
}

static struct operation_info take_operation(struct reader *reader)
{
    struct operation_info info = {.space = take_bytes(reader)};
    info.key = take_bytes(reader);
    info.gen = take_u64(reader);
    info.state = take_u8(reader);
    info.outcome = take_u8(reader);
    info.age_ms = take_u64(reader);
    info.ttl_left_ms = take_u64(reader);
    info.owner = take_u64(reader);
    info.owner_name = take_bytes(reader);
    info.meta = take_bytes(reader);
    info.cause = take_cause(reader);
    info.level = take_u8(reader);
    info.parent = take_u64(reader);
    info.cancelling_ms = take_u64(reader);
    info.labels_count = take_u8(reader);
    ASSERT(info.labels_count <= LABELS_MAX);
    for (size_t i = 0; i < info.labels_count; i++) {
        info.labels[i] = take_bytes(reader);
    }
    return info;
}

static struct event take_event(struct reader *reader)
{
    struct event event = {.revision = take_u64(reader)};
    event.key = take_bytes(reader);
    event.gen = take_u64(reader);
    event.state = take_u8(reader);
    event.outcome = take_u8(reader);
    event.cause = take_cause(reader);
    return event;
}

static struct history_entry take_history(struct reader *reader)
{
    struct history_entry entry = {.kind = take_u8(reader)};
    entry.at_unix_ms = take_u64(reader);
    entry.space = take_bytes(reader);
    entry.key = take_bytes(reader);
    entry.gen = take_u64(reader);
    entry.cause = take_cause(reader);
    entry.outcome = take_u8(reader);
    entry.by_owner = take_u8(reader) != 0;
    entry.delivered = take_u8(reader) != 0;
    entry.delivered_after_ms = take_u64(reader);
    entry.ended_after_ms = take_u64(reader);
    entry.label = take_bytes(reader);
    entry.owner = take_u64(reader);
    entry.requested = take_u64(reader);
    return entry;
}

static struct armed_key take_armed(struct reader *reader)
{
    struct armed_key armed = {.space = take_bytes(reader)};
    armed.key = take_bytes(reader);
    armed.cause = take_cause(reader);
    armed.ttl_left_ms = take_u64(reader);
    return armed;
}

/* A count, and room in the arena for so many. */
static void *take_count(struct reader *reader, size_t item_bytes, size_t *count_out)
{
    *count_out = (size_t) take_u64(reader);
    ASSERT(*count_out <= FRAME_BYTES_MAX);
    return arena_take(reader->arena, *count_out * item_bytes);
}

static void take_new_lists(struct reader *reader, struct result *result)
{
    struct event *events = take_count(reader, sizeof *events, &result->events_count);
    for (size_t i = 0; i < result->events_count; i++) {
        events[i] = take_event(reader);
    }
    struct history_entry *history = take_count(reader, sizeof *history, &result->history_count);
    for (size_t i = 0; i < result->history_count; i++) {
        history[i] = take_history(reader);
    }
    result->events = events;
    result->history = history;
}

static void take_lists(struct reader *reader, struct result *result)
{
    struct gen_result *gens = take_count(reader, sizeof *gens, &result->gens_count);
    for (size_t i = 0; i < result->gens_count; i++) {
        gens[i] = take_gen(reader);
    }
    struct notice *notices = take_count(reader, sizeof *notices, &result->notices_count);
    for (size_t i = 0; i < result->notices_count; i++) {
        notices[i] = take_notice(reader);
    }
    struct operation_info *infos = take_count(reader, sizeof *infos, &result->operations_count);
    for (size_t i = 0; i < result->operations_count; i++) {
        infos[i] = take_operation(reader);
    }
    struct armed_key *armed = take_count(reader, sizeof *armed, &result->armed_count);
    for (size_t i = 0; i < result->armed_count; i++) {
        armed[i] = take_armed(reader);
    }
    result->gens = gens;
    result->notices = notices;
    result->operations = infos;
    result->armed = armed;
    take_new_lists(reader, result);
    result->next_cursor = take_u64(reader);
    result->count = take_u64(reader);
    result->retry_ms = (uint32_t) take_u64(reader);
    result->requested = take_u64(reader);
    result->already_requested = take_u64(reader);
    result->revision = take_u64(reader);
    result->epoch = take_u64(reader);
}

static void take_result(struct reader *reader, struct result *result)
{
    *result = (struct result){.answer = take_u8(reader)};
    if (result->answer == ANSWER_NOT_APPLIED) {
        return;
    }
    static const struct stat_row row = {.name = "rows that were left out"};
    unsigned flags = take_u8(reader);
    if (result->answer == ANSWER_STATS) {
        result->stats = &row;
        result->stats_count = 1;
    }
    result->no_owner = (flags & REPLY_NO_OWNER) != 0;
    result->cancelled = (flags & REPLY_CANCELLED) != 0;
    result->by_owner = (flags & REPLY_BY_OWNER) != 0;
    result->more = (flags & REPLY_MORE) != 0;
    result->journaled = (flags & REPLY_JOURNALED) != 0;
    result->memory_incomplete = (flags & REPLY_INCOMPLETE) != 0;
    result->gen = take_u64(reader);
    result->state = take_u8(reader);
    result->outcome = take_u8(reader);
    result->level = take_u8(reader);
    result->cause = take_cause(reader);
    result->limit = take_text(reader);
    result->error = take_error(reader);
    if ((flags & REPLY_OPENED) != 0) {
        result->opened = take_opened(reader);
    }
    if ((flags & REPLY_LISTS) != 0) {
        take_lists(reader, result);
    }
}

void reply_read(struct reply *reply, struct bytes encoded, struct arena *arena)
{
    struct reader reader = {.data = encoded.data, .left = encoded.size, .arena = arena};
    *reply = (struct reply){.head.session = take_u64(&reader)};
    reply->head.request_id = take_u64(&reader);
    reply->head.error = take_error(&reader);
    /* A result is two bytes at least, or the single byte of NOT_APPLIED. */
    size_t count_max = reader.left < FRAME_OPS_MAX ? reader.left : FRAME_OPS_MAX;
    reply->results = arena_take(arena, count_max * sizeof *reply->results);
    while (reader.left > 0) {
        ASSERT(reply->results_count < count_max);
        take_result(&reader, &reply->results[reply->results_count++]);
    }
}

/* ---- for people ---- */

void print_bytes(FILE *file, struct bytes bytes)
{
    (void) fputc('"', file);
    for (size_t i = 0; i < bytes.size && i < 24; i++) {
        unsigned byte = bytes.data[i];
        (void) fprintf(file, byte >= ' ' && byte < 127 ? "%c" : "\\x%02x", byte);
    }
    if (bytes.size > 24) {
        (void) fprintf(file, "...%zu", bytes.size);
    }
    (void) fputc('"', file);
}

static void print_cause(FILE *file, const struct cause *cause)
{
    if (cause->code == CAUSE_UNSET) {
        return;
    }
    (void) fprintf(file, " cause{%d ", (int) cause->code);
    print_bytes(file, cause->text);
    (void) fputc(' ', file);
    print_bytes(file, cause->actor);
    (void) fputc(' ', file);
    print_bytes(file, cause->peer);
    (void) fputc('}', file);
}

static void print_error(FILE *file, const struct error *error)
{
    (void) fprintf(file, " error{%d field %s limit %s}", (int) error->code,
                   error->field == NULL ? "-" : error->field,
                   error->limit == NULL ? "-" : error->limit);
}

static void print_operation(FILE *file, const struct operation_info *info)
{
    (void) fprintf(file,
                   "\n      operation gen %" PRIu64 " state %d outcome %d age %" PRIu64
                   " ttl left %" PRIu64 " owner %" PRIx64 " level %d meta %zu parent %" PRIu64
                   " cancelling %" PRIu64 " labels %zu ",
                   info->gen, (int) info->state, (int) info->outcome, info->age_ms,
                   info->ttl_left_ms, info->owner, (int) info->level, info->meta.size, info->parent,
                   info->cancelling_ms, info->labels_count);
    print_bytes(file, info->space);
    print_bytes(file, info->key);
    print_bytes(file, info->owner_name);
    print_cause(file, &info->cause);
}

static void print_lists(FILE *file, const struct result *result)
{
    for (size_t i = 0; i < result->gens_count; i++) {
        const struct gen_result *gen = &result->gens[i];
        (void) fprintf(file, "\n      gen %" PRIu64 " %s level %d outcome %d state %d ", gen->gen,
                       answer_name(gen->answer), (int) gen->level, (int) gen->outcome,
                       (int) gen->state);
        print_bytes(file, gen->key);
    }
    for (size_t i = 0; i < result->notices_count; i++) {
        const struct notice *notice = &result->notices[i];
        (void) fprintf(file, "\n      notice %" PRIu64 " gen %" PRIu64 " kind %d outcome %d ",
                       notice->number, notice->gen, (int) notice->kind, (int) notice->outcome);
        print_bytes(file, notice->key);
        print_cause(file, &notice->cause);
    }
    for (size_t i = 0; i < result->operations_count; i++) {
        print_operation(file, &result->operations[i]);
    }
    for (size_t i = 0; i < result->armed_count; i++) {
        (void) fprintf(file, "\n      armed left %" PRIu64 " ", result->armed[i].ttl_left_ms);
        print_bytes(file, result->armed[i].space);
        print_bytes(file, result->armed[i].key);
        print_cause(file, &result->armed[i].cause);
    }
}

static void print_new(FILE *file, const struct result *result)
{
    (void) fprintf(file, "%s%s", result->journaled ? " journaled" : "",
                   result->memory_incomplete ? " memory_incomplete" : "");
    if (result->retry_ms != 0 || result->requested != 0 || result->already_requested != 0 ||
        result->revision != 0 || result->epoch != 0) {
        (void) fprintf(file,
                       " retry %u requested %" PRIu64 " already %" PRIu64 " revision %" PRIu64
                       " epoch %" PRIu64,
                       result->retry_ms, result->requested, result->already_requested,
                       result->revision, result->epoch);
    }
    for (size_t i = 0; i < result->events_count; i++) {
        const struct event *event = &result->events[i];
        (void) fprintf(file, "\n      event %" PRIu64 " gen %" PRIu64 " state %d outcome %d ",
                       event->revision, event->gen, (int) event->state, (int) event->outcome);
        print_bytes(file, event->key);
        print_cause(file, &event->cause);
    }
    for (size_t i = 0; i < result->history_count; i++) {
        (void) fprintf(file, "\n      history kind %d gen %" PRIu64, (int) result->history[i].kind,
                       result->history[i].gen);
    }
}

static void print_result(FILE *file, const struct result *result)
{
    (void) fprintf(file, " %s gen %" PRIu64 " state %d outcome %d level %d%s%s%s%s",
                   answer_name(result->answer), result->gen, (int) result->state,
                   (int) result->outcome, (int) result->level, result->no_owner ? " no_owner" : "",
                   result->cancelled ? " cancelled" : "", result->by_owner ? " by_owner" : "",
                   result->more ? " more" : "");
    print_cause(file, &result->cause);
    if (result->limit != NULL) {
        (void) fprintf(file, " limit %s", result->limit);
    }
    if (result->error.code != ERROR_UNSET) {
        print_error(file, &result->error);
    }
    if (result->opened != NULL) {
        (void) fprintf(file,
                       " opened{%" PRIx64 " epoch %" PRIu64 " grace %u finished %u parked %u%s",
                       result->opened->session, result->opened->epoch, result->opened->grace_ms,
                       result->opened->finished_ms, result->opened->parked_max,
                       result->opened->resumed ? " resumed " : " ");
        print_bytes(file, result->opened->space);
        (void) fputc('}', file);
    }
    if (result->next_cursor != 0 || result->count != 0) {
        (void) fprintf(file, " next_cursor %" PRIx64 " count %" PRIu64, result->next_cursor,
                       result->count);
    }
    print_new(file, result);
    print_lists(file, result);
    (void) fputc('\n', file);
}

static bool results_equal(const struct result *a, const struct result *b)
{
    static uint8_t encoded[2][FRAME_BYTES_MAX];
    size_t size = reply_write_result(a, encoded[0], FRAME_BYTES_MAX);
    return size == reply_write_result(b, encoded[1], FRAME_BYTES_MAX) &&
           memcmp(encoded[0], encoded[1], size) == 0;
}

void reply_print(FILE *file, const struct reply *reply, const struct reply *other)
{
    (void) fprintf(file, "    reply of session %" PRIx64 " id %" PRIu64, reply->head.session,
                   reply->head.request_id);
    if (reply->head.error.code != ERROR_UNSET) {
        print_error(file, &reply->head.error);
    }
    (void) fputc('\n', file);
    for (size_t i = 0; i < reply->results_count; i++) {
        if (other == NULL || i >= other->results_count ||
            !results_equal(&reply->results[i], &other->results[i])) {
            (void) fprintf(file, "    %zu:", i);
            print_result(file, &reply->results[i]);
        }
    }
}
