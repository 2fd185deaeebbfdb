/* SPDX-License-Identifier: MIT */
/* Requests and frames: what is sent together, under which id, again, or not at all. */
#include "client_rig.h"

#include <string.h>

#define OP(name) CANCELD__V1__OP__OP_##name
#define ANSWER(name) CANCELD__V1__ANSWER__ANSWER_##name
#define ERROR(name) CANCELD__V1__ERROR_CODE__ERROR_##name

static struct rig *rig_of_session(void)
{
    struct rig *rig = rig_new(false, false);

    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    return rig;
}

static void results_fill(Canceld__V1__Result *results, Canceld__V1__Result **places, size_t count,
                         Canceld__V1__Answer answer)
{
    for (size_t i = 0; i < count; i++) {
        canceld__v1__result__init(&results[i]);
        results[i].answer = answer;
        results[i].gen = i + 1;
        places[i] = &results[i];
    }
}

static void opening(void)
{
    struct rig *rig = rig_new(false, false);
    struct rig_frame poll;

    CHECK_EQ(engine_dial_ns(&rig->engine), rig->now_ns);
    rig_link_up(rig);
    CHECK_EQ(rig->frames_count, 1);
    CHECK_BYTES_EQ(rig->frames[0].frame->ops[0]->open->namespace_.data, 5, "tests", 5);
    CHECK_BYTES_EQ(rig->frames[0].frame->ops[0]->open->client_name.data, 3, "rig", 3);
    CHECK_EQ(rig->frames[0].frame->ops[0]->open->heartbeat_ms, 1000);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    CHECK_EQ(rig->event_last, CANCELD_EVENT_CONNECTED);
    CHECK(!engine_is_degraded(&rig->engine));
    poll = rig_take(rig, OP(POLL));
    CHECK_EQ(poll.frame->session, RIG_SESSION);
    CHECK_EQ(poll.frame->request_id, 1);
    CHECK_EQ(poll.frame->ops[0]->poll->after, 0);
    rig_frame_free(&poll);
    rig_free(rig);
}

static void coalescing(void)
{
    struct rig *rig = rig_of_session();
    static struct rig_call calls[100];
    Canceld__V1__Result results[64];
    Canceld__V1__Result *places[64];
    struct rig_frame first;
    struct rig_frame second;

    rig_drop(rig);
    for (size_t i = 0; i < 100; i++)
        rig_cancel(rig, &calls[i], "key", 0);
    rig_pump(rig);
    CHECK_EQ(rig->frames_count, 2);
    first = rig_take(rig, OP(CANCEL));
    second = rig_take(rig, OP(CANCEL));
    CHECK_EQ(first.frame->n_ops, 64);
    CHECK_EQ(second.frame->n_ops, 36);
    CHECK_EQ(second.frame->request_id, first.frame->request_id + 1);
    results_fill(results, places, 64, ANSWER(REQUESTED));
    rig_answer(rig, &first, places, 64);
    CHECK_EQ(calls[0].call.result.gen, 1);
    CHECK_EQ(calls[63].call.result.gen, 64);
    CHECK_EQ(calls[64].done_count, 0);
    rig_answer(rig, &second, places, 36);
    for (size_t i = 0; i < 100; i++) {
        CHECK_EQ(calls[i].done_count, 1);
        CHECK_EQ(calls[i].call.status, CANCELD_OK);
        canceld_result_clear(&calls[i].call.result);
    }
    rig_free(rig);
}

static void being_alone(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call calls[4];
    struct canceld_request list = {.op = CANCELD_OP_LIST};

    rig_drop(rig);
    rig_get(rig, &calls[0], "a", 0);
    rig_cancel_parked(rig, &calls[1], "a", 1000);
    rig_submit(rig, &calls[2], &list, 0);
    rig_get(rig, &calls[3], "b", 0);
    rig_pump(rig);
    CHECK_EQ(rig->frames_count, 4);
    for (size_t i = 0; i < 4; i++)
        CHECK_EQ(rig->frames[i].frame->n_ops, 1);
    CHECK_EQ(rig->frames[1].frame->ops[0]->op_case, OP(CANCEL));
    CHECK_EQ(rig->frames[1].frame->ops[0]->cancel->deadline_ms, 1000);
    rig_free(rig);
}

