/* SPDX-License-Identifier: MIT */
/* For libFuzzer: the input is a script of what an application asks of the client library, what a daemon, or
 * anything else at the other end, sends back, links that come and go, and time. Replies are well-formed ones that
 * say anything, answers as a daemon gives them, and bare bytes. Whatever comes, the library at worst gives up
 * the link: every call ends once, nobody is told of an operation that he does not hold, or twice the same thing,
 * and the engine's invariants hold after each step. */
#include "client_rig.h"
#include "fuzz_message.h"

#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 48
#define STEPS_MAX 160
#define FRAMES_KEPT 48

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fuzz_memory memory;
static struct rig *rig;
static struct rig_call calls[CALLS_MAX];
static size_t calls_count;
static struct {
    struct canceld_operation *operation; /* NULL: let go of */
    uint8_t told;
} held[CALLS_MAX];
static uint64_t gen_last;
static bool is_daemon_new;

static const uint32_t spans_ms[] = {0, 1, 10, 100, 1000, 5000, 30000, 3600000};

static uint32_t span(struct fuzz_cursor *cursor)
{
    return spans_ms[fuzz_below(cursor, sizeof spans_ms / sizeof spans_ms[0])];
}

static bool is_up(void)
{
    return rig->engine.phase != ENGINE_AWAY && rig->engine.phase != ENGINE_CLOSED;
}

/* ---- in place of what takes most of the time ---- */

/* The rig checks the engine at each turn, a thousand frames; here every so many turns, and at the end. */
#define CHECK_EVERY 16

void __real_engine_check(const struct engine *engine);
void __wrap_engine_check(const struct engine *engine);
const char *__asan_default_options(void);

void __wrap_engine_check(const struct engine *engine)
{
    static unsigned turn;
    if (turn++ % CHECK_EVERY == 0) {
        __real_engine_check(engine);
    }
}

/* An engine is large: the sanitizer is to use its memory again soon. */
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=16";
}

/* ---- what the application has ---- */

static void told(struct rig *from, struct canceld_operation *operation)
{
    for (size_t i = 0; i < calls_count; i++) {
        if (calls[i].call.operation == operation && held[i].operation == NULL &&
            operation->gen != 0 && held[i].told == 0) {
            held[i].operation = operation;
        }
        if (held[i].operation == operation) {
            CHECK((operation->given & ~held[i].told) != 0);
            held[i].told = operation->given;
            engine_delivered(&from->engine, operation, operation->given);
            return;
        }
    }
    test_failed(__FILE__, __LINE__, "told of an operation that nobody holds");
}

/* Takes over what the calls that are done have brought. */
static void take_operations(void)
{
    for (size_t i = 0; i < calls_count; i++) {
        CHECK_LE(calls[i].done_count, 1);
        if (calls[i].call.operation != NULL && held[i].operation == NULL &&
            held[i].told != UINT8_MAX) {
            held[i].operation = calls[i].call.operation;
        }
    }
}

/* A LOST_POSSIBLE is over once the session is resumed or the operation adopted, and may come again. */
static void forget_what_is_over(void)
{
    for (size_t i = 0; i < calls_count; i++) {
        if (held[i].operation != NULL) {
            held[i].told &= held[i].operation->given;
        }
    }
}

static void let_go(size_t i)
{
    struct canceld_operation *operation = held[i].operation;
    held[i].operation = NULL;
    held[i].told = UINT8_MAX; /* nothing any more */
    calls[i].call.operation = NULL;
    rig_let_go(rig, operation);
}

static struct canceld_bytes make_bytes(struct fuzz_cursor *cursor, size_t size_max)
{
    const struct bytes bytes = fuzz_bytes(cursor, size_max);
    return (struct canceld_bytes){.data = bytes.data, .size = bytes.size};
}

static uint64_t make_gen(struct fuzz_cursor *cursor)
{
    const uint64_t number = fuzz_number(cursor);
    return number < 200 ? gen_last - number % 8 : number;
}

