/* SPDX-License-Identifier: MIT */
/* The engine against replies with bits flipped and ends cut off, with answers to what was not asked and with
 * errors of every kind: it may give up the link, never more. */
#include "client_rig.h"

#include <string.h>

static void bytes_give(struct rig *rig, const uint8_t *data, size_t size)
{
    if (!engine_receive(&rig->engine, data, size, rig->now_ns)) {
        CHECK(engine_wants_cut(&rig->engine));
        rig_link_down(rig);
        rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    }
    if (rig->engine.phase != ENGINE_READY) {
        rig_link_down(rig);
        rig_link_up(rig);
        rig_ready(rig, rig->engine.session == 0 ? RIG_SESSION : rig->engine.session, RIG_EPOCH,
                  rig->engine.session != 0);
    }
    rig_pump(rig);
}

/* A reply of every kind of thing, to be damaged. */
static size_t reply_make(uint8_t *out, const struct rig_frame *frame, uint64_t *random)
{
    Canceld__V1__Reply reply = CANCELD__V1__REPLY__INIT;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result, &result, &result, &result};
    Canceld__V1__Error error = rig_error();
    Canceld__V1__Cause cause = CANCELD__V1__CAUSE__INIT;
    Canceld__V1__GenResult gen = CANCELD__V1__GEN_RESULT__INIT;
    Canceld__V1__GenResult *gens[] = {&gen, &gen};
    Canceld__V1__Notice notice = CANCELD__V1__NOTICE__INIT;
    Canceld__V1__Notice *notices[] = {&notice, &notice};
    Canceld__V1__Operation operation = CANCELD__V1__OPERATION__INIT;
    Canceld__V1__Operation *operations[] = {&operation};

    reply.version = 1;
    reply.session = RIG_SESSION;
    reply.request_id = frame->frame->request_id;
    reply.n_results = frame->frame->n_ops;
    reply.results = results;
    error.code = (Canceld__V1__ErrorCode) (test_random(random) % 20);
    if (test_random(random) % 8 == 0)
        reply.error = &error;
    result.answer = (Canceld__V1__Answer) (test_random(random) % 60);
    result.gen = test_random(random) % 16;
    result.cause = &cause;
    result.error = &error;
    result.n_gens = 2;
    result.gens = gens;
    notice.gen = test_random(random) % 16;
    notice.number = test_random(random) % 16;
    notice.kind = (Canceld__V1__NoticeKind) (test_random(random) % 4);
    result.n_notices = 2;
    result.notices = notices;
    result.n_operations = 1;
    result.operations = operations;
    return canceld__v1__reply__pack(&reply, out);
}

static size_t damage(uint8_t *bytes, size_t size, uint64_t *random)
{
    size_t flips = test_random(random) % 4;

    for (size_t i = 0; i < flips; i++)
        bytes[test_random(random) % size] ^= (uint8_t) (1U << test_random(random) % 8);
    if (test_random(random) % 8 == 0)
        size = test_random(random) % size;
    return size;
}

static void damaged_replies(void)
{
    uint64_t random = test_seed();
    struct rig *rig = rig_new(false, false);
    size_t count = TEST_SCALE(10000);
    struct rig_call *calls = calloc(2 * count, sizeof *calls);

    CHECK(calls != NULL);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[4096];
        struct sp_route route = {.words_count = 1};
        struct rig_frame frame;
        size_t head = 0;
        size_t size = 0;

        rig_get(rig, &calls[2 * i], "a", 0);
        rig_store(rig, &calls[2 * i + 1], "b", 50);
        rig_pass(rig, 10);
        if (engine_wants_cut(&rig->engine))
            rig_link_down(rig);
        if (rig->engine.phase == ENGINE_AWAY)
            rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
        while (rig->frames_count > 8 && rig_take_first(rig, &frame))
            rig_frame_free(&frame);
        if (rig->frames_count == 0)
            continue;
        route.words[0] = rig->frames[test_random(&random) % rig->frames_count].word;
        size =
            reply_make(bytes + 64, &rig->frames[test_random(&random) % rig->frames_count], &random);
        size = damage(bytes + 64, size, &random);
        head = sp_write_head(SP_FRAMING_IPC, &route, size, bytes);
        memmove(bytes + head, bytes + 64, size);
        if (test_random(&random) % 16 == 0)
            size = damage(bytes, head + size, &random);
        else
            size += head;
        bytes_give(rig, bytes, size);
    }
    engine_close_all(&rig->engine);
    rig_pump(rig);
    for (size_t i = 0; i < 2 * count; i++) {
        CHECK_EQ(calls[i].done_count, 1);
        if (calls[i].call.operation != NULL)
            operation_free(calls[i].call.operation);
        canceld_result_clear(&calls[i].call.result);
    }
    free(calls);
    rig_free(rig);
}

/* The frame's word, and the id of another: whoever mixes them up is not to be trusted with the rest. */
static void another_id(void)
{
    struct rig *rig = rig_new(false, false);
    struct rig_call call;
    struct rig_frame frame;

    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    rig_get(rig, &call, "a", 0);
    rig_pump(rig);
    frame = rig_take(rig, CANCELD__V1__OP__OP_GET);
    frame.frame->request_id++;
    rig_answer_one(rig, &frame, CANCELD__V1__ANSWER__ANSWER_NOT_FOUND, 0);
    CHECK_EQ(call.done_count, 0);
    CHECK(engine_wants_cut(&rig->engine));
    rig_free(rig);
}

/* 0 means any generation: an operation that had it would act on whatever else is live under its key. */
static void no_generation(Canceld__V1__Answer answer)
{
    struct rig *rig = rig_new(false, false);
    struct rig_call call;
    struct rig_frame frame;

    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    rig_store(rig, &call, "a", 1000);
    rig_pump(rig);
    frame = rig_take(rig, CANCELD__V1__OP__OP_STORE);
    rig_answer_one(rig, &frame, answer, 0);
    CHECK_EQ(call.done_count, 0);
    CHECK(engine_wants_cut(&rig->engine));
    rig_link_down(rig);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    rig_pump(rig);
    frame = rig_take(rig, CANCELD__V1__OP__OP_STORE);
    rig_answer_one(rig, &frame, answer, 7);
    CHECK_EQ(call.done_count, 1);
    CHECK_EQ(call.call.operation->gen, 7);
    canceld_result_clear(&call.call.result);
    rig_let_go(rig, call.call.operation);
    rig_free(rig);
}

static void no_generation_at_birth(void)
{
    no_generation(CANCELD__V1__ANSWER__ANSWER_STORED);
    no_generation(CANCELD__V1__ANSWER__ANSWER_BORN_CANCELLED);
}

static const struct test_case cases[] = {
    {"a reply that names another id than its frame cuts the link", another_id},
    {"a birth without a generation cuts the link", no_generation_at_birth},
    {"damaged replies end no call twice and crash nobody", damaged_replies, 120000},
};

TEST_MAIN(cases)