static void resending(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call answered;
    struct rig_call lost;
    struct rig_call parked;
    struct rig_frame frame;
    uint64_t lost_id = 0;
    uint64_t parked_id = 0;

    rig_cancel(rig, &answered, "first", 0);
    rig_pump(rig);
    rig_cancel(rig, &lost, "second", 0);
    rig_pump(rig);
    rig_cancel_parked(rig, &parked, "third", 60000);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    rig_answer_one(rig, &frame, ANSWER(REQUESTED), 1);
    CHECK_EQ(answered.done_count, 1);
    canceld_result_clear(&answered.call.result);
    frame = rig_take(rig, OP(CANCEL));
    lost_id = frame.frame->request_id;
    rig_frame_free(&frame);
    frame = rig_take(rig, OP(CANCEL));
    parked_id = frame.frame->request_id;
    rig_frame_free(&frame);
    rig_link_down(rig);
    CHECK(engine_is_degraded(&rig->engine));
    rig_pass(rig, 200);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    CHECK_EQ(rig->event_last, CANCELD_EVENT_RESUMED);
    frame = rig_take(rig, OP(CANCEL));
    CHECK_EQ(frame.frame->request_id, lost_id);
    CHECK_EQ(frame.frame->answered_below, lost_id);
    CHECK_BYTES_EQ(frame.frame->ops[0]->cancel->key.data, frame.frame->ops[0]->cancel->key.len,
                   "second", 6);
    rig_answer_one(rig, &frame, ANSWER(ALREADY_REQUESTED), 2);
    frame = rig_take(rig, OP(CANCEL));
    CHECK_EQ(frame.frame->request_id, parked_id);
    CHECK_EQ(frame.frame->ops[0]->cancel->deadline_ms, 60000); /* the same ops as before */
    rig_answer_one(rig, &frame, ANSWER(REQUESTED), 3);
    CHECK_EQ(lost.done_count, 1);
    CHECK_EQ(parked.done_count, 1);
    CHECK_EQ(lost.call.result.gen, 2);
    canceld_result_clear(&lost.call.result);
    canceld_result_clear(&parked.call.result);
    rig_free(rig);
}

static void late_replies(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};
    Canceld__V1__Reply reply = CANCELD__V1__REPLY__INIT;

    rig_get(rig, &call, "a", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(GET));
    result.answer = ANSWER(NOT_FOUND);
    reply.n_results = 1;
    reply.results = results;
    rig_send_reply(rig, &frame, &reply);
    CHECK_EQ(call.done_count, 1);
    rig_send_reply(rig, &frame, &reply);
    rig_send_reply(rig, &frame, &reply);
    CHECK_EQ(call.done_count, 1);
    CHECK(!engine_wants_cut(&rig->engine));
    rig_frame_free(&frame);
    canceld_result_clear(&call.call.result);
    rig_free(rig);
}

static void parked_ids(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call parked;
    struct rig_call call;
    struct rig_frame cancel;
    struct rig_frame get;
    uint64_t parked_id = 0;

    rig_cancel_parked(rig, &parked, "slow", 60000);
    rig_pump(rig);
    cancel = rig_take(rig, OP(CANCEL));
    parked_id = cancel.frame->request_id;
    rig_get(rig, &call, "a", 0);
    rig_pump(rig);
    get = rig_take(rig, OP(GET));
    /* It may not have arrived yet, for all the engine knows. */
    CHECK_EQ(get.frame->answered_below, parked_id);
    rig_answer_one(rig, &get, ANSWER(NOT_FOUND), 0);
    canceld_result_clear(&call.call.result);
    rig_get(rig, &call, "b", 0);
    rig_pump(rig);
    get = rig_take(rig, OP(GET));
    CHECK_EQ(get.frame->answered_below, get.frame->request_id);
    CHECK_EQ(get.frame->n_answered, 0);
    rig_answer_one(rig, &get, ANSWER(NOT_FOUND), 0);
    canceld_result_clear(&call.call.result);
    rig_answer_one(rig, &cancel, ANSWER(REQUESTED), 1);
    CHECK_EQ(parked.done_count, 1);
    canceld_result_clear(&parked.call.result);
    /* The frame that names the answer is lost: the next link's first frame names it again. */
    rig_get(rig, &call, "c", 0);
    rig_pump(rig);
    get = rig_take(rig, OP(GET));
    CHECK_EQ(get.frame->n_answered, 1);
    CHECK_EQ(get.frame->answered[0], parked_id);
    rig_frame_free(&get);
    rig_link_down(rig);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    get = rig_take(rig, OP(GET));
    CHECK_EQ(get.frame->n_answered, 1);
    CHECK_EQ(get.frame->answered[0], parked_id);
    rig_answer_one(rig, &get, ANSWER(NOT_FOUND), 0);
    canceld_result_clear(&call.call.result);
    rig_get(rig, &call, "d", 0);
    rig_pump(rig);
    get = rig_take(rig, OP(GET));
    CHECK_EQ(get.frame->n_answered, 0);
    rig_frame_free(&get);
    rig_free(rig);
}

