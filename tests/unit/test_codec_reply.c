/* SPDX-License-Identifier: MIT */
/* Replies: protobuf-c reads what the codec wrote. */
#include "codec_rig.h"

/* ---- replies ---- */

static uint8_t reply_bytes[BUFFER_BYTES];
static size_t reply_size;

static void begin_reply(void)
{
    const struct reply_head head = {.session = 5, .request_id = 6};
    reply_size = codec_head(NULL, &head, reply_bytes, sizeof reply_bytes);
    CHECK_GT(reply_size, 0);
}

/* Adds a result, which has to fit exactly into its own size and into nothing less. */
static size_t add_result(const struct result *result)
{
    uint8_t *at = reply_bytes + reply_size;
    const size_t size = codec_result(NULL, result, at, sizeof reply_bytes - reply_size);
    CHECK_GT(size, 0);
    uint8_t *tight = malloc(size);
    CHECK(tight != NULL);
    CHECK_EQ(codec_result(NULL, result, tight, size - 1), 0);
    CHECK_EQ(codec_result(NULL, result, tight, size), size);
    CHECK_BYTES_EQ(tight, size, at, size);
    free(tight);
    reply_size += size;
    return size;
}

static Canceld__V1__Reply *parse_reply(void)
{
    Canceld__V1__Reply *reply = canceld__v1__reply__unpack(NULL, reply_size, reply_bytes);
    CHECK(reply != NULL);
    CHECK_EQ(reply->version, 1);
    CHECK_EQ(reply->base.n_unknown_fields, 0);
    return reply;
}

#define CHECK_DATA(data_, text) CHECK_BYTES_EQ((data_).data, (data_).len, text, sizeof(text) - 1)

static void a_reply_in_pieces(void)
{
    const struct cause cause = {.code = CAUSE_DEADLINE,
                                .text = bytes_of("t\0t", 3),
                                .actor = bytes_of_string("actor"),
                                .peer = bytes_of_string("uid 0")};
    begin_reply();
    (void) add_result(&(struct result){.answer = ANSWER_STORED, .gen = UINT64_MAX});
    (void) add_result(&(struct result){.answer = ANSWER_ENDED,
                                       .gen = 3,
                                       .state = STATE_ENDED,
                                       .outcome = OUTCOME_OWNER_LOST,
                                       .level = LEVEL_DELIVERED,
                                       .cause = cause,
                                       .no_owner = true,
                                       .cancelled = true,
                                       .by_owner = true,
                                       .more = true,
                                       .limit = "operations",
                                       .next_cursor = 18,
                                       .count = 19});
    (void) add_result(&(struct result){
        .answer = ANSWER_ERROR,
        .error = {.code = ERROR_FIELD, .field = "key", .text = "too long", .limit = "bytes"}});
    Canceld__V1__Reply *reply = parse_reply();
    CHECK_EQ(reply->session, 5);
    CHECK_EQ(reply->request_id, 6);
    CHECK(reply->error == NULL);
    CHECK_EQ(reply->n_results, 3);
    CHECK_EQ(reply->results[0]->answer, ANSWER_STORED);
    CHECK(reply->results[0]->gen == UINT64_MAX);
    CHECK(reply->results[0]->cause == NULL && reply->results[0]->error == NULL);
    const Canceld__V1__Result *result = reply->results[1];
    CHECK_EQ(result->answer, ANSWER_ENDED);
    CHECK_EQ(result->gen, 3);
    CHECK_EQ(result->state, STATE_ENDED);
    CHECK_EQ(result->outcome, OUTCOME_OWNER_LOST);
    CHECK_EQ(result->level, LEVEL_DELIVERED);
    CHECK_EQ(result->cause->code, CAUSE_DEADLINE);
    CHECK_DATA(result->cause->text, "t\0t");
    CHECK_DATA(result->cause->actor, "actor");
    CHECK_DATA(result->cause->peer, "uid 0");
    CHECK(result->no_owner && result->cancelled && result->by_owner && result->more);
    CHECK_STR_EQ(result->limit, "operations");
    CHECK_EQ(result->next_cursor, 18);
    CHECK_EQ(result->count, 19);
    CHECK(!result->journaled && !result->memory_incomplete);
    CHECK_EQ(reply->results[2]->error->code, ERROR_FIELD);
    CHECK_STR_EQ(reply->results[2]->error->field, "key");
    CHECK_STR_EQ(reply->results[2]->error->text, "too long");
    CHECK_STR_EQ(reply->results[2]->error->limit, "bytes");
    canceld__v1__reply__free_unpacked(reply, NULL);
}

