/* SPDX-License-Identifier: MIT */
/* The registry as an actor, on a loop that is run by hand and a clock that the test turns. Its port
 * writes a result as one byte, the answer. */
#include "registry/registry_actor.h"
#include "testing.h"

#include <string.h>

#define MS NS_PER_MS
#define GRACE_MS 200

struct rig {
    struct clock clock;
    uint64_t now_ns;
    struct actor_system *system;
    struct actor_loop *loop;
    struct registry_actor *registry_actor;
    struct actor *sweeper;
    uint64_t cut_in_sweep;            /* the link that the sweeper reports as gone */
    void (*in_turn)(struct rig *rig); /* what the sweeper does with a message */
    /* What went out. */
    size_t sent_count;
    uint8_t answer; /* of the last reply's last result, 0 where the frame was refused */
    uint64_t link;
    uint64_t session;
};

static uint64_t now_of(void *context)
{
    return ((struct rig *) context)->now_ns;
}

static size_t put_head(void *context, const struct reply_head *head, uint8_t *out, size_t room)
{
    (void) context;
    CHECK_GE(room, 1);
    out[0] = head->error.code == ERROR_UNSET ? 0 : 0xff;
    return 1;
}

static size_t put_result(void *context, const struct result *result, uint8_t *out, size_t room)
{
    struct rig *rig = context;
    CHECK_GE(room, 1);
    if (result->opened != NULL) {
        rig->session = result->opened->session;
    }
    out[0] = (uint8_t) result->answer;
    return 1;
}

static void take_reply(void *context, const struct reply_to *to, struct bytes reply)
{
    struct rig *rig = context;
    rig->sent_count++;
    rig->link = to->link;
    rig->answer = reply.data[0] == 0xff ? 0 : reply.data[reply.size - 1];
}

static bool no_epoch(void *context, uint64_t *epoch_out)
{
    (void) context;
    (void) epoch_out;
    return false;
}

/* A neighbour that finds out about a link in its own sweep, after the registry's. */
static uint64_t sweep_late(struct actor *self, uint64_t now_ns)
{
    struct rig *rig = actor_state(self);
    (void) now_ns;
    if (rig->cut_in_sweep != 0) {
        registry_actor_link_down(rig->registry_actor, rig->cut_in_sweep);
        rig->cut_in_sweep = 0;
    }
    return TIME_NEVER;
}

static void take_message(struct actor *self, struct message *message)
{
    struct rig *rig = actor_state(self);
    message_release(message);
    rig->in_turn(rig);
}

static const struct actor_class sweeper_class = {
    .name = "sweeper", .on_message = take_message, .on_sweep = sweep_late};

static void rig_init(struct rig *rig)
{
    *rig = (struct rig){.now_ns = 5000 * MS + 700000};
    rig->clock = (struct clock){.now_ns = now_of, .context = rig};
    const struct actor_options options = {.clock = &rig->clock, .actors_max = 8, .mailbox_max = 8};
    rig->system = actor_system_new(&options);
    CHECK(rig->system != NULL);
    rig->loop = actor_loop_new(rig->system, "owner");
    CHECK(rig->loop != NULL);
    struct registry_config config = {.limits = limits_default(), .epoch = 1, .counter_first = 1};
    config.limits.grace_ms = GRACE_MS;
    config.limits.connections = 3;
    const struct registry_port port = {.context = rig,
                                       .send = take_reply,
                                       .head = put_head,
                                       .result = put_result,
                                       .next_epoch = no_epoch};
    CHECK_EQ(registry_actor_new(rig->loop, &rig->clock, &config, &port, &rig->registry_actor),
             STATUS_OK);
    CHECK_EQ(actor_spawn(rig->loop, &sweeper_class, rig, &rig->sweeper), STATUS_OK);
    CHECK(registry_actor_link_up(rig->registry_actor, 1, bytes_of_string("peer")));
    CHECK(registry_actor_link_up(rig->registry_actor, 2, bytes_of_string("peer")));
}

