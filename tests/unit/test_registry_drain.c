/* SPDX-License-Identifier: MIT */
/* Drains: of a namespace, a session, the daemon. */
#include "registry_rig.h"
#include "testing.h"

#include <stdio.h>
#include <string.h>

static struct rig rig;
static uint64_t ids;

static struct seen ask(uint64_t session, struct op op)
{
    return rig_ask(&rig, 1, session, session == 0 ? 0 : ++ids, op);
}

static void begin(void)
{
    rig_init(&rig, NULL, 1);
    ids = 0;
}

static struct op drain_of(const char *space, uint64_t owner, uint32_t deadline_ms)
{
    return (struct op){.kind = OP_DRAIN,
                       .space = bytes_of_string(space),
                       .as.drain = {.owner = owner, .deadline_ms = deadline_ms}};
}

static struct op drain_all(uint32_t deadline_ms)
{
    return (struct op){.kind = OP_DRAIN, .as.drain = {.daemon = true, .deadline_ms = deadline_ms}};
}

static struct op undrain(struct op drain)
{
    drain.kind = OP_UNDRAIN;
    drain.as.drain.deadline_ms = 0;
    return drain;
}

static struct seen try_store(uint64_t session, const char *space, const char *key)
{
    struct op op = rig_store(key, POLICY_REJECT);
    op.space = bytes_of_string(space);
    return ask(session, op);
}

static uint64_t store(uint64_t session, const char *space, const char *key)
{
    struct seen seen = try_store(session, space, key);
    CHECK_EQ(seen.answer, ANSWER_STORED);
    return seen.gen;
}

static void end(uint64_t session, const char *space, const char *key, uint64_t gen)
{
    struct op op = rig_delete(key, gen, OUTCOME_CANCELLED);
    op.space = bytes_of_string(space);
    CHECK_EQ(ask(session, op).answer, ANSWER_DELETED);
}

static uint64_t stat(const char *row)
{
    return rig_stat(&rig, row);
}

static void an_empty_namespace_is_drained_at_once(void)
{
    begin();
    uint64_t session = rig_open(&rig, 1, 0);
    struct op drain = drain_of("batch", 0, 1000);
    CHECK_EQ(ask(0, undrain(drain)).answer, ANSWER_NOT_FOUND);
    CHECK_EQ(ask(0, drain).answer, ANSWER_DRAINED);
    rig_pass(&rig, 0, 10);
    CHECK_EQ(try_store(session, "batch", "k").answer, ANSWER_DRAINING);
    CHECK_EQ(try_store(session, "", "k").answer, ANSWER_STORED);
    CHECK_EQ(ask(0, drain).answer, ANSWER_DRAINED); /* the same again */
    CHECK_EQ(ask(0, undrain(drain)).answer, ANSWER_UNDRAINED);
    CHECK_EQ(ask(0, undrain(drain)).answer, ANSWER_NOT_FOUND);
    rig_pass(&rig, 0, 10);
    CHECK_EQ(stat("namespaces"), 1); /* nothing of it is left */
    CHECK_EQ(stat("bulks"), 0);
    CHECK_EQ(try_store(session, "batch", "k").answer, ANSWER_STORED);
    rig_fini(&rig);
}

static void it_answers_when_the_last_has_ended(void)
{
    begin();
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t a = store(session, "", "a");
    uint64_t b = store(session, "", "b");
    uint64_t c = store(session, "other", "c");
    (void) ask(0, rig_cancel("b", b));
    rig_park(&rig, 1, 0, 0, drain_of("", 0, 10000));
    CHECK_EQ(stat("drains_waiting"), 1);
    rig_pass(&rig, 0, 2);
    CHECK_EQ(stat("operations_cancelling"), 2);
    CHECK_EQ(ask(0, (struct op){.kind = OP_GET, .key = bytes_of_string("a")}).answer, ANSWER_FOUND);
    end(session, "", "a", a);
    size_t replies = rig.replies;
    rig_pass(&rig, 0, 10);
    CHECK_EQ(rig.replies, replies);
    end(session, "", "b", b);
    rig_pass(&rig, 0, 10);
    CHECK_EQ(rig.last.answer, ANSWER_DRAINED);
    CHECK_EQ(rig.last.requested, 1);
    CHECK_EQ(rig.last.already_requested, 1);
    CHECK_EQ(stat("drains_waiting"), 0);
    end(session, "other", "c", c);
    rig_fini(&rig);
}

