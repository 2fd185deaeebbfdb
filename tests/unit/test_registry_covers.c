/* SPDX-License-Identifier: MIT */
/* The bounds of a restart: how many cancels may cover what is adopted later, what is recovered at a bound,
 * and what a bulk cancel leaves alone while it walks. */
#include "registry_rig.h"
#include "testing.h"

#define EPOCH UINT64_C(7)
#define EARLIER_GEN(n) (((EPOCH - 1) << GEN_COUNTER_BITS) | (n))
#define RECOVERY_MS 5000

static struct rig rig;

static void begin(struct limits limits, bool journal)
{
    rig_begin(&rig, &(struct rig_options){.limits = &limits,
                                          .epoch = EPOCH,
                                          .counter_first = 1,
                                          .recovery_ms = RECOVERY_MS,
                                          .journal = journal});
}

static struct op adopt(const char *key, uint64_t gen)
{
    return (struct op){.kind = OP_ADOPT, .key = bytes_of_string(key), .gen = gen};
}

static struct op adopt_joined(const char *key, uint64_t gen)
{
    struct op op = adopt(key, gen);
    op.as.store.policy = POLICY_JOIN; /* beside the others of its key */
    return op;
}

static struct op in(const char *space, struct op op)
{
    op.space = bytes_of_string(space);
    return op;
}

static struct op cancel_label(const char *label)
{
    return (struct op){.kind = OP_CANCEL, .as.cancel.label = bytes_of_string(label)};
}

static struct op cancel_all(void)
{
    return (struct op){.kind = OP_CANCEL, .as.cancel.whole_namespace = true};
}

static const struct cause given = {.code = CAUSE_USER, .text = {(const uint8_t *) "why", 3}};

/* ---- how many may cover what is adopted later ---- */

static void at_the_bound_of_covers_cancels_are_put_off(void)
{
    struct limits limits = limits_default();
    limits.covers = 1;
    begin(limits, false);
    uint64_t session = rig_open(&rig, 1, 0);
    (void) rig_do(&rig, session, adopt("a", EARLIER_GEN(5)));
    (void) rig_do(&rig, session, adopt("b", EARLIER_GEN(6)));
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("a", 0)).answer, ANSWER_REQUESTED);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("b", 0)).answer, ANSWER_RECOVERING);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, cancel_label("x")).answer, ANSWER_RECOVERING);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, (struct op){.kind = OP_DRAIN, .as.drain.owner = 0}).answer,
             ANSWER_RECOVERING);
    /* What is covered needs no other, nor does a gen. */
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("a", 0)).answer, ANSWER_ALREADY_REQUESTED);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("b", EARLIER_GEN(6))).answer, ANSWER_REQUESTED);
    rig_pass(&rig, RECOVERY_MS + 1, 16);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("b", 0)).answer, ANSWER_ALREADY_REQUESTED);
    rig_fini(&rig);
}

static void at_another_bound_the_answer_is_full(void)
{
    struct limits limits = limits_default();
    limits.bulks = 1;
    limits.covers = 2;
    begin(limits, false);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, cancel_label("x")).answer, ANSWER_NOT_FOUND);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, cancel_label("x")).answer, ANSWER_NOT_FOUND); /* it runs */
    CHECK_STR_EQ(rig_ask(&rig, 1, 0, 0, cancel_label("x")).limit, "bulks");
    CHECK_STR_EQ(rig_ask(&rig, 1, 0, 0, (struct op){.kind = OP_DRAIN, .as.drain.owner = 0}).limit,
                 "bulks");
    rig_pass(&rig, 1, 16);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, cancel_label("x")).answer, ANSWER_NOT_FOUND);
    rig_fini(&rig);
}

static void a_cancel_of_an_unknown_namespace_needs_a_place_for_it(void)
{
    struct limits limits = limits_default();
    limits.namespaces = 1;
    begin(limits, false);
    (void) rig_open(&rig, 1, 0);
    CHECK_STR_EQ(rig_ask(&rig, 1, 0, 0, in("other", cancel_all())).limit, "namespaces");
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, cancel_all()).answer, ANSWER_NOT_FOUND);
    rig_fini(&rig);
}

