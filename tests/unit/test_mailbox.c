/* SPDX-License-Identifier: MIT */
#include "actor/mailbox.h"
#include "base/clock.h"
#include "testing.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SENDERS_COUNT 4

struct item {
    struct message message;
    uint32_t sender;
    uint32_t number;
};

static struct item *item_of(struct message *message)
{
    return (struct item *) message;
}

static void init(struct mailbox *mailbox, uint32_t messages_max)
{
    CHECK(mailbox_init(mailbox, messages_max));
}

static void order_of_one_sender(void)
{
    static struct item items[100];
    struct message *popped[100];
    struct mailbox mailbox;
    init(&mailbox, 100);
    for (uint32_t i = 0; i < 100; i++) {
        items[i].number = i;
        CHECK_EQ(mailbox_push(&mailbox, &items[i].message), STATUS_OK);
    }
    CHECK_EQ(mailbox_pop(&mailbox, popped, 30), 30);
    CHECK_EQ(mailbox_pop(&mailbox, popped + 30, 100), 70);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK_EQ(item_of(popped[i])->number, i);
    }
    CHECK_EQ(mailbox_pop(&mailbox, popped, 1), 0);
    CHECK(mailbox_is_empty(&mailbox));
    mailbox_fini(&mailbox);
}

static void last_message_and_again(void)
{
    struct item item = {0};
    struct message *popped;
    struct mailbox mailbox;
    init(&mailbox, 1);
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK_EQ(mailbox_push(&mailbox, &item.message), STATUS_OK);
        CHECK(!mailbox_is_empty(&mailbox));
        CHECK_EQ(mailbox_pop(&mailbox, &popped, 1), 1);
        CHECK(popped == &item.message);
        CHECK(mailbox_is_empty(&mailbox));
    }
    mailbox_fini(&mailbox);
}

static void full_at_the_bound(void)
{
    struct item items[4] = {0};
    struct item control = {.message.control = true};
    struct message *popped[8];
    struct mailbox mailbox;
    init(&mailbox, 3);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(mailbox_push(&mailbox, &items[i].message), STATUS_OK);
    }
    CHECK_EQ(mailbox_push(&mailbox, &items[3].message), STATUS_FULL);
    CHECK_EQ(mailbox_refused(&mailbox), 1);
    CHECK_EQ(mailbox_push(&mailbox, &control.message), STATUS_OK);
    CHECK_EQ(mailbox_pop(&mailbox, popped, 1), 1);
    CHECK_EQ(mailbox_push(&mailbox, &items[3].message), STATUS_OK);
    CHECK_EQ(mailbox_push(&mailbox, &items[0].message), STATUS_FULL);
    CHECK_EQ(mailbox_pop(&mailbox, popped, 8), 4);
    CHECK(popped[2] == &control.message);
    CHECK(popped[3] == &items[3].message);
    mailbox_fini(&mailbox);
}

static void closed_lets_nothing_in(void)
{
    struct item before = {0};
    struct item after = {0};
    struct item control = {.message.control = true};
    struct message *popped[4];
    struct mailbox mailbox;
    init(&mailbox, 3);
    CHECK_EQ(mailbox_push(&mailbox, &before.message), STATUS_OK);
    mailbox_close(&mailbox);
    CHECK_EQ(mailbox_push(&mailbox, &after.message), STATUS_DEAD);
    CHECK_EQ(mailbox_push(&mailbox, &control.message), STATUS_DEAD);
    CHECK(!mailbox_is_empty(&mailbox));
    CHECK_EQ(mailbox_pop(&mailbox, popped, 4), 1);
    CHECK(popped[0] == &before.message);
    CHECK(mailbox_is_empty(&mailbox));
    mailbox_fini(&mailbox);
}

/* ---- senders on threads ---- */

struct storm {
    struct mailbox mailbox;
    _Atomic(uint32_t) in_flight; /* pushed, and not yet seen by the receiver */
    _Atomic(uint32_t) accepted;
    _Atomic(uint32_t) senders_left;
    uint32_t items_each;
};

struct storm_sender {
    struct storm *storm;
    struct item *items;
    uint32_t sender;
    pthread_t thread;
};

static void *send_all(void *argument)
{
    struct storm_sender *self = argument;
    struct storm *storm = self->storm;
    for (uint32_t i = 0; i < storm->items_each; i++) {
        self->items[i] = (struct item){.sender = self->sender, .number = i};
        enum status status;
        while ((status = mailbox_push(&storm->mailbox, &self->items[i].message)) == STATUS_FULL) {
            (void) sched_yield();
        }
        if (status == STATUS_DEAD) {
            break;
        }
        CHECK_EQ(status, STATUS_OK);
        (void) atomic_fetch_add(&storm->accepted, 1);
    }
    (void) atomic_fetch_sub(&storm->senders_left, 1);
    return NULL;
}