static void at_the_deadline_it_tells_what_is_left(void)
{
    enum { LEFT = 120 };

    begin();
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t first = 0;
    for (unsigned i = 0; i < LEFT; i++) {
        char key[8];
        (void) snprintf(key, sizeof key, "k%u", i);
        uint64_t gen = store(session, "", key);
        first = first == 0 ? gen : first;
    }
    rig_park(&rig, 1, session, ++ids, drain_of("", 0, 50));
    rig_pass(&rig, 49, 100);
    CHECK_EQ(rig.answers[ANSWER_TIMED_OUT], 0);
    rig_pass(&rig, 1, 100);
    CHECK_EQ(rig.last.answer, ANSWER_TIMED_OUT);
    CHECK_EQ(rig.last.count, LEFT);
    CHECK_EQ(rig.last.requested, LEFT);
    CHECK_EQ(rig.last.gens_count, BULK_RESULTS_MAX);
    CHECK_EQ(rig.lists.gens[0].gen, first);
    CHECK_EQ(rig.lists.gens[0].state, STATE_CANCELLING);
    CHECK_STR_EQ(rig.lists.gens[1].key, "k1");
    CHECK_EQ(try_store(session, "", "more").answer, ANSWER_DRAINING); /* in force still */
    CHECK_EQ(rig_ask(&rig, 1, session, ids - 1, drain_of("", 0, 50)).answer,
             ANSWER_TIMED_OUT); /* the same id, the same answer */
    struct seen now = ask(0, drain_of("", 0, 0));
    CHECK_EQ(now.answer, ANSWER_TIMED_OUT);
    CHECK_EQ(now.count, LEFT);
    rig_fini(&rig);
}

static void a_deadline_of_nothing_answers_now(void)
{
    begin();
    uint64_t session = rig_open(&rig, 1, 0);
    (void) store(session, "", "a");
    struct seen seen = ask(0, drain_of("", 0, 0));
    CHECK_EQ(seen.answer, ANSWER_TIMED_OUT);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(rig.lists.gens[0].state, STATE_LIVE); /* not reached yet */
    rig_pass(&rig, 0, 10);
    CHECK_EQ(stat("operations_cancelling"), 1);
    struct op get = {.kind = OP_GET, .key = bytes_of_string("a")};
    CHECK_EQ(ask(0, get).answer, ANSWER_FOUND);
    rig_fini(&rig);
}

static void a_session_is_drained_in_its_own_namespace(void)
{
    begin();
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t other = rig_open(&rig, 1, 0);
    uint64_t secret = store(session, "far", "secret");
    uint64_t a = store(session, "", "a");
    (void) store(other, "", "c");
    CHECK_EQ(ask(0, drain_of("far", session, 0)).answer, ANSWER_NOT_FOUND); /* not its own */
    CHECK_EQ(ask(0, drain_of("", 12345, 0)).answer, ANSWER_NOT_FOUND);
    rig_park(&rig, 1, other, ++ids, drain_of("", session, 60000));
    rig_pass(&rig, 0, 1);
    CHECK_EQ(stat("operations_cancelling"), 1); /* who may drain here may nothing there */
    CHECK_EQ(try_store(session, "", "d").answer, ANSWER_DRAINING);
    uint64_t more = store(session, "far", "d");
    CHECK_EQ(try_store(other, "", "d").answer, ANSWER_STORED);
    struct seen now = ask(other, drain_of("", session, 0));
    CHECK_EQ(now.answer, ANSWER_TIMED_OUT);
    CHECK_EQ(now.count, 1);
    CHECK_EQ(now.gens_count, 1);
    CHECK_STR_EQ(rig.lists.gens[0].key, "a");
    end(session, "", "a", a);
    rig_pass(&rig, 0, 10);
    CHECK_EQ(rig.last.answer, ANSWER_DRAINED);
    CHECK_EQ(rig.last.requested, 1);
    CHECK_EQ(stat("operations_cancelling"), 0);
    CHECK_EQ(ask(other, undrain(drain_of("", session, 0))).answer, ANSWER_UNDRAINED);
    CHECK_EQ(try_store(session, "", "d2").answer, ANSWER_STORED);
    end(session, "far", "secret", secret);
    end(session, "far", "d", more);
    rig_fini(&rig);
}

