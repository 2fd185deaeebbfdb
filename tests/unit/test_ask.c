/* SPDX-License-Identifier: MIT */
/* An ask ends exactly once: by a reply, in time; by its timeout; by the end of the receiver; by a
 * cancel. Here each end, and their races. */
#include "actor_rig.h"

#include <pthread.h>
#include <sched.h>

struct asker {
    struct ask ask;
    _Atomic(uint32_t) ends_count;
    enum ask_end end;
    uint64_t reply; /* its number; UINT64_MAX for an empty one */
};

static void asker_done(struct ask *ask, enum ask_end end, struct message *reply)
{
    struct asker *asker = (struct asker *) ask;
    asker->end = end;
    CHECK(end == ASK_REPLY || reply == NULL);
    asker->reply = UINT64_MAX;
    if (reply != NULL) {
        asker->reply = note_of(reply)->number;
        message_release(reply);
    }
    (void) atomic_fetch_add(&asker->ends_count, 1);
}

static enum status asker_try(struct asker *asker, struct rig *rig, uint64_t to,
                             struct message *message, uint64_t timeout_ms)
{
    *asker = (struct asker){.ask.done = asker_done};
    return actor_ask(rig->system, to, message, timeout_ms, &asker->ask);
}

static void asker_ask(struct asker *asker, struct rig *rig, const struct probe *to,
                      uint64_t timeout_ms)
{
    CHECK_EQ(asker_try(asker, rig, to->address, note_new(1), timeout_ms), STATUS_OK);
}

#define CHECK_ENDED(asker, end_)                                                                   \
    do {                                                                                           \
        CHECK_EQ((asker)->ends_count, 1);                                                          \
        CHECK_EQ((asker)->end, (end_));                                                            \
    } while (0)

/* ---- what an answerer may do ---- */

static void answer(struct probe *probe, struct message *message)
{
    uint64_t number = note_of(message)->number;
    struct promise *promise = actor_defer(message);
    message_release(message);
    actor_reply(probe->actor, promise, note_new(number + 1));
}

static void answer_with_the_same(struct probe *probe, struct message *message)
{
    actor_reply(probe->actor, actor_defer(message), message);
}

static void answer_with_nothing(struct probe *probe, struct message *message)
{
    actor_reply(probe->actor, actor_defer(message), NULL);
    message_release(message);
}

static void keep_promise(struct probe *probe, struct message *message)
{
    probe->promise = actor_defer(message);
    CHECK(probe->promise != NULL);
    CHECK(actor_defer(message) == NULL);
    message_release(message);
}

static void keep_promise_and_exit(struct probe *probe, struct message *message)
{
    keep_promise(probe, message);
    actor_exit(probe->actor);
}

static void forward(struct probe *probe, struct message *message)
{
    CHECK_EQ(actor_forward(probe->actor, probe->other->address, message), STATUS_OK);
}

/* ---- each end ---- */

static void ends_by_a_reply(void)
{
    struct rig rig;
    struct asker asker;
    struct probe probe = {.on_note = answer};
    rig_init(&rig, 100);
    probe_spawn(&rig, &probe);
    asker_ask(&asker, &rig, &probe, 10);
    CHECK_EQ(asker.ends_count, 0);
    rig_run(&rig);
    CHECK_ENDED(&asker, ASK_REPLY);
    CHECK_EQ(asker.reply, 2);
    probe.on_note = answer_with_nothing;
    asker_ask(&asker, &rig, &probe, UINT64_MAX);
    rig_run(&rig);
    CHECK_ENDED(&asker, ASK_REPLY);
    CHECK_EQ(asker.reply, UINT64_MAX);
    probe.on_note = answer_with_the_same;
    asker_ask(&asker, &rig, &probe, UINT64_MAX);
    rig_run(&rig);
    CHECK_ENDED(&asker, ASK_REPLY);
    CHECK_EQ(asker.reply, 1);
    rig.now_ns += 1000 * NS_PER_MS; /* no timeout comes after it */
    rig_run(&rig);
    CHECK_ENDED(&asker, ASK_REPLY);
    rig_fini(&rig);
}

static void a_tell_can_be_answered_too(void)
{
    struct rig rig;
    struct probe probe = {.on_note = answer};
    rig_init(&rig, 100);
    probe_spawn(&rig, &probe);
    rig_tell(&rig, probe.address, 1);
    rig_run(&rig);
    rig_fini(&rig); /* the reply was released */
}

