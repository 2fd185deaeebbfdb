/* SPDX-License-Identifier: MIT */
/* Notices: told once, acked only when they were told, and never lost. */
#include "client_rig.h"

#include <string.h>

#define OP(name) CANCELD__V1__OP__OP_##name
#define ANSWER(name) CANCELD__V1__ANSWER__ANSWER_##name
#define ERROR(name) CANCELD__V1__ERROR_CODE__ERROR_##name
#define KIND(name) CANCELD__V1__NOTICE_KIND__NOTICE_##name

static struct rig *rig_of_session(void)
{
    struct rig *rig = rig_new(false, false);

    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    return rig;
}

static struct rig_frame poll_take(struct rig *rig, size_t acks_count, uint64_t after)
{
    struct rig_frame poll = rig_take(rig, OP(POLL));

    CHECK_EQ(poll.frame->n_ops, 1);
    CHECK_EQ(poll.frame->ops[0]->poll->n_acks, acks_count);
    CHECK_EQ(poll.frame->ops[0]->poll->after, after);
    CHECK_EQ(poll.frame->ops[0]->poll->wait_ms, 25000);
    return poll;
}

static void empty(struct rig *rig, struct rig_frame *poll)
{
    rig_answer_one(rig, poll, ANSWER(NOTICES), 0);
}

