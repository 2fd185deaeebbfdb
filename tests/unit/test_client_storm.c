/* SPDX-License-Identifier: MIT */
/* The engine against a small daemon that keeps the contract, over links that break, with frames and replies
 * lost on the way, sessions lost, and time passing. Whatever happens: each call ends once, nothing is done
 * twice that must not be, each cancel is told once, and the daemon never has to say TOO_OLD. */
#include "client_rig.h"

#include <stdio.h>
#include <string.h>

#define OP(name) CANCELD__V1__OP__OP_##name
#define ANSWER(name) CANCELD__V1__ANSWER__ANSWER_##name
#define ERROR(name) CANCELD__V1__ERROR_CODE__ERROR_##name

#define STORM_CALLS 600
#define STORM_STEPS 6000
#define STORM_IDS 40000
#define STORM_PENDING 512
#define STORM_PARKED 64

/* What the daemon remembers of an id. */
struct storm_entry {
    bool seen;
    bool decided;
    bool parked; /* it was, at any time */
    bool forgotten;
    size_t applied_count; /* the ops before this one were applied */
    uint64_t ops_hash;
};

/* An operation as the daemon has it; its gen is its index and 1. */
struct storm_operation {
    uint64_t session;
    bool stored;
    bool cancelled;
    bool acked;
    bool noticed; /* sent at least once */
    uint8_t told;
    size_t told_count;
};

struct storm_call {
    struct rig_call call;
    enum canceld_op op;
    bool by_gen;
    size_t applied_count;
};

struct storm {
    struct rig *rig;
    uint64_t random;
    uint64_t session;
    uint64_t sessions_count;
    uint64_t forgotten_below;
    struct storm_entry entries[STORM_IDS];
    struct storm_call calls[STORM_CALLS];
    struct storm_operation operations[STORM_CALLS];
    size_t calls_count;
    size_t cancelled_below;
    struct rig_frame parked[STORM_PARKED];
    size_t parked_count;
    struct rig_frame poll;
    struct canceld_operation *undelivered[STORM_CALLS];
    size_t undelivered_count;
    Canceld__V1__Cause cause;
    size_t cuts;
    size_t losses;
    bool healed;
};

static uint64_t upto(struct storm *storm, uint64_t count)
{
    return test_random(&storm->random) % count;
}

/* ---- the client's side ---- */

static struct storm *storm_of_rig; /* one a process */

static void told(struct rig *rig, struct canceld_operation *operation)
{
    struct storm *storm = storm_of_rig;
    struct storm_operation *known = &storm->operations[operation->gen - 1];

    uint8_t fresh = operation->given & (uint8_t) ~known->told;

    (void) rig;
    CHECK_NE(fresh, 0);
    known->told_count += (fresh & TOLD_CANCEL) != 0;
    known->told = operation->given & (uint8_t) ~TOLD_LOST_POSSIBLE; /* that may come again */
    storm->undelivered[storm->undelivered_count++] = operation;
}

static void deliver(struct storm *storm)
{
    while (storm->undelivered_count > 0) {
        struct canceld_operation *operation = storm->undelivered[--storm->undelivered_count];

        engine_delivered(&storm->rig->engine, operation, operation->given);
    }
    rig_pump(storm->rig);
}

/* The key of a call says which it is. */
static size_t index_of(ProtobufCBinaryData key)
{
    size_t index = 0;

    CHECK_EQ(key.len, 5);
    for (size_t i = 1; i < 5; i++)
        index = index * 10 + (size_t) (key.data[i] - '0');
    CHECK_LT(index, STORM_CALLS);
    return index;
}

