/* SPDX-License-Identifier: MIT */
/* Labels, and cancels of many operations at once. */
#include "registry_rig.h"
#include "testing.h"

#include <stdio.h>
#include <string.h>

static struct rig rig;
static uint64_t ids; /* request ids rise over all sessions: that is allowed */

#define LABELS(...)                                                                                \
    ((struct labels){(const struct bytes[]){__VA_ARGS__},                                          \
                     sizeof((const struct bytes[]){__VA_ARGS__}) / sizeof(struct bytes)})
#define B(text)                                                                                    \
    {                                                                                              \
        (const uint8_t *) (text), sizeof(text) - 1                                                 \
    }

static struct bytes text(const char *string)
{
    return bytes_of_string(string);
}

static struct seen ask(uint64_t session, struct op op)
{
    return rig_ask(&rig, 1, session, session == 0 ? 0 : ++ids, op);
}

static uint64_t store(uint64_t session, const char *space, const char *key, struct labels labels)
{
    struct op op = rig_store(key, POLICY_REJECT);
    op.space = text(space);
    op.as.store.labels = labels;
    struct seen seen = ask(session, op);
    CHECK(seen.answer == ANSWER_STORED || seen.answer == ANSWER_BORN_CANCELLED);
    return seen.gen;
}

static void end(uint64_t session, const char *space, const char *key, uint64_t gen)
{
    struct op op = rig_delete(key, gen, OUTCOME_COMPLETED);
    op.space = text(space);
    CHECK_EQ(ask(session, op).answer, ANSWER_DELETED);
}

static struct op cancel_label(const char *label)
{
    return (struct op){.kind = OP_CANCEL, .as.cancel.label = text(label)};
}

static struct op cancel_owner(uint64_t session)
{
    return (struct op){.kind = OP_CANCEL, .as.cancel.owner = session};
}

static struct op cancel_space(const char *space)
{
    return (struct op){.kind = OP_CANCEL, .space = text(space), .as.cancel.whole_namespace = true};
}

/* Parks it, and lets it run to its end. */
static struct seen bulk(uint64_t session, struct op op)
{
    rig_park(&rig, 1, session, session == 0 ? 0 : ++ids, op);
    size_t replies = rig.replies;
    rig_pass(&rig, 0, 3);
    CHECK_EQ(rig.replies, replies + 1);
    return rig.first;
}

static uint64_t count(uint32_t state, uint64_t owner, struct labels labels)
{
    struct op op = {.kind = OP_COUNT,
                    .as.list = {.state = state, .owner = owner, .labels = labels}};
    struct seen seen = ask(0, op);
    CHECK_EQ(seen.answer, ANSWER_COUNTED);
    return seen.count;
}

static uint64_t stat(const char *row)
{
    return rig_stat(&rig, row);
}

static enum state state_of(const char *key, uint64_t gen)
{
    struct op op = {.kind = OP_GET, .key = text(key), .gen = gen};
    CHECK_EQ(ask(0, op).answer, ANSWER_FOUND);
    return rig.lists.operations[0].state;
}

/* ---- labels ---- */

static void labels_stay_until_the_operation_is_forgotten(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t a = store(session, "", "a", LABELS(B("red"), B("big")));
    uint64_t b = store(session, "", "b", LABELS(B("red")));
    (void) store(session, "other", "c", LABELS(B("red"), B("big")));
    CHECK_EQ(stat("labels"), 4); /* two in each namespace */
    CHECK_EQ(stat("label_uses"), 5);
    CHECK_EQ(count(0, 0, LABELS(B("red"))), 2);
    CHECK_EQ(count(0, 0, LABELS(B("red"), B("big"))), 1);
    CHECK_EQ(count(0, session, LABELS(B("red"), B("big"))), 1);
    CHECK_EQ(count(0, 0, LABELS(B("red"), B("none"))), 0);
    CHECK_EQ(count(0, 0, LABELS(B("re"))), 0); /* never by prefix */
    (void) ask(0, rig_cancel("b", b));
    CHECK_EQ(count(STATE_LIVE, 0, LABELS(B("red"))), 1);
    CHECK_EQ(count(STATE_CANCELLING, 0, LABELS(B("red"))), 1);
    end(session, "", "a", a);
    CHECK_EQ(count(STATE_ENDED, 0, LABELS(B("red"))), 1);
    CHECK_EQ(count(STATE_ENDED, 0, LABELS(B("red"), B("big"))), 1);
    struct op list = {.kind = OP_LIST, .as.list.labels = LABELS(B("big"))};
    CHECK_EQ(ask(0, list).answer, ANSWER_PAGE);
    CHECK_EQ(rig.lists.operations_count, 0);
    list.as.list.state = STATE_ENDED;
    (void) ask(0, list);
    CHECK_EQ(rig.lists.operations_count, 1);
    CHECK_EQ(rig.lists.operations[0].gen, a);
    CHECK_EQ(rig.lists.operations[0].labels_count, 2);
    end(session, "", "b", b);
    rig_pass(&rig, 60001, 100);
    CHECK_EQ(stat("labels"), 2);
    CHECK_EQ(stat("label_uses"), 2);
    rig_fini(&rig);
}

