/* SPDX-License-Identifier: MIT */
/* A daemon that says "not yet": RECOVERING, and a journal that cannot be written. */
#include "client_rig.h"

#include <string.h>

#define OP(name) CANCELD__V1__OP__OP_##name
#define ANSWER(name) CANCELD__V1__ANSWER__ANSWER_##name
#define ERROR(name) CANCELD__V1__ERROR_CODE__ERROR_##name

static struct rig *rig_of_session(void)
{
    struct rig *rig = rig_new(false, false);

    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    rig_drop(rig);
    return rig;
}

static struct rig *rig_without(void)
{
    struct rig *rig = rig_new(true, false);

    rig_link_up(rig);
    return rig;
}

static void recovering(struct rig *rig, struct rig_frame *frame, uint32_t retry_ms)
{
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};

    result.answer = ANSWER(RECOVERING);
    result.retry_ms = retry_ms;
    rig_answer(rig, frame, results, 1);
}

static void request_of_op(struct canceld_request *request, enum canceld_op op)
{
    *request = (struct canceld_request){.op = op};
    if (op == CANCELD_OP_CANCEL)
        request->of.cancel = (struct canceld_cancel_request){.key = canceld_string("a"), .gen = 7};
    if (op == CANCELD_OP_DELETE)
        request->of.delete_ = (struct canceld_delete_request){
            .key = canceld_string("a"), .gen = 7, .outcome = CANCELD_OUTCOME_COMPLETED};
}

/* ---- RECOVERING ---- */

static void asked_again(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_call other;
    struct rig_frame frame;
    uint64_t id = 0;

    rig_cancel(rig, &call, "a", 0); /* keyed: nothing was done, so it is safe */
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    id = frame.frame->request_id;
    recovering(rig, &frame, 200);
    CHECK_EQ(call.done_count, 0);
    CHECK_EQ(engine_wake_ns(&rig->engine, true), rig->now_ns + 200 * RIG_MS);
    rig_pass(rig, 199);
    CHECK(!rig_has(rig, OP(CANCEL)));
    rig_get(rig, &other, "b", 0); /* is not held up */
    rig_pump(rig);
    frame = rig_take(rig, OP(GET));
    rig_answer_one(rig, &frame, ANSWER(NOT_FOUND), 0);
    CHECK_EQ(other.done_count, 1);
    canceld_result_clear(&other.call.result);
    rig_pass(rig, 1);
    frame = rig_take(rig, OP(CANCEL));
    CHECK_GT(frame.frame->request_id, id);
    rig_answer_one(rig, &frame, ANSWER(REQUESTED), 3);
    CHECK_EQ(call.call.status, CANCELD_OK);
    CHECK_EQ(call.call.result.answer, CANCELD_ANSWER_REQUESTED);
    canceld_result_clear(&call.call.result);
    rig_free(rig);
}

static void until_the_deadline(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    uint64_t begun_ns = rig->now_ns;
    size_t asked = 0;

    /* What the daemon is to wait does not count: the default deadline alone does. */
    rig_cancel_parked(rig, &call, "a", 60000);
    rig_pump(rig);
    while (call.done_count == 0) {
        struct rig_frame frame = rig_take(rig, OP(CANCEL));

        CHECK_EQ(frame.frame->ops[0]->cancel->deadline_ms, 60000); /* does not run meanwhile */
        asked++;
        recovering(rig, &frame, 200);
        rig_drop(rig);
        if (call.done_count == 0)
            rig_pass(rig, 200);
    }
    CHECK_EQ(call.call.status, CANCELD_OK);
    CHECK_EQ(call.call.result.answer, CANCELD_ANSWER_RECOVERING);
    CHECK_EQ(asked, 50);
    CHECK_LE(rig->now_ns - begun_ns, CANCELD_DEADLINE_DEFAULT_MS * RIG_MS);
    CHECK(!rig_has(rig, OP(CANCEL)));
    canceld_result_clear(&call.call.result);
    rig_free(rig);
}

