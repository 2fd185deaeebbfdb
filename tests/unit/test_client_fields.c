/* SPDX-License-Identifier: MIT */
/* Each field of a request is on the wire, and each field of a result comes from there. */
#include "client_rig.h"

#include <string.h>

#define OP(name) CANCELD__V1__OP__OP_##name
#define ANSWER(name) CANCELD__V1__ANSWER__ANSWER_##name

#define CHECK_BYTES_ARE(bytes, text)                                                               \
    CHECK_BYTES_EQ((bytes).data, (bytes).len, (text), sizeof(text) - 1)
#define CHECK_TEXT_IS(bytes, text)                                                                 \
    CHECK_BYTES_EQ((bytes).data, (bytes).size, (text), sizeof(text) - 1)

static struct rig *rig_of_session(void)
{
    struct rig *rig = rig_new(false, false);

    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    rig_drop(rig);
    return rig;
}

/* The frame that this request goes out in. */
static struct rig_frame sent(struct rig *rig, struct rig_call *call,
                             const struct canceld_request *request)
{
    struct rig_frame frame;

    rig_submit(rig, call, request, 0);
    rig_pump(rig);
    CHECK(rig_take_first(rig, &frame));
    CHECK_EQ(frame.frame->n_ops, 1);
    return frame;
}

static ProtobufCBinaryData bytes(char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *) text};
}

static void bulk_cancels(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_request request = {.op = CANCELD_OP_CANCEL};
    struct rig_call call;
    struct rig_call other;
    struct rig_frame frame;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};
    Canceld__V1__GenResult gen = CANCELD__V1__GEN_RESULT__INIT;
    Canceld__V1__GenResult *gens[] = {&gen};
    char key[] = "k";

    request.of.cancel.label = canceld_string("red");
    request.of.cancel.owner = 5;
    request.of.cancel.whole_namespace = true;
    rig_submit(rig, &call, &request, 0);
    rig_get(rig, &other, "k", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    CHECK_EQ(frame.frame->n_ops, 1); /* alone */
    CHECK_BYTES_ARE(frame.frame->ops[0]->cancel->label, "red");
    CHECK_EQ(frame.frame->ops[0]->cancel->owner, 5);
    CHECK(frame.frame->ops[0]->cancel->whole_namespace);
    CHECK_EQ(frame.frame->ops[0]->cancel->key.len, 0);
    result.answer = ANSWER(REQUESTED);
    result.requested = 3;
    result.already_requested = 4;
    result.journaled = true;
    result.memory_incomplete = true;
    gen.gen = 8;
    gen.key = bytes(key);
    gen.state = CANCELD__V1__STATE__STATE_CANCELLING;
    result.n_gens = 1;
    result.gens = gens;
    rig_answer(rig, &frame, results, 1);
    CHECK_EQ(call.call.result.requested, 3);
    CHECK_EQ(call.call.result.already_requested, 4);
    CHECK(call.call.result.journaled && call.call.result.memory_incomplete);
    CHECK_EQ(call.call.result.gens[0].gen, 8);
    CHECK_EQ(call.call.result.gens[0].state, CANCELD_STATE_CANCELLING);
    CHECK_TEXT_IS(call.call.result.gens[0].key, "k");
    canceld_result_clear(&call.call.result);
    rig_free(rig);
}

/* A bulk cancel names no gen: of a lost session's nobody can say what happened. */
static void bulk_cancels_are_not_repeated(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_request request = {.op = CANCELD_OP_CANCEL};
    struct rig_call call;
    struct rig_frame frame;

    request.of.cancel.label = canceld_string("red");
    frame = sent(rig, &call, &request);
    rig_frame_free(&frame);
    rig_link_down(rig);
    rig_link_up(rig);
    frame = rig_take(rig, OP(OPEN));
    rig_answer_one(rig, &frame, ANSWER(SESSION_LOST), 0);
    CHECK_EQ(call.call.status, CANCELD_UNKNOWN);
    rig_free(rig);
}