static void back_pressure(void)
{
    struct rig *rig = rig_of_session();
    size_t count = 3 * ENGINE_OPS_MAX;
    struct rig_call *calls = calloc(count, sizeof *calls);
    Canceld__V1__Result results[64];
    Canceld__V1__Result *places[64];
    size_t ops = 0;

    CHECK(calls != NULL);
    rig_drop(rig);
    for (size_t i = 0; i < count; i++)
        rig_get(rig, &calls[i], "key", 0);
    rig_pump(rig);
    for (size_t i = 0; i < rig->frames_count; i++)
        ops += rig->frames[i].frame->n_ops;
    CHECK_LE(ops, ENGINE_OPS_MAX);
    CHECK_GT(ops, ENGINE_OPS_MAX / 2);
    results_fill(results, places, 64, ANSWER(NOT_FOUND));
    while (rig_has(rig, OP(GET))) {
        struct rig_frame frame = rig_take(rig, OP(GET));

        rig_answer(rig, &frame, places, frame.frame->n_ops);
    }
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(calls[i].done_count, 1);
        canceld_result_clear(&calls[i].call.result);
    }
    free(calls);
    rig_free(rig);
}

static void parked_pressure(void)
{
    struct rig *rig = rig_of_session();
    size_t count = ENGINE_PARKED_MAX + 100;
    struct rig_call *calls = calloc(count, sizeof *calls);
    struct rig_call get;
    struct rig_frame frame;
    size_t sent = 0;

    CHECK(calls != NULL);
    rig_drop(rig);
    for (size_t i = 0; i < count; i++)
        rig_cancel_parked(rig, &calls[i], "key", 60000);
    rig_get(rig, &get, "key", 0);
    rig_pump(rig);
    /* The read is not held up by those that cannot be parked. */
    frame = rig_take(rig, OP(GET));
    rig_answer_one(rig, &frame, ANSWER(NOT_FOUND), 0);
    canceld_result_clear(&get.call.result);
    CHECK_EQ(rig->frames_count, ENGINE_PARKED_MAX);
    while (rig_has(rig, OP(CANCEL))) {
        frame = rig_take(rig, OP(CANCEL));
        rig_answer_one(rig, &frame, ANSWER(REQUESTED), 1);
        sent++;
    }
    CHECK_EQ(sent, count);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(calls[i].done_count, 1);
        canceld_result_clear(&calls[i].call.result);
    }
    free(calls);
    rig_free(rig);
}

static void not_applied(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call calls[3];
    struct rig_frame frame;
    Canceld__V1__Result results[3];
    Canceld__V1__Result *places[3];
    uint64_t id = 0;

    for (size_t i = 0; i < 3; i++)
        rig_cancel(rig, &calls[i], i == 2 ? "third" : "key", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    id = frame.frame->request_id;
    results_fill(results, places, 3, ANSWER(NOT_APPLIED));
    results[0].answer = ANSWER(REQUESTED);
    rig_answer(rig, &frame, places, 3);
    CHECK_EQ(calls[0].done_count, 1);
    CHECK_EQ(calls[1].done_count, 0);
    frame = rig_take(rig, OP(CANCEL));
    CHECK_GT(frame.frame->request_id, id);
    CHECK_EQ(frame.frame->n_ops, 2);
    CHECK_BYTES_EQ(frame.frame->ops[1]->cancel->key.data, 5, "third", 5);
    results_fill(results, places, 2, ANSWER(NOT_FOUND));
    rig_answer(rig, &frame, places, 2);
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(calls[i].done_count, 1);
        canceld_result_clear(&calls[i].call.result);
    }
    rig_free(rig);
}