static void labels_have_their_bounds(void)
{
    struct limits limits = limits_default();
    limits.labels = 2;
    limits.label_uses = 4;
    rig_init(&rig, &limits, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    struct op op = rig_store("k", POLICY_JOIN);
    op.as.store.labels = LABELS(B("a"), B("b"), B("c"));
    struct seen seen = ask(session, op);
    CHECK_EQ(seen.answer, ANSWER_FULL);
    CHECK_STR_EQ(seen.limit, "labels");
    op.as.store.labels = LABELS(B("a"), B("b"));
    CHECK_EQ(ask(session, op).answer, ANSWER_STORED);
    op.as.store.labels = LABELS(B("c"));
    CHECK_STR_EQ(ask(session, op).limit, "labels");
    op.as.store.labels = LABELS(B("a"), B("b"));
    CHECK_EQ(ask(session, op).answer, ANSWER_STORED); /* no new name */
    op.as.store.labels = LABELS(B("a"));
    CHECK_STR_EQ(ask(session, op).limit, "label_uses");
    op.as.store.labels = (struct labels){0};
    CHECK_EQ(ask(session, op).answer, ANSWER_STORED);
    rig_fini(&rig);
}

static void a_label_counts_as_bytes_once(void)
{
    struct limits limits = limits_default();
    limits.bytes = 65536;
    rig_init(&rig, &limits, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint8_t meta[META_BYTES_MAX] = {0};
    struct op op = rig_store("k", POLICY_JOIN); /* one byte of key */
    for (unsigned i = 0; i < 63; i++) {
        op.as.store.meta = bytes_of(meta, sizeof meta);
        CHECK_EQ(ask(session, op).answer, ANSWER_STORED);
    }
    op.as.store.meta = bytes_of(meta, 1024 - 1 - 5);
    CHECK_EQ(ask(session, op).answer, ANSWER_STORED);
    op.as.store.meta = (struct bytes){0};
    op.as.store.labels = LABELS(B("sixsix"));
    CHECK_STR_EQ(ask(session, op).limit, "bytes");
    op.as.store.labels = LABELS(B("fives"));
    CHECK_EQ(ask(session, op).answer, ANSWER_STORED);
    CHECK_EQ(ask(session, op).answer, ANSWER_STORED); /* the name is there already */
    CHECK_EQ(stat("bytes"), 65536);
    rig_fini(&rig);
}

/* ---- what a bulk cancel answers ---- */

static void a_bulk_cancel_tells_what_it_did(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    CHECK_EQ(ask(0, cancel_label("red")).answer, ANSWER_NOT_FOUND);
    CHECK_EQ(ask(0, cancel_space("")).answer, ANSWER_NOT_FOUND);
    uint64_t a = store(session, "", "a", LABELS(B("red")));
    uint64_t b = store(session, "", "b", LABELS(B("red"), B("big")));
    uint64_t c = store(session, "", "c", LABELS(B("big")));
    (void) store(session, "other", "d", LABELS(B("red")));
    (void) ask(0, rig_cancel("b", b));
    CHECK_EQ(ask(0, cancel_label("blue")).answer, ANSWER_NOT_FOUND);
    struct op op = cancel_label("red");
    op.as.cancel.cause_code = CAUSE_POLICY;
    struct seen seen = bulk(session, op);
    CHECK_EQ(seen.answer, ANSWER_REQUESTED);
    CHECK_EQ(seen.level, LEVEL_RECORDED);
    CHECK_EQ(seen.requested, 1);
    CHECK_EQ(seen.already_requested, 1);
    CHECK(!seen.journaled);
    CHECK_EQ(rig.lists.gens_count, 2);
    CHECK_EQ(rig.lists.gens[0].gen, a);
    CHECK_EQ(rig.lists.gens[0].answer, ANSWER_REQUESTED);
    CHECK_STR_EQ(rig.lists.gens[0].key, "a");
    CHECK_EQ(rig.lists.gens[1].gen, b);
    CHECK_EQ(rig.lists.gens[1].answer, ANSWER_ALREADY_REQUESTED);
    seen = bulk(0, cancel_label("red"));
    CHECK_EQ(seen.answer, ANSWER_ALREADY_REQUESTED);
    CHECK_EQ(seen.already_requested, 2);
    CHECK_EQ(state_of("c", c), STATE_LIVE);
    seen = bulk(0, cancel_space(""));
    CHECK_EQ(seen.requested, 1);
    CHECK_EQ(seen.already_requested, 2);
    CHECK_EQ(bulk(0, cancel_space("other")).requested, 1);
    CHECK_EQ(stat("bulks"), 3);
    end(session, "", "a", a);
    end(session, "", "c", c);
    rig_pass(&rig, 60001, 100); /* with the last that has its cause it is forgotten */
    CHECK_EQ(stat("bulks"), 1);
    rig_fini(&rig);
}

static void a_sessions_bulk_cancel_stays_in_its_namespace(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t one = rig_open(&rig, 1, 0);
    uint64_t two = rig_open(&rig, 1, 0);
    (void) store(one, "", "a", LABELS(B("x")));
    uint64_t b = store(one, "", "b", LABELS(B("x")));
    (void) store(one, "other", "a", LABELS(B("x")));
    uint64_t c = store(two, "", "c", LABELS(B("x")));
    CHECK_EQ(ask(0, cancel_owner(12345)).answer, ANSWER_NOT_FOUND);
    /* One that has ended, and that its session has not been told of, is none of them. */
    struct op foreign = rig_delete("b", b, OUTCOME_FAILED);
    CHECK_EQ(ask(two, foreign).answer, ANSWER_DELETED);
    struct seen seen = bulk(two, cancel_owner(one));
    CHECK_EQ(seen.answer, ANSWER_REQUESTED);
    CHECK_EQ(seen.requested, 1);
    CHECK_EQ(state_of("c", c), STATE_LIVE);
    CHECK_EQ(stat("operations_cancelling"), 1);
    rig_fini(&rig);
}

static void what_ends_before_it_is_reached_is_not_counted(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t gen = store(session, "", "a", LABELS(B("x")));
    rig_park(&rig, 1, session, ++ids, cancel_label("x"));
    uint64_t later = store(session, "", "b", LABELS(B("x"))); /* above the fence */
    end(session, "", "a", gen);
    rig_pass(&rig, 0, 100);
    CHECK_EQ(rig.first.answer, ANSWER_NOT_FOUND);
    CHECK_EQ(rig.first.requested + rig.first.already_requested, 0);
    CHECK_EQ(state_of("b", later), STATE_LIVE);
    CHECK_EQ(stat("bulks"), 0);
    rig_fini(&rig);
}

static void a_lost_asker_stops_nothing(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    (void) store(session, "", "a", LABELS(B("x")));
    (void) store(session, "", "b", LABELS(B("x")));
    CHECK(registry_link_up(rig.registry, 2, text("uid:2")));
    rig_park(&rig, 2, 0, 0, cancel_label("x"));
    registry_link_down(rig.registry, 2, rig.now_ms);
    registry_check(rig.registry);
    size_t replies = rig.replies;
    rig_pass(&rig, 0, 1);
    CHECK_EQ(rig.replies, replies);
    CHECK_EQ(stat("operations_cancelling"), 2);
    rig_fini(&rig);
}

static void an_answer_is_given_again(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    (void) store(session, "", "a", LABELS(B("x")));
    uint64_t id = ++ids;
    rig_park(&rig, 1, session, id, cancel_label("x"));
    rig_park(&rig, 1, session, id, cancel_label("x")); /* undecided: nothing is begun again */
    CHECK_EQ(stat("bulks"), 1);
    rig_pass(&rig, 0, 100);
    CHECK_EQ(rig.first.requested, 1);
    CHECK_EQ(rig_ask(&rig, 1, session, id, cancel_label("x")).requested, 1);
    rig_fini(&rig);
}

static void an_operation_of_the_dead_takes_its_turn(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t first = rig_open(&rig, 1, 0); /* it is buried before the others, and slowly */
    for (unsigned i = 0; i < 50; i++) {
        char key[8];
        (void) snprintf(key, sizeof key, "f%u", i);
        (void) store(first, "far", key, (struct labels){0});
    }
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t other = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < 6; i++) {
        char key[8];
        (void) snprintf(key, sizeof key, "k%u", i);
        struct op op = rig_store(key, POLICY_REJECT);
        op.as.store.labels = LABELS(B("x"));
        if (i % 2 == 0) {
            op.as.store.ttl_ms = 60000;
            op.as.store.on_owner_loss = ON_OWNER_LOSS_KEEP;
        }
        CHECK_EQ(ask(session, op).answer, ANSWER_STORED);
    }
    (void) store(other, "", "mine", LABELS(B("x")));
    rig_park(&rig, 1, other, ++ids, cancel_label("x"));
    CHECK_EQ(ask(first, (struct op){.kind = OP_CLOSE}).answer, ANSWER_CLOSED);
    CHECK_EQ(ask(session, (struct op){.kind = OP_CLOSE}).answer, ANSWER_CLOSED);
    rig_pass(&rig, 0, 4);
    CHECK_EQ(rig.first.answer, ANSWER_REQUESTED);
    CHECK_EQ(rig.first.requested, 4); /* those that are kept, and the other session's */
    CHECK_EQ(stat("ended_owner_lost"), 53);
    rig_fini(&rig);
}

static void bulk_cancels_have_a_bound(void)
{
    struct limits limits = limits_default();
    limits.bulks = 1;
    rig_init(&rig, &limits, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t gen = store(session, "", "a", LABELS(B("x")));
    CHECK_EQ(bulk(0, cancel_label("x")).answer, ANSWER_REQUESTED);
    struct seen seen = ask(0, cancel_label("x"));
    CHECK_EQ(seen.answer, ANSWER_FULL);
    CHECK_STR_EQ(seen.limit, "bulks");
    CHECK_EQ(ask(0, cancel_label("none")).answer, ANSWER_NOT_FOUND);
    end(session, "", "a", gen);
    rig_pass(&rig, 60001, 100);
    (void) store(session, "", "a", LABELS(B("x")));
    CHECK_EQ(bulk(0, cancel_label("x")).answer, ANSWER_REQUESTED);
    rig_fini(&rig);
}

/* Stores so many with both labels, without a look at every invariant each time. */
static void store_many(uint64_t session, unsigned all)
{
    static struct op ops[128];
    static char keys[128][12];
    static const struct bytes both_labels[] = {B("x"), B("y")};
    for (unsigned done = 0; done < all; done += 128) {
        for (unsigned i = 0; i < 128; i++) {
            (void) snprintf(keys[i], sizeof keys[i], "k%u", done + i);
            ops[i] = rig_store(keys[i], POLICY_REJECT);
            ops[i].as.store.labels = (struct labels){both_labels, 2};
        }
        struct reply_to to = {.link = 1};
        ids++;
        struct frame frame = {.version = 1,
                              .session = session,
                              .request_id = ids,
                              .answered_below = ids,
                              .ops = ops,
                              .ops_count = 128};
        registry_frame(rig.registry, &to, &frame, rig.now_ms);
        CHECK_EQ(rig.last.answer, ANSWER_STORED);
    }
}

static void counts_that_walk_have_a_bound(void)
{
    enum { ALL = 40 * 1024 };

    rig_init(&rig, NULL, 1);
    ids = 0;
    uint64_t session = rig_open(&rig, 1, 0);
    store_many(session, ALL);
    struct op cheap = {.kind = OP_COUNT, .as.list.labels = LABELS(B("x"))};
    struct op dear = {.kind = OP_COUNT, .as.list.labels = LABELS(B("x"), B("y"))};
    struct op ops[] = {cheap, dear, dear, cheap, dear};
    struct frame frame = {.version = 1, .ops = ops, .ops_count = 5};
    rig_send(&rig, 1, &frame);
    CHECK_EQ(rig.results, 5);
    CHECK_EQ(rig.first.count, ALL);
    CHECK_EQ(rig.answers[ANSWER_COUNTED], 4);
    CHECK_EQ(rig.last.answer, ANSWER_NOT_APPLIED);
    rig_fini(&rig);
}

/* ---- lists in an order, and what is measured ---- */

static void lists_come_in_order(void)
{
    rig_begin(&rig, &(struct rig_options){.epoch = 8, .counter_first = 1, .recovery_ms = 5000});
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t born[4];
    born[2] = store(session, "", "c", LABELS(B("x")));
    born[3] = store(session, "", "d", LABELS(B("x")));
    for (unsigned i = 0; i < 2; i++) { /* older ones come back later */
        struct op op = {
            .kind = OP_ADOPT, .key = text(i == 0 ? "a" : "b"), .gen = RIG_EARLIER(5 + i)};
        CHECK_EQ(ask(session, op).answer, ANSWER_ADOPTED);
        born[i] = op.gen;
    }
    struct op oldest = {.kind = OP_LIST, .as.list.order = LIST_ORDER_OLDEST};
    (void) ask(0, oldest);
    CHECK_EQ(rig.lists.operations_count, 4);
    CHECK_EQ(rig.lists.next_cursor, 0);
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(rig.lists.operations[i].gen, born[i]);
    }
    oldest.as.list.page_size = 1;
    oldest.as.list.labels = LABELS(B("x"));
    (void) ask(0, oldest);
    CHECK_EQ(rig.lists.operations_count, 1);
    CHECK_EQ(rig.lists.operations[0].gen, born[2]);
    struct op waiting = {.kind = OP_LIST, .as.list.order = LIST_ORDER_UNACKNOWLEDGED};
    (void) ask(0, rig_cancel("d", 0));
    rig_pass(&rig, 30, 10);
    (void) ask(0, rig_cancel("a", 0));
    (void) ask(0, rig_cancel("c", 0));
    (void) ask(0, waiting);
    CHECK_EQ(rig.lists.operations_count, 3);
    CHECK_EQ(rig.lists.operations[0].gen, born[3]);
    CHECK_EQ(rig.lists.operations[1].gen, born[0]);
    CHECK_EQ(rig.lists.operations[2].gen, born[2]);
    waiting.space = text("other");
    (void) ask(0, waiting);
    CHECK_EQ(rig.lists.operations_count, 0);
    rig_fini(&rig);
}

/* More than one page looks at. */
enum { LOOKS = 2048 };

/* However many there are in other namespaces. */
static void an_unacknowledged_one_is_found_behind_those_of_others(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < LOOKS + 2; i++) {
        char key[16];
        (void) snprintf(key, sizeof key, "k%u", i);
        CHECK_EQ(rig_do_quickly(&rig, session, rig_store(key, POLICY_REJECT)).answer,
                 ANSWER_STORED);
        CHECK_EQ(rig_do_quickly(&rig, 0, rig_cancel(key, 0)).answer, ANSWER_REQUESTED);
    }
    struct op op = rig_store("mine", POLICY_REJECT);
    op.space = text("b");
    uint64_t gen = rig_do(&rig, session, op).gen;
    op = rig_cancel("mine", gen);
    op.space = text("b");
    CHECK_EQ(rig_do(&rig, 0, op).answer, ANSWER_REQUESTED);
    op = (struct op){
        .kind = OP_LIST, .space = text("b"), .as.list.order = LIST_ORDER_UNACKNOWLEDGED};
    CHECK_EQ(rig_do(&rig, 0, op).answer, ANSWER_PAGE);
    CHECK_EQ(rig.lists.operations_count, 1);
    CHECK_EQ(rig.lists.operations[0].gen, gen);
    CHECK(!rig.lists.more);
    op.space = (struct bytes){0};
    op.as.list.page_size = 10;
    CHECK_EQ(rig_do(&rig, 0, op).answer, ANSWER_PAGE);
    CHECK_EQ(rig.lists.operations_count, 10);
    CHECK(rig.lists.more);
    rig_fini(&rig);
}