static void ends_by_a_deferred_reply(void)
{
    struct rig rig;
    struct asker asker;
    struct probe probe = {.on_note = keep_promise};
    rig_init(&rig, 100);
    probe_spawn(&rig, &probe);
    asker_ask(&asker, &rig, &probe, 10);
    rig_run(&rig);
    CHECK_EQ(notes_alive, 0); /* the message is gone, the right to answer is not */
    CHECK_EQ(asker.ends_count, 0);
    actor_reply(probe.actor, probe.promise, note_new(5));
    CHECK_ENDED(&asker, ASK_REPLY);
    CHECK_EQ(asker.reply, 5);
    rig_fini(&rig);
}

static void ends_by_its_timeout(void)
{
    struct rig rig;
    struct asker asker;
    struct probe probe = {.on_note = keep_promise};
    rig_init(&rig, 100);
    probe_spawn(&rig, &probe);
    uint64_t deadline_ns = rig.now_ns + 10 * NS_PER_MS;
    asker_ask(&asker, &rig, &probe, 10);
    rig_run(&rig);
    rig.now_ns = deadline_ns - 1;
    rig_run(&rig);
    CHECK_EQ(asker.ends_count, 0);
    rig.now_ns = deadline_ns;
    rig_run(&rig);
    CHECK_ENDED(&asker, ASK_TIMED_OUT);
    actor_reply(probe.actor, probe.promise, note_new(5)); /* too late: released */
    CHECK_ENDED(&asker, ASK_TIMED_OUT);
    CHECK_EQ(notes_alive, 0);
    rig_fini(&rig);
}

static void timeout_counts_from_the_ask(void)
{
    struct rig rig;
    struct asker asker;
    struct probe probe = {.on_note = keep_promise};
    rig_init(&rig, 100);
    probe_spawn(&rig, &probe);
    asker_ask(&asker, &rig, &probe, 10);
    rig.now_ns += 20 * NS_PER_MS; /* the target hung meanwhile */
    rig_run(&rig);
    CHECK_ENDED(&asker, ASK_TIMED_OUT);
    CHECK(probe.promise != NULL); /* it was delivered all the same */
    rig_fini(&rig);
    CHECK_ENDED(&asker, ASK_TIMED_OUT);
}

static void ends_by_the_end_of_the_receiver(void)
{
    struct rig rig;
    struct asker taken;
    struct asker queued;
    struct probe probe = {.on_note = keep_promise_and_exit};
    rig_init(&rig, 100);
    probe_spawn(&rig, &probe);
    asker_ask(&taken, &rig, &probe, 10);
    asker_ask(&queued, &rig, &probe, 10);
    rig_run(&rig);
    CHECK_ENDED(&taken, ASK_DEAD);
    CHECK_ENDED(&queued, ASK_DEAD);
    CHECK_EQ(actor_loop_stats(rig.loop).messages_bounced, 1);
    rig_fini(&rig);
}

static void reply_on_stop(struct actor *self)
{
    struct probe *probe = actor_state(self);
    actor_reply(self, probe->promise, note_new(8));
}

static void may_be_answered_on_stop(void)
{
    static const struct actor_class class = {
        .name = "late", .on_message = probe_on_message, .on_stop = reply_on_stop};
    struct rig rig;
    struct asker asker;
    struct probe probe = {.on_note = keep_promise_and_exit};
    rig_init(&rig, 100);
    CHECK_EQ(actor_spawn(rig.loop, &class, &probe, &probe.actor), STATUS_OK);
    probe.address = actor_self(probe.actor);
    asker_ask(&asker, &rig, &probe, 10);
    rig_run(&rig);
    CHECK_ENDED(&asker, ASK_REPLY);
    CHECK_EQ(asker.reply, 8);
    rig_fini(&rig);
}

