/* SPDX-License-Identifier: MIT */
/* How bulk cancels walk while everything moves, how they take turns, and what they leave for the
 * journal and for those that are adopted later. */
#include "registry_rig.h"
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rig rig;
static uint64_t ids;

static const struct bytes label_x[] = {{(const uint8_t *) "x", 1}};
static const struct bytes label_y[] = {{(const uint8_t *) "y", 1}};

static struct seen ask(uint64_t session, struct op op)
{
    return rig_ask(&rig, 1, session, session == 0 ? 0 : ++ids, op);
}

static uint64_t stat(const char *row)
{
    return rig_stat(&rig, row);
}

static struct op cancel_label(const char *label)
{
    return (struct op){.kind = OP_CANCEL, .as.cancel.label = bytes_of_string(label)};
}

static struct op cancel_space(void)
{
    return (struct op){.kind = OP_CANCEL, .as.cancel.whole_namespace = true};
}

static struct op cancel_owner(uint64_t session)
{
    return (struct op){.kind = OP_CANCEL, .as.cancel.owner = session};
}

static struct op store_labelled(const char *key, const struct bytes *label)
{
    struct op op = rig_store(key, POLICY_REJECT);
    op.as.store.labels = (struct labels){label, 1};
    return op;
}

static struct op adopt_labelled(const char *key, uint64_t gen, const struct bytes *label)
{
    struct op op = store_labelled(key, label);
    op.kind = OP_ADOPT;
    op.gen = gen;
    return op;
}

static void recover(void)
{
    rig_begin(&rig, &(struct rig_options){
                        .epoch = 8, .counter_first = 1, .recovery_ms = 5000, .journal = true});
    ids = 0;
}

/* ---- while everything moves ---- */

enum { PIECES_MAX = 1000, PIECES_MANY = 120, PIECES_FEW = 8 };

/* An operation, as the test knows it. */
struct piece {
    char key[12];
    uint64_t gen;
    unsigned session;
    bool x; /* its label; others have y, or none and are plain */
    bool gone;
    bool was_there; /* at the acceptance */
    bool was_cancelled;
    bool adopted;
    bool is_cancelled; /* when it went, or when it was adopted */
};

static struct piece pieces[PIECES_MAX];
static unsigned pieces_count;
static uint64_t sessions[2];
static uint64_t earlier_next;
static uint64_t chance;

static struct piece *add_piece(bool adopts)
{
    struct piece *piece = &pieces[pieces_count];
    bool sure = pieces_count == PIECES_FEW - 1; /* one that each of the cancels means */
    *piece = (struct piece){.session = sure ? 0 : test_random(&chance) % 2,
                            .x = sure || test_random(&chance) % 2 == 0,
                            .adopted = adopts};
    (void) snprintf(piece->key, sizeof piece->key, "k%u", pieces_count++);
    bool plain = !piece->x && test_random(&chance) % 4 != 0;
    struct op op = plain ? rig_store(piece->key, POLICY_REJECT)
                         : store_labelled(piece->key, piece->x ? label_x : label_y);
    if (adopts) {
        op.kind = OP_ADOPT;
        op.gen = earlier_next++;
    }
    struct seen seen = ask(sessions[piece->session], op);
    CHECK_EQ(seen.answer, adopts ? ANSWER_ADOPTED : ANSWER_STORED);
    piece->gen = seen.gen;
    piece->is_cancelled = seen.state == STATE_CANCELLING;
    return piece;
}

static void end_piece(struct piece *piece)
{
    if (piece->gone) {
        return;
    }
    struct seen seen =
        ask(sessions[piece->session], rig_delete(piece->key, piece->gen, OUTCOME_COMPLETED));
    CHECK_EQ(seen.answer, ANSWER_DELETED);
    piece->gone = true;
    piece->is_cancelled = seen.cancelled;
}

static void make_whole(const struct piece *piece)
{
    struct op wait = rig_wait(piece->key, UNTIL_ENDED, 0);
    wait.gen = piece->gen;
    enum answer answer = ask(0, wait).answer;
    CHECK(answer == (piece->gone ? ANSWER_ENDED : ANSWER_TIMED_OUT) ||
          (piece->gone && answer == ANSWER_NOT_FOUND));
}

static bool is_meant(const struct piece *piece, unsigned scope)
{
    return scope == 0 || (scope == 1 && piece->x) || (scope == 2 && piece->session == 0);
}

