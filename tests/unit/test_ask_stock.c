/* SPDX-License-Identifier: MIT */
/* Asks that actors make: out of their loop's stock, within the system's bound, with deadlines in a
 * list and in the heap. */
#include "actor_rig.h"

#include "actor/loop.h"
#include "actor/system.h"

#include <sched.h>

#define ASKS_MAX 4096
#define STOCK_BOUND (3 * (ASKS_MAX / ACTOR_ASKS_STOCK_PART))

struct question {
    struct note note; /* first */
    struct ask ask;
    struct asking *asking;
    uint32_t number;
    enum ask_end end;
    bool ended;
};

/* An actor that asks `per_note` questions for each note that it gets. */
struct asking {
    struct probe probe;
    struct rig *rig;
    uint64_t to;
    uint32_t per_note;
    uint64_t timeout_ms[4]; /* by turns */
    struct question *questions;
    uint32_t asked_count;
    uint32_t full_count;
    uint32_t ended_count;
    uint32_t order[ASKS_MAX]; /* numbers, as they ended */
};

static void question_done(struct ask *ask, enum ask_end end, struct message *reply)
{
    struct question *question = LIST_OWNER(ask, struct question, ask);
    struct asking *asking = question->asking;
    CHECK(!question->ended);
    CHECK(reply == NULL || reply == &question->note.message);
    question->ended = true;
    question->end = end;
    asking->order[asking->ended_count++] = question->number;
}

static void ask_some(struct probe *probe, struct message *message)
{
    struct asking *asking = probe->extra;
    message_release(message);
    for (uint32_t i = 0; i < asking->per_note; i++) {
        uint32_t number = asking->asked_count;
        struct question *question = &asking->questions[number];
        *question = (struct question){.note.message.kind = NOTE_KIND,
                                      .ask.done = question_done,
                                      .asking = asking,
                                      .number = number};
        enum status status = actor_ask(asking->rig->system, asking->to, &question->note.message,
                                       asking->timeout_ms[number % 4], &question->ask);
        if (status == STATUS_FULL) {
            asking->full_count++;
            continue;
        }
        CHECK_EQ(status, STATUS_OK);
        asking->asked_count++;
    }
}

static void answer_at_once(struct probe *probe, struct message *message)
{
    actor_reply(probe->actor, actor_defer(message), message);
}

/* Keeps the promises in `extra`, a struct keeper. */
struct keeper {
    struct promise *promises[ASKS_MAX];
    uint32_t count;
};

static void keep(struct probe *probe, struct message *message)
{
    struct keeper *keeper = probe->extra;
    keeper->promises[keeper->count++] = actor_defer(message);
    message_release(message);
}

static void asking_init(struct asking *asking, struct rig *rig, uint32_t asks_max)
{
    *rig = (struct rig){.now_ns = 1000};
    rig->clock = (struct clock){.now_ns = rig_now_ns, .context = rig};
    const struct actor_options options = {
        .clock = &rig->clock, .actors_max = 100, .mailbox_max = ASKS_MAX, .asks_max = asks_max};
    rig->system = actor_system_new(&options);
    CHECK(rig->system != NULL);
    rig->loop = actor_loop_new(rig->system, "rig");
    CHECK(rig->loop != NULL);
    *asking = (struct asking){.rig = rig, .per_note = 1};
    asking->questions = calloc(ASKS_MAX, sizeof *asking->questions);
    CHECK(asking->questions != NULL);
    for (uint32_t i = 0; i < 4; i++) {
        asking->timeout_ms[i] = UINT64_MAX;
    }
    asking->probe = (struct probe){.on_note = ask_some, .extra = asking};
    probe_spawn(rig, &asking->probe);
}

static void asking_fini(struct asking *asking)
{
    rig_fini(asking->rig);
    for (uint32_t i = 0; i < asking->asked_count; i++) {
        CHECK(asking->questions[i].ended);
    }
    free(asking->questions);
}

static uint32_t asks_counted(const struct rig *rig)
{
    return atomic_load(&rig->system->asks_count);
}

/* ---- the stock ---- */

