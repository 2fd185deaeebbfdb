/* SPDX-License-Identifier: MIT */
/* Time and ends: deadlines, heartbeats, dialling, closing, and connections without a session. */
#include "client_rig.h"

#include <string.h>

#define OP(name) CANCELD__V1__OP__OP_##name
#define ANSWER(name) CANCELD__V1__ANSWER__ANSWER_##name

static struct rig *rig_of_session(void)
{
    struct rig *rig = rig_new(false, false);

    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    return rig;
}

static void deadlines(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call sent;
    struct rig_call unsent;
    struct rig_frame frame;
    struct canceld_request get = {.op = CANCELD_OP_GET, .of.get.key = {"k", 1}};
    uint64_t id = 0;

    rig_submit(rig, &sent, &get, 100);
    rig_pump(rig);
    frame = rig_take(rig, OP(GET));
    id = frame.frame->request_id;
    rig_frame_free(&frame);
    rig_link_down(rig);
    rig_submit(rig, &unsent, &get, 100);
    rig_pump(rig);
    rig_pass(rig, 99);
    CHECK_EQ(sent.done_count, 0);
    rig_pass(rig, 1);
    CHECK_EQ(sent.done_count, 1);
    CHECK_EQ(sent.call.status, CANCELD_TIMED_OUT);
    CHECK_EQ(unsent.done_count, 1);
    CHECK_EQ(unsent.call.status, CANCELD_UNAVAILABLE);
    /* The one that was sent still has to be answered for; the other is gone. */
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    frame = rig_take(rig, OP(GET));
    CHECK_EQ(frame.frame->request_id, id);
    rig_answer_one(rig, &frame, ANSWER(NOT_FOUND), 0);
    CHECK(!rig_has(rig, OP(GET)));
    CHECK_EQ(sent.done_count, 1);
    rig_free(rig);
}

static void waiting_longer(void)
{
    struct rig *rig = rig_new(false, false);
    struct rig_call call;
    struct rig_frame frame;
    struct canceld_request wait = {.op = CANCELD_OP_WAIT};

    wait.of.wait = (struct canceld_wait_request){
        .key = canceld_string("k"), .until = CANCELD_UNTIL_ENDED, .wait_ms = 5000};
    rig_submit(rig, &call, &wait, 1000);
    /* It began to wait when it was asked to, though nobody was there. */
    rig_pass(rig, 2000);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    frame = rig_take(rig, OP(WAIT));
    CHECK_EQ(frame.frame->ops[0]->wait->deadline_ms, 3000);
    rig_pass(rig, 3999);
    CHECK_EQ(call.done_count, 0);
    rig_pass(rig, 1);
    CHECK_EQ(call.call.status, CANCELD_TIMED_OUT);
    rig_frame_free(&frame);
    rig_free(rig);
}

/* Nobody wants its handle, but whoever was told that nothing was sent must be right. */
static void unsent_store(void)
{
    struct rig *rig = rig_new(false, false);
    struct rig_call call;
    struct canceld_request store = {.op = CANCELD_OP_STORE, .of.store.key = {"k", 1}};
    struct submission submission = {.request = &store, .deadline_ms = 100, .call = &call.call};

    rig_call_init(&call);
    CHECK_EQ(engine_submit(&rig->engine, &submission, rig->now_ns), CANCELD_OK);
    rig_pass(rig, 100);
    CHECK_EQ(call.call.status, CANCELD_UNAVAILABLE);
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, false);
    CHECK(!rig_has(rig, OP(STORE)));
    rig_free(rig);
}

static void late_store(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_frame frame;

    rig_store(rig, &call, "late", 100);
    rig_pump(rig);
    rig_pass(rig, 100);
    CHECK_EQ(call.call.status, CANCELD_TIMED_OUT);
    CHECK(call.call.operation == NULL);
    frame = rig_take(rig, OP(STORE));
    rig_answer_one(rig, &frame, ANSWER(STORED), 42);
    frame = rig_take(rig, OP(DELETE));
    CHECK_EQ(frame.frame->ops[0]->delete_->gen, 42);
    CHECK_EQ(frame.frame->ops[0]->delete_->outcome, CANCELD__V1__OUTCOME__OUTCOME_FAILED);
    CHECK_BYTES_EQ(frame.frame->ops[0]->delete_->key.data, 4, "late", 4);
    rig_answer_one(rig, &frame, ANSWER(DELETED), 42);
    rig_free(rig);
}

