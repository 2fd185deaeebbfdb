/* SPDX-License-Identifier: MIT */
/* Packed records against a naive table: the same contents behind the same name, wherever it stands. */
#include "support/testing.h"
#include "table/packed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define MODEL_CAPACITY 6000

/* The naive table: who stands where. A record's name is the seed of its contents. */
struct model {
    uint64_t names[MODEL_CAPACITY + 2]; /* by index; 0: nobody */
    uint32_t taken[MODEL_CAPACITY];     /* the indexes that are taken, in any order */
    uint32_t where[MODEL_CAPACITY + 2]; /* by index: the place in `taken` */
    uint32_t count;
    uint64_t next_name;
};

static uint32_t below(uint64_t *random, uint32_t limit)
{
    return (uint32_t) (test_random(random) % limit);
}

static void write_record(struct packed *packed, uint32_t index, uint64_t name)
{
    uint64_t *words = packed_at(packed, index);
    for (size_t i = 0; i < packed->record_bytes / 8; i++) {
        CHECK_EQ(words[i], 0);
        words[i] = test_random(&name) | 1;
    }
}

static void check_record(const struct packed *packed, uint32_t index, uint64_t name)
{
    const uint64_t *words = packed_at(packed, index);
    CHECK(packed_is_live(packed, index));
    for (size_t i = 0; i < packed->record_bytes / 8; i++) {
        CHECK(words[i] == (test_random(&name) | 1));
    }
}

static uint32_t lowest_free(const struct model *model)
{
    uint32_t index = 1;
    while (model->names[index] != 0) {
        index++;
    }
    return index;
}

static void model_take(struct packed *packed, struct model *model)
{
    uint32_t index = packed_take(packed);
    if (model->count == packed->capacity) {
        CHECK_EQ(index, 0);
        return;
    }
    CHECK_EQ(index, lowest_free(model));
    model->names[index] = ++model->next_name;
    model->where[index] = model->count;
    model->taken[model->count++] = index;
    write_record(packed, index, model->names[index]);
}

static void model_give(struct packed *packed, struct model *model, uint32_t which)
{
    uint32_t index = model->taken[which];
    check_record(packed, index, model->names[index]);
    uint32_t last = model->taken[--model->count];
    model->taken[which] = last;
    model->where[last] = which;
    model->names[index] = 0;
    packed_give(packed, index);
    CHECK(!packed_is_live(packed, index));
}

static void model_move(struct packed *packed, struct model *model)
{
    uint32_t from = 0;
    uint32_t to = 0;
    if (!packed_next_move(packed, &from, &to)) {
        return;
    }
    CHECK(to != 0 && to < from);
    CHECK(model->names[from] != 0 && model->names[to] == 0);
    packed_move(packed, from, to);
    model->names[to] = model->names[from];
    model->names[from] = 0;
    model->where[to] = model->where[from];
    model->taken[model->where[to]] = to;
    check_record(packed, to, model->names[to]);
}

static void model_check(const struct packed *packed, const struct model *model)
{
    uint32_t last = 0;
    CHECK_EQ(packed->count, model->count);
    for (uint32_t index = 1; index <= packed->capacity; index++) {
        CHECK_EQ(packed_is_live(packed, index), model->names[index] != 0);
        if (model->names[index] != 0) {
            check_record(packed, index, model->names[index]);
            last = index;
        }
    }
    CHECK_EQ(packed->end, last + 1);
}

static void play(size_t record_bytes, uint32_t capacity, size_t steps, uint64_t *random)
{
    static struct model model;
    struct packed packed;
    uint32_t percent = 90;
    memset(&model, 0, sizeof model);
    CHECK(packed_init(&packed, record_bytes, capacity));
    for (size_t i = 0; i < steps; i++) {
        if (below(random, 2000) == 0) {
            percent = 15 + 35 * below(random, 3);
            model_check(&packed, &model);
        }
        if (model.count == 0 || below(random, 100) < percent) {
            model_take(&packed, &model);
        } else {
            model_give(&packed, &model, below(random, model.count));
        }
        if (below(random, 3) == 0) {
            model_move(&packed, &model);
        }
        packed_check(&packed);
    }
    model_check(&packed, &model);
    while (model.count > 0) {
        model_give(&packed, &model, below(random, model.count));
        packed_check(&packed);
    }
    CHECK_EQ(packed.end, 1);
    packed_fini(&packed);
}