static void rig_fini(struct rig *rig)
{
    actor_loop_stop(rig->loop, false);
    registry_actor_free(rig->registry_actor);
    actor_system_free(rig->system);
}

/* Time passes, and the loop does whatever it then finds to do. */
static void turn(struct rig *rig, uint64_t after_ns)
{
    rig->now_ns += after_ns;
    while (actor_loop_step(rig->loop, 1)) {
    }
}

/* Time passes as it does where the loop is awake in time. */
static void pass(struct rig *rig, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i++) {
        turn(rig, MS);
    }
}

/* One op from a link. The answer is in rig->answer, 0 where there was none. */
static void ask(struct rig *rig, uint64_t link, uint64_t request_id, const struct op *op)
{
    static uint64_t digest;
    const struct reply_to from = {.link = link, .route_words = 1};
    const struct frame frame = {.version = 1,
                                .session =
                                    op->kind == OP_OPEN || request_id == 0 ? 0 : rig->session,
                                .request_id = request_id,
                                .ops = op,
                                .ops_count = 1,
                                .ops_digest = ++digest};
    rig->answer = 0;
    registry_actor_frame(rig->registry_actor, &from, &frame);
}

static void open_and_store(struct rig *rig, uint32_t heartbeat_ms, uint32_t ttl_ms)
{
    ask(rig, 1, 1, &(struct op){.kind = OP_OPEN, .as.open.heartbeat_ms = heartbeat_ms});
    CHECK_EQ(rig->answer, ANSWER_OPENED);
    ask(rig, 1, 1,
        &(struct op){.kind = OP_STORE, .key = bytes_of_string("key"), .as.store.ttl_ms = ttl_ms});
    CHECK_EQ(rig->answer, ANSWER_STORED);
}

/* On link 2, without a session; the answer comes when it is so. */
static void wait_for(struct rig *rig, enum until until)
{
    ask(rig, 2, 0,
        &(struct op){.kind = OP_WAIT,
                     .key = bytes_of_string("key"),
                     .as.wait = {.until = until, .deadline_ms = 3600000}});
    CHECK_EQ(rig->answer, 0);
}

static void a_ttl(void)
{
    struct rig rig;
    rig_init(&rig);
    turn(&rig, 0);
    open_and_store(&rig, 0, 100);
    wait_for(&rig, UNTIL_CANCELLING);
    turn(&rig, 0);
    turn(&rig, 100 * MS - 1);
    CHECK_EQ(rig.answer, 0);
    turn(&rig, MS);
    CHECK_EQ(rig.answer, ANSWER_CANCELLING);
    CHECK_EQ(rig.link, 2);
    rig_fini(&rig);
}

static void a_silent_session(void)
{
    struct rig rig;
    rig_init(&rig);
    turn(&rig, 0);
    open_and_store(&rig, 100, 0);
    wait_for(&rig, UNTIL_ENDED);
    turn(&rig, 0);
    pass(&rig, 300 + GRACE_MS - 1);
    CHECK_EQ(rig.answer, 0);
    pass(&rig, 2);
    CHECK_EQ(rig.answer, ANSWER_ENDED);
    rig_fini(&rig);
}

static void a_stop_of_the_process(void)
{
    struct rig rig;
    rig_init(&rig);
    turn(&rig, 0);
    open_and_store(&rig, 100, 0);
    wait_for(&rig, UNTIL_ENDED);
    turn(&rig, 0);
    pass(&rig, 250);
    turn(&rig, 3600000 * MS); /* stopped for an hour */
    CHECK_EQ(rig.answer, 0);
    pass(&rig, LEASE_HOLD_MS - 1);
    CHECK_EQ(rig.answer, 0);
    /* What the owner had sent meanwhile is read now, and counts. */
    ask(&rig, 1, 2, &(struct op){.kind = OP_PING});
    CHECK_EQ(rig.answer, ANSWER_PONG);
    rig.answer = 0;
    turn(&rig, 0);
    pass(&rig, 299 + GRACE_MS);
    CHECK_EQ(rig.answer, 0);
    pass(&rig, 3);
    CHECK_EQ(rig.answer, ANSWER_ENDED);
    rig_fini(&rig);
}