static void look(struct piece *piece)
{
    if (!piece->gone) {
        struct op op = {.kind = OP_GET, .key = bytes_of_string(piece->key), .gen = piece->gen};
        CHECK_EQ(ask(0, op).answer, ANSWER_FOUND);
        piece->is_cancelled = rig.lists.operations[0].state == STATE_CANCELLING;
    }
}

/* Where there are few, those that are plain may be older than any other. */
static void begin_pieces(unsigned count)
{
    rig_begin(&rig, &(struct rig_options){.epoch = 8, .counter_first = 1, .recovery_ms = 5000});
    ids = 0;
    pieces_count = 0;
    earlier_next = RIG_EARLIER(100);
    for (unsigned i = 0; i < 2; i++) {
        sessions[i] = rig_open(&rig, 1, 0);
    }
    for (unsigned i = 0; i < count; i++) {
        struct piece *piece = add_piece(i % 5 == 4);
        if (test_random(&chance) % 4 == 0) {
            /* The kind that does not stay for what is adopted. */
            CHECK_EQ(ask(0, rig_cancel(piece->key, piece->gen)).answer, ANSWER_REQUESTED);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        look(&pieces[i]);
        pieces[i].was_there = true;
        pieces[i].was_cancelled = pieces[i].is_cancelled;
    }
}

/* Whether the bulk cancel was answered by it. */
static bool one_thing(void)
{
    switch (test_random(&chance) % 10) {
    case 8:
    case 9:
        make_whole(&pieces[test_random(&chance) % pieces_count]);
        return false;
    case 0:
    case 1:
        (void) add_piece(false);
        return false;
    case 2:
        (void) add_piece(true);
        return false;
    case 3:
    case 4:
        end_piece(&pieces[test_random(&chance) % pieces_count]);
        return false;
    case 5:
        rig.now_ms += 7000; /* what ended is forgotten by and by, and its place given away */
        return false;
    default:
        break;
    }
    size_t replies = rig.replies;
    bool more = registry_advance(rig.registry, rig.now_ms, 4);
    registry_check(rig.registry);
    CHECK(more || rig.replies > replies);
    return rig.replies > replies;
}

static void check_pieces(unsigned scope, const struct seen *seen)
{
    uint64_t requested = 0;
    uint64_t already_least = 0;
    uint64_t already_most = 0;
    for (unsigned i = 0; i < pieces_count; i++) {
        struct piece *piece = &pieces[i];
        look(piece);
        bool meant = is_meant(piece, scope) && (piece->was_there || piece->adopted);
        bool before = piece->was_there && piece->was_cancelled;
        CHECK(!meant || piece->gone || piece->is_cancelled);
        CHECK(before || meant || !piece->is_cancelled); /* others, and those above the fence */
        requested += meant && piece->is_cancelled && !before;
        already_least += meant && before && !piece->gone;
        already_most += meant && before;
    }
    CHECK_EQ(seen->requested, requested);
    CHECK_GE(seen->already_requested, already_least);
    CHECK_LE(seen->already_requested, already_most);
}

static void it_counts_each_just_once(void)
{
    chance = test_seed();
    /* Twelve are one of each kind. */
    for (unsigned round = 0; round < (TEST_SANITIZED ? 24 : 240); round++) {
        begin_pieces(round % 4 < 2 ? PIECES_FEW : PIECES_MANY);
        if (round % 2 == 0) {
            rig_pass(&rig, 5000, 100); /* not one that lasts */
        }
        unsigned scope = round % 3;
        rig_park(&rig, 1, 0, 0,
                 scope == 0   ? cancel_space()
                 : scope == 1 ? cancel_label("x")
                              : cancel_owner(sessions[0]));
        while (!one_thing()) {
            CHECK_LT(pieces_count, PIECES_MAX);
        }
        struct seen answer = rig.last;
        check_pieces(scope, &answer);
        rig_fini(&rig);
    }
}

/* ---- turns ---- */

static void many_take_turns_and_each_is_answered(void)
{
    enum { BULKS = 50, OPERATIONS = 60 };

    rig_init(&rig, NULL, 1);
    ids = 0;
    uint64_t session = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        char key[8];
        (void) snprintf(key, sizeof key, "k%u", i);
        CHECK_EQ(ask(session, store_labelled(key, label_x)).answer, ANSWER_STORED);
    }
    for (unsigned i = 0; i < BULKS; i++) {
        rig_park(&rig, 1, 0, 0, i % 2 == 0 ? cancel_space() : cancel_label("x"));
    }
    CHECK_EQ(stat("bulks_running"), BULKS);
    rig_pass(&rig, 0, 5);
    CHECK_EQ(stat("bulks_running"), 0);
    CHECK_EQ(rig.answers[ANSWER_REQUESTED] + rig.answers[ANSWER_ALREADY_REQUESTED], BULKS);
    CHECK_EQ(stat("operations_cancelling"), OPERATIONS);
    CHECK_LE(stat("bulk_steps_most"), 5);
    rig_fini(&rig);
}

