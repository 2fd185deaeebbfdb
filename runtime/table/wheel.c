/* SPDX-License-Identifier: MIT */
/* The near ring's time is in ms, the far one's in spans of 4,096 ms. A record hangs in the slot of its
 * deadline, so whatever hangs in one that has come is due, unless it was put off.
 *
 * Each ring knows its first slot that is not empty, so "is there anything to do" and "when" are
 * comparisons, however long nobody asked; the bits are searched only when that slot empties. The ring's
 * base follows: the present, or the first slot where that is behind. So there is no walk over empty
 * slots, after a suspended machine either, and no list of what is late: it stays in its slot, which is
 * then the base.
 *
 *     near.base <= near.first, now_ms
 *     far.base <= far.first, (near.base + near.slots) / WHEEL_FAR_MS
 *
 * The last is why a span may be emptied into the near ring as soon as all of it fits there, 12 to 16 s
 * ahead, and why what does not fit into the near ring always has its place in the far one. What even
 * that cannot hold (the base is behind) hangs in its last slot and is placed anew from there.
 *
 * `previous` of a slot's first record is the ring's mark and the slot, so unlinking needs no search. */
#include "table/wheel.h"

#include <string.h>

#define MARK_NEAR UINT32_C(0x80000000)
#define MARK_FAR UINT32_C(0xc0000000)
#define SLOT_MASK UINT32_C(0x3fffffff)
#define WORD_BITS 64
/* One step of so many is the far ring's even where deadlines are due, so that it cannot starve. */
#define FAR_SHARE 4

