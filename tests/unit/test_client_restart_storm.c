/* SPDX-License-Identifier: MIT */
/* The engine against a small daemon that is restarted again and again, over links that break, with replies lost,
 * adopts put off, and a journal that fails. Whatever happens: what the application holds in the end is owned by the
 * last session, or was told LOST because the daemon had ended it; what it finished is ended, and was never brought
 * back to life; and a cancel is told once. */
#include "client_rig.h"

#include <stdio.h>
#include <string.h>

#define OP(name) CANCELD__V1__OP__OP_##name
#define ANSWER(name) CANCELD__V1__ANSWER__ANSWER_##name
#define ERROR(name) CANCELD__V1__ERROR_CODE__ERROR_##name

#define OPERATIONS 150
#define STEPS 3000
#define IDS 4000

/* An operation as the daemon, or its journal, has it; its gen is its index and 1. */
struct known {
    struct canceld_operation *operation; /* in the application's hands */
    struct rig_call finish;
    uint64_t session; /* that owns it; 0: not adopted since the restart */
    bool dead;        /* ended by the loss of its session */
    bool finished;    /* by the application */
    bool deleted;     /* here */
    bool cancelled;
    size_t told_cancel;
    bool told_lost;
};

struct storm {
    struct rig *rig;
    uint64_t random;
    uint64_t session;
    uint64_t epoch;
    bool session_open;
    bool healed;
    struct known known[OPERATIONS];
    uint8_t given[OPERATIONS]; /* what was told last, to see what is new */
    bool applied[IDS];         /* of this session's requests */
    uint64_t unjournaled_id;   /* the last frame that was applied and not kept */
};

static struct storm *storm_of_rig; /* one a process */

/* What the storms have come through, so that none of it is missed for good. */
static size_t restarts_sum;
static size_t losses_sum;
static size_t adopts_sum;
static size_t lost_sum;
static size_t orphans_sum;

static uint64_t upto(struct storm *storm, uint64_t count)
{
    return test_random(&storm->random) % count;
}

static void told(struct rig *rig, struct canceld_operation *operation)
{
    struct storm *storm = storm_of_rig;
    size_t index = operation->gen - 1;
    struct known *known = &storm->known[index];
    uint8_t fresh = operation->given & (uint8_t) ~storm->given[index];

    (void) rig;
    CHECK(known->operation == operation); /* nobody is told of what he let go of */
    known->told_cancel += (fresh & TOLD_CANCEL) != 0;
    known->told_lost = known->told_lost || (fresh & TOLD_LOST) != 0;
    storm->given[index] = operation->given & (uint8_t) ~TOLD_LOST_POSSIBLE;
}

/* ---- the daemon's side ---- */

static void adopt_apply(struct storm *storm, const Canceld__V1__Adopt *adopt, bool again,
                        Canceld__V1__Result *result)
{
    static Canceld__V1__Cause cause;
    struct known *known = &storm->known[adopt->gen - 1];

    /* Neither what is known to be deleted comes back, nor what was told LOST. */
    CHECK(again || known->finish.done_count == 0);
    CHECK(again || !known->told_lost);
    CHECK(adopt->previous_session != 0);
    canceld__v1__cause__init(&cause);
    cause.code = CANCELD__V1__CAUSE_CODE__CAUSE_USER;
    adopts_sum++;
    known->dead = known->dead || known->deleted;
    result->answer = known->dead ? ANSWER(ENDED) : ANSWER(ADOPTED);
    if (!known->dead)
        known->session = storm->session;
    known->cancelled = known->cancelled || adopt->cause != NULL;
    if (known->cancelled)
        result->cause = &cause;
}

static void delete_apply(struct storm *storm, const Canceld__V1__Delete *delete_,
                         Canceld__V1__Result *result)
{
    struct known *known = &storm->known[delete_->gen - 1];
    bool live = known->session == storm->session && !known->dead;

    CHECK(known->finished);
    /* By now it is adopted, if it can be. */
    CHECK(known->deleted || known->dead || live);
    result->answer = known->deleted || known->dead ? ANSWER(ENDED) : ANSWER(DELETED);
    known->deleted = known->deleted || live;
}

static void op_apply(struct storm *storm, const Canceld__V1__Op *op, bool again,
                     Canceld__V1__Result *result)
{
    canceld__v1__result__init(result);
    if (op->op_case == OP(ADOPT)) {
        adopt_apply(storm, op->adopt, again, result);
    } else if (op->op_case == OP(DELETE)) {
        delete_apply(storm, op->delete_, result);
    } else {
        CHECK_EQ(op->op_case, OP(GET)); /* asked for after a loss */
        CHECK(storm->known[op->get->gen - 1].dead || storm->known[op->get->gen - 1].deleted);
        result->answer = ANSWER(NOT_FOUND);
    }
}