static void records_keep_their_contents_through_every_move(void)
{
    uint64_t random = test_seed();
    size_t steps = TEST_SCALE(100000);
    play(64, MODEL_CAPACITY, steps, &random);
    play(16, MODEL_CAPACITY, steps, &random);
    play(744, 1500, steps, &random);
    play(64, 70, steps, &random);
}

static void moves_are_asked_for_where_they_pay(void)
{
    const uint32_t count = 40000;
    struct packed packed;
    uint32_t from = 0;
    uint32_t to = 0;
    CHECK(packed_init(&packed, 64, count));
    for (uint32_t i = 0; i < count; i++) {
        CHECK_NE(packed_take(&packed), 0);
    }
    /* Every fourth place is a hole, and then one more. */
    for (uint32_t index = 1; index <= count; index += 4) {
        CHECK(!packed_next_move(&packed, &from, &to));
        packed_give(&packed, index);
    }
    CHECK(!packed_next_move(&packed, &from, &to));
    packed_give(&packed, 2);
    CHECK(packed_next_move(&packed, &from, &to));
    CHECK_EQ(from, packed.end - 1);
    CHECK_EQ(to, 1);
    packed_fini(&packed);

    /* All but one are holes, but they are no more than 64 KiB. */
    CHECK(packed_init(&packed, 64, count));
    for (uint32_t i = 0; i < 1025; i++) {
        CHECK_NE(packed_take(&packed), 0);
    }
    for (uint32_t index = 1; index < 1025; index++) {
        packed_give(&packed, index);
        CHECK(!packed_next_move(&packed, &from, &to));
    }
    packed_fini(&packed);
}

static void a_full_table_takes_no_more(void)
{
    struct packed packed;
    CHECK(packed_init(&packed, 64, 3));
    for (uint32_t index = 1; index <= 3; index++) {
        CHECK_EQ(packed_take(&packed), index);
    }
    CHECK_EQ(packed_take(&packed), 0);
    packed_check(&packed);
    packed_give(&packed, 2);
    CHECK_EQ(packed_take(&packed), 2);
    CHECK_EQ(packed_take(&packed), 0);
    CHECK(!packed_is_live(&packed, 0));
    CHECK(!packed_is_live(&packed, 4));
    packed_check(&packed);
    packed_fini(&packed);

    CHECK(packed_init(&packed, 64, 0));
    CHECK_EQ(packed_take(&packed), 0);
    packed_check(&packed);
    packed_fini(&packed);
    packed_fini(&packed);
}

static void a_table_that_cannot_have_its_space_is_refused(void)
{
    struct packed packed;
    CHECK(!packed_init(&packed, 65536, UINT32_MAX - 100));
    CHECK(packed.records.base == NULL && packed.live.base == NULL && packed.open.base == NULL);
}

/* ---- memory ---- */

static size_t resident_bytes(const struct region *region)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE);
    size_t pages = region->size / page;
    unsigned char *map = calloc(pages, 1);
    size_t resident = 0;
    CHECK(map != NULL);
    CHECK_EQ(mincore(region->base, region->size, map), 0);
    for (size_t i = 0; i < pages; i++) {
        resident += (map[i] & 1) != 0 ? page : 0;
    }
    free(map);
    return resident;
}

/* The indexes 1 to count, shuffled: where each record was given first. */
static uint32_t *shuffled(uint32_t count, uint64_t *random)
{
    uint32_t *order = calloc(count, sizeof *order);
    CHECK(order != NULL);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t other = below(random, i + 1);
        order[i] = order[other];
        order[other] = i + 1;
    }
    return order;
}

static void fill_table(struct packed *packed, uint32_t count)
{
    CHECK(packed_init(packed, 64, count));
    for (uint32_t i = 1; i <= count; i++) {
        CHECK_EQ(packed_take(packed), i);
        memcpy(packed_at(packed, i), &i, sizeof i); /* its name: where it stood first */
        size_t used = (size_t) packed->end * 64;
        CHECK_LE(packed_bytes(packed), used + used / 16 + 2 * REGION_GRAIN);
    }
    packed_check(packed);
}

