/* SPDX-License-Identifier: MIT */
/* An owner and a canceller who do their work all the time and watch the clock: hostile_honest URL
 *
 * Stores an operation, cancels it over another connection, and deletes it, about every two milliseconds
 * until stdin ends. Then it prints how many cancels were answered, and how long an answer took: "cancels
 * COUNT p50 US p99 US worst US", and the same for stores and deletes. Any other answer than the one that
 * is due ends it with a sentence. */
#include "e2e/sp_peer.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX ((size_t) 1 << 20)
#define PAUSE_MS 1
#define KEY "honest"

struct samples {
    uint64_t *us;
    size_t count;
};

struct worker {
    struct sp_peer owner;
    struct sp_peer canceller;
    uint64_t session;
    uint64_t request_id;
    struct samples cancels;
    struct samples others;
};

__attribute__((noreturn)) static void fail(const char *what, int answer)
{
    (void) fprintf(stderr, "hostile_honest: %s was answered %d\n", what, answer);
    exit(EXIT_FAILURE);
}

static uint64_t now_us(void)
{
    struct timespec now;
    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

static ProtobufCBinaryData key(void)
{
    return (ProtobufCBinaryData){.len = sizeof KEY - 1, .data = (uint8_t *) (uintptr_t) KEY};
}

/* ---- requests ---- */

/* One op, in the owner's session or outside of any, whose reply the caller frees. */
static Canceld__V1__Reply *ask(struct worker *worker, bool owns, Canceld__V1__Op *op,
                               struct samples *samples)
{
    struct sp_peer *peer = owns ? &worker->owner : &worker->canceller;
    Canceld__V1__Frame frame = CANCELD__V1__FRAME__INIT;
    frame.version = 1;
    frame.n_ops = 1;
    frame.ops = &op;
    if (owns && worker->session != 0) {
        frame.session = worker->session;
        frame.request_id = ++worker->request_id;
        frame.answered_below = frame.request_id;
    }
    const uint64_t begin_us = now_us();
    Canceld__V1__Reply *reply = sp_peer_receive(peer, sp_peer_send(peer, &frame));
    if (samples->count < SAMPLES_MAX) {
        samples->us[samples->count++] = now_us() - begin_us;
    }
    if (reply->n_results != 1) {
        fail("a frame of one op", (int) reply->n_results);
    }
    return reply;
}

static void open_session(struct worker *worker)
{
    Canceld__V1__Op op = CANCELD__V1__OP__INIT;
    Canceld__V1__Open open = CANCELD__V1__OPEN__INIT;
    op.op_case = CANCELD__V1__OP__OP_OPEN;
    op.open = &open;
    Canceld__V1__Reply *reply = ask(worker, true, &op, &worker->others);
    if (reply->results[0]->opened == NULL) {
        fail("an open", (int) reply->results[0]->answer);
    }
    worker->session = reply->results[0]->opened->session;
    canceld__v1__reply__free_unpacked(reply, NULL);
}

static uint64_t store(struct worker *worker)
{
    Canceld__V1__Op op = CANCELD__V1__OP__INIT;
    Canceld__V1__Store request = CANCELD__V1__STORE__INIT;
    request.key = key();
    op.op_case = CANCELD__V1__OP__OP_STORE;
    op.store = &request;
    Canceld__V1__Reply *reply = ask(worker, true, &op, &worker->others);
    if (reply->results[0]->answer != CANCELD__V1__ANSWER__ANSWER_STORED) {
        fail("a store", (int) reply->results[0]->answer);
    }
    const uint64_t gen = reply->results[0]->gen;
    canceld__v1__reply__free_unpacked(reply, NULL);
    return gen;
}

static void cancel(struct worker *worker, uint64_t gen)
{
    Canceld__V1__Op op = CANCELD__V1__OP__INIT;
    Canceld__V1__Cancel request = CANCELD__V1__CANCEL__INIT;
    request.key = key();
    request.gen = gen;
    op.op_case = CANCELD__V1__OP__OP_CANCEL;
    op.cancel = &request;
    Canceld__V1__Reply *reply = ask(worker, false, &op, &worker->cancels);
    if (reply->results[0]->answer != CANCELD__V1__ANSWER__ANSWER_REQUESTED) {
        fail("a cancel", (int) reply->results[0]->answer);
    }
    canceld__v1__reply__free_unpacked(reply, NULL);
}

static void finish(struct worker *worker, uint64_t gen)
{
    Canceld__V1__Op op = CANCELD__V1__OP__INIT;
    Canceld__V1__Delete request = CANCELD__V1__DELETE__INIT;
    request.key = key();
    request.gen = gen;
    request.outcome = CANCELD__V1__OUTCOME__OUTCOME_COMPLETED;
    op.op_case = CANCELD__V1__OP__OP_DELETE;
    op.delete_ = &request;
    Canceld__V1__Reply *reply = ask(worker, true, &op, &worker->others);
    if (reply->results[0]->answer != CANCELD__V1__ANSWER__ANSWER_DELETED ||
        !reply->results[0]->cancelled) {
        fail("a delete of what was cancelled", (int) reply->results[0]->answer);
    }
    canceld__v1__reply__free_unpacked(reply, NULL);
}

/* ---- the run ---- */

static int compare(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *) a;
    const uint64_t right = *(const uint64_t *) b;
    return left < right ? -1 : left > right;
}

static void samples_report(const char *name, struct samples *samples)
{
    if (samples->count == 0) {
        return;
    }
    qsort(samples->us, samples->count, sizeof *samples->us, compare);
    (void) printf("%s %zu p50 %" PRIu64 " p99 %" PRIu64 " worst %" PRIu64 "\n", name,
                  samples->count, samples->us[samples->count / 2],
                  samples->us[samples->count * 99 / 100], samples->us[samples->count - 1]);
}

static bool samples_init(struct samples *samples)
{
    samples->us = calloc(SAMPLES_MAX, sizeof *samples->us);
    return samples->us != NULL;
}

/* Also the pause between two turns. */
static bool is_over(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, PAUSE_MS) > 0;
}

int main(int argc, char **argv)
{
    static struct worker worker;
    if (argc != 2 || !samples_init(&worker.cancels) || !samples_init(&worker.others)) {
        (void) fprintf(stderr, "usage: hostile_honest URL\n");
        return EXIT_FAILURE;
    }
    sp_peer_open(&worker.owner, argv[1]);
    sp_peer_open(&worker.canceller, argv[1]);
    open_session(&worker);
    while (!is_over()) {
        const uint64_t gen = store(&worker);
        cancel(&worker, gen);
        finish(&worker, gen);
    }
    samples_report("cancels", &worker.cancels);
    samples_report("others", &worker.others);
    sp_peer_close(&worker.owner);
    sp_peer_close(&worker.canceller);
    free(worker.cancels.us);
    free(worker.others.us);
    return EXIT_SUCCESS;
}