static void a_cancel_of_more_gens_covers_more(void)
{
    begin(limits_default(), false);
    uint64_t session = rig_open(&rig, 1, 0);
    (void) rig_do(&rig, session, adopt_joined("k", EARLIER_GEN(10)));
    struct op cancel = rig_cancel("k", 0);
    cancel.as.cancel.after_gen = EARLIER_GEN(5);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, cancel).answer, ANSWER_REQUESTED);
    CHECK_EQ(rig_do(&rig, session, adopt_joined("k", EARLIER_GEN(4))).state, STATE_LIVE);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("k", 0)).answer, ANSWER_REQUESTED);
    CHECK_EQ(rig_do(&rig, session, adopt_joined("k", EARLIER_GEN(3))).state, STATE_CANCELLING);
    CHECK_EQ(rig_do(&rig, session, adopt_joined("k", EARLIER_GEN(6))).state, STATE_CANCELLING);
    rig_fini(&rig);
}

/* A bulk cancel keeps the registry from being idle where it may cover what is adopted later. */
static void a_cover_keeps_the_registry_from_being_idle(void)
{
    begin(limits_default(), false);
    uint64_t session = rig_open(&rig, 1, 0);
    CHECK(registry_is_idle(rig.registry));
    rig_pass(&rig, RECOVERY_MS + 1, 16);
    uint64_t gen = rig_do(&rig, session, rig_store("k", POLICY_REJECT)).gen;
    rig_park(&rig, 1, 0, 9, cancel_all());
    rig_pass(&rig, 1, 16);
    CHECK(!registry_is_idle(rig.registry));
    (void) rig_do(&rig, session, rig_delete("k", gen, OUTCOME_CANCELLED));
    CHECK(registry_is_idle(rig.registry)); /* though the bulk cancel is remembered */
    rig_pass(&rig, limits_default().finished_ms + 1, 16);
    CHECK(registry_is_idle(rig.registry));
    rig_fini(&rig);
    begin(limits_default(), false);
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, cancel_label("x")).answer, ANSWER_NOT_FOUND);
    rig_pass(&rig, RECOVERY_MS + 1, 16);
    CHECK(!registry_is_idle(rig.registry));
    rig_fini(&rig);
}

/* ---- what is recovered at a bound ---- */

static struct journal_record bulk(enum bulk_scope scope, const char *space)
{
    return (struct journal_record){.kind = JOURNAL_BULK,
                                   .scope = scope,
                                   .space = bytes_of_string(space),
                                   .fence = EARLIER_GEN(9),
                                   .cause = given};
}

static struct journal_record bulk_label(const char *label)
{
    struct journal_record record = bulk(BULK_LABEL, "one");
    record.label = bytes_of_string(label);
    return record;
}

static struct journal_record bulk_owner(uint64_t owner)
{
    struct journal_record record = bulk(BULK_OWNER, "one");
    record.owner = owner;
    return record;
}

static struct journal_record bulk_key(const char *key)
{
    struct journal_record record = bulk(BULK_KEY, "one");
    record.key = bytes_of_string(key);
    return record;
}

static bool recovers(struct journal_record record)
{
    bool good = registry_recover(rig.registry, &record);
    registry_check(rig.registry);
    return good;
}

