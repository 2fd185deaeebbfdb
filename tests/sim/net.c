/* SPDX-License-Identifier: MIT */
#include "sim/net.h"

#include "sim/world.h"

#include <stdlib.h>
#include <string.h>

static unsigned slot_of(unsigned link, enum direction direction)
{
    return (direction == TO_DAEMON ? SLOT_UP : SLOT_DOWN) + link;
}

static void pipe_clear(struct pipe *pipe)
{
    uint8_t *data = pipe->data;
    size_t capacity = pipe->capacity;
    *pipe = (struct pipe){.data = data, .capacity = capacity, .end_ns = AT_NEVER};
}

void net_begin(struct world *world)
{
    struct net *net = &world->net;
    net->addresses_count = 0;
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        net->links[i].is_used = false;
    }
}

void net_fini(struct net *net)
{
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        free(net->links[i].pipes[TO_DAEMON].data);
        free(net->links[i].pipes[TO_CLIENT].data);
    }
}

unsigned net_open(struct world *world, unsigned process)
{
    struct net *net = &world->net;
    unsigned i = 0;
    while (i < LINKS_MAX && net->links[i].is_used) {
        i++;
    }
    if (i == LINKS_MAX) {
        return i;
    }
    struct net_link *link = &net->links[i];
    link->is_used = true;
    link->process = process;
    link->address = ++net->addresses_count;
    link->latency_ns = chance_from(&world->net_chance, 20000, 2000000);
    link->clogged_ns = 0;
    link->epoch = 0;
    pipe_clear(&link->pipes[TO_DAEMON]);
    pipe_clear(&link->pipes[TO_CLIENT]);
    return i;
}

/* ---- time ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void watch(struct world *world, unsigned link, enum direction direction)
{
    const struct net_link *at = &world->net.links[link];
    const struct pipe *pipe = &at->pipes[direction];
    uint64_t due = pipe->count > 0 ? pipe->pieces[pipe->first].at_ns : pipe->end_ns;
    if (due != AT_NEVER) {
        due = later(due, at->clogged_ns);
    }
    world_wake(world, slot_of(link, direction), later(due, world->now_ns));
}

static uint64_t arrival_ns(struct world *world, unsigned link, enum direction direction)
{
    const struct net_link *at = &world->net.links[link];
    uint64_t travel = at->latency_ns + chance_below(&world->net_chance, at->latency_ns / 4 + 1);
    if (world_fault(world, FAULT_DELAY, 250)) {
        travel += chance_below(&world->net_chance, 1200) * MS;
    }
    return later(world->now_ns + travel, at->pipes[direction].last_ns);
}

/* ---- bytes ---- */

static void pipe_room(struct pipe *pipe, size_t size)
{
    if (pipe->head + pipe->size + size <= pipe->capacity) {
        return;
    }
    if (pipe->head > 0) {
        memmove(pipe->data, pipe->data + pipe->head, pipe->size);
        pipe->head = 0;
    }
    if (pipe->size + size > pipe->capacity) {
        pipe->capacity = 2 * (pipe->size + size) + 4096;
        uint8_t *data = realloc(pipe->data, pipe->capacity);
        if (data == NULL) {
            abort();
        }
        pipe->data = data;
    }
}

static void piece_push(struct pipe *pipe, uint64_t at_ns, size_t size)
{
    if (size == 0) {
        return;
    }
    if (pipe->count == PIECES_MAX) {
        pipe->pieces[(pipe->first + pipe->count - 1) % PIECES_MAX].size += size;
        return;
    }
    pipe->pieces[(pipe->first + pipe->count) % PIECES_MAX] =
        (struct piece){.at_ns = at_ns, .size = size};
    pipe->count++;
    pipe->last_ns = at_ns;
}

void net_write(struct world *world, unsigned link, enum direction direction, const void *data,
               size_t size)
{
    struct pipe *pipe = &world->net.links[link].pipes[direction];
    if (size == 0 || pipe->is_ended || pipe->is_dark || !world->net.links[link].is_used) {
        return;
    }
    world_mix_bytes(world, data, size);
    pipe_room(pipe, size);
    memcpy(pipe->data + pipe->head + pipe->size, data, size);
    pipe->size += size;
    uint64_t at_ns = arrival_ns(world, link, direction);
    if (size > 1 && world_fault(world, FAULT_PARTIAL, 900)) {
        size_t part = (size_t) chance_from(&world->net_chance, 1, size - 1);
        piece_push(pipe, at_ns, part);
        at_ns += chance_below(&world->net_chance, 300) * MS / 10;
        size -= part;
    }
    piece_push(pipe, at_ns, size);
    watch(world, link, direction);
}