static void told_then_acked(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct rig_frame poll = poll_take(rig, 0, 0);
    struct rig_frame next;
    uint64_t id = 0;

    rig_notice(rig, &poll, 1, 9, KIND(CANCEL));
    CHECK_EQ(rig->told_count, 1);
    CHECK(rig->told_last == operation);
    CHECK_EQ(operation->flag, CANCELD_STOP_CANCEL);
    CHECK_BYTES_EQ(operation->cause.text.data, operation->cause.text.size, "enough", 6);
    CHECK_EQ(operation->cause.code, CANCELD_CAUSE_USER);
    /* The callback runs still: polled on, without an ack. */
    poll = poll_take(rig, 0, 1);
    engine_delivered(&rig->engine, operation, TOLD_CANCEL);
    rig_pump(rig);
    next = poll_take(rig, 1, 1);
    CHECK_EQ(next.frame->ops[0]->poll->acks[0]->gen, 9);
    CHECK_EQ(next.frame->ops[0]->poll->acks[0]->kind, KIND(CANCEL));
    empty(rig, &poll);
    CHECK(!rig_has(rig, OP(POLL)));
    id = next.frame->request_id;
    empty(rig, &next);
    /* Polls are passed by answered_below like all that parks, so that they are answered is said of each. */
    poll = poll_take(rig, 0, 1);
    CHECK_EQ(poll.frame->answered_below, poll.frame->request_id);
    CHECK_EQ(poll.frame->n_answered, 2);
    CHECK_EQ(poll.frame->answered[1], id);
    rig_frame_free(&poll);
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void repeated(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct rig_frame poll = poll_take(rig, 0, 0);

    rig_notice(rig, &poll, 1, 9, KIND(CANCEL));
    CHECK_EQ(rig->told_count, 1);
    /* The link breaks while the callback runs. The daemon repeats what is not acked. */
    rig_link_down(rig);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    poll = poll_take(rig, 0, 0);
    rig_notice(rig, &poll, 1, 9, KIND(CANCEL));
    CHECK_EQ(rig->told_count, 1);
    poll = poll_take(rig, 0, 1);
    engine_delivered(&rig->engine, operation, TOLD_CANCEL);
    rig_pump(rig);
    rig_frame_free(&poll);
    poll = poll_take(rig, 1, 1);
    rig_frame_free(&poll);
    /* The ack is lost: it comes again, is told to nobody, and acked at once. */
    rig_link_down(rig);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    poll = poll_take(rig, 0, 0);
    rig_notice(rig, &poll, 1, 9, KIND(CANCEL));
    CHECK_EQ(rig->told_count, 1);
    poll = poll_take(rig, 1, 1);
    rig_frame_free(&poll);
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void cancel_then_end(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct rig_frame poll = poll_take(rig, 0, 0);

    rig_notice(rig, &poll, 1, 9, KIND(CANCEL));
    engine_delivered(&rig->engine, operation, TOLD_CANCEL);
    rig_pump(rig);
    poll = poll_take(rig, 0, 1);
    rig_frame_free(&poll);
    poll = poll_take(rig, 1, 1);
    rig_notice(rig, &poll, 2, 9, KIND(ENDED));
    CHECK_EQ(rig->told_count, 2);
    CHECK_EQ(operation->flag, CANCELD_STOP_CANCEL | CANCELD_STOP_ENDED);
    CHECK_EQ(operation->outcome, CANCELD_OUTCOME_EXPIRED);
    CHECK_EQ(operation->cause.code, CANCELD_CAUSE_USER); /* the first cause stays */
    engine_delivered(&rig->engine, operation, operation->given);
    rig_pump(rig);
    poll = rig_take(rig, OP(POLL));
    CHECK_EQ(poll.frame->ops[0]->poll->n_acks, 1);
    CHECK_EQ(poll.frame->ops[0]->poll->acks[0]->kind, KIND(ENDED));
    rig_frame_free(&poll);
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void born_cancelled(void)
{
    struct rig *rig = rig_of_session();
    struct rig_frame poll = poll_take(rig, 0, 0);
    struct rig_call call;
    struct rig_frame frame;
    struct canceld_operation *operation = NULL;
    Canceld__V1__Cause cause = CANCELD__V1__CAUSE__INIT;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};

    rig_store(rig, &call, "a", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(STORE));
    cause.code = CANCELD__V1__CAUSE_CODE__CAUSE_SHUTDOWN;
    result.answer = ANSWER(BORN_CANCELLED);
    result.gen = 9;
    result.cause = &cause;
    rig_answer(rig, &frame, results, 1);
    operation = call.call.operation;
    CHECK(operation != NULL);
    canceld_result_clear(&call.call.result);
    CHECK_EQ(rig->told_count, 1);
    CHECK_EQ(operation->flag, CANCELD_STOP_CANCEL);
    CHECK_EQ(operation->cause.code, CANCELD_CAUSE_SHUTDOWN);
    engine_delivered(&rig->engine, operation, TOLD_CANCEL);
    /* Its notice tells nothing new, and is acked at once. */
    rig_notice(rig, &poll, 1, 9, KIND(CANCEL));
    CHECK_EQ(rig->told_count, 1);
    poll = poll_take(rig, 1, 1);
    rig_frame_free(&poll);
    rig_let_go(rig, operation);
    rig_free(rig);
}

/* The store's answer was lost with the link, and the notice of its cancel is quicker than the answer's repeat. */
static void notice_before_its_store(void)
{
    struct rig *rig = rig_of_session();
    struct rig_frame poll;
    struct rig_call call;
    struct rig_frame frame;

    rig_store(rig, &call, "a", 0);
    rig_pump(rig);
    rig_link_down(rig);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    poll = poll_take(rig, 0, 0);
    rig_notice(rig, &poll, 1, 9, KIND(CANCEL));
    CHECK_EQ(rig->told_count, 0);
    poll = poll_take(rig, 0, 1);
    frame = rig_take(rig, OP(STORE));
    rig_answer_one(rig, &frame, ANSWER(STORED), 9);
    CHECK_EQ(call.done_count, 1);
    canceld_result_clear(&call.call.result);
    empty(rig, &poll);
    poll = poll_take(rig, 0, 0); /* all over again */
    rig_notice(rig, &poll, 1, 9, KIND(CANCEL));
    CHECK_EQ(rig->told_count, 1);
    CHECK_EQ(call.call.operation->flag, CANCELD_STOP_CANCEL);
    rig_let_go(rig, call.call.operation);
    rig_free(rig);
}

static void of_nobody(void)
{
    struct rig *rig = rig_of_session();
    struct rig_frame poll = poll_take(rig, 0, 0);

    /* The cancel of a forgotten operation is delivered to nobody: no ack says otherwise. */
    rig_notice(rig, &poll, 1, 500, KIND(CANCEL));
    poll = poll_take(rig, 0, 1);
    rig_notice(rig, &poll, 2, 500, KIND(ENDED));
    poll = poll_take(rig, 1, 2);
    CHECK_EQ(poll.frame->ops[0]->poll->acks[0]->kind, KIND(ENDED));
    rig_frame_free(&poll);
    CHECK_EQ(rig->told_count, 0);
    rig_free(rig);
}

static void more_at_once(void)
{
    struct rig *rig = rig_of_session();
    struct rig_frame poll = poll_take(rig, 0, 0);
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};

    result.answer = ANSWER(NOTICES);
    result.more = true;
    rig_answer(rig, &poll, results, 1);
    poll = poll_take(rig, 0, 0);
    empty(rig, &poll);
    poll = poll_take(rig, 0, 0);
    rig_refuse(rig, &poll, ERROR(FULL), "parked");
    CHECK(!rig_has(rig, OP(POLL))); /* not at once */
    rig_pass(rig, 100);
    poll = poll_take(rig, 0, 0);
    rig_frame_free(&poll);
    rig_free(rig);
}

static void many_acks(void)
{
    struct rig *rig = rig_of_session();
    struct rig_frame poll = poll_take(rig, 0, 0);
    size_t count = 3000;
    struct canceld_operation **operations = calloc(count, sizeof(struct canceld_operation *));
    size_t acked = 0;

    CHECK(operations != NULL);
    for (size_t i = 0; i < count; i++) {
        operations[i] = rig_stored(rig, "a", i + 1);
        operations[i]->noticed = TOLD_CANCEL;
        operations[i]->given = TOLD_CANCEL;
        engine_delivered(&rig->engine, operations[i], TOLD_CANCEL);
    }
    rig_pump(rig);
    empty(rig, &poll);
    while (rig_has(rig, OP(POLL)) && acked < count) {
        poll = rig_take(rig, OP(POLL));
        CHECK_LE(poll.frame->ops[0]->poll->n_acks, 1024);
        acked += poll.frame->ops[0]->poll->n_acks;
        empty(rig, &poll);
    }
    CHECK_EQ(acked, count);
    for (size_t i = 0; i < count; i++)
        rig_let_go(rig, operations[i]);
    free(operations);
    rig_free(rig);
}

static void let_go_before_told(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_operation *operation = rig_stored(rig, "a", 9);
    struct rig_frame poll = poll_take(rig, 0, 0);

    rig_notice(rig, &poll, 1, 9, KIND(ENDED));
    rig_let_go(rig, operation);
    /* Its end need not be remembered for us. */
    poll = poll_take(rig, 0, 1);
    rig_frame_free(&poll);
    poll = poll_take(rig, 1, 1);
    CHECK_EQ(poll.frame->ops[0]->poll->acks[0]->kind, KIND(ENDED));
    rig_frame_free(&poll);
    rig_free(rig);
}

static const struct test_case cases[] = {
    {"a notice sets the flag, and is acked once it was delivered", told_then_acked},
    {"a notice that comes again over other links is told once", repeated},
    {"a cancel and an end are two notices, and the first cause stays", cancel_then_end},
    {"born cancelled is told at once, and its notice not again", born_cancelled},
    {"a notice that is quicker than its store's answer is not lost", notice_before_its_store},
    {"a cancel of a forgotten operation is not acked, its end is", of_nobody},
    {"polling goes on at once, and after a refusal a little later", more_at_once},
    {"acks go 1024 at a time", many_acks},
    {"an operation let go before it heard of its end acks it", let_go_before_told},
};

TEST_MAIN(cases)