/* Time passes, and then this happens within a turn, as everything does that links bring. */
static void turn_with(struct rig *rig, uint64_t after_ns, void (*in_turn)(struct rig *rig))
{
    static struct message message;
    message = (struct message){.kind = MESSAGE_KIND_FIRST};
    rig->in_turn = in_turn;
    CHECK_EQ(actor_tell(rig->system, actor_self(rig->sweeper), &message), STATUS_OK);
    turn(rig, after_ns);
}

static void store_for_100_ms(struct rig *rig)
{
    ask(rig, 1, 1,
        &(struct op){.kind = OP_STORE, .key = bytes_of_string("key"), .as.store.ttl_ms = 100});
    CHECK_EQ(rig->answer, ANSWER_STORED);
    wait_for(rig, UNTIL_CANCELLING);
}

static void a_frame_after_a_long_silence(void)
{
    struct rig rig;
    rig_init(&rig);
    turn(&rig, 0);
    ask(&rig, 1, 1, &(struct op){.kind = OP_OPEN});
    turn(&rig, 0);
    turn_with(&rig, 100000 * MS, store_for_100_ms);
    CHECK_EQ(rig.answer, 0);
    turn(&rig, 100 * MS - 1);
    CHECK_EQ(rig.answer, 0);
    turn(&rig, MS);
    CHECK_EQ(rig.answer, ANSWER_CANCELLING);
    rig_fini(&rig);
}

static void take_an_hour(struct rig *rig)
{
    rig->now_ns += 3600000 * MS;
}

static void a_turn_that_takes_an_hour(void)
{
    struct rig rig;
    rig_init(&rig);
    turn(&rig, 0);
    open_and_store(&rig, 100, 0);
    wait_for(&rig, UNTIL_ENDED);
    turn(&rig, 0);
    pass(&rig, 250);
    turn_with(&rig, 0, take_an_hour);
    pass(&rig, LEASE_HOLD_MS - 1);
    CHECK_EQ(rig.answer, 0);
    ask(&rig, 1, 2, &(struct op){.kind = OP_PING});
    CHECK_EQ(rig.answer, ANSWER_PONG);
    rig_fini(&rig);
}

static void read_both(struct rig *rig)
{
    ask(rig, 1, 2, &(struct op){.kind = OP_PING});
    ask(rig, 2, 0, &(struct op){.kind = OP_PING});
    rig->answer = 0;
}

static void every_link_read_after_a_stop(void)
{
    struct rig rig;
    rig_init(&rig);
    turn(&rig, 0);
    open_and_store(&rig, 0, 100);
    wait_for(&rig, UNTIL_CANCELLING);
    turn(&rig, 0);
    turn(&rig, 10000 * MS);
    CHECK_EQ(rig.answer, 0);
    turn_with(&rig, 20 * MS, read_both);
    pass(&rig, 5); /* and not LEASE_HOLD_MS */
    CHECK_EQ(rig.answer, ANSWER_CANCELLING);
    rig_fini(&rig);
}

static void a_link_that_we_do_not_read(void)
{
    struct rig rig;
    rig_init(&rig);
    turn(&rig, 0);
    open_and_store(&rig, 100, 0);
    wait_for(&rig, UNTIL_ENDED);
    turn(&rig, 0);
    registry_actor_link_paused(rig.registry_actor, 1, true);
    turn(&rig, 0);
    pass(&rig, 2000);
    CHECK_EQ(rig.answer, 0);
    registry_actor_link_paused(rig.registry_actor, 1, false);
    turn(&rig, 0);
    pass(&rig, 300 + GRACE_MS + 2);
    CHECK_EQ(rig.answer, ANSWER_ENDED);
    rig_fini(&rig);
}