static struct canceld_store_request make_store(struct fuzz_cursor *cursor)
{
    struct canceld_store_request store = {.key = make_bytes(cursor, 300)};
    const uint8_t flags = fuzz_byte(cursor);
    store.policy = (enum canceld_policy)(flags & 3);
    store.on_owner_loss = (enum canceld_on_owner_loss)(flags >> 2 & 1);
    store.ttl_ms = (flags & 8) != 0 ? span(cursor) : 0;
    store.meta = (flags & 16) != 0 ? make_bytes(cursor, 9000) : (struct canceld_bytes){0};
    store.labels_count = flags >> 5;
    for (size_t i = 0; i < store.labels_count; i++) {
        store.labels[i] = make_bytes(cursor, 70);
    }
    return store;
}

static void make_request(struct fuzz_cursor *cursor, struct canceld_request *request)
{
    memset(request, 0, sizeof *request);
    request->op = (enum canceld_op)(1 + fuzz_below(cursor, CANCELD_OP_ADOPT + 1));
    switch (request->op) {
    case CANCELD_OP_STORE:
        request->of.store = make_store(cursor);
        break;
    case CANCELD_OP_ADOPT:
        request->of.adopt.store = make_store(cursor);
        request->of.adopt.gen = make_gen(cursor);
        break;
    case CANCELD_OP_CANCEL:
        request->of.cancel.key = make_bytes(cursor, 300);
        request->of.cancel.gen = make_gen(cursor);
        request->of.cancel.level = (enum canceld_level) fuzz_below(cursor, 5);
        request->of.cancel.wait_ms = span(cursor);
        request->of.cancel.cause.text = make_bytes(cursor, 300);
        break;
    case CANCELD_OP_WAIT:
        request->of.wait.key = make_bytes(cursor, 300);
        request->of.wait.until = (enum canceld_until) fuzz_below(cursor, 3);
        request->of.wait.wait_ms = span(cursor);
        break;
    case CANCELD_OP_WATCH:
        request->of.watch.revision = fuzz_number(cursor);
        request->of.watch.wait_ms = span(cursor);
        break;
    case CANCELD_OP_DRAIN:
    case CANCELD_OP_UNDRAIN:
        request->of.drain.wait_ms = span(cursor);
        break;
    case CANCELD_OP_LIST:
    case CANCELD_OP_COUNT:
    case CANCELD_OP_ARMED:
    case CANCELD_OP_HISTORY:
        request->of.list.name_space = make_bytes(cursor, 70);
        break;
    default: /* the others begin alike */
        request->of.get.key = make_bytes(cursor, 300);
        request->of.get.gen = make_gen(cursor);
        break;
    }
}

/* ---- steps ---- */

static void do_submit(struct fuzz_cursor *cursor)
{
    struct canceld_request request;
    struct submission submission = {.request = &request};
    if (calls_count == CALLS_MAX) {
        return;
    }
    make_request(cursor, &request);
    submission.deadline_ms = span(cursor);
    struct rig_call *call = &calls[calls_count];
    rig_call_init(call);
    submission.call = &call->call;
    if (op_is_birth(request.op)) {
        submission.operation = operation_new(
            request.op == CANCELD_OP_STORE ? &request.of.store : &request.of.adopt.store,
            rig->engine.config.name_space);
        CHECK(submission.operation != NULL);
    }
    if (engine_submit(&rig->engine, &submission, rig->now_ns) == CANCELD_OK) {
        held[calls_count].operation = NULL;
        held[calls_count++].told = 0;
    }
}

static void do_finish(struct fuzz_cursor *cursor)
{
    const size_t i = fuzz_below(cursor, CALLS_MAX);
    if (i >= calls_count || held[i].operation == NULL) {
        return;
    }
    if (calls_count < CALLS_MAX && !rig->engine.closing && rig->engine.phase != ENGINE_CLOSED &&
        fuzz_bool(cursor)) {
        rig_finish(rig, &calls[calls_count], held[i].operation);
        held[calls_count].operation = NULL;
        held[calls_count++].told = 0;
    }
    if (held[i].operation != NULL) {
        let_go(i);
    }
}