static void memory_comes_back_after_a_mass_removal(void)
{
    const uint32_t count = TEST_SCALE(1000000);
    uint64_t random = test_seed();
    struct packed packed;
    uint32_t *order = shuffled(count, &random);
    uint32_t *places = calloc((size_t) count + 1, sizeof *places);
    uint32_t from = 0;
    uint32_t to = 0;
    CHECK(places != NULL);
    fill_table(&packed, count);
    size_t before = packed_bytes(&packed);
    CHECK_GE(resident_bytes(&packed.records), (size_t) count * 64);
    for (uint32_t i = 1; i <= count; i++) {
        places[i] = i;
    }
    for (uint32_t i = 0; i < count - count / 100; i++) {
        packed_give(&packed, places[order[i]]);
        for (int budget = 2; budget > 0 && packed_next_move(&packed, &from, &to); budget--) {
            packed_move(&packed, from, to);
            uint32_t name = 0;
            memcpy(&name, packed_at(&packed, to), sizeof name);
            places[name] = to;
        }
    }
    CHECK(!packed_next_move(&packed, &from, &to));
    CHECK_EQ(packed.count, count / 100);
    CHECK_LE(packed.moves, (uint64_t) count);
    CHECK_LE(packed_bytes(&packed), before / 40 + 3 * REGION_GRAIN);
    CHECK_LE(resident_bytes(&packed.records), packed_bytes(&packed));
    CHECK_LE(resident_bytes(&packed.live), REGION_GRAIN);
    packed_check(&packed);
    free(order);
    free(places);
    packed_fini(&packed);
}

static void an_end_that_falls_far_costs_one_chunk_a_call(void)
{
    const uint32_t count = TEST_SCALE(700000);
    struct packed packed;
    fill_table(&packed, count);
    for (uint32_t index = 2; index < count; index++) {
        packed_give(&packed, index);
        CHECK_EQ(packed.end, count + 1);
    }
    packed_check(&packed);
    size_t before = packed_bytes(&packed);
    packed_give(&packed, count);
    CHECK_EQ(packed.end, 2);
    CHECK_EQ(packed.holes, 0);
    packed_check(&packed);
    CHECK_LE(before - packed_bytes(&packed), PACKED_CHUNK_BYTES_MAX);
    before = packed_bytes(&packed);
    while (packed_trim(&packed)) {
        CHECK_LT(packed_bytes(&packed), before);
        CHECK_LE(before - packed_bytes(&packed), PACKED_CHUNK_BYTES_MAX);
        before = packed_bytes(&packed);
        packed_check(&packed);
    }
    CHECK_LE(packed_bytes(&packed), 2 * REGION_GRAIN);
    CHECK_LE(resident_bytes(&packed.records), packed_bytes(&packed));
    CHECK_EQ(packed_take(&packed), 2);
    packed_check(&packed);
    packed_fini(&packed);
}

/* The live bits end with a grain, the records' memory a little above. */
static void a_table_whose_bits_fill_their_memory_gives_all_back(void)
{
    const uint32_t count = 8 * REGION_GRAIN - 300;
    struct packed packed;
    CHECK(packed_init(&packed, 16, count));
    for (uint32_t i = 1; i <= count; i++) {
        CHECK_EQ(packed_take(&packed), i);
    }
    CHECK_EQ(packed_take(&packed), 0);
    CHECK_EQ(packed_bytes(&packed), packed.records.size);
    for (uint32_t i = count; i > 0; i--) {
        packed_give(&packed, i);
    }
    packed_check(&packed);
    CHECK_LE(packed_bytes(&packed), 2 * REGION_GRAIN);
    packed_fini(&packed);
}

/* Takes and gives the last few records, so that the end crosses a chunk's end again and again. */
static void a_load_that_breathes_keeps_its_memory(void)
{
    struct packed packed;
    CHECK(packed_init(&packed, 64, 200000));
    size_t before = packed_bytes(&packed);
    uint32_t changes = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        CHECK_NE(packed_take(&packed), 0);
    }
    while (packed_bytes(&packed) == before || before == 0) {
        before = packed_bytes(&packed);
        CHECK_NE(packed_take(&packed), 0);
    }
    for (uint32_t round = 0; round < 100; round++) {
        before = packed_bytes(&packed);
        for (uint32_t i = 0; i < 2000; i++) {
            packed_give(&packed, packed.end - 1);
        }
        for (uint32_t i = 0; i < 2000; i++) {
            CHECK_NE(packed_take(&packed), 0);
        }
        changes += packed_bytes(&packed) != before ? 1 : 0;
    }
    CHECK_EQ(changes, 0);
    packed_check(&packed);
    packed_fini(&packed);
}

