/* SPDX-License-Identifier: MIT */
/* The application's own adopt, of an operation that this client does not hold: a kept one, or one of an earlier
 * process. */
#include "client_rig.h"
#include "engine_parts.h"

#include <string.h>

#define OP(name) CANCELD__V1__OP__OP_##name
#define ANSWER(name) CANCELD__V1__ANSWER__ANSWER_##name
#define ERROR(name) CANCELD__V1__ERROR_CODE__ERROR_##name
#define NOTICE(name) CANCELD__V1__NOTICE_KIND__NOTICE_##name

#define CHECK_BYTES_ARE(bytes, text)                                                               \
    CHECK_BYTES_EQ((bytes).data, (bytes).len, (text), sizeof(text) - 1)

#define GEN 9
#define FORMER 33 /* session */

static struct rig *rig_of_session(void)
{
    struct rig *rig = rig_new(false, false);

    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    return rig;
}

static struct canceld_request adopt_of(uint64_t gen)
{
    struct canceld_request request = {.op = CANCELD_OP_ADOPT};

    request.of.adopt.store.key = canceld_string("kept");
    request.of.adopt.gen = gen;
    request.of.adopt.previous_session = FORMER;
    return request;
}

static void adopt(struct rig *rig, struct rig_call *call, uint32_t deadline_ms)
{
    struct canceld_request request = adopt_of(GEN);

    rig_submit(rig, call, &request, deadline_ms);
    rig_pump(rig);
}

/* What a submission of it gives, where nothing is to be sent. */
static enum canceld_status refused(struct rig *rig, bool with_operation)
{
    struct canceld_request request = adopt_of(GEN);
    struct rig_call call;
    struct submission submission = {.request = &request, .call = &call.call};

    rig_call_init(&call);
    if (with_operation) {
        submission.operation = operation_new(&request.of.adopt.store, canceld_string("tests"));
        CHECK(submission.operation != NULL);
    }
    return engine_submit(&rig->engine, &submission, rig->now_ns);
}

static void answer(struct rig *rig, Canceld__V1__Answer what, Canceld__V1__CauseCode code)
{
    struct rig_frame frame = rig_take(rig, OP(ADOPT));
    Canceld__V1__Cause cause = CANCELD__V1__CAUSE__INIT;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};

    CHECK_EQ(frame.frame->n_ops, 1);
    CHECK_EQ(frame.frame->ops[0]->adopt->gen, GEN);
    CHECK_EQ(frame.frame->ops[0]->adopt->previous_session, FORMER);
    result.answer = what;
    result.gen = GEN;
    result.state = CANCELD__V1__STATE__STATE_LIVE;
    cause.code = code;
    if (code != CANCELD__V1__CAUSE_CODE__CAUSE_UNSET) {
        result.cause = &cause;
        result.state = CANCELD__V1__STATE__STATE_CANCELLING;
    }
    rig_answer(rig, &frame, results, 1);
}

#define NO_CAUSE CANCELD__V1__CAUSE_CODE__CAUSE_UNSET
#define POLICY CANCELD__V1__CAUSE_CODE__CAUSE_POLICY

/* The operation that the call brought. */
static struct canceld_operation *taken_over(struct rig_call *call)
{
    CHECK_EQ(call->done_count, 1);
    CHECK_EQ(call->call.status, CANCELD_OK);
    CHECK_EQ(call->call.result.answer, CANCELD_ANSWER_ADOPTED);
    CHECK_EQ(call->call.result.gen, GEN);
    CHECK(call->call.operation != NULL);
    CHECK_EQ(call->call.operation->gen, GEN);
    canceld_result_clear(&call->call.result);
    return call->call.operation;
}

