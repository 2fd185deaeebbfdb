/* SPDX-License-Identifier: MIT */
/* Finishes, and other ways to let go of an operation, while the daemon is restarted: what is finished is adopted
 * first, ended then, and never comes back. */
#include "client_rig.h"

#define OP(name) CANCELD__V1__OP__OP_##name
#define ANSWER(name) CANCELD__V1__ANSWER__ANSWER_##name
#define ERROR(name) CANCELD__V1__ERROR_CODE__ERROR_##name

static struct rig *rig_of_session(void)
{
    struct rig *rig = rig_new(false, false);

    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    return rig;
}

static void restart(struct rig *rig)
{
    rig_link_down(rig);
    rig_ready_anew(rig, RIG_SESSION, RIG_EPOCH + 1);
}

/* The adopt of gen 9, or of 9 and 10. */
static void adopted(struct rig *rig, uint64_t previous_session)
{
    struct rig_frame frame = rig_take(rig, OP(ADOPT));
    Canceld__V1__Result results[2];
    Canceld__V1__Result *places[] = {&results[0], &results[1]};

    CHECK_LE(frame.frame->n_ops, 2);
    CHECK_EQ(frame.frame->ops[0]->adopt->gen, 9);
    CHECK_EQ(frame.frame->ops[0]->adopt->previous_session, previous_session);
    for (size_t i = 0; i < frame.frame->n_ops; i++) {
        canceld__v1__result__init(&results[i]);
        results[i].answer = ANSWER(ADOPTED);
    }
    rig_answer(rig, &frame, places, frame.frame->n_ops);
}

static void deleted(struct rig *rig)
{
    struct rig_frame frame = rig_take(rig, OP(DELETE));

    CHECK_EQ(frame.frame->ops[0]->delete_->gen, 9);
    rig_answer_one(rig, &frame, ANSWER(DELETED), 9);
}

static void finish_under_way(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct rig_call call;

    rig_finish(rig, &call, operation);
    CHECK(rig_has(rig, OP(DELETE)));
    restart(rig);
    CHECK(!rig_has(rig, OP(DELETE)));
    adopted(rig, RIG_SESSION);
    CHECK_EQ(call.done_count, 0);
    deleted(rig);
    CHECK_EQ(call.call.status, CANCELD_OK);
    CHECK_EQ(call.call.result.answer, CANCELD_ANSWER_DELETED);
    canceld_result_clear(&call.call.result);
    /* It is gone, though the application has not let go of it yet. */
    rig_link_down(rig);
    rig_ready_anew(rig, RIG_SESSION + 1, RIG_EPOCH + 2);
    CHECK(!rig_has(rig, OP(ADOPT)));
    rig_pass(rig, 0);
    CHECK_EQ(rig->event_last, CANCELD_EVENT_ADOPTED);
    rig_let_go(rig, operation);
    rig_free(rig);
}

/* The daemon ran on, and has done it in the session that is lost: it says so by how the operation ended. */
static void finish_done_in_a_lost_session(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct rig_call call;
    struct rig_frame frame;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result asked = rig_result();
    Canceld__V1__Result *results[] = {&result, &asked};
    Canceld__V1__Cause cause;

    rig_finish(rig, &call, operation);
    frame = rig_take(rig, OP(DELETE));
    rig_frame_free(&frame);
    rig_link_down(rig);
    rig_ready_anew(rig, RIG_SESSION, RIG_EPOCH);
    frame = rig_take(rig, OP(DELETE));
    CHECK_EQ(frame.frame->session, RIG_SESSION + 1);
    CHECK_EQ(frame.frame->ops[0]->delete_->gen, 9);
    /* What became of it is asked too, as of each operation of that session. */
    CHECK_EQ(frame.frame->n_ops, 2);
    CHECK_EQ(frame.frame->ops[1]->op_case, OP(GET));
    asked.answer = ANSWER(NOT_FOUND);
    canceld__v1__cause__init(&cause);
    cause.code = CANCELD__V1__CAUSE_CODE__CAUSE_USER;
    result.answer = ANSWER(ENDED);
    result.gen = 9;
    result.outcome = CANCELD__V1__OUTCOME__OUTCOME_CANCELLED;
    result.cause = &cause;
    CHECK_EQ(call.done_count, 0);
    rig_answer(rig, &frame, results, 2);
    CHECK_EQ(call.done_count, 1);
    CHECK_EQ(call.call.status, CANCELD_OK);
    CHECK_EQ(call.call.result.answer, CANCELD_ANSWER_ENDED);
    CHECK_EQ(call.call.result.outcome, CANCELD_OUTCOME_CANCELLED);
    CHECK_EQ(call.call.result.cause.code, CANCELD_CAUSE_USER);
    canceld_result_clear(&call.call.result);
    rig_let_go(rig, operation);
    rig_free(rig);
}

