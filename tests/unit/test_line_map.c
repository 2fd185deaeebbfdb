/* SPDX-License-Identifier: MIT */
/* The map of lines against a plain array of the same keys, and what a call may cost by count. It is built
 * a second time with the arithmetic that compares tags where there is no SSE2 (see table.cmake). */
#include "base/limits.h"
#include "support/data_limit.h"
#include "support/testing.h"
#include "table/line_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t mix(uint64_t value)
{
    return test_random(&value);
}

static uint32_t below(uint64_t *random, uint32_t limit)
{
    return (uint32_t) (test_random(random) % limit);
}

/* ---- matching ---- */

static void all_ways_to_match_tags_agree(void)
{
    uint64_t random = test_seed();
    for (uint32_t round = 0; round < TEST_SCALE_SLOWLY(200000); round++) {
        struct line line = {.tail = below(&random, LINE_SLOTS + 1)};
        uint8_t few = (uint8_t) (1 << below(&random, 8));
        for (uint32_t slot = 0; slot < LINE_SLOTS; slot++) {
            line.tags[slot] = (uint8_t) (below(&random, 256) & (round % 2 == 0 ? few : 0xff));
            line.ids[slot] = (uint32_t) test_random(&random);
        }
        uint8_t tag = line.tags[below(&random, LINE_SLOTS)] ^ (round % 3 == 0 ? few : 0);
        uint32_t expected = 0;
        for (uint32_t slot = 0; slot < LINE_SLOTS; slot++) {
            expected |= (uint32_t) (line.tags[slot] == tag) << slot;
        }
        CHECK_EQ(line_match_words(&line, tag), expected);
#if LINE_MATCH_SSE2
        CHECK_EQ(line_match_sse2(&line, tag) & 0xfff, expected);
#endif
        CHECK_EQ(line_match(&line, tag), expected & ((1U << line_taken(&line)) - 1));
    }
}

/* ---- against a plain array ---- */

#define KEYS_COUNT 6000

/* Keys 1 to KEYS_COUNT, each with the id of its record, or 0. */
struct model {
    struct line_map map;
    struct packed records; /* of struct record */
    uint64_t (*hash)(uint64_t key);
    uint32_t ids[KEYS_COUNT + 1];
    uint32_t count;
    uint32_t changing; /* the id that is being added or taken out: nobody may ask for its hash */
};

struct record {
    uint64_t key;
    uint64_t is_in_map;
};

static uint64_t model_hash_of(const void *context, uint32_t id)
{
    const struct model *model = context;
    const struct record *record = packed_at(&model->records, id);
    CHECK_NE(id, model->changing);
    CHECK(packed_is_live(&model->records, id) && record->is_in_map == 1);
    return model->hash(record->key);
}

static void model_prefetch(const void *context, uint32_t id)
{
    const struct model *model = context;
    CHECK(packed_is_live(&model->records, id));
}

/* From good to as bad as can be. */
static uint64_t hash_good(uint64_t key)
{
    return mix(key);
}

static uint64_t hash_with_few_tags(uint64_t key)
{
    return mix(key) & UINT64_C(0x01ffffffffffffff);
}

static uint64_t hash_with_few_buckets(uint64_t key)
{
    return mix(key) & UINT64_C(0xff00000000000207);
}

static uint64_t hash_that_is_half_a_flood(uint64_t key)
{
    return key % 8 == 0 ? UINT64_C(0x1234567890) : mix(key);
}

static void model_init(struct model *model, uint64_t (*hash)(uint64_t key), bool fetches)
{
    *model = (struct model){.hash = hash};
    CHECK(packed_init(&model->records, sizeof(struct record), KEYS_COUNT + 1));
    CHECK(line_map_init(&model->map, KEYS_COUNT, model_hash_of, fetches ? model_prefetch : NULL,
                        model));
}

static void model_fini(struct model *model)
{
    line_map_fini(&model->map);
    packed_fini(&model->records);
}