static void lists(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_request request = {.op = CANCELD_OP_LIST};
    struct rig_call call;
    struct rig_call count;
    struct rig_frame frame;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};
    Canceld__V1__Operation rows[2] = {CANCELD__V1__OPERATION__INIT, CANCELD__V1__OPERATION__INIT};
    Canceld__V1__Operation *operations[] = {&rows[0], &rows[1]};
    char red[] = "red";
    char large[] = "large";
    ProtobufCBinaryData labels[] = {bytes(red), bytes(large)};

    request.of.list.labels[0] = canceld_string("red");
    request.of.list.labels[1] = canceld_string("large");
    request.of.list.labels_count = 2;
    request.of.list.order = CANCELD_LIST_ORDER_UNACKNOWLEDGED;
    frame = sent(rig, &call, &request);
    CHECK_EQ(frame.frame->ops[0]->list->n_labels, 2);
    CHECK_BYTES_ARE(frame.frame->ops[0]->list->labels[1], "large");
    CHECK_EQ(frame.frame->ops[0]->list->order, CANCELD__V1__LIST_ORDER__LIST_ORDER_UNACKNOWLEDGED);
    result.answer = ANSWER(PAGE);
    rows[0].n_labels = 2;
    rows[0].labels = labels;
    rows[1].n_labels = 1;
    rows[1].labels = labels;
    rows[1].parent = 6;
    rows[1].cancelling_ms = 7;
    result.n_operations = 2;
    result.operations = operations;
    rig_answer(rig, &frame, results, 1);
    CHECK_EQ(call.call.result.operations_count, 2);
    CHECK_EQ(call.call.result.operations[0].labels_count, 2);
    CHECK_TEXT_IS(call.call.result.operations[0].labels[0], "red");
    CHECK_TEXT_IS(call.call.result.operations[0].labels[1], "large");
    CHECK_EQ(call.call.result.operations[1].labels_count, 1);
    CHECK_TEXT_IS(call.call.result.operations[1].labels[0], "red");
    CHECK_EQ(call.call.result.operations[1].parent, 6);
    CHECK_EQ(call.call.result.operations[1].cancelling_ms, 7);
    canceld_result_clear(&call.call.result);
    request.op = CANCELD_OP_COUNT;
    frame = sent(rig, &count, &request);
    CHECK_EQ(frame.frame->ops[0]->count->n_labels, 2);
    rig_frame_free(&frame);
    rig_free(rig);
}

static void detaches(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_request request = {.op = CANCELD_OP_DETACH};
    struct rig_call call;
    struct rig_frame frame;

    request.of.detach.key = canceld_string("k");
    request.of.detach.gen = 9;
    frame = sent(rig, &call, &request);
    CHECK_BYTES_ARE(frame.frame->ops[0]->detach->namespace_, "tests");
    CHECK_BYTES_ARE(frame.frame->ops[0]->detach->key, "k");
    CHECK_EQ(frame.frame->ops[0]->detach->gen, 9);
    rig_frame_free(&frame);
    rig_free(rig);
}

static void drains(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_request request = {.op = CANCELD_OP_DRAIN};
    struct rig_call calls[4];
    struct rig_frame frame;

    request.of.drain.owner = 5;
    request.of.drain.wait_ms = 1000;
    request.of.drain.text = canceld_string("maintenance");
    request.of.drain.actor = canceld_string("me");
    frame = sent(rig, &calls[0], &request);
    CHECK_BYTES_ARE(frame.frame->ops[0]->drain->namespace_, "tests");
    CHECK_EQ(frame.frame->ops[0]->drain->owner, 5);
    CHECK_EQ(frame.frame->ops[0]->drain->deadline_ms, 1000);
    CHECK_BYTES_ARE(frame.frame->ops[0]->drain->text, "maintenance");
    CHECK_BYTES_ARE(frame.frame->ops[0]->drain->actor, "me");
    rig_frame_free(&frame);
    /* One of the daemon is of no namespace, not even the client's. */
    request.of.drain = (struct canceld_drain_request){.daemon = true, .wait_ms = 1000};
    rig_link_down(rig);
    rig_submit(rig, &calls[1], &request, 0);
    rig_pass(rig, 400); /* it waits from when it was made */
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    frame = rig_take(rig, OP(DRAIN));
    rig_frame_free(&frame); /* the first one, again */
    frame = rig_take(rig, OP(DRAIN));
    CHECK_EQ(frame.frame->ops[0]->drain->namespace_.len, 0);
    CHECK(frame.frame->ops[0]->drain->daemon);
    CHECK_EQ(frame.frame->ops[0]->drain->deadline_ms, 600);
    rig_frame_free(&frame);
    rig_drop(rig);
    request.op = CANCELD_OP_UNDRAIN;
    frame = sent(rig, &calls[2], &request);
    CHECK_EQ(frame.frame->ops[0]->undrain->namespace_.len, 0);
    CHECK(frame.frame->ops[0]->undrain->daemon);
    rig_frame_free(&frame);
    request.of.drain = (struct canceld_drain_request){.owner = 6};
    frame = sent(rig, &calls[3], &request);
    CHECK_BYTES_ARE(frame.frame->ops[0]->undrain->namespace_, "tests");
    CHECK_EQ(frame.frame->ops[0]->undrain->owner, 6);
    rig_frame_free(&frame);
    rig_free(rig);
}

