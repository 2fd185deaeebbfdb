/* SPDX-License-Identifier: MIT */
/* The registry as an actor: a thin shell that gives it the time.
 *
 * Neighbours on its loop call it directly, which is why a request costs no message: the functions
 * below that take a struct registry_actor are for the loop's own thread (or before the loop runs),
 * and not from within the registry's port. Everybody else sends it a message.
 *
 * Each turn it takes lease time from the loop's clock (see lease_clock.h), lets the registry do
 * what is due, SWEEP_STEPS_MAX steps at a time, and asks the loop to be woken for what is due next.
 */
#ifndef CANCELD_REGISTRY_REGISTRY_ACTOR_H
#define CANCELD_REGISTRY_REGISTRY_ACTOR_H

#include "actor/actor.h"
#include "registry/registry.h"

struct registry_actor;

/* Puts a registry on the loop, whose system has this clock. config->now_ms is not looked at.
 * STATUS_NO_MEMORY, or what actor_spawn() answers. */
MUST_CHECK enum status registry_actor_new(struct actor_loop *loop, const struct clock *clock,
                                          const struct registry_config *config,
                                          const struct registry_port *port,
                                          struct registry_actor **registry_actor_out);

/* After the loop was stopped. Takes NULL. */
void registry_actor_free(struct registry_actor *registry_actor);

/* The actor itself: its address is for asks. */
struct actor *registry_actor_self(const struct registry_actor *registry_actor);

/* ---- by neighbours: as the functions of registry.h, at the present time ---- */

MUST_CHECK bool registry_actor_link_up(struct registry_actor *registry_actor, uint64_t link,
                                       struct bytes peer);
void registry_actor_link_down(struct registry_actor *registry_actor, uint64_t link);
void registry_actor_link_paused(struct registry_actor *registry_actor, uint64_t link, bool paused);
bool registry_actor_link_opened(const struct registry_actor *registry_actor, uint64_t link);
void registry_actor_frame(struct registry_actor *registry_actor, const struct reply_to *from,
                          const struct frame *frame);

void registry_actor_rights_changed(struct registry_actor *registry_actor);

MUST_CHECK bool registry_actor_recover(struct registry_actor *registry_actor,
                                       const struct journal_record *record);
void registry_actor_journal_kept(struct registry_actor *registry_actor, uint64_t number);
void registry_actor_journal_failed(struct registry_actor *registry_actor);
void registry_actor_history(struct registry_actor *registry_actor, uint64_t ticket,
                            const struct history_entry *entries, size_t entries_count,
                            uint64_t next_cursor, bool failed);
bool registry_actor_is_idle(const struct registry_actor *registry_actor);

/* Afterwards no lease ends any more: what is live stays so until the process is gone. */
void registry_actor_shut_down(struct registry_actor *registry_actor);

/* The rows of lease_clock.h, for `stats`; at most LEASE_STATS_COUNT. */
#define LEASE_STATS_COUNT 3
size_t registry_actor_lease_stats(const struct registry_actor *registry_actor,
                                  struct stat_row out[LEASE_STATS_COUNT]);

/* ---- by message ---- */

#define REGISTRY_STATS (MESSAGE_KIND_FIRST + 0)

#define REGISTRY_STATS_MAX (STATS_MAX + LEASE_STATS_COUNT)

/* An ask of kind REGISTRY_STATS, whose answer is the same message with the rows in it: what the
 * registry counts, and what the lease clock does. The names are in static storage. */
struct registry_stats_ask {
    struct message message;
    size_t rows_count;
    struct stat_row rows[REGISTRY_STATS_MAX];
};

#endif