/* All ids that the map gives for the key's hash have its tag; that of the key is once among them. */
static void check_key(const struct model *model, uint32_t key)
{
    uint64_t hash = model->hash(key);
    uint32_t found = 0;
    struct line_walk walk;
    for (uint32_t id = line_map_first(&model->map, hash, &walk); id != 0;
         id = line_map_next(&walk)) {
        const struct record *record = packed_at(&model->records, id);
        CHECK(packed_is_live(&model->records, id));
        CHECK_EQ(model->hash(record->key) >> 56, hash >> 56);
        if (record->key == key) {
            CHECK_EQ(found, 0);
            found = id;
        }
    }
    CHECK_EQ(found, model->ids[key]);
}

static void model_add(struct model *model, uint32_t key)
{
    uint32_t id = packed_take(&model->records);
    CHECK_NE(id, 0);
    struct record *record = packed_at(&model->records, id);
    record->key = key;
    model->changing = id;
    uint64_t splits = model->map.splits;
    CHECK(line_map_insert(&model->map, model->hash(key), id));
    CHECK_LE(model->map.splits, splits + 1);
    model->changing = 0;
    record->is_in_map = 1;
    model->ids[key] = id;
    model->count++;
}

static void model_drop(struct model *model, uint32_t key)
{
    uint32_t id = model->ids[key];
    uint64_t merges = model->map.merges;
    uint64_t moves = model->map.overflows.moves;
    model->changing = id;
    line_map_remove(&model->map, model->hash(key), id);
    CHECK_LE(model->map.merges, merges + 1);
    CHECK_LE(model->map.overflows.moves, moves + 2);
    model->changing = 0;
    ((struct record *) packed_at(&model->records, id))->is_in_map = 0;
    packed_give(&model->records, id);
    model->ids[key] = 0;
    model->count--;
}

static void model_move(struct model *model, uint32_t key)
{
    uint32_t from = model->ids[key];
    uint32_t to = packed_take(&model->records);
    CHECK_NE(to, 0);
    *(struct record *) packed_at(&model->records, to) =
        *(struct record *) packed_at(&model->records, from);
    line_map_rename(&model->map, model->hash(key), from, to);
    packed_give(&model->records, from);
    model->ids[key] = to;
}

static void step(struct model *model, uint64_t *random, bool grows)
{
    uint32_t key = 1 + below(random, KEYS_COUNT);
    bool is_there = model->ids[key] != 0;
    uint32_t dice = below(random, 16);
    if (dice == 0 && is_there) {
        model_move(model, key);
    } else if (is_there && (!grows || dice < 4)) {
        model_drop(model, key);
    } else if (!is_there && (grows || dice < 4)) {
        model_add(model, key);
    }
    check_key(model, key);
    check_key(model, 1 + below(random, KEYS_COUNT));
    CHECK_EQ(model->map.count, model->count);
}

static void run_model(uint64_t (*hash)(uint64_t key), bool fetches, uint32_t steps)
{
    static struct model model;
    uint64_t random = test_seed();
    model_init(&model, hash, fetches);
    uint32_t phase = 1;
    for (uint32_t i = 0; i < steps; i++) {
        phase = i % 16384 == 0 ? below(&random, 4) : phase;
        step(&model, &random, i / 16384 % 2 == 0 || phase == 0);
        if (i % 512 == 0) {
            line_map_check(&model.map);
        }
    }
    for (uint32_t key = 1; key <= KEYS_COUNT; key++) {
        check_key(&model, key);
    }
    for (uint32_t key = 1; key <= KEYS_COUNT; key++) {
        if (model.ids[key] != 0) {
            model_drop(&model, key);
        }
    }
    line_map_check(&model.map);
    CHECK_EQ(model.map.count, 0);
    CHECK_EQ(model.map.overflows.count, 0);
    CHECK_EQ(model.map.buckets_count, 64);
    model_fini(&model);
}

static void random_steps_with_a_good_hash(void)
{
    run_model(hash_good, true, TEST_SCALE_SLOWLY(600000));
    run_model(hash_good, false, TEST_SCALE_SLOWLY(200000));
}

static void random_steps_with_few_tags(void)
{
    run_model(hash_with_few_tags, true, TEST_SCALE_SLOWLY(200000));
}

static void random_steps_with_few_buckets(void)
{
    run_model(hash_with_few_buckets, true, 60000);
}

