/* SPDX-License-Identifier: MIT */
/* The service from end to end within one process: bytes on a socket in, bytes on a socket out. */
#include "service_rig.h"

#include <pthread.h>

#define UNTIL_CANCELLING_ CANCELD__V1__UNTIL__UNTIL_CANCELLING
#define UNTIL_ENDED_ CANCELD__V1__UNTIL__UNTIL_ENDED

/* Reads the answer out of a reply and frees it. */
static int answer_of(Canceld__V1__Reply *reply)
{
    const int answer = (int) reply->results[0]->answer;
    reply_free(reply);
    return answer;
}

static uint64_t stored(Canceld__V1__Reply *reply)
{
    const uint64_t gen = reply->results[0]->gen;
    CHECK_EQ(answer_of(reply), ANSWER_STORED);
    return gen;
}

static void a_life(void)
{
    struct rig rig = {0};
    rig_start(&rig);
    struct client *owner = client_new(rig.url);
    struct client *canceller = client_new(rig.url);
    const uint64_t session = client_open(owner);
    const uint64_t gen = stored(client_store(owner, session, 1, 0));
    CHECK_EQ(gen >> GEN_COUNTER_BITS, 7);

    Canceld__V1__Poll poll;
    OP_OF(poll, POLL, poll);
    poll.wait_ms = 20000;
    const uint32_t poll_id = client_ask(owner, session, 2, &op);
    CHECK_EQ(answer_of(client_cancel(canceller)), ANSWER_REQUESTED);
    CHECK_EQ(answer_of(client_cancel(canceller)), ANSWER_ALREADY_REQUESTED);

    uint32_t id;
    Canceld__V1__Reply *reply = client_next(owner, &id);
    CHECK_EQ(id, poll_id);
    CHECK_EQ(reply->results[0]->answer, ANSWER_NOTICES);
    CHECK_EQ(reply->results[0]->n_notices, 1);
    CHECK_EQ(reply->results[0]->notices[0]->gen, gen);
    CHECK_EQ(reply->results[0]->notices[0]->kind, NOTICE_CANCEL);
    reply_free(reply);

    Canceld__V1__Delete delete;
    canceld__v1__delete__init(&delete);
    delete.key = data_of("key");
    delete.gen = gen;
    delete.outcome = CANCELD__V1__OUTCOME__OUTCOME_CANCELLED;
    op.op_case = CANCELD__V1__OP__OP_DELETE;
    op.delete_ = &delete;
    reply = client_call(owner, session, 3, &op);
    CHECK(reply->results[0]->cancelled && reply->results[0]->by_owner);
    CHECK_EQ(answer_of(reply), ANSWER_DELETED);
    reply = client_cancel(canceller);
    CHECK_EQ(reply->results[0]->outcome, OUTCOME_CANCELLED);
    CHECK_EQ(answer_of(reply), ANSWER_FINISHED);
    client_free(owner);
    client_free(canceller);
    rig_end(&rig);
}

static void a_repeated_frame(void)
{
    struct rig rig = {0};
    rig_start(&rig);
    struct client *client = client_new(rig.url);
    const uint64_t session = client_open(client);
    const uint64_t gen = stored(client_store(client, session, 1, 0));
    CHECK(stored(client_store(client, session, 1, 0)) == gen);
    Canceld__V1__Store store;
    OP_OF(store, STORE, store);
    store.key = data_of("another key");
    (void) client_ask(client, session, 1, &op);
    Canceld__V1__Reply *reply = client_reply(client);
    CHECK_EQ(reply->error->code, ERROR_REQUEST_ID_REUSED);
    reply_free(reply);
    client_free(client);
    rig_end(&rig);
}

