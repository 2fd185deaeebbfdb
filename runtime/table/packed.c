/* SPDX-License-Identifier: MIT */
/* The holes are found in bitmaps, not in a list through the holes themselves: a list would touch two
 * other lines for each hole that it loses from its middle, and would have to be walked when the end
 * falls over many holes at once. Here that is a scan for the last bit, 64 places a word.
 *
 * Three levels: a live bit for each place; an open bit for each word of those that has a hole below
 * the end; and a bit for each word of open bits that is not 0. Those last ones are looked through from
 * their beginning, one word for 262,144 places. So the lowest hole is found in a few reads, it lies
 * near the record that was given last as a rule (below it everything is taken), and the high places
 * empty by themselves.
 *
 * Memory grows and shrinks at the end alone, in chunks of a sixteenth of what is used: never more
 * than a small part is committed for nothing, and the calls to the system are rare. */
#include "table/packed.h"

#include <string.h>

#define WORD_BITS 64

static uint64_t bit_of(uint32_t index)
{
    return UINT64_C(1) << (index % WORD_BITS);
}

/* ---- the bits ---- */

static uint64_t *live_words(const struct packed *packed)
{
    return packed->live.base;
}

static uint64_t *open_words(const struct packed *packed)
{
    return packed->open.base;
}

static uint64_t *top_words(const struct packed *packed)
{
    return open_words(packed) + packed->open_words;
}

static bool live_bit(const struct packed *packed, uint32_t index)
{
    return (live_words(packed)[index / WORD_BITS] & bit_of(index)) != 0;
}

/* The word of live bits has a hole. */
static void open_set(struct packed *packed, uint32_t word)
{
    uint32_t above = word / WORD_BITS;
    open_words(packed)[above] |= bit_of(word);
    top_words(packed)[above / WORD_BITS] |= bit_of(above);
}

/* The word of live bits has no hole. */
static void open_clear(struct packed *packed, uint32_t word)
{
    uint32_t above = word / WORD_BITS;
    open_words(packed)[above] &= ~bit_of(word);
    if (open_words(packed)[above] == 0) {
        top_words(packed)[above / WORD_BITS] &= ~bit_of(above);
    }
}

/* The holes of a word of live bits, as bits. */
static uint64_t holes_of(const struct packed *packed, uint32_t word)
{
    uint64_t holes = ~live_words(packed)[word];
    bool is_last = word == packed->end / WORD_BITS;
    return is_last ? holes & (bit_of(packed->end) - 1) : holes;
}

/* There is one. */
static uint32_t lowest_hole(const struct packed *packed)
{
    const uint64_t *top = top_words(packed);
    uint32_t word = 0;
    while (top[word] == 0) {
        word++;
    }
    word = word * WORD_BITS + (uint32_t) __builtin_ctzll(top[word]);
    word = word * WORD_BITS + (uint32_t) __builtin_ctzll(open_words(packed)[word]);
    return word * WORD_BITS + (uint32_t) __builtin_ctzll(~live_words(packed)[word]);
}

/* ---- memory ---- */

static size_t whole_grains(size_t bytes)
{
    return (bytes + REGION_GRAIN - 1) & ~(REGION_GRAIN - 1);
}

/* How much may be committed for nothing where so many bytes are used. */
static size_t chunk_bytes(size_t used)
{
    size_t bytes = whole_grains(used / 16 + 1);
    return bytes < PACKED_CHUNK_BYTES_MAX ? bytes : PACKED_CHUNK_BYTES_MAX;
}

/* Has memory for all places below `end`. */
static bool grow(struct packed *packed, uint32_t end)
{
    size_t used = (size_t) end * packed->record_bytes;
    if (used <= packed->committed) {
        return true;
    }
    size_t least = whole_grains(used) - packed->committed;
    size_t room = packed->records.size - packed->committed;
    size_t chunk = chunk_bytes(used);
    size_t bytes = chunk > least ? chunk : least;
    if (bytes > room) {
        bytes = room;
    }
    if (!region_commit(&packed->records, packed->committed, bytes)) {
        bytes = least;
        if (!region_commit(&packed->records, packed->committed, bytes)) {
            return false;
        }
    }
    packed->committed += bytes;
    return true;
}

