/* SPDX-License-Identifier: MIT */
/* The simulated daemon: the real registry, codec, SP parser and lease clock, driven as the owner's loop drives them:
 * what came is applied, then one sweep, then the journal and the links get what came of it.
 *
 * It can die at each of its outputs (a reply, a record of the journal): what the registry does in the rest of that
 * call has never been. */
#ifndef CANCELD_TESTS_SIM_DAEMON_H
#define CANCELD_TESTS_SIM_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

struct world;
struct daemon;

struct daemon *daemon_new(void);
void daemon_free(struct daemon *daemon);

/* A new world: a first epoch and an empty disk; it starts. */
void daemon_begin(struct world *world);

/* The world is over. */
void daemon_end(struct world *world);

bool daemon_is_up(const struct world *world);
uint64_t daemon_epoch(const struct world *world);
uint64_t daemon_outputs(const struct world *world);

/* How many times it was killed or stopped. */
uint64_t daemon_ends(const struct world *world);

/* What stalls and jumps of its clock may have taken from a lease, in all. */
uint64_t daemon_slack_ns(const struct world *world);

/* ---- what happens ---- */

void daemon_sweep(struct world *world);
void daemon_commit(struct world *world);
void daemon_start(struct world *world);
void daemon_arrive(struct world *world, unsigned link);

/* SIGTERM. */
void daemon_stop(struct world *world);

/* Nothing happens in it until then. */
void daemon_stall(struct world *world, uint64_t until_ns);

/* Its clock goes ahead. */
void daemon_jump(struct world *world, uint64_t ns);

/* No fault any more. */
void daemon_heal(struct world *world);

#endif