static void heartbeats(void)
{
    struct rig *rig = rig_of_session();
    struct rig_frame ping;

    rig_drop(rig);
    CHECK_EQ(engine_wake_ns(&rig->engine, true), rig->now_ns + 1000 * RIG_MS);
    rig_pass(rig, 999);
    CHECK(!rig_has(rig, OP(PING)));
    rig_pass(rig, 1);
    ping = rig_take(rig, OP(PING));
    CHECK_EQ(ping.frame->session, RIG_SESSION);
    rig_answer_one(rig, &ping, ANSWER(PONG), 0);
    rig_pass(rig, 1000);
    CHECK(rig_has(rig, OP(PING)));
    /* No answer for three heartbeats: the link is given up. */
    rig_pass(rig, 2999);
    CHECK(!engine_wants_cut(&rig->engine));
    rig_pass(rig, 1);
    CHECK(engine_wants_cut(&rig->engine));
    rig_link_down(rig);
    CHECK_EQ(rig->event_last, CANCELD_EVENT_DEGRADED);
    rig_free(rig);
}

/* So that the daemon hears of us, whatever its answers come to. */
static void pings_go_on_without_an_answer(void)
{
    struct rig *rig = rig_of_session();

    rig_drop(rig);
    for (int i = 0; i < 3; i++) {
        rig_pass(rig, 1000);
        struct rig_frame ping = rig_take(rig, OP(PING));
        rig_frame_free(&ping);
        CHECK(!rig_has(rig, OP(PING)));
    }
    rig_free(rig);
}

/* A reply that comes byte by byte, and never whole. */
static void a_link_that_dribbles_is_given_up(void)
{
    static const uint8_t length[] = {1, 0, 0, 0, 0, 0, 0, 4, 0}; /* ipc: of 1 KiB */
    static const uint8_t next = 0x80;
    struct rig *rig = rig_of_session();
    unsigned ms = 0;

    rig_drop(rig);
    rig_pass(rig, 1000);
    CHECK(rig_has(rig, OP(PING)));
    CHECK(engine_receive(&rig->engine, length, sizeof length, rig->now_ns));
    for (; ms < 10000 && !engine_wants_cut(&rig->engine); ms += 50) {
        CHECK(engine_receive(&rig->engine, &next, 1, rig->now_ns));
        rig_pass(rig, 50);
    }
    CHECK_EQ(ms, 3000 + rig->engine.grace_ms / 4);
    rig_link_down(rig);
    rig_free(rig);
}

/* A dial that fails, at the moment that was asked for. Returns the pause that follows. */
static uint64_t dial_fails(struct rig *rig)
{
    rig->now_ns = engine_dial_ns(&rig->engine);
    engine_link_down(&rig->engine, rig->now_ns);
    return engine_dial_ns(&rig->engine) - rig->now_ns;
}

/* No pause is so long that the session's grace may go by in it. */
static uint64_t nominal_next(const struct rig *rig, uint64_t down_ns, uint64_t nominal)
{
    uint64_t grace_ns = RIG_GRACE_MS * NS_PER_MS;
    uint64_t most = rig->now_ns < down_ns + grace_ns ? grace_ns / 8 : ENGINE_DIAL_LAST_NS;

    return nominal < most ? nominal : most;
}

/* Whenever the daemon is back, it is found soon, and until then not asked too often. */
static void dialling_nobody(uint64_t seed)
{
    struct rig *rig = rig_of_session();
    uint64_t down_ns = rig->now_ns;
    uint64_t nominal = ENGINE_DIAL_FIRST_NS;
    uint32_t dials_first_second = 0;
    uint32_t dials_count = 0;

    rig->engine.config.seed = seed;
    rig_link_down(rig);
    CHECK_EQ(engine_dial_ns(&rig->engine), down_ns);
    while (rig->now_ns < down_ns + 60000 * NS_PER_MS) {
        uint64_t pause = dial_fails(rig);

        CHECK_LE(pause, nominal);
        CHECK_GE(pause, nominal / 2);
        CHECK_LE(pause, ENGINE_DIAL_FIRST_NS + (rig->now_ns - down_ns) / 2);
        nominal = nominal_next(rig, down_ns, nominal + nominal / ENGINE_DIAL_SHARE);
        dials_count++;
        dials_first_second += rig->now_ns < down_ns + 1000 * NS_PER_MS;
    }
    CHECK_LE(dials_first_second, 24);
    CHECK_LE(dials_count, 30 + 60 * 2);
    rig_free(rig);
}