static void what_a_cancel_of_many_gets(void)
{
    begin_reply();
    (void) add_result(&(struct result){.answer = ANSWER_REQUESTED,
                                       .retry_ms = UINT32_MAX,
                                       .requested = UINT64_MAX,
                                       .already_requested = 22,
                                       .journaled = true,
                                       .memory_incomplete = true,
                                       .revision = UINT64_MAX - 1,
                                       .epoch = 23});
    Canceld__V1__Reply *reply = parse_reply();
    const Canceld__V1__Result *result = reply->results[0];
    CHECK(result->retry_ms == UINT32_MAX);
    CHECK(result->requested == UINT64_MAX);
    CHECK_EQ(result->already_requested, 22);
    CHECK(result->journaled && result->memory_incomplete);
    CHECK(result->revision == UINT64_MAX - 1);
    CHECK_EQ(result->epoch, 23);
    canceld__v1__reply__free_unpacked(reply, NULL);
}

static void what_an_open_gets(void)
{
    struct opened opened = {.session = 1,
                            .epoch = 2,
                            .grace_ms = 3,
                            .finished_ms = 4,
                            .parked_max = 5,
                            .resumed = true,
                            .space = bytes_of_string("space")};
    memcpy(opened.secret, "0123456789abcdef", SECRET_BYTES);
    begin_reply();
    (void) add_result(&(struct result){.answer = ANSWER_OPENED, .opened = &opened});
    Canceld__V1__Reply *reply = parse_reply();
    const Canceld__V1__Opened *got = reply->results[0]->opened;
    CHECK_EQ(got->session, 1);
    CHECK_DATA(got->secret, "0123456789abcdef");
    CHECK_EQ(got->epoch, 2);
    CHECK_EQ(got->grace_ms, 3);
    CHECK_EQ(got->finished_ms, 4);
    CHECK_EQ(got->parked_max, 5);
    CHECK(got->resumed);
    CHECK_DATA(got->namespace_, "space");
    canceld__v1__reply__free_unpacked(reply, NULL);
}

static void lists_of_gens_notices_armed_and_stats(void)
{
    const struct gen_result gens[] = {{.gen = 1,
                                       .answer = ANSWER_FINISHED,
                                       .level = LEVEL_STOPPED,
                                       .outcome = OUTCOME_FAILED,
                                       .state = STATE_CANCELLING,
                                       .key = bytes_of("g\0k", 3)},
                                      {.gen = 0}};
    const struct notice notices[] = {{.number = 7,
                                      .space = bytes_of_string("s"),
                                      .key = bytes_of("\0", 1),
                                      .gen = 8,
                                      .kind = NOTICE_ENDED,
                                      .cause = {.code = CAUSE_USER},
                                      .outcome = OUTCOME_EXPIRED},
                                     {.number = 9}};
    const struct armed_key armed[] = {{.space = bytes_of_string("as"),
                                       .key = bytes_of_string("ak"),
                                       .cause = {.code = CAUSE_POLICY},
                                       .ttl_left_ms = 10}};
    static const struct stat_row stats[] = {{"one", 1}, {"most", UINT64_MAX}, {"none", 0}};
    begin_reply();
    (void) add_result(&(struct result){.answer = ANSWER_REQUESTED,
                                       .gens = gens,
                                       .gens_count = 2,
                                       .notices = notices,
                                       .notices_count = 2,
                                       .armed = armed,
                                       .armed_count = 1,
                                       .stats = stats,
                                       .stats_count = 3});
    Canceld__V1__Reply *reply = parse_reply();
    const Canceld__V1__Result *result = reply->results[0];
    CHECK_EQ(result->n_gens, 2);
    CHECK_EQ(result->gens[0]->gen, 1);
    CHECK_EQ(result->gens[0]->answer, ANSWER_FINISHED);
    CHECK_EQ(result->gens[0]->level, LEVEL_STOPPED);
    CHECK_EQ(result->gens[0]->outcome, OUTCOME_FAILED);
    CHECK_EQ(result->gens[0]->state, STATE_CANCELLING);
    CHECK_DATA(result->gens[0]->key, "g\0k");
    CHECK_EQ(result->gens[1]->key.len, 0);
    CHECK_EQ(result->n_notices, 2);
    CHECK_EQ(result->notices[0]->number, 7);
    CHECK_DATA(result->notices[0]->namespace_, "s");
    CHECK_DATA(result->notices[0]->key, "\0");
    CHECK_EQ(result->notices[0]->gen, 8);
    CHECK_EQ(result->notices[0]->kind, NOTICE_ENDED);
    CHECK_EQ(result->notices[0]->cause->code, CAUSE_USER);
    CHECK_EQ(result->notices[0]->outcome, OUTCOME_EXPIRED);
    CHECK_EQ(result->notices[1]->number, 9);
    CHECK(result->notices[1]->cause == NULL);
    CHECK_EQ(result->n_armed, 1);
    CHECK_DATA(result->armed[0]->namespace_, "as");
    CHECK_DATA(result->armed[0]->key, "ak");
    CHECK_EQ(result->armed[0]->cause->code, CAUSE_POLICY);
    CHECK_EQ(result->armed[0]->ttl_left_ms, 10);
    CHECK_EQ(result->n_stats, 3);
    CHECK_STR_EQ(result->stats[1]->name, "most");
    CHECK(result->stats[1]->value == UINT64_MAX);
    CHECK_STR_EQ(result->stats[2]->name, "none");
    canceld__v1__reply__free_unpacked(reply, NULL);
}