static void random_steps_with_half_a_flood(void)
{
    run_model(hash_that_is_half_a_flood, true, 60000);
}

/* ---- a flood ---- */

static uint64_t equal_hash(const void *context, uint32_t id)
{
    (void) context;
    (void) id;
    return UINT64_C(0xab00000000000035);
}

static uint32_t ids_found(const struct line_map *map, uint64_t hash)
{
    struct line_walk walk;
    uint32_t count = 0;
    for (uint32_t id = line_map_first(map, hash, &walk); id != 0; id = line_map_next(&walk)) {
        count++;
    }
    return count;
}

static void ids_that_all_have_one_hash_are_all_found(void)
{
    enum { COUNT = 4000 };
    struct line_map map;
    uint64_t random = test_seed();
    uint64_t hash = equal_hash(NULL, 1);
    static uint32_t order[COUNT];
    CHECK(line_map_init(&map, COUNT, equal_hash, NULL, NULL));
    for (uint32_t i = 0; i < COUNT; i++) {
        order[i] = i + 1;
        CHECK(line_map_insert(&map, hash, i + 1));
    }
    CHECK_EQ(ids_found(&map, hash), COUNT);
    CHECK_EQ(ids_found(&map, hash ^ (UINT64_C(1) << 60)), 0);
    CHECK_EQ(ids_found(&map, hash ^ 1), 0);
    CHECK_GE(map.lines_most, COUNT / LINE_SLOTS);
    line_map_check(&map);
    for (uint32_t left = COUNT; left > 0; left--) {
        uint32_t pick = below(&random, left);
        line_map_remove(&map, hash, order[pick]);
        order[pick] = order[left - 1];
        if (left % 400 == 0) {
            CHECK_EQ(ids_found(&map, hash), left - 1);
            line_map_check(&map);
        }
    }
    CHECK_EQ(ids_found(&map, hash), 0);
    CHECK_EQ(map.overflows.count, 0);
    line_map_fini(&map);
}

/* ---- what a call costs ---- */

/* Here an id is its own record. */
static uint64_t hash_of_number(const void *context, uint32_t id)
{
    return mix(*(const uint64_t *) context + id);
}

static void add_numbers(struct line_map *map, uint32_t from, uint32_t to)
{
    for (uint32_t id = from; id < to; id++) {
        uint64_t splits = map->splits;
        CHECK(line_map_insert(map, map->hash_of(map->context, id), id));
        CHECK_LE(map->splits, splits + 1);
    }
}

static bool has_number(const struct line_map *map, uint32_t number)
{
    struct line_walk walk;
    uint32_t id = line_map_first(map, map->hash_of(map->context, number), &walk);
    while (id != 0 && id != number) {
        id = line_map_next(&walk);
    }
    return id != 0;
}

/* Lines of the bucket that a look-up of this hash would read if it found nothing. */
static uint32_t lines_of(const struct line_map *map, uint64_t hash)
{
    uint32_t lines = 1;
    uint32_t mask = 2 * map->base - 1;
    uint32_t bucket = (uint32_t) hash & mask;
    bucket -= bucket < map->buckets_count ? 0 : map->base;
    const struct line *line = (const struct line *) map->lines.base + bucket;
    for (; line_overflow(line) != 0; lines++) {
        line = packed_at(&map->overflows, line_overflow(line));
    }
    return lines;
}

/* At any point of the cycle, for linear hashing's buckets are not equally full. */
static void check_costs(const struct line_map *map, uint64_t *random)
{
    enum { LOOK_UPS = 20000 };
    uint32_t lines = 0;
    for (uint32_t i = 0; i < LOOK_UPS; i++) {
        lines += lines_of(map, test_random(random));
    }
    CHECK_LE(lines, LOOK_UPS * 132 / 100);
    CHECK_LE(map->moves_most, LINE_MAP_MOVES_MAX);
    CHECK_LE(map->lines_most, 6);
    size_t used =
        map->buckets_count * sizeof(struct line) + map->overflows.end * sizeof(struct line);
    CHECK_LE(used, (size_t) map->count * 92 / 10 + 4096);
    /* What is committed ahead: a sixteenth, a grain at least, of either. */
    CHECK_LE(line_map_bytes(map), used + used / 16 + 4 * REGION_GRAIN);
}