/* A long wait, half over when the daemon is restarted: it goes on, less the half, and recovery costs nothing of it. */
static void long_waits_go_on(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_request request;
    struct rig_call call;
    struct rig_frame frame;

    request_of_op(&request, CANCELD_OP_CANCEL);
    request.of.cancel.level = CANCELD_LEVEL_STOPPED;
    request.of.cancel.wait_ms = 60000;
    rig_submit(rig, &call, &request, 4000);
    rig_pump(rig);
    rig_pass(rig, 30000);
    rig_link_down(rig);
    rig_ready_anew(rig, RIG_SESSION, RIG_EPOCH + 1);
    for (size_t i = 0; i < 15; i++) {
        frame = rig_take(rig, OP(CANCEL));
        CHECK_EQ(frame.frame->ops[0]->cancel->deadline_ms, 30000);
        recovering(rig, &frame, 200);
        rig_drop(rig);
        rig_pass(rig, 200);
    }
    frame = rig_take(rig, OP(CANCEL));
    CHECK_EQ(frame.frame->ops[0]->cancel->deadline_ms, 30000);
    rig_answer_one(rig, &frame, ANSWER(ALREADY_REQUESTED), 7);
    CHECK_EQ(call.call.status, CANCELD_OK);
    CHECK_EQ(call.call.result.answer, CANCELD_ANSWER_ALREADY_REQUESTED);
    canceld_result_clear(&call.call.result);
    rig_free(rig);
}

