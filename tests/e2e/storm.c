/* SPDX-License-Identifier: MIT */
/* Storms against a running daemon.
 *
 * storm race URL COUNT SEED: COUNT operations, each finished by its owner and cancelled by a
 * canceller at about the same time. Four owners and four cancellers, a process each, in pairs: the
 * owner writes the gens into shared memory, its canceller takes them from there, and both write
 * down what the daemon told them. At the end the two accounts are compared gen by gen: a cancel
 * that was REQUESTED and a delete that says it was cancelled first must go together, and so must
 * FINISHED and a delete that says it was not. A coin decides for each batch whether the delete
 * follows its store at once, meets the cancel on the way, or comes after it, so that all orders are
 * seen.
 *
 * storm cycles URL COUNT SEED: COUNT times store and delete of one key, most of them many a frame.
 */
#include "bound_child.h"
#include "sp_peer.h"
#include "testing.h"

#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAIRS 4
#define BATCH_MAX 64
#define LAG_MAX 2048 /* how far an owner may run ahead: far less than the finished memory holds */
#define KEYS_A_PAIR 512 /* keys are used again and again, a late word would hit the next gen */
#define CYCLES_BATCH 500

enum verdict { VERDICT_NONE, VERDICT_CANCEL_FIRST, VERDICT_FINISH_FIRST };

struct record {
    uint64_t gen;
    uint8_t owner;     /* enum verdict, by the delete's answer */
    uint8_t canceller; /* by the cancel's */
    uint8_t after;     /* the delete was sent when the cancel had been answered */
};

/* Of one pair, shared by its two processes. Each counter is written by one of them; a release store
 * of it hands over the records below. */
struct pair {
    uint64_t begin;
    uint64_t end;
    _Atomic(uint64_t) stored;    /* the owner's: gens below are there */
    _Atomic(uint64_t) taken;     /* the canceller's: cancels of those below are being sent */
    _Atomic(uint64_t) cancelled; /* the canceller's: and those below are answered */
};

struct race {
    struct pair pairs[PAIRS];
    struct record records[];
};

struct batch {
    Canceld__V1__Op ops[CYCLES_BATCH];
    Canceld__V1__Op *op_pointers[CYCLES_BATCH];
    Canceld__V1__Store stores[CYCLES_BATCH];
    Canceld__V1__Delete deletes[CYCLES_BATCH];
    Canceld__V1__Cancel cancels[CYCLES_BATCH];
    char keys[CYCLES_BATCH][24];
    uint64_t gens[CYCLES_BATCH];
};

struct client {
    struct sp_peer peer;
    uint64_t session;
    uint64_t request_id;
    struct batch batch;
};

__attribute__((noreturn)) static void fail(const char *what, uint64_t number)
{
    (void) fprintf(stderr, "storm: %s (%" PRIu64 ")\n", what, number);
    exit(EXIT_FAILURE);
}

/* ---- one request ---- */

static uint32_t send_ops(struct client *client, size_t ops_count)
{
    Canceld__V1__Frame frame = CANCELD__V1__FRAME__INIT;
    for (size_t i = 0; i < ops_count; i++) {
        client->batch.op_pointers[i] = &client->batch.ops[i];
    }
    frame.version = 1;
    frame.session = client->session;
    if (client->session != 0) {
        frame.request_id = ++client->request_id;
        frame.answered_below = frame.request_id;
    }
    frame.ops = client->batch.op_pointers;
    frame.n_ops = ops_count;
    return sp_peer_send(&client->peer, &frame);
}

static Canceld__V1__Reply *request(struct client *client, size_t ops_count)
{
    Canceld__V1__Reply *reply = sp_peer_receive(&client->peer, send_ops(client, ops_count));
    if (reply->n_results != ops_count) {
        fail("as many results as ops were expected", reply->n_results);
    }
    return reply;
}

static void open_session(struct client *client)
{
    Canceld__V1__Open open = CANCELD__V1__OPEN__INIT;
    canceld__v1__op__init(&client->batch.ops[0]);
    client->batch.ops[0].op_case = CANCELD__V1__OP__OP_OPEN;
    client->batch.ops[0].open = &open;
    Canceld__V1__Reply *reply = request(client, 1);
    if (reply->results[0]->opened == NULL) {
        fail("open answered", (uint64_t) reply->results[0]->answer);
    }
    client->session = reply->results[0]->opened->session;
    canceld__v1__reply__free_unpacked(reply, NULL);
}