static void the_end_of_the_counter(void)
{
    struct rig rig = {.counter_first = GEN_COUNTER_MAX};
    rig_start(&rig);
    struct client *client = client_new(rig.url);
    const uint64_t session = client_open(client);
    const uint64_t last = stored(client_store(client, session, 1, 0));
    CHECK_EQ(last & GEN_COUNTER_MAX, GEN_COUNTER_MAX);
    Canceld__V1__Store store;
    OP_OF(store, STORE, store);
    store.key = data_of("another key");
    const uint64_t next = stored(client_call(client, session, 2, &op));
    CHECK_EQ(next >> GEN_COUNTER_BITS, 8); /* the epoch that the config's function gave */
    client_free(client);
    rig_end(&rig);
}

static void over_tcp(void)
{
    struct rig rig = {0};
    const struct limits limits = limits_default();
    rig_init(&rig, &limits);
    rig_listen(&rig, "tcp://127.0.0.1:0");
    CHECK_EQ(actor_loop_start(rig.loop), STATUS_OK);
    struct client *tcp = client_new(service_url(rig.service, 1));
    struct client *ipc = client_new(rig.url);
    const uint64_t session = client_open(tcp);
    (void) stored(client_store(tcp, session, 1, 0));
    CHECK_EQ(answer_of(client_cancel(ipc)), ANSWER_REQUESTED);
    client_free(tcp);
    client_free(ipc);
    rig_end(&rig);
}

static void refused_frames(void)
{
    struct rig rig = {0};
    rig_start(&rig);
    struct client *client = client_new(rig.url);
    static const struct {
        const char *body;
        size_t size;
        int error;
    } bad[] = {{"\x08\x01\x18\x07\x32\x05", 6, ERROR_MALFORMED},
               {"", 0, ERROR_VERSION},
               {"\x08\x02\x18\x07", 4, ERROR_VERSION},
               {"\x08\x01\x18\x07", 4, ERROR_OP_COUNT}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void) client_send(client, (const uint8_t *) bad[i].body, bad[i].size);
        Canceld__V1__Reply *reply = client_reply(client);
        CHECK(reply->error != NULL);
        CHECK_EQ(reply->error->code, bad[i].error);
        CHECK_EQ(reply->n_results, 0);
        CHECK_EQ(reply->request_id, bad[i].size == 0 ? 0 : 7);
        reply_free(reply);
    }
    CHECK_EQ(answer_of(client_ping(client)), ANSWER_PONG);
    client_free(client);
    rig_end(&rig);
}

static uint64_t stat_of(const Canceld__V1__Result *result, const char *name)
{
    for (size_t i = 0; i < result->n_stats; i++) {
        if (strcmp(result->stats[i]->name, name) == 0) {
            return result->stats[i]->value;
        }
    }
    (void) fprintf(stderr, "no row %s\n", name);
    CHECK(false);
    return 0;
}

static void stats_of_all_parts(void)
{
    struct rig rig = {0};
    rig_start(&rig);
    struct client *client = client_new(rig.url);
    struct client *other = client_new(rig.url);
    CHECK_EQ(answer_of(client_ping(other)), ANSWER_PONG);
    (void) client_send(client, (const uint8_t *) "\x08", 1);
    reply_free(client_reply(client));
    (void) client_open(client);
    Canceld__V1__Stats stats;
    OP_OF(stats, STATS, stats);
    Canceld__V1__Reply *reply = client_call(client, 0, 5, &op);
    const size_t rows_count = reply->results[0]->n_stats;
    reply_free(reply);
    reply = client_call(client, 0, 6, &op);
    const Canceld__V1__Result *result = reply->results[0];
    CHECK_EQ(result->answer, ANSWER_STATS);
    CHECK_EQ(result->n_stats, rows_count);
    CHECK_EQ(stat_of(result, "epoch"), 7);
    CHECK_EQ(stat_of(result, "sessions"), 1);
    CHECK_EQ(stat_of(result, "limit_outstanding"), 1024);
    CHECK_EQ(stat_of(result, "wire_links"), 2);
    CHECK_EQ(stat_of(result, "wire_accepted"), 2);
    CHECK_EQ(stat_of(result, "wire_frames_in"), 5);
    CHECK_EQ(stat_of(result, "wire_frames_malformed"), 1);
    CHECK_EQ(stat_of(result, "wire_frames_too_complex"), 0);
    CHECK_EQ(stat_of(result, "wire_cut_RULES"), 0);
    /* It may have been too busy looking at its sockets to be told anything, or to sleep. */
    CHECK_GE(stat_of(result, "owner_sleeps"), stat_of(result, "owner_wakes"));
    (void) stat_of(result, "owner_messages");
    CHECK_GE(stat_of(result, "owner_actors"), 5); /* service, registry, endpoint, two links */
    (void) stat_of(result, "lease_stalls");
    reply_free(reply);
    client_free(client);
    client_free(other);
    rig_end(&rig);
}

