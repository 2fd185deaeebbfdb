/* SPDX-License-Identifier: MIT */
/* Where two bounds meet, or where something goes away just before its turn: what needs more than the model's few
 * operations, or an order of events that chance does not come to. */
#include "registry_many.h"

#include <string.h>

static struct rig rig;

static void send_id(uint64_t session, uint64_t id, uint64_t below, struct op op)
{
    struct frame frame = {.version = 1,
                          .session = session,
                          .request_id = id,
                          .answered_below = below,
                          .ops = &op,
                          .ops_count = 1,
                          .ops_digest = (uint64_t) op.kind};
    registry_frame(rig.registry, &(struct reply_to){.link = 1}, &frame, rig.now_ms);
}

/* The same as many_store(&rig, ) and many_end(&rig, ) where others are answered too, behind it. */
static void store_before_all(uint64_t session, unsigned i)
{
    char key[24];
    size_t stored = rig.answers[ANSWER_STORED];
    send_id(session, ++rig.request_id, 0, (struct op){.kind = OP_STORE, .key = many_name(i, key)});
    CHECK_EQ(rig.answers[ANSWER_STORED], stored + 1);
}

static void end_before_all(uint64_t session, unsigned i, uint64_t gen)
{
    char key[24];
    size_t deleted = rig.answers[ANSWER_DELETED];
    struct op op = {.kind = OP_DELETE, .key = many_name(i, key), .gen = gen};
    op.as.delete.outcome = OUTCOME_COMPLETED;
    send_id(session, ++rig.request_id, 0, op);
    CHECK_EQ(rig.answers[ANSWER_DELETED], deleted + 1);
}

/* ---- notices ---- */

static struct seen acknowledge(uint64_t session, uint64_t gen, uint32_t kind)
{
    struct notice_ack ack = {.gen = gen, .kind = kind};
    return rig_do(&rig, session, rig_poll(&ack, 1, 0));
}

static void an_acknowledgement_of_no_kind_is_none(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t gen = many_store(&rig, session, 1);
    (void) rig_ask(&rig, 1, 0, 0, rig_cancel("name-1", 0));
    CHECK_EQ(acknowledge(session, gen, NOTICE_END + 4).notices_count, 1);
    CHECK_EQ(acknowledge(session, gen, NOTICE_CANCEL).notices_count, 0);
    rig_fini(&rig);
}

static uint64_t stat(const char *row)
{
    return rig_stat(&rig, row);
}

/* Four hours and a half: more than any bucket of the histogram but the last. */
static void what_is_acknowledged_late_counts_as_that(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t gen = many_store(&rig, session, 1);
    (void) rig_ask(&rig, 1, 0, 0, rig_cancel("name-1", 0));
    rig_pass(&rig, UINT64_C(1) << 24, 16);
    (void) acknowledge(session, gen, NOTICE_CANCEL);
    CHECK_EQ(stat("cancel_delivered_ms_inf"), 1);
    rig_fini(&rig);
}

/* Whoever takes over a cancelled operation is told again; that it was delivered stands. */
static void a_cancel_is_delivered_once(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t first = rig_open(&rig, 1, 0);
    uint64_t second = rig_open(&rig, 1, 0);
    struct op op = rig_store("k", POLICY_REJECT);
    op.as.store.ttl_ms = 100000;
    op.as.store.on_owner_loss = ON_OWNER_LOSS_KEEP;
    uint64_t gen = rig_do(&rig, first, op).gen;
    (void) rig_ask(&rig, 1, 0, 0, rig_cancel("k", 0));
    (void) acknowledge(first, gen, NOTICE_CANCEL);
    (void) rig_do(&rig, first, (struct op){.kind = OP_CLOSE});
    rig_pass(&rig, 1, 16);
    op.kind = OP_ADOPT;
    op.gen = gen;
    CHECK_EQ(rig_do(&rig, second, op).answer, ANSWER_ADOPTED);
    CHECK_EQ(acknowledge(second, 0, NOTICE_CANCEL).notices_count, 1);
    CHECK_EQ(acknowledge(second, gen, NOTICE_CANCEL).notices_count, 0);
    CHECK_EQ(stat("cancels_delivered"), 1);
    rig_fini(&rig);
}

