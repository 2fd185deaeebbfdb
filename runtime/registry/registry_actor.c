/* SPDX-License-Identifier: MIT */
#include "registry/registry_actor.h"

#include "registry/lease_clock.h"

#include <stdlib.h>

struct registry_actor {
    struct actor *self;
    struct registry *registry;
    const struct clock *clock;
    struct lease_clock lease_clock;
    struct actor_timer again;
    uint64_t swept_ns; /* the turn of the last sweep */
    bool shut_down;
};

/* Lease time for what begins now. What is due is looked at by the ms that are over, so a deadline
 * is never early; the registry takes the two as they come.
 *
 * A neighbour who calls in the course of his own sweep may come after ours: then another turn has
 * to look at what he caused. */
static uint64_t start_ms(struct registry_actor *registry_actor)
{
    const uint64_t now_ns = actor_now_ns(registry_actor->self);
    if (registry_actor->swept_ns == now_ns && !registry_actor->shut_down) {
        actor_timer_set(registry_actor->self, &registry_actor->again, now_ns);
    }
    lease_clock_look(&registry_actor->lease_clock, now_ns);
    return lease_clock_start_ms(&registry_actor->lease_clock);
}

static void on_again(struct actor *self, struct actor_timer *timer)
{
    (void) self;
    (void) timer; /* what it is for is the sweep behind it */
}

/* ---- the actor ---- */

static uint64_t on_sweep(struct actor *self, uint64_t now_ns)
{
    struct registry_actor *registry_actor = actor_state(self);
    struct lease_clock *lease_clock = &registry_actor->lease_clock;
    registry_actor->swept_ns = now_ns;
    if (registry_actor->shut_down) {
        return TIME_NEVER;
    }
    lease_clock_look(lease_clock, now_ns);
    const bool more =
        registry_advance(registry_actor->registry, lease_clock_ms(lease_clock), SWEEP_STEPS_MAX);
    const uint64_t end_ns = clock_now_ns(registry_actor->clock);
    lease_clock_end(lease_clock, end_ns);
    const uint64_t due_ms = more ? 0 : registry_next_ms(registry_actor->registry);
    return lease_clock_plan(lease_clock, due_ms, end_ns);
}

static void answer_stats(struct registry_actor *registry_actor, struct registry_stats_ask *ask)
{
    const struct stat_row *rows;
    const size_t count = registry_stats(registry_actor->registry, &rows);
    ASSERT(count + LEASE_STATS_COUNT <= REGISTRY_STATS_MAX);
    memcpy(ask->rows, rows, count * sizeof *rows);
    ask->rows_count = count + registry_actor_lease_stats(registry_actor, ask->rows + count);
    actor_reply(registry_actor->self, actor_defer(&ask->message), &ask->message);
}

static void on_message(struct actor *self, struct message *message)
{
    if (message->kind == REGISTRY_STATS) {
        answer_stats(actor_state(self), (struct registry_stats_ask *) message);
        return;
    }
    message_release(message);
}

static const struct actor_class registry_class = {
    .name = "registry", .on_message = on_message, .on_sweep = on_sweep};

/* ---- by neighbours ---- */

bool registry_actor_link_up(struct registry_actor *registry_actor, uint64_t link, struct bytes peer)
{
    if (!lease_clock_link_up(&registry_actor->lease_clock, link)) {
        return false;
    }
    if (!registry_link_up(registry_actor->registry, link, peer)) {
        lease_clock_link_down(&registry_actor->lease_clock, link);
        return false;
    }
    return true;
}

void registry_actor_link_down(struct registry_actor *registry_actor, uint64_t link)
{
    const uint64_t now_ms = start_ms(registry_actor);
    lease_clock_link_down(&registry_actor->lease_clock, link);
    registry_link_down(registry_actor->registry, link, now_ms);
}

void registry_actor_link_paused(struct registry_actor *registry_actor, uint64_t link, bool paused)
{
    registry_link_paused(registry_actor->registry, link, paused, start_ms(registry_actor));
}

bool registry_actor_link_opened(const struct registry_actor *registry_actor, uint64_t link)
{
    return registry_link_opened(registry_actor->registry, link);
}