static void everything_is_told(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_request request = adopt_of(GEN);
    struct canceld_store_request *store = &request.of.adopt.store;
    struct rig_call call;
    struct rig_frame frame;
    const Canceld__V1__Adopt *sent = NULL;

    *store = (struct canceld_store_request){
        .name_space = canceld_string("elsewhere"),
        .key = canceld_string("whole"),
        .policy = CANCELD_POLICY_JOIN,
        .ttl_ms = 60000,
        .on_expiry = CANCELD_ON_EXPIRY_REAP,
        .stop_grace_ms = 700,
        .on_owner_loss = CANCELD_ON_OWNER_LOSS_KEEP,
        .meta = canceld_string("{}"),
        .parent = 4,
        .labels = {canceld_string("red"), canceld_string("large")},
        .labels_count = 2,
    };
    request.of.adopt.cause = (struct canceld_cause){.code = CANCELD_CAUSE_SUPERSEDED,
                                                    .text = canceld_string("old"),
                                                    .actor = canceld_string("me"),
                                                    .peer = canceld_string("uid:0")};
    rig_submit(rig, &call, &request, 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(ADOPT));
    sent = frame.frame->ops[0]->adopt;
    CHECK_EQ(sent->gen, GEN);
    CHECK_EQ(sent->previous_session, FORMER);
    CHECK_BYTES_ARE(sent->namespace_, "elsewhere");
    CHECK_BYTES_ARE(sent->key, "whole");
    CHECK_EQ(sent->policy, CANCELD__V1__POLICY__POLICY_JOIN);
    CHECK_EQ(sent->ttl_ms, 60000);
    CHECK_EQ(sent->on_expiry, CANCELD__V1__ON_EXPIRY__ON_EXPIRY_REAP);
    CHECK_EQ(sent->stop_grace_ms, 700);
    CHECK_EQ(sent->on_owner_loss, CANCELD__V1__ON_OWNER_LOSS__ON_OWNER_LOSS_KEEP);
    CHECK_BYTES_ARE(sent->meta, "{}");
    CHECK_EQ(sent->parent, 4);
    CHECK_EQ(sent->n_labels, 2);
    CHECK_BYTES_ARE(sent->labels[1], "large");
    CHECK_EQ(sent->cause->code, CANCELD__V1__CAUSE_CODE__CAUSE_SUPERSEDED);
    CHECK_BYTES_ARE(sent->cause->text, "old");
    CHECK_BYTES_ARE(sent->cause->actor, "me");
    CHECK_BYTES_ARE(sent->cause->peer, "uid:0");
    rig_answer_one(rig, &frame, ANSWER(ADOPTED), GEN);
    CHECK_EQ(rig->told_count, 0);
    rig_let_go(rig, taken_over(&call));
    /* Of the client's own namespace, and without a cause. */
    adopt(rig, &call, 0);
    frame = rig_take(rig, OP(ADOPT));
    CHECK_BYTES_ARE(frame.frame->ops[0]->adopt->namespace_, "tests");
    CHECK(frame.frame->ops[0]->adopt->cause == NULL);
    rig_frame_free(&frame);
    rig_free(rig);
    CHECK_EQ(call.call.status, CANCELD_CLOSED);
}

/* From then on it is one of ours: its notices, its end, its adoption after a restart. */
static void lives_like_a_stored_one(void)
{
    struct rig *rig = rig_of_session();
    struct rig_frame frame = rig_take(rig, OP(POLL));
    struct canceld_operation *operation = NULL;
    struct rig_call call;

    adopt(rig, &call, 0);
    answer(rig, ANSWER(ADOPTED), NO_CAUSE);
    operation = taken_over(&call);
    CHECK_EQ(operation->given, 0);
    rig_notice(rig, &frame, 1, GEN, NOTICE(CANCEL));
    CHECK_EQ(rig->told_count, 1);
    CHECK_EQ(operation->flag, CANCELD_STOP_CANCEL);
    rig_link_down(rig);
    rig_ready_anew(rig, RIG_SESSION, RIG_EPOCH + 1);
    frame = rig_take(rig, OP(ADOPT));
    CHECK_EQ(frame.frame->ops[0]->adopt->gen, GEN);
    CHECK_EQ(frame.frame->ops[0]->adopt->previous_session, RIG_SESSION);
    CHECK_BYTES_ARE(frame.frame->ops[0]->adopt->cause->text, "enough");
    rig_answer_one(rig, &frame, ANSWER(ADOPTED), GEN);
    rig_finish(rig, &call, operation);
    frame = rig_take(rig, OP(DELETE));
    CHECK_EQ(frame.frame->ops[0]->delete_->gen, GEN);
    rig_answer_one(rig, &frame, ANSWER(DELETED), GEN);
    CHECK_EQ(call.call.result.answer, CANCELD_ANSWER_DELETED);
    canceld_result_clear(&call.call.result);
    rig_let_go(rig, operation);
    rig_free(rig);
}