static void ends_by_the_end_of_the_loop(void)
{
    for (int drain = 0; drain < 2; drain++) {
        struct rig rig;
        struct asker taken;
        struct asker queued;
        struct asker late;
        struct probe probe = {.on_note = keep_promise};
        rig_init(&rig, 100);
        probe_spawn(&rig, &probe);
        asker_ask(&taken, &rig, &probe, 10);
        rig_run(&rig);
        asker_ask(&queued, &rig, &probe, UINT64_MAX);
        actor_loop_stop(rig.loop, drain != 0);
        CHECK_ENDED(&taken, ASK_DEAD);
        CHECK_ENDED(&queued, ASK_DEAD);
        struct message *message = note_new(1);
        CHECK_EQ(asker_try(&late, &rig, probe.address, message, 10), STATUS_DEAD);
        CHECK_EQ(late.ends_count, 0);
        CHECK(message->promise == NULL);
        message_release(message);
        rig_fini(&rig);
    }
}

static void ends_when_released_unanswered(void)
{
    struct rig rig;
    struct asker asker;
    struct probe probe = {0};
    rig_init(&rig, 100);
    probe_spawn(&rig, &probe);
    asker_ask(&asker, &rig, &probe, UINT64_MAX);
    rig_run(&rig);
    CHECK_EQ(probe.seen_count, 1);
    CHECK_ENDED(&asker, ASK_DEAD);
    rig_fini(&rig);
}

static void ends_by_a_cancel(void)
{
    struct rig rig;
    struct asker queued;
    struct asker taken;
    struct probe probe = {.on_note = keep_promise};
    rig_init(&rig, 100);
    probe_spawn(&rig, &probe);
    asker_ask(&taken, &rig, &probe, 10);
    rig_run(&rig);
    asker_ask(&queued, &rig, &probe, 10);
    actor_ask_cancel(&queued.ask);
    CHECK_ENDED(&queued, ASK_CANCELLED);
    actor_ask_cancel(&taken.ask);
    actor_ask_cancel(&taken.ask); /* ended: nothing */
    CHECK_ENDED(&taken, ASK_CANCELLED);
    actor_reply(probe.actor, probe.promise, note_new(5));
    rig.now_ns += 100 * NS_PER_MS;
    rig_run(&rig);
    CHECK_ENDED(&queued, ASK_CANCELLED);
    CHECK_ENDED(&taken, ASK_CANCELLED);
    rig_fini(&rig);
}

/* ---- forward ---- */

static void forwarded_ask_is_answered_by_the_next(void)
{
    struct rig rig;
    struct asker asker;
    struct probe last = {.on_note = answer};
    struct probe middle = {.on_note = forward, .other = &last};
    rig_init(&rig, 100);
    struct actor_loop *loop = actor_loop_new(rig.system, "second");
    probe_spawn(&rig, &middle);
    probe_spawn_on(loop, &last);
    asker_ask(&asker, &rig, &middle, 10);
    rig_run(&rig);
    /* On its way between two loops: the first one's end is no concern of it. */
    actor_loop_stop(rig.loop, true);
    CHECK_EQ(asker.ends_count, 0);
    CHECK(actor_loop_step(loop, 1));
    CHECK_ENDED(&asker, ASK_REPLY);
    CHECK_EQ(asker.reply, 2);
    rig_fini(&rig);
}

static void forwarded_ask_times_out_at_the_next(void)
{
    struct rig rig;
    struct asker asker;
    struct probe last = {.on_note = keep_promise};
    struct probe middle = {.on_note = forward, .other = &last};
    rig_init(&rig, 100);
    probe_spawn(&rig, &last);
    probe_spawn(&rig, &middle);
    asker_ask(&asker, &rig, &middle, 10);
    rig_run(&rig);
    rig.now_ns += 10 * NS_PER_MS;
    rig_run(&rig);
    CHECK_ENDED(&asker, ASK_TIMED_OUT);
    rig_fini(&rig);
}

static void forward_and_keep_on_failure(struct probe *probe, struct message *message)
{
    CHECK_EQ(actor_forward(probe->actor, probe->other->address, message), STATUS_DEAD);
    keep_promise(probe, message);
}

static void failed_forward_leaves_the_ask(void)
{
    struct rig rig;
    struct asker asker;
    struct probe last = {0};
    struct probe middle = {.on_note = forward_and_keep_on_failure, .other = &last};
    rig_init(&rig, 100);
    probe_spawn(&rig, &last);
    probe_spawn(&rig, &middle);
    actor_exit(last.actor);
    asker_ask(&asker, &rig, &middle, 10);
    rig_run(&rig);
    CHECK_EQ(asker.ends_count, 0);
    rig.now_ns += 10 * NS_PER_MS; /* its deadline still holds */
    rig_run(&rig);
    CHECK_ENDED(&asker, ASK_TIMED_OUT);
    rig_fini(&rig);
}