/* Stores `count` operations in frames of many. */
static void store_many(uint64_t session, uint32_t count_of_all)
{
    static struct op ops[FRAME_OPS_MAX];
    static char keys[FRAME_OPS_MAX][12];
    for (uint32_t done = 0; done < count_of_all;) {
        uint32_t more = 0;
        for (; more < 200 && done < count_of_all; more++, done++) {
            (void) snprintf(keys[more], sizeof keys[more], "k%u", done);
            ops[more] = store_labelled(keys[more], label_x);
        }
        struct reply_to to = {.link = 1};
        ids++;
        struct frame frame = {.version = 1,
                              .session = session,
                              .request_id = ids,
                              .answered_below = ids,
                              .ops = ops,
                              .ops_count = more};
        registry_frame(rig.registry, &to, &frame, rig.now_ms);
        CHECK_EQ(rig.last.answer, ANSWER_STORED);
    }
}

static void a_million_of_one_label_are_cancelled_in_steps(void)
{
    enum { BUDGET = 256 };

    uint32_t all = TEST_SCALE(1000000);
    rig_init(&rig, NULL, 1);
    ids = 0;
    uint64_t session = rig_open(&rig, 1, 0);
    store_many(session, all);
    struct reply_to to = {.link = 1};
    struct op op = cancel_label("x");
    struct frame frame = {.version = 1, .ops = &op, .ops_count = 1};
    registry_frame(rig.registry, &to, &frame, rig.now_ms);
    CHECK_EQ(stat("operations_cancelling"), 0); /* nothing within the call */
    size_t replies = rig.replies;
    uint64_t calls = 0;
    while (rig.replies == replies) {
        uint64_t steps = stat("bulk_steps");
        bool more = registry_advance(rig.registry, rig.now_ms, BUDGET);
        CHECK(more || rig.replies > replies);
        CHECK_LE(stat("bulk_steps") - steps, BUDGET);
        CHECK_LE(stat("operations_cancelling"), ++calls * BUDGET);
    }
    CHECK_EQ(rig.last.requested, all);
    CHECK_EQ(rig.last.gens_count, BULK_RESULTS_MAX);
    CHECK_GE(calls, all / BUDGET);
    CHECK_LE(stat("bulk_steps_most"), BUDGET);
    CHECK_LE(stat("bulk_steps"), (uint64_t) all + 1);
    op = (struct op){.kind = OP_COUNT,
                     .as.list = {.state = STATE_CANCELLING, .labels = {label_x, 1}}};
    registry_frame(rig.registry, &to, &frame, rig.now_ms);
    CHECK_EQ(rig.last.count, all);
    rig_fini(&rig);
}

/* ---- the journal ---- */

