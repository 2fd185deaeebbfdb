/* SPDX-License-Identifier: MIT */
/* The quick way of encoding beside the general one, over results by chance: the same bytes, and the
 * same word on whether there is room. */
#include "testing.h"
#include "wire/codec_general.h"
#include "wire/result_writer.h"

#include <stdio.h>
#include <string.h>

#define RESULTS_COUNT TEST_SCALE(300000)
#define LIST_MAX 6
#define ROOM ((size_t) 65536)

/* ---- making ---- */

static uint64_t seed;
static uint8_t noise[2048];

static uint32_t below(uint32_t bound)
{
    return (uint32_t) (test_random(&seed) % bound);
}

/* Of any number of bytes on the wire; nothing, more often than not. */
static uint64_t some_number(void)
{
    return below(2) == 0 ? 0 : test_random(&seed) >> below(64);
}

static bool some_bool(void)
{
    return below(4) == 0;
}

static struct bytes some_bytes(void)
{
    static const uint32_t bounds[] = {1, 1, 40, 140, 300, 1025};
    const uint32_t size = below(bounds[below(6)]);
    return bytes_of(noise + below(sizeof noise - 1025), size);
}

static struct cause some_cause(void)
{
    return (struct cause){.code = (enum cause_code) below(CAUSE_END),
                          .text = some_bytes(),
                          .actor = some_bytes(),
                          .peer = some_bytes()};
}

static struct gen_result some_gen(void)
{
    return (struct gen_result){.gen = some_number(),
                               .answer = (enum answer) below(60),
                               .level = (enum level) below(LEVEL_END),
                               .outcome = (enum outcome) below(OUTCOME_END),
                               .state = (enum state) below(STATE_END),
                               .key = some_bytes()};
}

static struct notice some_notice(void)
{
    return (struct notice){.number = some_number(),
                           .space = some_bytes(),
                           .key = some_bytes(),
                           .gen = some_number(),
                           .kind = (enum notice_kind) below(3),
                           .cause = some_cause(),
                           .outcome = (enum outcome) below(OUTCOME_END)};
}

static struct operation_info some_operation(void)
{
    struct operation_info operation = {.space = some_bytes(),
                                       .key = some_bytes(),
                                       .gen = some_number(),
                                       .state = (enum state) below(STATE_END),
                                       .outcome = (enum outcome) below(OUTCOME_END),
                                       .age_ms = some_number(),
                                       .ttl_left_ms = some_number(),
                                       .owner = some_number(),
                                       .owner_name = some_bytes(),
                                       .meta = some_bytes(),
                                       .cause = some_cause(),
                                       .level = (enum level) below(LEVEL_END),
                                       .parent = some_number(),
                                       .cancelling_ms = some_number()};
    operation.labels_count = some_bool() ? below(LABELS_MAX + 1) : 0;
    for (size_t i = 0; i < operation.labels_count; i++) {
        operation.labels[i] = some_bytes();
    }
    return operation;
}

/* What the lists of the result being made hold. */
static struct {
    struct gen_result gens[LIST_MAX];
    struct notice notices[LIST_MAX];
    struct operation_info operations[LIST_MAX];
    struct armed_key armed;
    struct event event;
    struct opened opened;
} lists;

static size_t some_count(void)
{
    return some_bool() ? below(LIST_MAX + 1) : 0;
}

static void add_lists(struct result *result)
{
    for (size_t i = 0; i < LIST_MAX; i++) {
        lists.gens[i] = some_gen();
        lists.notices[i] = some_notice();
        lists.operations[i] = some_operation();
    }
    result->gens = lists.gens;
    result->gens_count = some_count();
    result->notices = lists.notices;
    result->notices_count = some_count();
    result->operations = lists.operations;
    result->operations_count = some_count();
}

static void add_figures(struct result *result)
{
    result->next_cursor = some_number();
    result->count = some_number();
    result->retry_ms = (uint32_t) some_number();
    result->requested = some_number();
    result->already_requested = some_number();
    result->journaled = some_bool();
    result->memory_incomplete = some_bool();
    result->revision = some_number();
    result->epoch = some_number();
}