void registry_actor_frame(struct registry_actor *registry_actor, const struct reply_to *from,
                          const struct frame *frame)
{
    const uint64_t now_ms = start_ms(registry_actor);
    lease_clock_link_read(&registry_actor->lease_clock, from->link);
    registry_frame(registry_actor->registry, from, frame, now_ms);
}

void registry_actor_rights_changed(struct registry_actor *registry_actor)
{
    registry_rights_changed(registry_actor->registry);
}

bool registry_actor_recover(struct registry_actor *registry_actor,
                            const struct journal_record *record)
{
    return registry_recover(registry_actor->registry, record);
}

void registry_actor_journal_kept(struct registry_actor *registry_actor, uint64_t number)
{
    registry_journal_kept(registry_actor->registry, number, start_ms(registry_actor));
}

void registry_actor_journal_failed(struct registry_actor *registry_actor)
{
    registry_journal_failed(registry_actor->registry, start_ms(registry_actor));
}

void registry_actor_history(struct registry_actor *registry_actor, uint64_t ticket,
                            const struct history_entry *entries, size_t entries_count,
                            uint64_t next_cursor, bool failed)
{
    registry_history(registry_actor->registry, ticket, entries, entries_count, next_cursor, failed,
                     start_ms(registry_actor));
}

bool registry_actor_is_idle(const struct registry_actor *registry_actor)
{
    return registry_is_idle(registry_actor->registry);
}

void registry_actor_shut_down(struct registry_actor *registry_actor)
{
    registry_actor->shut_down = true;
    registry_shut_down(registry_actor->registry, start_ms(registry_actor));
}

size_t registry_actor_lease_stats(const struct registry_actor *registry_actor,
                                  struct stat_row out[LEASE_STATS_COUNT])
{
    const struct lease_clock *lease_clock = &registry_actor->lease_clock;
    out[0] = (struct stat_row){"lease_stalls", lease_clock->stalls_count};
    out[1] = (struct stat_row){"lease_holds", lease_clock->holds_count};
    out[2] = (struct stat_row){"lease_stood_still_ms", lease_clock->stood_still_ns / NS_PER_MS};
    return LEASE_STATS_COUNT;
}

struct actor *registry_actor_self(const struct registry_actor *registry_actor)
{
    return registry_actor->self;
}

/* ---- life ---- */

static enum status start(struct registry_actor *registry_actor, struct actor_loop *loop,
                         const struct registry_config *config, const struct registry_port *port)
{
    const uint64_t now_ns = clock_now_ns(registry_actor->clock);
    if (!lease_clock_init(&registry_actor->lease_clock, now_ns,
                          (uint32_t) config->limits.connections)) {
        return STATUS_NO_MEMORY;
    }
    struct registry_config timed = *config;
    timed.now_ms = lease_clock_start_ms(&registry_actor->lease_clock);
    registry_actor->registry = registry_new(&timed, port);
    explicit_bzero(&timed.secret_key, sizeof timed.secret_key);
    if (registry_actor->registry == NULL) {
        return STATUS_NO_MEMORY;
    }
    return actor_spawn(loop, &registry_class, registry_actor, &registry_actor->self);
}

enum status registry_actor_new(struct actor_loop *loop, const struct clock *clock,
                               const struct registry_config *config,
                               const struct registry_port *port,
                               struct registry_actor **registry_actor_out)
{
    struct registry_actor *registry_actor = calloc(1, sizeof *registry_actor);
    if (registry_actor == NULL) {
        return STATUS_NO_MEMORY;
    }
    registry_actor->clock = clock;
    registry_actor->again.on_fire = on_again;
    registry_actor->swept_ns = TIME_NEVER;
    const enum status status = start(registry_actor, loop, config, port);
    if (status != STATUS_OK) {
        registry_actor_free(registry_actor);
        return status;
    }
    *registry_actor_out = registry_actor;
    return STATUS_OK;
}

void registry_actor_free(struct registry_actor *registry_actor)
{
    if (registry_actor == NULL) {
        return;
    }
    registry_free(registry_actor->registry);
    lease_clock_fini(&registry_actor->lease_clock);
    free(registry_actor);
}
