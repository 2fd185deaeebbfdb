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
    if (request->unjournaled && (status == CANCELD_TIMED_OUT || status == CANCELD_UNKNOWN)) {
        status = CANCELD_UNKNOWN;
        request->call->result.error.code = CANCELD_ERROR_JOURNAL;
        request->call->result.error.text = "the daemon's journal could not keep it";
    }
    call_done(engine, request, status);
}

void request_end_recovering(struct engine *engine, struct request *request)
{
    if (request->sent_before) {
        request_end(engine, request, CANCELD_TIMED_OUT);
        return;
    }
    result_init(&request->call->result);
    request->call->result.answer = CANCELD_ANSWER_RECOVERING;
    call_done(engine, request, CANCELD_OK);
}

void request_drop(struct engine *engine, struct request *request)
{
    struct canceld_operation *operation = request->operation;
    bool ours = request->asks || request->adopts;

    request_end(engine, request, CANCELD_UNKNOWN);
    engine->asks_count -= request->asks;
    engine->adopts_count -= request->adopts;
    engine->adopts_unjournaled -= request->adopts && request->unjournaled;
    if (ours && operation != NULL)
        operation->ours = NULL;
    if (request->adopts && operation != NULL)
        operation_not_adopted(engine, operation);
    if (request->op == CANCELD_OP_ADOPT && operation != NULL)
        gen_map_remove(&engine->claims, operation);
    if (!ours)
        operation_free(operation);
    if (request->ends != NULL)
        operation_ended(request->ends);
    request_free(request);
}

void request_repeat(struct engine *engine, struct request *request, struct link *list)
{
    bool wanted = request->call != NULL || request->persists || request->asks;

    if (!wanted || (request->sent && !request->repeatable)) {
        request_drop(engine, request);
        return;
    }
    request->recover_ns = 0;
    request->sent_before = request->sent_before || (request->sent && !request->reads);
    list_append(list, &request->link);
}

/* Nobody is there to own what was stored after all: it ends as FAILED, as if its owner had dropped it. */
static void store_undo(struct engine *engine, const struct canceld_operation *operation,
                       uint64_t gen)
{
    struct canceld_request undo = {.op = CANCELD_OP_DELETE};
    struct submission submission = {.request = &undo, .persists = true};

    undo.of.delete_ = (struct canceld_delete_request){.name_space = operation->stored.name_space,
                                                      .key = operation->stored.key,
                                                      .gen = gen,
                                                      .outcome = CANCELD_OUTCOME_FAILED};
    /* Without memory for it, the operation ends with the session. */
    (void) !engine_submit(engine, &submission, 0);
}

static void operation_hand_over(struct engine *engine, struct request *request, uint64_t gen)
{
    struct canceld_operation *operation = request->operation;

    request->operation = NULL;
    request->call->operation = operation;
    operation->handed = true;
    operation->session = engine->session;
    operation_attach(engine, operation, gen);
}

static void store_answered(struct engine *engine, struct request *request,
                           const struct canceld_result *result, bool wanted)
{
    bool stored =
        result->answer == CANCELD_ANSWER_STORED || result->answer == CANCELD_ANSWER_BORN_CANCELLED;

    if (!stored || request->operation == NULL)
        return;
    if (wanted)
        operation_hand_over(engine, request, result->gen);
    else
        store_undo(engine, request->operation, result->gen);
}

static bool adopted_cancelled(const struct canceld_result *result)
{
    return result->answer == CANCELD_ANSWER_ADOPTED &&
           (result->state == CANCELD_STATE_CANCELLING || result->cause.code != CANCELD_CAUSE_UNSET);
}

/* What nobody waits for any more is not undone: it was there before, and its work may go on elsewhere. It is the
 * session's, and another adopt of it is answered with ADOPTED again. By then a notice of its cancel may have gone
 * by unheard. */
static void adopt_answered(struct engine *engine, struct request *request,
                           const struct canceld_result *result, bool wanted)
{
    struct canceld_operation *operation = request->operation;

    if (result->answer != CANCELD_ANSWER_ADOPTED || !wanted)
        return;
    gen_map_remove(&engine->claims, operation);
    operation_hand_over(engine, request, operation->gen);
    if (adopted_cancelled(result))
        notices_recall(engine);
}

/* The operation is told that it was born, or adopted, cancelled only after the call that made it is done: nobody is to hear
 * of an operation before he has it. */