/* Nobody holds it any more, and it is adopted all the same, told nothing, and freed after its delete. */
static void finish_given_up(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct rig_call call;

    rig_link_down(rig);
    rig_finish(rig, &call, operation);
    rig_pass(rig, 100);
    CHECK_EQ(call.call.status, CANCELD_UNAVAILABLE);
    CHECK(engine_forget(&rig->engine, operation));
    rig_ready_anew(rig, RIG_SESSION, RIG_EPOCH + 1);
    /* Also when the daemon dies once more: before the adopt, and between adopt and delete. */
    rig_link_down(rig);
    rig_ready_anew(rig, RIG_SESSION + 1, RIG_EPOCH + 2);
    adopted(rig, RIG_SESSION);
    CHECK(rig_has(rig, OP(DELETE)));
    rig_link_down(rig);
    rig_ready_anew(rig, RIG_SESSION + 2, RIG_EPOCH + 3);
    adopted(rig, RIG_SESSION + 2);
    deleted(rig);
    CHECK_EQ(rig->told_count, 0);
    CHECK(link_is_alone(&rig->engine.operations));
    rig_free(rig);
}

static void closed_with_a_finish_under_way(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operations[2] = {rig_stored(rig, "a", 9), rig_stored(rig, "b", 10)};
    struct rig_call calls[2];

    for (size_t i = 0; i < 2; i++)
        rig_finish(rig, &calls[i], operations[i]);
    CHECK(engine_forget(&rig->engine, operations[0]));
    restart(rig);
    engine_close_all(&rig->engine); /* one is being adopted; the orphan is freed */
    rig_pump(rig);
    CHECK_EQ(calls[1].call.status, CANCELD_CLOSED);
    CHECK(operations[1]->closed);
    rig_let_go(rig, operations[1]);
    rig_free(rig);
}

static void deleted_by_name(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct canceld_request request = {.op = CANCELD_OP_DELETE};
    struct rig_call call;

    request.of.delete_ = (struct canceld_delete_request){
        .key = canceld_string("a"), .gen = 9, .outcome = CANCELD_OUTCOME_FAILED};
    rig_submit(rig, &call, &request, 0);
    rig_pump(rig);
    deleted(rig);
    canceld_result_clear(&call.call.result);
    restart(rig);
    CHECK(!rig_has(rig, OP(ADOPT)));
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void let_go_while_adopting(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operations[2] = {rig_stored(rig, "a", 9), rig_stored(rig, "b", 10)};
    struct rig_call call;

    restart(rig);
    rig_let_go(rig, operations[0]); /* forgotten */
    rig_finish(rig, &call, operations[1]);
    CHECK(!rig_has(rig, OP(DELETE)));
    adopted(rig, RIG_SESSION);
    CHECK(rig_has(rig, OP(DELETE)));
    rig_let_go(rig, operations[1]);
    rig_free(rig);
}

/* The journal's disk is full: the operations are adopted all the same, and the application goes on. */
static void adopted_but_not_journaled(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct rig_call get;
    struct rig_call call;
    struct rig_frame frame;
    uint64_t id = 0;

    rig_get(rig, &get, "a", 9);
    restart(rig);
    frame = rig_take(rig, OP(ADOPT));
    id = frame.frame->request_id;
    rig_refuse(rig, &frame, ERROR(JOURNAL), "");
    CHECK(rig_has(rig, OP(GET)));
    CHECK_NE(rig->event_last, CANCELD_EVENT_ADOPTED);
    rig_pass(rig, 50);
    frame = rig_take(rig, OP(ADOPT));
    CHECK_EQ(frame.frame->request_id, id);
    rig_refuse(rig, &frame, ERROR(JOURNAL), "");
    /* It ends meanwhile, and the daemon is restarted: it must not come back to life. */
    rig_finish(rig, &call, operation);
    deleted(rig);
    canceld_result_clear(&call.call.result);
    rig_link_down(rig);
    rig_ready_anew(rig, RIG_SESSION + 1, RIG_EPOCH + 2);
    CHECK(!rig_has(rig, OP(ADOPT)));
    rig_let_go(rig, operation);
    rig_free(rig);
}

static const struct test_case cases[] = {
    {"a finish under way is sent again after its operation was adopted", finish_under_way},
    {"a finish done in a lost session is asked for again, and answered by how it ended",
     finish_done_in_a_lost_session},
    {"an operation that nobody holds is adopted for its finish's sake", finish_given_up},
    {"a client closed with a finish and an adopt under way frees both",
     closed_with_a_finish_under_way},
    {"an operation deleted by its name is not adopted", deleted_by_name},
    {"operations may be let go of while they are adopted", let_go_while_adopting},
    {"an adoption that is not journaled holds nobody up", adopted_but_not_journaled},
};

TEST_MAIN(cases)
