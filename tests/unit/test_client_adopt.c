/* SPDX-License-Identifier: MIT */
/* A daemon that was restarted: operations are adopted, and what was under way goes on after that. */
#include "client_rig.h"

#include <string.h>

#define OP(name) CANCELD__V1__OP__OP_##name
#define ANSWER(name) CANCELD__V1__ANSWER__ANSWER_##name
#define ERROR(name) CANCELD__V1__ERROR_CODE__ERROR_##name

#define MANY 2000

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
    CHECK_EQ(rig->event_last, CANCELD_EVENT_NEW_EPOCH);
}

/* Answers an adopt of one. */
static void adopted(struct rig *rig, Canceld__V1__Answer answer, Canceld__V1__CauseCode code,
                    Canceld__V1__Outcome outcome)
{
    struct rig_frame frame = rig_take(rig, OP(ADOPT));
    Canceld__V1__Cause cause = CANCELD__V1__CAUSE__INIT;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};

    CHECK_EQ(frame.frame->n_ops, 1);
    result.answer = answer;
    result.gen = frame.frame->ops[0]->adopt->gen;
    result.outcome = outcome;
    cause.code = code;
    if (code != CANCELD__V1__CAUSE_CODE__CAUSE_UNSET) {
        result.cause = &cause;
        result.state = CANCELD__V1__STATE__STATE_CANCELLING;
    }
    rig_answer(rig, &frame, results, 1);
}

/* All of a frame, with one answer. */
static size_t adopted_all(struct rig *rig, Canceld__V1__Answer answer)
{
    struct rig_frame frame = rig_take(rig, OP(ADOPT));
    Canceld__V1__Result results[64];
    Canceld__V1__Result *places[64];
    size_t count = frame.frame->n_ops;

    CHECK_LE(count, 64);
    for (size_t i = 0; i < count; i++) {
        canceld__v1__result__init(&results[i]);
        results[i].answer = answer;
        places[i] = &results[i];
    }
    rig_answer(rig, &frame, places, count);
    return count;
}

#define NO_CAUSE CANCELD__V1__CAUSE_CODE__CAUSE_UNSET
#define NO_OUTCOME CANCELD__V1__OUTCOME__OUTCOME_UNSET

static struct canceld_operation *stored_whole(struct rig *rig)
{
    struct canceld_request request = {.op = CANCELD_OP_STORE};
    struct rig_call call;
    struct rig_frame frame;