static void birth_tell(struct engine *engine, struct canceld_operation *operation,
                       const struct canceld_result *result)
{
    struct canceld_notice notice = {.cause = result->cause};

    if (operation != NULL &&
        (result->answer == CANCELD_ANSWER_BORN_CANCELLED || adopted_cancelled(result)))
        operation_tell(engine, operation, TOLD_CANCEL, &notice);
}

/* Deletes by name count too: what is gone must not be adopted. */
static void delete_answered(struct engine *engine, const struct request *request,
                            const struct canceld_result *result)
{
    struct canceld_operation *operation = request->ends;

    if (operation == NULL)
        operation = gen_map_find(&engine->gens, request->gen);
    if (operation != NULL &&
        (result->answer == CANCELD_ANSWER_DELETED || result->answer == CANCELD_ANSWER_ENDED))
        operation->gone = true;
}

static void ours_answered(struct engine *engine, struct request *request,
                          const struct canceld_result *result)
{
    struct canceld_operation *operation = request->operation;

    if (operation == NULL)
        return;
    request->operation = NULL;
    operation->ours = NULL;
    if (request->asks)
        operation_asked(engine, operation, result);
    else
        operation_adopted(engine, operation, result);
}

void request_answer(struct engine *engine, struct request *request, Canceld__V1__Result *wire)
{
    struct canceld_result result;
    bool taken = result_take(&result, wire);
    struct call *call = request->call;

    if (request->op == CANCELD_OP_STORE)
        store_answered(engine, request, &result, call != NULL && taken);
    if (request->op == CANCELD_OP_ADOPT)
        adopt_answered(engine, request, &result, call != NULL && taken);
    if (request->op == CANCELD_OP_DELETE)
        delete_answered(engine, request, &result);
    if ((request->asks || request->adopts) && taken)
        ours_answered(engine, request, &result);
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
    request->deadline_ms = (uint32_t) deadline_ms;
    request->deadline_ns = now_ns + span_ns(deadline_ms + request->wait_ms);
    request->persists = submission->persists;
    if (submission->call != NULL && !deadlines_add(&engine->deadlines, request)) {
        request_free(request);
        return CANCELD_NO_MEMORY;
    }
    request->call = submission->call;
    request->operation = submission->operation;
    request->ends = submission->ends;
    if (request->ends != NULL)
        request->ends->end = request;
    engine->requests_count += submission->call != NULL;
    list_append(&engine->queue, &request->link);
    return CANCELD_OK;
}

/* No two of one gen are ever held here. */
static enum canceld_status adopt_claim(struct engine *engine, const struct submission *submission)
{
    uint64_t gen = submission->request->of.adopt.gen;

    if (submission->operation == NULL || gen_map_find(&engine->gens, gen) != NULL ||
        gen_map_find(&engine->claims, gen) != NULL)
        return CANCELD_INVALID;
    return gen_map_reserve(&engine->claims) ? CANCELD_OK : CANCELD_NO_MEMORY;
}

static enum canceld_status birth_enqueue(struct engine *engine, const struct submission *submission,
                                         uint64_t now_ns)
{
    bool adopts = submission->request->op == CANCELD_OP_ADOPT;
    enum canceld_status status = adopts ? adopt_claim(engine, submission) : CANCELD_OK;

    if (status == CANCELD_OK && !gen_map_reserve(&engine->gens))
        status = CANCELD_NO_MEMORY;
    if (status == CANCELD_OK)
        status = request_enqueue(engine, submission, now_ns);
    if (status == CANCELD_OK && adopts) {
        submission->operation->gen = submission->request->of.adopt.gen;
        gen_map_insert(&engine->claims, submission->operation);
    }
    return status;
}

enum canceld_status engine_submit(struct engine *engine, const struct submission *submission,
                                  uint64_t now_ns)
{
    enum canceld_op op = submission->request->op;
    bool owns = op_is_birth(op) || op == CANCELD_OP_DELETE || op == CANCELD_OP_TOUCH ||
                op == CANCELD_OP_DETACH;
    enum canceld_status status = CANCELD_OK;

    if (engine->closing || engine->phase == ENGINE_CLOSED)
        status = CANCELD_CLOSED;
    else if (owns && engine->config.sessionless)
        status = CANCELD_INVALID;
    else if (op_is_birth(op))
        status = birth_enqueue(engine, submission, now_ns);
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
    bool sent = request->sent || request->sent_before;

    if (request->recovering)
        request_end_recovering(engine, request);
    else
        request_end(engine, request, sent ? CANCELD_TIMED_OUT : CANCELD_UNAVAILABLE);
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
