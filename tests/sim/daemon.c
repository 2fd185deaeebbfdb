/* SPDX-License-Identifier: MIT */
#include "sim/daemon_state.h"

/* ---- the end of a turn ---- */

static void link_flush(struct daemon *daemon, unsigned link)
{
    struct world *world = daemon->world;
    struct end *end = &daemon->ends[link];
    if (end->frames_count > 1 && end->frames_count < LINK_FRAMES_MAX &&
        world_fault(world, FAULT_REORDER, 5000)) {
        for (unsigned i = end->frames_count; i > 0; i--) {
            size_t begin = end->frames[i - 1];
            size_t last = i == end->frames_count ? end->output_size : end->frames[i];
            net_write(world, link, TO_CLIENT, end->output + begin, last - begin);
        }
    } else {
        net_write(world, link, TO_CLIENT, end->output, end->output_size);
    }
    end->output_size = 0;
    end->frames_count = 0;
}

void daemon_flush(struct daemon *daemon)
{
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        if (daemon->ends[i].output_size > 0) {
            link_flush(daemon, i);
        }
    }
}

void daemon_end_clear(struct end *end)
{
    end->address = 0;
    end->input_size = 0;
    end->output_size = 0;
    end->frames_count = 0;
}

void daemon_links_drop(struct daemon *daemon, bool loses)
{
    struct world *world = daemon->world;
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        daemon_end_clear(&daemon->ends[i]);
        if (!world->net.links[i].is_used) {
            continue;
        }
        if (loses && chance_strikes(&world->life_chance, 30000)) {
            net_cut(world, i, true);
        }
        net_end(world, i, TO_CLIENT);
        net_forget(world, i, TO_DAEMON);
    }
}

void daemon_leave(struct daemon *daemon)
{
    struct world *world = daemon->world;
    registry_free(daemon->registry);
    daemon->registry = NULL;
    lease_clock_fini(&daemon->lease_clock);
    daemon->is_dying = false;
    daemon->twin.is_there = false;
    daemon->stalled_ns = 0;
    daemon->ends_count++;
    world_wake(world, SLOT_DAEMON, AT_NEVER);
    world_wake(world, SLOT_DISK, AT_NEVER);
    const uint64_t away_ms = chance_strikes(&world->life_chance, 70000)
                                 ? chance_below(&world->life_chance, 300)
                                 : chance_below(&world->life_chance, 9000);
    world_wake(world, SLOT_LIFE, world->now_ns + (world->is_healing ? 0 : away_ms) * MS);
}

void daemon_die(struct daemon *daemon)
{
    struct world *world = daemon->world;
    WORLD_TRACE(world, "daemon: killed at output %llu", (unsigned long long) daemon->outputs_count);
    if (chance_strikes(&world->life_chance, 50000)) {
        daemon_flush(daemon);
    }
    daemon->was_clean = false;
    disk_crash(world, &daemon->disk);
    daemon_links_drop(daemon, true);
    daemon_leave(daemon);
}

/* Records first: what they are of must not be told before they are on their way. */
static void turn_end(struct daemon *daemon)
{
    struct world *world = daemon->world;
    struct lease_clock *lease_clock = &daemon->lease_clock;
    if (daemon->is_dying) {
        daemon_die(daemon);
        return;
    }
    lease_clock_look(lease_clock, daemon_clock_ns(daemon));
    const bool more =
        registry_advance(daemon->registry, lease_clock_ms(lease_clock), SWEEP_STEPS_MAX);
    if (daemon->is_dying) {
        daemon_die(daemon);
        return;
    }
    lease_clock_end(lease_clock, daemon_clock_ns(daemon));
    const uint64_t due_ms = more ? 0 : registry_next_ms(daemon->registry);
    const uint64_t due_ns = lease_clock_plan(lease_clock, due_ms, daemon_clock_ns(daemon));
    const uint64_t here_ns = daemon_clock_ns(daemon);
    disk_flush(world, &daemon->disk);
    daemon_flush(daemon);
    world_wake(world, SLOT_DAEMON,
               due_ns == TIME_NEVER ? AT_NEVER
                                    : world->now_ns + (due_ns > here_ns ? due_ns - here_ns : 0));
}

/* Time for what begins now. */
uint64_t daemon_start_ms(struct daemon *daemon)
{
    lease_clock_look(&daemon->lease_clock, daemon_clock_ns(daemon));
    if (daemon->lease_clock.held) {
        world_sometimes(daemon->world, SOMETIMES_LEASE_HELD);
    }
    return lease_clock_start_ms(&daemon->lease_clock);
}

/* Whether the slot has to wait, for it is down or stalled. */
static bool is_away(struct world *world, unsigned slot)
{
    const struct daemon *daemon = daemon_of(world);
    if (daemon->registry == NULL) {
        world_wake(world, slot, AT_NEVER);
        return true;
    }
    if (world->now_ns < daemon->stalled_ns) {
        world_wake(world, slot, daemon->stalled_ns);
        return true;
    }
    return false;
}

void daemon_sweep(struct world *world)
{
    if (!is_away(world, SLOT_DAEMON)) {
        turn_end(daemon_of(world));
    }
}

