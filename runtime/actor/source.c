/* SPDX-License-Identifier: MIT */
/* The epoll of a loop. Its alarm is an eventfd that is watched by its edges: each write to it is
 * reported once, and nobody has to read it (its count has room for 2^64 - 2 of them). */
#include "actor/source.h"

#include "actor/loop.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

static uint32_t epoll_events(uint32_t events)
{
    return ((events & SOURCE_READ) != 0 ? (uint32_t) EPOLLIN : 0) |
           ((events & SOURCE_WRITE) != 0 ? (uint32_t) EPOLLOUT : 0);
}

/* ---- life ---- */

static bool set_open(struct source_set *set)
{
    struct epoll_event event = {.events = (uint32_t) EPOLLIN | (uint32_t) EPOLLET};
    set->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (set->epoll_fd < 0) {
        return false;
    }
    set->alarm_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (set->alarm_fd < 0) {
        goto no_alarm;
    }
    if (epoll_ctl(set->epoll_fd, EPOLL_CTL_ADD, set->alarm_fd, &event) != 0) {
        goto no_watch;
    }
    set->open = true;
    return true;

no_watch:
    (void) close(set->alarm_fd);
no_alarm:
    (void) close(set->epoll_fd);
    return false;
}

void source_set_fini(struct actor_loop *loop)
{
    struct source_set *set = &loop->sources;
    if (set->open) {
        (void) close(set->alarm_fd);
        (void) close(set->epoll_fd);
        set->open = false;
    }
}

/* ---- the actors' side ---- */

enum status source_add(struct actor *self, struct source *source, int fd, uint32_t events)
{
    struct actor_loop *loop = self->loop;
    ASSERT(loop_is_here(loop) && !source->watched);
    struct epoll_event event = {.events = epoll_events(events), .data.ptr = source};
    if (!loop->sources.open) {
        if (!set_open(&loop->sources)) {
            return STATUS_SYSTEM;
        }
        mailbox_set_alarm(&loop->mailbox, loop->sources.alarm_fd);
    }
    if (epoll_ctl(loop->sources.epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        return errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_SYSTEM;
    }
    source->actor = self;
    source->fd = fd;
    source->events = events;
    source->watched = true;
    return STATUS_OK;
}

void source_set(struct source *source, uint32_t events)
{
    const struct actor_loop *loop = source->actor->loop;
    ASSERT(source->watched && loop_is_here(loop));
    if (source->events == events) {
        return;
    }
    struct epoll_event event = {.events = epoll_events(events), .data.ptr = source};
    int failed = epoll_ctl(loop->sources.epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
    ASSERT(!failed);
    source->events = events;
}

void source_remove(struct source *source)
{
    if (!source->watched) {
        return;
    }
    struct actor_loop *loop = source->actor->loop;
    ASSERT(loop_is_here(loop));
    int failed = epoll_ctl(loop->sources.epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    ASSERT(!failed);
    source->watched = false;
    for (int i = 0; i < loop->sources.ready_count; i++) {
        if (loop->sources.ready[i].data.ptr == source) {
            loop->sources.ready[i].data.ptr = NULL;
        }
    }
}

/* ---- the loop's side ---- */

static void set_look(struct source_set *set, int timeout_ms)
{
    set->ready_count = epoll_wait(set->epoll_fd, set->ready, SOURCES_READY_MAX, timeout_ms);
    if (set->ready_count < 0) {
        ASSERT(errno == EINTR);
        set->ready_count = 0;
    }
}

static void deliver_one(struct actor_loop *loop, const struct epoll_event *event)
{
    const uint32_t broken = (uint32_t) EPOLLERR | (uint32_t) EPOLLHUP;
    struct source *source = event->data.ptr;
    uint32_t events = 0;
    if ((event->events & broken) != 0) {
        events = SOURCE_READ | SOURCE_WRITE;
    } else {
        events = ((event->events & EPOLLIN) != 0 ? SOURCE_READ : 0) |
                 ((event->events & EPOLLOUT) != 0 ? SOURCE_WRITE : 0);
    }
    stats_add(&loop->stats.delivered, 1);
    loop->handling = true;
    source->on_ready(source->actor, source, events);
    loop_reap(loop);
}

uint32_t source_set_deliver(struct actor_loop *loop)
{
    struct source_set *set = &loop->sources;
    if (!set->open) {
        return 0;
    }
    if (!set->looked) {
        set_look(set, 0);
    }
    set->looked = false;
    uint32_t count = 0;
    for (int i = 0; i < set->ready_count; i++) {
        if (set->ready[i].data.ptr != NULL) { /* else the alarm, or one that is gone */
            deliver_one(loop, &set->ready[i]);
            count++;
        }
    }
    set->ready_count = 0;
    return count;
}

/* To wake a processor that sleeps takes 5 to 50 us, and whoever sends us a request pays for a part of
 * it. So while requests come one after the other we stay awake in between: each spin that finds
 * something buys four more, each that does not costs one, and without any left every sixteenth sleep is
 * tried, so that an idle daemon spins next to nothing. */
#define SPIN_CREDIT_MAX 16
#define SPIN_CREDIT_STEP 4
#define SPIN_TRY_EVERY 16

static bool may_spin(struct source_set *set)
{
    if (set->spin_credit > 0) {
        return true;
    }
    set->spins_missed = (set->spins_missed + 1) % SPIN_TRY_EVERY;
    return set->spins_missed == 0;
}

/* Who waits for this very processor gets it: it may be the peer. */
static bool spin(struct actor_loop *loop, uint64_t span_ns)
{
    const uint64_t end_ns = time_after(clock_now_ns(&clock_system), span_ns);
    do {
        if (!mailbox_is_empty(&loop->mailbox) || source_set_wait(loop, 0)) {
            return true;
        }
        (void) sched_yield();
    } while (clock_now_ns(&clock_system) < end_ns);
    return false;
}

bool source_set_spin(struct actor_loop *loop, uint64_t span_ns)
{
    struct source_set *set = &loop->sources;
    const uint64_t spin_ns = (uint64_t) set->spin_us * 1000;
    if (!set->open || spin_ns == 0 || span_ns <= spin_ns || !may_spin(set)) {
        return false;
    }
    const bool found = spin(loop, spin_ns);
    if (found) {
        set->spin_credit += SPIN_CREDIT_STEP;
        set->spin_credit = set->spin_credit < SPIN_CREDIT_MAX ? set->spin_credit : SPIN_CREDIT_MAX;
    } else if (set->spin_credit > 0) {
        set->spin_credit--;
    }
    return found;
}

bool source_set_wait(struct actor_loop *loop, uint64_t timeout_ns)
{
    struct source_set *set = &loop->sources;
    int timeout_ms = -1;
    if (timeout_ns != TIME_NEVER) {
        uint64_t ms = timeout_ns / NS_PER_MS + (timeout_ns % NS_PER_MS != 0 ? 1 : 0);
        timeout_ms = ms < INT_MAX ? (int) ms : INT_MAX;
    }
    set_look(set, timeout_ms);
    set->looked = true;
    return set->ready_count > 0;
}