static void the_journal_has_one_record_for_all(void)
{
    rig_begin(&rig, &(struct rig_options){.epoch = 8, .counter_first = 1, .journal = true});
    ids = 0;
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t a = ask(session, store_labelled("a", label_x)).gen;
    uint64_t b = ask(session, store_labelled("b", label_x)).gen;
    CHECK_EQ(ask(0, cancel_label("none")).answer, ANSWER_NOT_FOUND);
    CHECK_EQ(rig.records, 0);
    rig_park(&rig, 1, 0, 0, cancel_label("x"));
    CHECK_EQ(rig.records_of[JOURNAL_BULK], 1); /* before anything is done */
    CHECK_EQ(rig.record.scope, BULK_LABEL);
    CHECK_EQ(rig.record.fence, b);
    uint64_t number = rig.record.bulk;
    size_t replies = rig.replies;
    rig_pass(&rig, 0, 100);
    CHECK_EQ(rig.records_of[JOURNAL_BULK_DONE], 1);
    CHECK_EQ(rig.record.requested, 2);
    CHECK_EQ(rig.replies, replies); /* the answer waits */
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    CHECK_EQ(rig.replies, replies + 1);
    CHECK(rig.last.journaled);
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 0);
    (void) ask(session, rig_delete("a", a, OUTCOME_CANCELLED));
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    rig_pass(&rig, 60001, 100);
    CHECK_EQ(rig.records_of[JOURNAL_BULK_SETTLED], 0);
    rig_send(&rig, 1,
             &(struct frame){.version = 1,
                             .session = session,
                             .request_id = ++ids,
                             .ops = &(struct op){.kind = OP_DELETE,
                                                 .key = bytes_of_string("b"),
                                                 .gen = b,
                                                 .as.delete.outcome = OUTCOME_FAILED},
                             .ops_count = 1});
    rig_pass(&rig, 60001, 100);
    CHECK_EQ(rig.records_of[JOURNAL_BULK_SETTLED], 1);
    CHECK_EQ(rig.record.bulk, number);
    CHECK_EQ(stat("bulks"), 0);
    rig_fini(&rig);
}

/* A child, CANCELLING by its parent's cancel while the journal failed, that a bulk cancel tells of. */
static uint64_t tell_of_a_child(bool fails)
{
    rig_begin(&rig, &(struct rig_options){.epoch = 8, .counter_first = 1, .journal = true});
    ids = 0;
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t parent = ask(session, rig_store("parent", POLICY_REJECT)).gen;
    struct op op = store_labelled("child", label_x);
    op.as.store.parent = parent;
    CHECK_EQ(ask(session, op).answer, ANSWER_STORED);
    op = rig_cancel("parent", parent);
    rig_send(&rig, 1, &(struct frame){.version = 1, .ops = &op, .ops_count = 1});
    registry_journal_failed(rig.registry, rig.now_ms);
    rig_pass(&rig, 0, 10);
    CHECK_EQ(stat("operations_cancelling"), 2);
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 1);
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    rig_park(&rig, 1, 0, 0, cancel_label("x"));
    if (fails) {
        registry_journal_failed(rig.registry, rig.now_ms);
    }
    rig_pass(&rig, 0, 10);
    CHECK(!fails || rig.refused == ERROR_JOURNAL);
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    CHECK(fails || rig.last.answer == ANSWER_ALREADY_REQUESTED);
    return rig.records_of[JOURNAL_CANCEL];
}

static void what_is_told_is_recorded(void)
{
    CHECK_EQ(tell_of_a_child(false), 2);
    CHECK_EQ(rig.records_of[JOURNAL_BULK_SETTLED], 1);
    rig_fini(&rig);
    CHECK_EQ(tell_of_a_child(true), 1);
    CHECK_EQ(rig.records_of[JOURNAL_BULK_SETTLED], 0); /* it stands in for the other */
    CHECK_EQ(stat("bulks"), 1);
    rig_fini(&rig);
}

static void a_full_journal_takes_none(void)
{
    rig_begin(&rig, &(struct rig_options){.epoch = 8, .counter_first = 1, .journal = true});
    ids = 0;
    uint64_t session = rig_open(&rig, 1, 0);
    (void) ask(session, store_labelled("a", label_x));
    rig.journal_pending = UINT64_C(1) << 40;
    struct seen seen = ask(0, cancel_label("x"));
    CHECK_EQ(seen.answer, ANSWER_FULL);
    CHECK_STR_EQ(seen.limit, "journal");
    seen = ask(0, (struct op){.kind = OP_DRAIN, .as.drain.deadline_ms = 5});
    CHECK_EQ(seen.answer, ANSWER_FULL);
    CHECK_STR_EQ(seen.limit, "journal");
    CHECK_EQ(stat("bulks"), 0);
    rig_fini(&rig);
}

/* ---- what is adopted later ---- */

static enum state adopted(uint64_t session, struct op op)
{
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    rig_send(
        &rig, 1,
        &(struct frame){
            .version = 1, .session = session, .request_id = ++ids, .ops = &op, .ops_count = 1});
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    CHECK_EQ(rig.last.answer, ANSWER_ADOPTED);
    return rig.last.state;
}