static struct client *client_new(const char *url, bool with_session)
{
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        fail("no memory", 0);
    }
    sp_peer_open(&client->peer, url);
    if (with_session) {
        open_session(client);
    }
    return client;
}

static void client_free(struct client *client)
{
    sp_peer_close(&client->peer);
    free(client);
}

/* ---- ops ---- */

static ProtobufCBinaryData key_of(struct batch *batch, size_t i)
{
    return (ProtobufCBinaryData){.len = strlen(batch->keys[i]), .data = (uint8_t *) batch->keys[i]};
}

static void put_store(struct batch *batch, size_t i, Canceld__V1__Policy policy)
{
    canceld__v1__op__init(&batch->ops[i]);
    canceld__v1__store__init(&batch->stores[i]);
    batch->ops[i].op_case = CANCELD__V1__OP__OP_STORE;
    batch->ops[i].store = &batch->stores[i];
    batch->stores[i].key = key_of(batch, i);
    batch->stores[i].policy = policy;
}

static void put_delete(struct batch *batch, size_t i)
{
    canceld__v1__op__init(&batch->ops[i]);
    canceld__v1__delete__init(&batch->deletes[i]);
    batch->ops[i].op_case = CANCELD__V1__OP__OP_DELETE;
    batch->ops[i].delete_ = &batch->deletes[i];
    batch->deletes[i].key = key_of(batch, i);
    batch->deletes[i].gen = batch->gens[i];
    batch->deletes[i].outcome = CANCELD__V1__OUTCOME__OUTCOME_COMPLETED;
}

static void put_cancel(struct batch *batch, size_t i)
{
    canceld__v1__op__init(&batch->ops[i]);
    canceld__v1__cancel__init(&batch->cancels[i]);
    batch->ops[i].op_case = CANCELD__V1__OP__OP_CANCEL;
    batch->ops[i].cancel = &batch->cancels[i];
    batch->cancels[i].key = key_of(batch, i);
    batch->cancels[i].gen = batch->gens[i];
}

static void put_keys(struct batch *batch, size_t pair, uint64_t from, size_t ops_count)
{
    for (size_t i = 0; i < ops_count; i++) {
        (void) snprintf(batch->keys[i], sizeof batch->keys[i], "%zu-%" PRIu64, pair,
                        (from + i) % KEYS_A_PAIR);
    }
}

/* ---- the race ---- */

/* Waits, giving the processor away, until the other side's counter has come to `least`. */
static void await(_Atomic(uint64_t) *counter, uint64_t least)
{
    while (atomic_load_explicit(counter, memory_order_acquire) < least) {
        (void) sched_yield();
    }
}

static void store_batch(struct client *client, struct record *records, size_t ops_count)
{
    for (size_t i = 0; i < ops_count; i++) {
        put_store(&client->batch, i, CANCELD__V1__POLICY__POLICY_REJECT);
    }
    Canceld__V1__Reply *reply = request(client, ops_count);
    for (size_t i = 0; i < ops_count; i++) {
        if (reply->results[i]->answer != CANCELD__V1__ANSWER__ANSWER_STORED) {
            fail("store answered", (uint64_t) reply->results[i]->answer);
        }
        records[i].gen = reply->results[i]->gen;
    }
    canceld__v1__reply__free_unpacked(reply, NULL);
}

static void delete_batch(struct client *client, struct record *records, size_t ops_count)
{
    for (size_t i = 0; i < ops_count; i++) {
        client->batch.gens[i] = records[i].gen;
        put_delete(&client->batch, i);
    }
    Canceld__V1__Reply *reply = request(client, ops_count);
    for (size_t i = 0; i < ops_count; i++) {
        const Canceld__V1__Result *result = reply->results[i];
        if (result->answer != CANCELD__V1__ANSWER__ANSWER_DELETED || !result->by_owner) {
            fail("delete answered", (uint64_t) result->answer);
        }
        records[i].owner = result->cancelled ? VERDICT_CANCEL_FIRST : VERDICT_FINISH_FIRST;
    }
    canceld__v1__reply__free_unpacked(reply, NULL);
}