static void at_the_bound_bulks_of_one_target_become_one(void)
{
    struct limits limits = limits_default();
    limits.bulks = 1;
    limits.covers = 3;
    begin(limits, false);
    CHECK(recovers(bulk(BULK_SPACE, "one")) && recovers(bulk_label("x")));
    CHECK(recovers(bulk_owner(5)) && recovers(bulk_key("k")));
    struct journal_record later = bulk_label("x");
    later.fence = EARLIER_GEN(20);
    CHECK(recovers(later) && recovers(bulk(BULK_SPACE, "one")));
    CHECK(recovers(bulk_owner(5)) && recovers(bulk_key("k")));
    CHECK(!recovers(bulk(BULK_SPACE, "two")) && !recovers(bulk_label("y")));
    CHECK(!recovers(bulk_owner(6)) && !recovers(bulk_key("l")));
    CHECK(!recovers(bulk(BULK_SCOPE_END, "one")));
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, in("one", cancel_label("z"))).answer, ANSWER_RECOVERING);
    /* Its fence is the highest. */
    uint64_t session = rig_open(&rig, 1, 0);
    struct bytes x = bytes_of_string("x");
    struct op op = in("one", adopt("a", EARLIER_GEN(15)));
    CHECK_EQ(rig_do(&rig, session, op).state, STATE_LIVE);
    op = in("one", adopt("b", EARLIER_GEN(16)));
    op.as.store.labels = (struct labels){.items = &x, .count = 1};
    CHECK_EQ(rig_do(&rig, session, op).state, STATE_CANCELLING);
    rig_fini(&rig);
}

static void a_bulk_whose_label_has_no_place_is_not_recovered(void)
{
    struct limits limits = limits_default();
    limits.labels = 1;
    begin(limits, false);
    CHECK(recovers(bulk_label("x")) && recovers(bulk_label("x")));
    CHECK(!recovers(bulk_label("y")));
    rig_fini(&rig);
}

static struct journal_record arm_of(const char *space, const char *key)
{
    return (struct journal_record){.kind = JOURNAL_ARM,
                                   .space = bytes_of_string(space),
                                   .key = bytes_of_string(key),
                                   .ttl_ms = 10000,
                                   .cause = given};
}

static void arms_are_recovered_up_to_their_bound(void)
{
    struct limits limits = limits_default();
    limits.armed = 2;
    limits.namespaces = 1;
    begin(limits, false);
    CHECK(recovers(bulk_key("k")) && recovers(arm_of("one", "k")) && recovers(arm_of("one", "k")));
    CHECK(!recovers(arm_of("two", "k"))); /* no place for the namespace */
    CHECK(recovers(arm_of("one", "l")));
    CHECK(!recovers(arm_of("one", "m")));
    rig_fini(&rig);
}

/* ---- a cancel of an earlier run is of one namespace ---- */

static void a_recovered_cancel_is_of_its_namespace(void)
{
    begin(limits_default(), false);
    struct journal_record record = {.kind = JOURNAL_CANCEL,
                                    .space = bytes_of_string("one"),
                                    .key = bytes_of_string("parent"),
                                    .gen = EARLIER_GEN(1),
                                    .cause = given};
    CHECK(recovers(record));
    uint64_t session = rig_open(&rig, 1, 0);
    struct op child = in("two", adopt("child", EARLIER_GEN(2)));
    child.as.store.parent = EARLIER_GEN(1);
    CHECK_EQ(rig_do(&rig, session, child).state, STATE_LIVE);
    child = in("one", child);
    child.gen = EARLIER_GEN(3);
    CHECK_EQ(rig_do(&rig, session, child).state, STATE_CANCELLING);
    rig_fini(&rig);
}

/* ---- what a bulk cancel leaves alone ---- */

/* It has another cause by then, and was not there when the bulk cancel began: it is none of those cancelled
 * before. */
static void what_is_adopted_while_it_walks_is_not_told_of(void)
{
    begin(limits_default(), false);
    struct journal_record record = {.kind = JOURNAL_CANCEL,
                                    .space = bytes_of_string("default"),
                                    .key = bytes_of_string("adopted"),
                                    .gen = EARLIER_GEN(1),
                                    .cause = given};
    CHECK(recovers(record));
    uint64_t session = rig_open(&rig, 1, 0);
    static const char *const keys[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        (void) rig_do(&rig, session, rig_store(keys[i], POLICY_REJECT));
    }
    rig_park(&rig, 1, 0, 9, cancel_all());
    CHECK(registry_advance(rig.registry, rig.now_ms, 2));
    CHECK_EQ(rig_do(&rig, session, adopt("adopted", EARLIER_GEN(1))).state, STATE_CANCELLING);
    rig_pass(&rig, 1, 2);
    CHECK_EQ(rig.last_request_id, 9);
    CHECK_EQ(rig.last.requested, sizeof keys / sizeof keys[0]);
    CHECK_EQ(rig.last.already_requested, 0);
    rig_fini(&rig);
}

