/* SPDX-License-Identifier: MIT */
/* A key is there as long as an operation, live or remembered, or an armed cancel names it.
 *
 * "The newest gen remembered" is a maximum over the ended operations, which come in any order of
 * gen (JOIN) and leave in the order of their end, mostly. It is kept as the sliding-window maximum
 * is: the `peaks` are those ended operations after whose end none with a higher gen ended, so their
 * gens fall from first to last, an arrival drops the lower ones before it, and the first is the
 * maximum. Each operation enters once, so the cost is constant over time. Only where one leaves out
 * of order (its notice was not acknowledged, so it outlives its memory time) can the peaks run out
 * before the ended ones do; then they are made anew. */
#include "registry/state.h"

/* The namespace is mixed in behind the keyed hash, so that a direct op's key can be hashed by whoever
 * has it: what is secret is the key of the hash. */
#define SPACE_FACTOR UINT64_C(0x9e3779b97f4a7c15)

uint64_t key_hash_in(uint32_t space, uint64_t hash)
{
    return hash ^ space * SPACE_FACTOR;
}

uint64_t key_hash(const struct registry *r, uint32_t space, struct bytes name)
{
    return key_hash_in(space, siphash13(&r->table_key, name));
}

struct bytes key_name(const struct registry *r, uint32_t key)
{
    return byte_heap_get(&r->bytes, key_at(r, key)->name);
}

uint32_t key_look(const struct registry *r, uint32_t space, struct bytes name)
{
    uint64_t hash = key_hash(r, space, name);
    return space == 0 ? 0 : plain_find(r, space, name, hash, 0).whole;
}

uint32_t key_find(struct registry *r, uint32_t space, struct bytes name)
{
    return space == 0 ? 0 : plain_promote_key(r, space, name);
}

const char *key_full(const struct registry *r, struct bytes space, struct bytes name,
                     size_t more_bytes)
{
    uint32_t known = space_find(r, space);
    if (known == 0 && r->spaces.count == r->spaces.capacity) {
        return "namespaces";
    }
    if (key_look(r, known, name) == 0) {
        more_bytes += name.size;
    }
    return r->bytes.bytes + more_bytes > r->bytes.bytes_max ? "bytes" : NULL;
}

uint32_t key_make_of(struct registry *r, uint32_t space, struct kept_bytes name, uint64_t hash)
{
    uint32_t index = slab_take(&r->keys);
    ASSERT(index != 0);
    struct key *key = key_at(r, index);
    key->space = space;
    key->name = name;
    key->hash = hash;
    space_at(r, space)->references++;
    bool inserted = line_map_insert(&r->by_key, hash, index | WHOLE_BIT);
    ASSERT(inserted);
    return index;
}

uint32_t key_make_in(struct registry *r, uint32_t space, struct bytes name)
{
    struct kept_bytes kept;
    bool had = byte_heap_keep(&r->bytes, name, &kept);
    ASSERT(had);
    return key_make_of(r, space, kept, key_hash(r, space, name));
}

uint32_t key_make(struct registry *r, struct bytes space_name_, struct bytes name)
{
    uint32_t space = space_take(r, space_name_);
    ASSERT(space != 0);
    uint32_t key = key_find(r, space, name);
    key = key != 0 ? key : key_make_in(r, space, name);
    space_give(r, space);
    return key;
}

bool key_takes_plain(const struct registry *r, uint32_t index)
{
    const struct key *key = key_at(r, index);
    return key->live.count == 0 && key->armed == 0 && key->bulks.count == 0;
}

void key_release(struct registry *r, uint32_t index)
{
    struct key *key = key_at(r, index);
    if (key->live.count > 0 || key->ended.count > 0 || key->armed != 0 || key->bulks.count > 0) {
        return;
    }
    line_map_remove(&r->by_key, key->hash, index | WHOLE_BIT);
    if (!plain_takes_over(r, key->space, key->hash, &key->name)) {
        byte_heap_drop(&r->bytes, &key->name);
    }
    space_give(r, key->space);
    slab_give(&r->keys, index);
}

static void peak_add(struct registry *r, struct key *key, uint32_t index)
{
    struct chain_of peaks = CHAIN(r, operations, operation, of_peaks);
    struct operation *operation = operation_at(r, index);
    while (key->peaks.last != 0 && operation_at(r, key->peaks.last)->gen < operation->gen) {
        operation_at(r, key->peaks.last)->is_peak = false;
        chain_remove(peaks, &key->peaks, key->peaks.last);
    }
    operation->is_peak = true;
    chain_append(peaks, &key->peaks, index);
}

void key_add_ended(struct registry *r, uint32_t index, uint32_t operation)
{
    struct key *key = key_at(r, index);
    chain_append(CHAIN(r, operations, operation, of_key), &key->ended, operation);
    peak_add(r, key, operation);
}

/* Those that ended before the peak `leaving`, back to the peak before it, were under it: of these, the ones
 * that rise above the peak behind it stand free now. */
static void peaks_uncover(struct registry *r, struct key *key, uint32_t leaving)
{
    struct chain_of peaks = CHAIN(r, operations, operation, of_peaks);
    const struct operation *peak = operation_at(r, leaving);
    uint32_t previous = peak->of_peaks.previous;
    uint64_t above = peak->of_peaks.next == 0 ? 0 : operation_at(r, peak->of_peaks.next)->gen;
    for (uint32_t i = peak->of_key.previous; i != previous;
         i = operation_at(r, i)->of_key.previous) {
        if (operation_at(r, i)->gen > above) {
            above = operation_at(r, i)->gen;
            operation_at(r, i)->is_peak = true;
            chain_insert_after(peaks, &key->peaks, previous, i);
        }
    }
}

void key_remove_ended(struct registry *r, uint32_t index, uint32_t operation)
{
    struct key *key = key_at(r, index);
    if (operation_at(r, operation)->is_peak) {
        peaks_uncover(r, key, operation);
        operation_at(r, operation)->is_peak = false;
        chain_remove(CHAIN(r, operations, operation, of_peaks), &key->peaks, operation);
    }
    chain_remove(CHAIN(r, operations, operation, of_key), &key->ended, operation);
}

uint32_t key_newest_ended(const struct registry *r, uint32_t key)
{
    return key_at(r, key)->peaks.first;
}

uint64_t key_highest_gen(const struct registry *r, uint32_t key)
{
    uint32_t live = key_at(r, key)->live.first;
    uint32_t ended = key_newest_ended(r, key);
    uint64_t gen = live == 0 ? 0 : operation_at(r, live)->gen;
    return ended != 0 && operation_at(r, ended)->gen > gen ? operation_at(r, ended)->gen : gen;
}
