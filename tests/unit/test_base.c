/* SPDX-License-Identifier: MIT */
/* The tables that the registry stands on, each against a naive one. */
#include "base/byte_heap.h"
#include "base/hash_index.h"
#include "base/region.h"
#include "base/slab.h"
#include "base/timer_heap.h"
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STEPS ((size_t) TEST_SCALE(200000))

static uint64_t below(uint64_t *random, uint64_t limit)
{
    return test_random(random) % limit;
}

/* Bytes of [base, base + size) that are in memory. */
static size_t resident_bytes(const void *base, size_t size)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE);
    size_t pages = (size + page - 1) / page;
    unsigned char *map = calloc(pages, 1);
    size_t resident = 0;
    CHECK(map != NULL);
    union {
        const void *in;
        void *out;
    } address = {.in = base};
    CHECK_EQ(mincore(address.out, size, map), 0);
    for (size_t i = 0; i < pages; i++) {
        resident += (map[i] & 1) != 0 ? page : 0;
    }
    free(map);
    return resident;
}

/* ---- region ---- */

static void a_region_gives_its_memory_back(void)
{
    struct region region;
    CHECK(region_init(&region, 64 * REGION_GRAIN - 5));
    CHECK_EQ(region.size, 64 * REGION_GRAIN);
    CHECK_EQ(resident_bytes(region.base, region.size), 0);
    memset(region.base, 0x5a, region.size);
    CHECK_EQ(resident_bytes(region.base, region.size), region.size);
    region_hand_back(&region, REGION_GRAIN, 62 * REGION_GRAIN);
    CHECK_EQ(resident_bytes(region.base, region.size), 2 * REGION_GRAIN);
    const uint8_t *bytes = region.base;
    CHECK_EQ(bytes[REGION_GRAIN - 1], 0x5a);
    CHECK_EQ(bytes[REGION_GRAIN], 0);
    CHECK_EQ(bytes[63 * REGION_GRAIN - 1], 0);
    CHECK_EQ(bytes[63 * REGION_GRAIN], 0x5a);
    region_fini(&region);
    CHECK(region.base == NULL);
    region_fini(&region);
}

static void an_empty_region_is_none(void)
{
    struct region region;
    CHECK(region_init(&region, 0));
    CHECK(region.base == NULL);
    CHECK_EQ(region.size, 0);
    region_fini(&region);
}

static void address_space_that_cannot_be_had_is_refused(void)
{
    struct region region;
    CHECK(!region_init(&region, SIZE_MAX / 2));
    CHECK(region.base == NULL);
}

/* ---- slab ---- */

#define SLAB_CAPACITY 5000

/* What the naive slab knows of each index: its contents, 0 while it is free. */
struct naive_slab {
    uint32_t taken[SLAB_CAPACITY];
    uint64_t contents[2 * SLAB_CAPACITY + 8192];
    uint32_t count;
};

static void naive_take(struct slab *slab, struct naive_slab *naive, uint64_t *random)
{
    uint32_t index = slab_take(slab);
    if (naive->count == SLAB_CAPACITY) {
        CHECK_EQ(index, 0);
        return;
    }
    CHECK_NE(index, 0);
    CHECK_EQ(naive->contents[index], 0);
    uint64_t *record = slab_at(slab, index);
    for (size_t i = 0; i < slab->record_bytes / 8; i++) {
        CHECK_EQ(record[i], 0);
        record[i] = test_random(random) | 1;
    }
    naive->contents[index] = record[0];
    naive->taken[naive->count++] = index;
}

static void naive_give(struct slab *slab, struct naive_slab *naive, uint32_t which)
{
    uint32_t index = naive->taken[which];
    CHECK(slab_is_live(slab, index));
    CHECK_EQ(*(uint64_t *) slab_at(slab, index), naive->contents[index]);
    naive->contents[index] = 0;
    naive->taken[which] = naive->taken[--naive->count];
    slab_give(slab, index);
    CHECK(!slab_is_live(slab, index));
}

static void naive_slab_check(const struct slab *slab, const struct naive_slab *naive)
{
    uint32_t live = 0;
    slab_check(slab);
    CHECK_EQ(slab->count, naive->count);
    for (uint32_t index = 1; index < slab_end(slab); index++) {
        CHECK_EQ(slab_is_live(slab, index), naive->contents[index] != 0);
        live += slab_is_live(slab, index) ? 1 : 0;
    }
    CHECK_EQ(live, naive->count);
}