/* ---- bounds ---- */

static void asks_are_bounded(void)
{
    struct rig rig = {.now_ns = 1000};
    rig.clock = (struct clock){.now_ns = rig_now_ns, .context = &rig};
    const struct actor_options options = {
        .clock = &rig.clock, .actors_max = 10, .mailbox_max = 2, .asks_max = 3};
    rig.system = actor_system_new(&options);
    rig.loop = actor_loop_new(rig.system, "rig");
    struct asker askers[4];
    struct probe probe = {.on_note = keep_promise};
    struct message *refused = note_new(9);
    probe_spawn(&rig, &probe);
    asker_ask(&askers[0], &rig, &probe, 10);
    asker_ask(&askers[1], &rig, &probe, 10);
    /* The mailbox's bound, then that of the asks. */
    CHECK_EQ(asker_try(&askers[2], &rig, probe.address, refused, 10), STATUS_FULL);
    rig_run(&rig);
    asker_ask(&askers[2], &rig, &probe, 10);
    rig_run(&rig);
    CHECK_EQ(asker_try(&askers[3], &rig, probe.address, refused, 10), STATUS_FULL);
    actor_reply(probe.actor, probe.promise, NULL);
    CHECK_EQ(asker_try(&askers[3], &rig, probe.address, refused, 10), STATUS_OK);
    rig_fini(&rig);
    CHECK_ENDED(&askers[0], ASK_DEAD);
    CHECK_ENDED(&askers[2], ASK_REPLY);
    CHECK_ENDED(&askers[3], ASK_DEAD);
}

/* ---- waiting ---- */

static void wait_for_each_end(void)
{
    struct rig rig;
    struct probe answerer = {.on_note = answer};
    struct probe keeper = {.on_note = keep_promise};
    struct probe leaver = {.on_note = keep_promise_and_exit};
    struct message *reply = NULL;
    rig_init_real(&rig, 100);
    probe_spawn(&rig, &answerer);
    probe_spawn(&rig, &keeper);
    probe_spawn(&rig, &leaver);
    CHECK_EQ(actor_loop_start(rig.loop), STATUS_OK);
    for (uint64_t i = 0; i < 100; i++) {
        CHECK_EQ(actor_ask_wait(rig.system, answerer.address, note_new(i), 10000, &reply),
                 STATUS_OK);
        CHECK_EQ(note_of(reply)->number, i + 1);
        message_release(reply);
    }
    uint64_t begin_ns = clock_now_ns(&clock_system);
    CHECK_EQ(actor_ask_wait(rig.system, keeper.address, note_new(1), 20, &reply), STATUS_TIMED_OUT);
    CHECK_GE(clock_now_ns(&clock_system) - begin_ns, 20 * NS_PER_MS);
    CHECK_EQ(actor_ask_wait(rig.system, leaver.address, note_new(1), 10000, &reply), STATUS_DEAD);
    CHECK_EQ(actor_ask_wait(rig.system, leaver.address, note_new(1), 10000, &reply), STATUS_DEAD);
    actor_loop_stop(rig.loop, true);
    CHECK_EQ(actor_ask_wait(rig.system, keeper.address, note_new(1), 10000, &reply), STATUS_DEAD);
    rig_fini(&rig);
}

/* ---- races ---- */

#define RACE_ASKS 64

struct race {
    struct rig rig;
    struct probe probe;
    struct asker askers[RACE_ASKS];
    _Atomic(uint32_t) asked_count;
};

/* Answers at once, or never, or leaves it to the timeout, by turns. */
static void answer_some(struct probe *probe, struct message *message)
{
    uint64_t number = note_of(message)->number;
    if (number % 3 == 0) {
        message_release(message);
    } else if (number % 3 == 1) {
        answer(probe, message);
    } else {
        keep_promise(probe, message);
    }
}

static void *cancel_all(void *argument)
{
    struct race *race = argument;
    for (uint32_t i = 0; i < RACE_ASKS; i++) {
        while (race->asked_count <= i) {
            (void) sched_yield();
        }
        actor_ask_cancel(&race->askers[i].ask);
    }
    return NULL;
}