static uint32_t many_numbers(void)
{
    return getenv("CANCELD_TEST_LONG") != NULL ? 10000000 : 1000000;
}

static void growth_costs_little_at_each_step(void)
{
    uint64_t random = test_seed();
    uint64_t seed = test_random(&random);
    uint32_t most = many_numbers();
    struct line_map map;
    CHECK(line_map_init(&map, most, hash_of_number, NULL, &seed));
    for (uint32_t count = 1000, before = 1; before < most; before = count, count += count / 12) {
        count = count < most ? count : most + 1;
        add_numbers(&map, before, count);
        check_costs(&map, &random);
    }
    CHECK_EQ(map.count, most);
    CHECK(!line_map_insert(&map, 1, most + 1)); /* as many as its capacity */
    for (uint32_t i = 0; i < 100000; i++) {
        CHECK(has_number(&map, 1 + below(&random, most)));
    }
    line_map_check(&map);
    line_map_fini(&map);
}

static void memory_goes_back_when_99_of_100_are_gone(void)
{
    uint64_t random = test_seed();
    uint64_t seed = test_random(&random);
    uint32_t most = many_numbers();
    struct line_map map;
    CHECK(line_map_init(&map, most, hash_of_number, NULL, &seed));
    add_numbers(&map, 1, most + 1);
    size_t bytes = line_map_bytes(&map);
    uint32_t kept = 0;
    for (uint32_t id = 1; id <= most; id++) {
        if (mix(seed ^ id) % 100 == 0) {
            kept++;
            continue;
        }
        uint64_t merges = map.merges;
        uint64_t moves = map.overflows.moves;
        line_map_remove(&map, hash_of_number(&seed, id), id);
        CHECK_LE(map.merges, merges + 1);
        CHECK_LE(map.overflows.moves, moves + 2);
    }
    CHECK_EQ(map.count, kept);
    CHECK_GT(map.overflows.moves, 0);
    CHECK_LE(map.moves_most, LINE_MAP_MOVES_MAX);
    CHECK_LE(line_map_bytes(&map), bytes / 20);
    for (uint32_t id = 1; id <= most; id++) {
        CHECK(has_number(&map, id) == (mix(seed ^ id) % 100 == 0));
    }
    line_map_check(&map);
    line_map_fini(&map);
}

static void a_load_that_comes_and_goes_moves_nothing(void)
{
    enum { COUNT = 50000, SWING = 10000 };
    uint64_t seed = test_seed();
    struct line_map map;
    CHECK(line_map_init(&map, 4 * COUNT, hash_of_number, NULL, &seed));
    add_numbers(&map, 1, COUNT);
    uint64_t splits = map.splits;
    uint32_t id = COUNT;
    for (uint32_t turn = 0; turn < 5; turn++) {
        for (uint32_t i = 0; i < SWING; i++, id++) {
            uint32_t oldest = id - COUNT + 1;
            line_map_remove(&map, hash_of_number(&seed, oldest), oldest);
        }
        id -= SWING;
        for (uint32_t i = 0; i < SWING; i++, id++) {
            CHECK(line_map_insert(&map, hash_of_number(&seed, id), id));
        }
    }
    CHECK_LE(map.splits, splits);
    CHECK_EQ(map.merges, 0);
    line_map_check(&map);
    line_map_fini(&map);
}

/* ---- no memory ---- */

/* Adds until the map says no; gives the first id that it did not take. */
static uint32_t fill_up(struct line_map *map, uint32_t from)
{
    uint32_t id = from;
    while (line_map_insert(map, map->hash_of(map->context, id), id)) {
        id++;
    }
    return id;
}

static void check_numbers(const struct line_map *map, uint32_t from, uint32_t end)
{
    CHECK_EQ(map->count, end - from);
    line_map_check(map);
    for (uint32_t id = from; id < end; id++) {
        CHECK(has_number(map, id));
    }
}