static void play_slab(size_t record_bytes, uint64_t *random)
{
    static struct naive_slab naive;
    struct slab slab;
    memset(&naive, 0, sizeof naive);
    CHECK(slab_init(&slab, record_bytes, SLAB_CAPACITY));
    CHECK(slab.record_bytes >= record_bytes && slab.record_bytes % 8 == 0);
    unsigned percent = 50;
    for (size_t i = 0; i < STEPS; i++) {
        if (i % 4000 == 0) {
            percent = (unsigned) (10 + 40 * below(random, 3));
            naive_slab_check(&slab, &naive);
        }
        if (naive.count == 0 || below(random, 100) < percent) {
            naive_take(&slab, &naive, random);
        } else {
            naive_give(&slab, &naive, (uint32_t) below(random, naive.count));
        }
    }
    while (naive.count > 0) {
        naive_give(&slab, &naive, naive.count - 1);
    }
    naive_slab_check(&slab, &naive);
    CHECK_EQ(slab_end(&slab), 1);
    slab_fini(&slab);
}

static void a_slab_keeps_its_records_apart(void)
{
    uint64_t random = test_seed();
    play_slab(8, &random);
    play_slab(52, &random);
    play_slab(744, &random);
}

static void a_full_slab_takes_no_more(void)
{
    struct slab slab;
    CHECK(slab_init(&slab, 16, 3));
    uint32_t first = slab_take(&slab);
    CHECK_NE(first, 0);
    CHECK_NE(slab_take(&slab), 0);
    CHECK_NE(slab_take(&slab), 0);
    CHECK_EQ(slab_take(&slab), 0);
    slab_give(&slab, first);
    CHECK_EQ(slab_take(&slab), first);
    CHECK_EQ(slab_take(&slab), 0);
    slab_check(&slab);
    slab_fini(&slab);
}

static void an_emptied_slab_gives_its_memory_back(void)
{
    const uint32_t count = 200000;
    struct slab slab;
    CHECK(slab_init(&slab, 64, count));
    for (uint32_t i = 0; i < count; i++) {
        memset(slab_at(&slab, slab_take(&slab)), 0x77, 64);
    }
    CHECK_GE(slab_bytes(&slab), (size_t) count * 64);
    CHECK_GE(resident_bytes(slab.records.base, slab.records.size), (size_t) count * 64);
    /* Every second one, so that no chunk is empty before the end. */
    for (uint32_t parity = 0; parity < 2; parity++) {
        for (uint32_t index = slab_end(&slab) - 1; index > 0; index--) {
            if (index % 2 == parity && slab_is_live(&slab, index)) {
                slab_give(&slab, index);
            }
        }
    }
    slab_check(&slab);
    CHECK_EQ(slab.count, 0);
    CHECK_LE(slab_bytes(&slab), (size_t) slab.chunk_bytes);
    CHECK_LE(resident_bytes(slab.records.base, slab.records.size), (size_t) slab.chunk_bytes);
    slab_fini(&slab);
}

static void a_load_around_a_chunks_end_keeps_its_memory(void)
{
    struct slab slab;
    CHECK(slab_init(&slab, 64, 100000));
    while (slab_end(&slab) < slab.chunk_records) {
        CHECK_NE(slab_take(&slab), 0);
    }
    for (int i = 0; i < 100; i++) {
        uint32_t index = slab_take(&slab);
        CHECK_EQ(index / slab.chunk_records, 1);
        slab_give(&slab, index);
        CHECK_EQ(slab_bytes(&slab), 2 * (size_t) slab.chunk_bytes);
    }
    slab_check(&slab);
    slab_fini(&slab);
}

/* ---- hash index ---- */

#define HASHED_MAX 3000

struct hashed {
    uint64_t number;
    struct hash_link link;
};

struct naive_index {
    uint32_t records[HASHED_MAX];
    uint32_t count;
};

static struct hashed *hashed_at(const struct slab *slab, uint32_t record)
{
    return slab_at(slab, record);
}

/* Few hashes, so that chains share them; spread over all the bits by the multiplier. */
static uint64_t any_hash(uint64_t *random)
{
    return below(random, 1500) * UINT64_C(0x9e3779b97f4a7c15);
}

static void check_hash(const struct hash_index *index, const struct slab *slab,
                       const struct naive_index *naive, uint64_t hash)
{
    uint32_t found = 0;
    uint32_t expected = 0;
    uint32_t record = hash_index_first(index, hash);
    for (; record != 0; record = hash_index_next(index, record)) {
        CHECK_EQ(hashed_at(slab, record)->link.hash == hash, 1);
        CHECK_EQ(hashed_at(slab, record)->number, record);
        found++;
    }
    for (uint32_t i = 0; i < naive->count; i++) {
        expected += hashed_at(slab, naive->records[i])->link.hash == hash ? 1 : 0;
    }
    CHECK_EQ(found, expected);
}