/* Labels of the i-th operation: i % 9 of them, each another. */
static size_t label_operation(struct bytes labels[LABELS_MAX], size_t i)
{
    static const char texts[LABELS_MAX][3] = {"l0", "l1", "l2", "l3", "l4", "l5", "l6", "l7"};
    for (size_t k = 0; k < i % (LABELS_MAX + 1); k++) {
        labels[k] = bytes_of_string(texts[k]);
    }
    return i % (LABELS_MAX + 1);
}

static void a_page_of_operations(void)
{
    static struct operation_info operations[1000];
    for (size_t i = 0; i < 1000; i++) {
        operations[i] = (struct operation_info){.space = bytes_of_string("space"),
                                                .key = bytes_of_string("key"),
                                                .gen = i + 1,
                                                .state = STATE_CANCELLING,
                                                .outcome = OUTCOME_CANCELLED,
                                                .age_ms = 2,
                                                .ttl_left_ms = 3,
                                                .owner = 4,
                                                .owner_name = bytes_of_string("name"),
                                                .meta = bytes_of("m\0", 2),
                                                .cause = {.code = CAUSE_SHUTDOWN},
                                                .level = LEVEL_RECORDED,
                                                .parent = i,
                                                .cancelling_ms = UINT64_MAX};
        operations[i].labels_count = label_operation(operations[i].labels, i);
    }
    begin_reply();
    (void) add_result(&(struct result){
        .answer = ANSWER_PAGE, .operations = operations, .operations_count = 1000});
    (void) add_result(&(struct result){.answer = ANSWER_PONG});
    Canceld__V1__Reply *reply = parse_reply();
    CHECK_EQ(reply->n_results, 2);
    CHECK_EQ(reply->results[0]->n_operations, 1000);
    for (size_t i = 0; i < 1000; i++) {
        const Canceld__V1__Operation *got = reply->results[0]->operations[i];
        CHECK_DATA(got->namespace_, "space");
        CHECK_DATA(got->key, "key");
        CHECK_EQ(got->gen, i + 1);
        CHECK_EQ(got->state, STATE_CANCELLING);
        CHECK_EQ(got->outcome, OUTCOME_CANCELLED);
        CHECK_EQ(got->age_ms, 2);
        CHECK_EQ(got->ttl_left_ms, 3);
        CHECK_EQ(got->owner, 4);
        CHECK_DATA(got->owner_name, "name");
        CHECK_DATA(got->meta, "m\0");
        CHECK_EQ(got->cause->code, CAUSE_SHUTDOWN);
        CHECK_EQ(got->level, LEVEL_RECORDED);
        CHECK_EQ(got->parent, i);
        CHECK(got->cancelling_ms == UINT64_MAX);
        CHECK_EQ(got->n_labels, i % (LABELS_MAX + 1));
        for (size_t k = 0; k < got->n_labels; k++) {
            CHECK_BYTES_EQ(got->labels[k].data, got->labels[k].len, operations[i].labels[k].data,
                           operations[i].labels[k].size);
        }
    }
    canceld__v1__reply__free_unpacked(reply, NULL);
}