/* What matches may stand behind what one look comes to. */
static void a_page_in_order_says_that_there_may_be_more(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    for (unsigned i = 0; i < LOOKS; i++) {
        char key[16];
        (void) snprintf(key, sizeof key, "k%u", i);
        CHECK_EQ(rig_do_quickly(&rig, session, rig_store(key, POLICY_REJECT)).answer,
                 ANSWER_STORED);
    }
    struct op op = {.kind = OP_LIST,
                    .as.list = {.order = LIST_ORDER_OLDEST, .labels = LABELS(B("x"))}};
    CHECK_EQ(rig_do(&rig, 0, op).answer, ANSWER_PAGE);
    CHECK(!rig.lists.more); /* it has looked at all */
    op.as.list.labels = (struct labels){0};
    op.as.list.page_size = 1;
    CHECK_EQ(rig_do(&rig, 0, op).answer, ANSWER_PAGE);
    CHECK(rig.lists.more);
    op.as.list.labels = LABELS(B("x"));
    struct op labelled = rig_store("labelled", POLICY_REJECT);
    labelled.as.store.labels = LABELS(B("x"));
    CHECK_EQ(rig_do(&rig, session, labelled).answer, ANSWER_STORED);
    CHECK_EQ(rig_do(&rig, 0, op).answer, ANSWER_PAGE);
    CHECK_EQ(rig.lists.operations_count, 0);
    CHECK(rig.lists.more);
    CHECK_EQ(rig.lists.next_cursor, 0);
    rig_fini(&rig);
}