/* An adopt is of the session that adopts, in the namespace that it adopts in. */
static void an_adopt_elsewhere_is_not_under_a_sessions_drain(void)
{
    rig_begin(&rig, &(struct rig_options){.epoch = 8, .counter_first = 1, .recovery_ms = 5000});
    ids = 0;
    uint64_t session = rig_open(&rig, 1, 0);
    CHECK_EQ(ask(0, drain_of("", session, 0)).answer, ANSWER_TIMED_OUT);
    rig_pass(&rig, 0, 10);
    struct op adopt = {.kind = OP_ADOPT, .key = bytes_of_string("k"), .gen = RIG_EARLIER(5)};
    CHECK_EQ(ask(session, adopt).cause, CAUSE_SHUTDOWN);
    adopt.space = bytes_of_string("far");
    adopt.gen = RIG_EARLIER(6);
    CHECK_EQ(ask(session, adopt).state, STATE_LIVE);
    rig_fini(&rig);
}

/* Its owner goes while the drain is still on its way along its operations. */
static void what_a_drained_session_keeps_is_cancelled(void)
{
    enum { KEPT = 40 };

    begin();
    uint64_t session = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < KEPT; i++) {
        char key[8];
        (void) snprintf(key, sizeof key, "k%u", i);
        struct op op = rig_store(key, POLICY_REJECT);
        op.as.store.on_owner_loss = ON_OWNER_LOSS_KEEP;
        op.as.store.ttl_ms = 60000;
        op.space = bytes_of_string(i == 0 ? "far" : "");
        CHECK_EQ(ask(session, op).answer, ANSWER_STORED);
    }
    /* So many bulk cancels walk already that those of the drains do not begin. */
    for (unsigned i = 0; i < 20; i++) {
        char space[8];
        (void) snprintf(space, sizeof space, "s%u", i);
        CHECK_EQ(ask(0, drain_of(space, 0, 0)).answer, ANSWER_DRAINED);
    }
    rig_park(&rig, 1, 0, 0, drain_of("", session, 60000));
    CHECK_EQ(ask(session, (struct op){.kind = OP_CLOSE}).answer, ANSWER_CLOSED);
    rig_pass(&rig, 0, 2);
    CHECK_EQ(rig.last.answer, ANSWER_DRAINED);
    rig_pass(&rig, 0, 10);
    CHECK_EQ(stat("operations_cancelling"), KEPT - 1);
    CHECK_EQ(stat("operations_live"), 1); /* of another namespace */
    uint64_t next = rig_open(&rig, 1, 0);
    CHECK_EQ(try_store(next, "", "other").answer, ANSWER_STORED); /* it is nobody's drain now */
    rig_fini(&rig);
}

/* The drain has begun to walk: it says what it did once it has come to its end. */
static void what_a_drain_did_is_counted_to_its_end(void)
{
    enum { KEPT = 400 };

    begin();
    uint64_t session = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < KEPT; i++) {
        char key[8];
        (void) snprintf(key, sizeof key, "k%u", i);
        struct op op = rig_store(key, POLICY_REJECT);
        op.as.store.on_owner_loss = ON_OWNER_LOSS_KEEP;
        op.as.store.ttl_ms = 60000;
        CHECK_EQ(ask(session, op).answer, ANSWER_STORED);
    }
    rig_park(&rig, 1, 0, 0, drain_of("", session, 60000));
    CHECK(registry_advance(rig.registry, rig.now_ms, 5));
    CHECK_EQ(ask(session, (struct op){.kind = OP_CLOSE}).answer, ANSWER_CLOSED);
    rig_pass(&rig, 0, 7);
    CHECK_EQ(rig.last.answer, ANSWER_DRAINED);
    CHECK_EQ(rig.last.requested, KEPT);
    CHECK_EQ(stat("operations_cancelling"), KEPT);
    rig_fini(&rig);
}

