/* SPDX-License-Identifier: MIT */
/* A result keeps the message it was made of, and points into it: texts are copied once, by protobuf-c. Only
 * the arrays of structs are made anew, in one block. */
#include "result.h"

struct result_memory {
    Canceld__V1__Result *wire;
    void *array; /* of whichever struct this answer lists */
};

static struct canceld_bytes bytes_of(ProtobufCBinaryData wire)
{
    return (struct canceld_bytes){.data = wire.data, .size = wire.len};
}

struct canceld_cause cause_of(const Canceld__V1__Cause *wire)
{
    if (wire == NULL)
        return (struct canceld_cause){0};
    return (struct canceld_cause){.code = (enum canceld_cause_code) wire->code,
                                  .text = bytes_of(wire->text),
                                  .actor = bytes_of(wire->actor),
                                  .peer = bytes_of(wire->peer)};
}

static void gens_fill(struct canceld_result *result, const Canceld__V1__Result *wire, void *array)
{
    struct canceld_gen_result *gens = array;

    for (size_t i = 0; i < wire->n_gens; i++)
        gens[i] = (struct canceld_gen_result){
            .gen = wire->gens[i]->gen,
            .answer = (enum canceld_answer) wire->gens[i]->answer,
            .level = (enum canceld_level) wire->gens[i]->level,
            .outcome = (enum canceld_outcome) wire->gens[i]->outcome,
            .key = bytes_of(wire->gens[i]->key),
            .state = (enum canceld_state) wire->gens[i]->state,
        };
    result->gens = gens;
    result->gens_count = wire->n_gens;
}

/* protobuf-c's runs of bytes are ours with the members swapped, so they need an array of their own: it lies
 * behind the operations. */
static size_t labels_total(const Canceld__V1__Result *wire)
{
    size_t count = 0;

    for (size_t i = 0; i < wire->n_operations; i++)
        count += wire->operations[i]->n_labels;
    return count;
}

static size_t operations_size(const Canceld__V1__Result *wire)
{
    return wire->n_operations * sizeof(struct canceld_operation_info) +
           labels_total(wire) * sizeof(struct canceld_bytes);
}

static void operations_fill(struct canceld_result *result, const Canceld__V1__Result *wire,
                            void *array)
{
    struct canceld_operation_info *operations = array;
    struct canceld_bytes *labels = (void *) (operations + wire->n_operations);

    for (size_t i = 0; i < wire->n_operations; i++) {
        const Canceld__V1__Operation *from = wire->operations[i];

        operations[i] = (struct canceld_operation_info){
            .name_space = bytes_of(from->namespace_),
            .key = bytes_of(from->key),
            .gen = from->gen,
            .state = (enum canceld_state) from->state,
            .outcome = (enum canceld_outcome) from->outcome,
            .age_ms = from->age_ms,
            .ttl_left_ms = from->ttl_left_ms,
            .owner = from->owner,
            .owner_name = bytes_of(from->owner_name),
            .meta = bytes_of(from->meta),
            .cause = cause_of(from->cause),
            .level = (enum canceld_level) from->level,
            .labels = labels,
            .labels_count = from->n_labels,
            .parent = from->parent,
            .cancelling_ms = from->cancelling_ms,
        };
        for (size_t k = 0; k < from->n_labels; k++)
            *labels++ = bytes_of(from->labels[k]);
    }
    result->operations = operations;
    result->operations_count = wire->n_operations;
}

static void armed_fill(struct canceld_result *result, const Canceld__V1__Result *wire, void *array)
{
    struct canceld_armed_key *armed = array;

    for (size_t i = 0; i < wire->n_armed; i++)
        armed[i] = (struct canceld_armed_key){
            .name_space = bytes_of(wire->armed[i]->namespace_),
            .key = bytes_of(wire->armed[i]->key),
            .cause = cause_of(wire->armed[i]->cause),
            .ttl_left_ms = wire->armed[i]->ttl_left_ms,
        };
    result->armed = armed;
    result->armed_count = wire->n_armed;
}

static void stats_fill(struct canceld_result *result, const Canceld__V1__Result *wire, void *array)
{
    struct canceld_stat *stats = array;

    for (size_t i = 0; i < wire->n_stats; i++)
        stats[i] =
            (struct canceld_stat){.name = wire->stats[i]->name, .value = wire->stats[i]->value};
    result->stats = stats;
    result->stats_count = wire->n_stats;
}