static void all_rows_fit_a_reply(void)
{
    rig_init(&rig, NULL, 1);
    const struct stat_row *rows;
    size_t rows_count = registry_stats(rig.registry, &rows);
    size_t bytes = 0;
    for (size_t i = 0; i < rows_count; i++) {
        bytes += strlen(rows[i].name) + 24; /* the longest number, and what it is wrapped in */
        for (size_t other = 0; other < i; other++) {
            CHECK(strcmp(rows[i].name, rows[other].name) != 0);
        }
    }
    CHECK_LE(rows_count, STATS_MAX);
    CHECK_LT(bytes, FRAME_BYTES_MAX / 2);
    rig_fini(&rig);
}

static void what_owners_do_not_acknowledge_is_counted(void)
{
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    uint64_t a = store(session, "", "a", (struct labels){0});
    uint64_t b = store(session, "", "b", (struct labels){0});
    (void) ask(0, rig_cancel("a", 0));
    rig_pass(&rig, 5, 10);
    (void) ask(0, rig_cancel("b", 0));
    CHECK_EQ(stat("cancels_unacknowledged"), 2);
    CHECK_EQ(stat("cancel_unacknowledged_oldest_ms"), 5);
    struct notice_ack ack = {.gen = a, .kind = NOTICE_CANCEL};
    (void) ask(session, rig_poll(&ack, 1, 0));
    CHECK_EQ(stat("cancels_unacknowledged"), 1);
    CHECK_EQ(stat("cancel_unacknowledged_oldest_ms"), 0);
    CHECK_EQ(stat("cancel_delivered_ms_lt_8"), 1); /* 5 ms: below 8, not below 4 */
    rig_pass(&rig, 1024, 10);
    end(session, "", "a", a);
    CHECK_EQ(stat("cancel_stopped_ms_lt_2048"), 1);
    end(session, "", "b", b); /* never acknowledged: nothing to measure */
    CHECK_EQ(stat("cancels_unacknowledged"), 0);
    CHECK_EQ(stat("cancel_delivered_ms_inf"), 0);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"labels stay until the operation is forgotten, and count by state",
     labels_stay_until_the_operation_is_forgotten},
    {"labels and their uses have bounds of their own", labels_have_their_bounds},
    {"a label's name counts as bytes once", a_label_counts_as_bytes_once},
    {"a bulk cancel tells what it did", a_bulk_cancel_tells_what_it_did},
    {"a session's bulk cancel stays in its namespace",
     a_sessions_bulk_cancel_stays_in_its_namespace},
    {"what ends before it is reached is not counted",
     what_ends_before_it_is_reached_is_not_counted},
    {"a bulk cancel whose asker is lost goes on", a_lost_asker_stops_nothing},
    {"a bulk cancel's answer is given again for its id", an_answer_is_given_again},
    {"an operation of a dead owner takes its turn first", an_operation_of_the_dead_takes_its_turn},
    {"bulk cancels have a bound, and one is let go with its last operation",
     bulk_cancels_have_a_bound},
    {"a frame's counts look at no more than so many operations", counts_that_walk_have_a_bound},
    {"the oldest operations, and the oldest cancels, come first", lists_come_in_order},
    {"an unacknowledged one is found behind those of others",
     an_unacknowledged_one_is_found_behind_those_of_others},
    {"a page in order says that there may be more", a_page_in_order_says_that_there_may_be_more},
    {"the rows of stats differ, and fit a reply", all_rows_fit_a_reply},
    {"cancels that nobody acknowledges are counted, the others measured",
     what_owners_do_not_acknowledge_is_counted},
};

TEST_MAIN(cases)