static void dialling(void)
{
    struct rig *rig = rig_of_session();
    uint64_t nominal = ENGINE_DIAL_FIRST_NS;
    uint64_t pauses_kept = 0;
    uint64_t down_ns = rig->now_ns;

    for (uint64_t seed = 1; seed <= 200; seed++)
        dialling_nobody(seed);
    rig_link_down(rig);
    /* It takes the connection, and ends it before the session: the pauses double. */
    for (int i = 0; i < 20; i++) {
        uint64_t pause = 0;

        rig->now_ns = engine_dial_ns(&rig->engine);
        rig_link_begin(rig);
        rig_link_down(rig);
        pause = engine_dial_ns(&rig->engine) - rig->now_ns;
        CHECK_LE(pause, nominal);
        CHECK_GE(pause, nominal / 2);
        pauses_kept += pause == nominal;
        nominal = nominal_next(rig, down_ns, 2 * nominal);
    }
    CHECK_LT(pauses_kept, 10); /* chance is at work */
    CHECK_EQ(nominal, ENGINE_DIAL_LAST_NS);
    rig_free(rig);
}

/* An attempt that hangs: a dial without an end, or a link that is silent instead of greeting. Returns how long
 * it was given. */
static uint64_t attempt_hangs(struct rig *rig, bool is_up)
{
    uint64_t begun_ns = engine_dial_ns(&rig->engine);

    rig->now_ns = begun_ns;
    engine_dial_begin(&rig->engine, rig->now_ns);
    if (is_up) {
        rig_link_begin(rig);
        CHECK_EQ(engine_dial_end_ns(&rig->engine), NEVER);
        while (!engine_wants_cut(&rig->engine)) {
            rig->now_ns = engine_wake_ns(&rig->engine, false);
            CHECK_LE(rig->now_ns, begun_ns + 10000 * NS_PER_MS);
            rig_pass(rig, 0);
        }
    } else {
        rig->now_ns = engine_dial_end_ns(&rig->engine);
    }
    rig_link_down(rig);
    return rig->now_ns - begun_ns;
}

/* Every other attempt may hang, or each: the session must not be lost by it alone. */
static void hanging(bool is_up, uint32_t grace_ms)
{
    struct rig *rig = rig_of_session();
    uint64_t down_ns = rig->now_ns;
    uint64_t last = 0;
    uint32_t count = 0;

    rig->engine.grace_ms = grace_ms;
    rig_link_down(rig);
    last = attempt_hangs(rig, is_up);
    CHECK_LE(last, grace_ms * NS_PER_MS / 4);
    /* Within the grace a second one, and a third. */
    for (count = 1; engine_dial_ns(&rig->engine) < down_ns + grace_ms * NS_PER_MS; count++)
        (void) attempt_hangs(rig, is_up);
    CHECK_GE(count, 3);
    /* Where it takes long, it is given the time in the end. */
    for (int i = 0; i < 10; i++)
        last = attempt_hangs(rig, is_up);
    CHECK_EQ(last, 5000 * NS_PER_MS);
    /* One that came through is the end of that. */
    rig_ready(rig, RIG_SESSION, RIG_EPOCH, true);
    rig->engine.grace_ms = grace_ms;
    rig_link_down(rig);
    CHECK_LE(attempt_hangs(rig, is_up), grace_ms * NS_PER_MS / 4);
    rig_free(rig);
}

static void hanging_attempts(void)
{
    for (int is_up = 0; is_up < 2; is_up++) {
        hanging(is_up != 0, 1000);
        hanging(is_up != 0, 3500);
        hanging(is_up != 0, 5000);
    }
}

/* Who has never been there may be far away, and where the first attempt decides it must not end too soon. */
static void hanging_at_first(void)
{
    for (int is_up = 0; is_up < 2; is_up++) {
        struct rig *rig = rig_new(false, false);

        CHECK_EQ(attempt_hangs(rig, is_up != 0), 5000 * NS_PER_MS);
        rig_free(rig);
    }
}

/* Links that come up and end at once, for as long as the grace lasts, with any luck. */
static void ending_at_once(uint64_t seed, uint32_t grace_ms)
{
    struct rig *rig = rig_of_session();
    uint64_t down_ns = rig->now_ns;
    uint64_t longest = 0;

    rig->engine.config.seed = seed;
    rig->engine.grace_ms = grace_ms;
    rig_link_down(rig);
    while (rig->now_ns < down_ns + grace_ms * NS_PER_MS) {
        uint64_t pause = 0;

        rig->now_ns = engine_dial_ns(&rig->engine);
        engine_dial_begin(&rig->engine, rig->now_ns);
        rig_link_begin(rig);
        rig_link_down(rig);
        pause = engine_dial_ns(&rig->engine) - rig->now_ns;
        longest = pause > longest ? pause : longest;
    }
    CHECK_LE(longest, grace_ms * NS_PER_MS / 8);
    rig_free(rig);
}

static void links_that_end_at_once(void)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        ending_at_once(seed, 500);
        ending_at_once(seed, 3500);
        ending_at_once(seed, 5000);
    }
}