/* Between two askings the link is lost, and the deadline comes. */
static void away_at_the_deadline(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;

    rig_cancel(rig, &call, "a", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    recovering(rig, &frame, 200);
    rig_link_down(rig);
    rig_pass(rig, 10000);
    CHECK_EQ(call.call.status, CANCELD_OK);
    CHECK_EQ(call.call.result.answer, CANCELD_ANSWER_RECOVERING);
    rig_free(rig);
}

/* An earlier sending, to a session that is lost, may have been applied: then "nothing was done" is not known. */
static void may_have_been_done_before(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_call read;
    struct rig_frame frame;

    rig_cancel(rig, &call, "a", 7);
    rig_pump(rig);
    rig_get(rig, &read, "a", 7);
    rig_pump(rig);
    rig_link_down(rig);
    rig_link_up(rig);
    frame = rig_take(rig, OP(OPEN));
    rig_answer_one(rig, &frame, ANSWER(SESSION_LOST), 0);
    rig_ready(rig, RIG_SESSION + 1, RIG_EPOCH + 1, false);
    frame = rig_take(rig, OP(CANCEL));
    CHECK_EQ(frame.frame->n_ops, 2);
    {
        Canceld__V1__Result result = rig_result();
        Canceld__V1__Result *results[] = {&result, &result};

        result.answer = ANSWER(RECOVERING);
        result.retry_ms = 1000;
        rig_answer(rig, &frame, results, 2);
    }
    rig_link_down(rig);
    rig_pass(rig, 10000);
    CHECK_EQ(call.call.status, CANCELD_TIMED_OUT);
    CHECK_EQ(read.call.status, CANCELD_OK);
    CHECK_EQ(read.call.result.answer, CANCELD_ANSWER_RECOVERING);
    rig_free(rig);
}

static void finishes_are_not_given_up(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_request request;
    struct rig_call call;
    struct submission submission = {
        .request = &request, .deadline_ms = 300, .call = &call.call, .persists = true};
    struct rig_frame frame;

    request_of_op(&request, CANCELD_OP_DELETE);
    rig_call_init(&call);
    CHECK_EQ(engine_submit(&rig->engine, &submission, rig->now_ns), CANCELD_OK);
    rig_pump(rig);
    frame = rig_take(rig, OP(DELETE));
    recovering(rig, &frame, 200);
    rig_pass(rig, 200);
    frame = rig_take(rig, OP(DELETE));
    recovering(rig, &frame, 200);
    CHECK_EQ(call.call.status, CANCELD_OK);
    CHECK_EQ(call.call.result.answer, CANCELD_ANSWER_RECOVERING);
    rig_pass(rig, 200);
    frame = rig_take(rig, OP(DELETE));
    rig_answer_one(rig, &frame, ANSWER(DELETED), 7);
    CHECK_EQ(call.done_count, 1);
    rig_free(rig);
}

/* Of a parent that may yet be adopted. */
static void stores(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_call late;
    struct rig_frame frame;

    rig_store(rig, &call, "a", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(STORE));
    recovering(rig, &frame, 100);
    rig_pass(rig, 100);
    frame = rig_take(rig, OP(STORE));
    rig_answer_one(rig, &frame, ANSWER(STORED), 9);
    CHECK(call.call.operation != NULL);
    canceld_result_clear(&call.call.result);
    rig_let_go(rig, call.call.operation);
    rig_store(rig, &late, "b", 150);
    rig_pump(rig);
    frame = rig_take(rig, OP(STORE));
    recovering(rig, &frame, 100);
    rig_pass(rig, 100);
    frame = rig_take(rig, OP(STORE));
    recovering(rig, &frame, 100);
    CHECK_EQ(late.call.result.answer, CANCELD_ANSWER_RECOVERING);
    CHECK(late.call.operation == NULL);
    rig_free(rig);
}

static void without_a_session(void)
{
    struct rig *rig = rig_without();
    struct rig_call call;
    struct rig_frame frame;

    rig_cancel(rig, &call, "a", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    recovering(rig, &frame, 200);
    rig_pass(rig, 200);
    frame = rig_take(rig, OP(CANCEL));
    rig_answer_one(rig, &frame, ANSWER(NOT_FOUND), 0);
    CHECK_EQ(call.call.result.answer, CANCELD_ANSWER_NOT_FOUND);
    canceld_result_clear(&call.call.result);
    rig_free(rig);
}

static void closing_waits(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;

    rig_cancel(rig, &call, "a", 7);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    recovering(rig, &frame, 200);
    engine_close(&rig->engine);
    rig_pump(rig);
    CHECK(!rig_has(rig, OP(CLOSE)));
    rig_pass(rig, 200);
    frame = rig_take(rig, OP(CANCEL));
    rig_answer_one(rig, &frame, ANSWER(NOT_FOUND), 0);
    canceld_result_clear(&call.call.result);
    CHECK(rig_has(rig, OP(CLOSE)));
    rig_free(rig);
}

/* ---- ERROR_JOURNAL ---- */

static void the_same_id_again(void)
{
    static const uint64_t pauses_ms[] = {50, 100, 200, 400, 800, 1000, 1000};
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_call others[sizeof pauses_ms / sizeof pauses_ms[0]];
    struct rig_frame frame;
    uint64_t id = 0;

    rig_cancel(rig, &call, "a", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    id = frame.frame->request_id;
    rig_refuse(rig, &frame, ERROR(JOURNAL), "");
    for (size_t i = 0; i < sizeof pauses_ms / sizeof pauses_ms[0]; i++) {
        CHECK_LE(engine_wake_ns(&rig->engine, true), rig->now_ns + pauses_ms[i] * RIG_MS);
        rig_pass(rig, pauses_ms[i] - 1);
        CHECK(!rig_has(rig, OP(CANCEL)));
        rig_pass(rig, 1);
        frame = rig_take(rig, OP(CANCEL));
        CHECK_EQ(frame.frame->request_id, id);
        CHECK_LE(frame.frame->answered_below, id);
        rig_refuse(rig, &frame, ERROR(JOURNAL), "");
        rig_get(rig, &others[i], "b", 0); /* is not held up */
        rig_pump(rig);
        frame = rig_take(rig, OP(GET));
        rig_frame_free(&frame);
        rig_drop(rig);
    }
    rig_free(rig);
}

static void kept_in_the_end(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};

    rig_cancel(rig, &call, "a", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    rig_refuse(rig, &frame, ERROR(JOURNAL), "");
    rig_pass(rig, 50);
    frame = rig_take(rig, OP(CANCEL));
    result.answer = ANSWER(REQUESTED);
    result.journaled = true;
    rig_answer(rig, &frame, results, 1);
    CHECK_EQ(call.call.status, CANCELD_OK);
    CHECK(call.call.result.journaled);
    canceld_result_clear(&call.call.result);
    rig_free(rig);
}

static void unknown_at_the_deadline(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;

    rig_cancel(rig, &call, "a", 7);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    rig_refuse(rig, &frame, ERROR(JOURNAL), "");
    rig_link_down(rig); /* whatever happens meanwhile */
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    frame = rig_take(rig, OP(CANCEL));
    rig_refuse(rig, &frame, ERROR(JOURNAL), "");
    rig_link_down(rig);
    rig_pass(rig, 10000);
    CHECK_EQ(call.call.status, CANCELD_UNKNOWN);
    CHECK_EQ(call.call.result.error.code, CANCELD_ERROR_JOURNAL);
    CHECK_EQ(call.call.result.answer, CANCELD_ANSWER_UNSET);
    /* Nobody waits: the frame is sent once more with the link, and no more then. */
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    frame = rig_take(rig, OP(CANCEL));
    rig_refuse(rig, &frame, ERROR(JOURNAL), "");
    rig_pass(rig, 1000);
    CHECK(!rig_has(rig, OP(CANCEL)));
    CHECK_EQ(rig->engine.frames_count, 0);
    rig_free(rig);
}

static void unknown_with_the_session(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;

    rig_cancel(rig, &call, "a", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    rig_refuse(rig, &frame, ERROR(JOURNAL), "");
    rig_link_down(rig);
    rig_link_up(rig);
    frame = rig_take(rig, OP(OPEN));
    rig_answer_one(rig, &frame, ANSWER(SESSION_LOST), 0);
    CHECK_EQ(call.call.status, CANCELD_UNKNOWN);
    CHECK_EQ(call.call.result.error.code, CANCELD_ERROR_JOURNAL);
    rig_free(rig);
}

/* A store that used an arm, given up by its caller: it is undone once its gen is known. */
static void a_late_store_is_undone(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;

    rig_store(rig, &call, "a", 60);
    rig_pump(rig);
    frame = rig_take(rig, OP(STORE));
    rig_refuse(rig, &frame, ERROR(JOURNAL), "");
    rig_pass(rig, 50);
    frame = rig_take(rig, OP(STORE));
    rig_refuse(rig, &frame, ERROR(JOURNAL), "");
    rig_pass(rig, 10);
    CHECK_EQ(call.call.status, CANCELD_UNKNOWN);
    CHECK_EQ(call.call.result.error.code, CANCELD_ERROR_JOURNAL);
    rig_pass(rig, 90);
    frame = rig_take(rig, OP(STORE));
    rig_answer_one(rig, &frame, ANSWER(BORN_CANCELLED), 9);
    frame = rig_take(rig, OP(DELETE));
    CHECK_EQ(frame.frame->ops[0]->delete_->gen, 9);
    rig_frame_free(&frame);
    rig_free(rig);
}

static void unjournaled_without_a_session(void)
{
    struct rig *rig = rig_without();
    struct rig_call cancel;
    struct rig_call read;
    struct rig_frame frame;

    rig_cancel(rig, &cancel, "a", 7);
    rig_get(rig, &read, "a", 7);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    CHECK_EQ(frame.frame->n_ops, 2);
    rig_refuse(rig, &frame, ERROR(JOURNAL), "");
    CHECK_EQ(cancel.call.status, CANCELD_UNKNOWN);
    CHECK_EQ(cancel.call.result.error.code, CANCELD_ERROR_JOURNAL);
    CHECK_EQ(read.done_count, 0);
    rig_pass(rig, 50);
    frame = rig_take(rig, OP(GET));
    rig_answer_one(rig, &frame, ANSWER(NOT_FOUND), 0);
    CHECK_EQ(read.call.status, CANCELD_OK);
    canceld_result_clear(&read.call.result);
    rig_free(rig);
}

static void full_journal(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};
    char limit[] = "journal";

    rig_cancel(rig, &call, "a", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    result.answer = ANSWER(FULL);
    result.limit = limit;
    rig_answer(rig, &frame, results, 1);
    CHECK_EQ(call.call.status, CANCELD_OK);
    CHECK_EQ(call.call.result.answer, CANCELD_ANSWER_FULL);
    CHECK_STR_EQ(call.call.result.limit, "journal");
    canceld_result_clear(&call.call.result);
    rig_free(rig);
}

static const struct test_case cases[] = {
    {"RECOVERING is asked again after the time it names, under another id", asked_again},
    {"at the call's own deadline the caller is told RECOVERING", until_the_deadline},
    {"a long wait goes on after a restart, less what was waited", long_waits_go_on},
    {"RECOVERING is still the truth when the daemon goes away", away_at_the_deadline},
    {"what an older session may have done is not called RECOVERING", may_have_been_done_before},
    {"a finish is asked again after its call is over", finishes_are_not_given_up},
    {"a store whose parent is recovering is stored later", stores},
    {"RECOVERING without a session is asked again too", without_a_session},
    {"a close waits for what is asked again", closing_waits},
    {"ERROR_JOURNAL is asked again under the same id with a growing pause", the_same_id_again},
    {"an answer that the journal has in the end is given", kept_in_the_end},
    {"at the deadline what is not journaled is UNKNOWN, with the error", unknown_at_the_deadline},
    {"it is so too when the session is lost", unknown_with_the_session},
    {"a store that is given up is undone when the journal has it", a_late_store_is_undone},
    {"without a session only reads are asked again", unjournaled_without_a_session},
    {"FULL of the journal is an answer", full_journal},
};

TEST_MAIN(cases)