/* ---- what goes away just before its turn ---- */

/* Its owner, who dies, had not acknowledged the end, and the memory had no room for it. */
static void the_last_of_a_key_is_forgotten_by_the_look(void)
{
    struct limits limits = limits_default();
    limits.finished = 1;
    rig_init(&rig, &limits, 1);
    uint64_t owner = rig_open(&rig, 1, 0);
    uint64_t other = rig_open(&rig, 1, 0);
    uint64_t gen = many_store(&rig, owner, 1);
    many_end(&rig, other, 1, gen);
    many_end(&rig, other, 2, many_store(&rig, other, 2));
    struct op op = {.kind = OP_GET, .key = bytes_of_string("name-1")};
    CHECK_EQ(rig_do(&rig, other, op).answer, ANSWER_FOUND);
    (void) rig_do(&rig, owner, (struct op){.kind = OP_CLOSE});
    CHECK_EQ(rig_do(&rig, other, op).answer, ANSWER_NOT_FOUND);
    rig_fini(&rig);
}

static void what_a_dying_session_holds_does_not_exist(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t owner = rig_open(&rig, 1, 0);
    uint64_t other = rig_open(&rig, 1, 0);
    uint64_t gen = many_store(&rig, owner, 1);
    (void) rig_do(&rig, owner, (struct op){.kind = OP_CLOSE});
    CHECK_GT(many_store(&rig, other, 1), gen);
    registry_check(rig.registry);
    rig_fini(&rig);
}

static void a_page_of_history_finds_no_other_request(void)
{
    rig_begin(&rig, &(struct rig_options){.epoch = 7, .counter_first = 1, .journal = true});
    uint64_t session = rig_open(&rig, 1, 0);
    (void) many_store(&rig, session, 1);
    CHECK(registry_link_up(rig.registry, 2, bytes_of_string("uid:2")));
    rig_park(&rig, 2, 0, 5, (struct op){.kind = OP_HISTORY, .as.list.cursor = 0});
    uint64_t ticket = rig.ticket;
    registry_link_down(rig.registry, 2, rig.now_ms);
    rig_park(&rig, 1, 0, 6, rig_wait("name-1", UNTIL_ENDED, 1000)); /* in its place */
    size_t replies = rig.replies;
    registry_history(rig.registry, ticket, NULL, 0, 0, false, rig.now_ms);
    CHECK_EQ(rig.replies, replies);
    registry_check(rig.registry);
    rig_fini(&rig);
}