static void calls_frame(struct storm *storm, struct rig_frame *frame, bool reply_lost)
{
    Canceld__V1__Result results[64];
    Canceld__V1__Result *places[64];
    size_t count = frame->frame->n_ops;
    size_t applied = count;

    CHECK_LT(frame->frame->request_id, IDS);
    if (!storm->healed && !storm->applied[frame->frame->request_id]) {
        if (upto(storm, 8) == 0) {
            rig_refuse(storm->rig, frame, ERROR(FULL), "replies_session_bytes");
            return;
        }
        /* A repeat has to answer as the first time, so only these are cut short. */
        if (upto(storm, 8) == 0 && count > 1 && !reply_lost)
            applied = 1 + upto(storm, count - 1);
    }
    for (size_t i = 0; i < count; i++) {
        places[i] = &results[i];
        if (i < applied) {
            op_apply(storm, frame->frame->ops[i], storm->applied[frame->frame->request_id],
                     &results[i]);
        } else {
            canceld__v1__result__init(&results[i]);
            results[i].answer = ANSWER(NOT_APPLIED);
        }
    }
    storm->applied[frame->frame->request_id] = true;
    if (reply_lost)
        rig_frame_free(frame);
    else if (!storm->healed && applied == count && upto(storm, 6) == 0)
        rig_refuse(storm->rig, frame, ERROR(JOURNAL), "");
    else
        rig_answer(storm->rig, frame, places, count);
}

static void open_frame(struct storm *storm, struct rig_frame *frame)
{
    const Canceld__V1__Open *open = frame->frame->ops[0]->open;
    bool known = storm->session_open && open->resume_session == storm->session;

    if (open->resume_session != 0 && !known) {
        rig_answer_one(storm->rig, frame, ANSWER(SESSION_LOST), 0);
        return;
    }
    if (!known) {
        storm->session++;
        storm->session_open = true;
        memset(storm->applied, 0, sizeof storm->applied);
    }
    storm->rig->frames[storm->rig->frames_count++] = *frame;
    rig_ready(storm->rig, storm->session, storm->epoch, known);
}

static void frame_read(struct storm *storm, bool reply_lost)
{
    struct rig_frame frame;
    Canceld__V1__Op__OpCase kind;

    if (!rig_take_first(storm->rig, &frame))
        return;
    kind = frame.frame->ops[0]->op_case;
    if (kind == OP(OPEN))
        open_frame(storm, &frame);
    else if (!storm->session_open || frame.frame->session != storm->session)
        rig_refuse(storm->rig, &frame, ERROR(SESSION_LOST), "");
    else if (kind == OP(POLL))
        rig_answer_one(storm->rig, &frame, ANSWER(NOTICES), 0);
    else if (kind == OP(PING))
        rig_answer_one(storm->rig, &frame, ANSWER(PONG), 0);
    else
        calls_frame(storm, &frame, reply_lost);
}

/* Its operations end with it, where the daemon runs on; where it is restarted it knows none. */
static void session_lose(struct storm *storm, bool restarts)
{
    if (!storm->session_open)
        return;
    storm->session_open = false;
    restarts_sum += restarts;
    losses_sum += !restarts;
    storm->epoch += restarts;
    for (size_t i = 0; i < OPERATIONS; i++) {
        struct known *known = &storm->known[i];

        if (!restarts && known->session == storm->session)
            known->dead = true;
        /* A delete whose answer was lost is known to nobody after a restart. */
        if (restarts && known->finish.done_count == 0)
            known->deleted = false;
        known->session = 0;
    }
}

/* ---- the application's side ---- */

static void finish(struct storm *storm, size_t index, bool let_go)
{
    struct known *known = &storm->known[index];
    struct canceld_request request = {.op = CANCELD_OP_DELETE};
    struct submission submission = {.request = &request,
                                    .deadline_ms = 10000000,
                                    .call = &known->finish.call,
                                    .ends = known->operation,
                                    .persists = true};

    if (known->finished)
        return;
    known->finished = true;
    rig_call_init(&known->finish);
    request.of.delete_ = (struct canceld_delete_request){
        .key = canceld_string("a"), .gen = index + 1, .outcome = CANCELD_OUTCOME_COMPLETED};
    CHECK_EQ(engine_submit(&storm->rig->engine, &submission, storm->rig->now_ns), CANCELD_OK);
    if (!let_go)
        return;
    CHECK(engine_forget(&storm->rig->engine, known->operation));
    known->operation = NULL;
    orphans_sum++;
}