static void run_owner(const char *url, struct race *race, size_t number, uint64_t seed)
{
    struct pair *pair = &race->pairs[number];
    struct client *client = client_new(url, true);
    for (uint64_t at = pair->begin; at < pair->end;) {
        const uint64_t left = pair->end - at;
        const size_t most = left < BATCH_MAX ? (size_t) left : BATCH_MAX;
        const size_t ops_count = 1 + (size_t) (test_random(&seed) % most);
        if (at > LAG_MAX) {
            await(&pair->cancelled, at - LAG_MAX);
        }
        put_keys(&client->batch, number, at, ops_count);
        store_batch(client, &race->records[at], ops_count);
        atomic_store_explicit(&pair->stored, at + ops_count, memory_order_release);
        const uint64_t coin = test_random(&seed) % 8;
        if (coin >= 2) {
            await(&pair->taken, at + 1);
        }
        if (coin == 7) {
            await(&pair->cancelled, at + ops_count);
            for (size_t i = 0; i < ops_count; i++) {
                race->records[at + i].after = 1;
            }
        }
        delete_batch(client, &race->records[at], ops_count);
        at += ops_count;
    }
    client_free(client);
}

static enum verdict verdict_of(const Canceld__V1__Result *result)
{
    if (result->answer == CANCELD__V1__ANSWER__ANSWER_REQUESTED) {
        return VERDICT_CANCEL_FIRST;
    }
    if (result->answer == CANCELD__V1__ANSWER__ANSWER_FINISHED &&
        result->outcome == CANCELD__V1__OUTCOME__OUTCOME_COMPLETED && result->cause == NULL) {
        return VERDICT_FINISH_FIRST;
    }
    fail("cancel answered", (uint64_t) result->answer);
}

static void cancel_batch(struct client *client, struct record *records, size_t ops_count)
{
    for (size_t i = 0; i < ops_count; i++) {
        client->batch.gens[i] = records[i].gen;
        put_cancel(&client->batch, i);
    }
    Canceld__V1__Reply *reply = request(client, ops_count);
    for (size_t i = 0; i < ops_count; i++) {
        records[i].canceller = (uint8_t) verdict_of(reply->results[i]);
    }
    canceld__v1__reply__free_unpacked(reply, NULL);
}

static void run_canceller(const char *url, struct race *race, size_t number)
{
    struct pair *pair = &race->pairs[number];
    struct client *client = client_new(url, false);
    for (uint64_t at = pair->begin; at < pair->end;) {
        await(&pair->stored, at + 1);
        const uint64_t stored = atomic_load_explicit(&pair->stored, memory_order_acquire);
        const size_t ops_count = stored - at < BATCH_MAX ? (size_t) (stored - at) : BATCH_MAX;
        put_keys(&client->batch, number, at, ops_count);
        atomic_store_explicit(&pair->taken, at + ops_count, memory_order_release);
        cancel_batch(client, &race->records[at], ops_count);
        at += ops_count;
        atomic_store_explicit(&pair->cancelled, at, memory_order_release);
    }
    client_free(client);
}

static void start(const char *url, struct race *race, size_t number, bool owner, uint64_t seed)
{
    const pid_t pid = bound_child_fork();
    if (pid < 0) {
        fail("cannot fork", 0);
    }
    if (pid > 0) {
        return;
    }
    if (owner) {
        run_owner(url, race, number, seed + number);
    } else {
        run_canceller(url, race, number);
    }
    exit(EXIT_SUCCESS);
}