/* Asks on one thread, cancels on another, replies and timeouts on the loop: whoever comes first. */
static void race_once(struct race *race, uint32_t ends_count[4])
{
    race->asked_count = 0;
    race->probe = (struct probe){.on_note = answer_some};
    rig_init_real(&race->rig, RACE_ASKS);
    probe_spawn(&race->rig, &race->probe);
    CHECK_EQ(actor_loop_start(race->rig.loop), STATUS_OK);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, cancel_all, race), 0);
    for (uint32_t i = 0; i < RACE_ASKS; i++) {
        CHECK_EQ(asker_try(&race->askers[i], &race->rig, race->probe.address, note_new(i), i % 2),
                 STATUS_OK);
        race->asked_count = i + 1;
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    actor_loop_stop(race->rig.loop, true);
    for (uint32_t i = 0; i < RACE_ASKS; i++) {
        CHECK_EQ(race->askers[i].ends_count, 1);
        ends_count[race->askers[i].end]++;
    }
    rig_fini(&race->rig);
}

static void races_end_once(void)
{
    static struct race race;
    uint32_t ends_count[4] = {0};
    for (uint32_t i = 0; i < TEST_SCALE(1000); i++) {
        race_once(&race, ends_count);
    }
    /* Else it was no race. */
    CHECK_GT(ends_count[ASK_REPLY], 0);
    CHECK_GT(ends_count[ASK_DEAD], 0);
    CHECK_GT(ends_count[ASK_TIMED_OUT], 0);
    CHECK_GT(ends_count[ASK_CANCELLED], 0);
}

static void *wait_often(void *argument)
{
    struct race *race = argument;
    for (uint64_t i = 0; i < TEST_SCALE(4000); i++) {
        struct message *reply;
        struct message *message = note_new(3 * i + 1);
        enum status status =
            actor_ask_wait(race->rig.system, race->probe.address, message, i % 2, &reply);
        if (status == STATUS_OK) {
            CHECK_EQ(note_of(reply)->number, 3 * i + 2);
            message_release(reply);
        } else if (status == STATUS_FULL) {
            message_release(message);
        } else {
            CHECK_EQ(status, STATUS_TIMED_OUT);
        }
    }
    return NULL;
}

static void short_waits_leave_nothing(void)
{
    static struct race race;
    race.probe = (struct probe){.on_note = answer_some};
    rig_init_real(&race.rig, RACE_ASKS);
    probe_spawn(&race.rig, &race.probe);
    CHECK_EQ(actor_loop_start(race.rig.loop), STATUS_OK);
    pthread_t threads[3];
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, wait_often, &race), 0);
    }
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    actor_loop_stop(race.rig.loop, true);
    rig_fini(&race.rig);
}

static const struct test_case cases[] = {
    {"an ask ends by its reply, an empty one too", ends_by_a_reply, 0},
    {"an answer to a plain message is released", a_tell_can_be_answered_too, 0},
    {"a deferred reply ends the ask when it comes", ends_by_a_deferred_reply, 0},
    {"an ask ends at its timeout, never before, and a late reply is released", ends_by_its_timeout,
     0},
    {"a timeout counts from the ask, not from the delivery", timeout_counts_from_the_ask, 0},
    {"an ask ends DEAD when its receiver does", ends_by_the_end_of_the_receiver, 0},
    {"an actor may answer in its last call", may_be_answered_on_stop, 0},
    {"an ask ends DEAD when the loop stops, and none is taken after", ends_by_the_end_of_the_loop,
     0},
    {"an ask whose message is released unanswered ends DEAD", ends_when_released_unanswered, 0},
    {"an ask ends by its cancel, and what comes later is released", ends_by_a_cancel, 0},
    {"a forwarded ask is answered by the next one, on another loop too",
     forwarded_ask_is_answered_by_the_next, 0},
    {"a forwarded ask keeps its deadline", forwarded_ask_times_out_at_the_next, 0},
    {"a forward that fails leaves the ask where it was", failed_forward_leaves_the_ask, 0},
    {"asks are bounded, and an end makes room", asks_are_bounded, 0},
    {"a thread can wait for each end", wait_for_each_end, 0},
    {"reply, timeout, release and cancel race, and each ask ends once", races_end_once, 0},
    {"short waits leave nothing behind", short_waits_leave_nothing, 0},
};
TEST_MAIN(cases)