static void stock_stays_small(void)
{
    struct rig rig;
    static struct asking asking;
    struct probe answerer = {.on_note = answer_at_once};
    asking_init(&asking, &rig, ASKS_MAX);
    probe_spawn(&rig, &answerer);
    asking.to = answerer.address;
    for (uint32_t i = 0; i < 500; i++) {
        rig_tell(&rig, asking.probe.address, i);
        rig_run(&rig);
        CHECK_EQ(asking.ended_count, i + 1);
        CHECK_LE(asks_counted(&rig), STOCK_BOUND);
    }
    /* Many at once, then none. */
    asking.per_note = 1000;
    rig_tell(&rig, asking.probe.address, 0);
    CHECK(actor_loop_step(rig.loop, 1));
    CHECK_GE(asks_counted(&rig), 1000);
    rig_run(&rig);
    CHECK_EQ(asking.ended_count, 1500);
    CHECK_LE(asks_counted(&rig), STOCK_BOUND);
    asking_fini(&asking);
}

static void promises_come_home(void)
{
    struct rig rig;
    static struct asking asking;
    struct probe answerer = {.on_note = answer_at_once};
    asking_init(&asking, &rig, ASKS_MAX);
    struct actor_loop *second = actor_loop_new(rig.system, "second");
    probe_spawn_on(second, &answerer);
    asking.to = answerer.address;
    asking.per_note = 7; /* no multiple of a chunk */
    for (uint32_t i = 0; i < 100; i++) {
        rig_tell(&rig, asking.probe.address, i);
        rig_run(&rig);
        while (actor_loop_step(second, UINT32_MAX)) {
        }
        CHECK_EQ(asking.ended_count, 7 * (i + 1));
        CHECK_LE(asks_counted(&rig), STOCK_BOUND);
        CHECK(second->stock.foreign.first == NULL);
        CHECK(second->stock.free.first == NULL);
    }
    CHECK(atomic_load(&rig.loop->stock.returned) != NULL || rig.loop->stock.free.first != NULL);
    asking_fini(&asking);
}

/* Where a stock is there, and where asks_max is too small for one. */
static void bound_holds_for_actors(void)
{
    static const uint32_t bounds[] = {3, ACTOR_ASKS_STOCK_PART - 1, ACTOR_ASKS_STOCK_PART, 3000};
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        struct rig rig;
        static struct asking asking;
        static struct keeper keeper;
        keeper.count = 0;
        struct probe answerer = {.on_note = keep, .extra = &keeper};
        asking_init(&asking, &rig, bounds[i]);
        probe_spawn(&rig, &answerer);
        asking.to = answerer.address;
        asking.per_note = bounds[i] + 2;
        rig_tell(&rig, asking.probe.address, 0);
        rig_run(&rig);
        CHECK_EQ(keeper.count, bounds[i]);
        CHECK_EQ(asking.full_count, 2);
        actor_reply(answerer.actor, keeper.promises[0], NULL);
        asking.per_note = 2;
        rig_tell(&rig, asking.probe.address, 0);
        rig_run(&rig);
        CHECK_EQ(keeper.count, bounds[i] + 1);
        CHECK_EQ(asking.full_count, 3);
        asking_fini(&asking);
    }
}

/* ---- deadlines ---- */

static void keep_and_check(struct asking *asking, struct rig *rig, struct keeper *keeper,
                           struct probe *answerer)
{
    keeper->count = 0;
    *answerer = (struct probe){.on_note = keep, .extra = keeper};
    asking_init(asking, rig, ASKS_MAX);
    probe_spawn(rig, answerer);
    asking->to = answerer->address;
}