/* Its waiters are told in steps, the last of them go away, and the memory has no room for it. */
static void an_operation_whose_waiters_are_gone_stays_for_its_turn(void)
{
    enum { WAITERS = 300 }; /* more than one call tells */
    struct limits limits = limits_default();
    limits.finished = 1;
    rig_init(&rig, &limits, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t waited = many_store(&rig, session, 1);
    uint64_t other = many_store(&rig, session, 2);
    CHECK(registry_link_up(rig.registry, 2, bytes_of_string("uid:2")));
    for (uint64_t i = 0; i < WAITERS; i++) {
        rig_park(&rig, 2, 0, i + 1, rig_wait("name-1", UNTIL_ENDED, 1000));
    }
    end_before_all(session, 1, waited);
    CHECK_LT(rig.answers[ANSWER_ENDED], WAITERS);
    registry_link_down(rig.registry, 2, rig.now_ms);
    many_end(&rig, session, 2, other);
    registry_check(rig.registry);
    rig_pass(&rig, 1, 16);
    struct op op = {.kind = OP_GET, .key = bytes_of_string("name-1")};
    CHECK_EQ(rig_do(&rig, session, op).answer, ANSWER_NOT_FOUND);
    rig_fini(&rig);
}

static struct op watch_from(uint64_t revision)
{
    return (struct op){.kind = OP_WATCH,
                       .as.watch = {.epoch = 7, .revision = revision, .wait_ms = 1000}};
}

/* Parks many watchers, the last of them on link 2; then there is news, which not all are told in one call. */
static void begin_many_watchers(uint64_t *session)
{
    rig_init(&rig, NULL, 1);
    *session = rig_open(&rig, 1, 0);
    CHECK(registry_link_up(rig.registry, 2, bytes_of_string("uid:2")));
    (void) rig_ask(&rig, 1, 0, 0, watch_from(0));
    uint64_t revision = rig.lists.revision;
    for (uint64_t i = 0; i < 300; i++) {
        rig_park(&rig, i < 256 ? 1 : 2, 0, i + 1, watch_from(revision));
    }
    store_before_all(*session, 1);
    registry_check(rig.registry);
    CHECK_EQ(rig.answers[ANSWER_EVENTS], 256);
}

static void the_next_watcher_goes_away(void)
{
    uint64_t session;
    begin_many_watchers(&session);
    registry_link_down(rig.registry, 2, rig.now_ms);
    registry_check(rig.registry);
    rig_pass(&rig, 1, 16);
    CHECK_EQ(rig.answers[ANSWER_EVENTS], 256);
    rig_fini(&rig);
}

static void a_watcher_that_knows_the_news_waits(void)
{
    uint64_t session;
    begin_many_watchers(&session);
    (void) rig_ask(&rig, 1, 0, 0, watch_from(0));
    registry_check(rig.registry);
    rig_fini(&rig);
    begin_many_watchers(&session);
    uint64_t newest = rig.lists.revision;
    rig_send(
        &rig, 1,
        &(struct frame){.version = 1, .ops = (struct op[]){watch_from(newest)}, .ops_count = 1});
    CHECK_EQ(rig.answers[ANSWER_EVENTS], 300); /* not the one that knows */
    store_before_all(session, 2);
    CHECK_EQ(rig.answers[ANSWER_EVENTS], 301);
    rig_fini(&rig);
}

/* Drains that are over at once are answered in steps. */
static void many_drains_are_answered_in_steps(void)
{
    enum { DRAINS = 300 };
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t gen = many_store(&rig, session, 1);
    struct op op = {.kind = OP_DRAIN, .as.drain.deadline_ms = 100000};
    for (uint64_t i = 0; i < DRAINS; i++) {
        rig_park(&rig, 1, 0, i + 1, op);
    }
    rig_pass(&rig, 1, 16);
    end_before_all(session, 1, gen);
    CHECK_EQ(registry_next_ms(rig.registry), 0);
    CHECK(registry_advance(rig.registry, rig.now_ms, 16));
    registry_check(rig.registry);
    CHECK_GT(rig.answers[ANSWER_DRAINED], 0);
    CHECK_LT(rig.answers[ANSWER_DRAINED], DRAINS);
    size_t answered = rig.answers[ANSWER_DRAINED];
    registry_shut_down(rig.registry, rig.now_ms); /* the others are gone by then */
    CHECK_EQ(rig.answers[ANSWER_SHUTTING_DOWN], DRAINS - answered);
    rig_pass(&rig, 1, 16);
    rig_fini(&rig);
}

/* ---- places ---- */

static void an_old_plain_one_becomes_whole_behind_many(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    (void) many_store(&rig, session, 0);
    for (unsigned i = 1; i <= 70; i++) {
        (void) many_store_whole(&rig, session, "default", i);
    }
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, rig_cancel("name-0", 0)).answer, ANSWER_REQUESTED);
    rig_fini(&rig);
}