/* Asks without a session, and lets the journal keep it. */
static struct seen ask_kept(struct op op)
{
    rig_send(&rig, 1, &(struct frame){.version = 1, .ops = &op, .ops_count = 1});
    rig_pass(&rig, 0, 10);
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    return rig.last;
}

static void one_of_the_recovery_time_covers_what_comes_later(void)
{
    recover();
    uint64_t session = rig_open(&rig, 1, 0);
    size_t replies = rig.replies;
    rig_park(&rig, 1, 0, 0, cancel_label("x")); /* NOT_FOUND, once it is kept */
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    CHECK_EQ(rig.replies, replies + 1);
    CHECK_EQ(rig.last.answer, ANSWER_NOT_FOUND);
    CHECK(rig.last.journaled);
    CHECK_EQ(ask_kept(cancel_label("x")).answer, ANSWER_NOT_FOUND);
    CHECK_EQ(stat("covers"), 1); /* the second one need not stay */
    CHECK_EQ(ask_kept(cancel_owner(77)).answer, ANSWER_NOT_FOUND);
    rig_pass(&rig, 5000, 10);
    CHECK_EQ(adopted(session, adopt_labelled("a", RIG_EARLIER(11), label_x)), STATE_CANCELLING);
    CHECK_EQ(rig.last.cause, CAUSE_USER);
    CHECK_EQ(adopted(session, adopt_labelled("b", RIG_EARLIER(12), label_y)), STATE_LIVE);
    struct op op = adopt_labelled("c", RIG_EARLIER(13), label_y);
    op.as.store.previous_session = 77;
    CHECK_EQ(adopted(session, op), STATE_CANCELLING);
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 1); /* its next owner will not name session 77 */
    CHECK_EQ(ask_kept(cancel_space()).requested, 1);
    CHECK_EQ(adopted(session, adopt_labelled("d", RIG_EARLIER(14), label_y)), STATE_LIVE);
    CHECK_EQ(ask(session, store_labelled("e", label_x)).answer, ANSWER_STORED);
    CHECK_EQ(stat("covers"), 2);
    CHECK_EQ(stat("bulks"), 1);
    CHECK(!registry_is_idle(rig.registry));
    rig_fini(&rig);
}

static void a_kept_one_that_changes_hands_is_recorded(void)
{
    recover();
    uint64_t first = rig_open(&rig, 1, 0);
    struct op op = store_labelled("k", label_x);
    op.as.store.ttl_ms = 60000;
    op.as.store.on_owner_loss = ON_OWNER_LOSS_KEEP;
    uint64_t gen = ask(first, op).gen;
    CHECK_EQ(ask_kept(cancel_owner(first)).requested, 1);
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 0);
    (void) ask(first, (struct op){.kind = OP_CLOSE});
    rig_pass(&rig, 0, 10);
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 1); /* nobody may ever name that session again */
    uint64_t second = rig_open(&rig, 1, 0);
    CHECK_EQ(adopted(second, adopt_labelled("k", gen, label_x)), STATE_CANCELLING);
    CHECK_EQ(rig.records_of[JOURNAL_CANCEL], 1);
    rig_fini(&rig);
}

