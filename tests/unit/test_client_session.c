/* SPDX-License-Identifier: MIT */
/* Sessions: resumed, lost, or of a daemon that was restarted; and what becomes of requests and operations. */
#include "client_rig.h"

#include <string.h>

#define OP(name) CANCELD__V1__OP__OP_##name
#define ANSWER(name) CANCELD__V1__ANSWER__ANSWER_##name
#define ERROR(name) CANCELD__V1__ERROR_CODE__ERROR_##name

static struct rig *rig_of_session(bool stop_on_lost)
{
    struct rig *rig = rig_new(false, stop_on_lost);

    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    return rig;
}

/* The daemon knows the session no more: another one is opened on the same link. */
static void session_lose(struct rig *rig, uint64_t epoch)
{
    struct rig_frame open;

    if (rig->engine.phase == ENGINE_AWAY)
        rig_link_up(rig);
    open = rig_take(rig, OP(OPEN));
    CHECK_EQ(open.frame->ops[0]->open->resume_session, RIG_SESSION);
    rig_answer_one(rig, &open, ANSWER(SESSION_LOST), 0);
    CHECK_EQ(rig->frames[rig->frames_count - 1].frame->ops[0]->open->resume_session, 0);
    rig_ready(rig, RIG_SESSION + 1, epoch, false);
}

static void found(struct rig *rig, struct rig_frame *get, Canceld__V1__State state,
                  Canceld__V1__CauseCode cause_code)
{
    Canceld__V1__Cause cause = CANCELD__V1__CAUSE__INIT;
    Canceld__V1__Operation operation = CANCELD__V1__OPERATION__INIT;
    Canceld__V1__Operation *operations[] = {&operation};
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};

    cause.code = cause_code;
    operation.gen = get->frame->ops[0]->get->gen;
    operation.state = state;
    operation.outcome = CANCELD__V1__OUTCOME__OUTCOME_OWNER_LOST;
    if (cause_code != CANCELD__V1__CAUSE_CODE__CAUSE_UNSET)
        operation.cause = &cause;
    result.answer = ANSWER(FOUND);
    result.n_operations = 1;
    result.operations = operations;
    rig_answer(rig, get, results, 1);
}