/* A store that has no room for its answer is taken back; its key was there, ended, and stays. */
static void a_store_without_room_for_its_answer(void)
{
    enum { COUNT = 500 };
    static struct op ops[COUNT];
    static char keys[COUNT][24];
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < COUNT; i++) {
        many_end(&rig, session, i, many_store(&rig, session, i));
        ops[i] = (struct op){.kind = OP_STORE, .key = many_name(i, keys[i])};
    }
    rig_send(&rig, 1,
             &(struct frame){.version = 1,
                             .session = session,
                             .request_id = 1000000,
                             .ops = ops,
                             .ops_count = COUNT});
    CHECK_GT(rig.answers[ANSWER_NOT_APPLIED], 0);
    struct op op = {.kind = OP_GET, .key = bytes_of_string(keys[COUNT - 1])};
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, op).answer, ANSWER_FOUND);
    CHECK_EQ(rig.lists.operations[0].state, STATE_ENDED);
    rig_fini(&rig);
}

/* Each parent stays until its children are cut off, which no call has done yet: their records are bounded too. */
static void parents_that_wait_for_their_turn_take_places(void)
{
    enum { MOST = 3000 };
    struct limits limits = limits_default();
    limits.operations = 2;
    limits.finished = 1;
    limits.parked_gens = 1024;
    rig_init(&rig, &limits, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t parent = many_store(&rig, session, 0);
    unsigned i = 0;
    for (struct seen seen = {.answer = ANSWER_STORED}; seen.answer == ANSWER_STORED; i++) {
        char key[24];
        struct op op = {.kind = OP_STORE, .key = many_name(i + 1, key), .as.store.parent = parent};
        CHECK_LT(i, MOST);
        seen = rig_do_quickly(&rig, session, op);
        if (seen.answer == ANSWER_STORED) {
            many_end(&rig, session, i, parent);
            parent = seen.gen;
        } else {
            CHECK_STR_EQ(seen.limit, "operations");
        }
    }
    registry_check(rig.registry);
    CHECK_STR_EQ(rig_do(&rig, session, rig_store("plain", POLICY_REJECT)).limit, "operations");
    rig_pass(&rig, 1, 16);
    CHECK_EQ(rig_do(&rig, session, rig_store("plain", POLICY_REJECT)).answer, ANSWER_STORED);
    rig_fini(&rig);
}

/* ---- request ids ---- */

enum { READS = PASSED_READS_SESSION_MAX + 6 };

/* Parks so many reads and has answered_below pass them; then they are answered. */
static uint64_t pass_reads(uint64_t owner, unsigned key)
{
    char text[24];
    uint64_t gen = many_store(&rig, owner, key);
    uint64_t session = rig_open(&rig, 1, 0);
    struct op wait = {.kind = OP_WAIT, .key = many_name(key, text)};
    wait.as.wait.until = UNTIL_ENDED;
    wait.as.wait.deadline_ms = 100000;
    for (uint64_t id = 1; id <= READS; id++) {
        send_id(session, id, 0, wait);
    }
    send_id(session, READS + 1, READS + 1, (struct op){.kind = OP_PING});
    end_before_all(owner, key, gen);
    while (registry_advance(rig.registry, rig.now_ms, 16)) {
    }
    return session;
}

/* How many of the session's reads are known: those are evaluated again. */
static unsigned known_reads(uint64_t session, unsigned key)
{
    char text[24];
    struct op wait = {.kind = OP_WAIT, .key = many_name(key, text)};
    wait.as.wait.until = UNTIL_ENDED;
    wait.as.wait.deadline_ms = 100000;
    unsigned known = 0;
    for (uint64_t id = 1; id <= READS; id++) {
        send_id(session, id, 0, wait);
        CHECK(rig.refused == ERROR_UNSET || rig.refused == ERROR_TOO_OLD);
        known += rig.refused == ERROR_UNSET;
    }
    return known;
}

static void passed_reads_of_a_session_have_a_bound(void)
{
    struct limits limits = limits_default();
    limits.parked_session = READS;
    rig_init(&rig, &limits, 1);
    uint64_t owner = rig_open(&rig, 1, 0);
    uint64_t session = pass_reads(owner, 1);
    registry_check(rig.registry);
    CHECK_EQ(known_reads(session, 1), PASSED_READS_SESSION_MAX);
    rig_fini(&rig);
}

static void passed_reads_of_all_have_a_bound(void)
{
    enum { SESSIONS = PASSED_READS_MAX / PASSED_READS_SESSION_MAX };
    struct limits limits = limits_default();
    limits.parked_session = READS;
    rig_init(&rig, &limits, 1);
    uint64_t owner = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < SESSIONS; i++) {
        (void) pass_reads(owner, i);
    }
    uint64_t last = pass_reads(owner, SESSIONS);
    registry_check(rig.registry);
    CHECK_EQ(known_reads(last, SESSIONS), 0);
    rig_fini(&rig);
}

