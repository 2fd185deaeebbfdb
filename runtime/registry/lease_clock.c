/* SPDX-License-Identifier: MIT */
#include "registry/lease_clock.h"

#include "base/limits.h"

#define LATE_NS (LEASE_LATE_MS * NS_PER_MS)
#define HOLD_NS (LEASE_HOLD_MS * NS_PER_MS)
#define HOLD_APART_NS (LEASE_HOLD_APART_MS * NS_PER_MS)
#define PLAN_NS (LEASE_PLAN_MS * NS_PER_MS)

struct lease_link {
    struct hash_link by_address;
    uint64_t address;
    uint32_t round; /* of the hold in which it was read last, or came up */
};

/* ---- links ---- */

/* Addresses are numbers of our own, so mixing them is enough (the finalizer of splitmix64). Each step of it can be
 * undone, so no two addresses have one hash. */
static uint64_t address_hash(uint64_t address)
{
    address = (address ^ (address >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    address = (address ^ (address >> 27)) * UINT64_C(0x94d049bb133111eb);
    return address ^ (address >> 31);
}

static struct lease_link *link_at(const struct lease_clock *clock, uint32_t index)
{
    return slab_at(&clock->links, index);
}

static uint32_t link_find(const struct lease_clock *clock, uint64_t address)
{
    return hash_index_first(&clock->links_by_address, address_hash(address));
}

static void link_mark(struct lease_clock *clock, struct lease_link *link)
{
    if (clock->held && link->round != clock->round) {
        ASSERT(clock->unread > 0);
        clock->unread--;
        link->round = clock->round;
    }
}

bool lease_clock_link_up(struct lease_clock *clock, uint64_t link)
{
    ASSERT(link_find(clock, link) == 0);
    const uint32_t index = slab_take(&clock->links);
    if (index == 0) {
        return false;
    }
    link_at(clock, index)->address = link;
    link_at(clock, index)->round = clock->round; /* it renews nothing that was there before it */
    hash_index_insert(&clock->links_by_address, index, address_hash(link));
    return true;
}

void lease_clock_link_down(struct lease_clock *clock, uint64_t link)
{
    const uint32_t index = link_find(clock, link);
    if (index == 0) {
        return;
    }
    link_mark(clock, link_at(clock, index));
    hash_index_remove(&clock->links_by_address, index);
    slab_give(&clock->links, index);
}

void lease_clock_link_read(struct lease_clock *clock, uint64_t link)
{
    if (!clock->held) {
        return; /* the usual case costs no look-up */
    }
    const uint32_t index = link_find(clock, link);
    if (index != 0) {
        link_mark(clock, link_at(clock, index));
    }
}

/* ---- time ---- */

static void hold(struct lease_clock *clock, uint64_t now_ns, uint64_t seen_ns)
{
    /* Whatever was planned for is due at the planned time: a ms before it nothing is. */
    const uint64_t lease_ns = seen_ns - clock->skipped_ns;
    if (lease_ns > clock->lease_ns + NS_PER_MS) {
        clock->lease_ns = lease_ns - NS_PER_MS;
    }
    clock->held = true;
    clock->hold_began_ns = now_ns;
    clock->holds_count++;
    clock->round++;
    clock->unread = clock->links.count;
}

/* The clock goes on from where it stands. */
static void go_on(struct lease_clock *clock, uint64_t now_ns)
{
    clock->held = false;
    clock->stood_still_ns += now_ns - clock->lease_ns - clock->skipped_ns;
    clock->skipped_ns = now_ns - clock->lease_ns;
}

static bool may_hold(const struct lease_clock *clock, uint64_t now_ns)
{
    return clock->links.count > 0 &&
           (clock->hold_began_ns == TIME_NEVER || now_ns - clock->hold_began_ns >= HOLD_APART_NS);
}

/* The owner is here at now_ns, and meant to be at seen_ns. */
static void run_to(struct lease_clock *clock, uint64_t now_ns, uint64_t seen_ns)
{
    const bool late = now_ns > time_after(seen_ns, LATE_NS);
    clock->stalls_count += late ? 1 : 0;
    if (clock->held) {
        if (clock->unread == 0 || now_ns - clock->hold_began_ns >= HOLD_NS) {
            go_on(clock, now_ns);
        }
        return;
    }
    if (!late) {
        clock->lease_ns = now_ns - clock->skipped_ns;
        return;
    }
    if (may_hold(clock, now_ns)) {
        hold(clock, now_ns, seen_ns);
        return;
    }
    clock->lease_ns = seen_ns + LATE_NS - clock->skipped_ns;
    go_on(clock, now_ns);
}

void lease_clock_look(struct lease_clock *clock, uint64_t now_ns)
{
    if (now_ns <= clock->looked_ns) {
        return; /* a turn that it knows */
    }
    /* Awake before the plan is awake in time. */
    run_to(clock, now_ns, clock->planned_ns < now_ns ? clock->planned_ns : now_ns);
    clock->looked_ns = now_ns;
    clock->planned_ns = TIME_NEVER;
}

void lease_clock_end(struct lease_clock *clock, uint64_t now_ns)
{
    ASSERT(now_ns >= clock->looked_ns);
    run_to(clock, now_ns, clock->looked_ns);
    clock->looked_ns = now_ns;
}

uint64_t lease_clock_plan(struct lease_clock *clock, uint64_t due_ms, uint64_t now_ns)
{
    uint64_t wake_ns = TIME_NEVER;
    if (due_ms != TIME_NEVER && due_ms <= lease_clock_ms(clock)) {
        wake_ns = now_ns;
    } else if (clock->held) {
        wake_ns = time_after(clock->hold_began_ns, HOLD_NS);
    } else if (due_ms < (TIME_NEVER - clock->skipped_ns) / NS_PER_MS) {
        wake_ns = due_ms * NS_PER_MS + clock->skipped_ns;
        wake_ns = wake_ns < now_ns + PLAN_NS ? wake_ns : now_ns + PLAN_NS;
    }
    wake_ns = wake_ns > now_ns ? wake_ns : now_ns;
    clock->planned_ns = wake_ns;
    return wake_ns;
}

/* ---- life ---- */

bool lease_clock_init(struct lease_clock *clock, uint64_t now_ns, uint32_t links_max)
{
    *clock = (struct lease_clock){.looked_ns = now_ns,
                                  .planned_ns = TIME_NEVER,
                                  .lease_ns = now_ns,
                                  .hold_began_ns = TIME_NEVER};
    if (!slab_init(&clock->links, sizeof(struct lease_link), links_max)) {
        return false;
    }
    if (!hash_index_init(&clock->links_by_address, &clock->links,
                         offsetof(struct lease_link, by_address), links_max)) {
        slab_fini(&clock->links);
        return false;
    }
    return true;
}

void lease_clock_fini(struct lease_clock *clock)
{
    hash_index_fini(&clock->links_by_address);
    slab_fini(&clock->links);
}

void lease_clock_check(const struct lease_clock *clock)
{
    slab_check(&clock->links);
    hash_index_check(&clock->links_by_address);
    ASSERT(clock->links.count == clock->links_by_address.count);
    ASSERT(clock->lease_ns + clock->skipped_ns <= clock->looked_ns);
    ASSERT(clock->held || clock->lease_ns + clock->skipped_ns == clock->looked_ns);
    uint32_t unread = 0;
    for (uint32_t i = 1; i < slab_end(&clock->links); i++) {
        unread += slab_is_live(&clock->links, i) && link_at(clock, i)->round != clock->round;
    }
    ASSERT(!clock->held || unread == clock->unread);
}