void daemon_commit(struct world *world)
{
    struct daemon *daemon = daemon_of(world);
    if (is_away(world, SLOT_DISK)) {
        return;
    }
    switch (disk_commit(world, &daemon->disk)) {
    case DISK_KEPT:
        registry_journal_kept(daemon->registry, daemon->disk.kept, daemon_start_ms(daemon));
        break;
    case DISK_FAILED:
        WORLD_TRACE(world, "daemon: the journal fails");
        registry_journal_failed(daemon->registry, daemon_start_ms(daemon));
        break;
    case DISK_NOTHING:
        return;
    }
    turn_end(daemon);
}

/* ---- what comes in ---- */

static bool accept_link(struct daemon *daemon, unsigned link)
{
    struct end *end = &daemon->ends[link];
    uint8_t handshake[SP_HANDSHAKE_BYTES];
    const uint64_t address = daemon->world->net.links[link].address;
    if (!lease_clock_link_up(&daemon->lease_clock, address)) {
        return false;
    }
    if (!registry_link_up(daemon->registry, address, bytes_of_string("uid:1000"))) {
        lease_clock_link_down(&daemon->lease_clock, address);
        return false;
    }
    daemon_end_clear(end);
    end->address = address;
    daemon->world->net.links[link].epoch = daemon->epoch;
    sp_reader_init(&end->reader, SP_REP, SP_FRAMING_IPC, FRAME_BYTES_MAX);
    sp_write_handshake(SP_REP, handshake);
    net_write(daemon->world, link, TO_CLIENT, handshake, sizeof handshake);
    return true;
}

static void frame_apply(struct daemon *daemon, unsigned link, const struct reply_to *from,
                        struct bytes body)
{
    struct world *world = daemon->world;
    struct frame frame;
    if (daemon->is_dying) {
        return;
    }
    if (codec_decode(daemon->codec, body, &frame) != ERROR_UNSET) {
        world_violated(world, "a frame of the client library is not understood");
    }
    world->figures->frames++;
    const uint64_t now_ms = daemon_start_ms(daemon);
    lease_clock_link_read(&daemon->lease_clock, from->link);
    registry_frame(daemon->registry, from, &frame, now_ms);
    if (frame.session != 0 && frame.request_id != 0 && !daemon->twin.is_there &&
        body.size <= TWIN_BYTES_MAX && world_fault(world, FAULT_DUPLICATE, 1000)) {
        daemon->twin.is_there = true;
        daemon->twin.wait = (unsigned) chance_below(&world->net_chance, 8);
        daemon->twin.link = link;
        daemon->twin.from = *from;
        daemon->twin.size = body.size;
        memcpy(daemon->twin.body, body.data, body.size);
    }
}

static void twin_apply(struct daemon *daemon)
{
    struct twin *twin = &daemon->twin;
    if (!twin->is_there || twin->wait-- > 0) {
        return;
    }
    twin->is_there = false;
    if (daemon->ends[twin->link].address == twin->from.link) {
        world_sometimes(daemon->world, SOMETIMES_TEST_16);
        frame_apply(daemon, twin->link, &twin->from, bytes_of(twin->body, twin->size));
    }
}

static void link_close(struct daemon *daemon, unsigned link)
{
    struct end *end = &daemon->ends[link];
    const uint64_t now_ms = daemon_start_ms(daemon);
    if (end->address != 0) {
        lease_clock_link_down(&daemon->lease_clock, end->address);
        registry_link_down(daemon->registry, end->address, now_ms);
    }
    daemon_end_clear(end);
    net_end(daemon->world, link, TO_CLIENT);
    if (!daemon->world->net.links[link].pipes[TO_DAEMON].end_taken) {
        net_forget(daemon->world, link, TO_DAEMON);
    }
}

static void input_parse(struct daemon *daemon, unsigned link)
{
    struct end *end = &daemon->ends[link];
    size_t at = 0;
    for (;;) {
        struct sp_step step = sp_read(&end->reader, end->input + at, end->input_size - at);
        at += step.consumed;
        if (step.found == SP_MORE) {
            break;
        }
        if (step.found == SP_BROKEN || step.found == SP_IGNORE) {
            world_violated(daemon->world, "what the client library sent breaks the rules of SP");
        }
        if (step.found == SP_FRAME) {
            struct reply_to from = {.link = end->address, .route_words = step.route.words_count};
            memcpy(from.route, step.route.words, sizeof from.route);
            frame_apply(daemon, link, &from, bytes_of(step.payload, step.payload_bytes));
            twin_apply(daemon);
        }
    }
    end->input_size -= at;
    memmove(end->input, end->input + at, end->input_size);
}

void daemon_arrive(struct world *world, unsigned link)
{
    struct daemon *daemon = daemon_of(world);
    struct end *end = &daemon->ends[link];
    if (is_away(world, SLOT_UP + link)) {
        return;
    }
    const struct arrival arrival = net_read(world, link, TO_DAEMON);
    if (!arrival.is_end && arrival.size == 0) {
        return;
    }
    if (end->address != world->net.links[link].address && !arrival.is_end &&
        !accept_link(daemon, link)) {
        link_close(daemon, link);
        return;
    }
    if (arrival.is_end) {
        link_close(daemon, link);
    } else {
        daemon_room(&end->input, &end->input_capacity, end->input_size + arrival.size);
        memcpy(end->input + end->input_size, arrival.data, arrival.size);
        end->input_size += arrival.size;
        input_parse(daemon, link);
    }
    turn_end(daemon);
}