static void events_fill(struct canceld_result *result, const Canceld__V1__Result *wire, void *array)
{
    struct canceld_watch_event *events = array;

    for (size_t i = 0; i < wire->n_events; i++)
        events[i] = (struct canceld_watch_event){
            .revision = wire->events[i]->revision,
            .key = bytes_of(wire->events[i]->key),
            .gen = wire->events[i]->gen,
            .state = (enum canceld_state) wire->events[i]->state,
            .outcome = (enum canceld_outcome) wire->events[i]->outcome,
            .cause = cause_of(wire->events[i]->cause),
        };
    result->events = events;
    result->events_count = wire->n_events;
}

static void history_fill(struct canceld_result *result, const Canceld__V1__Result *wire,
                         void *array)
{
    struct canceld_history_entry *history = array;

    for (size_t i = 0; i < wire->n_history; i++) {
        const Canceld__V1__HistoryEntry *from = wire->history[i];

        history[i] = (struct canceld_history_entry){
            .kind = (enum canceld_history_kind) from->kind,
            .at_unix_ms = from->at_unix_ms,
            .name_space = bytes_of(from->namespace_),
            .key = bytes_of(from->key),
            .gen = from->gen,
            .cause = cause_of(from->cause),
            .outcome = (enum canceld_outcome) from->outcome,
            .by_owner = from->by_owner,
            .delivered = from->delivered,
            .delivered_after_ms = from->delivered_after_ms,
            .ended_after_ms = from->ended_after_ms,
            .label = bytes_of(from->label),
            .owner = from->owner,
            .requested = from->requested,
        };
    }
    result->history = history;
    result->history_count = wire->n_history;
}

/* A result lists one kind of thing; a message with more of them is none that we know. */
static bool arrays_fill(struct canceld_result *result, struct result_memory *memory)
{
    const Canceld__V1__Result *wire = memory->wire;
    const struct {
        size_t count;
        size_t size;
        void (*fill)(struct canceld_result *, const Canceld__V1__Result *, void *);
    } kinds[] = {
        {wire->n_gens, wire->n_gens * sizeof(struct canceld_gen_result), gens_fill},
        {wire->n_operations, operations_size(wire), operations_fill},
        {wire->n_armed, wire->n_armed * sizeof(struct canceld_armed_key), armed_fill},
        {wire->n_stats, wire->n_stats * sizeof(struct canceld_stat), stats_fill},
        {wire->n_events, wire->n_events * sizeof(struct canceld_watch_event), events_fill},
        {wire->n_history, wire->n_history * sizeof(struct canceld_history_entry), history_fill},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].count == 0)
            continue;
        memory->array = calloc(1, kinds[i].size);
        if (memory->array == NULL)
            return false;
        kinds[i].fill(result, wire, memory->array);
        return true;
    }
    return true;
}

void result_init(struct canceld_result *result)
{
    *result = (struct canceld_result){.limit = "", .error = {.field = "", .text = ""}};
}

/* All that is no array. */
static void words_fill(struct canceld_result *result, const Canceld__V1__Result *wire)
{
    result->answer = (enum canceld_answer) wire->answer;
    result->gen = wire->gen;
    result->state = (enum canceld_state) wire->state;
    result->outcome = (enum canceld_outcome) wire->outcome;
    result->cause = cause_of(wire->cause);
    result->level = (enum canceld_level) wire->level;
    result->no_owner = wire->no_owner;
    result->cancelled = wire->cancelled;
    result->by_owner = wire->by_owner;
    result->limit = wire->limit;
    result->next_cursor = wire->next_cursor;
    result->count = wire->count;
    result->requested = wire->requested;
    result->already_requested = wire->already_requested;
    result->journaled = wire->journaled;
    result->memory_incomplete = wire->memory_incomplete;
    result->more = wire->more;
    result->epoch = wire->epoch;
    result->revision = wire->revision;
    if (wire->error != NULL) {
        result->error.code = (uint32_t) wire->error->code;
        result->error.field = wire->error->field;
        result->error.text = wire->error->text;
        if (wire->error->limit[0] != '\0')
            result->limit = wire->error->limit;
    }
}

bool result_take(struct canceld_result *result_out, Canceld__V1__Result *wire)
{
    struct result_memory *memory = calloc(1, sizeof *memory);

    result_init(result_out);
    if (memory == NULL) {
        canceld__v1__result__free_unpacked(wire, NULL);
        return false;
    }
    memory->wire = wire;
    result_out->memory = memory;
    words_fill(result_out, wire);
    if (arrays_fill(result_out, memory))
        return true;
    canceld_result_clear(result_out);
    return false;
}

void canceld_result_clear(struct canceld_result *result)
{
    struct result_memory *memory = NULL;

    if (result == NULL)
        return;
    memory = result->memory;
    if (memory != NULL) {
        canceld__v1__result__free_unpacked(memory->wire, NULL);
        free(memory->array);
        free(memory);
    }
    result_init(result);
}