static size_t told_before_done;
static struct rig_call *told_call;

static void on_told(struct rig *rig, struct canceld_operation *operation)
{
    (void) rig;
    (void) operation;
    told_before_done += told_call->done_count == 0;
}

/* As born cancelled: told once, after the call is done; and the notices are asked for again, for that of the cancel
 * may have come before there was anybody to hear it. */
static void cancelled_already(void)
{
    struct rig *rig = rig_of_session();
    struct rig_frame poll = rig_take(rig, OP(POLL));
    struct canceld_operation *operation = NULL;
    struct rig_call call;

    told_call = &call;
    rig->on_told = on_told;
    rig_notice(rig, &poll, 7, 1234, NOTICE(CANCEL)); /* of something forgotten */
    poll = rig_take(rig, OP(POLL));
    CHECK_EQ(poll.frame->ops[0]->poll->after, 7);
    rig_frame_free(&poll);
    adopt(rig, &call, 0);
    answer(rig, ANSWER(ADOPTED), POLICY);
    CHECK_EQ(call.call.result.state, CANCELD_STATE_CANCELLING);
    CHECK_EQ(call.call.result.cause.code, CANCELD_CAUSE_POLICY);
    operation = taken_over(&call);
    CHECK_EQ(rig->told_count, 1);
    CHECK_EQ(told_before_done, 0);
    CHECK_EQ(operation->flag, CANCELD_STOP_CANCEL);
    CHECK_EQ(operation->cause.code, CANCELD_CAUSE_POLICY);
    engine_delivered(&rig->engine, operation, TOLD_CANCEL);
    poll = rig_take(rig, OP(POLL));
    CHECK_EQ(poll.frame->ops[0]->poll->after, 0);
    rig_notice(rig, &poll, 6, GEN, NOTICE(CANCEL));
    CHECK_EQ(rig->told_count, 1);
    poll = rig_take(rig, OP(POLL));
    CHECK_EQ(poll.frame->ops[0]->poll->n_acks, 1);
    CHECK_EQ(poll.frame->ops[0]->poll->acks[0]->gen, GEN);
    rig_frame_free(&poll);
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void not_adopted(void)
{
    static const Canceld__V1__Answer answers[] = {
        ANSWER(EXISTS), ANSWER(ENDED),     ANSWER(STALE_EPOCH), ANSWER(FULL),
        ANSWER(DENIED), ANSWER(NOT_FOUND), ANSWER(STALE_GEN),   ANSWER(ERROR)};
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        adopt(rig, &call, 0);
        answer(rig, answers[i], answers[i] == ANSWER(ENDED) ? POLICY : NO_CAUSE);
        CHECK_EQ(call.done_count, 1);
        CHECK_EQ(call.call.status, CANCELD_OK);
        CHECK_EQ((int) call.call.result.answer, (int) answers[i]);
        CHECK(call.call.operation == NULL);
        canceld_result_clear(&call.call.result);
        CHECK_EQ(rig->engine.claims.count, 0);
    }
    adopt(rig, &call, 0);
    frame = rig_take(rig, OP(ADOPT));
    rig_refuse(rig, &frame, ERROR(FULL), "bytes");
    CHECK_EQ(call.call.result.answer, CANCELD_ANSWER_FULL);
    CHECK(call.call.operation == NULL);
    canceld_result_clear(&call.call.result);
    CHECK_EQ(rig->told_count, 0);
    rig_free(rig);
}