static void like_deadlines_cost_no_timer(void)
{
    struct rig rig;
    static struct asking asking;
    static struct keeper keeper;
    struct probe answerer;
    keep_and_check(&asking, &rig, &keeper, &answerer);
    for (uint32_t i = 0; i < 4; i++) {
        asking.timeout_ms[i] = 10;
    }
    asking.per_note = 100;
    rig_tell(&rig, asking.probe.address, 0);
    rig_run(&rig);
    CHECK_EQ(rig.loop->timers.count, 0);
    uint64_t deadline_ns = rig.now_ns + 10 * NS_PER_MS;
    /* A reply takes one out of the middle, and at each end. */
    actor_reply(answerer.actor, keeper.promises[0], NULL);
    actor_reply(answerer.actor, keeper.promises[50], NULL);
    actor_reply(answerer.actor, keeper.promises[99], NULL);
    CHECK_EQ(asking.ended_count, 3);
    rig.now_ns = deadline_ns - 1;
    CHECK(!loop_has_work(rig.loop));
    CHECK(!actor_loop_step(rig.loop, 1));
    rig.now_ns = deadline_ns;
    CHECK(loop_has_work(rig.loop));
    rig_run(&rig);
    CHECK_EQ(asking.ended_count, 100);
    CHECK_EQ(asking.questions[50].end, ASK_REPLY);
    CHECK_EQ(asking.questions[51].end, ASK_TIMED_OUT);
    CHECK_EQ(asking.order[3], 1); /* in the order of their asks */
    CHECK_EQ(asking.order[99], 98);
    asking_fini(&asking);
}

static void mixed_deadlines_each_at_its_time(void)
{
    static const uint64_t timeouts_ms[4] = {40, 10, 30, 20};
    struct rig rig;
    static struct asking asking;
    static struct keeper keeper;
    struct probe answerer;
    keep_and_check(&asking, &rig, &keeper, &answerer);
    for (uint32_t i = 0; i < 4; i++) {
        asking.timeout_ms[i] = timeouts_ms[i];
    }
    asking.per_note = 40;
    rig_tell(&rig, asking.probe.address, 0);
    rig_run(&rig);
    CHECK_GT(rig.loop->timers.count, 0);
    uint64_t begin_ns = rig.now_ns;
    for (uint32_t ms = 1; ms <= 40; ms++) {
        rig.now_ns = begin_ns + ms * NS_PER_MS;
        rig_run(&rig);
        CHECK_EQ(asking.ended_count, ms / 10 * 10);
        for (uint32_t i = 0; i < 40; i++) {
            CHECK(asking.questions[i].ended == (timeouts_ms[i % 4] <= ms));
        }
    }
    asking_fini(&asking);
}

/* In a turn the timeout counts from actor_now_ns(), as an actor's timers do. */
static void deadline_counts_from_the_turn(void)
{
    struct rig rig;
    static struct asking asking;
    static struct keeper keeper;
    struct probe answerer;
    keep_and_check(&asking, &rig, &keeper, &answerer);
    asking.timeout_ms[0] = 10;
    rig_tell(&rig, asking.probe.address, 0);
    CHECK(actor_loop_step(rig.loop, 1)); /* asked at the turn's time */
    uint64_t asked_ns = rig.now_ns;
    rig.now_ns += 4 * NS_PER_MS;
    CHECK(actor_loop_step(rig.loop, 1)); /* delivered */
    CHECK_EQ(keeper.count, 1);
    rig.now_ns = asked_ns + 10 * NS_PER_MS - 1;
    rig_run(&rig);
    CHECK_EQ(asking.ended_count, 0);
    rig.now_ns++;
    rig_run(&rig);
    CHECK_EQ(asking.ended_count, 1);
    CHECK_EQ(asking.questions[0].end, ASK_TIMED_OUT);
    asking_fini(&asking);
}

static void ask_again_when_done(struct ask *ask, enum ask_end end, struct message *reply)
{
    struct question *question = LIST_OWNER(ask, struct question, ask);
    struct asking *asking = question->asking;
    CHECK_EQ(end, ASK_REPLY);
    CHECK(reply == &question->note.message);
    if (++asking->ended_count < 100) {
        CHECK_EQ(actor_ask(asking->rig->system, asking->to, reply, UINT64_MAX, ask), STATUS_OK);
    } else {
        question->ended = true;
    }
}

static void ask_chain(struct probe *probe, struct message *message)
{
    ask_some(probe, message);
    struct asking *asking = probe->extra;
    asking->questions[0].ask.done = ask_again_when_done;
}

static void next_ask_out_of_done(void)
{
    struct rig rig;
    static struct asking asking;
    struct probe answerer = {.on_note = answer_at_once};
    asking_init(&asking, &rig, 1); /* an ask that ends makes room before its done */
    probe_spawn(&rig, &answerer);
    asking.to = answerer.address;
    asking.probe.on_note = ask_chain;
    rig_tell(&rig, asking.probe.address, 0);
    rig_run(&rig);
    CHECK_EQ(asking.ended_count, 100);
    asking_fini(&asking);
}

