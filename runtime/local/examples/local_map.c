/* SPDX-License-Identifier: MIT */
/* A server keeps what it is generating, so that a Stop button can cancel it. What it had before:
 *
 *     static pthread_mutex_t mutex;
 *     static struct map *map;                               // chat -> cancel function, argument
 *
 *     void generate(const char *chat)
 *     {
 *         struct generation *generation = generation_new();
 *         pthread_mutex_lock(&mutex);
 *         map_put(map, chat, generation_cancel, generation); // whose was there before? (1)
 *         pthread_mutex_unlock(&mutex);
 *         generation_run(generation);
 *         pthread_mutex_lock(&mutex);
 *         map_remove(map, chat);                            // maybe another's by now (2)
 *         pthread_mutex_unlock(&mutex);
 *         generation_free(generation);                      // stop() may have just got it (3)
 *     }
 *
 *     bool stop(const char *chat)
 *     {
 *         pthread_mutex_lock(&mutex);
 *         struct entry *entry = map_get(map, chat);
 *         if (entry != NULL)
 *             entry->cancel(entry->argument);               // under the lock, or else (3)
 *         pthread_mutex_unlock(&mutex);
 *         return entry != NULL;                             // true, also for what had just ended (4)
 *     }
 *
 * And what it has now. A gen names this generation and no later one (1, 2); the delete decides whether it
 * finished or was cancelled, for both sides (4), and returns when its callback has (3). No lock is held
 * anywhere, and a generation that nobody ends is cancelled by its ttl. */
#include <canceld/local.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define CHATS 8
#define TOKENS 400000U

struct generation {
    _Atomic(bool) stop;
    uint32_t tokens;
};

/* Runs on the registry's callback thread. */
static void generation_cancel(void *arg, const struct canceld_local_notice *notice)
{
    struct generation *generation = arg;
    (void) notice;
    atomic_store(&generation->stop, true);
}

static void generation_run(struct generation *generation)
{
    while (!atomic_load(&generation->stop) && generation->tokens < TOKENS) {
        generation->tokens++;
    }
}

static void fail(const char *what)
{
    (void) fprintf(stderr, "%s\n", what);
    exit(1);
}

/* One chat's worker. */
struct chat {
    struct canceld_local *local;
    char name[16];
    bool cancelled;
    uint32_t tokens;
};

static void *generate(void *arg)
{
    struct chat *chat = arg;
    struct canceld_local_answer answer;
    struct generation *generation = calloc(1, sizeof *generation);
    if (generation == NULL) {
        fail("no memory");
    }
    struct canceld_local_request store = {.op = CANCELD_OP_STORE,
                                          .key = canceld_string(chat->name),
                                          .policy = CANCELD_POLICY_SUPERSEDE,
                                          .ttl_ms = 60000,
                                          .on_cancel = generation_cancel,
                                          .arg = generation};
    if (canceld_local_ask(chat->local, &store, 0, &answer) != CANCELD_OK ||
        (answer.answer != CANCELD_ANSWER_STORED &&
         answer.answer != CANCELD_ANSWER_BORN_CANCELLED)) {
        fail("the store was refused");
    }

    generation_run(generation);

    struct canceld_local_request end = {.op = CANCELD_OP_DELETE,
                                        .key = canceld_string(chat->name),
                                        .gen = answer.gen,
                                        .outcome = CANCELD_OUTCOME_COMPLETED};
    if (canceld_local_ask(chat->local, &end, 0, &answer) != CANCELD_OK) {
        fail("the delete was not answered");
    }
    chat->cancelled = answer.cancelled;
    chat->tokens = generation->tokens;
    free(generation); /* The callback is over, or will never be. */
    return NULL;
}

/* The Stop button. A press that comes before its chat has begun still counts, for 2 seconds. */
static const char *stop(struct canceld_local *local, const char *chat)
{
    struct canceld_local_answer answer;
    struct canceld_local_request cancel = {
        .op = CANCELD_OP_CANCEL, .key = canceld_string(chat), .arm_ttl_ms = 2000};
    if (canceld_local_ask(local, &cancel, 0, &answer) != CANCELD_OK) {
        fail("the cancel was not answered");
    }
    return canceld_answer_name(answer.answer);
}

int main(void)
{
    struct canceld_local *local;
    struct chat chats[CHATS];
    pthread_t threads[CHATS];
    if (canceld_local_start(NULL, &local) != CANCELD_OK) {
        fail("the registry did not start");
    }
    for (size_t i = 0; i < CHATS; i++) {
        chats[i] = (struct chat){.local = local};
        (void) snprintf(chats[i].name, sizeof chats[i].name, "chat-%zu", i);
        if (pthread_create(&threads[i], NULL, generate, &chats[i]) != 0) {
            fail("no thread");
        }
    }
    for (size_t i = 0; i < CHATS; i += 2) {
        (void) printf("stop %s: %s\n", chats[i].name, stop(local, chats[i].name));
    }
    for (size_t i = 0; i < CHATS; i++) {
        (void) pthread_join(threads[i], NULL);
        (void) printf("%s: %s after %u tokens\n", chats[i].name,
                      chats[i].cancelled ? "cancelled" : "finished", chats[i].tokens);
    }
    canceld_local_free(local);
    return 0;
}