static void play_index(struct hash_index *index, struct slab *slab, struct naive_index *naive,
                       uint64_t *random)
{
    unsigned percent = 80;
    for (size_t i = 0; i < STEPS; i++) {
        if (i % 3000 == 0) {
            percent = 20 + 60 * (unsigned) below(random, 2);
            hash_index_check(index);
        }
        if (naive->count == 0 || (naive->count < HASHED_MAX && below(random, 100) < percent)) {
            uint32_t record = slab_take(slab);
            hashed_at(slab, record)->number = record;
            hash_index_insert(index, record, any_hash(random));
            naive->records[naive->count++] = record;
        } else {
            uint32_t which = (uint32_t) below(random, naive->count);
            hash_index_remove(index, naive->records[which]);
            slab_give(slab, naive->records[which]);
            naive->records[which] = naive->records[--naive->count];
        }
        if (i % 16 == 0) {
            check_hash(index, slab, naive, any_hash(random));
        }
        CHECK_EQ(index->count, naive->count);
    }
}

static void a_hash_index_finds_what_is_in_it_and_nothing_else(void)
{
    static struct naive_index naive;
    uint64_t random = test_seed();
    struct slab slab;
    struct hash_index index;
    CHECK(slab_init(&slab, sizeof(struct hashed), HASHED_MAX));
    CHECK(hash_index_init(&index, &slab, offsetof(struct hashed, link), HASHED_MAX));
    play_index(&index, &slab, &naive, &random);
    while (naive.count > 0) {
        hash_index_remove(&index, naive.records[--naive.count]);
    }
    hash_index_check(&index);
    CHECK_EQ(index.count, 0);
    hash_index_fini(&index);
    slab_fini(&slab);
}

static void an_emptied_hash_index_gives_its_memory_back(void)
{
    const uint32_t count = 300000;
    uint64_t random = test_seed();
    struct slab slab;
    struct hash_index index;
    CHECK(slab_init(&slab, sizeof(struct hashed), count));
    CHECK(hash_index_init(&index, &slab, offsetof(struct hashed, link), count));
    for (uint32_t i = 0; i < count; i++) {
        hash_index_insert(&index, slab_take(&slab), test_random(&random));
    }
    hash_index_check(&index);
    CHECK_GE(resident_bytes(index.buckets.base, index.buckets.size), count);
    for (uint32_t record = slab_end(&slab) - 1; record > 0; record--) {
        hash_index_remove(&index, record);
    }
    hash_index_check(&index);
    CHECK_LE(resident_bytes(index.buckets.base, index.buckets.size), REGION_GRAIN);
    hash_index_fini(&index);
    slab_fini(&slab);
}

