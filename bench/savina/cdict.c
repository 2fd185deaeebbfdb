/* SPDX-License-Identifier: MIT */
/* Concurrent Dictionary. The dictionary is made of the project's own parts: records in a slab, found by
 * a hash index under a keyed hash. */
#include "savina.h"

#include "base/hash_index.h"
#include "base/siphash.h"
#include "base/slab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 20
#define WRITE_PERCENT 10

#define DICTIONARY_READ MESSAGE_KIND_FIRST
#define DICTIONARY_WRITE (MESSAGE_KIND_FIRST + 1)
#define WORKER_GO (MESSAGE_KIND_FIRST + 2)

struct entry {
    struct hash_link link;
    uint32_t value;
    char key[DICTIONARY_KEY_BYTES];
};

struct dictionary {
    struct slab slab;
    struct hash_index index;
    struct siphash_key key;
    uint64_t asks;
};

struct request {
    struct message message;
    const char *key;
    uint32_t value; /* in a write; and the answer */
    bool found;
};

struct worker {
    struct request request;
    struct message go;
    struct ask ask;
    struct stage *stage;
    const char (*keys)[DICTIONARY_KEY_BYTES];
    uint64_t self;
    uint64_t dictionary;
    uint64_t left;
    uint64_t random;
    uint64_t found;
    _Atomic(uint32_t) *workers_left;
    bool here;
};

/* ---- the dictionary ---- */

static struct entry *dictionary_find(struct dictionary *dictionary, const char *key, uint64_t hash)
{
    for (uint32_t index = hash_index_first(&dictionary->index, hash); index != 0;
         index = hash_index_next(&dictionary->index, index)) {
        struct entry *entry = slab_at(&dictionary->slab, index);
        if (memcmp(entry->key, key, DICTIONARY_KEY_BYTES) == 0) {
            return entry;
        }
    }
    return NULL;
}

static struct entry *dictionary_add(struct dictionary *dictionary, const char *key, uint64_t hash)
{
    const uint32_t index = slab_take(&dictionary->slab);
    ASSERT(index != 0);
    struct entry *entry = slab_at(&dictionary->slab, index);
    memcpy(entry->key, key, DICTIONARY_KEY_BYTES);
    hash_index_insert(&dictionary->index, index, hash);
    return entry;
}

static void dictionary_on_message(struct actor *self, struct message *message)
{
    struct dictionary *dictionary = actor_state(self);
    struct request *request = (struct request *) message;
    const struct bytes key = {(const uint8_t *) request->key, DICTIONARY_KEY_BYTES};
    const uint64_t hash = siphash13(&dictionary->key, key);
    struct entry *entry = dictionary_find(dictionary, request->key, hash);
    dictionary->asks++;
    request->found = entry != NULL;
    if (message->kind == DICTIONARY_WRITE) {
        if (entry == NULL) {
            entry = dictionary_add(dictionary, request->key, hash);
        }
        entry->value = request->value;
    } else {
        request->value = entry != NULL ? entry->value : 0;
    }
    actor_reply(self, actor_defer(message), message);
}

static void dictionary_init(struct dictionary *dictionary)
{
    *dictionary = (struct dictionary){.key = {1, 2}};
    bool made = slab_init(&dictionary->slab, sizeof(struct entry), DICTIONARY_KEYS);
    ASSERT(made);
    made = hash_index_init(&dictionary->index, &dictionary->slab, offsetof(struct entry, link),
                           DICTIONARY_KEYS);
    ASSERT(made);
}

/* ---- the workers ---- */

static void work(struct worker *worker)
{
    if (worker->left == 0) {
        if (atomic_fetch_sub(worker->workers_left, 1) == 1) {
            stage_end(worker->stage);
        }
        return;
    }
    worker->left--;
    const uint64_t random = harness_random(&worker->random);
    worker->request.message.kind =
        random % 100 < WRITE_PERCENT ? DICTIONARY_WRITE : DICTIONARY_READ;
    worker->request.key = worker->keys[(random >> 32) % DICTIONARY_KEYS];
    worker->request.value = (uint32_t) (random >> 16);
    const enum status status = actor_ask(worker->stage->system, worker->dictionary,
                                         &worker->request.message, UINT64_MAX, &worker->ask);
    ASSERT(status == STATUS_OK);
}

static void worker_done(struct ask *ask, enum ask_end end, struct message *reply)
{
    struct worker *worker = (void *) ((char *) ask - offsetof(struct worker, ask));
    ASSERT(end == ASK_REPLY && reply == &worker->request.message);
    if (worker->here) {
        worker->found += worker->request.found;
        work(worker);
        return;
    }
    const enum status status = actor_tell(worker->stage->system, worker->self, &worker->go);
    ASSERT(status == STATUS_OK);
}

static void worker_on_message(struct actor *self, struct message *message)
{
    (void) message;
    struct worker *worker = actor_state(self);
    worker->found += worker->request.found;
    work(worker);
}

static const char (*make_keys(void))[DICTIONARY_KEY_BYTES]
{
    char(*keys)[DICTIONARY_KEY_BYTES] = calloc(DICTIONARY_KEYS, DICTIONARY_KEY_BYTES);
    ASSERT(keys != NULL);
    for (uint32_t i = 0; i < DICTIONARY_KEYS; i++) {
        char text[DICTIONARY_KEY_BYTES + 1];
        (void) snprintf(text, sizeof text, "operation-%022u", (unsigned) i);
        memcpy(keys[i], text, DICTIONARY_KEY_BYTES);
    }
    return (const char(*)[DICTIONARY_KEY_BYTES]) keys;
}

static void run(struct stage *stage, uint64_t size, uint64_t seed)
{
    static const struct actor_class dictionary_class = {.name = "dictionary",
                                                        .on_message = dictionary_on_message};
    static const struct actor_class worker_class = {.name = "worker",
                                                    .on_message = worker_on_message};
    static const char(*keys)[DICTIONARY_KEY_BYTES];
    static struct worker workers[WORKERS];
    _Atomic(uint32_t) workers_left = WORKERS;
    struct dictionary dictionary;
    if (keys == NULL) {
        keys = make_keys();
    }
    dictionary_init(&dictionary);
    const uint64_t address = actor_self(stage_spawn(stage, 1, &dictionary_class, &dictionary));
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct worker *worker = &workers[i];
        *worker = (struct worker){.go = {.kind = WORKER_GO},
                                  .ask = {.done = worker_done},
                                  .stage = stage,
                                  .keys = keys,
                                  .dictionary = address,
                                  .left = size,
                                  .random = seed + i,
                                  .workers_left = &workers_left,
                                  .here = stage->loops_count == 1};
        worker->self = actor_self(stage_spawn(stage, 0, &worker_class, worker));
        const enum status status = actor_tell(stage->system, worker->self, &worker->go);
        ASSERT(status == STATUS_OK);
    }
    stage_play(stage);
    ASSERT(dictionary.asks == WORKERS * size);
    hash_index_fini(&dictionary.index);
    slab_fini(&dictionary.slab);
}

static uint64_t ops(uint64_t size)
{
    return WORKERS * size;
}

const struct program program_cdict = {.row = "cdict-20",
                                      .unit = "ns/op",
                                      .size = 10000,
                                      .size_2_loops = 2000,
                                      .run = run,
                                      .ops = ops};
