/* SPDX-License-Identifier: MIT */
/* Pools of messages: taken on one loop, given back anywhere. */
#include "actor/message_pool.h"

#include "actor_rig.h"

#include <pthread.h>
#include <sched.h>

#define POOL_MAX 100

static struct message *take(struct message_pool *pool)
{
    struct message *message = message_pool_take(pool);
    CHECK(message != NULL);
    message->kind = NOTE_KIND;
    return message;
}

static void pool_is_bounded(void)
{
    struct rig rig;
    struct message *messages[POOL_MAX];
    rig_init(&rig, 10);
    struct message_pool *pool = message_pool_new(rig.loop, sizeof(struct note), POOL_MAX);
    CHECK(pool != NULL);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < POOL_MAX; i++) {
            messages[i] = take(pool);
            ((struct note *) messages[i])->number = i;
        }
        CHECK(message_pool_take(pool) == NULL);
        for (uint32_t i = 0; i < POOL_MAX; i++) {
            CHECK_EQ(note_of(messages[i])->number, i);
            CHECK(messages[i]->promise == NULL && !messages[i]->queued && !messages[i]->control);
            messages[i]->control = true; /* gone at the next take */
            message_release(messages[i]);
        }
    }
    message_pool_free(pool);
    message_pool_free(NULL);
    rig_fini(&rig);
}

/* ---- from one loop to another ---- */

struct flood {
    struct rig rig;
    struct actor_loop *second;
    struct message_pool *pool;
    struct probe teller;
    struct probe listener;
    uint64_t size;
    uint64_t told;
    _Atomic(uint64_t) received;
};

static uint64_t flood_on_sweep(struct actor *self, uint64_t now_ns)
{
    struct flood *flood = ((struct probe *) actor_state(self))->extra;
    while (flood->told < flood->size) {
        struct message *message = message_pool_take(flood->pool);
        if (message == NULL) {
            return now_ns; /* all are on their way */
        }
        message->kind = NOTE_KIND;
        note_of(message)->number = flood->told;
        CHECK_EQ(actor_tell(flood->rig.system, flood->listener.address, message), STATUS_OK);
        flood->told++;
    }
    return TIME_NEVER;
}

static const struct actor_class flood_class = {
    .name = "flood", .on_message = probe_on_message, .on_sweep = flood_on_sweep};

static void flood_receive(struct probe *probe, struct message *message)
{
    struct flood *flood = probe->extra;
    CHECK_EQ(note_of(message)->number, flood->received);
    message_release(message);
    (void) atomic_fetch_add(&flood->received, 1);
}

static void flood_init(struct flood *flood, bool two_loops, uint64_t size)
{
    *flood = (struct flood){.size = size};
    rig_init_real(&flood->rig, 4 * POOL_MAX);
    flood->second = two_loops ? actor_loop_new(flood->rig.system, "second") : flood->rig.loop;
    flood->pool = message_pool_new(flood->rig.loop, sizeof(struct note), POOL_MAX);
    CHECK(flood->pool != NULL);
    flood->teller.extra = flood;
    flood->listener = (struct probe){.on_note = flood_receive, .extra = flood};
    probe_spawn_on(flood->second, &flood->listener);
    CHECK_EQ(actor_spawn(flood->rig.loop, &flood_class, &flood->teller, &flood->teller.actor),
             STATUS_OK);
}

static void all_come_home(void)
{
    for (int two_loops = 0; two_loops < 2; two_loops++) {
        static struct flood flood;
        flood_init(&flood, two_loops != 0, TEST_SCALE(100000));
        CHECK_EQ(actor_loop_start(flood.rig.loop), STATUS_OK);
        if (two_loops != 0) {
            CHECK_EQ(actor_loop_start(flood.second), STATUS_OK);
        }
        CHECK_EVENTUALLY(flood.received == flood.size);
        actor_loop_stop(flood.rig.loop, true);
        actor_loop_stop(flood.second, true);
        message_pool_free(flood.pool); /* asserts that each came back */
        rig_fini(&flood.rig);
    }
}

/* By hand: what the second loop released is there for the first one when the turn is over. */
static void chain_comes_with_the_turn(void)
{
    static struct flood flood;
    flood_init(&flood, true, 2 * POOL_MAX);
    CHECK(actor_loop_step(flood.rig.loop, 1));
    CHECK_EQ(flood.told, POOL_MAX);
    CHECK(actor_loop_step(flood.second, UINT32_MAX));
    CHECK_EQ(flood.received, POOL_MAX);
    CHECK(actor_loop_step(flood.rig.loop, 1));
    CHECK_EQ(flood.told, 2 * POOL_MAX);
    CHECK(actor_loop_step(flood.second, UINT32_MAX));
    actor_loop_stop(flood.rig.loop, true);
    actor_loop_stop(flood.second, true);
    message_pool_free(flood.pool);
    rig_fini(&flood.rig);
}

/* ---- released on threads that are no loop ---- */

struct heap {
    _Atomic(struct message *) slots[16];
    _Atomic(bool) over;
};

static void *release_all(void *argument)
{
    struct heap *heap = argument;
    bool over;
    do {
        over = heap->over;
        for (uint32_t i = 0; i < 16; i++) {
            struct message *message = atomic_exchange(&heap->slots[i], NULL);
            if (message != NULL) {
                message_release(message);
            }
        }
        (void) sched_yield();
    } while (!over);
    return NULL;
}

static void released_on_any_thread(void)
{
    static struct heap heap;
    struct rig rig;
    rig_init(&rig, 10);
    struct message_pool *pool = message_pool_new(rig.loop, sizeof(struct note), POOL_MAX);
    pthread_t threads[2];
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, release_all, &heap), 0);
    }
    for (uint32_t taken = 0; taken < TEST_SCALE(100000);) {
        struct message *message = message_pool_take(pool);
        if (message == NULL) {
            (void) sched_yield();
            continue;
        }
        note_of(message)->number = taken++;
        struct message *other = atomic_exchange(&heap.slots[taken % 16], message);
        if (other != NULL) {
            message_release(other);
        }
    }
    heap.over = true;
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    message_pool_free(pool);
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"a pool gives so many messages and no more, again and again", pool_is_bounded, 0},
    {"messages told to a neighbour or to another loop all come home", all_come_home, 0},
    {"what a loop released comes home with the end of its turn", chain_comes_with_the_turn, 0},
    {"messages may be released on any thread", released_on_any_thread, 0},
};
TEST_MAIN(cases)
