/* SPDX-License-Identifier: MIT */
/* The registry behind a port of the test's own, which says how large each answer is: many small ones that wait for
 * the journal, and one that no frame holds. */
#include "registry/registry.h"
#include "testing.h"

#include <string.h>

static struct registry *registry;
static size_t answer_bytes;
static size_t replies;
static size_t refusals;
static uint64_t records;
static enum answer answer;
static const char *limit; /* a word of static storage */

static size_t put_head(void *context, const struct reply_head *head, uint8_t *out, size_t room)
{
    (void) context;
    CHECK(room > 0);
    out[0] = (uint8_t) head->error.code;
    return 1;
}

static size_t put_result(void *context, const struct result *result, uint8_t *out, size_t room)
{
    (void) context;
    if (answer_bytes > room) {
        return 0;
    }
    answer = result->answer;
    limit = result->limit;
    memset(out, 0, answer_bytes);
    return answer_bytes;
}

static void receive(void *context, const struct reply_to *to, struct bytes reply)
{
    (void) context, (void) to;
    replies++;
    refusals += reply.data[0] != ERROR_UNSET;
}

static void take_record(void *context, const struct journal_record *record)
{
    (void) context, (void) record;
    records++;
}

static uint64_t tell_pending(void *context)
{
    (void) context;
    return 0;
}

static void begin(const struct limits *limits)
{
    struct registry_config config = {.limits = *limits, .epoch = 1, .counter_first = 1};
    struct registry_port port = {.send = receive,
                                 .head = put_head,
                                 .result = put_result,
                                 .journal = take_record,
                                 .journal_pending = tell_pending};
    answer_bytes = 1;
    registry = registry_new(&config, &port);
    CHECK(registry != NULL);
    CHECK(registry_link_up(registry, 1, bytes_of_string("uid:1")));
}

static void ask(struct op op)
{
    struct frame frame = {.version = 1, .ops = &op, .ops_count = 1};
    registry_frame(registry, &(struct reply_to){.link = 1}, &frame, 1);
}

static struct op arm(const char *key)
{
    struct op op = {.kind = OP_CANCEL, .key = bytes_of_string(key)};
    op.as.cancel.arm_ttl_ms = 1000;
    return op;
}

static struct op armed(void)
{
    return (struct op){.kind = OP_ARMED, .as.list.cursor = 0};
}

/* Answers of so many bytes wait until no more can; how many did. */
static size_t hold_all(size_t bytes)
{
    answer_bytes = 1;
    ask(arm("k"));
    CHECK_EQ(answer, ANSWER_ARMED);
    CHECK_EQ(replies, 0); /* it waits */
    answer_bytes = bytes;
    size_t held = 1;
    while (refusals == 0) {
        ask(armed());
        held++;
    }
    CHECK_EQ(replies, 1); /* the refusal */
    registry_check(registry);
    return held - 1;
}

static void no_cancel_is_accepted(void)
{
    answer_bytes = 1;
    ask(arm("other"));
    CHECK_EQ(answer, ANSWER_FULL);
    CHECK_STR_EQ(limit, "journal");
}

static void answers_that_wait_have_a_bound_in_number(void)
{
    struct limits limits = limits_default();
    limits.journal_bytes = UINT64_C(1) << 20;
    begin(&limits);
    size_t held = hold_all(1);
    CHECK_LT(held * 2, limits.journal_bytes - FRAME_BYTES_MAX); /* in bytes there was room */
    no_cancel_is_accepted();
    replies = 0;
    registry_journal_kept(registry, records, 1);
    CHECK_EQ(replies, held);
    registry_check(registry);
    registry_free(registry);
}

static void answers_that_wait_have_a_bound_in_bytes(void)
{
    struct limits limits = limits_default();
    limits.journal_bytes = UINT64_C(1) << 20;
    begin(&limits);
    size_t held = hold_all(60000);
    CHECK_LT(held, 20);
    no_cancel_is_accepted();
    registry_free(registry);
}

static void an_answer_that_no_frame_holds_is_refused(void)
{
    struct limits limits = limits_default();
    begin(&limits);
    answer_bytes = FRAME_BYTES_MAX + 1;
    ask(arm("k"));
    CHECK_EQ(refusals, 1);
    answer_bytes = 1;
    ask((struct op){.kind = OP_DISARM, .key = bytes_of_string("k")});
    CHECK_EQ(answer, ANSWER_NOT_FOUND); /* nothing was done */
    registry_check(registry);
    registry_free(registry);
}

static const struct test_case cases[] = {
    {"answers that wait for the journal have a bound in number",
     answers_that_wait_have_a_bound_in_number},
    {"answers that wait for the journal have a bound in bytes",
     answers_that_wait_have_a_bound_in_bytes},
    {"an answer that no frame holds is refused, and nothing is done",
     an_answer_that_no_frame_holds_is_refused},
};
TEST_MAIN(cases)