static void with_its_session_a_drain_is_over(void)
{
    begin();
    uint64_t session = rig_open(&rig, 1, 0);
    (void) store(session, "", "a");
    rig_park(&rig, 1, 0, 0, drain_of("", session, 60000));
    rig_pass(&rig, 0, 10);
    (void) ask(session, (struct op){.kind = OP_CLOSE});
    rig_pass(&rig, 0, 10);
    CHECK_EQ(rig.last.answer, ANSWER_DRAINED);
    CHECK_EQ(rig.last.requested, 1);
    CHECK_EQ(ask(0, undrain(drain_of("", session, 0))).answer, ANSWER_NOT_FOUND);
    rig_pass(&rig, 60001, 10);
    CHECK_EQ(stat("bulks"), 0);
    CHECK_EQ(stat("namespaces"), 0);
    rig_fini(&rig);
}

static void the_daemon_is_drained_whole(void)
{
    begin();
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t a = store(session, "one", "a");
    uint64_t b = store(session, "two", "b");
    struct op bad = drain_all(1000);
    bad.space = bytes_of_string("one");
    CHECK_STR_EQ(ask(0, bad).field, "namespace");
    bad = drain_all(1000);
    bad.as.drain.owner = 1;
    CHECK_STR_EQ(ask(0, bad).field, "owner");
    bad = drain_all(UINT32_MAX);
    CHECK_STR_EQ(ask(0, bad).field, "deadline_ms");
    bad = drain_all(1);
    bad.as.drain.cause.text = bytes_of_string("a\nb");
    CHECK_STR_EQ(ask(0, bad).field, "text");
    bad = drain_all(1);
    bad.as.drain.cause.actor = bytes_of_string("\xff");
    CHECK_STR_EQ(ask(0, bad).field, "actor");
    rig_park(&rig, 1, 0, 0, drain_all(60000));
    CHECK_EQ(try_store(session, "three", "c").answer, ANSWER_DRAINING);
    rig_pass(&rig, 0, 3);
    CHECK_EQ(stat("operations_cancelling"), 2);
    struct op get = {.kind = OP_GET, .space = bytes_of_string("two"), .key = bytes_of_string("b")};
    CHECK_EQ(ask(0, get).answer, ANSWER_FOUND);
    end(session, "one", "a", a);
    end(session, "two", "b", b);
    rig_pass(&rig, 0, 3);
    CHECK_EQ(rig.last.answer, ANSWER_DRAINED);
    CHECK_EQ(rig.last.requested, 2);
    (void) ask(0, drain_all(0)); /* it begins to walk */
    CHECK_EQ(ask(0, undrain(drain_all(0))).answer, ANSWER_UNDRAINED);
    CHECK_EQ(try_store(session, "three", "c").answer, ANSWER_STORED);
    rig_pass(&rig, 0, 3);
    CHECK_EQ(stat("operations_live"), 1); /* above its fence */
    rig_fini(&rig);
}

static void an_undrain_does_not_answer_a_drain(void)
{
    begin();
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t a = store(session, "", "a");
    rig_park(&rig, 1, 0, 0, drain_of("", 0, 60000));
    rig_park(&rig, 1, 0, 0, drain_of("", 0, 60000)); /* another waits for the same */
    CHECK_EQ(ask(0, undrain(drain_of("", 0, 0))).answer, ANSWER_UNDRAINED);
    rig_pass(&rig, 0, 10);
    CHECK_EQ(stat("drains_waiting"), 2);
    CHECK_EQ(stat("operations_cancelling"), 1); /* it is cancelled all the same */
    uint64_t b = store(session, "", "b");
    end(session, "", "a", a);
    rig_pass(&rig, 0, 10);
    CHECK_EQ(rig.answers[ANSWER_DRAINED], 0);
    end(session, "", "b", b);
    rig_pass(&rig, 0, 10);
    CHECK_EQ(rig.answers[ANSWER_DRAINED], 2);
    rig_fini(&rig);
}

static void many_drains_are_looked_at_in_steps(void)
{
    struct limits limits = limits_default();
    limits.drains = 40;
    rig_init(&rig, &limits, 1);
    ids = 0;
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t gens[2];
    for (unsigned i = 0; i < 2; i++) {
        gens[i] = store(session, i == 0 ? "a" : "b", "k");
    }
    for (unsigned i = 0; i < 40; i++) {
        rig_park(&rig, 1, 0, 0, drain_of(i % 2 == 0 ? "a" : "b", 0, 60000));
    }
    struct seen seen = ask(0, drain_of("a", 0, 60000));
    CHECK_EQ(seen.answer, ANSWER_FULL);
    CHECK_STR_EQ(seen.limit, "drains");
    rig_pass(&rig, 0, 3);
    end(session, "b", "k", gens[1]);
    rig_pass(&rig, 0, 3);
    CHECK_EQ(rig.answers[ANSWER_DRAINED], 20);
    end(session, "a", "k", gens[0]);
    rig_pass(&rig, 0, 1);
    CHECK_EQ(rig.answers[ANSWER_DRAINED], 40);
    rig_fini(&rig);
}

