/* SPDX-License-Identifier: MIT */
/* The codec without memory; and, first of all, that a run which crashes, hangs, leaks or goes wrong is seen. */
#include "codec_rig.h"
#include "points.h"

/* ---- runs that do not survive ---- */

static void *volatile kept;

static void crash_run(void)
{
    points_arm();
    void *volatile memory = malloc(10);
    if (memory == NULL) {
        abort();
    }
    free(memory);
    (void) points_disarm();
}

static void leak_run(void)
{
    points_arm();
    void *volatile first = malloc(10); /* else the compiler does without them */
    void *volatile second = malloc(20);
    if (second != NULL) {
        free(first); /* else it is forgotten */
    }
    free(second);
    (void) points_disarm();
}

static void wrong_run(void)
{
    points_arm();
    kept = malloc(10);
    const bool failed = kept == NULL;
    free(kept);
    CHECK_EQ(points_disarm(), failed);
    CHECK(!failed);
}

static void hang_run(void)
{
    points_arm();
    kept = malloc(10);
    while (kept == NULL) {
    }
    free(kept);
    (void) points_disarm();
}

static void what_is_not_survived_is_seen(void)
{
    const struct points_scenario crash = {.name = "planted crash", .run = crash_run};
    const struct points_scenario leak = {.name = "planted leak", .run = leak_run};
    const struct points_scenario wrong = {.name = "planted wrong answer", .run = wrong_run};
    const struct points_scenario hang = {.name = "planted hang", .run = hang_run, .hang_s = 1};
    const struct points_count crashes = points_run(&crash);
    CHECK_EQ(crashes.points, 2);
    CHECK_EQ(crashes.survived, 0);
    CHECK_EQ(crashes.crashed, 2);
    const struct points_count leaks = points_run(&leak);
    CHECK_EQ(leaks.points, 4);
    CHECK_EQ(leaks.survived, 2);
    CHECK_EQ(leaks.leaked, 2);
    const struct points_count wrongs = points_run(&wrong);
    CHECK_EQ(wrongs.points, 2);
    CHECK_EQ(wrongs.wrong, 2);
    const struct points_count hangs = points_run(&hang);
    CHECK_EQ(hangs.points, 2);
    CHECK_EQ(hangs.hung, 2);
}

/* ---- the codec ---- */

/* All kinds, with what each may hold; gives how many came out right. */
static size_t decode_kinds(struct codec *codec)
{
    size_t good = 0;
    for (uint64_t number = 1; number < 40; number++) {
        struct frame frame;
        put_bare_ops(50, number, false);
        good += decode(codec, &frame) == ERROR_UNSET ? 1 : 0;
    }
    return good;
}

static size_t encode_answers(void)
{
    uint8_t out[4096];
    size_t bytes = codec_head(NULL, &(struct reply_head){.request_id = 7}, out, sizeof out);
    struct result result = {.answer = ANSWER_STORED, .gen = 8};
    return bytes + codec_result(NULL, &result, out, sizeof out);
}

static void codec_run(void)
{
    static size_t decoded;
    static size_t encoded;
    points_arm();
    struct codec *codec = codec_new(&digest_key);
    const uint64_t at_start = fault_control()->allocations;
    const size_t kinds = codec == NULL ? 0 : decode_kinds(codec);
    const size_t bytes = codec == NULL ? 0 : encode_answers();
    const uint64_t at_end = fault_control()->allocations;
    const bool failed = points_disarm();
    CHECK_EQ(at_start, at_end); /* nothing is allocated after the start */
    CHECK_EQ(codec == NULL, failed);
    if (codec == NULL) {
        codec = codec_of_case(); /* the next one is there */
        CHECK_EQ(decode_kinds(codec), decoded);
    } else {
        decoded = kinds;
        encoded = bytes;
    }
    CHECK_GT(decoded, 10);
    CHECK_EQ(encode_answers(), encoded);
    codec_free(codec);
}

static void the_codec(void)
{
    const struct points_scenario scenario = {.name = "codec", .run = codec_run};
    points_check(&scenario);
}

static const struct test_case cases[] = {
    {"a run that crashes, hangs, leaks or goes wrong is counted and the rest is run",
     what_is_not_survived_is_seen},
    {"the codec allocates at its start alone, and each failure is told", the_codec},
};
TEST_MAIN(cases)
