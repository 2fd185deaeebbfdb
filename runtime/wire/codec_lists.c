/* SPDX-License-Identifier: MIT */
#include "wire/codec_lists.h"

#include "base/check.h"

#include <stddef.h>

/* protobuf-c's structs are for reading and for writing, so they hold pointers to what may be
 * changed. Packing changes nothing. */
char *codec_lent_text(const char *text)
{
    return (char *) (uintptr_t) text;
}

ProtobufCBinaryData codec_lent(struct bytes bytes)
{
    return (ProtobufCBinaryData){.len = bytes.size, .data = (uint8_t *) (uintptr_t) bytes.data};
}

Canceld__V1__Cause *codec_lent_cause(const struct cause *cause, Canceld__V1__Cause *room)
{
    if (cause->code == CAUSE_UNSET) {
        return NULL;
    }
    canceld__v1__cause__init(room);
    room->code = (Canceld__V1__CauseCode) cause->code;
    room->text = codec_lent(cause->text);
    room->actor = codec_lent(cause->actor);
    room->peer = codec_lent(cause->peer);
    return room;
}

static void lend_gen(const struct result *result, size_t i, struct codec_element *element)
{
    const struct gen_result *from = &result->gens[i];
    canceld__v1__gen_result__init(&element->as.gen);
    element->as.gen.gen = from->gen;
    element->as.gen.answer = (Canceld__V1__Answer) from->answer;
    element->as.gen.level = (Canceld__V1__Level) from->level;
    element->as.gen.outcome = (Canceld__V1__Outcome) from->outcome;
    element->as.gen.key = codec_lent(from->key);
    element->as.gen.state = (Canceld__V1__State) from->state;
}

static void lend_notice(const struct result *result, size_t i, struct codec_element *element)
{
    const struct notice *from = &result->notices[i];
    canceld__v1__notice__init(&element->as.notice);
    element->as.notice.number = from->number;
    element->as.notice.namespace_ = codec_lent(from->space);
    element->as.notice.key = codec_lent(from->key);
    element->as.notice.gen = from->gen;
    element->as.notice.kind = (Canceld__V1__NoticeKind) from->kind;
    element->as.notice.cause = codec_lent_cause(&from->cause, &element->cause);
    element->as.notice.outcome = (Canceld__V1__Outcome) from->outcome;
}

static void lend_operation(const struct result *result, size_t i, struct codec_element *element)
{
    const struct operation_info *from = &result->operations[i];
    Canceld__V1__Operation *to = &element->as.operation;
    canceld__v1__operation__init(to);
    to->namespace_ = codec_lent(from->space);
    to->key = codec_lent(from->key);
    to->gen = from->gen;
    to->state = (Canceld__V1__State) from->state;
    to->outcome = (Canceld__V1__Outcome) from->outcome;
    to->age_ms = from->age_ms;
    to->ttl_left_ms = from->ttl_left_ms;
    to->owner = from->owner;
    to->owner_name = codec_lent(from->owner_name);
    to->meta = codec_lent(from->meta);
    to->cause = codec_lent_cause(&from->cause, &element->cause);
    to->level = (Canceld__V1__Level) from->level;
    ASSERT(from->labels_count <= LABELS_MAX);
    for (size_t label = 0; label < from->labels_count; label++) {
        element->labels[label] = codec_lent(from->labels[label]);
    }
    to->labels = element->labels;
    to->n_labels = from->labels_count;
    to->parent = from->parent;
    to->cancelling_ms = from->cancelling_ms;
}

static void lend_armed(const struct result *result, size_t i, struct codec_element *element)
{
    const struct armed_key *from = &result->armed[i];
    canceld__v1__armed_key__init(&element->as.armed);
    element->as.armed.namespace_ = codec_lent(from->space);
    element->as.armed.key = codec_lent(from->key);
    element->as.armed.cause = codec_lent_cause(&from->cause, &element->cause);
    element->as.armed.ttl_left_ms = from->ttl_left_ms;
}

static void lend_stat(const struct result *result, size_t i, struct codec_element *element)
{
    const struct stat_row *from = &result->stats[i];
    canceld__v1__stat__init(&element->as.stat);
    element->as.stat.name = codec_lent_text(from->name);
    element->as.stat.value = from->value;
}

static void lend_event(const struct result *result, size_t i, struct codec_element *element)
{
    const struct event *from = &result->events[i];
    Canceld__V1__Event *to = &element->as.event;
    canceld__v1__event__init(to);
    to->revision = from->revision;
    to->key = codec_lent(from->key);
    to->gen = from->gen;
    to->state = (Canceld__V1__State) from->state;
    to->outcome = (Canceld__V1__Outcome) from->outcome;
    to->cause = codec_lent_cause(&from->cause, &element->cause);
}

static void lend_history(const struct result *result, size_t i, struct codec_element *element)
{
    const struct history_entry *from = &result->history[i];
    Canceld__V1__HistoryEntry *to = &element->as.history;
    canceld__v1__history_entry__init(to);
    to->kind = (Canceld__V1__HistoryKind) from->kind;
    to->at_unix_ms = from->at_unix_ms;
    to->namespace_ = codec_lent(from->space);
    to->key = codec_lent(from->key);
    to->gen = from->gen;
    to->cause = codec_lent_cause(&from->cause, &element->cause);
    to->outcome = (Canceld__V1__Outcome) from->outcome;
    to->by_owner = from->by_owner;
    to->delivered = from->delivered;
    to->delivered_after_ms = from->delivered_after_ms;
    to->ended_after_ms = from->ended_after_ms;
    to->label = codec_lent(from->label);
    to->owner = from->owner;
    to->requested = from->requested;
}

const struct codec_list codec_lists[CODEC_LISTS_COUNT] = {
    {"gens", 10, offsetof(struct result, gens_count), lend_gen},
    {"notices", 14, offsetof(struct result, notices_count), lend_notice},
    {"operations", 16, offsetof(struct result, operations_count), lend_operation},
    {"armed", 19, offsetof(struct result, armed_count), lend_armed},
    {"stats", 20, offsetof(struct result, stats_count), lend_stat},
    {"events", 26, offsetof(struct result, events_count), lend_event},
    {"history", 29, offsetof(struct result, history_count), lend_history},
};