static void watches(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_request request = {.op = CANCELD_OP_WATCH};
    struct rig_call call;
    struct rig_frame frame;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};
    Canceld__V1__Event event = CANCELD__V1__EVENT__INIT;
    Canceld__V1__Event *events[] = {&event};
    Canceld__V1__Cause cause = CANCELD__V1__CAUSE__INIT;
    char key[] = "k";

    request.of.watch =
        (struct canceld_watch_request){.epoch = 5, .revision = 6, .cursor = 7, .wait_ms = 1000};
    frame = sent(rig, &call, &request);
    CHECK_BYTES_ARE(frame.frame->ops[0]->watch->namespace_, "tests");
    CHECK_EQ(frame.frame->ops[0]->watch->epoch, 5);
    CHECK_EQ(frame.frame->ops[0]->watch->revision, 6);
    CHECK_EQ(frame.frame->ops[0]->watch->cursor, 7);
    CHECK_EQ(frame.frame->ops[0]->watch->wait_ms, 1000);
    result.answer = ANSWER(EVENTS);
    result.epoch = 5;
    result.revision = 9;
    result.more = true;
    event.revision = 9;
    event.key = bytes(key);
    event.gen = 3;
    event.state = CANCELD__V1__STATE__STATE_ENDED;
    event.outcome = CANCELD__V1__OUTCOME__OUTCOME_FAILED;
    cause.code = CANCELD__V1__CAUSE_CODE__CAUSE_PARENT;
    event.cause = &cause;
    result.n_events = 1;
    result.events = events;
    rig_answer(rig, &frame, results, 1);
    CHECK_EQ(call.call.result.epoch, 5);
    CHECK_EQ(call.call.result.revision, 9);
    CHECK(call.call.result.more);
    CHECK_EQ(call.call.result.events_count, 1);
    CHECK_EQ(call.call.result.events[0].revision, 9);
    CHECK_TEXT_IS(call.call.result.events[0].key, "k");
    CHECK_EQ(call.call.result.events[0].gen, 3);
    CHECK_EQ(call.call.result.events[0].state, CANCELD_STATE_ENDED);
    CHECK_EQ(call.call.result.events[0].outcome, CANCELD_OUTCOME_FAILED);
    CHECK_EQ(call.call.result.events[0].cause.code, CANCELD_CAUSE_PARENT);
    canceld_result_clear(&call.call.result);
    rig_free(rig);
}

static void histories(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_request request = {.op = CANCELD_OP_HISTORY};
    struct rig_call call;
    struct rig_frame frame;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};
    Canceld__V1__HistoryEntry row = CANCELD__V1__HISTORY_ENTRY__INIT;
    Canceld__V1__HistoryEntry *rows[] = {&row};
    const struct canceld_history_entry *entry = NULL;
    char label[] = "red";

    request.of.history =
        (struct canceld_history_request){.key = canceld_string("k"), .cursor = 4, .page_size = 5};
    frame = sent(rig, &call, &request);
    CHECK_BYTES_ARE(frame.frame->ops[0]->history->namespace_, "tests");
    CHECK_BYTES_ARE(frame.frame->ops[0]->history->key, "k");
    CHECK_EQ(frame.frame->ops[0]->history->cursor, 4);
    CHECK_EQ(frame.frame->ops[0]->history->page_size, 5);
    result.answer = ANSWER(HISTORY);
    result.next_cursor = 3;
    row.kind = CANCELD__V1__HISTORY_KIND__HISTORY_BULK;
    row.at_unix_ms = 1;
    row.gen = 2;
    row.by_owner = true;
    row.delivered = true;
    row.delivered_after_ms = 3;
    row.ended_after_ms = 4;
    row.label = bytes(label);
    row.owner = 5;
    row.requested = 6;
    row.outcome = CANCELD__V1__OUTCOME__OUTCOME_CANCELLED;
    result.n_history = 1;
    result.history = rows;
    rig_answer(rig, &frame, results, 1);
    CHECK_EQ(call.call.result.next_cursor, 3);
    CHECK_EQ(call.call.result.history_count, 1);
    entry = &call.call.result.history[0];
    CHECK_EQ(entry->kind, CANCELD_HISTORY_BULK);
    CHECK_EQ(entry->at_unix_ms, 1);
    CHECK_EQ(entry->gen, 2);
    CHECK(entry->by_owner && entry->delivered);
    CHECK_EQ(entry->delivered_after_ms, 3);
    CHECK_EQ(entry->ended_after_ms, 4);
    CHECK_TEXT_IS(entry->label, "red");
    CHECK_EQ(entry->owner, 5);
    CHECK_EQ(entry->requested, 6);
    CHECK_EQ(entry->outcome, CANCELD_OUTCOME_CANCELLED);
    canceld_result_clear(&call.call.result);
    rig_free(rig);
}

