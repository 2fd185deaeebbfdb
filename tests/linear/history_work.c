/* SPDX-License-Identifier: MIT */
/* One of the processes: a plain user of the client library, which notes when it called and what it was
 * answered. */
#include "history.h"
#include "testing.h"

#include <canceld/client.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CALL_MS 20000 /* far above any restart */

struct held {
    struct canceld_operation *operation;
    uint64_t gen;
    uint32_t key;
};

static struct shared *shared;
static struct worker *me;
static struct canceld_client *client;
static struct held held[SLOTS];
static uint64_t random_state;

uint64_t history_now_ns(void)
{
    struct timespec now;
    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * UINT64_C(1000000000) + (uint64_t) now.tv_nsec;
}

static struct canceld_bytes name_of(char text[32], uint32_t key)
{
    (void) snprintf(text, 32, "key-%" PRIu32, key);
    return canceld_string(text);
}

static void wrong(const char *what, enum canceld_status status, enum canceld_answer answer)
{
    (void) fprintf(stderr, "linear: %s: %s, %s\n", what, canceld_status_text(status),
                   canceld_answer_name(answer));
    atomic_fetch_add(&me->wrong, 1);
}

static void note(struct call *call, enum said said)
{
    const uint64_t at = atomic_load(&me->count);
    call->said = (uint8_t) said;
    call->return_ns = said == SAID_UNKNOWN ? UINT64_MAX : history_now_ns();
    if (at < WORKER_CALLS_MAX) {
        me->calls[at] = *call;
        atomic_store(&me->count, at + 1);
    }
}

/* Whether nobody can say what became of it. (Where the daemon was still RECOVERING nothing was done.) */
static bool is_unknown(enum canceld_status status)
{
    return status == CANCELD_UNKNOWN || status == CANCELD_TIMED_OUT ||
           status == CANCELD_UNAVAILABLE;
}

static void store(size_t slot, uint32_t key)
{
    char text[32];
    const struct canceld_store_request request = {.key = name_of(text, key)};
    struct call call = {.key = key, .kind = CALL_STORE, .call_ns = history_now_ns()};
    struct canceld_operation *operation;
    struct canceld_result result;
    const enum canceld_status status =
        canceld_store(client, &request, CALL_MS, &operation, &result);
    call.gen = result.gen;
    call.flag = result.state == CANCELD_STATE_CANCELLING;
    if (is_unknown(status)) {
        call.gen = 0;
        note(&call, SAID_UNKNOWN);
    } else if (status == CANCELD_OK && result.answer == CANCELD_ANSWER_STORED) {
        note(&call, SAID_STORED);
        held[slot] = (struct held){operation, result.gen, key};
        atomic_store(&shared->keys[key].previous, atomic_load(&shared->keys[key].gen));
        atomic_store(&shared->keys[key].gen, result.gen);
    } else if (status == CANCELD_OK && result.answer == CANCELD_ANSWER_EXISTS) {
        note(&call, SAID_EXISTS);
    } else if (status != CANCELD_OK || result.answer != CANCELD_ANSWER_RECOVERING) {
        wrong("store", status, result.answer);
    }
    canceld_result_clear(&result);
}

static void finish(size_t slot)
{
    const struct held mine = held[slot];
    struct call call = {
        .key = mine.key, .kind = CALL_FINISH, .gen = mine.gen, .call_ns = history_now_ns()};
    struct canceld_result result;
    const enum canceld_status status =
        canceld_operation_finish(mine.operation, CANCELD_OUTCOME_COMPLETED, CALL_MS, &result);
    call.flag = result.cancelled;
    if (is_unknown(status) ||
        (status == CANCELD_OK && result.answer == CANCELD_ANSWER_RECOVERING)) {
        note(&call, SAID_UNKNOWN); /* it is ended later */
    } else if (status == CANCELD_OK && result.answer == CANCELD_ANSWER_DELETED) {
        note(&call, SAID_DELETED);
    } else {
        wrong("finish", status, result.answer);
        atomic_store(&shared->keys[mine.key].set_aside, true);
    }
    canceld_result_clear(&result);
    held[slot] = (struct held){0};
}