static void a_lost_owner(void)
{
    struct rig rig = {0};
    struct limits limits = limits_default();
    limits.grace_ms = 300;
    rig_init(&rig, &limits);
    CHECK_EQ(actor_loop_start(rig.loop), STATUS_OK);
    struct client *owner = client_new(rig.url);
    struct client *waiter = client_new(rig.url);
    const uint64_t session = client_open(owner);
    (void) stored(client_store(owner, session, 1, 0));
    client_wait_for(waiter, UNTIL_ENDED_);
    const uint64_t cut_ms = test_now_ms();
    client_free(owner);
    Canceld__V1__Reply *reply = client_reply(waiter);
    CHECK_GE(test_now_ms() - cut_ms, 299); /* of two clocks that are cut to whole ms */
    CHECK_EQ(reply->results[0]->outcome, OUTCOME_OWNER_LOST);
    CHECK_EQ(answer_of(reply), ANSWER_ENDED);
    client_free(waiter);
    rig_end(&rig);
}

static void an_expiry_that_nobody_talks_about(void)
{
    struct rig rig = {0};
    rig_start(&rig);
    struct client *owner = client_new(rig.url);
    struct client *waiter = client_new(rig.url);
    const uint64_t session = client_open(owner);
    for (uint64_t i = 1; i <= 5; i++) {
        const uint64_t stored_ms = test_now_ms();
        const uint64_t gen = stored(client_store(owner, session, 2 * i, 100));
        client_wait_for(waiter, UNTIL_CANCELLING_);
        Canceld__V1__Reply *reply = client_reply(waiter);
        CHECK_GE(test_now_ms() - stored_ms, 100);
        CHECK_LT(test_now_ms() - stored_ms, CLIENT_PATIENCE_MS / 2);
        CHECK_EQ(reply->results[0]->cause->code, CAUSE_DEADLINE);
        CHECK_EQ(answer_of(reply), ANSWER_CANCELLING);
        Canceld__V1__Delete delete;
        OP_OF(delete, DELETE, delete_);
        delete.key = data_of("key");
        delete.gen = gen;
        delete.outcome = CANCELD__V1__OUTCOME__OUTCOME_CANCELLED;
        CHECK_EQ(answer_of(client_call(owner, session, 2 * i + 1, &op)), ANSWER_DELETED);
    }
    client_free(owner);
    client_free(waiter);
    rig_end(&rig);
}

static uint64_t parked_count(struct client *client)
{
    Canceld__V1__Stats stats;
    OP_OF(stats, STATS, stats);
    Canceld__V1__Reply *reply = client_call(client, 0, 5, &op);
    const uint64_t parked = stat_of(reply->results[0], "parked");
    reply_free(reply);
    return parked;
}