/* ---- while the journal is full ---- */

/* The recovery time is over, so nobody reckoned with it when the cancel was accepted. */
static void what_is_adopted_late_is_among_the_results(void)
{
    begin(limits_default(), false);
    uint64_t session = rig_open(&rig, 1, 0);
    rig_pass(&rig, RECOVERY_MS + 1, 16);
    CHECK_EQ(rig_do(&rig, session, rig_store("k", POLICY_REJECT)).answer, ANSWER_STORED);
    struct op bulk = {.kind = OP_CANCEL, .as.cancel.owner = session};
    rig_park(&rig, 1, session, 1000, bulk);
    for (unsigned i = 0; i < 3; i++) {
        const char *const keys[] = {"a", "b", "c"};
        struct seen seen = rig_do(&rig, session, adopt(keys[i], EARLIER_GEN(10 + i)));
        CHECK_EQ(seen.state, STATE_CANCELLING);
    }
    rig_pass(&rig, 0, 4);
    CHECK_EQ(rig.last.answer, ANSWER_REQUESTED);
    CHECK_EQ(rig.last.requested, 4);
    CHECK_EQ(rig.last.gens_count, 4);
    rig_fini(&rig);
}

/* Fewer than there are, rather than more than a session, or all of them, may have: answers that are not freed fill
 * it. */
static void no_room_for_its_result(const struct limits *limits, const char *limit)
{
    begin(*limits, false);
    uint64_t session = rig_open(&rig, 1, 0);
    rig_pass(&rig, RECOVERY_MS + 1, 16);
    CHECK_EQ(rig_do(&rig, session, rig_store("k", POLICY_REJECT)).answer, ANSWER_STORED);
    struct op bulk = {.kind = OP_CANCEL, .as.cancel.owner = session};
    uint64_t id = 1000;
    rig_park(&rig, 1, session, id++, bulk);
    CHECK_EQ(rig_ask(&rig, 1, session, id++, adopt("a", EARLIER_GEN(10))).state, STATE_CANCELLING);
    while (rig.refused == ERROR_UNSET) {
        (void) rig_ask(&rig, 1, session, id++,
                       (struct op){.kind = OP_DISARM, .key = adopt("k", 0).key});
    }
    CHECK_STR_EQ(rig.refused_limit, limit);
    rig_pass(&rig, 0, 4);
    CHECK_EQ(rig.last_request_id, 1000);
    CHECK_EQ(rig.last.requested, 2);
    CHECK_EQ(rig.last.gens_count, 1);
    rig_fini(&rig);
}

static void what_is_adopted_late_finds_no_room_for_its_result(void)
{
    struct limits limits = limits_default();
    limits.replies_session_bytes = 2000;
    no_room_for_its_result(&limits, "replies_session_bytes");
    limits = limits_default();
    limits.replies_bytes = 2000;
    no_room_for_its_result(&limits, "replies_bytes");
}

static void an_adopt_records_nothing_while_the_journal_is_full(void)
{
    begin(limits_default(), true);
    struct journal_record record = {.kind = JOURNAL_CANCEL,
                                    .space = bytes_of_string("default"),
                                    .key = bytes_of_string("k"),
                                    .gen = EARLIER_GEN(1),
                                    .cause = given};
    CHECK(recovers(record));
    uint64_t session = rig_open(&rig, 1, 0);
    rig.journal_pending = limits_default().journal_bytes;
    CHECK_EQ(rig_do(&rig, session, adopt("k", EARLIER_GEN(1))).state, STATE_CANCELLING);
    CHECK_EQ(rig_do(&rig, session, adopt("k", EARLIER_GEN(1))).state, STATE_CANCELLING);
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 0);
    rig_fini(&rig);
}

