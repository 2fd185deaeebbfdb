/* SPDX-License-Identifier: MIT */
/* The radix tree against a plain array of (number, id), and how many nodes it may have. */
#include "support/data_limit.h"
#include "support/testing.h"
#include "table/radix_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_END (UINT64_C(1) << RADIX_TREE_NUMBER_BITS)

static uint32_t below(uint64_t *random, uint32_t limit)
{
    return (uint32_t) (test_random(random) % limit);
}

static uint32_t nodes_count(const struct radix_tree *tree)
{
    return tree->wide.count + tree->narrow.count;
}

/* ---- against a plain array ---- */

#define MODEL_CAPACITY 700

struct item {
    uint64_t number;
    uint32_t id;
};

struct model {
    struct radix_tree tree;
    struct item items[MODEL_CAPACITY]; /* in rising order of their numbers */
    uint32_t count;
};

/* The place of the first item at or above the number. */
static uint32_t place_of(const struct model *model, uint64_t number)
{
    uint32_t place = 0;
    while (place < model->count && model->items[place].number < number) {
        place++;
    }
    return place;
}

static bool model_has(const struct model *model, uint64_t number)
{
    uint32_t place = place_of(model, number);
    return place < model->count && model->items[place].number == number;
}

static void model_put(struct model *model, uint64_t number, uint32_t id)
{
    bool has_room = model->count < MODEL_CAPACITY;
    CHECK_EQ(radix_tree_put(&model->tree, number, id), has_room);
    if (has_room) {
        uint32_t place = place_of(model, number);
        memmove(&model->items[place + 1], &model->items[place],
                (model->count - place) * sizeof model->items[0]);
        model->items[place] = (struct item){number, id};
        model->count++;
    }
}

static void model_remove(struct model *model, uint32_t place)
{
    radix_tree_remove(&model->tree, model->items[place].number);
    model->count--;
    memmove(&model->items[place], &model->items[place + 1],
            (model->count - place) * sizeof model->items[0]);
}

static void check_number(const struct model *model, uint64_t number)
{
    uint32_t place = place_of(model, number);
    bool is_there = place < model->count && model->items[place].number == number;
    CHECK_EQ(radix_tree_get(&model->tree, number), is_there ? model->items[place].id : 0);
    uint64_t next = 0;
    uint32_t id = radix_tree_next(&model->tree, number, &next);
    CHECK_EQ(id, place < model->count ? model->items[place].id : 0);
    CHECK(id == 0 || next == model->items[place].number);
    radix_tree_prefetch(&model->tree, number);
}

static void check_walk(const struct model *model)
{
    uint64_t from = 0;
    for (uint32_t place = 0; place < model->count; place++) {
        uint64_t number = 0;
        CHECK_EQ(radix_tree_next(&model->tree, from, &number), model->items[place].id);
        CHECK(number == model->items[place].number);
        from = number + 1;
    }
    CHECK_EQ(radix_tree_next(&model->tree, from, &from), 0);
    CHECK_EQ(model->tree.count, model->count);
}

/* Where numbers come from: close together, across the border of a high node, from everywhere, in heaps
 * that are far apart. */
static uint64_t some_number(uint64_t *random, uint32_t shape)
{
    uint64_t any = test_random(random);
    switch (shape) {
    case 0:
        return any % 1000;
    case 1:
        return (UINT64_C(1) << 36) - 300 + any % 600;
    case 2:
        return any % NUMBER_END;
    case 3:
        return (any >> 32) % 3 * (NUMBER_END / 3) + any % 200;
    default:
        return any % 2 == 0 ? NUMBER_END - 1 - any % 512 / 2 : any % 512 / 2;
    }
}

static void step(struct model *model, uint64_t *random, uint32_t shape, bool grows)
{
    uint64_t number = some_number(random, shape);
    uint32_t dice = below(random, 16);
    uint32_t id = 1 + below(random, 1000000);
    if (dice < (grows ? 10 : 3)) {
        if (!model_has(model, number)) {
            model_put(model, number, id);
        }
    } else if (dice < 13 && model->count > 0) {
        uint32_t place = below(random, 4) == 0 ? 0 : below(random, model->count);
        model_remove(model, place);
    } else if (dice == 13 && model->count > 0) {
        struct item *item = &model->items[below(random, model->count)];
        radix_tree_set(&model->tree, item->number, id);
        item->id = id;
    } else if (dice == 14) {
        CHECK_LE(radix_tree_compact(&model->tree, 2), 2);
    } else {
        CHECK_EQ(radix_tree_reserve(&model->tree), model->count < MODEL_CAPACITY);
    }
    check_number(model, number);
    check_number(model, some_number(random, shape));
}