    request.of.store = (struct canceld_store_request){
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
    rig_submit(rig, &call, &request, 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(STORE));
    CHECK_EQ(frame.frame->ops[0]->store->parent, 4);
    CHECK_EQ(frame.frame->ops[0]->store->n_labels, 2);
    rig_answer_one(rig, &frame, ANSWER(STORED), 9);
    CHECK_EQ(call.call.status, CANCELD_OK);
    canceld_result_clear(&call.call.result);
    return call.call.operation;
}

static void everything_is_told_again(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = stored_whole(rig);
    struct rig_frame frame;
    const Canceld__V1__Adopt *adopt = NULL;

    restart(rig);
    frame = rig_take(rig, OP(ADOPT));
    adopt = frame.frame->ops[0]->adopt;
    CHECK_EQ(frame.frame->session, RIG_SESSION + 1);
    CHECK_EQ(adopt->gen, 9);
    CHECK_EQ(adopt->previous_session, RIG_SESSION);
    CHECK_BYTES_EQ(adopt->namespace_.data, adopt->namespace_.len, "elsewhere", 9);
    CHECK_BYTES_EQ(adopt->key.data, adopt->key.len, "whole", 5);
    CHECK_EQ(adopt->policy, CANCELD__V1__POLICY__POLICY_JOIN);
    CHECK_EQ(adopt->ttl_ms, 60000);
    CHECK_EQ(adopt->on_expiry, CANCELD__V1__ON_EXPIRY__ON_EXPIRY_REAP);
    CHECK_EQ(adopt->stop_grace_ms, 700);
    CHECK_EQ(adopt->on_owner_loss, CANCELD__V1__ON_OWNER_LOSS__ON_OWNER_LOSS_KEEP);
    CHECK_BYTES_EQ(adopt->meta.data, adopt->meta.len, "{}", 2);
    CHECK_EQ(adopt->parent, 4);
    CHECK_EQ(adopt->n_labels, 2);
    CHECK_BYTES_EQ(adopt->labels[0].data, adopt->labels[0].len, "red", 3);
    CHECK_BYTES_EQ(adopt->labels[1].data, adopt->labels[1].len, "large", 5);
    CHECK(adopt->cause == NULL);
    rig_answer_one(rig, &frame, ANSWER(ADOPTED), 9);
    CHECK_EQ(rig->told_count, 0);
    CHECK_EQ(operation->given, 0);
    rig_pass(rig, 0);
    CHECK_EQ(rig->event_last, CANCELD_EVENT_ADOPTED);
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void lost_possible_is_over(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);

    rig_link_down(rig);
    rig_pass(rig, RIG_GRACE_MS);
    CHECK_EQ(operation->given, TOLD_LOST_POSSIBLE);
    rig_ready_anew(rig, RIG_SESSION, RIG_EPOCH + 1);
    CHECK_EQ(operation->given, TOLD_LOST_POSSIBLE); /* not before it is so */
    adopted(rig, ANSWER(ADOPTED), NO_CAUSE, NO_OUTCOME);
    CHECK_EQ(operation->given, 0);
    /* And may come again. */
    rig_link_down(rig);
    rig_pass(rig, RIG_GRACE_MS);
    CHECK_EQ(operation->given, TOLD_LOST_POSSIBLE);
    CHECK_EQ(rig->told_count, 2);
    rig_let_go(rig, operation);
    rig_free(rig);
}

/* In one frame with the cause that was told; the daemon's own notice of it is acked and told to nobody. */
static void causes_go_along(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct rig_frame frame = rig_take(rig, OP(POLL));
    const Canceld__V1__Cause *cause = NULL;

    rig_notice(rig, &frame, 1, 9, CANCELD__V1__NOTICE_KIND__NOTICE_CANCEL);
    engine_delivered(&rig->engine, operation, TOLD_CANCEL);
    CHECK_EQ(rig->told_count, 1);
    restart(rig);
    frame = rig_take(rig, OP(ADOPT));
    cause = frame.frame->ops[0]->adopt->cause;
    CHECK(cause != NULL);
    CHECK_EQ(cause->code, CANCELD__V1__CAUSE_CODE__CAUSE_USER);
    CHECK_BYTES_EQ(cause->text.data, cause->text.len, "enough", 6);
    rig_answer_one(rig, &frame, ANSWER(ADOPTED), 9);
    rig_drop(rig);
    rig_pass(rig, 25000);
    rig_link_down(rig);
    rig_ready(rig, RIG_SESSION + 1, RIG_EPOCH + 1, true);
    frame = rig_take(rig, OP(POLL));
    rig_notice(rig, &frame, 1, 9, CANCELD__V1__NOTICE_KIND__NOTICE_CANCEL);
    frame = rig_take(rig, OP(POLL));
    CHECK_EQ(frame.frame->ops[0]->poll->n_acks, 1);
    CHECK_EQ(frame.frame->ops[0]->poll->acks[0]->gen, 9);
    rig_frame_free(&frame);
    CHECK_EQ(rig->told_count, 1);
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void cancelled_meanwhile(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);

    restart(rig);
    adopted(rig, ANSWER(ADOPTED), CANCELD__V1__CAUSE_CODE__CAUSE_POLICY, NO_OUTCOME);
    CHECK_EQ(rig->told_count, 1);
    CHECK_EQ(operation->given, TOLD_CANCEL);
    CHECK_EQ(operation->flag, CANCELD_STOP_CANCEL);
    CHECK_EQ(operation->cause.code, CANCELD_CAUSE_POLICY);
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void refused(void)
{
    static const Canceld__V1__Answer answers[] = {ANSWER(EXISTS), ANSWER(STALE_EPOCH),
                                                  ANSWER(NOT_FOUND), ANSWER(FULL), ANSWER(DENIED)};
    struct rig *rig = NULL;
    struct canceld_operation *operation = NULL;

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        rig = rig_of_session();
        operation = rig_stored(rig, "a", 9);
        restart(rig);
        adopted(rig, answers[i], NO_CAUSE, NO_OUTCOME);
        CHECK_EQ(operation->given, TOLD_LOST);
        CHECK_EQ(rig->told_count, 1);
        rig_pass(rig, 0);
        CHECK_EQ(rig->event_last, CANCELD_EVENT_ADOPTED);
        /* Once, and for good. */
        rig_link_down(rig);
        rig_pass(rig, 2 * RIG_GRACE_MS);
        rig_ready_anew(rig, RIG_SESSION + 1, RIG_EPOCH + 2);
        CHECK(!rig_has(rig, OP(ADOPT)));
        CHECK_EQ(rig->told_count, 1);
        rig_let_go(rig, operation);
        rig_free(rig);
    }
    rig = rig_of_session();
    operation = rig_stored(rig, "a", 9);
    restart(rig);
    adopted(rig, ANSWER(ENDED), CANCELD__V1__CAUSE_CODE__CAUSE_POLICY,
            CANCELD__V1__OUTCOME__OUTCOME_OWNER_LOST);
    CHECK_EQ(operation->given, TOLD_LOST | TOLD_CANCEL);
    CHECK_EQ(operation->outcome, CANCELD_OUTCOME_OWNER_LOST);
    CHECK_EQ(operation->cause.code, CANCELD_CAUSE_POLICY);
    CHECK_EQ(operation->flag, CANCELD_STOP_CANCEL);
    rig_let_go(rig, operation);
    rig_free(rig);
}

/* The frame of a refused whole daemon: no right to adopt at all. */
static void refused_whole(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct rig_frame frame;

    restart(rig);
    frame = rig_take(rig, OP(ADOPT));
    rig_refuse(rig, &frame, ERROR(FULL), "bytes");
    CHECK_EQ(operation->given, TOLD_LOST);
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void requests_wait(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct rig_call get;
    struct rig_call keyed;
    struct rig_call parked;
    struct rig_call fresh;
    struct rig_frame frame;

    rig_get(rig, &get, "a", 9);
    rig_cancel(rig, &keyed, "a", 0);
    rig_pump(rig);
    restart(rig);
    CHECK_EQ(keyed.call.status, CANCELD_UNKNOWN);
    rig_cancel(rig, &fresh, "b", 0);
    rig_cancel_parked(rig, &parked, "b", 1000);
    rig_pump(rig);
    CHECK(!rig_has(rig, OP(GET)));
    CHECK(!rig_has(rig, OP(CANCEL)));
    adopted(rig, ANSWER(ADOPTED), NO_CAUSE, NO_OUTCOME);
    frame = rig_take(rig, OP(GET));
    CHECK_EQ(frame.frame->n_ops, 2);
    CHECK_EQ(frame.frame->ops[0]->get->gen, 9);
    CHECK_EQ(frame.frame->ops[1]->op_case, OP(CANCEL));
    rig_frame_free(&frame);
    CHECK(rig_has(rig, OP(CANCEL)));
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void not_adopted(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *ended = rig_stored(rig, "ended", 9);
    struct canceld_operation *forgotten = rig_stored(rig, "forgotten", 10);
    struct rig_frame poll = rig_take(rig, OP(POLL));

    rig_notice(rig, &poll, 1, 9, CANCELD__V1__NOTICE_KIND__NOTICE_ENDED);
    CHECK_EQ(ended->given, TOLD_ENDED);
    rig_let_go(rig, forgotten);
    restart(rig);
    CHECK(!rig_has(rig, OP(ADOPT)));
    rig_pass(rig, 0);
    CHECK_EQ(rig->event_last, CANCELD_EVENT_ADOPTED);
    CHECK_EQ(rig->told_count, 1);
    rig_let_go(rig, ended);
    rig_free(rig);
}

static void link_cut_while_adopting(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct rig_frame frame;
    uint64_t id = 0;

    restart(rig);
    frame = rig_take(rig, OP(ADOPT));
    id = frame.frame->request_id;
    rig_frame_free(&frame);
    rig_link_down(rig);
    rig_pass(rig, RIG_GRACE_MS); /* it may be adopted by now, or not */
    CHECK_EQ(operation->given, TOLD_LOST_POSSIBLE);
    rig_ready(rig, RIG_SESSION + 1, RIG_EPOCH + 1, true);
    CHECK_EQ(operation->given, TOLD_LOST_POSSIBLE);
    frame = rig_take(rig, OP(ADOPT));
    CHECK_EQ(frame.frame->request_id, id);
    rig_answer_one(rig, &frame, ANSWER(ADOPTED), 9);
    CHECK_EQ(operation->given, 0);
    rig_let_go(rig, operation);
    rig_free(rig);
}

/* The session is lost in the same epoch: what was adopted is asked for, what was not is adopted again. */
static void session_lost_while_adopting(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operations[100];
    struct rig_frame frame;

    for (uint64_t i = 0; i < 100; i++)
        operations[i] = rig_stored(rig, "a", 9 + i);
    restart(rig);
    CHECK_EQ(adopted_all(rig, ANSWER(ADOPTED)), 64);
    frame = rig_take(rig, OP(ADOPT));
    rig_refuse(rig, &frame, ERROR(SESSION_LOST), "");
    rig_ready(rig, RIG_SESSION + 2, RIG_EPOCH + 1, false);
    CHECK_EQ(rig->event_last, CANCELD_EVENT_SESSION_LOST);
    CHECK(!rig_has(rig, OP(GET)));
    frame = rig_take(rig, OP(ADOPT));
    CHECK_EQ(frame.frame->n_ops, 36);
    CHECK_EQ(frame.frame->ops[0]->adopt->gen, 9 + 64);
    CHECK_EQ(frame.frame->ops[0]->adopt->previous_session, RIG_SESSION);
    rig_link_down(rig);
    rig_frame_free(&frame);
    rig_ready(rig, RIG_SESSION + 2, RIG_EPOCH + 1, true);
    CHECK_EQ(adopted_all(rig, ANSWER(ADOPTED)), 36);
    frame = rig_take(rig, OP(GET));
    CHECK_EQ(frame.frame->ops[0]->get->gen, 9);
    rig_frame_free(&frame);
    for (size_t i = 0; i < 100; i++)
        rig_let_go(rig, operations[i]);
    rig_free(rig);
}

static void many(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation **operations = calloc(MANY, sizeof(struct canceld_operation *));
    size_t count = 0;

    CHECK(operations != NULL);
    for (uint64_t i = 0; i < MANY; i++)
        operations[i] = rig_stored(rig, "a", 9 + i);
    restart(rig);
    while (rig_has(rig, OP(ADOPT))) {
        CHECK_LE(rig->engine.adopts_count, ENGINE_ADOPTS_MAX);
        count += adopted_all(rig, ANSWER(ADOPTED));
    }
    CHECK_EQ(count, MANY);
    rig_pass(rig, 0);
    CHECK_EQ(rig->event_last, CANCELD_EVENT_ADOPTED);
    CHECK_EQ(rig->told_count, 0);
    for (size_t i = 0; i < MANY; i++)
        rig_let_go(rig, operations[i]);
    free(operations);
    rig_free(rig);
}

static void room_for_answers(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operations[3];
    struct rig_frame frame;
    Canceld__V1__Result results[3];
    Canceld__V1__Result *places[] = {&results[0], &results[1], &results[2]};

    for (uint64_t i = 0; i < 3; i++)
        operations[i] = rig_stored(rig, "a", 9 + i);
    restart(rig);
    frame = rig_take(rig, OP(ADOPT));
    rig_refuse(rig, &frame, ERROR(FULL), "replies_session_bytes");
    rig_pass(rig, 100);
    frame = rig_take(rig, OP(ADOPT));
    for (size_t i = 0; i < 3; i++) {
        canceld__v1__result__init(&results[i]);
        results[i].answer = i == 0 ? ANSWER(ADOPTED) : ANSWER(NOT_APPLIED);
    }
    rig_answer(rig, &frame, places, 3);
    CHECK_EQ(rig->told_count, 0);
    CHECK_EQ(adopted_all(rig, ANSWER(ADOPTED)), 2);
    CHECK_EQ(rig->told_count, 0);
    for (size_t i = 0; i < 3; i++)
        rig_let_go(rig, operations[i]);
    rig_free(rig);
}

static const struct test_case cases[] = {
    {"an adopt says everything that the store said, and the gen", everything_is_told_again},
    {"LOST_POSSIBLE is over once an operation is adopted", lost_possible_is_over},
    {"an adopt brings the cause that was told, and the daemon's notice is acked", causes_go_along},
    {"a cancel that only the daemon knows is told with the adoption", cancelled_meanwhile},
    {"an operation that cannot be adopted is told LOST once, with what is known", refused},
    {"a refused frame of adopts is LOST too", refused_whole},
    {"requests wait until everything is adopted", requests_wait},
    {"what ended or was forgotten is not adopted", not_adopted},
    {"a link cut while adopting: the same frame again", link_cut_while_adopting},
    {"a session lost while adopting: the rest is adopted in the next one",
     session_lost_while_adopting},
    {"many operations are adopted a few hundred at a time", many},
    {"adopts that find no room for their answers are sent again", room_for_answers},
};

TEST_MAIN(cases)