static void one_of_an_earlier_run_covers_up_to_its_fence(void)
{
    recover();
    struct journal_record record = {.kind = JOURNAL_BULK,
                                    .space = bytes_of_string("default"),
                                    .label = label_x[0],
                                    .bulk = 3,
                                    .scope = BULK_LABEL,
                                    .fence = RIG_EARLIER(20),
                                    .cause = {.code = CAUSE_POLICY}};
    CHECK(registry_recover(rig.registry, &record));
    record.scope = BULK_SPACE;
    record.fence = RIG_EARLIER(15);
    record.cause.code = CAUSE_SHUTDOWN;
    CHECK(registry_recover(rig.registry, &record));
    record.scope = BULK_LABEL;
    record.label = label_y[0];
    record.fence = RIG_EARLIER(13);
    record.cause.code = CAUSE_USER;
    CHECK(registry_recover(rig.registry, &record));
    record.scope = BULK_KEY;
    record.key = bytes_of_string("k");
    record.after_gen = RIG_EARLIER(21);
    record.fence = RIG_EARLIER(30);
    record.cause.code = CAUSE_DEADLINE;
    CHECK(registry_recover(rig.registry, &record));
    registry_check(rig.registry);
    uint64_t session = rig_open(&rig, 1, 0);
    CHECK_EQ(adopted(session, adopt_labelled("a", RIG_EARLIER(11), label_x)), STATE_CANCELLING);
    CHECK_EQ(rig.last.cause, CAUSE_POLICY); /* the first of the two */
    CHECK_EQ(adopted(session, adopt_labelled("b", RIG_EARLIER(12), label_y)), STATE_CANCELLING);
    CHECK_EQ(rig.last.cause, CAUSE_SHUTDOWN); /* and again */
    CHECK_EQ(adopted(session, adopt_labelled("c", RIG_EARLIER(20), label_x)), STATE_CANCELLING);
    CHECK_EQ(adopted(session, adopt_labelled("d", RIG_EARLIER(21), label_x)), STATE_LIVE);
    CHECK_EQ(adopted(session, adopt_labelled("e", RIG_EARLIER(16), label_y)), STATE_LIVE);
    struct op op = adopt_labelled("k", RIG_EARLIER(19), label_y);
    op.as.store.policy = POLICY_JOIN;
    CHECK_EQ(adopted(session, op), STATE_LIVE);
    op.gen = RIG_EARLIER(22);
    CHECK_EQ(adopted(session, op), STATE_CANCELLING);
    CHECK_EQ(rig.last.cause, CAUSE_DEADLINE);
    op.gen = RIG_EARLIER(31);
    CHECK_EQ(adopted(session, op), STATE_LIVE);
    rig_fini(&rig);
}

static void at_the_bound_those_of_one_target_are_one(void)
{
    struct limits limits = limits_default();
    limits.bulks = 1;
    limits.covers = 1;
    rig_begin(&rig, &(struct rig_options){
                        .limits = &limits, .epoch = 8, .counter_first = 1, .recovery_ms = 5000});
    ids = 0;
    struct journal_record record = {.kind = JOURNAL_BULK,
                                    .space = bytes_of_string("default"),
                                    .label = label_x[0],
                                    .scope = BULK_LABEL,
                                    .fence = RIG_EARLIER(20),
                                    .cause = {.code = CAUSE_POLICY}};
    CHECK(registry_recover(rig.registry, &record));
    record.label = label_y[0];
    CHECK(registry_recover(rig.registry, &record));
    record.label = label_x[0];
    record.fence = RIG_EARLIER(40);
    CHECK(registry_recover(rig.registry, &record));
    record.label = bytes_of_string("z");
    CHECK(!registry_recover(rig.registry, &record));
    uint64_t session = rig_open(&rig, 1, 0);
    CHECK_EQ(adopted(session, adopt_labelled("a", RIG_EARLIER(40), label_x)), STATE_CANCELLING);
    CHECK_EQ(adopted(session, adopt_labelled("b", RIG_EARLIER(21), label_y)), STATE_LIVE);
    CHECK_EQ(ask(0, cancel_label("x")).answer, ANSWER_RECOVERING);
    rig_pass(&rig, 5000, 10);
    struct seen seen = ask(0, cancel_label("x"));
    CHECK_EQ(seen.answer, ANSWER_FULL);
    CHECK_STR_EQ(seen.limit, "bulks");
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"while everything moves a bulk cancel skips nothing and counts each just once",
     it_counts_each_just_once},
    {"many take turns, and each is answered", many_take_turns_and_each_is_answered},
    {"a million operations of one label are cancelled in steps",
     a_million_of_one_label_are_cancelled_in_steps},
    {"the journal has one record for all, and learns when all is over",
     the_journal_has_one_record_for_all},
    {"a cancel by a parent is recorded where a bulk cancel tells of it", what_is_told_is_recorded},
    {"while the journal is full there is no bulk cancel and no drain", a_full_journal_takes_none},
    {"one of the recovery time covers what is adopted later",
     one_of_the_recovery_time_covers_what_comes_later},
    {"a kept operation that changes hands under a session's cancel is recorded on its own",
     a_kept_one_that_changes_hands_is_recorded},
    {"one of an earlier run covers what is adopted, up to its fence",
     one_of_an_earlier_run_covers_up_to_its_fence},
    {"at the bound those of one target are one", at_the_bound_those_of_one_target_are_one},
};

TEST_MAIN(cases)