/* Its answer is still to come, so it cannot be named as answered. */
static void name_undecided(uint64_t session, uint64_t id)
{
    struct op ping = {.kind = OP_PING};
    struct frame frame = {.version = 1,
                          .session = session,
                          .request_id = id + 1,
                          .answered = &id,
                          .answered_count = 1,
                          .ops = &ping,
                          .ops_count = 1};
    rig_send(&rig, 1, &frame);
}

static size_t timed_out_after(uint64_t ms)
{
    size_t before = rig.answers[ANSWER_TIMED_OUT];
    rig_pass(&rig, ms, 1000);
    return rig.answers[ANSWER_TIMED_OUT] - before;
}

/* On the same link, as a client does that is not sure of its connection: the deadline is that of the first. Behind its
 * answer it is a read like any other. */
static void a_wait_that_is_repeated_is_one_wait(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    (void) many_store(&rig, session, 1);
    struct op wait = rig_wait("name-1", UNTIL_ENDED, 1000);
    rig_park(&rig, 1, session, 100, wait);
    CHECK_EQ(timed_out_after(600), 0);
    rig_park(&rig, 1, session, 100, wait);
    CHECK_EQ(timed_out_after(500), 1);
    CHECK_EQ(rig.last_request_id, 100);
    CHECK_EQ(timed_out_after(5000), 0);
    rig_park(&rig, 1, session, 100, wait);
    CHECK_EQ(timed_out_after(1100), 1);
    rig_fini(&rig);
}

/* Without a session nothing tells a repetition from another request of the same number. */
static void a_wait_without_a_session_is_repeated_as_two(void)
{
    rig_init(&rig, NULL, 1);
    (void) many_store(&rig, rig_open(&rig, 1, 0), 1);
    rig_park(&rig, 1, 0, 100, rig_wait("name-1", UNTIL_ENDED, 1000));
    rig_park(&rig, 1, 0, 100, rig_wait("name-1", UNTIL_ENDED, 1000));
    CHECK_EQ(timed_out_after(1100), 2);
    rig_fini(&rig);
}

static void what_is_not_answered_cannot_be_named(void)
{
    rig_begin(&rig, &(struct rig_options){.epoch = 7, .counter_first = 1, .journal = true});
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t gen = many_store(&rig, session, 1);
    rig_park(&rig, 1, session, 100, rig_wait("name-1", UNTIL_ENDED, 1000));
    name_undecided(session, 100);
    rig_park(&rig, 1, session, 200, rig_cancel("name-1", 0)); /* for the journal */
    name_undecided(session, 200);
    size_t replies = rig.replies;
    registry_journal_kept(rig.registry, rig.records, rig.now_ms);
    CHECK_EQ(rig.replies, replies + 1);
    CHECK_EQ(rig.last.answer, ANSWER_REQUESTED);
    CHECK_EQ(rig_ask(&rig, 1, session, 200, rig_cancel("name-1", 0)).answer, ANSWER_REQUESTED);
    end_before_all(session, 1, gen);
    CHECK_EQ(rig.answers[ANSWER_ENDED], 1);
    rig_fini(&rig);
}

/* ---- links and rights ---- */