static void cut(struct storm *storm)
{
    if (storm->rig->engine.phase != ENGINE_AWAY)
        rig_link_down(storm->rig);
}

static void step(struct storm *storm)
{
    size_t index = upto(storm, OPERATIONS);

    switch (upto(storm, 40)) {
    case 0:
        session_lose(storm, upto(storm, 3) > 0);
        cut(storm);
        break;
    case 1:
    case 2:
        cut(storm);
        break;
    case 3:
    case 4:
        finish(storm, index, upto(storm, 2) == 0);
        break;
    case 5:
    case 6:
        frame_read(storm, true);
        cut(storm);
        break;
    case 7:
    case 8:
        rig_pass(storm->rig, upto(storm, 2 * RIG_GRACE_MS));
        break;
    case 9:
        /* Known to the journal alone. */
        if (!storm->known[index].deleted && !storm->known[index].dead &&
            storm->known[index].session == 0)
            storm->known[index].cancelled = true;
        break;
    default:
        rig_pass(storm->rig, upto(storm, 20));
        frame_read(storm, false);
        break;
    }
    if (engine_wants_cut(&storm->rig->engine))
        cut(storm);
    if (storm->rig->engine.phase == ENGINE_AWAY && upto(storm, 3) == 0)
        rig_link_up(storm->rig);
    rig_pump(storm->rig);
}

static void heal(struct storm *storm)
{
    storm->healed = true;
    for (size_t i = 0; i < 3000; i++) {
        if (engine_wants_cut(&storm->rig->engine))
            cut(storm);
        if (storm->rig->engine.phase == ENGINE_AWAY)
            rig_link_up(storm->rig);
        frame_read(storm, false);
        rig_pass(storm->rig, 10);
    }
    CHECK_EQ(storm->rig->engine.phase, ENGINE_READY);
    CHECK_EQ(storm->rig->engine.adopts_count, 0);
    CHECK(!storm->rig->engine.adopting);
}

static void judge(struct storm *storm)
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        struct known *known = &storm->known[i];

        if (known->finished) {
            CHECK_EQ(known->finish.done_count, 1);
            CHECK_EQ(known->finish.call.status, CANCELD_OK);
            CHECK(known->deleted || known->dead);
            canceld_result_clear(&known->finish.call.result);
        } else {
            CHECK(!known->deleted);
            CHECK_EQ(known->told_lost, known->dead);
            CHECK(known->dead || known->session == storm->session);
            CHECK_EQ(known->told_cancel, known->cancelled);
        }
        lost_sum += known->told_lost;
        if (known->operation != NULL)
            rig_let_go(storm->rig, known->operation);
    }
    CHECK(link_is_alone(&storm->rig->engine.operations));
    CHECK(link_is_alone(&storm->rig->engine.to_adopt));
}

static void storm_run(uint64_t seed)
{
    struct storm *storm = calloc(1, sizeof *storm);

    CHECK(storm != NULL);
    storm->rig = rig_new(false, false);
    storm->rig->on_told = told;
    storm->random = seed;
    storm->session = RIG_SESSION;
    storm->epoch = RIG_EPOCH;
    storm->session_open = true;
    storm_of_rig = storm;
    rig_ready(storm->rig, storm->session, storm->epoch, false);
    for (size_t i = 0; i < OPERATIONS; i++) {
        storm->known[i].operation = rig_stored(storm->rig, "a", i + 1);
        storm->known[i].session = storm->session;
    }
    for (size_t i = 0; i < STEPS; i++)
        step(storm);
    heal(storm);
    judge(storm);
    rig_free(storm->rig);
    free(storm);
}

static void storms(void)
{
    uint64_t random = test_seed();

    for (size_t i = 0; i < TEST_SCALE(100); i++)
        storm_run(test_random(&random));
    (void) fprintf(stderr, "%zu restarts, %zu losses, %zu adopts, %zu lost, %zu orphans\n",
                   restarts_sum, losses_sum, adopts_sum, lost_sum, orphans_sum);
    CHECK(restarts_sum > 0 && losses_sum > 0 && adopts_sum > 0 && lost_sum > 0 && orphans_sum > 0);
}

static const struct test_case cases[] = {
    {"however often the daemon is restarted, nothing is lost and nothing comes back", storms,
     240000},
};

TEST_MAIN(cases)