/* ---- two loops with threads, and a third thread that cancels ---- */

struct volley;

struct volley_item {
    struct ask ask;
    struct volley *volley;
};

struct volley {
    struct rig rig;
    struct actor_loop *second;
    struct probe answerer;
    struct probe asker;
    struct volley_item items[16];
    _Atomic(uint32_t) ends_count[4];
    _Atomic(uint32_t) asked_count;
};

static void volley_done(struct ask *ask, enum ask_end end, struct message *reply)
{
    struct volley *volley = LIST_OWNER(ask, struct volley_item, ask)->volley;
    if (reply != NULL) {
        message_release(reply);
    }
    (void) atomic_fetch_add(&volley->ends_count[end], 1);
}

static uint32_t volley_ended(struct volley *volley)
{
    return volley->ends_count[ASK_REPLY] + volley->ends_count[ASK_TIMED_OUT] +
           volley->ends_count[ASK_DEAD] + volley->ends_count[ASK_CANCELLED];
}

/* A note has 16 questions asked, the next 16 when all have ended. */
static void volley_ask(struct probe *probe, struct message *message)
{
    struct volley *volley = probe->extra;
    message_release(message);
    for (uint32_t i = 0; i < 16; i++) {
        volley->items[i] = (struct volley_item){.ask.done = volley_done, .volley = volley};
        CHECK_EQ(actor_ask(volley->rig.system, volley->answerer.address, note_new(i), i % 3 * 1000,
                           &volley->items[i].ask),
                 STATUS_OK);
    }
    volley->asked_count += 16;
}

static void volley_answer(struct probe *probe, struct message *message)
{
    if (note_of(message)->number % 4 == 3) {
        message_release(message);
    } else {
        actor_reply(probe->actor, actor_defer(message), message);
    }
}

static void asks_between_loops_end_once(void)
{
    static struct volley volley;
    rig_init_real(&volley.rig, 1000);
    volley.second = actor_loop_new(volley.rig.system, "second");
    volley.answerer = (struct probe){.on_note = volley_answer};
    volley.asker = (struct probe){.on_note = volley_ask, .extra = &volley};
    probe_spawn_on(volley.second, &volley.answerer);
    probe_spawn(&volley.rig, &volley.asker);
    CHECK_EQ(actor_loop_start(volley.rig.loop), STATUS_OK);
    CHECK_EQ(actor_loop_start(volley.second), STATUS_OK);
    for (uint32_t round = 1; round <= TEST_SCALE(1000); round++) {
        rig_tell(&volley.rig, volley.asker.address, round);
        while (volley.asked_count < 16 * round) {
            (void) sched_yield();
        }
        for (uint32_t i = round % 16; i < 16; i += 5) {
            actor_ask_cancel(&volley.items[i].ask);
        }
        CHECK_EVENTUALLY(volley_ended(&volley) == 16 * round);
    }
    actor_loop_stop(volley.rig.loop, true);
    actor_loop_stop(volley.second, true);
    CHECK_GT(volley.ends_count[ASK_REPLY], 0);
    CHECK_GT(volley.ends_count[ASK_DEAD], 0);
    rig_fini(&volley.rig);
}

static const struct test_case cases[] = {
    {"an actor's asks leave a small stock behind, however many there were", stock_stays_small, 0},
    {"what is answered on another loop comes home", promises_come_home, 0},
    {"asks_max holds for what actors ask", bound_holds_for_actors, 0},
    {"asks with like timeouts set no timer, and end in order", like_deadlines_cost_no_timer, 0},
    {"asks with mixed timeouts end each at its time", mixed_deadlines_each_at_its_time, 0},
    {"an actor's timeout counts from its turn", deadline_counts_from_the_turn, 0},
    {"an ask may be asked again out of its done, at the bound too", next_ask_out_of_done, 0},
    {"asks between two loops, cancelled from a third thread, end once", asks_between_loops_end_once,
     0},
};
TEST_MAIN(cases)