/* The notice of a cancel overtakes the answer. */
static void notice_before_the_answer(void)
{
    struct rig *rig = rig_of_session();
    struct rig_frame poll = rig_take(rig, OP(POLL));
    struct canceld_operation *operation = NULL;
    struct rig_call call;

    adopt(rig, &call, 0);
    rig_notice(rig, &poll, 1, GEN, NOTICE(CANCEL));
    CHECK_EQ(rig->told_count, 0);
    poll = rig_take(rig, OP(POLL));
    CHECK_EQ(poll.frame->ops[0]->poll->n_acks, 0);
    answer(rig, ANSWER(ADOPTED), NO_CAUSE);
    operation = taken_over(&call);
    rig_frame_free(&poll);
    poll = rig_take(rig, OP(POLL));
    CHECK_EQ(poll.frame->ops[0]->poll->after, 0);
    rig_notice(rig, &poll, 1, GEN, NOTICE(CANCEL));
    CHECK_EQ(rig->told_count, 1);
    CHECK_EQ(operation->flag, CANCELD_STOP_CANCEL);
    rig_let_go(rig, operation);
    rig_free(rig);
}

/* While notices are to be given again, no answer of an earlier poll moves on past them. */
static void recalled_notices_are_not_passed(void)
{
    struct rig *rig = rig_of_session();
    struct rig_frame first = rig_take(rig, OP(POLL));
    struct rig_frame second;

    notices_recall(&rig->engine);
    rig_pump(rig);
    CHECK_EQ(rig->engine.polls_count, 2);
    notices_recall(&rig->engine); /* it has to wait for one of the two */
    rig_notice(rig, &first, 5, 1234, NOTICE(CANCEL));
    first = rig_take(rig, OP(POLL));
    second = rig_take(rig, OP(POLL));
    CHECK_EQ(second.frame->ops[0]->poll->after, 0);
    rig_frame_free(&first);
    rig_frame_free(&second);
    rig_free(rig);
}

static void link_cut(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;
    uint64_t id = 0;

    adopt(rig, &call, 0);
    frame = rig_take(rig, OP(ADOPT));
    id = frame.frame->request_id;
    rig_frame_free(&frame);
    rig_link_down(rig);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    frame = rig_take(rig, OP(ADOPT));
    CHECK_EQ(frame.frame->request_id, id);
    rig_answer_one(rig, &frame, ANSWER(ADOPTED), GEN);
    rig_let_go(rig, taken_over(&call));
    rig_free(rig);
}

/* In the same epoch, and in a new one, where what is held comes before it. */
static void sent_again_in_the_next_session(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;
    struct canceld_operation *held = NULL;

    adopt(rig, &call, 0);
    rig_link_down(rig);
    rig_ready_anew(rig, RIG_SESSION, RIG_EPOCH);
    frame = rig_take(rig, OP(ADOPT));
    CHECK_EQ(frame.frame->session, RIG_SESSION + 1);
    CHECK_EQ(frame.frame->ops[0]->adopt->previous_session, FORMER);
    rig_frame_free(&frame);
    held = rig_stored(rig, "held", 5);
    rig_link_down(rig);
    rig_ready_anew(rig, RIG_SESSION + 1, RIG_EPOCH + 1);
    CHECK_EQ(call.done_count, 0);
    frame = rig_take(rig, OP(ADOPT));
    CHECK_EQ(frame.frame->ops[0]->adopt->gen, 5);
    CHECK(!rig_has(rig, OP(ADOPT)));
    rig_answer_one(rig, &frame, ANSWER(ADOPTED), 5);
    answer(rig, ANSWER(ADOPTED), NO_CAUSE);
    CHECK_EQ(taken_over(&call)->session, RIG_SESSION + 2);
    rig_let_go(rig, call.call.operation);
    rig_let_go(rig, held);
    rig_free(rig);
}