static struct wheel_link *link_at(const struct wheel *wheel, uint32_t record)
{
    return (void *) ((char *) packed_at(wheel->records, record) + wheel->link_offset);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- a ring's bits ---- */

static uint64_t bit_of(uint32_t number)
{
    return UINT64_C(1) << (number % WORD_BITS);
}

static uint32_t words_count(const struct wheel_ring *ring)
{
    return ring->slots / WORD_BITS;
}

static void bit_set(struct wheel_ring *ring, uint32_t slot)
{
    uint32_t word = slot / WORD_BITS;
    uint64_t *sums = ring->bits + words_count(ring);
    ring->bits[word] |= bit_of(slot);
    sums[word / WORD_BITS] |= bit_of(word);
}

static void bit_clear(struct wheel_ring *ring, uint32_t slot)
{
    uint32_t word = slot / WORD_BITS;
    uint64_t *sums = ring->bits + words_count(ring);
    ring->bits[word] &= ~bit_of(slot);
    if (ring->bits[word] == 0) {
        sums[word / WORD_BITS] &= ~bit_of(word);
    }
}

/* The next word, round the ring, that is not 0: `word` itself comes last. None: words_count(). */
static uint32_t next_word(const struct wheel_ring *ring, uint32_t word)
{
    const uint64_t *sums = ring->bits + words_count(ring);
    uint32_t sums_count = words_count(ring) / WORD_BITS;
    uint32_t at = word / WORD_BITS;
    uint64_t bits = sums[at] & ~(bit_of(word) | (bit_of(word) - 1));
    for (uint32_t tried = 0; bits == 0; tried++) {
        if (tried == sums_count) {
            return words_count(ring);
        }
        at = (at + 1) % sums_count;
        bits = sums[at];
    }
    return at * WORD_BITS + (uint32_t) __builtin_ctzll(bits);
}

/* The first time at or after `from`, within the ring's slots, whose slot is not empty. */
static uint64_t first_from(const struct wheel_ring *ring, uint64_t from)
{
    uint32_t slot = (uint32_t) from & (ring->slots - 1);
    uint32_t word = slot / WORD_BITS;
    uint64_t bits = ring->bits[word] & ~(bit_of(slot) - 1);
    if (bits == 0) {
        word = next_word(ring, word);
        if (word == words_count(ring)) {
            return TIME_NEVER;
        }
        bits = ring->bits[word];
    }
    uint32_t found = word * WORD_BITS + (uint32_t) __builtin_ctzll(bits);
    return from + ((found - slot) & (ring->slots - 1));
}

/* ---- records in slots ---- */

static void hang(struct wheel *wheel, struct wheel_ring *ring, uint64_t time, uint32_t record)
{
    struct wheel_link *link = link_at(wheel, record);
    uint32_t slot = (uint32_t) time & (ring->slots - 1);
    uint32_t head = ring->heads[slot];
    link->next = head;
    link->previous = ring->mark | slot;
    ring->heads[slot] = record;
    if (head != 0) {
        link_at(wheel, head)->previous = record;
        return;
    }
    bit_set(ring, slot);
    ring->first = least(ring->first, time);
}

static struct wheel_ring *ring_of(struct wheel *wheel, uint32_t previous)
{
    return previous < MARK_FAR ? &wheel->near : &wheel->far;
}

/* The slot begins with another record now, or has none any more. */
static void begin_slot(struct wheel *wheel, uint32_t previous, uint32_t record)
{
    struct wheel_ring *ring = ring_of(wheel, previous);
    uint32_t slot = previous & SLOT_MASK;
    ring->heads[slot] = record;
    if (record != 0) {
        return;
    }
    bit_clear(ring, slot);
    if ((ring->first & (ring->slots - 1)) == slot) {
        ring->first = first_from(ring, ring->first);
    }
}

/* The link itself is left as it was. */
static void unhang(struct wheel *wheel, const struct wheel_link *link)
{
    if (link->next != 0) {
        link_at(wheel, link->next)->previous = link->previous;
    }
    if (link->previous >= MARK_NEAR) {
        begin_slot(wheel, link->previous, link->next);
    } else {
        link_at(wheel, link->previous)->next = link->next;
    }
}

/* The deadline is not before now_ms, so it is not before the base. */
static void place(struct wheel *wheel, uint32_t record, uint64_t deadline_ms)
{
    if (deadline_ms - wheel->near.base < WHEEL_NEAR_SLOTS) {
        hang(wheel, &wheel->near, deadline_ms, record);
    } else {
        uint64_t last = wheel->far.base + WHEEL_FAR_SLOTS - 1;
        hang(wheel, &wheel->far, least(deadline_ms / WHEEL_FAR_MS, last), record);
    }
}

/* ---- time ---- */

/* The spans before this one fit into the near ring whole. */
static uint64_t far_limit(const struct wheel *wheel)
{
    return (wheel->near.base + WHEEL_NEAR_SLOTS) / WHEEL_FAR_MS;
}

/* Brings the bases up to the time. */
static void advance(struct wheel *wheel, uint64_t now_ms)
{
    if (now_ms > wheel->now_ms) {
        wheel->now_ms = now_ms;
    }
    wheel->near.base = least(wheel->near.first, wheel->now_ms);
    wheel->far.base = least(wheel->far.first, far_limit(wheel));
}

/* How far ahead a deadline is; 0: it has come. What would be farther than any can be set is overdue. */
static uint32_t ahead_ms(const struct wheel *wheel, uint32_t deadline_ms)
{
    uint32_t ahead = deadline_ms - (uint32_t) wheel->now_ms;
    return ahead <= WHEEL_TTL_MS_MAX ? ahead : 0;
}

/* ---- the interface ---- */

/* Heads of both rings, then their bits and the bits of those. */
bool wheel_init(struct wheel *wheel, const struct packed *records, size_t link_offset,
                uint64_t now_ms)
{
    const uint32_t slots = WHEEL_NEAR_SLOTS + WHEEL_FAR_SLOTS;
    const uint32_t words = slots / WORD_BITS + slots / WORD_BITS / WORD_BITS;
    ASSERT(records->capacity < MARK_NEAR - 1);
    ASSERT(link_offset % sizeof(uint32_t) == 0);
    ASSERT(link_offset + sizeof(struct wheel_link) <= records->record_bytes);
    *wheel = (struct wheel){.records = records, .link_offset = link_offset};
    if (!region_init(&wheel->memory, slots * sizeof(uint32_t) + words * sizeof(uint64_t))) {
        return false;
    }
    uint32_t *heads = wheel->memory.base;
    uint64_t *bits = (void *) (heads + slots);
    const uint32_t near_words = WHEEL_NEAR_SLOTS / WORD_BITS;
    wheel->near = (struct wheel_ring){.heads = heads,
                                      .bits = bits,
                                      .slots = WHEEL_NEAR_SLOTS,
                                      .mark = MARK_NEAR,
                                      .first = TIME_NEVER};
    wheel->far = (struct wheel_ring){.heads = heads + WHEEL_NEAR_SLOTS,
                                     .bits = bits + near_words + near_words / WORD_BITS,
                                     .slots = WHEEL_FAR_SLOTS,
                                     .mark = MARK_FAR,
                                     .first = TIME_NEVER};
    advance(wheel, now_ms);
    return true;
}

void wheel_fini(struct wheel *wheel)
{
    region_fini(&wheel->memory);
    *wheel = (struct wheel){0};
}

void wheel_set(struct wheel *wheel, uint32_t record, uint64_t deadline_ms, uint64_t now_ms)
{
    struct wheel_link *link = link_at(wheel, record);
    ASSERT(deadline_ms <= now_ms || deadline_ms - now_ms <= WHEEL_TTL_MS_MAX);
    advance(wheel, now_ms);
    if (deadline_ms < wheel->now_ms) {
        deadline_ms = wheel->now_ms; /* its low bits could be those of a time to come */
    }
    if (wheel_is_set(link)) {
        uint64_t present_ms = wheel->now_ms + ahead_ms(wheel, link->deadline_ms);
        link->deadline_ms = (uint32_t) deadline_ms;
        if (deadline_ms >= present_ms) {
            return;
        }
        unhang(wheel, link);
    } else {
        link->deadline_ms = (uint32_t) deadline_ms;
        wheel->count++;
    }
    place(wheel, record, deadline_ms);
}

void wheel_clear(struct wheel *wheel, uint32_t record)
{
    struct wheel_link *link = link_at(wheel, record);
    if (wheel_is_set(link)) {
        unhang(wheel, link);
        *link = (struct wheel_link){.deadline_ms = link->deadline_ms};
        wheel->count--;
    }
}

void wheel_rename(struct wheel *wheel, uint32_t from, uint32_t to)
{
    const struct wheel_link *link = link_at(wheel, to);
    if (!wheel_is_set(link)) {
        return;
    }
    if (link->next != 0) {
        struct wheel_link *next = link_at(wheel, link->next);
        ASSERT(next->previous == from);
        next->previous = to;
    }
    if (link->previous >= MARK_NEAR) {
        uint32_t *head = &ring_of(wheel, link->previous)->heads[link->previous & SLOT_MASK];
        ASSERT(*head == from);
        *head = to;
    } else {
        link_at(wheel, link->previous)->next = to;
    }
}

/* A record whose slot's time has come; 0: none. */
static uint32_t next_to_look_at(const struct wheel *wheel, uint32_t budget)
{
    const struct wheel_ring *near = &wheel->near;
    const struct wheel_ring *far = &wheel->far;
    bool is_near = near->first <= wheel->now_ms;
    bool is_far = far->first < far_limit(wheel);
    if (is_far && (!is_near || budget % FAR_SHARE == 0)) {
        return far->heads[far->first & (WHEEL_FAR_SLOTS - 1)];
    }
    return is_near ? near->heads[near->first & (WHEEL_NEAR_SLOTS - 1)] : 0;
}

uint32_t wheel_expire(struct wheel *wheel, uint64_t now_ms, uint32_t *budget)
{
    advance(wheel, now_ms);
    while (*budget > 0) {
        uint32_t record = next_to_look_at(wheel, *budget);
        if (record == 0) {
            return 0;
        }
        (*budget)--;
        struct wheel_link *link = link_at(wheel, record);
        uint32_t ahead = ahead_ms(wheel, link->deadline_ms);
        unhang(wheel, link);
        if (ahead == 0) {
            *link = (struct wheel_link){.deadline_ms = link->deadline_ms};
            wheel->count--;
            return record;
        }
        advance(wheel, now_ms);
        place(wheel, record, wheel->now_ms + ahead);
        wheel->moves++;
    }
    return 0;
}

uint64_t wheel_next_ms(const struct wheel *wheel)
{
    if (wheel->far.first == TIME_NEVER) {
        return wheel->near.first;
    }
    /* When far_limit() passes it, the near base being the present. */
    uint64_t end_ms = (wheel->far.first + 1) * WHEEL_FAR_MS;
    uint64_t move_ms = end_ms < WHEEL_NEAR_SLOTS ? 0 : end_ms - WHEEL_NEAR_SLOTS;
    return least(wheel->near.first, move_ms);
}

/* ---- the check ---- */

/* What hangs in this slot; returns how many. */
static uint32_t check_slot(const struct wheel *wheel, const struct wheel_ring *ring, uint32_t slot)
{
    uint64_t time = ring->base + ((slot - (uint32_t) ring->base) & (ring->slots - 1));
    uint32_t previous = ring->mark | slot;
    uint32_t count = 0;
    for (uint32_t record = ring->heads[slot]; record != 0; count++) {
        const struct wheel_link *link = link_at(wheel, record);
        ASSERT(packed_is_live(wheel->records, record));
        ASSERT(link->previous == previous);
        uint64_t deadline_ms = wheel->now_ms + ahead_ms(wheel, link->deadline_ms);
        ASSERT(time <= (ring == &wheel->near ? deadline_ms : deadline_ms / WHEEL_FAR_MS));
        ASSERT(count < wheel->count);
        previous = record;
        record = link->next;
    }
    ASSERT(((ring->bits[slot / WORD_BITS] & bit_of(slot)) != 0) == (count != 0));
    ASSERT(count == 0 || ring->first <= time);
    return count;
}

static uint32_t check_ring(const struct wheel *wheel, const struct wheel_ring *ring)
{
    static const uint32_t none[WORD_BITS];
    const uint64_t *sums = ring->bits + words_count(ring);
    uint32_t count = 0;
    for (uint32_t word = 0; word < words_count(ring); word++) {
        const uint32_t *heads = ring->heads + word * WORD_BITS;
        bool is_empty = ring->bits[word] == 0;
        ASSERT(((sums[word / WORD_BITS] & bit_of(word)) != 0) == !is_empty);
        if (is_empty) {
            ASSERT(memcmp(heads, none, sizeof none) == 0);
            continue;
        }
        for (uint32_t slot = word * WORD_BITS; slot < (word + 1) * WORD_BITS; slot++) {
            count += check_slot(wheel, ring, slot);
        }
    }
    ASSERT(ring->base <= ring->first);
    ASSERT((ring->first == TIME_NEVER) == (count == 0));
    ASSERT(count == 0 || ring->heads[ring->first & (ring->slots - 1)] != 0);
    return count;
}

void wheel_check(const struct wheel *wheel)
{
    ASSERT(wheel->near.base <= wheel->now_ms);
    ASSERT(wheel->far.base <= far_limit(wheel));
    ASSERT(check_ring(wheel, &wheel->near) + check_ring(wheel, &wheel->far) == wheel->count);
}