/* Bytes of live bits for places in so much memory of records, in whole grains. */
static size_t live_bytes(const struct packed *packed, size_t committed)
{
    size_t bytes = whole_grains(committed / packed->record_bytes / 8 + 1);
    return bytes < packed->live.size ? bytes : packed->live.size;
}

bool packed_trim(struct packed *packed)
{
    size_t used = (size_t) packed->end * packed->record_bytes;
    size_t chunk = chunk_bytes(used);
    if (packed->committed < used + 2 * chunk) {
        return false;
    }
    size_t bytes = packed->committed - whole_grains(used + chunk);
    if (bytes > PACKED_CHUNK_BYTES_MAX) {
        bytes = PACKED_CHUNK_BYTES_MAX;
    }
    size_t live = live_bytes(packed, packed->committed);
    packed->committed -= bytes;
    region_decommit(&packed->records, packed->committed, bytes);
    size_t live_kept = live_bytes(packed, packed->committed);
    if (live_kept < live) {
        region_hand_back(&packed->live, live_kept, live - live_kept);
    }
    return true;
}

/* ---- places ---- */

/* The last place is not taken any more: brings `end` down to the last one that is. */
static void pull_end_down(struct packed *packed)
{
    const uint64_t *live = live_words(packed);
    uint32_t before = (packed->end - 1) / WORD_BITS;
    uint32_t word = before;
    while (live[word] == 0) { /* place 0 has its bit */
        word--;
    }
    packed->end = (word + 1) * WORD_BITS - (uint32_t) __builtin_clzll(live[word]);
    packed->holes = packed->end - 1 - packed->count;
    for (uint32_t passed = word + 1; passed <= before; passed++) {
        open_clear(packed, passed);
    }
    if (holes_of(packed, word) == 0) {
        open_clear(packed, word);
    }
    (void) packed_trim(packed); /* whatever is left over, a later call finds */
}

/* A hole is taken. */
static void fill(struct packed *packed, uint32_t index)
{
    uint32_t word = index / WORD_BITS;
    live_words(packed)[word] |= bit_of(index);
    packed->holes--;
    if (holes_of(packed, word) == 0) {
        open_clear(packed, word);
    }
}

/* A taken place is not any more. */
static void vacate(struct packed *packed, uint32_t index)
{
    uint32_t word = index / WORD_BITS;
    live_words(packed)[word] &= ~bit_of(index);
    if (index == packed->end - 1) {
        pull_end_down(packed);
        return;
    }
    packed->holes++;
    open_set(packed, word);
}

/* ---- the interface ---- */

bool packed_init(struct packed *packed, size_t record_bytes, uint32_t capacity)
{
    *packed = (struct packed){0};
    ASSERT(record_bytes >= 16 && record_bytes % 8 == 0 && record_bytes <= REGION_GRAIN);
    ASSERT(capacity < UINT32_MAX - WORD_BITS);
    packed->record_bytes = (uint32_t) record_bytes;
    packed->capacity = capacity;
    packed->end = 1;
    /* One word more than the places need, so that the word of `end` is always there. */
    size_t live = (size_t) capacity / WORD_BITS + 2;
    size_t open = live / WORD_BITS + 1;
    size_t top = open / WORD_BITS + 1;
    packed->open_words = (uint32_t) open;
    if (region_reserve(&packed->records, ((size_t) capacity + 1) * record_bytes) &&
        region_init(&packed->live, live * sizeof(uint64_t)) &&
        region_init(&packed->open, (open + top) * sizeof(uint64_t))) {
        live_words(packed)[0] = 1;
        return true;
    }
    packed_fini(packed);
    return false;
}