/* Allows the process so much memory more; gives the limit that was. */
static struct rlimit limit_memory(size_t allowed)
{
    char line[128];
    unsigned long long kib = 0;
    struct rlimit before;
    FILE *status = fopen("/proc/self/status", "r");
    CHECK(status != NULL);
    while (kib == 0 && fgets(line, sizeof line, status) != NULL) {
        (void) sscanf(line, "VmData: %llu kB", &kib);
    }
    fclose(status);
    CHECK_NE(kib, 0);
    CHECK_EQ(getrlimit(RLIMIT_DATA, &before), 0);
    struct rlimit limit = before;
    limit.rlim_cur = (rlim_t) kib * 1024 + allowed;
    CHECK_EQ(setrlimit(RLIMIT_DATA, &limit), 0);
    return before;
}

static void memory_that_cannot_be_had_is_an_answer(void)
{
    const uint32_t capacity = 1000000;
    const size_t allowed = (size_t) 4 << 20;
    struct packed packed;
    if (TEST_SANITIZED) {
        return; /* a sanitizer's own memory counts as well, and without more it ends the process */
    }
    CHECK(packed_init(&packed, 64, capacity));
    struct rlimit before = limit_memory(allowed);
    uint32_t count = 0;
    for (uint32_t index = packed_take(&packed); index != 0; index = packed_take(&packed)) {
        CHECK_EQ(index, ++count);
        write_record(&packed, index, index);
    }
    /* All that was allowed is used, to the last grain. */
    CHECK_LT(count, capacity);
    CHECK_GE((size_t) count * 64, allowed - 2 * REGION_GRAIN);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(packed_take(&packed), 0);
        CHECK_EQ(packed.count, count);
        packed_check(&packed);
    }
    for (uint32_t index = 1; index <= count; index++) {
        check_record(&packed, index, index);
    }
    packed_give(&packed, 7);
    CHECK_EQ(packed_take(&packed), 7);
    CHECK_EQ(packed_take(&packed), 0);
    CHECK_EQ(setrlimit(RLIMIT_DATA, &before), 0);
    CHECK_EQ(packed_take(&packed), count + 1);
    packed_check(&packed);
    packed_fini(&packed);
}

static void what_is_reserved_can_be_taken(void)
{
    const size_t allowed = (size_t) 4 << 20;
    const uint32_t count = 60000;
    struct packed packed;
    if (TEST_SANITIZED) {
        return; /* as above */
    }
    CHECK(packed_init(&packed, 64, 2 * count));
    struct rlimit before = limit_memory(allowed);
    CHECK(!packed_reserve(&packed, 2 * count));
    CHECK(packed_reserve(&packed, 100));
    CHECK(packed_reserve(&packed, count));
    size_t committed = packed_bytes(&packed);
    for (uint32_t i = 0; i < count; i++) {
        CHECK_NE(packed_take(&packed), 0);
    }
    CHECK_EQ(packed_bytes(&packed), committed);
    packed_check(&packed);
    /* Holes count as well, and the capacity is a bound. */
    for (uint32_t index = 1; index <= 1000; index++) {
        packed_give(&packed, index);
    }
    CHECK(packed_reserve(&packed, 1000));
    CHECK_EQ(packed_bytes(&packed), committed);
    CHECK_EQ(setrlimit(RLIMIT_DATA, &before), 0);
    CHECK(packed_reserve(&packed, count + 1000));
    CHECK(!packed_reserve(&packed, count + 1001));
    packed_check(&packed);
    packed_fini(&packed);
}

static const struct test_case cases[] = {
    {"records keep their contents through every move",
     records_keep_their_contents_through_every_move, 0},
    {"moves are asked for where they pay", moves_are_asked_for_where_they_pay, 0},
    {"a full table takes no more", a_full_table_takes_no_more, 0},
    {"a table that cannot have its space is refused", a_table_that_cannot_have_its_space_is_refused,
     0},
    {"memory comes back after a mass removal", memory_comes_back_after_a_mass_removal, 0},
    {"an end that falls far costs one chunk a call", an_end_that_falls_far_costs_one_chunk_a_call,
     0},
    {"a table whose bits fill their memory gives all back",
     a_table_whose_bits_fill_their_memory_gives_all_back, 0},
    {"a load that breathes keeps its memory", a_load_that_breathes_keeps_its_memory, 0},
    {"memory that cannot be had is an answer", memory_that_cannot_be_had_is_an_answer, 0},
    {"what is reserved can be taken", what_is_reserved_can_be_taken, 0},
};

TEST_MAIN(cases)