static void tokens(void)
{
    struct rig *rig = rig_new(false, false);
    struct rig_frame open;

    rig->engine.config.token = canceld_string("secret");
    rig_link_up(rig);
    open = rig_take(rig, OP(OPEN));
    CHECK_BYTES_ARE(open.frame->ops[0]->open->token, "secret");
    rig_answer_one(rig, &open, ANSWER(DENIED), 0);
    CHECK(rig->engine.refused);
    CHECK_EQ(rig->engine.refusal.answer, CANCELD_ANSWER_DENIED);
    rig_link_down(rig);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    rig_link_down(rig);
    rig_link_up(rig);
    open = rig_take(rig, OP(OPEN));
    CHECK_EQ(open.frame->ops[0]->open->token.len, 0); /* the secret is enough */
    rig_frame_free(&open);
    rig_free(rig);
}

static void too_many_labels(void)
{
    struct rig *rig = rig_of_session();
    struct canceld_request request = {.op = CANCELD_OP_LIST};
    struct submission submission = {.request = &request};
    static const struct canceld_store_request many = {.labels_count = CANCELD_LABELS_MAX + 1};

    request.of.list.labels_count = CANCELD_LABELS_MAX + 1;
    CHECK_EQ(engine_submit(&rig->engine, &submission, rig->now_ns), CANCELD_INVALID);
    request = (struct canceld_request){.op = CANCELD_OP_STORE, .of.store = many};
    submission.operation = operation_new(&many, canceld_string("tests"));
    CHECK(submission.operation != NULL);
    CHECK_EQ(engine_submit(&rig->engine, &submission, rig->now_ns), CANCELD_INVALID);
    rig_free(rig);
}

static void without_a_session(void)
{
    static const enum canceld_op fine[] = {CANCELD_OP_DRAIN, CANCELD_OP_UNDRAIN, CANCELD_OP_WATCH,
                                           CANCELD_OP_HISTORY};
    struct rig *rig = rig_new(true, false);
    struct canceld_request request = {.op = CANCELD_OP_DETACH};
    struct submission submission = {.request = &request};

    rig_link_up(rig);
    CHECK_EQ(engine_submit(&rig->engine, &submission, rig->now_ns), CANCELD_INVALID);
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        request = (struct canceld_request){.op = fine[i]};
        CHECK_EQ(engine_submit(&rig->engine, &submission, rig->now_ns), CANCELD_OK);
    }
    rig_pump(rig);
    CHECK(rig_has(rig, OP(HISTORY)));
    rig_free(rig);
}

static const struct test_case cases[] = {
    {"bulk cancels go alone, and bring their counts", bulk_cancels},
    {"a bulk cancel is not repeated in another session", bulk_cancels_are_not_repeated},
    {"list and count have labels, and rows bring theirs", lists},
    {"detach names its operation", detaches},
    {"drain and undrain name what they are of", drains},
    {"watch says where it was and brings events", watches},
    {"history brings its entries", histories},
    {"a token is shown when a session is opened, not when it is resumed", tokens},
    {"nine labels are INVALID", too_many_labels},
    {"without a session there is all but what owns", without_a_session},
};

TEST_MAIN(cases)