static void random_steps_agree_with_a_plain_array(void)
{
    static struct model model;
    uint64_t random = test_seed();
    CHECK(radix_tree_init(&model.tree, MODEL_CAPACITY));
    uint32_t shape = 0;
    const uint32_t steps = 100000;
    for (uint32_t i = 0; i < steps; i++) {
        shape = i % 1024 == 0 ? below(&random, 5) : shape;
        step(&model, &random, shape, i / 4096 % 2 == 0);
        if (i % 64 == 0) {
            radix_tree_check(&model.tree);
            check_walk(&model);
        }
    }
    while (model.count > 0) {
        model_remove(&model, below(&random, model.count));
    }
    radix_tree_check(&model.tree);
    CHECK_EQ(nodes_count(&model.tree), 0);
    CHECK_EQ(radix_tree_next(&model.tree, 0, &(uint64_t){0}), 0);
    radix_tree_fini(&model.tree);
}

static void the_first_and_the_last_number_stand_together(void)
{
    struct radix_tree tree;
    uint64_t number = 0;
    CHECK(radix_tree_init(&tree, 2));
    CHECK(radix_tree_put(&tree, NUMBER_END - 1, 7));
    CHECK_EQ(tree.levels, 1);
    CHECK_EQ(radix_tree_next(&tree, 0, &number), 7);
    CHECK(number == NUMBER_END - 1);
    CHECK(radix_tree_put(&tree, 0, 8));
    CHECK_EQ(tree.levels, 10);
    CHECK_EQ(nodes_count(&tree), 19);
    CHECK_EQ(radix_tree_next(&tree, 1, &number), 7);
    CHECK(number == NUMBER_END - 1);
    CHECK_EQ(radix_tree_next(&tree, NUMBER_END, &number), 0);
    CHECK_EQ(radix_tree_next(&tree, UINT64_MAX, &number), 0);
    CHECK(!radix_tree_put(&tree, 5, 9)); /* as many as its capacity */
    CHECK(!radix_tree_reserve(&tree));
    radix_tree_check(&tree);
    radix_tree_remove(&tree, NUMBER_END - 1);
    CHECK_EQ(tree.levels, 1);
    CHECK_EQ(nodes_count(&tree), 1);
    CHECK_EQ(radix_tree_get(&tree, 0), 8);
    radix_tree_check(&tree);
    radix_tree_fini(&tree);
}

/* ---- numbers that rise ---- */

static void old_numbers_that_go_take_their_nodes_with_them(void)
{
    enum { WINDOW = 1000 };
    struct radix_tree tree;
    uint64_t first = (UINT64_C(5) << 40) + test_seed() % 4096;
    const uint32_t rounds = 1000000;
    CHECK(radix_tree_init(&tree, WINDOW));
    for (uint32_t i = 0; i < rounds; i++) {
        if (i >= WINDOW) {
            CHECK_EQ(radix_tree_get(&tree, first + i - WINDOW), i - WINDOW + 1);
            radix_tree_remove(&tree, first + i - WINDOW);
        }
        CHECK(radix_tree_put(&tree, first + i, i + 1));
        /* Leaves of the window, and at a border of high nodes a chain on either side. */
        CHECK_LE(nodes_count(&tree), WINDOW / 64 + 2 + 8);
        CHECK_LE(radix_tree_bytes(&tree), 2 * REGION_GRAIN);
    }
    radix_tree_check(&tree);
    radix_tree_fini(&tree);
}

static void put_many(struct radix_tree *tree, uint32_t count)
{
    CHECK(radix_tree_init(tree, count));
    for (uint32_t number = 0; number < count; number++) {
        CHECK(radix_tree_put(tree, number, number + 1));
    }
    radix_tree_check(tree);
    CHECK_LE(nodes_count(tree), count / 63 + 8);
    CHECK_LE(radix_tree_bytes(tree), count * UINT64_C(47) / 10 + 4 * REGION_GRAIN);
}

static uint32_t many_numbers(void)
{
    return getenv("CANCELD_TEST_LONG") != NULL ? 10000000 : 1000000;
}