/* It is not ours to undo; who asks again has it. */
static void answered_too_late(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;

    adopt(rig, &call, 100);
    rig_pass(rig, 100);
    CHECK_EQ(call.call.status, CANCELD_TIMED_OUT);
    CHECK_EQ(refused(rig, true), CANCELD_INVALID); /* not yet: it is on its way */
    answer(rig, ANSWER(ADOPTED), POLICY);
    CHECK(!rig_has(rig, OP(DELETE)));
    CHECK_EQ(rig->told_count, 0);
    CHECK_EQ(rig->engine.gens.count, 0);
    adopt(rig, &call, 0);
    answer(rig, ANSWER(ADOPTED), POLICY);
    rig_let_go(rig, taken_over(&call));
    CHECK_EQ(rig->told_count, 1);
    /* Where the session is lost too, nobody waits for it any more. */
    adopt(rig, &call, 100);
    rig_pass(rig, 100);
    rig_link_down(rig);
    rig_ready_anew(rig, RIG_SESSION, RIG_EPOCH + 1);
    CHECK(!rig_has(rig, OP(ADOPT)));
    CHECK_EQ(rig->engine.claims.count, 0);
    rig_free(rig);
}

static void never_sent(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;

    rig_link_down(rig);
    adopt(rig, &call, 100);
    rig_pass(rig, 100);
    CHECK_EQ(call.call.status, CANCELD_UNAVAILABLE);
    CHECK_EQ(rig->engine.claims.count, 0);
    rig_free(rig);
}

static void not_in_the_journal(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;
    uint64_t id = 0;

    adopt(rig, &call, 0);
    frame = rig_take(rig, OP(ADOPT));
    id = frame.frame->request_id;
    rig_refuse(rig, &frame, ERROR(JOURNAL), "");
    CHECK_EQ(call.done_count, 0);
    rig_pass(rig, 1000);
    frame = rig_take(rig, OP(ADOPT));
    CHECK_EQ(frame.frame->request_id, id);
    rig_answer_one(rig, &frame, ANSWER(ADOPTED), GEN);
    rig_let_go(rig, taken_over(&call));
    rig_free(rig);
}

static void twice(void)
{
    struct rig *rig = rig_of_session();
    struct rig *sessionless = rig_new(true, false);
    struct canceld_operation *operation = NULL;
    struct rig_call call;

    CHECK_EQ(refused(rig, false), CANCELD_INVALID);
    CHECK_EQ(refused(sessionless, true), CANCELD_INVALID);
    adopt(rig, &call, 0);
    CHECK_EQ(refused(rig, true), CANCELD_INVALID);
    answer(rig, ANSWER(ADOPTED), NO_CAUSE);
    operation = taken_over(&call);
    CHECK_EQ(refused(rig, true), CANCELD_INVALID);
    /* Its session is lost, and it with it; but it was kept. */
    rig_link_down(rig);
    rig_ready_anew(rig, RIG_SESSION, RIG_EPOCH);
    CHECK_EQ(refused(rig, true), CANCELD_INVALID);
    rig_let_go(rig, operation);
    adopt(rig, &call, 0);
    answer(rig, ANSWER(ADOPTED), NO_CAUSE);
    rig_let_go(rig, taken_over(&call));
    rig_free(rig);
    rig_free(sessionless);
}

static const struct test_case cases[] = {
    {"an adopt says everything that it is given", everything_is_told},
    {"an adopted operation lives like a stored one", lives_like_a_stored_one},
    {"one that is CANCELLING is told so, once, after the call is done", cancelled_already},
    {"what is not adopted leaves nothing behind", not_adopted},
    {"a notice that comes before the answer is heard", notice_before_the_answer},
    {"notices that are recalled are not passed over", recalled_notices_are_not_passed},
    {"a link cut: the same frame again", link_cut},
    {"a session lost: it is sent again in the next one", sent_again_in_the_next_session},
    {"adopted after the deadline: left as it is, and adopted again", answered_too_late},
    {"a daemon that is away: UNAVAILABLE", never_sent},
    {"a journal that does not have it is asked again", not_in_the_journal},
    {"what is held here is INVALID, until it is forgotten", twice},
};

TEST_MAIN(cases)