void net_end(struct world *world, unsigned link, enum direction direction)
{
    struct pipe *pipe = &world->net.links[link].pipes[direction];
    if (pipe->is_ended) {
        return;
    }
    pipe->is_ended = true;
    if (!pipe->is_dark) {
        pipe->end_ns = arrival_ns(world, link, direction);
        watch(world, link, direction);
    }
}

static void link_release(struct world *world, unsigned link)
{
    struct net_link *at = &world->net.links[link];
    if (at->pipes[TO_DAEMON].end_taken && at->pipes[TO_CLIENT].end_taken) {
        at->is_used = false;
        world_wake(world, slot_of(link, TO_DAEMON), AT_NEVER);
        world_wake(world, slot_of(link, TO_CLIENT), AT_NEVER);
    }
}

void net_forget(struct world *world, unsigned link, enum direction direction)
{
    struct pipe *pipe = &world->net.links[link].pipes[direction];
    pipe->is_ended = true;
    pipe->end_taken = true;
    pipe->size = 0;
    pipe->count = 0;
    pipe->end_ns = AT_NEVER;
    world_wake(world, slot_of(link, direction), AT_NEVER);
    link_release(world, link);
}

struct arrival net_read(struct world *world, unsigned link, enum direction direction)
{
    struct net_link *at = &world->net.links[link];
    struct pipe *pipe = &at->pipes[direction];
    struct arrival arrival = {.data = pipe->data + pipe->head};
    if (at->clogged_ns > world->now_ns) {
        watch(world, link, direction);
        return arrival;
    }
    if (pipe->count == 0) {
        arrival.is_end = true;
        net_forget(world, link, direction);
        return arrival;
    }
    /* What came meanwhile is read in one go, as from a socket. */
    while (pipe->count > 0 && pipe->pieces[pipe->first].at_ns <= world->now_ns) {
        arrival.size += pipe->pieces[pipe->first].size;
        pipe->first = (pipe->first + 1) % PIECES_MAX;
        pipe->count--;
    }
    pipe->size -= arrival.size;
    pipe->head = pipe->size == 0 ? 0 : pipe->head + arrival.size;
    watch(world, link, direction);
    return arrival;
}

size_t net_waiting(const struct world *world, unsigned link, enum direction direction)
{
    return world->net.links[link].pipes[direction].size;
}

/* ---- faults ---- */

static void pipe_cut(struct world *world, unsigned link, enum direction direction, bool loses)
{
    struct pipe *pipe = &world->net.links[link].pipes[direction];
    if (pipe->end_taken) {
        return;
    }
    /* What is lost begins anywhere, in the midst of a frame as well. */
    if (loses && pipe->count > 0) {
        struct piece *first = &pipe->pieces[pipe->first];
        first->size = (size_t) chance_from(&world->net_chance, 1, first->size);
        pipe->size = first->size;
        pipe->count = 1;
    }
    pipe->is_dark = false;
    pipe->is_ended = false;
    net_end(world, link, direction);
}

void net_cut(struct world *world, unsigned link, bool loses)
{
    pipe_cut(world, link, TO_DAEMON, loses);
    pipe_cut(world, link, TO_CLIENT, loses);
}

void net_darken(struct world *world, unsigned link)
{
    for (unsigned i = 0; i < 2; i++) {
        struct pipe *pipe = &world->net.links[link].pipes[i];
        pipe->is_dark = true;
        if (!pipe->end_taken) {
            pipe->size = 0;
            pipe->count = 0;
            pipe->end_ns = AT_NEVER;
            watch(world, link, (enum direction) i);
        }
    }
}

void net_clog(struct world *world, unsigned link, uint64_t until_ns)
{
    struct net_link *at = &world->net.links[link];
    at->clogged_ns = later(at->clogged_ns, until_ns);
    for (unsigned i = 0; i < 2; i++) {
        if (!at->pipes[i].end_taken) {
            watch(world, link, (enum direction) i);
        }
    }
}

void net_heal(struct world *world)
{
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        struct net_link *link = &world->net.links[i];
        if (!link->is_used) {
            continue;
        }
        link->clogged_ns = 0;
        if (link->pipes[TO_DAEMON].is_dark || link->pipes[TO_CLIENT].is_dark) {
            net_cut(world, i, false);
        } else {
            net_clog(world, i, 0);
        }
    }
}