static void links_without_end(void)
{
    struct rig rig;
    rig_init(&rig);
    turn(&rig, 0);
    for (uint64_t link = 3; link < 100; link++) {
        CHECK(registry_actor_link_up(rig.registry_actor, link, bytes_of_string("peer")));
        CHECK(!registry_actor_link_up(rig.registry_actor, 1000, bytes_of_string("peer")));
        CHECK(!registry_actor_link_opened(rig.registry_actor, link));
        registry_actor_link_down(rig.registry_actor, link);
    }
    rig_fini(&rig);
}

static void take_stats(struct ask *asked, enum ask_end end, struct message *reply)
{
    (void) asked;
    CHECK_EQ(end, ASK_REPLY);
    CHECK(reply != NULL);
}

static uint64_t stat_of(struct rig *rig, const char *name)
{
    static struct registry_stats_ask stats;
    static struct ask asked;
    stats = (struct registry_stats_ask){.message = {.kind = REGISTRY_STATS}};
    asked = (struct ask){.done = take_stats};
    CHECK_EQ(actor_ask(rig->system, actor_self(registry_actor_self(rig->registry_actor)),
                       &stats.message, 1000, &asked),
             STATUS_OK);
    turn(rig, 0);
    for (size_t i = 0; i < stats.rows_count; i++) {
        if (strcmp(stats.rows[i].name, name) == 0) {
            return stats.rows[i].value;
        }
    }
    CHECK(false);
    return 0;
}

static void a_link_lost_in_a_sweep(void)
{
    struct rig rig;
    rig_init(&rig);
    turn(&rig, 0);
    open_and_store(&rig, 0, 0);
    wait_for(&rig, UNTIL_ENDED);
    turn(&rig, 0);
    rig.cut_in_sweep = 1;
    rig.answer = 0;
    (void) stat_of(&rig, "operations_live"); /* a message, so that there is a sweep */
    CHECK_EQ(rig.cut_in_sweep, 0);
    turn(&rig, GRACE_MS * MS - 1);
    CHECK_EQ(rig.answer, 0);
    turn(&rig, MS);
    CHECK_EQ(rig.answer, ANSWER_ENDED);
    rig_fini(&rig);
}

static void stats_by_message(void)
{
    struct rig rig;
    rig_init(&rig);
    turn(&rig, 0);
    open_and_store(&rig, 100, 0);
    turn(&rig, 0);
    CHECK_EQ(stat_of(&rig, "operations_live"), 1);
    CHECK_EQ(stat_of(&rig, "lease_stalls"), 0);
    turn(&rig, 10000 * MS);
    CHECK_EQ(stat_of(&rig, "lease_stalls"), 1);
    CHECK_EQ(stat_of(&rig, "lease_holds"), 1);
    rig_fini(&rig);
}

static void after_the_shut_down(void)
{
    struct rig rig;
    rig_init(&rig);
    turn(&rig, 0);
    open_and_store(&rig, 100, 100);
    wait_for(&rig, UNTIL_ENDED);
    turn(&rig, 0);
    registry_actor_shut_down(rig.registry_actor);
    CHECK_EQ(rig.answer, ANSWER_SHUTTING_DOWN);
    registry_actor_link_down(rig.registry_actor, 1);
    pass(&rig, 2000);
    CHECK_EQ(stat_of(&rig, "operations_live"), 1);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"a ttl ends when its time is over and not before", a_ttl, 0},
    {"a silent session is lost after three intervals and the grace", a_silent_session, 0},
    {"a stop of the process costs no session that is heard after it", a_stop_of_the_process, 0},
    {"a link that is lost in a neighbour's sweep begins its grace", a_link_lost_in_a_sweep, 0},
    {"a frame after a long silence is of the present", a_frame_after_a_long_silence, 0},
    {"a turn that takes too long costs no session either", a_turn_that_takes_an_hour, 0},
    {"a hold ends when every link was read", every_link_read_after_a_stop, 0},
    {"silence is not counted while we do not read", a_link_that_we_do_not_read, 0},
    {"links come and go without end, and are bounded", links_without_end, 0},
    {"stats are answered to an ask", stats_by_message, 0},
    {"after the shut-down nothing is cancelled and nothing ends", after_the_shut_down, 0},
};
TEST_MAIN(cases)
