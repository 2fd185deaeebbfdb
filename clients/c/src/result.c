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
        };
    result->gens = gens;
    result->gens_count = wire->n_gens;
}

static void operations_fill(struct canceld_result *result, const Canceld__V1__Result *wire,
                            void *array)
{
    struct canceld_operation_info *operations = array;

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
        };
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

/* A result lists one kind of thing; a message with more of them is none that we know. */
static bool arrays_fill(struct canceld_result *result, struct result_memory *memory)
{
    const Canceld__V1__Result *wire = memory->wire;
    const struct {
        size_t count;
        size_t size;
        void (*fill)(struct canceld_result *, const Canceld__V1__Result *, void *);
    } kinds[] = {
        {wire->n_gens, sizeof(struct canceld_gen_result), gens_fill},
        {wire->n_operations, sizeof(struct canceld_operation_info), operations_fill},
        {wire->n_armed, sizeof(struct canceld_armed_key), armed_fill},
        {wire->n_stats, sizeof(struct canceld_stat), stats_fill},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].count == 0)
            continue;
        memory->array = calloc(kinds[i].count, kinds[i].size);
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
    result_out->answer = (enum canceld_answer) wire->answer;
    result_out->gen = wire->gen;
    result_out->state = (enum canceld_state) wire->state;
    result_out->outcome = (enum canceld_outcome) wire->outcome;
    result_out->cause = cause_of(wire->cause);
    result_out->level = (enum canceld_level) wire->level;
    result_out->no_owner = wire->no_owner;
    result_out->cancelled = wire->cancelled;
    result_out->by_owner = wire->by_owner;
    result_out->limit = wire->limit;
    result_out->next_cursor = wire->next_cursor;
    result_out->count = wire->count;
    if (wire->error != NULL) {
        result_out->error.code = (uint32_t) wire->error->code;
        result_out->error.field = wire->error->field;
        result_out->error.text = wire->error->text;
        if (wire->error->limit[0] != '\0')
            result_out->limit = wire->error->limit;
    }
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