static void submit(struct storm *storm)
{
    size_t index = storm->calls_count;
    struct storm_call *call = &storm->calls[index];
    struct canceld_request request = {.op = CANCELD_OP_GET};
    uint64_t choice = 0;
    char key[16];

    if (index == STORM_CALLS)
        return;
    (void) snprintf(key, sizeof key, "k%04zu", index);
    storm->calls_count++;
    call->by_gen = upto(storm, 3) == 0;
    choice = upto(storm, 4);
    if (choice == 0) {
        request.op = CANCELD_OP_STORE;
        request.of.store = (struct canceld_store_request){.key = canceld_string(key)};
    } else if (choice < 3) {
        request.op = CANCELD_OP_CANCEL;
        request.of.cancel = (struct canceld_cancel_request){
            .key = canceld_string(key),
            .gen = call->by_gen ? 1 : 0,
            .level = choice == 1 ? CANCELD_LEVEL_NONE : CANCELD_LEVEL_STOPPED,
            .wait_ms = choice == 1 ? 0 : 1000000};
    } else {
        request.of.get = (struct canceld_get_request){.key = canceld_string(key)};
    }
    call->op = request.op;
    rig_submit(storm->rig, &call->call, &request, 10000000);
}

/* ---- the daemon's side ---- */

static ProtobufCBinaryData key_of(const Canceld__V1__Op *op)
{
    if (op->op_case == OP(STORE))
        return op->store->key;
    if (op->op_case == OP(CANCEL))
        return op->cancel->key;
    CHECK_EQ(op->op_case, OP(GET));
    return op->get->key;
}

static uint64_t ops_hash(const Canceld__V1__Frame *frame)
{
    uint64_t hash = 14695981039346656037U;

    for (size_t i = 0; i < frame->n_ops; i++) {
        uint8_t bytes[4096];
        size_t size = canceld__v1__op__pack(frame->ops[i], bytes);

        for (size_t j = 0; j < size; j++)
            hash = (hash ^ bytes[j]) * 1099511628211U;
    }
    return hash;
}

/* What became of an operation whose session was lost; asked for by gen. The result borrows until the next frame. */
static void ask_answer(struct storm *storm, const Canceld__V1__Op *op, Canceld__V1__Result *result)
{
    static Canceld__V1__Operation operations[64];
    static Canceld__V1__Operation *places[64];
    static size_t turn;
    size_t slot = turn++ % 64;

    canceld__v1__operation__init(&operations[slot]);
    operations[slot].gen = op->get->gen;
    operations[slot].state = CANCELD__V1__STATE__STATE_ENDED;
    if (storm->operations[op->get->gen - 1].cancelled)
        operations[slot].cause = &storm->cause;
    places[slot] = &operations[slot];
    result->answer = ANSWER(FOUND);
    result->n_operations = 1;
    result->operations = &places[slot];
}

static void op_apply(struct storm *storm, const Canceld__V1__Op *op, bool again,
                     Canceld__V1__Result *result)
{
    size_t index = index_of(key_of(op));

    if (op->op_case == OP(GET) && op->get->gen != 0) {
        ask_answer(storm, op, result);
        return;
    }
    if (!again)
        storm->calls[index].applied_count++;
    result->gen = index + 1;
    result->answer = ANSWER(NOT_FOUND);
    if (op->op_case == OP(CANCEL))
        result->answer = ANSWER(REQUESTED);
    if (op->op_case == OP(STORE)) {
        result->answer = ANSWER(STORED);
        if (!again) {
            storm->operations[index].stored = true;
            storm->operations[index].session = storm->session;
        }
    }
}

/* Applies the ops that were not applied yet, or gives the same answers again. A tail may be NOT_APPLIED. */
static void frame_apply(struct storm *storm, struct rig_frame *frame, bool reply_lost)
{
    struct storm_entry *entry = &storm->entries[frame->frame->request_id];
    size_t count = frame->frame->n_ops;
    Canceld__V1__Result results[64];
    Canceld__V1__Result *places[64];

    if (!entry->decided)
        entry->applied_count = upto(storm, 10) == 0 && count > 1 && !storm->healed
                                   ? 1 + upto(storm, count - 1)
                                   : count;
    for (size_t i = 0; i < count; i++) {
        canceld__v1__result__init(&results[i]);
        places[i] = &results[i];
        if (i < entry->applied_count)
            op_apply(storm, frame->frame->ops[i], entry->decided, &results[i]);
        else
            results[i].answer = ANSWER(NOT_APPLIED);
    }
    entry->decided = true;
    if (reply_lost)
        rig_frame_free(frame);
    else
        rig_answer(storm->rig, frame, places, count);
}