/* Both accounts side by side. */
static void compare(const struct race *race, uint64_t records_count)
{
    uint64_t cancel_first = 0;
    for (uint64_t i = 0; i < records_count; i++) {
        const struct record *record = &race->records[i];
        if (record->owner == VERDICT_NONE || record->owner != record->canceller) {
            fail("the two sides tell different stories of gen", record->gen);
        }
        if (record->after == 1 && record->owner != VERDICT_CANCEL_FIRST) {
            fail("an answered cancel was not there at the delete of gen", record->gen);
        }
        cancel_first += record->owner == VERDICT_CANCEL_FIRST ? 1 : 0;
    }
    (void) printf("%" PRIu64 " gens, both sides agree on each: %" PRIu64
                  " cancelled first, %" PRIu64 " finished first\n",
                  records_count, cancel_first, records_count - cancel_first);
    if (cancel_first == 0 || cancel_first == records_count) {
        fail("there was no race", cancel_first);
    }
}

static void race_run(const char *url, uint64_t count, uint64_t seed)
{
    const size_t size = sizeof(struct race) + (size_t) count * sizeof(struct record);
    struct race *race = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (race == MAP_FAILED) {
        fail("no shared memory", size);
    }
    const uint64_t begin_ms = test_now_ms();
    for (size_t i = 0; i < PAIRS; i++) {
        struct pair *pair = &race->pairs[i];
        pair->begin = count * i / PAIRS;
        pair->end = count * (i + 1) / PAIRS;
        atomic_init(&pair->stored, pair->begin);
        atomic_init(&pair->taken, pair->begin);
        atomic_init(&pair->cancelled, pair->begin);
    }
    for (size_t i = 0; i < PAIRS; i++) {
        start(url, race, i, true, seed);
        start(url, race, i, false, seed);
    }
    for (size_t i = 0; i < 2 * (size_t) PAIRS; i++) {
        int status = 0;
        if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fail("a process of the storm failed", (uint64_t) status);
        }
    }
    compare(race, count);
    const uint64_t took_ms = test_now_ms() - begin_ms + 1;
    (void) printf("%" PRIu64 " ms, %" PRIu64 " ops a second\n", took_ms,
                  3 * count * 1000 / took_ms);
    (void) munmap(race, size);
}

/* ---- cycles on one key ---- */

static void cycle(struct client *client, size_t gens_count)
{
    const Canceld__V1__Policy policy =
        gens_count > 1 ? CANCELD__V1__POLICY__POLICY_JOIN : CANCELD__V1__POLICY__POLICY_REJECT;
    struct record records[CYCLES_BATCH] = {{0}};
    for (size_t i = 0; i < gens_count; i++) {
        (void) snprintf(client->batch.keys[i], sizeof client->batch.keys[i], "the one key");
        put_store(&client->batch, i, policy);
    }
    Canceld__V1__Reply *reply = request(client, gens_count);
    for (size_t i = 0; i < gens_count; i++) {
        if (reply->results[i]->answer != CANCELD__V1__ANSWER__ANSWER_STORED) {
            fail("store answered", (uint64_t) reply->results[i]->answer);
        }
        records[i].gen = reply->results[i]->gen;
    }
    canceld__v1__reply__free_unpacked(reply, NULL);
    delete_batch(client, records, gens_count);
}

static void cycles_run(const char *url, uint64_t count)
{
    const uint64_t begin_ms = test_now_ms();
    const uint64_t single_count = count / 50;
    struct client *client = client_new(url, true);
    for (uint64_t i = 0; i < single_count; i++) {
        cycle(client, 1);
    }
    for (uint64_t left = count - single_count; left > 0;) {
        const size_t gens_count = left < CYCLES_BATCH ? (size_t) left : CYCLES_BATCH;
        cycle(client, gens_count);
        left -= gens_count;
    }
    client_free(client);
    (void) printf("%" PRIu64 " cycles, %" PRIu64 " of them alone, in %" PRIu64 " ms\n", count,
                  single_count, test_now_ms() - begin_ms);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        (void) fprintf(stderr, "usage: storm race|cycles URL COUNT SEED\n");
        return 2;
    }
    const uint64_t count = strtoull(argv[3], NULL, 10);
    const uint64_t seed = strtoull(argv[4], NULL, 10);
    (void) printf("seed: CANCELD_TEST_SEED=%" PRIu64 "\n", seed);
    (void) fflush(stdout); /* before any fork, lest a child print it again */
    if (strcmp(argv[1], "race") == 0) {
        race_run(argv[2], count, seed);
    } else {
        cycles_run(argv[2], count);
    }
    return EXIT_SUCCESS;
}