static void an_asker_that_goes_leaves_the_drain(void)
{
    begin();
    uint64_t session = rig_open(&rig, 1, 0);
    (void) store(session, "", "a");
    CHECK(registry_link_up(rig.registry, 2, bytes_of_string("uid:2")));
    rig_park(&rig, 2, 0, 0, drain_of("", 0, 60000));
    registry_link_down(rig.registry, 2, rig.now_ms);
    registry_check(rig.registry);
    CHECK_EQ(stat("drains_waiting"), 0);
    rig_pass(&rig, 0, 10);
    CHECK_EQ(stat("operations_cancelling"), 1);
    CHECK_EQ(try_store(session, "", "b").answer, ANSWER_DRAINING);
    rig_fini(&rig);
}

static void in_the_recovery_time_nothing_is_drained(void)
{
    rig_begin(&rig, &(struct rig_options){.epoch = 8, .counter_first = 1, .recovery_ms = 5000});
    ids = 0;
    uint64_t session = rig_open(&rig, 1, 0);
    struct op now = drain_of("new", 0, 0);
    CHECK_EQ(ask(0, now).answer, ANSWER_TIMED_OUT);
    CHECK_EQ(rig.last.count, 0);
    struct op drain = drain_of("", 0, 60000);
    drain.as.drain.cause.text = bytes_of_string("old");
    rig_park(&rig, 1, 0, 0, drain);
    drain.as.drain.cause.text = bytes_of_string("new");
    rig_park(&rig, 1, 0, 0, drain);
    rig_pass(&rig, 10, 10);
    struct op adopt = {.kind = OP_ADOPT, .key = bytes_of_string("k"), .gen = RIG_EARLIER(5)};
    struct seen seen = ask(session, adopt);
    CHECK_EQ(seen.answer, ANSWER_ADOPTED);
    CHECK_EQ(seen.cause, CAUSE_SHUTDOWN);
    end(session, "", "k", adopt.gen);
    rig_pass(&rig, 4989, 10);
    CHECK_EQ(rig.answers[ANSWER_DRAINED], 0);
    rig_pass(&rig, 1, 10);
    CHECK_EQ(rig.answers[ANSWER_DRAINED], 2);
    adopt.gen = RIG_EARLIER(6);
    seen = ask(session, adopt); /* later, and under it still */
    CHECK_EQ(seen.state, STATE_CANCELLING);
    CHECK_EQ(seen.cause, CAUSE_SHUTDOWN);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"an empty namespace is drained at once, and closed until undrain",
     an_empty_namespace_is_drained_at_once},
    {"a drain answers when the last has ended", it_answers_when_the_last_has_ended},
    {"at its deadline it tells what is left", at_the_deadline_it_tells_what_is_left},
    {"without a deadline it answers now", a_deadline_of_nothing_answers_now},
    {"a session is drained in its own namespace", a_session_is_drained_in_its_own_namespace},
    {"an adopt elsewhere is not under a session's drain",
     an_adopt_elsewhere_is_not_under_a_sessions_drain},
    {"what a drained session keeps is cancelled", what_a_drained_session_keeps_is_cancelled},
    {"what a drain did is counted to its end", what_a_drain_did_is_counted_to_its_end},
    {"with its session a drain is over", with_its_session_a_drain_is_over},
    {"the daemon is drained whole", the_daemon_is_drained_whole},
    {"an undrain does not answer a drain that is waited for", an_undrain_does_not_answer_a_drain},
    {"many drains are looked at in steps", many_drains_are_looked_at_in_steps},
    {"a drain whose asker goes stays in force", an_asker_that_goes_leaves_the_drain},
    {"in the recovery time nothing is drained", in_the_recovery_time_nothing_is_drained},
};

TEST_MAIN(cases)