static void events_of_a_watch(void)
{
    static struct event events[2000];
    for (size_t i = 0; i < 2000; i++) {
        events[i] = (struct event){.revision = UINT64_MAX - i,
                                   .key = bytes_of("k\0", 2),
                                   .gen = i + 1,
                                   .state = STATE_ENDED,
                                   .outcome = OUTCOME_EXPIRED,
                                   .cause = {.code = i % 2 == 0 ? CAUSE_PARENT : CAUSE_UNSET,
                                             .peer = bytes_of_string("uid:0")}};
    }
    begin_reply();
    (void) add_result(&(struct result){.answer = ANSWER_EVENTS,
                                       .events = events,
                                       .events_count = 2000,
                                       .epoch = 3,
                                       .revision = 4,
                                       .more = true});
    Canceld__V1__Reply *reply = parse_reply();
    const Canceld__V1__Result *result = reply->results[0];
    CHECK_EQ(result->answer, ANSWER_EVENTS);
    CHECK_EQ(result->n_events, 2000);
    for (size_t i = 0; i < 2000; i++) {
        const Canceld__V1__Event *got = result->events[i];
        CHECK(got->revision == UINT64_MAX - i);
        CHECK_DATA(got->key, "k\0");
        CHECK_EQ(got->gen, i + 1);
        CHECK_EQ(got->state, STATE_ENDED);
        CHECK_EQ(got->outcome, OUTCOME_EXPIRED);
        CHECK((got->cause != NULL) == (i % 2 == 0));
    }
    CHECK_EQ(result->events[0]->cause->code, CAUSE_PARENT);
    CHECK_DATA(result->events[0]->cause->peer, "uid:0");
    CHECK_EQ(result->epoch, 3);
    CHECK_EQ(result->revision, 4);
    CHECK(result->more);
    canceld__v1__reply__free_unpacked(reply, NULL);
}

static void entries_of_the_history(void)
{
    static struct history_entry entries[HISTORY_ITEMS_MAX];
    for (size_t i = 0; i < HISTORY_ITEMS_MAX; i++) {
        entries[i] = (struct history_entry){.gen = i};
    }
    entries[7] = (struct history_entry){.kind = HISTORY_BULK,
                                        .at_unix_ms = UINT64_MAX,
                                        .space = bytes_of_string("h-space"),
                                        .key = bytes_of_string("h-key"),
                                        .gen = 8,
                                        .cause = {.code = CAUSE_SHUTDOWN},
                                        .outcome = OUTCOME_CANCELLED,
                                        .by_owner = true,
                                        .delivered = true,
                                        .delivered_after_ms = 9,
                                        .ended_after_ms = 10,
                                        .label = bytes_of("l\0", 2),
                                        .owner = 11,
                                        .requested = 12};
    begin_reply();
    (void) add_result(&(struct result){.answer = ANSWER_HISTORY,
                                       .history = entries,
                                       .history_count = HISTORY_ITEMS_MAX,
                                       .next_cursor = 13});
    Canceld__V1__Reply *reply = parse_reply();
    CHECK_EQ(reply->results[0]->n_history, HISTORY_ITEMS_MAX);
    CHECK_EQ(reply->results[0]->next_cursor, 13);
    CHECK_EQ(reply->results[0]->history[8]->gen, 8);
    CHECK(reply->results[0]->history[8]->cause == NULL);
    const Canceld__V1__HistoryEntry *got = reply->results[0]->history[7];
    CHECK_EQ(got->kind, HISTORY_BULK);
    CHECK(got->at_unix_ms == UINT64_MAX);
    CHECK_DATA(got->namespace_, "h-space");
    CHECK_DATA(got->key, "h-key");
    CHECK_EQ(got->gen, 8);
    CHECK_EQ(got->cause->code, CAUSE_SHUTDOWN);
    CHECK_EQ(got->outcome, OUTCOME_CANCELLED);
    CHECK(got->by_owner && got->delivered);
    CHECK_EQ(got->delivered_after_ms, 9);
    CHECK_EQ(got->ended_after_ms, 10);
    CHECK_DATA(got->label, "l\0");
    CHECK_EQ(got->owner, 11);
    CHECK_EQ(got->requested, 12);
    canceld__v1__reply__free_unpacked(reply, NULL);
}