static void answered_note(struct storm *storm, const Canceld__V1__Frame *frame)
{
    for (uint64_t id = storm->forgotten_below; id < frame->answered_below; id++) {
        struct storm_entry *entry = &storm->entries[id];

        if (entry->parked)
            continue; /* kept until it is named */
        entry->forgotten = true;
    }
    if (frame->answered_below > storm->forgotten_below)
        storm->forgotten_below = frame->answered_below;
    for (size_t i = 0; i < frame->n_answered; i++)
        storm->entries[frame->answered[i]].forgotten = true;
}

static bool is_parked(const Canceld__V1__Frame *frame)
{
    return frame->ops[0]->op_case == OP(CANCEL) && frame->ops[0]->cancel->deadline_ms > 0;
}

/* Of the same id as one that is undecided: its reply moves to the newer link. */
static bool parked_moves(struct storm *storm, struct rig_frame *frame)
{
    for (size_t i = 0; i < storm->parked_count; i++)
        if (storm->parked[i].frame->request_id == frame->frame->request_id) {
            rig_frame_free(&storm->parked[i]);
            storm->parked[i] = *frame;
            return true;
        }
    return false;
}

static void calls_frame(struct storm *storm, struct rig_frame *frame, bool reply_lost)
{
    struct storm_entry *entry = &storm->entries[frame->frame->request_id];
    uint64_t hash = ops_hash(frame->frame);

    if (!storm->healed && !entry->seen && upto(storm, 20) == 0) {
        rig_refuse(storm->rig, frame, ERROR(FULL), "replies_session_bytes");
        return;
    }
    CHECK(!entry->seen || entry->ops_hash == hash);
    /* Neither forgotten nor passed over: the engine never lets its own requests grow too old. */
    CHECK(!entry->forgotten);
    CHECK(entry->seen || frame->frame->request_id >= storm->forgotten_below);
    entry->ops_hash = hash;
    entry->seen = true;
    answered_note(storm, frame->frame);
    if (is_parked(frame->frame) && !entry->decided) {
        if (parked_moves(storm, frame))
            return;
        CHECK_LT(storm->parked_count, STORM_PARKED);
        if (storm->parked_count + 1 < STORM_PARKED && !storm->healed) {
            storm->parked[storm->parked_count++] = *frame;
            entry->parked = true;
            return;
        }
    }
    frame_apply(storm, frame, reply_lost);
}

/* ---- notices ---- */

static bool is_news(const struct storm *storm, size_t index, uint64_t after)
{
    const struct storm_operation *operation = &storm->operations[index];

    return operation->cancelled && !operation->acked && operation->session == storm->session &&
           index + 1 > after;
}

static void poll_answer(struct storm *storm, struct rig_frame *poll, bool with_notices)
{
    Canceld__V1__Notice notices[32];
    Canceld__V1__Notice *places[32];
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};

    result.answer = ANSWER(NOTICES);
    result.notices = places;
    for (size_t i = 0; with_notices && i < STORM_CALLS && result.n_notices < 32; i++) {
        Canceld__V1__Notice *notice = &notices[result.n_notices];

        if (!is_news(storm, i, poll->frame->ops[0]->poll->after))
            continue;
        storm->operations[i].noticed = true;
        canceld__v1__notice__init(notice);
        notice->number = i + 1;
        notice->gen = i + 1;
        notice->kind = CANCELD__V1__NOTICE_KIND__NOTICE_CANCEL;
        notice->cause = &storm->cause;
        places[result.n_notices++] = notice;
    }
    result.more = result.n_notices == 32;
    rig_answer(storm->rig, poll, results, 1);
}

static bool poll_has_news(const struct storm *storm)
{
    for (size_t i = 0; storm->poll.frame != NULL && i < STORM_CALLS; i++)
        if (is_news(storm, i, storm->poll.frame->ops[0]->poll->after))
            return true;
    return false;
}

static void news_give(struct storm *storm)
{
    if (poll_has_news(storm))
        poll_answer(storm, &storm->poll, true);
}