/* One of what goes the general way. */
static void add_unusual(struct result *result)
{
    switch (below(5)) {
    case 0:
        result->limit = "ops";
        break;
    case 1:
        result->error = (struct error){.code = ERROR_FIELD, .field = "key", .text = "it is bad"};
        break;
    case 2:
        lists.opened = (struct opened){.session = some_number(), .space = some_bytes()};
        result->opened = &lists.opened;
        break;
    case 3:
        lists.armed = (struct armed_key){.key = some_bytes(), .cause = some_cause()};
        result->armed = &lists.armed;
        result->armed_count = 1;
        break;
    default:
        lists.event = (struct event){.key = some_bytes(), .cause = some_cause()};
        result->events = &lists.event;
        result->events_count = 1;
        break;
    }
}

static struct result some_result(void)
{
    struct result result = {.answer = (enum answer) below(60),
                            .gen = some_number(),
                            .state = (enum state) below(STATE_END),
                            .outcome = (enum outcome) below(OUTCOME_END),
                            .level = (enum level) below(LEVEL_END),
                            .no_owner = some_bool(),
                            .cancelled = some_bool(),
                            .by_owner = some_bool(),
                            .more = some_bool()};
    if (below(2) == 0) {
        result.cause = some_cause();
    }
    if (below(2) == 0) {
        add_figures(&result);
    }
    if (below(2) == 0) {
        add_lists(&result);
    }
    if (below(8) == 0) {
        add_unusual(&result);
    }
    return result;
}

/* ---- the cases ---- */

#define GUARD 0xa5

/* Encodes both ways into so much room, and looks that nothing was written behind it. */
static size_t encode_both(const struct result *result, size_t room)
{
    static uint8_t general[ROOM + 64];
    static uint8_t ours[ROOM + 64];
    memset(ours + room, GUARD, 64);
    const size_t size = codec_result_general(NULL, result, general, room);
    CHECK_EQ(codec_result(NULL, result, ours, room), size);
    CHECK_BYTES_EQ(ours, size, general, size);
    for (size_t i = 0; i < 64; i++) {
        CHECK_EQ(ours[room + i], GUARD);
    }
    return size;
}

static void results(void)
{
    static uint8_t out[ROOM];
    size_t quick = 0;
    seed = test_seed();
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t) test_random(&seed);
    }
    for (size_t i = 0; i < RESULTS_COUNT; i++) {
        const struct result result = some_result();
        const size_t size = encode_both(&result, ROOM);
        CHECK_GT(size, 0);
        CHECK_EQ(encode_both(&result, size), size);
        CHECK_EQ(encode_both(&result, size - 1), 0);
        CHECK_EQ(encode_both(&result, below((uint32_t) size)), 0);
        (void) encode_both(&result, size + below(1000));
        size_t ignored;
        quick += result_write(&result, out, ROOM, &ignored) ? 1 : 0;
    }
    (void) printf("%zu of %zu results went the quick way\n", quick, (size_t) RESULTS_COUNT);
    CHECK_GT(quick, RESULTS_COUNT / 2);
    CHECK_LT(quick, RESULTS_COUNT);
}

static void heads(void)
{
    static uint8_t general[1024];
    static uint8_t ours[1024];
    size_t quick = 0;
    seed = test_seed();
    for (size_t i = 0; i < 20000; i++) {
        struct reply_head head = {.session = some_number(), .request_id = some_number()};
        if (below(8) == 0) {
            head.error = (struct error){.code = ERROR_FULL, .text = "no room", .limit = "ops"};
        }
        const size_t room = below(2) == 0 ? sizeof ours : below(64);
        const size_t size = codec_head_general(NULL, &head, general, room);
        CHECK_EQ(codec_head(NULL, &head, ours, room), size);
        CHECK_BYTES_EQ(ours, size, general, size);
        size_t ignored;
        quick += result_write_head(&head, ours, sizeof ours, &ignored) ? 1 : 0;
    }
    CHECK_GT(quick, 10000);
    CHECK_LT(quick, 20000);
}

static const struct test_case cases[] = {
    {"a result has the same bytes both ways, in any room", results, 300000},
    {"a reply's head has the same bytes both ways", heads, 0},
};

TEST_MAIN(cases)
