/* SPDX-License-Identifier: MIT */
#include "local/flat.h"

#include "local/state.h"

void flat_begin(struct ask *ask)
{
    ask->block_used = 0;
    ask->result = (struct canceld_result){.limit = ""};
    ask->result.error.field = "";
    ask->result.error.text = "";
}

/* ---- memory ---- */

/* The registry keeps a page within a frame, and the block is made for all that fits one. */
static void *take(struct ask *ask, size_t bytes)
{
    void *memory = ask->block + ask->block_used;
    bytes = (bytes + 7) & ~(size_t) 7;
    ASSERT(bytes <= ask->block_bytes - ask->block_used);
    ask->block_used += bytes;
    return memory;
}

static struct canceld_bytes keep(struct ask *ask, struct bytes bytes)
{
    if (bytes.size == 0) {
        return (struct canceld_bytes){0};
    }
    void *memory = take(ask, bytes.size);
    memcpy(memory, bytes.data, bytes.size);
    return (struct canceld_bytes){memory, bytes.size};
}

static struct canceld_cause keep_cause(struct ask *ask, const struct cause *cause)
{
    return (struct canceld_cause){.code = (enum canceld_cause_code) cause->code,
                                  .text = keep(ask, cause->text),
                                  .actor = keep(ask, cause->actor),
                                  .peer = keep(ask, cause->peer)};
}

/* ---- lists ---- */

static void write_gens(struct ask *ask, const struct result *result)
{
    struct canceld_gen_result *gens = take(ask, result->gens_count * sizeof *gens);
    for (size_t i = 0; i < result->gens_count; i++) {
        const struct gen_result *gen = &result->gens[i];
        gens[i] = (struct canceld_gen_result){.gen = gen->gen,
                                              .answer = (enum canceld_answer) gen->answer,
                                              .level = (enum canceld_level) gen->level,
                                              .outcome = (enum canceld_outcome) gen->outcome,
                                              .state = (enum canceld_state) gen->state,
                                              .key = keep(ask, gen->key)};
    }
    ask->result.gens = gens;
    ask->result.gens_count = result->gens_count;
}

static void write_operation(struct ask *ask, const struct operation_info *from,
                            struct canceld_operation_info *to)
{
    struct canceld_bytes *labels = take(ask, from->labels_count * sizeof *labels);
    for (size_t i = 0; i < from->labels_count; i++) {
        labels[i] = keep(ask, from->labels[i]);
    }
    *to = (struct canceld_operation_info){
        .name_space = keep(ask, from->space),
        .key = keep(ask, from->key),
        .gen = from->gen,
        .state = (enum canceld_state) from->state,
        .outcome = (enum canceld_outcome) from->outcome,
        .age_ms = from->age_ms,
        .ttl_left_ms = from->ttl_left_ms,
        .owner = from->owner,
        .owner_name = keep(ask, from->owner_name),
        .meta = keep(ask, from->meta),
        .cause = keep_cause(ask, &from->cause),
        .level = (enum canceld_level) from->level,
        .labels = labels,
        .labels_count = from->labels_count,
        .parent = from->parent,
        .cancelling_ms = from->cancelling_ms,
    };
}

static void write_operations(struct ask *ask, const struct result *result)
{
    struct canceld_operation_info *operations =
        take(ask, result->operations_count * sizeof *operations);
    for (size_t i = 0; i < result->operations_count; i++) {
        write_operation(ask, &result->operations[i], &operations[i]);
    }
    ask->result.operations = operations;
    ask->result.operations_count = result->operations_count;
}

static void write_armed(struct ask *ask, const struct result *result)
{
    struct canceld_armed_key *armed = take(ask, result->armed_count * sizeof *armed);
    for (size_t i = 0; i < result->armed_count; i++) {
        const struct armed_key *from = &result->armed[i];
        armed[i] = (struct canceld_armed_key){.name_space = keep(ask, from->space),
                                              .key = keep(ask, from->key),
                                              .cause = keep_cause(ask, &from->cause),
                                              .ttl_left_ms = from->ttl_left_ms};
    }
    ask->result.armed = armed;
    ask->result.armed_count = result->armed_count;
}

static void write_events(struct ask *ask, const struct result *result)
{
    struct canceld_watch_event *events = take(ask, result->events_count * sizeof *events);
    for (size_t i = 0; i < result->events_count; i++) {
        const struct event *from = &result->events[i];
        events[i] = (struct canceld_watch_event){.revision = from->revision,
                                                 .key = keep(ask, from->key),
                                                 .gen = from->gen,
                                                 .state = (enum canceld_state) from->state,
                                                 .outcome = (enum canceld_outcome) from->outcome,
                                                 .cause = keep_cause(ask, &from->cause)};
    }
    ask->result.events = events;
    ask->result.events_count = result->events_count;
}

/* ---- whole ---- */

void flat_error(struct ask *ask, const struct error *error)
{
    ask->result.error.code = (uint32_t) error->code;
    ask->result.error.field = error->field == NULL ? "" : error->field;
    ask->result.error.text = error->text == NULL ? "" : error->text;
    if (error->limit != NULL) {
        ask->result.limit = error->limit;
    }
}

static void write_numbers(struct canceld_result *to, const struct result *from)
{
    to->answer = (enum canceld_answer) from->answer;
    to->gen = from->gen;
    to->state = (enum canceld_state) from->state;
    to->outcome = (enum canceld_outcome) from->outcome;
    to->level = (enum canceld_level) from->level;
    to->no_owner = from->no_owner;
    to->cancelled = from->cancelled;
    to->by_owner = from->by_owner;
    to->limit = from->limit == NULL ? "" : from->limit;
    to->next_cursor = from->next_cursor;
    to->count = from->count;
    to->requested = from->requested;
    to->already_requested = from->already_requested;
    to->journaled = from->journaled;
    to->memory_incomplete = from->memory_incomplete;
    to->more = from->more;
    to->epoch = from->epoch;
    to->revision = from->revision;
}

void flat_write(struct ask *ask, const struct result *result)
{
    write_numbers(&ask->result, result);
    ask->result.cause = keep_cause(ask, &result->cause);
    if (result->error.code != ERROR_UNSET) {
        flat_error(ask, &result->error);
    }
    write_gens(ask, result);
    write_operations(ask, result);
    write_armed(ask, result);
    write_events(ask, result);
}

void flat_stats(struct ask *ask, const struct stat_row *rows, size_t count,
                const struct local_figures *figures)
{
#define NAME(name) "local_" #name,
    static const char *const names[] = {LOCAL_FIGURES_TABLE(NAME)};
#undef NAME
#define VALUE(name) figures->name,
    const uint64_t values[] = {LOCAL_FIGURES_TABLE(VALUE)};
#undef VALUE
    struct canceld_stat *stats = take(ask, (count + LOCAL_FIGURES_COUNT) * sizeof *stats);
    for (size_t i = 0; i < count; i++) {
        stats[i] = (struct canceld_stat){.name = rows[i].name, .value = rows[i].value};
    }
    for (size_t i = 0; i < LOCAL_FIGURES_COUNT; i++) {
        stats[count + i] = (struct canceld_stat){.name = names[i], .value = values[i]};
    }
    ask->result.answer = CANCELD_ANSWER_STATS;
    ask->result.stats = stats;
    ask->result.stats_count = count + LOCAL_FIGURES_COUNT;
}