static void a_link_that_is_not_up(void)
{
    rig_init(&rig, NULL, 1);
    registry_link_paused(rig.registry, 99, true, rig.now_ms);
    CHECK(!registry_link_opened(rig.registry, 99));
    CHECK(!registry_link_opened(rig.registry, 1));
    uint64_t session = rig_open(&rig, 1, 1000);
    registry_link_paused(rig.registry, 1, true, rig.now_ms);
    registry_link_paused(rig.registry, 1, true, rig.now_ms); /* says nothing new */
    rig_pass(&rig, 100000, 16);
    CHECK_EQ(rig_do(&rig, session, (struct op){.kind = OP_PING}).answer, ANSWER_PONG);
    registry_check(rig.registry);
    rig_fini(&rig);
}

static void where_there_are_no_rights_a_token_says_nothing(void)
{
    rig_init(&rig, NULL, 1);
    struct op op = {.kind = OP_OPEN, .as.open.token = bytes_of_string("anything")};
    CHECK_EQ(rig_ask(&rig, 1, 0, 0, op).answer, ANSWER_OPENED);
    rig_fini(&rig);
}

static void a_name_of_a_namespace_is_of_so_many_characters(void)
{
    rig_init(&rig, NULL, 1);
    static const char *const good[] = {"az", "AZ", "09", ".", "_", "-"};
    static const char *const bad[] = {"`", "{", "@", "[", "/", ":", " "};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct op op = op_in(good[i], (struct op){.kind = OP_COUNT, .as.list.owner = 0});
        CHECK_EQ(rig_ask(&rig, 1, 0, 0, op).answer, ANSWER_COUNTED);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct op op = op_in(bad[i], (struct op){.kind = OP_COUNT, .as.list.owner = 0});
        CHECK_EQ(rig_ask(&rig, 1, 0, 0, op).answer, ANSWER_ERROR);
    }
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"an acknowledgement of no kind is none", an_acknowledgement_of_no_kind_is_none},
    {"what is acknowledged hours later counts as that", what_is_acknowledged_late_counts_as_that},
    {"a cancel is delivered once, though its second owner acknowledges it too",
     a_cancel_is_delivered_once},
    {"the last operation of a key is forgotten by who looks for it",
     the_last_of_a_key_is_forgotten_by_the_look},
    {"what a dying session holds is not there for a store",
     what_a_dying_session_holds_does_not_exist},
    {"a page of history finds no request but its own", a_page_of_history_finds_no_other_request},
    {"an operation whose waiters are gone stays until its turn",
     an_operation_whose_waiters_are_gone_stays_for_its_turn},
    {"the watcher whose turn is next goes away", the_next_watcher_goes_away},
    {"a watcher that knows the news waits on", a_watcher_that_knows_the_news_waits},
    {"many drains are answered in steps", many_drains_are_answered_in_steps},
    {"an old plain operation becomes whole behind many",
     an_old_plain_one_becomes_whole_behind_many},
    {"a store without room for its answer leaves the ended one of its key",
     a_store_without_room_for_its_answer},
    {"ended parents that wait for their turn take places",
     parents_that_wait_for_their_turn_take_places},
    {"passed reads of a session have a bound", passed_reads_of_a_session_have_a_bound},
    {"passed reads of all sessions have a bound", passed_reads_of_all_have_a_bound},
    {"a wait that is repeated is one wait, by the deadline of the first",
     a_wait_that_is_repeated_is_one_wait},
    {"a wait without a session is repeated as two", a_wait_without_a_session_is_repeated_as_two},
    {"what is not answered cannot be named", what_is_not_answered_cannot_be_named},
    {"a link that is not up has nothing, and one that is paused twice is paused",
     a_link_that_is_not_up},
    {"where there are no rights a token says nothing",
     where_there_are_no_rights_a_token_says_nothing},
    {"the name of a namespace is letters, digits, dot, underscore and dash",
     a_name_of_a_namespace_is_of_so_many_characters},
};
TEST_MAIN(cases)