/* Leaves are left where one of their 64 numbers is; but the first hundredth in order leaves no other. */
static void memory_goes_back_when_99_of_100_are_gone(void)
{
    struct radix_tree tree;
    uint64_t random = test_seed();
    const uint32_t count = many_numbers();
    put_many(&tree, count);
    size_t bytes = radix_tree_bytes(&tree);
    for (uint32_t number = 0; number < count; number++) {
        if (below(&random, 100) != 0) {
            radix_tree_remove(&tree, number);
            CHECK_LE(radix_tree_compact(&tree, 1), 1);
        }
    }
    radix_tree_check(&tree);
    CHECK_LE(radix_tree_bytes(&tree), bytes * 20 / 100 + 2 * REGION_GRAIN);
    uint64_t number = 0;
    while (tree.count > count / 200) {
        uint32_t id = radix_tree_next(&tree, number, &number);
        CHECK_EQ(id, number + 1);
        radix_tree_remove(&tree, number);
        (void) radix_tree_compact(&tree, 2);
    }
    radix_tree_check(&tree);
    while (radix_tree_next(&tree, number, &number) != 0 && number < count - count / 100) {
        radix_tree_remove(&tree, number);
        (void) radix_tree_compact(&tree, 2);
    }
    radix_tree_check(&tree);
    CHECK_LE(radix_tree_bytes(&tree), bytes / 20 + 2 * REGION_GRAIN);
    radix_tree_fini(&tree);
}

static void a_walk_is_taken_up_again_whatever_comes_and_goes(void)
{
    enum { SPAN = 20000 };
    struct radix_tree tree;
    uint64_t random = test_seed();
    CHECK(radix_tree_init(&tree, SPAN));
    for (uint64_t number = 0; number < SPAN; number++) {
        CHECK(number % 3 == 2 || radix_tree_put(&tree, number, 1));
    }
    uint64_t number = 0;
    uint64_t expected = 0; /* multiples of 3 stay; others come and go */
    while (radix_tree_next(&tree, number, &number) != 0) {
        CHECK_LE(number, expected);
        if (number % 3 == 0) {
            CHECK(number == expected);
            expected += 3;
        }
        for (uint32_t i = 0; i < 4; i++) {
            uint64_t other = below(&random, SPAN / 3) * UINT64_C(3) + 1 + i % 2;
            if (radix_tree_get(&tree, other) != 0) {
                radix_tree_remove(&tree, other);
            } else if (other < SPAN) {
                CHECK(radix_tree_put(&tree, other, 1));
            }
            (void) radix_tree_compact(&tree, 1);
        }
        number++;
    }
    CHECK_GE(expected, SPAN);
    radix_tree_check(&tree);
    radix_tree_fini(&tree);
}

/* ---- no memory ---- */

/* Numbers below 2^48 and far from each other, so that each needs nodes of several levels. */
static uint64_t far_number(uint32_t i)
{
    uint64_t state = i;
    return test_random(&state) >> 16;
}

static void check_far_numbers(const struct radix_tree *tree, uint32_t count)
{
    radix_tree_check(tree);
    CHECK_EQ(tree->count, count);
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQ(radix_tree_get(tree, far_number(i)), i + 1);
    }
}

static void without_memory_a_put_says_no_unless_it_was_reserved(void)
{
    TEST_NEEDS_LIMITS
    enum { CAPACITY = 100000 };
    struct radix_tree tree;
    CHECK(radix_tree_init(&tree, CAPACITY));
    test_data_limit(test_data_bytes() + 32 * REGION_GRAIN);
    uint32_t count = 0;
    uint32_t reserved = 0;
    for (bool is_put = true; is_put; count += is_put) {
        bool is_reserved = radix_tree_reserve(&tree);
        is_put = radix_tree_put(&tree, far_number(count), count + 1);
        CHECK(is_put || !is_reserved);
        reserved += is_reserved;
    }
    CHECK_GT(reserved, 1000);
    CHECK_LT(count, CAPACITY);
    uint32_t nodes = nodes_count(&tree);
    CHECK(!radix_tree_put(&tree, far_number(count), count + 1));
    CHECK_EQ(nodes_count(&tree), nodes);
    check_far_numbers(&tree, count);
    radix_tree_remove(&tree, far_number(--count));
    CHECK(
        !radix_tree_put(&tree, NUMBER_END - 1, 1)); /* there is a node, but not for a higher tree */
    check_far_numbers(&tree, count);
    test_data_limit(RLIM_INFINITY);
    CHECK(radix_tree_reserve(&tree));
    CHECK(radix_tree_put(&tree, far_number(count), count + 1));
    check_far_numbers(&tree, count + 1);
    radix_tree_fini(&tree);
}

static const struct test_case cases[] = {
    {"random steps agree with a plain array", random_steps_agree_with_a_plain_array},
    {"the first and the last number stand together", the_first_and_the_last_number_stand_together},
    {"old numbers that go take their nodes with them",
     old_numbers_that_go_take_their_nodes_with_them},
    {"memory goes back when 99 of 100 are gone", memory_goes_back_when_99_of_100_are_gone, 240000},
    {"a walk is taken up again whatever comes and goes",
     a_walk_is_taken_up_again_whatever_comes_and_goes},
    {"without memory a put says no unless it was reserved",
     without_memory_a_put_says_no_unless_it_was_reserved},
};
TEST_MAIN(cases)