static void full_of_replies(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_call later;
    struct rig_frame frame;
    uint64_t id = 0;

    rig_cancel(rig, &call, "a", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    id = frame.frame->request_id;
    rig_refuse(rig, &frame, ERROR(FULL), "replies_session_bytes");
    CHECK_EQ(call.done_count, 0);
    /* Nor does what comes later overtake it. */
    rig_cancel(rig, &later, "b", 0);
    rig_pump(rig);
    CHECK(!rig_has(rig, OP(CANCEL)));
    CHECK_LE(engine_wake_ns(&rig->engine, true), rig->now_ns + ENGINE_RETRY_NS);
    rig_pass(rig, ENGINE_RETRY_NS / RIG_MS);
    frame = rig_take(rig, OP(CANCEL));
    CHECK_EQ(frame.frame->request_id, id);
    rig_answer_one(rig, &frame, ANSWER(NOT_FOUND), 0);
    CHECK_EQ(call.call.result.answer, CANCELD_ANSWER_NOT_FOUND);
    canceld_result_clear(&call.call.result);
    rig_free(rig);
}

static void refusals(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;

    rig_cancel_parked(rig, &call, "a", 1000);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    rig_refuse(rig, &frame, ERROR(FULL), "parked_session");
    CHECK_EQ(call.call.status, CANCELD_OK);
    CHECK_EQ(call.call.result.answer, CANCELD_ANSWER_FULL);
    CHECK_STR_EQ(call.call.result.limit, "parked_session");
    canceld_result_clear(&call.call.result);
    rig_cancel(rig, &call, "a", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    rig_refuse(rig, &frame, ERROR(VERSION), "");
    CHECK_EQ(call.call.status, CANCELD_REFUSED);
    CHECK_EQ(call.call.result.error.code, ERROR(VERSION));
    canceld_result_clear(&call.call.result);
    /* A daemon that stops has done nothing: the same id again, here or on the next link. */
    rig_cancel(rig, &call, "a", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    rig_refuse(rig, &frame, ERROR(SHUTTING_DOWN), "");
    CHECK_EQ(call.done_count, 0);
    rig_link_down(rig);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    frame = rig_take(rig, OP(CANCEL));
    /* Bound elsewhere: the link is no good. */
    rig_refuse(rig, &frame, ERROR(NOT_BOUND), "");
    CHECK(engine_wants_cut(&rig->engine));
    rig_link_down(rig);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    /* Too old, after it was sent before: nobody knows. */
    frame = rig_take(rig, OP(CANCEL));
    rig_refuse(rig, &frame, ERROR(TOO_OLD), "");
    CHECK_EQ(call.call.status, CANCELD_UNKNOWN);
    rig_free(rig);
}

static void too_old_at_first(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;
    uint64_t id = 0;

    rig_cancel(rig, &call, "a", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    id = frame.frame->request_id;
    rig_refuse(rig, &frame, ERROR(TOO_OLD), "");
    frame = rig_take(rig, OP(CANCEL));
    CHECK_GT(frame.frame->request_id, id);
    rig_answer_one(rig, &frame, ANSWER(NOT_FOUND), 0);
    CHECK_EQ(call.done_count, 1);
    canceld_result_clear(&call.call.result);
    rig_free(rig);
}

static const struct test_case cases[] = {
    {"a link is greeted, a session opened, and polled at once", opening},
    {"requests that wait together go in one frame, 64 at most", coalescing},
    {"what has to be alone goes alone", being_alone},
    {"after a lost link a frame without an answer is sent again under its id", resending},
    {"a reply that comes twice is passed over", late_replies},
    {"answered_below passes what is parked, and names its answer later", parked_ids},
    {"no more than 1024 requests are on their way", back_pressure},
    {"what cannot be parked waits here and holds up nobody", parked_pressure},
    {"NOT_APPLIED is sent again in a new frame", not_applied},
    {"FULL of replies is sent again under its id", full_of_replies},
    {"a refused frame ends as its error says", refusals},
    {"TOO_OLD at the first sending is sent under a new id", too_old_at_first},
};

TEST_MAIN(cases)
