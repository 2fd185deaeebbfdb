/* SPDX-License-Identifier: MIT */
/* The inside of the simulated daemon: for daemon.c (its turns), daemon_port.c (what the registry gives out) and
 * daemon_life.c. */
#ifndef CANCELD_TESTS_SIM_DAEMON_STATE_H
#define CANCELD_TESTS_SIM_DAEMON_STATE_H

#include "registry/lease_clock.h"
#include "registry/registry.h"
#include "sim/daemon.h"
#include "sim/disk.h"
#include "sim/world.h"
#include "wire/codec.h"
#include "wire/sp.h"

#define LINK_FRAMES_MAX 64
#define TWIN_BYTES_MAX 4096
#define JUMP_UNSEEN_MS                                                                             \
    UINT64_C(1050) /* LEASE_PLAN_MS + LEASE_LATE_MS: a shorter jump may go unseen */
#define COUNTER_FIRST 1

/* The daemon's end of a link. */
struct end {
    uint64_t address; /* 0: not accepted */
    struct sp_reader reader;
    uint8_t *input;
    size_t input_size;
    size_t input_capacity;
    uint8_t *output; /* of this turn */
    size_t output_size;
    size_t output_capacity;
    size_t frames[LINK_FRAMES_MAX]; /* where the replies in it begin */
    unsigned frames_count;
};

/* A frame that comes once more. */
struct twin {
    bool is_there;
    unsigned wait; /* so many frames later */
    unsigned link;
    struct reply_to from;
    size_t size;
    uint8_t body[TWIN_BYTES_MAX];
};

struct daemon {
    struct registry *registry; /* NULL: it is down */
    struct codec *codec;
    struct lease_clock lease_clock;
    struct disk disk;
    struct world *world;
    struct end ends[LINKS_MAX];
    struct twin twin;
    uint64_t epoch;
    uint64_t outputs_count;
    uint64_t ends_count;
    uint64_t skew_ns;
    uint64_t slack_ns;
    uint64_t stalled_ns;
    bool is_dying;
    bool was_clean;
};

static inline struct daemon *daemon_of(const struct world *world)
{
    return world->daemon;
}

static inline uint64_t daemon_clock_ns(const struct daemon *daemon)
{
    return daemon->world->now_ns + daemon->skew_ns;
}

/* ---- daemon.c ---- */

void daemon_end_clear(struct end *end);

/* Time for what begins now. */
uint64_t daemon_start_ms(struct daemon *daemon);

/* What has come together goes out. */
void daemon_flush(struct daemon *daemon);

/* kill -9; and what every end has in common. */
void daemon_die(struct daemon *daemon);
void daemon_leave(struct daemon *daemon);
void daemon_links_drop(struct daemon *daemon, bool loses);

/* ---- daemon_port.c ---- */

struct registry_port daemon_port(struct daemon *daemon);

/* At least so many bytes. */
void *daemon_room(uint8_t **data, size_t *capacity, size_t size);

#endif