static size_t longest_chain(const struct hash_index *index, const struct slab *slab)
{
    const uint32_t *buckets = index->buckets.base;
    size_t longest = 0;
    for (uint32_t number = 0; number < index->buckets_count; number++) {
        size_t length = 0;
        for (uint32_t at = buckets[number]; at != 0; at = hashed_at(slab, at)->link.next) {
            length++;
        }
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* As the generations of a daemon that was started again and again, with few in each epoch. */
static void hashes_that_differ_in_high_bits_alone_share_no_chain(void)
{
    const uint32_t count = 20000;
    struct slab slab;
    struct hash_index index;
    CHECK(slab_init(&slab, sizeof(struct hashed), count));
    CHECK(hash_index_init(&index, &slab, offsetof(struct hashed, link), count));
    for (uint64_t i = 0; i < count; i++) {
        hash_index_insert(&index, slab_take(&slab), i / 20 << 40 | i % 20);
    }
    hash_index_check(&index);
    CHECK_LE(longest_chain(&index, &slab), 16);
    hash_index_fini(&index);
    slab_fini(&slab);
}

static void a_hash_index_holds_more_records_than_buckets(void)
{
    uint64_t random = test_seed();
    struct slab slab;
    struct hash_index index;
    CHECK(slab_init(&slab, sizeof(struct hashed), 100));
    CHECK(hash_index_init(&index, &slab, offsetof(struct hashed, link), 21));
    for (uint32_t i = 0; i < 100; i++) {
        hash_index_insert(&index, slab_take(&slab), test_random(&random));
    }
    hash_index_check(&index);
    for (uint32_t record = 1; record <= 100; record++) {
        hash_index_remove(&index, record);
        hash_index_check(&index);
    }
    hash_index_fini(&index);
    slab_fini(&slab);
}

/* ---- byte heap ---- */

#define STRINGS_MAX 400
#define HEAP_BYTES_MAX UINT64_C(1000000)

struct naive_string {
    struct kept_bytes kept;
    uint8_t *copy;
    size_t size;
};

struct naive_heap {
    struct naive_string strings[STRINGS_MAX];
    size_t count;
    uint64_t bytes;
};

static size_t any_size(uint64_t *random)
{
    static const size_t most[] = {1, 20, 300, 2000, BYTE_HEAP_STRING_MAX + 1};
    return (size_t) below(random, most[below(random, 5)]);
}

static void naive_keep(struct byte_heap *heap, struct naive_heap *naive, uint64_t *random)
{
    size_t size = any_size(random);
    uint8_t *copy = malloc(size + 1);
    struct kept_bytes kept = {.size = 7, .index = 77};
    CHECK(copy != NULL);
    for (size_t i = 0; i < size; i++) {
        copy[i] = (uint8_t) test_random(random);
    }
    bool fits = naive->bytes + size <= HEAP_BYTES_MAX;
    CHECK_EQ(byte_heap_has_room(heap, size), fits);
    CHECK_EQ(byte_heap_keep(heap, bytes_of(copy, size), &kept), fits);
    if (!fits) {
        CHECK(kept.size == 7 && kept.index == 77);
        free(copy);
        return;
    }
    naive->bytes += size;
    naive->strings[naive->count++] =
        (struct naive_string){.kept = kept, .copy = copy, .size = size};
}

static void naive_drop(struct byte_heap *heap, struct naive_heap *naive, size_t which)
{
    struct naive_string *string = &naive->strings[which];
    struct bytes bytes = byte_heap_get(heap, string->kept);
    CHECK_BYTES_EQ(bytes.data, bytes.size, string->copy, string->size);
    byte_heap_drop(heap, &string->kept);
    CHECK_EQ(byte_heap_get(heap, string->kept).size, 0);
    naive->bytes -= string->size;
    free(string->copy);
    *string = naive->strings[--naive->count];
}

static void a_byte_heap_gives_back_what_it_was_given(void)
{
    static struct naive_heap naive;
    uint64_t random = test_seed();
    struct byte_heap heap;
    CHECK(byte_heap_init(&heap, HEAP_BYTES_MAX, 2 * STRINGS_MAX));
    for (size_t i = 0; i < STEPS / 4; i++) {
        if (naive.count == 0 || (naive.count < STRINGS_MAX && below(&random, 100) < 55)) {
            naive_keep(&heap, &naive, &random);
        } else {
            naive_drop(&heap, &naive, (size_t) below(&random, naive.count));
        }
        CHECK_EQ(heap.bytes, naive.bytes);
        if (i % 500 == 0) {
            byte_heap_check(&heap);
        }
    }
    while (naive.count > 0) {
        naive_drop(&heap, &naive, naive.count - 1);
    }
    CHECK_EQ(heap.bytes, 0);
    byte_heap_check(&heap);
    byte_heap_fini(&heap);
}

static void a_byte_heap_is_bounded_by_strings_as_well(void)
{
    struct byte_heap heap;
    struct kept_bytes kept[3] = {{0}};
    CHECK(byte_heap_init(&heap, 1000, 2));
    CHECK(byte_heap_keep(&heap, bytes_of_string("first"), &kept[0]));
    CHECK(byte_heap_keep(&heap, bytes_of_string("second"), &kept[1]));
    CHECK(!byte_heap_has_room(&heap, 5));
    CHECK(!byte_heap_keep(&heap, bytes_of_string("third"), &kept[2]));
    CHECK(byte_heap_keep(&heap, (struct bytes){0}, &kept[2]));
    CHECK(byte_heap_has_room(&heap, 200));
    CHECK(!byte_heap_has_room(&heap, 990));
    byte_heap_check(&heap);
    byte_heap_fini(&heap);
}

static void an_emptied_byte_heap_gives_its_memory_back(void)
{
    const size_t count = 40000;
    uint8_t text[700];
    struct byte_heap heap;
    struct kept_bytes *kept = calloc(count, sizeof *kept);
    CHECK(kept != NULL);
    memset(text, 'x', sizeof text);
    CHECK(byte_heap_init(&heap, count * sizeof text, (uint32_t) count));
    for (size_t i = 0; i < count; i++) {
        CHECK(byte_heap_keep(&heap, bytes_of(text, i % sizeof text), &kept[i]));
    }
    for (size_t i = 0; i < count; i++) {
        byte_heap_drop(&heap, &kept[i]);
    }
    byte_heap_check(&heap);
    for (size_t class = 0; class < BYTE_HEAP_CLASSES; class ++) {
        const struct slab *slab = &heap.classes[class];
        CHECK_LE(resident_bytes(slab->records.base, slab->records.size),
                 (size_t) slab->chunk_bytes);
    }
    byte_heap_fini(&heap);
    free(kept);
}

/* ---- timer heap ---- */

#define TIMERS 500

/* The nearest deadline of those set, UINT64_MAX where none is. */
static uint64_t nearest(const struct timer *timers)
{
    uint64_t nearest = UINT64_MAX;
    for (size_t i = 0; i < TIMERS; i++) {
        if (timer_is_set(&timers[i]) && timers[i].deadline < nearest) {
            nearest = timers[i].deadline;
        }
    }
    return nearest;
}

static void a_timer_heap_knows_the_nearest_deadline(void)
{
    static struct timer timers[TIMERS];
    static bool is_set[TIMERS];
    static uint64_t deadlines[TIMERS];
    uint64_t random = test_seed();
    struct timer_heap heap;
    CHECK(timer_heap_init(&heap, TIMERS));
    CHECK(timer_heap_first(&heap) == NULL);
    for (size_t i = 0; i < STEPS; i++) {
        size_t which = (size_t) below(&random, TIMERS);
        if (below(&random, 100) < 60) {
            deadlines[which] = below(&random, 300);
            timer_heap_set(&heap, &timers[which], deadlines[which]);
            is_set[which] = true;
        } else {
            timer_heap_clear(&heap, &timers[which]);
            is_set[which] = false;
        }
        CHECK_EQ(timer_is_set(&timers[which]), is_set[which]);
        CHECK(!is_set[which] || timers[which].deadline == deadlines[which]);
        const struct timer *first = timer_heap_first(&heap);
        CHECK_EQ(first == NULL ? UINT64_MAX : first->deadline, nearest(timers));
        if (i % 100 == 0) {
            timer_heap_check(&heap);
        }
    }
    timer_heap_fini(&heap);
}

static void timers_come_in_the_order_of_their_deadlines(void)
{
    static struct timer timers[TIMERS];
    uint64_t random = test_seed();
    struct timer_heap heap;
    uint64_t last = 0;
    uint32_t count = 0;
    CHECK(timer_heap_init(&heap, TIMERS));
    for (size_t i = 0; i < TIMERS; i++) {
        timer_heap_set(&heap, &timers[i], test_random(&random));
    }
    for (struct timer *first = timer_heap_first(&heap); first != NULL; count++) {
        CHECK(first->deadline >= last);
        last = first->deadline;
        timer_heap_clear(&heap, first);
        CHECK(!timer_is_set(first));
        timer_heap_check(&heap);
        first = timer_heap_first(&heap);
    }
    CHECK_EQ(count, TIMERS);
    timer_heap_fini(&heap);
}

static const struct test_case cases[] = {
    {"a region gives its memory back", a_region_gives_its_memory_back, 0},
    {"an empty region is none", an_empty_region_is_none, 0},
    {"address space that cannot be had is refused", address_space_that_cannot_be_had_is_refused, 0},
    {"a slab keeps its records apart", a_slab_keeps_its_records_apart, 0},
    {"a full slab takes no more", a_full_slab_takes_no_more, 0},
    {"an emptied slab gives its memory back", an_emptied_slab_gives_its_memory_back, 0},
    {"a load around a chunk's end keeps its memory", a_load_around_a_chunks_end_keeps_its_memory,
     0},
    {"a hash index finds what is in it and nothing else",
     a_hash_index_finds_what_is_in_it_and_nothing_else, 0},
    {"an emptied hash index gives its memory back", an_emptied_hash_index_gives_its_memory_back, 0},
    {"hashes that differ in high bits alone share no chain",
     hashes_that_differ_in_high_bits_alone_share_no_chain, 0},
    {"a hash index holds more records than buckets", a_hash_index_holds_more_records_than_buckets,
     0},
    {"a byte heap gives back what it was given", a_byte_heap_gives_back_what_it_was_given, 0},
    {"a byte heap is bounded by strings as well", a_byte_heap_is_bounded_by_strings_as_well, 0},
    {"an emptied byte heap gives its memory back", an_emptied_byte_heap_gives_its_memory_back, 0},
    {"a timer heap knows the nearest deadline", a_timer_heap_knows_the_nearest_deadline, 0},
    {"timers come in the order of their deadlines", timers_come_in_the_order_of_their_deadlines, 0},
};

TEST_MAIN(cases)
