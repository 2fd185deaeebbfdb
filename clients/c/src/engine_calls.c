/* SPDX-License-Identifier: MIT */
#include "engine_parts.h"
#include "result.h"

static void call_done(struct engine *engine, struct request *request, enum canceld_status status)
{
    struct call *call = request->call;

    deadlines_remove(&engine->deadlines, request);
    request->call = NULL;
    call->status = status;
    engine->requests_count--;
    list_append(&engine->done, &call->link);
}

void request_end(struct engine *engine, struct request *request, enum canceld_status status)
{
    if (request->call == NULL)
        return;
    result_init(&request->call->result);
    call_done(engine, request, status);
}

void request_drop(struct engine *engine, struct request *request)
{
    request_end(engine, request, CANCELD_UNKNOWN);
    if (request->asks && request->operation != NULL)
        request->operation->ask = NULL;
    else
        operation_free(request->operation);
    if (request->asks)
        engine->asks_count--;
    request_free(request);
}

void request_repeat(struct engine *engine, struct request *request, struct link *list)
{
    bool wanted = request->call != NULL || request->persists || request->asks;

    if (wanted && (request->repeatable || !request->sent))
        list_append(list, &request->link);
    else
        request_drop(engine, request);
}

/* Nobody is there to own what was stored after all: it ends as FAILED, as if its owner had dropped it. */
static void store_undo(struct engine *engine, const struct canceld_operation *operation,
                       uint64_t gen)
{
    struct canceld_request undo = {.op = CANCELD_OP_DELETE};
    struct submission submission = {.request = &undo, .persists = true};

    undo.of.delete_ = (struct canceld_delete_request){.name_space = operation->name_space,
                                                      .key = operation->key,
                                                      .gen = gen,
                                                      .outcome = CANCELD_OUTCOME_FAILED};
    /* Without memory for it, the operation ends with the session. */
    (void) !engine_submit(engine, &submission, 0);
}

static void store_answered(struct engine *engine, struct request *request,
                           const struct canceld_result *result, bool wanted)
{
    struct canceld_operation *operation = request->operation;
    bool stored =
        result->answer == CANCELD_ANSWER_STORED || result->answer == CANCELD_ANSWER_BORN_CANCELLED;

    if (!stored || operation == NULL)
        return;
    if (!wanted) {
        store_undo(engine, operation, result->gen);
        return;
    }
    request->operation = NULL;
    request->call->operation = operation;
    operation->handed = true;
    operation_attach(engine, operation, result->gen);
}

/* The operation is told that it was born cancelled only after the call that made it is done: nobody is to hear
 * of an operation before he has it. */
static void birth_tell(struct engine *engine, struct canceld_operation *operation,
                       const struct canceld_result *result)
{
    struct canceld_notice notice = {.cause = result->cause};

    if (operation != NULL && result->answer == CANCELD_ANSWER_BORN_CANCELLED)
        operation_tell(engine, operation, TOLD_CANCEL, &notice);
}

void request_answer(struct engine *engine, struct request *request, Canceld__V1__Result *wire)
{
    struct canceld_result result;
    bool taken = result_take(&result, wire);
    struct call *call = request->call;

    if (request->op == CANCELD_OP_STORE)
        store_answered(engine, request, &result, call != NULL && taken);
    if (request->asks && request->operation != NULL) {
        request->operation->ask = NULL;
        operation_asked(engine, request->operation, &result);
        request->operation = NULL;
    }
    if (call != NULL && taken) {
        struct canceld_operation *operation = call->operation;

        call->result = result;
        call_done(engine, request, CANCELD_OK);
        birth_tell(engine, operation, &call->result);
    } else {
        request_end(engine, request, CANCELD_NO_MEMORY);
        canceld_result_clear(&result);
    }
    request_drop(engine, request);
}

static uint64_t span_ns(uint64_t ms)
{
    return ms * NS_PER_MS;
}

static enum canceld_status request_enqueue(struct engine *engine,
                                           const struct submission *submission, uint64_t now_ns)
{
    struct request *request = NULL;
    uint64_t deadline_ms =
        submission->deadline_ms == 0 ? CANCELD_DEADLINE_DEFAULT_MS : submission->deadline_ms;
    enum canceld_status status =
        request_new(submission->request, engine->config.name_space, &request);

    if (status != CANCELD_OK)
        return status;
    request->submitted_ns = now_ns;
    request->deadline_ns = now_ns + span_ns(deadline_ms + request->wait_ms);
    request->persists = submission->persists;
    if (submission->call != NULL && !deadlines_add(&engine->deadlines, request)) {
        request_free(request);
        return CANCELD_NO_MEMORY;
    }
    request->call = submission->call;
    request->operation = submission->operation;
    engine->requests_count += submission->call != NULL;
    list_append(&engine->queue, &request->link);
    return CANCELD_OK;
}

enum canceld_status engine_submit(struct engine *engine, const struct submission *submission,
                                  uint64_t now_ns)
{
    enum canceld_op op = submission->request->op;
    bool owns = op == CANCELD_OP_STORE || op == CANCELD_OP_DELETE || op == CANCELD_OP_TOUCH;
    enum canceld_status status = CANCELD_OK;

    if (engine->closing || engine->phase == ENGINE_CLOSED)
        status = CANCELD_CLOSED;
    else if (owns && engine->config.sessionless)
        status = CANCELD_INVALID;
    else if (op == CANCELD_OP_STORE && !gen_map_reserve(&engine->gens))
        status = CANCELD_NO_MEMORY;
    else
        status = request_enqueue(engine, submission, now_ns);
    if (status != CANCELD_OK)
        operation_free(submission->operation);
    return status;
}

/* A request that was never sent is taken back. One that was stays, for the daemon may have applied it: its id
 * has to be answered for, and a late STORED has to be undone. */
static void request_expire(struct engine *engine, struct request *request)
{
    request_end(engine, request, request->sent ? CANCELD_TIMED_OUT : CANCELD_UNAVAILABLE);
    if (request->framed || request->persists)
        return;
    link_remove(&request->link);
    request_drop(engine, request);
}

void requests_expire(struct engine *engine, uint64_t now_ns)
{
    struct request *request = deadlines_first(&engine->deadlines);

    while (request != NULL && request->deadline_ns <= now_ns) {
        request_expire(engine, request);
        request = deadlines_first(&engine->deadlines);
    }
}