static void storm_begin(struct storm *storm, struct storm_sender *senders, uint32_t items_each)
{
    init(&storm->mailbox, 64);
    storm->items_each = items_each;
    storm->accepted = 0;
    storm->senders_left = SENDERS_COUNT;
    for (uint32_t i = 0; i < SENDERS_COUNT; i++) {
        senders[i] = (struct storm_sender){.storm = storm, .sender = i};
        senders[i].items = calloc(items_each, sizeof(struct item));
        CHECK(senders[i].items != NULL);
        CHECK_EQ(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
}

static void storm_end(struct storm *storm, struct storm_sender *senders)
{
    for (uint32_t i = 0; i < SENDERS_COUNT; i++) {
        CHECK_EQ(pthread_join(senders[i].thread, NULL), 0);
        free(senders[i].items);
    }
    mailbox_fini(&storm->mailbox);
}

static void nothing_lost_between_threads(void)
{
    static struct storm storm;
    struct storm_sender senders[SENDERS_COUNT];
    storm_begin(&storm, senders, TEST_SCALE(200000));
    uint32_t next[SENDERS_COUNT] = {0};
    uint32_t left = SENDERS_COUNT * storm.items_each;
    while (left > 0) {
        struct message *popped[32];
        uint32_t count = mailbox_pop(&storm.mailbox, popped, 32);
        for (uint32_t i = 0; i < count; i++) {
            const struct item *item = item_of(popped[i]);
            CHECK_EQ(item->number, next[item->sender]);
            next[item->sender]++;
        }
        left -= count;
        if (count == 0) {
            (void) mailbox_sleep(&storm.mailbox, TIME_NEVER);
        }
    }
    CHECK(mailbox_is_empty(&storm.mailbox));
    storm_end(&storm, senders);
}

static void close_under_fire(void)
{
    for (uint32_t round = 0; round < TEST_SCALE(200); round++) {
        static struct storm storm;
        struct storm_sender senders[SENDERS_COUNT];
        storm_begin(&storm, senders, 2000);
        uint32_t popped_count = 0;
        bool closed = false;
        /* Everything that was accepted comes out, and then nothing more. */
        while (!closed || !mailbox_is_empty(&storm.mailbox)) {
            struct message *popped[8];
            uint32_t count = mailbox_pop(&storm.mailbox, popped, 8);
            popped_count += count;
            if (count == 0) {
                (void) sched_yield();
            }
            if (!closed && popped_count >= round * 10) {
                mailbox_close(&storm.mailbox);
                closed = true;
            }
        }
        CHECK_EVENTUALLY(storm.senders_left == 0);
        CHECK_EQ(storm.accepted, popped_count);
        storm_end(&storm, senders);
    }
}

/* ---- sleep ---- */

static void sleep_ends_at_its_time(void)
{
    struct mailbox mailbox;
    init(&mailbox, 1);
    uint64_t begin_ns = clock_now_ns(&clock_system);
    CHECK_EQ(mailbox_sleep(&mailbox, 20 * NS_PER_MS), MAILBOX_TIMED_OUT);
    CHECK_GE(clock_now_ns(&clock_system) - begin_ns, 20 * NS_PER_MS);
    struct item item = {0};
    struct message *popped;
    CHECK_EQ(mailbox_push(&mailbox, &item.message), STATUS_OK);
    CHECK_EQ(mailbox_sleep(&mailbox, TIME_NEVER), MAILBOX_NOT_EMPTY);
    CHECK_EQ(mailbox_pop(&mailbox, &popped, 1), 1);
    mailbox_fini(&mailbox);
}

struct table_tennis {
    struct mailbox here;
    struct mailbox there;
    uint32_t rounds;
};

/* Sleeps for good each time, so one wake-up lost is a hang. */
static void return_ball(struct mailbox *from, struct mailbox *to, uint32_t rounds, bool serve)
{
    static struct item ball;
    struct message *message = &ball.message;
    for (uint32_t i = 0; i < rounds; i++) {
        if (serve || i > 0) {
            CHECK_EQ(mailbox_push(to, message), STATUS_OK);
        }
        while (mailbox_pop(from, &message, 1) == 0) {
            (void) mailbox_sleep(from, TIME_NEVER);
        }
    }
    if (!serve) {
        CHECK_EQ(mailbox_push(to, message), STATUS_OK);
    }
}

static void *play_other_side(void *argument)
{
    struct table_tennis *game = argument;
    return_ball(&game->there, &game->here, game->rounds, false);
    return NULL;
}

static void no_wake_up_is_lost(void)
{
    static struct table_tennis game = {.rounds = TEST_SCALE(30000)};
    init(&game.here, 1);
    init(&game.there, 1);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, play_other_side, &game), 0);
    return_ball(&game.here, &game.there, game.rounds, true);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    mailbox_fini(&game.here);
    mailbox_fini(&game.there);
}

static void sent_twice_is_found_out(void)
{
    (void) fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void) close(STDERR_FILENO);
        struct item item = {.message.control = true};
        struct mailbox mailbox;
        init(&mailbox, 1);
        CHECK_EQ(mailbox_push(&mailbox, &item.message), STATUS_OK);
        (void) !mailbox_push(&mailbox, &item.message);
        _exit(0);
    }
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static const struct test_case cases[] = {
    {"messages of one sender come out in their order", order_of_one_sender, 0},
    {"the last message can be taken out", last_message_and_again, 0},
    {"a message too many is refused, a control message never", full_at_the_bound, 0},
    {"a closed mailbox gives what it holds and takes nothing", closed_lets_nothing_in, 0},
    {"four threads send, and nothing is lost, doubled or out of order",
     nothing_lost_between_threads, 0},
    {"what was accepted comes out when a mailbox is closed under fire", close_under_fire, 0},
    {"a sleep ends at its time, never before", sleep_ends_at_its_time, 0},
    {"no wake-up is lost", no_wake_up_is_lost, 0},
    {"a message that is sent while it is queued is found out", sent_twice_is_found_out, 0},
};
TEST_MAIN(cases)