static void closing(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call call;
    struct rig_call late;
    struct rig_frame frame;
    struct submission submission = {.call = &late.call};
    struct canceld_request ping = {.op = CANCELD_OP_PING};

    submission.request = &ping;
    rig_cancel(rig, &call, "a", 0);
    engine_close(&rig->engine);
    CHECK_EQ(engine_submit(&rig->engine, &submission, rig->now_ns), CANCELD_CLOSED);
    rig_pump(rig);
    CHECK(!rig_has(rig, OP(CLOSE)));
    frame = rig_take(rig, OP(CANCEL));
    rig_answer_one(rig, &frame, ANSWER(NOT_FOUND), 0);
    canceld_result_clear(&call.call.result);
    CHECK(!engine_is_closed(&rig->engine));
    frame = rig_take(rig, OP(CLOSE));
    rig_answer_one(rig, &frame, ANSWER(CLOSED), 0);
    CHECK(engine_is_closed(&rig->engine));
    rig_free(rig);
}

static void closing_all(void)
{
    struct rig *rig = rig_of_session();
    struct rig_call framed;
    struct rig_call queued;
    struct rig_call stored;
    struct canceld_operation *operation = rig_stored(rig, "kept", 9);

    rig_store(rig, &stored, "b", 0);
    rig_cancel(rig, &framed, "a", 0);
    rig_pump(rig);
    rig_link_down(rig);
    rig_cancel(rig, &queued, "b", 0);
    engine_close_all(&rig->engine);
    rig_pump(rig);
    CHECK_EQ(framed.call.status, CANCELD_CLOSED);
    CHECK_EQ(queued.call.status, CANCELD_CLOSED);
    CHECK_EQ(stored.call.status, CANCELD_CLOSED);
    CHECK(operation->closed);
    rig_let_go(rig, operation);
    rig_free(rig);
}

static void without_session(void)
{
    struct rig *rig = rig_new(true, false);
    struct rig_call calls[4];
    struct rig_call store_call;
    struct rig_frame frame;
    struct canceld_request store = {.op = CANCELD_OP_STORE};
    struct submission submission = {.request = &store, .call = &store_call.call};

    rig_link_up(rig);
    CHECK_EQ(rig->engine.phase, ENGINE_READY);
    CHECK_EQ(rig->frames_count, 0); /* neither open nor poll */
    CHECK_EQ(engine_submit(&rig->engine, &submission, rig->now_ns), CANCELD_INVALID);
    rig_cancel(rig, &calls[0], "keyed", 0);
    rig_cancel(rig, &calls[1], "by gen", 7);
    rig_get(rig, &calls[2], "read", 0);
    rig_pump(rig);
    frame = rig_take(rig, OP(CANCEL));
    CHECK_EQ(frame.frame->session, 0);
    CHECK_EQ(frame.frame->answered_below, 0);
    CHECK_BYTES_EQ(frame.frame->ops[0]->cancel->namespace_.data, 5, "tests", 5);
    rig_frame_free(&frame);
    rig_link_down(rig);
    rig_cancel(rig, &calls[3], "not sent yet", 0);
    rig_pass(rig, 10);
    CHECK_EQ(calls[0].call.status, CANCELD_UNKNOWN);
    CHECK_EQ(calls[0].done_count, 1);
    CHECK_EQ(calls[1].done_count, 0);
    rig_link_up(rig);
    frame = rig_take(rig, OP(CANCEL));
    CHECK_EQ(frame.frame->n_ops, 3);
    CHECK_EQ(frame.frame->ops[0]->cancel->gen, 7);
    CHECK_EQ(frame.frame->ops[1]->op_case, OP(GET));
    CHECK_BYTES_EQ(frame.frame->ops[2]->cancel->key.data, 3, "not", 3);
    rig_frame_free(&frame);
    rig_free(rig);
}

static const struct test_case cases[] = {
    {"a deadline says whether the request was ever sent", deadlines},
    {"a wait counts from when it was asked for", waiting_longer},
    {"a store that was never sent is not sent later", unsent_store},
    {"a store that comes too late is undone", late_store},
    {"a heartbeat each interval, and a silent daemon is given up", heartbeats},
    {"pings go on without an answer", pings_go_on_without_an_answer},
    {"a link that dribbles is given up", a_link_that_dribbles_is_given_up},
    {"dialling pauses longer each time", dialling},
    {"an attempt that hangs leaves time for others within the grace", hanging_attempts},
    {"before the first link an attempt has its time", hanging_at_first},
    {"links that end at once leave no pause that costs the grace", links_that_end_at_once},
    {"closing sends what is queued, then the close", closing},
    {"closing at once ends every call with CLOSED", closing_all},
    {"without a session a lost cancel is repeated only by gen", without_session},
};

TEST_MAIN(cases)