static void the_end(void)
{
    struct rig rig = {0};
    rig_start(&rig);
    struct client *owner = client_new(rig.url);
    struct client *waiter = client_new(rig.url);
    const uint64_t session = client_open(owner);
    (void) stored(client_store(owner, session, 1, 0));
    client_wait_for(waiter, UNTIL_ENDED_);
    struct client *third = client_new(rig.url);
    CHECK_EVENTUALLY(parked_count(third) == 1);
    const uint64_t asked_ms = test_now_ms();
    CHECK_EQ(service_shut_down(rig.service), STATUS_OK);
    CHECK_LT(test_now_ms() - asked_ms, ENDPOINT_FLUSH_MS / 2);
    uint32_t id;
    CHECK_EQ(answer_of(client_reply(waiter)), ANSWER_SHUTTING_DOWN);
    CHECK(client_next(waiter, &id) == NULL);
    CHECK(client_next(owner, &id) == NULL);
    struct client *late = calloc(1, sizeof *late);
    CHECK(late != NULL);
    CHECK(!client_try_ipc(late, rig.url));
    free(late);
    client_free(owner);
    client_free(waiter);
    client_free(third);
    rig_free(&rig);
}

/* ---- the end, with a journal ---- */

static void *shut_down(void *context)
{
    const struct rig *rig = context;
    CHECK_EQ(service_shut_down(rig->service), STATUS_OK);
    return NULL;
}

static bool is_accepting(const struct rig *rig)
{
    struct client *late = calloc(1, sizeof *late);
    CHECK(late != NULL);
    const bool accepts = client_try_ipc(late, rig->url);
    if (accepts) {
        (void) close(late->fd);
    }
    free(late);
    return accepts;
}

/* Its journal keeps nothing before it is started. */
static struct client *journal_rig_start(struct rig *rig, struct client **owner_out)
{
    const struct limits limits = limits_default();
    char error[JOURNAL_ERROR_BYTES] = "";
    rig_init(rig, &limits);
    rig_free(rig);
    rig->journal_directory = test_directory();
    rig_compose(rig);
    rig_listen(rig, rig->url);
    CHECK_EQ(service_recover(rig->service, error), STATUS_OK);
    CHECK_EQ(actor_loop_start(rig->loop), STATUS_OK);
    *owner_out = client_new(rig->url);
    (void) stored(client_store(*owner_out, client_open(*owner_out), 1, 0));
    struct client *canceller = client_new(rig->url);
    Canceld__V1__Cancel cancel;
    OP_OF(cancel, CANCEL, cancel);
    cancel.key = data_of("key");
    (void) client_ask(canceller, 0, 0, &op);
    struct client *other = client_new(rig->url);
    Canceld__V1__Stats stats;
    canceld__v1__stats__init(&stats);
    for (uint64_t pending = 0; pending == 0;) { /* the cancel was taken */
        Canceld__V1__Op ask;
        canceld__v1__op__init(&ask);
        ask.op_case = CANCELD__V1__OP__OP_STATS;
        ask.stats = &stats;
        Canceld__V1__Reply *reply = client_call(other, 0, 0, &ask);
        pending = stat_of(reply->results[0], "journal_bytes_pending");
        reply_free(reply);
    }
    client_free(other);
    return canceller;
}

static void journal_rig_end(struct rig *rig)
{
    actor_loop_stop(rig->loop, false);
    journal_close(rig->journal);
    service_free(rig->service);
    actor_system_free(rig->system);
}

static void the_end_waits_for_the_journal(void)
{
    struct rig rig = {0};
    struct client *owner;
    pthread_t thread;
    uint32_t id;
    struct client *canceller = journal_rig_start(&rig, &owner);
    CHECK_EQ(pthread_create(&thread, NULL, shut_down, &rig), 0);
    CHECK_EVENTUALLY(!is_accepting(&rig));
    CHECK_EQ(journal_start(rig.journal), STATUS_OK);
    Canceld__V1__Reply *reply = client_next(canceller, &id);
    CHECK(reply != NULL);
    CHECK(reply->results[0]->journaled);
    CHECK_EQ(answer_of(reply), ANSWER_REQUESTED);
    CHECK(client_next(canceller, &id) == NULL);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    client_free(canceller);
    client_free(owner);
    journal_rig_end(&rig);
}