static void poll_frame(struct storm *storm, struct rig_frame *frame)
{
    const Canceld__V1__Poll *poll = frame->frame->ops[0]->poll;
    struct rig_frame older = storm->poll;

    for (size_t i = 0; i < poll->n_acks; i++) {
        struct storm_operation *operation = &storm->operations[poll->acks[i]->gen - 1];

        /* Nothing is acked that was not sent and delivered. */
        CHECK(operation->noticed);
        CHECK_EQ(operation->told_count, 1);
        operation->acked = true;
    }
    storm->poll = *frame;
    if (older.frame != NULL)
        poll_answer(storm, &older, false);
}

/* A cancel by somebody else, of a gen above all cancelled before: here the numbers of notices are gens. */
static void cancel_one(struct storm *storm)
{
    for (size_t i = storm->cancelled_below; i < STORM_CALLS; i++)
        if (storm->operations[i].stored && storm->operations[i].session == storm->session) {
            storm->operations[i].cancelled = upto(storm, 2) == 0;
            storm->cancelled_below = i + 1;
            return;
        }
}

/* ---- events ---- */

static void frame_handle(struct storm *storm, struct rig_frame *frame, bool reply_lost)
{
    Canceld__V1__Op__OpCase kind = frame->frame->ops[0]->op_case;

    if (kind == OP(OPEN)) {
        bool known = frame->frame->ops[0]->open->resume_session == storm->session;

        storm->rig->frames[storm->rig->frames_count++] = *frame;
        if (frame->frame->ops[0]->open->resume_session != 0 && !known) {
            *frame = rig_take(storm->rig, OP(OPEN));
            rig_answer_one(storm->rig, frame, ANSWER(SESSION_LOST), 0);
        } else {
            rig_ready(storm->rig, storm->session, RIG_EPOCH, known);
        }
        return;
    }
    if (frame->frame->session != storm->session)
        rig_refuse(storm->rig, frame, ERROR(SESSION_LOST), "");
    else if (kind == OP(POLL))
        poll_frame(storm, frame);
    else if (kind == OP(PING))
        rig_answer_one(storm->rig, frame, ANSWER(PONG), 0);
    else
        calls_frame(storm, frame, reply_lost);
}

/* The daemon reads the oldest frame. */
static void frame_read(struct storm *storm, bool reply_lost)
{
    struct rig_frame frame;

    if (rig_take_first(storm->rig, &frame))
        frame_handle(storm, &frame, reply_lost);
}

static void parked_decide(struct storm *storm)
{
    struct rig_frame frame;
    size_t index = storm->parked_count == 0 ? 0 : upto(storm, storm->parked_count);

    if (storm->parked_count == 0)
        return;
    frame = storm->parked[index];
    storm->parked[index] = storm->parked[--storm->parked_count];
    frame_apply(storm, &frame, false);
}

static void cut(struct storm *storm)
{
    storm->cuts += storm->rig->engine.phase != ENGINE_AWAY;
    rig_frame_free(&storm->poll);
    if (storm->rig->engine.phase != ENGINE_AWAY)
        rig_link_down(storm->rig);
}

static void session_drop(struct storm *storm)
{
    storm->losses++;
    for (size_t i = 0; i < storm->parked_count; i++)
        rig_frame_free(&storm->parked[i]);
    storm->parked_count = 0;
    rig_frame_free(&storm->poll);
    storm->session = RIG_SESSION + ++storm->sessions_count;
    storm->forgotten_below = 0;
    memset(storm->entries, 0, sizeof storm->entries);
}

static void step(struct storm *storm)
{
    switch (upto(storm, 16)) {
    case 0:
    case 1:
    case 2:
        submit(storm);
        break;
    case 3:
        rig_pass(storm->rig, upto(storm, 200));
        if (engine_wants_cut(&storm->rig->engine))
            cut(storm);
        break;
    case 4:
        parked_decide(storm);
        break;
    case 5:
        if (upto(storm, 4) == 0)
            cut(storm);
        break;
    case 6:
        cancel_one(storm);
        break;
    case 7:
        news_give(storm);
        break;
    case 8:
        deliver(storm);
        break;
    case 9:
        if (upto(storm, 60) == 0)
            session_drop(storm);
        break;
    case 10: /* applied, and the answer lost with the link */
        if (upto(storm, 4) == 0 && storm->rig->frames_count > 0 &&
            storm->rig->engine.phase == ENGINE_READY) {
            frame_read(storm, true);
            cut(storm);
        }
        break;
    default:
        frame_read(storm, false);
        break;
    }
    if (storm->rig->engine.phase == ENGINE_AWAY && upto(storm, 3) == 0)
        rig_link_up(storm->rig);
    rig_pump(storm->rig);
}