static void do_time(struct fuzz_cursor *cursor)
{
    const uint64_t wake_ns = engine_wake_ns(&rig->engine, true);
    const uint32_t ms = span(cursor);
    if (fuzz_bool(cursor) && wake_ns != NEVER && wake_ns > rig->now_ns) {
        rig_pass(rig, (wake_ns - rig->now_ns) / RIG_MS + 1);
    } else {
        rig_pass(rig, ms);
    }
}

static void do_link(struct fuzz_cursor *cursor)
{
    if (is_up()) {
        rig_link_down(rig);
    } else if (rig->engine.phase == ENGINE_AWAY && fuzz_bool(cursor)) {
        rig_link_begin(rig);
    } else if (rig->engine.phase == ENGINE_AWAY) {
        rig_link_up(rig);
    }
}

static void do_raw(struct fuzz_cursor *cursor)
{
    const struct bytes bytes = fuzz_bytes(cursor, 2048);
    if (is_up()) {
        CHECK(engine_receive(&rig->engine, bytes.data, bytes.size, rig->now_ns) ||
              engine_wants_cut(&rig->engine));
    }
}

/* The frame that is answered; false: there is none. */
static bool take_frame(struct fuzz_cursor *cursor, struct rig_frame *frame_out)
{
    const uint8_t which = fuzz_byte(cursor);
    if (!is_up() || rig->frames_count == 0) {
        return false;
    }
    *frame_out = rig->frames[which % rig->frames_count];
    return true;
}

/* Well formed, and for a frame that was sent; the rest is anything. The frame stays, to be answered again. */
static void do_reply(struct fuzz_cursor *cursor)
{
    struct rig_frame frame;
    if (take_frame(cursor, &frame)) {
        Canceld__V1__Reply *reply = fuzz_message(cursor, &memory, &canceld__v1__reply__descriptor);
        rig_send_reply(rig, &frame, reply);
    }
}

/* As a daemon opens a session: the same, another, or one of a restarted daemon. */
static void answer_open(struct fuzz_cursor *cursor, struct rig_frame *frame)
{
    static uint8_t secret[16];
    const struct engine *engine = &rig->engine;
    const uint8_t how = fuzz_byte(cursor);
    Canceld__V1__Opened opened = CANCELD__V1__OPENED__INIT;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};
    result.answer = CANCELD__V1__ANSWER__ANSWER_OPENED;
    result.opened = &opened;
    if (engine->session != 0 && (how & 3) == 0) {
        result.answer = CANCELD__V1__ANSWER__ANSWER_SESSION_LOST;
        is_daemon_new = (how & 4) != 0;
    }
    opened.resumed = engine->session != 0 && (how & 3) != 0;
    opened.session = opened.resumed ? engine->session : engine->session + RIG_SESSION;
    opened.epoch = engine->epoch + RIG_EPOCH + (is_daemon_new ? 1 : 0);
    opened.secret = (ProtobufCBinaryData){.len = sizeof secret, .data = secret};
    opened.grace_ms = RIG_GRACE_MS;
    opened.finished_ms = 60000;
    opened.parked_max = 1 + (how >> 4);
    rig_answer(rig, frame, results, 1);
}