static void resumed(void)
{
    struct rig *rig = rig_of_session(false);
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct rig_frame poll;

    rig_link_down(rig);
    CHECK_EQ(rig->event_last, CANCELD_EVENT_DEGRADED);
    rig_pass(rig, 100);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    CHECK_EQ(rig->event_last, CANCELD_EVENT_RESUMED);
    CHECK_EQ(rig->told_count, 0);
    CHECK_EQ(operation->flag, 0);
    poll = rig_take(rig, OP(POLL));
    CHECK_EQ(poll.frame->ops[0]->poll->after, 0);
    rig_frame_free(&poll);
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void lost_possible(void)
{
    struct rig *rig = rig_of_session(false);
    struct canceld_operation *operation = rig_stored(rig, "a", 9);

    rig_link_down(rig);
    CHECK_EQ(engine_wake_ns(&rig->engine, false), rig->now_ns + RIG_GRACE_MS * RIG_MS);
    rig_pass(rig, RIG_GRACE_MS - 1);
    CHECK_EQ(rig->told_count, 0);
    rig_pass(rig, 1);
    CHECK_EQ(rig->event_last, CANCELD_EVENT_LOST_POSSIBLE);
    CHECK_EQ(rig->told_count, 1);
    CHECK_EQ(operation->given, TOLD_LOST_POSSIBLE);
    CHECK_EQ(operation->flag, 0); /* the default is to go on */
    rig_pass(rig, 60000);
    engine_link_down(&rig->engine, rig->now_ns);
    rig_pass(rig, 60000);
    CHECK_EQ(rig->told_count, 1);
    CHECK_EQ(rig->events_count, 3); /* CONNECTED, DEGRADED, LOST_POSSIBLE */
    /* The session was not lost after all: and at the next time it is told again. */
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    CHECK_EQ(operation->given, 0);
    rig_link_down(rig);
    rig_pass(rig, RIG_GRACE_MS);
    CHECK_EQ(rig->told_count, 2);
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void stop_on_lost(void)
{
    struct rig *rig = rig_of_session(true);
    struct canceld_operation *operation = rig_stored(rig, "a", 9);

    rig_link_down(rig);
    rig_pass(rig, RIG_GRACE_MS);
    CHECK_EQ(operation->flag, CANCELD_STOP_LOST);
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void session_lost(void)
{
    struct rig *rig = rig_of_session(false);
    struct canceld_operation *cancelled = rig_stored(rig, "cancelled", 9);
    struct canceld_operation *ended = rig_stored(rig, "ended", 10);
    struct canceld_operation *forgotten = rig_stored(rig, "forgotten", 11);
    Canceld__V1__Result results[3];
    Canceld__V1__Result *places[3] = {&results[0], &results[1], &results[2]};
    Canceld__V1__Operation operation = CANCELD__V1__OPERATION__INIT;
    Canceld__V1__Operation *operations[] = {&operation};
    Canceld__V1__Cause cause = CANCELD__V1__CAUSE__INIT;
    struct rig_frame get;

    rig_link_down(rig);
    session_lose(rig, RIG_EPOCH);
    CHECK_EQ(rig->event_last, CANCELD_EVENT_SESSION_LOST);
    get = rig_take(rig, OP(GET));
    CHECK_EQ(get.frame->n_ops, 3);
    CHECK_EQ(get.frame->ops[0]->get->gen, 9);
    CHECK_EQ(get.frame->ops[1]->get->gen, 10);
    CHECK_BYTES_EQ(get.frame->ops[1]->get->key.data, 5, "ended", 5);
    rig_let_go(rig, forgotten); /* while it is asked for */
    for (size_t i = 0; i < 3; i++) {
        canceld__v1__result__init(&results[i]);
        results[i].answer = ANSWER(NOT_FOUND);
    }
    cause.code = CANCELD__V1__CAUSE_CODE__CAUSE_POLICY;
    operation.state = CANCELD__V1__STATE__STATE_ENDED;
    operation.outcome = CANCELD__V1__OUTCOME__OUTCOME_OWNER_LOST;
    operation.cause = &cause;
    results[0].answer = ANSWER(FOUND);
    results[0].n_operations = 1;
    results[0].operations = operations;
    rig_answer(rig, &get, places, 3);
    CHECK_EQ(rig->told_count, 2);
    CHECK_EQ(cancelled->given, TOLD_LOST | TOLD_CANCEL);
    CHECK_EQ(cancelled->flag, CANCELD_STOP_CANCEL);
    CHECK_EQ(cancelled->cause.code, CANCELD_CAUSE_POLICY);
    CHECK_EQ(cancelled->outcome, CANCELD_OUTCOME_OWNER_LOST);
    CHECK_EQ(ended->given, TOLD_LOST);
    CHECK_EQ(ended->flag, 0);
    /* Once is all: neither the clock nor another loss tells them again. */
    rig_link_down(rig);
    rig_pass(rig, 2 * RIG_GRACE_MS);
    CHECK_EQ(rig->told_count, 2);
    rig_let_go(rig, cancelled);
    rig_let_go(rig, ended);
    rig_free(rig);
}

/* Requests sent and not answered when the session is lost. */
static void requests_of_a_lost_session(void)
{
    struct rig *rig = rig_of_session(false);
    struct rig_call keyed;
    struct rig_call by_gen;
    struct rig_call store;
    struct rig_call read;
    struct rig_call unsent;
    struct rig_frame frame;

    rig_cancel(rig, &keyed, "keyed", 0);
    rig_cancel(rig, &by_gen, "by gen", 7);
    rig_store(rig, &store, "store", 0);
    rig_get(rig, &read, "read", 0);
    rig_pump(rig);
    rig_link_down(rig);
    rig_cancel(rig, &unsent, "unsent", 0);
    CHECK_EQ(keyed.done_count, 0); /* the session may still be there */
    session_lose(rig, RIG_EPOCH + 1);
    CHECK_EQ(keyed.call.status, CANCELD_UNKNOWN);
    CHECK_EQ(keyed.done_count, 1);
    CHECK_EQ(store.call.status, CANCELD_UNKNOWN);
    CHECK_EQ(store.done_count, 1);
    CHECK(store.call.operation == NULL);
    frame = rig_take(rig, OP(CANCEL));
    CHECK_EQ(frame.frame->session, RIG_SESSION + 1);
    CHECK_EQ(frame.frame->request_id, 1);
    CHECK_EQ(frame.frame->n_ops, 3);
    CHECK_EQ(frame.frame->ops[0]->cancel->gen, 7);
    CHECK_EQ(frame.frame->ops[1]->op_case, OP(GET));
    CHECK_BYTES_EQ(frame.frame->ops[2]->cancel->key.data, 6, "unsent", 6);
    rig_frame_free(&frame);
    rig_free(rig);
}

/* The link is up, and each frame on its way is answered one by one: some were applied before the loss. */
static void lost_in_mid_flight(void)
{
    struct rig *rig = rig_of_session(false);
    struct rig_call calls[3];
    struct rig_frame frames[3];
    struct rig_frame frame;

    rig_drop(rig);
    for (size_t i = 0; i < 3; i++) {
        rig_cancel(rig, &calls[i], i == 0 ? "0" : i == 1 ? "1" : "2", 0);
        rig_pump(rig);
        frames[i] = rig_take(rig, OP(CANCEL));
    }
    rig_refuse(rig, &frames[0], ERROR(SESSION_LOST), "");
    CHECK_EQ(rig->engine.phase, ENGINE_LOSING);
    CHECK(!rig_has(rig, OP(OPEN)));
    rig_answer_one(rig, &frames[1], ANSWER(REQUESTED), 5);
    CHECK_EQ(calls[1].call.status, CANCELD_OK);
    CHECK_EQ(calls[1].call.result.answer, CANCELD_ANSWER_REQUESTED);
    canceld_result_clear(&calls[1].call.result);
    rig_refuse(rig, &frames[2], ERROR(SESSION_LOST), "");
    CHECK_EQ(rig->engine.phase, ENGINE_OPENING);
    rig_ready(rig, RIG_SESSION + 1, RIG_EPOCH, false);
    /* The refused ones were not applied, so even without a gen they are sent again, in their order. */
    frame = rig_take(rig, OP(CANCEL));
    CHECK_EQ(frame.frame->n_ops, 2);
    CHECK_BYTES_EQ(frame.frame->ops[0]->cancel->key.data, 1, "0", 1);
    CHECK_BYTES_EQ(frame.frame->ops[1]->cancel->key.data, 1, "2", 1);
    CHECK_EQ(calls[0].done_count, 0);
    rig_frame_free(&frame);
    rig_free(rig);
}

static void parked_when_lost(void)
{
    struct rig *rig = rig_of_session(false);
    struct rig_call parked;
    struct rig_call call;
    struct rig_frame frame;

    rig_cancel_parked(rig, &parked, "slow", 60000);
    rig_cancel(rig, &call, "a", 0);
    rig_pump(rig);
    rig_drop(rig);
    /* Only what parks is left without an answer: it is not waited for. */
    rig_link_down(rig);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    frame = rig_take(rig, OP(CANCEL));
    CHECK_EQ(frame.frame->ops[0]->cancel->deadline_ms, 60000);
    rig_frame_free(&frame);
    frame = rig_take(rig, OP(CANCEL));
    rig_refuse(rig, &frame, ERROR(SESSION_LOST), "");
    CHECK_EQ(rig->engine.phase, ENGINE_OPENING);
    CHECK_EQ(parked.call.status, CANCELD_UNKNOWN);
    /* Sent twice: the first may have been applied. */
    CHECK_EQ(call.call.status, CANCELD_UNKNOWN);
    rig_free(rig);
}

/* A daemon that goes away says of each frame that it did nothing: the next one may do it, with or without a gen. */
static void shutting_down(void)
{
    struct rig *rig = rig_of_session(false);
    struct rig_call calls[2];
    struct rig_frame frame;

    rig_cancel(rig, &calls[0], "refused", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    rig_refuse(rig, &frame, ERROR(SHUTTING_DOWN), "");
    rig_pass(rig, 100);
    frame = rig_take(rig, OP(CANCEL));
    rig_refuse(rig, &frame, ERROR(SHUTTING_DOWN), "");
    rig_link_down(rig);
    session_lose(rig, RIG_EPOCH + 1);
    CHECK_EQ(calls[0].done_count, 0);
    frame = rig_take(rig, OP(CANCEL));
    rig_answer_one(rig, &frame, ANSWER(NOT_FOUND), 0);
    CHECK_EQ(calls[0].call.status, CANCELD_OK);
    canceld_result_clear(&calls[0].call.result);
    /* Unless an earlier sending may have been applied, and its answer lost with the link. */
    rig_cancel(rig, &calls[1], "lost, then refused", 0);
    rig_pump(rig);
    rig_link_down(rig);
    rig_ready(rig, RIG_SESSION + 1, RIG_EPOCH + 1, true);
    frame = rig_take(rig, OP(CANCEL));
    rig_refuse(rig, &frame, ERROR(SHUTTING_DOWN), "");
    rig_link_down(rig);
    rig_link_up(rig);
    frame = rig_take(rig, OP(OPEN));
    rig_answer_one(rig, &frame, ANSWER(SESSION_LOST), 0);
    CHECK_EQ(calls[1].call.status, CANCELD_UNKNOWN);
    rig_free(rig);
}

static void lost_at_a_heartbeat(void)
{
    struct rig *rig = rig_of_session(false);
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct rig_frame ping;
    struct rig_frame get;

    rig_drop(rig);
    rig_pass(rig, 1000);
    ping = rig_take(rig, OP(PING));
    rig_refuse(rig, &ping, ERROR(SESSION_LOST), "");
    rig_ready(rig, RIG_SESSION + 1, RIG_EPOCH, false);
    get = rig_take(rig, OP(GET));
    found(rig, &get, CANCELD__V1__STATE__STATE_ENDED, CANCELD__V1__CAUSE_CODE__CAUSE_UNSET);
    CHECK_EQ(operation->given, TOLD_LOST);
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void many_operations_are_asked_for(void)
{
    struct rig *rig = rig_of_session(false);
    struct canceld_operation *operations[200];
    size_t asked = 0;

    for (uint64_t i = 0; i < 200; i++)
        operations[i] = rig_stored(rig, "a", i + 1);
    rig_link_down(rig);
    session_lose(rig, RIG_EPOCH);
    while (rig_has(rig, OP(GET))) {
        struct rig_frame get = rig_take(rig, OP(GET));
        Canceld__V1__Result results[64];
        Canceld__V1__Result *places[64];

        CHECK_LE(get.frame->n_ops, ENGINE_ASKS_MAX);
        for (size_t i = 0; i < get.frame->n_ops; i++) {
            canceld__v1__result__init(&results[i]);
            results[i].answer = ANSWER(NOT_FOUND);
            places[i] = &results[i];
        }
        asked += get.frame->n_ops;
        rig_answer(rig, &get, places, get.frame->n_ops);
    }
    CHECK_EQ(asked, 200);
    CHECK_EQ(rig->told_count, 200);
    for (size_t i = 0; i < 200; i++)
        rig_let_go(rig, operations[i]);
    rig_free(rig);
}

static void deletes_outlive_their_calls(void)
{
    struct rig *rig = rig_of_session(false);
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct canceld_request request = {.op = CANCELD_OP_DELETE};
    struct rig_call call;
    struct submission submission = {
        .request = &request, .deadline_ms = 100, .call = &call.call, .persists = true};
    struct rig_frame frame;

    request.of.delete_ = (struct canceld_delete_request){
        .key = canceld_string("a"), .gen = 9, .outcome = CANCELD_OUTCOME_COMPLETED};
    rig_link_down(rig);
    rig_call_init(&call);
    CHECK_EQ(engine_submit(&rig->engine, &submission, rig->now_ns), CANCELD_OK);
    rig_let_go(rig, operation);
    rig_pass(rig, 100);
    CHECK_EQ(call.call.status, CANCELD_UNAVAILABLE);
    session_lose(rig, RIG_EPOCH);
    frame = rig_take(rig, OP(DELETE));
    CHECK_EQ(frame.frame->ops[0]->delete_->gen, 9);
    rig_answer_one(rig, &frame, ANSWER(ENDED), 9);
    CHECK_EQ(call.done_count, 1);
    rig_free(rig);
}

static void refused(void)
{
    struct rig *rig = rig_new(false, false);
    struct rig_frame open;

    rig_link_up(rig);
    open = rig_take(rig, OP(OPEN));
    rig_refuse(rig, &open, ERROR(VERSION), "");
    CHECK(rig->engine.refused);
    CHECK(engine_wants_cut(&rig->engine));
    CHECK_EQ(rig->engine.refusal.error.code, ERROR(VERSION));
    rig_link_down(rig);
    CHECK_EQ(rig->engine.attempts_failed, 1);
    rig_free(rig);
}

/* An answer to the open that no daemon gives. */
struct half_opened {
    Canceld__V1__Answer answer;
    bool has_opened;
    uint64_t session;
    size_t secret_size;
    size_t results_count;
};

static void half_opened(const struct half_opened *half)
{
    struct rig *rig = rig_new(false, false);
    struct rig_frame open;
    Canceld__V1__Opened opened = CANCELD__V1__OPENED__INIT;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result, &result};
    uint8_t secret[32] = {1};

    rig_link_up(rig);
    open = rig_take(rig, OP(OPEN));
    opened.session = half->session;
    opened.secret = (ProtobufCBinaryData){.len = half->secret_size, .data = secret};
    opened.epoch = RIG_EPOCH;
    result.answer = half->answer;
    result.opened = half->has_opened ? &opened : NULL;
    rig_answer(rig, &open, results, half->results_count);
    CHECK(rig->engine.refused);
    CHECK(engine_wants_cut(&rig->engine));
    CHECK_EQ(rig->engine.session, 0);
    CHECK_EQ(rig->engine.connections_count, 0);
    rig_link_down(rig);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false); /* the next one may be whole */
    CHECK_EQ(rig->engine.session, RIG_SESSION);
    rig_free(rig);
}

static void half_open_sessions(void)
{
    static const struct half_opened halves[] = {
        {CANCELD__V1__ANSWER__ANSWER_OPENED, false, 0, 0, 1},
        {CANCELD__V1__ANSWER__ANSWER_OPENED, true, 0, 16, 1},
        {CANCELD__V1__ANSWER__ANSWER_OPENED, true, 7, 15, 1},
        {CANCELD__V1__ANSWER__ANSWER_OPENED, true, 7, 32, 1},
        {CANCELD__V1__ANSWER__ANSWER_OPENED, true, 7, 0, 1},
        {CANCELD__V1__ANSWER__ANSWER_OPENED, true, 7, 16, 0},
        {CANCELD__V1__ANSWER__ANSWER_PONG, true, 7, 16, 1},
        {CANCELD__V1__ANSWER__ANSWER_SESSION_LOST, false, 0, 0, 1}, /* of none */
    };

    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++)
        half_opened(&halves[i]);
}

static const struct test_case cases[] = {
    {"a session resumed within the grace tells nobody anything", resumed},
    {"degraded longer than the grace, each operation is told LOST_POSSIBLE once", lost_possible},
    {"with the policy STOP, LOST_POSSIBLE sets the flag", stop_on_lost},
    {"after SESSION_LOST each gen is asked for and told LOST once, with its cause", session_lost},
    {"of a lost session's requests only harmless ones are repeated", requests_of_a_lost_session},
    {"a session lost in mid-flight throws no answer away", lost_in_mid_flight},
    {"what is parked when the session is lost is UNKNOWN", parked_when_lost},
    {"what a daemon refused as it went away is not UNKNOWN", shutting_down},
    {"a heartbeat may be the first to hear that the session is lost", lost_at_a_heartbeat},
    {"many operations are asked for a few at a time", many_operations_are_asked_for},
    {"a finish that nobody waits for any more is sent all the same", deletes_outlive_their_calls},
    {"a session that is refused is reported", refused},
    {"a session that is not whole is none", half_open_sessions},
};

TEST_MAIN(cases)