static bool all_done(const struct storm *storm)
{
    for (size_t i = 0; i < storm->calls_count; i++)
        if (storm->calls[i].call.done_count == 0)
            return false;
    return storm->rig->frames_count == 0 && storm->undelivered_count == 0 && !poll_has_news(storm);
}

static void heal(struct storm *storm)
{
    storm->healed = true;
    for (size_t i = 0; i < 100000 && !(i > 100 && all_done(storm)); i++) {
        if (storm->rig->engine.phase == ENGINE_AWAY)
            rig_link_up(storm->rig);
        frame_read(storm, false);
        parked_decide(storm);
        news_give(storm);
        deliver(storm);
        rig_pass(storm->rig, 10);
        if (engine_wants_cut(&storm->rig->engine))
            cut(storm);
    }
    CHECK(all_done(storm));
}

static size_t judge(struct storm *storm)
{
    size_t unknown = 0;

    for (size_t i = 0; i < storm->calls_count; i++) {
        struct storm_call *call = &storm->calls[i];
        bool repeatable = call->by_gen || call->op == CANCELD_OP_GET;
        struct storm_operation *operation = &storm->operations[i];

        CHECK_EQ(call->call.done_count, 1);
        if (call->call.call.status == CANCELD_UNKNOWN) {
            CHECK(!repeatable || call->op == CANCELD_OP_STORE);
            CHECK_LE(call->applied_count, 1);
            unknown++;
        } else {
            CHECK_EQ(call->call.call.status, CANCELD_OK);
            CHECK_EQ(call->call.call.result.gen, i + 1);
            if (repeatable && call->op != CANCELD_OP_STORE)
                CHECK_GE(call->applied_count, 1);
            else
                CHECK_EQ(call->applied_count, 1);
        }
        if (call->call.call.operation != NULL) {
            CHECK_EQ(operation->told_count, operation->cancelled ? 1 : 0);
            rig_let_go(storm->rig, call->call.call.operation);
        }
        canceld_result_clear(&call->call.call.result);
    }
    return unknown;
}

/* What the storms have come through, so that none of it is missed for good. */
static size_t cuts_sum;
static size_t losses_sum;
static size_t unknown_sum;

static void storm_run(uint64_t seed)
{
    struct storm *storm = calloc(1, sizeof *storm);

    CHECK(storm != NULL);
    storm->rig = rig_new(false, false);
    storm->rig->on_told = told;
    storm->random = seed;
    canceld__v1__cause__init(&storm->cause);
    storm->cause.code = CANCELD__V1__CAUSE_CODE__CAUSE_USER;
    storm->session = RIG_SESSION;
    storm_of_rig = storm;
    for (size_t i = 0; i < STORM_STEPS; i++)
        step(storm);
    heal(storm);
    unknown_sum += judge(storm);
    cuts_sum += storm->cuts;
    losses_sum += storm->losses;
    rig_frame_free(&storm->poll);
    rig_free(storm->rig);
    free(storm);
}

static void storms(void)
{
    uint64_t random = test_seed();

    for (size_t i = 0; i < TEST_SCALE(100); i++)
        storm_run(test_random(&random));
    (void) fprintf(stderr, "%zu cuts, %zu sessions lost, %zu unknown\n", cuts_sum, losses_sum,
                   unknown_sum);
    CHECK(cuts_sum > 0 && losses_sum > 0 && unknown_sum > 0);
}

static const struct test_case cases[] = {
    {"whatever breaks, each call ends once and nothing is done twice", storms, 240000},
};

TEST_MAIN(cases)