/* One answer for each op, as a daemon gives them. */
static void answer_ops(struct fuzz_cursor *cursor, struct rig_frame *frame)
{
    static Canceld__V1__Result results[ENGINE_FRAME_OPS];
    static Canceld__V1__Result *places[ENGINE_FRAME_OPS];
    const size_t count = frame->frame->n_ops;
    CHECK_LE(count, ENGINE_FRAME_OPS);
    for (size_t i = 0; i < count; i++) {
        results[i] = rig_result();
        places[i] = &results[i];
        results[i].answer = (Canceld__V1__Answer) fuzz_below(cursor, 60);
        results[i].retry_ms = span(cursor);
        results[i].gen = make_gen(cursor);
        if (results[i].answer == CANCELD__V1__ANSWER__ANSWER_STORED ||
            results[i].answer == CANCELD__V1__ANSWER__ANSWER_BORN_CANCELLED) {
            results[i].gen = ++gen_last;
        } else if (frame->frame->ops[i]->op_case == CANCELD__V1__OP__OP_ADOPT) {
            results[i].gen = frame->frame->ops[i]->adopt->gen;
        }
    }
    rig_answer(rig, frame, places, count);
}

static void answer_poll(struct fuzz_cursor *cursor, struct rig_frame *frame)
{
    static uint64_t number;
    number = frame->frame->ops[0]->poll->after + fuzz_below(cursor, 3);
    rig_notice(rig, frame, number, make_gen(cursor),
               (Canceld__V1__NoticeKind) fuzz_below(cursor, 4));
}

static void do_answer(struct fuzz_cursor *cursor)
{
    struct rig_frame frame;
    if (!is_up() || !rig_take_first(rig, &frame)) {
        return;
    }
    const uint8_t how = fuzz_byte(cursor);
    if (how >= 0xf0) {
        static const char *const bounds[] = {"", "operations", "parked_session", "replies_bytes"};
        rig_refuse(rig, &frame, (Canceld__V1__ErrorCode) fuzz_below(cursor, 20), bounds[how & 3]);
    } else if (frame.frame->ops[0]->op_case == CANCELD__V1__OP__OP_OPEN) {
        answer_open(cursor, &frame);
    } else if (frame.frame->ops[0]->op_case == CANCELD__V1__OP__OP_POLL) {
        answer_poll(cursor, &frame);
    } else {
        answer_ops(cursor, &frame);
    }
}

static void do_close(struct fuzz_cursor *cursor)
{
    if (fuzz_byte(cursor) == 0xff) {
        engine_close(&rig->engine);
    }
}

static void (*const steps[])(struct fuzz_cursor *cursor) = {
    do_answer, do_answer, do_answer, do_answer, do_submit, do_submit, do_submit,
    do_reply,  do_reply,  do_time,   do_link,   do_raw,    do_finish, do_close,
};

static void settle(void)
{
    struct rig_frame frame;
    rig_pump(rig);
    take_operations();
    forget_what_is_over();
    if (engine_wants_cut(&rig->engine) && is_up()) {
        rig_link_down(rig);
    }
    while (rig->frames_count > FRAMES_KEPT && rig_take_first(rig, &frame)) {
        rig_frame_free(&frame);
    }
}

static void end(void)
{
    __real_engine_check(&rig->engine);
    engine_close_all(&rig->engine);
    rig_pump(rig);
    take_operations();
    for (size_t i = 0; i < calls_count; i++) {
        CHECK_EQ(calls[i].done_count, 1);
        canceld_result_clear(&calls[i].call.result);
        if (held[i].operation != NULL) {
            let_go(i);
        }
    }
    rig_free(rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_cursor cursor = fuzz_cursor_of(data, size);
    const uint8_t mode = fuzz_byte(&cursor);
    fuzz_memory_begin(&memory);
    calls_count = 0;
    gen_last = UINT64_C(5) << 40;
    is_daemon_new = false;
    rig = rig_new((mode & 3) == 3, (mode & 4) != 0);
    rig->on_told = told;
    for (size_t i = 0; i < STEPS_MAX && cursor.left > 0 && memory.used < FUZZ_MEMORY_BYTES / 2;
         i++) {
        steps[fuzz_below(&cursor, sizeof steps / sizeof steps[0])](&cursor);
        settle();
    }
    end();
    return 0;
}