void packed_fini(struct packed *packed)
{
    region_fini(&packed->records);
    region_fini(&packed->live);
    region_fini(&packed->open);
    *packed = (struct packed){0};
}

bool packed_reserve(struct packed *packed, uint32_t count)
{
    uint32_t more = count > packed->holes ? count - packed->holes : 0;
    return count <= packed->capacity - packed->count && grow(packed, packed->end + more);
}

uint32_t packed_take(struct packed *packed)
{
    if (packed->count == packed->capacity) {
        return 0;
    }
    uint32_t index = packed->end;
    if (packed->holes > 0) {
        index = lowest_hole(packed);
        fill(packed, index);
    } else if (grow(packed, index + 1)) {
        live_words(packed)[index / WORD_BITS] |= bit_of(index);
        packed->end++;
    } else {
        return 0;
    }
    packed->count++;
    memset(packed_at(packed, index), 0, packed->record_bytes);
    return index;
}

void packed_give(struct packed *packed, uint32_t index)
{
    ASSERT(packed_is_live(packed, index));
    packed->count--;
    vacate(packed, index);
}

bool packed_next_move(const struct packed *packed, uint32_t *from_out, uint32_t *to_out)
{
    if (packed->holes <= packed->end / 4 ||
        (size_t) packed->holes * packed->record_bytes <= REGION_GRAIN) {
        return false;
    }
    *from_out = packed->end - 1;
    *to_out = lowest_hole(packed);
    return true;
}

void packed_move(struct packed *packed, uint32_t from, uint32_t to)
{
    ASSERT(packed_is_live(packed, from));
    ASSERT(to != 0 && to < packed->end && !live_bit(packed, to));
    memcpy(packed_at(packed, to), packed_at(packed, from), packed->record_bytes);
    packed->moves++;
    fill(packed, to);
    vacate(packed, from);
}

bool packed_is_live(const struct packed *packed, uint32_t index)
{
    return index != 0 && index < packed->end && live_bit(packed, index);
}

size_t packed_bytes(const struct packed *packed)
{
    return packed->committed;
}

/* ---- the check ---- */

/* Above the word of `end` the live bits are not looked at: one too many there is one too few below. */
static void check_bits(const struct packed *packed)
{
    const uint64_t *live = live_words(packed);
    uint32_t last = packed->end / WORD_BITS;
    uint64_t count = 0;
    for (uint32_t word = 0; word <= last; word++) {
        uint64_t open = open_words(packed)[word / WORD_BITS];
        ASSERT(((open & bit_of(word)) != 0) == (holes_of(packed, word) != 0));
        count += (uint64_t) __builtin_popcountll(live[word]);
    }
    for (uint32_t word = 0; word < packed->open_words; word++) {
        uint64_t open = open_words(packed)[word];
        uint64_t top = top_words(packed)[word / WORD_BITS];
        ASSERT(((top & bit_of(word)) != 0) == (open != 0));
        ASSERT(word <= last / WORD_BITS || open == 0);
    }
    ASSERT((open_words(packed)[last / WORD_BITS] >> (last % WORD_BITS)) <= 1);
    ASSERT((live[last] & ~(bit_of(packed->end) - 1)) == 0);
    ASSERT((live[0] & 1) == 1);
    ASSERT(count == (uint64_t) packed->count + 1);
}

void packed_check(const struct packed *packed)
{
    size_t used = (size_t) packed->end * packed->record_bytes;
    ASSERT(packed->end >= 1 && packed->count <= packed->capacity);
    ASSERT(packed->end - 1 == packed->count + packed->holes);
    ASSERT(live_bit(packed, packed->end - 1) && !live_bit(packed, packed->end));
    ASSERT(packed->end == 1 || used <= packed->committed);
    ASSERT(packed->committed <= packed->records.size && packed->committed % REGION_GRAIN == 0);
    check_bits(packed);
}