static void cancel(uint32_t key)
{
    char text[32];
    const bool late = test_random(&random_state) % 8 == 0;
    const uint64_t gen = atomic_load(late ? &shared->keys[key].previous : &shared->keys[key].gen);
    if (gen == 0) {
        return;
    }
    const struct canceld_cancel_request request = {.key = name_of(text, key), .gen = gen};
    struct call call = {.key = key, .kind = CALL_CANCEL, .gen = gen, .call_ns = history_now_ns()};
    struct canceld_result result;
    const enum canceld_status status = canceld_cancel(client, &request, CALL_MS, &result);
    const enum canceld_answer answer = result.answer;
    call.flag = result.cause.code != 0;
    call.flag_known = answer == CANCELD_ANSWER_FINISHED;
    if (is_unknown(status)) {
        note(&call, SAID_UNKNOWN);
    } else if (status == CANCELD_OK && answer == CANCELD_ANSWER_REQUESTED) {
        note(&call, SAID_REQUESTED);
    } else if (status == CANCELD_OK && answer == CANCELD_ANSWER_ALREADY_REQUESTED) {
        note(&call, SAID_ALREADY);
    } else if (status == CANCELD_OK &&
               (answer == CANCELD_ANSWER_FINISHED || answer == CANCELD_ANSWER_STALE_GEN ||
                answer == CANCELD_ANSWER_NOT_FOUND)) {
        note(&call, SAID_GONE);
    } else if (status == CANCELD_OK && answer == CANCELD_ANSWER_OWNER_LOST) {
        atomic_store(&shared->keys[key].set_aside, true);
    } else if (status != CANCELD_OK || answer != CANCELD_ANSWER_RECOVERING) {
        wrong("cancel", status, answer);
    }
    canceld_result_clear(&result);
}

static void get(uint32_t key)
{
    char text[32];
    const struct canceld_get_request request = {.key = name_of(text, key)};
    struct call call = {.key = key, .kind = CALL_GET, .call_ns = history_now_ns()};
    struct canceld_result result;
    const enum canceld_status status = canceld_get(client, &request, CALL_MS, &result);
    if (status == CANCELD_OK && result.answer == CANCELD_ANSWER_FOUND &&
        result.operations_count == 1) {
        const struct canceld_operation_info *info = &result.operations[0];
        call.gen = info->gen;
        call.flag = info->state == CANCELD_STATE_CANCELLING;
        note(&call, info->state == CANCELD_STATE_ENDED ? SAID_ENDED : SAID_LIVE);
    } else if (status == CANCELD_OK && result.answer == CANCELD_ANSWER_NOT_FOUND) {
        note(&call, SAID_NOTHING);
    } else if (!is_unknown(status) &&
               (status != CANCELD_OK || result.answer != CANCELD_ANSWER_RECOVERING)) {
        wrong("get", status, result.answer);
    }
    canceld_result_clear(&result);
}

/* One call at one key of the group; a key that has had its share is left, and what is held of it ended. */
static void step(unsigned group)
{
    const size_t slot = (size_t) (test_random(&random_state) % SLOTS);
    uint32_t key = atomic_load(&shared->slots[group][slot]);
    if (held[slot].operation != NULL && held[slot].key != key) {
        finish(slot);
        return;
    }
    if (atomic_fetch_add(&shared->keys[key].calls, 1) >= KEY_CALLS) {
        const uint32_t fresh = atomic_fetch_add(&shared->keys_count, 1);
        if (fresh >= KEYS_MAX - 1) {
            atomic_store(&shared->stop, true);
            return;
        }
        (void) atomic_compare_exchange_strong(&shared->slots[group][slot], &key, fresh);
        return;
    }
    const uint64_t chance = test_random(&random_state) % 16;
    if (held[slot].operation != NULL && chance < 5) {
        finish(slot);
    } else if (held[slot].operation == NULL && chance < 5) {
        store(slot, key);
    } else if (chance < 11) {
        cancel(key);
    } else {
        get(key);
    }
}

int history_work(struct shared *all, unsigned number)
{
    const struct canceld_options options = {.url = all->url, .await_daemon = true};
    shared = all;
    me = &all->workers[number];
    random_state = all->seed * WORKERS + number + 1;
    const enum canceld_status status = canceld_connect(&options, CALL_MS, &client);
    if (status != CANCELD_OK) {
        wrong("connect", status, (enum canceld_answer) 0);
        return EXIT_FAILURE;
    }
    while (!atomic_load(&all->stop)) {
        step(number / MEMBERS);
    }
    for (size_t slot = 0; slot < SLOTS; slot++) {
        if (held[slot].operation != NULL) {
            finish(slot);
        }
    }
    canceld_close(client, CALL_MS);
    return EXIT_SUCCESS;
}