static void without_memory_an_insert_says_no_and_nothing_is_lost(void)
{
    TEST_NEEDS_LIMITS
    enum { CAPACITY = 4000000, FIRST = 10000 };
    uint64_t seed = test_seed();
    struct line_map map;
    CHECK(line_map_init(&map, CAPACITY, hash_of_number, NULL, &seed));
    add_numbers(&map, 1, FIRST);
    test_data_limit(test_data_bytes() + 8 * REGION_GRAIN);
    uint32_t end = fill_up(&map, FIRST);
    CHECK_LT(end, CAPACITY);
    CHECK_GT(map.count, map.buckets_count * UINT64_C(17) / 2); /* denser than it would be */
    check_numbers(&map, 1, end);
    CHECK(!has_number(&map, end));
    for (uint32_t id = 1; id < end / 2; id++) { /* merges may need a line and do without */
        line_map_remove(&map, hash_of_number(&seed, id), id);
    }
    check_numbers(&map, end / 2, end);
    test_data_limit(RLIM_INFINITY);
    add_numbers(&map, end, end + 400000);
    check_numbers(&map, end / 2, end + 400000);
    CHECK_LE(map.count, map.buckets_count * UINT64_C(17) / 2 + 1); /* has caught up */
    line_map_fini(&map);
}

/* Ids that fill the buckets evenly; those of the flood have the hash 7. */
#define FLOOD_FROM 1000000

static uint64_t even_hash(const void *context, uint32_t id)
{
    (void) context;
    return id < FLOOD_FROM ? id : 7;
}

static void a_merge_that_needs_a_line_is_left_undone_without_memory(void)
{
    TEST_NEEDS_LIMITS
    enum { BUCKETS = 16384, COUNT = BUCKETS * 8 };
    struct line_map map;
    CHECK(line_map_init(&map, 4 * COUNT, even_hash, NULL, NULL));
    add_numbers(&map, 1, COUNT);
    test_data_limit(test_data_bytes());
    uint32_t flood_end = fill_up(&map, FLOOD_FROM); /* no overflow line is left */
    uint64_t merges = map.merges;
    for (uint32_t id = 1; id < COUNT; id++) { /* of either half of the buckets, the lower half */
        if (id != 7 && id % (BUCKETS / 2) < BUCKETS / 4) {
            line_map_remove(&map, even_hash(NULL, id), id);
        }
    }
    CHECK_LT(map.merges, merges + BUCKETS / 4);
    CHECK_LT(map.count, map.buckets_count * UINT64_C(13) / 2 - 1000); /* it should have shrunk */
    test_data_limit(RLIM_INFINITY);
    merges = map.merges;
    for (uint32_t id = FLOOD_FROM; id < flood_end; id++) {
        line_map_remove(&map, even_hash(NULL, id), id);
    }
    line_map_check(&map);
    CHECK_GT(map.merges, merges + 100);
    for (uint32_t id = 1; id < COUNT; id++) {
        CHECK(has_number(&map, id) == (id == 7 || id % (BUCKETS / 2) >= BUCKETS / 4));
    }
    line_map_fini(&map);
}

static const struct test_case cases[] = {
    {"all ways to match tags agree with a loop", all_ways_to_match_tags_agree},
    {"random steps with a good hash agree with a plain array", random_steps_with_a_good_hash},
    {"random steps with few tags agree with a plain array", random_steps_with_few_tags},
    {"random steps with few buckets agree with a plain array", random_steps_with_few_buckets},
    {"random steps with half a flood agree with a plain array", random_steps_with_half_a_flood},
    {"ids that all have one hash are all found", ids_that_all_have_one_hash_are_all_found},
    {"growth costs little at each step", growth_costs_little_at_each_step, 240000},
    {"memory goes back when 99 of 100 are gone", memory_goes_back_when_99_of_100_are_gone, 240000},
    {"a load that comes and goes moves nothing", a_load_that_comes_and_goes_moves_nothing},
    {"without memory an insert says no and nothing is lost",
     without_memory_an_insert_says_no_and_nothing_is_lost},
    {"a merge that needs a line is left undone without memory",
     a_merge_that_needs_a_line_is_left_undone_without_memory},
};
TEST_MAIN(cases)