static void the_smallest_results(void)
{
    begin_reply();
    CHECK_EQ(add_result(&(struct result){.answer = ANSWER_NOT_APPLIED}), 4);
    const int answers[] = {
#define ANSWER_NUMBER(name, number) ANSWER_##name,
        ANSWER_TABLE(ANSWER_NUMBER)
#undef ANSWER_NUMBER
    };
    const size_t count = sizeof answers / sizeof answers[0];
    for (size_t i = 0; i < count; i++) {
        CHECK_LE(add_result(&(struct result){.answer = (enum answer) answers[i]}), 4);
    }
    Canceld__V1__Reply *reply = parse_reply();
    CHECK_EQ(reply->n_results, count + 1);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(reply->results[i + 1]->answer, answers[i]);
    }
    canceld__v1__reply__free_unpacked(reply, NULL);
}

static void no_room_for_a_head(void)
{
    const struct reply_head head = {
        .session = UINT64_MAX, .request_id = 1, .error = {.code = ERROR_FULL, .limit = "replies"}};
    const size_t size = codec_head(NULL, &head, reply_bytes, sizeof reply_bytes);
    for (size_t room = 0; room < size; room++) {
        CHECK_EQ(codec_head(NULL, &head, reply_bytes, room), 0);
    }
    CHECK_EQ(codec_head(NULL, &head, reply_bytes, size), size);
    reply_size = size;
    Canceld__V1__Reply *reply = parse_reply();
    CHECK_EQ(reply->error->code, ERROR_FULL);
    CHECK_STR_EQ(reply->error->limit, "replies");
    CHECK_EQ(reply->n_results, 0);
    canceld__v1__reply__free_unpacked(reply, NULL);
}

static void refusals(void)
{
    const enum error_code codes[] = {ERROR_MALFORMED, ERROR_TOO_COMPLEX, ERROR_OP_COUNT,
                                     ERROR_ANSWERED};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        const struct frame frame = {.session = UINT64_MAX, .request_id = UINT64_MAX};
        reply_size = codec_refuse(&frame, codes[i], reply_bytes, CODEC_REFUSAL_BYTES_MAX);
        CHECK(reply_size > 0);
        Canceld__V1__Reply *reply = parse_reply();
        CHECK(reply->session == UINT64_MAX && reply->request_id == UINT64_MAX);
        CHECK_EQ(reply->error->code, codes[i]);
        CHECK_GT(strlen(reply->error->text), 10);
        CHECK_EQ(reply->n_results, 0);
        canceld__v1__reply__free_unpacked(reply, NULL);
    }
}

static void numbers_written_by_hand(void)
{
    codec_check();
}

static void nothing_to_free(void)
{
    codec_free(NULL);
}

static const struct test_case cases[] = {
    {"head and results in a row are a reply", a_reply_in_pieces, 0},
    {"the numbers of bulk cancels, watches and restarts come through", what_a_cancel_of_many_gets,
     0},
    {"every field of opened comes through", what_an_open_gets, 0},
    {"lists of gens, notices, armed keys and stats come through",
     lists_of_gens_notices_armed_and_stats, 0},
    {"a page of a thousand operations comes through, with their labels", a_page_of_operations, 0},
    {"the events of a watch come through", events_of_a_watch, 0},
    {"the entries of the history come through", entries_of_the_history, 0},
    {"a bare answer takes four bytes at most", the_smallest_results, 0},
    {"a head without room is not written", no_room_for_a_head, 0},
    {"a refusal is a reply with an error", refusals, 0},
    {"numbers written by hand are those of canceld.proto", numbers_written_by_hand, 0},
    {"nothing can be freed", nothing_to_free, 0},
};
TEST_MAIN(cases)
