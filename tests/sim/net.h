/* SPDX-License-Identifier: MIT */
/* The simulated links: two streams of bytes each, as a socket has them. What is written comes out later, in order,
 * in other pieces than it was written in. A link can be slow, clogged, cut in the midst of a frame, or go dark: then
 * neither bytes nor its end get through, and neither side is told. */
#ifndef CANCELD_TESTS_SIM_NET_H
#define CANCELD_TESTS_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINKS_MAX 16
#define PIECES_MAX 64

struct world;

enum direction { TO_DAEMON, TO_CLIENT };

struct piece {
    uint64_t at_ns;
    size_t size;
};

struct pipe {
    uint8_t *data;
    size_t head;
    size_t size; /* bytes on their way, from head on */
    size_t capacity;
    struct piece pieces[PIECES_MAX];
    unsigned first;
    unsigned count;
    uint64_t last_ns;
    bool is_ended;   /* nothing can be written any more; behind the last piece comes the end */
    bool end_taken;  /* it came */
    bool is_dark;    /* what is written is lost */
    uint64_t end_ns; /* when the end comes */
};

struct net_link {
    bool is_used;
    unsigned process;
    uint64_t address; /* never used again */
    uint64_t epoch;   /* of the daemon that took it; 0: none has */
    uint64_t latency_ns;
    uint64_t clogged_ns; /* nothing comes out before */
    struct pipe pipes[2];
};

struct net {
    struct net_link links[LINKS_MAX];
    uint64_t addresses_count;
};

struct arrival {
    const uint8_t *data; /* borrowed until the next write or read of the pipe */
    size_t size;
    bool is_end;
};

void net_begin(struct world *world);
void net_fini(struct net *net);

/* A new link of the process; LINKS_MAX: there is no room. */
unsigned net_open(struct world *world, unsigned process);

void net_write(struct world *world, unsigned link, enum direction direction, const void *data,
               size_t size);

/* The writer will write no more: the reader comes to the end. */
void net_end(struct world *world, unsigned link, enum direction direction);

/* The reader is gone: what is on its way to it is lost, and so is what is written. */
void net_forget(struct world *world, unsigned link, enum direction direction);

/* What comes out now, at the pipe's time. */
struct arrival net_read(struct world *world, unsigned link, enum direction direction);

/* How much is on its way. */
size_t net_waiting(const struct world *world, unsigned link, enum direction direction);

/* Faults of a link that is used. */
void net_cut(struct world *world, unsigned link, bool loses);
void net_darken(struct world *world, unsigned link);
void net_clog(struct world *world, unsigned link, uint64_t until_ns);

/* Every link works from now on; those that are dark are cut. */
void net_heal(struct world *world);

#endif