/* Of two that a bulk cancel cancelled; `pending` while they end by another than their owner. */
static size_t records_of_ends(uint64_t pending)
{
    begin(limits_default(), true);
    rig_pass(&rig, RECOVERY_MS + 1, 16);
    uint64_t owner = rig_open(&rig, 1, 0);
    uint64_t other = rig_open(&rig, 1, 0);
    uint64_t gen = rig_ask(&rig, 1, owner, 1, rig_store("k", POLICY_REJECT)).gen;
    rig_park(&rig, 1, 0, 9, cancel_all());
    rig_pass(&rig, 1, 16);
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    rig.journal_pending = pending;
    struct op op = rig_delete("k", gen, OUTCOME_COMPLETED);
    struct frame frame = {
        .version = 1, .session = other, .request_id = 1, .ops = &op, .ops_count = 1};
    rig_send(&rig, 1, &frame);
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    CHECK_EQ(rig.first.answer, ANSWER_DELETED);
    size_t records = rig.records_of[JOURNAL_CANCEL];
    rig_fini(&rig);
    return records;
}

static void an_end_records_a_bulk_cancel_where_there_is_room(void)
{
    CHECK_EQ(records_of_ends(0), 1);
    CHECK_EQ(records_of_ends(limits_default().journal_bytes), 0);
}

static void the_use_of_an_arm_needs_the_journal(void)
{
    begin(limits_default(), true);
    rig_pass(&rig, RECOVERY_MS + 1, 16);
    uint64_t session = rig_open(&rig, 1, 0);
    struct op op = rig_cancel("k", 0);
    op.as.cancel.arm_ttl_ms = 1000;
    rig_park(&rig, 1, 0, 9, op);
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    CHECK_EQ(rig.last.answer, ANSWER_ARMED);
    rig.journal_pending = limits_default().journal_bytes;
    CHECK_STR_EQ(rig_do(&rig, session, rig_store("k", POLICY_REJECT)).limit, "journal");
    CHECK_EQ(rig_do(&rig, session, rig_store("l", POLICY_REJECT)).answer, ANSWER_STORED);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"at the bound of covers a cancel of the recovery time is put off",
     at_the_bound_of_covers_cancels_are_put_off},
    {"at another bound a bulk cancel of the recovery time answers FULL",
     at_another_bound_the_answer_is_full},
    {"a bulk cancel of an unknown namespace needs a place for its name",
     a_cancel_of_an_unknown_namespace_needs_a_place_for_it},
    {"a second cancel of a key that means more gens covers them too",
     a_cancel_of_more_gens_covers_more},
    {"a bulk cancel of the recovery time keeps the registry from being idle",
     a_cover_keeps_the_registry_from_being_idle},
    {"at the bound recovered bulk cancels of one target become one",
     at_the_bound_bulks_of_one_target_become_one},
    {"a bulk cancel whose label has no place is not recovered",
     a_bulk_whose_label_has_no_place_is_not_recovered},
    {"arms are recovered up to their bound", arms_are_recovered_up_to_their_bound},
    {"a recovered cancel is of its namespace alone", a_recovered_cancel_is_of_its_namespace},
    {"what is adopted while a bulk cancel walks is none of those cancelled before it",
     what_is_adopted_while_it_walks_is_not_told_of},
    {"what is adopted late, and covered by a bulk cancel, is among its results",
     what_is_adopted_late_is_among_the_results},
    {"what is adopted late finds no room for its result",
     what_is_adopted_late_finds_no_room_for_its_result},
    {"an adopt records nothing while the journal is full",
     an_adopt_records_nothing_while_the_journal_is_full},
    {"an end records a bulk cancel where the journal has room",
     an_end_records_a_bulk_cancel_where_there_is_room},
    {"a store of an armed key needs the journal", the_use_of_an_arm_needs_the_journal},
};
TEST_MAIN(cases)