static void the_end_does_not_wait_for_a_journal_for_ever(void)
{
    struct rig rig = {0};
    struct client *owner;
    uint32_t id;
    struct client *canceller = journal_rig_start(&rig, &owner);
    const uint64_t asked_ms = test_now_ms();
    CHECK_EQ(service_shut_down(rig.service), STATUS_OK);
    CHECK_GE(test_now_ms() - asked_ms, ENDPOINT_FLUSH_MS - 1);
    CHECK_LT(test_now_ms() - asked_ms, ENDPOINT_FLUSH_MS * 2 * TEST_PATIENCE);
    CHECK(client_next(canceller, &id) == NULL);
    client_free(canceller);
    client_free(owner);
    journal_rig_end(&rig);
}

static void the_end_without_clients(void)
{
    struct rig rig = {0};
    rig_start(&rig);
    rig_end(&rig);
}

static void an_address_that_is_none(void)
{
    struct rig rig = {0};
    const struct limits limits = limits_default();
    rig_init(&rig, &limits);
    char error[ENDPOINT_ERROR_BYTES] = "";
    const struct endpoint_options options = {.url = "smoke://signal", .ipc_gid = -1};
    CHECK_EQ(service_listen(rig.service, &options, error), STATUS_INVALID);
    CHECK_GT(strlen(error), 10);
    rig_free(&rig);
    service_free(NULL);
}

static void many_frames_at_once(void)
{
    struct rig rig = {0};
    rig_start(&rig);
    struct client *client = client_new(rig.url);
    const uint64_t session = client_open(client);
    /* 40 frames of 250 ops, and only then a look at the replies. */
    static Canceld__V1__Op ops[250];
    static Canceld__V1__Op *list[250];
    static uint8_t body[FRAME_BYTES_MAX];
    Canceld__V1__Count count;
    canceld__v1__count__init(&count);
    for (size_t i = 0; i < 250; i++) {
        canceld__v1__op__init(&ops[i]);
        ops[i].op_case = CANCELD__V1__OP__OP_COUNT;
        ops[i].count = &count;
        list[i] = &ops[i];
    }
    Canceld__V1__Frame frame;
    canceld__v1__frame__init(&frame);
    frame.version = 1;
    frame.session = session;
    frame.n_ops = 250;
    frame.ops = list;
    for (uint64_t i = 1; i <= 40; i++) {
        frame.request_id = i;
        const size_t size = canceld__v1__frame__pack(&frame, body);
        (void) client_send(client, body, size);
    }
    for (uint64_t i = 1; i <= 40; i++) {
        uint32_t id;
        Canceld__V1__Reply *reply = client_next(client, &id);
        CHECK_EQ(reply->request_id, i);
        CHECK_EQ(reply->n_results, 250);
        CHECK_EQ(reply->results[249]->answer, ANSWER_COUNTED);
        reply_free(reply);
    }
    client_free(client);
    rig_end(&rig);
}

static const struct test_case cases[] = {
    {"an operation is stored, cancelled, told of and deleted", a_life, 0},
    {"a frame that comes twice is applied once", a_repeated_frame, 0},
    {"at the end of the counter the next epoch is asked for", the_end_of_the_counter, 0},
    {"a canceller on ipc reaches an owner on tcp", over_tcp, 0},
    {"a frame that is refused leaves the connection alive", refused_frames, 0},
    {"stats tell of the registry, the wire, the leases and the owner", stats_of_all_parts, 0},
    {"an owner that goes away is lost after the grace", a_lost_owner, 0},
    {"a ttl ends without any traffic, and never early", an_expiry_that_nobody_talks_about, 0},
    {"at the end what is parked is answered and everybody sent home", the_end, 0},
    {"the end waits for the journal to keep what was answered", the_end_waits_for_the_journal, 0},
    {"the end does not wait for a journal for ever", the_end_does_not_wait_for_a_journal_for_ever,
     0},
    {"the end of a service without clients is quick", the_end_without_clients, 0},
    {"an address that is none is refused with a sentence", an_address_that_is_none, 0},
    {"many frames at once are answered in order", many_frames_at_once, 0},
};
TEST_MAIN(cases)
