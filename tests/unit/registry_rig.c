/* SPDX-License-Identifier: MIT */
#include "registry_rig.h"

#include "testing.h"

#define HEAD_BYTES sizeof(struct reply_head)

static size_t put_head(void *context, const struct reply_head *head, uint8_t *out, size_t room)
{
    (void) context;
    CHECK(room >= HEAD_BYTES);
    memcpy(out, head, HEAD_BYTES);
    return HEAD_BYTES;
}

static struct seen see(const struct result *result)
{
    struct seen seen = {
        .answer = result->answer,
        .gen = result->gen,
        .state = result->state,
        .outcome = result->outcome,
        .level = result->level,
        .cause = result->cause.code,
        .no_owner = result->no_owner,
        .cancelled = result->cancelled,
        .by_owner = result->by_owner,
        .error = result->error.code,
        .limit = result->limit,
        .gens_count = result->gens_count,
        .notices_count = result->notices_count,
    };
    for (size_t i = 0; i < result->notices_count; i++) {
        if (i < RIG_NOTICES) {
            seen.notice_gens[i] = result->notices[i].gen;
            seen.notice_kinds[i] = result->notices[i].kind;
        }
        seen.notice_last = result->notices[i].number;
    }
    if (result->opened != NULL) {
        seen.session = result->opened->session;
        seen.resumed = result->opened->resumed;
        memcpy(seen.secret, result->opened->secret, SECRET_BYTES);
    }
    return seen;
}

/* A result is its struct seen, but for NOT_APPLIED, which has to be small. */
static size_t put_result(void *context, const struct result *result, uint8_t *out, size_t room)
{
    (void) context;
    struct seen seen = see(result);
    size_t size = result->answer == ANSWER_NOT_APPLIED ? sizeof seen.answer : sizeof seen;
    if (size > room) {
        return 0;
    }
    memcpy(out, &seen, size);
    return size;
}

static void receive(void *context, const struct reply_to *to, struct bytes reply)
{
    struct rig *rig = context;
    (void) to;
    struct reply_head head;
    memcpy(&head, reply.data, HEAD_BYTES);
    rig->replies++;
    rig->refused = head.error.code;
    rig->refused_limit = head.error.limit;
    rig->last_request_id = head.request_id;
    rig->results = 0;
    for (size_t at = HEAD_BYTES; at < reply.size; rig->results++) {
        struct seen seen = {.answer = ANSWER_UNSET};
        memcpy(&seen.answer, reply.data + at, sizeof seen.answer);
        bool small = seen.answer == ANSWER_NOT_APPLIED;
        memcpy(&seen, reply.data + at, small ? sizeof seen.answer : sizeof seen);
        at += small ? sizeof seen.answer : sizeof seen;
        rig->last = seen;
        rig->first = rig->results == 0 ? seen : rig->first;
        rig->answers[seen.answer]++;
    }
}

static bool next_epoch(void *context, uint64_t *epoch_out)
{
    struct rig *rig = context;
    static uint64_t epoch = 8;
    if (rig->epochs_end) {
        return false;
    }
    *epoch_out = epoch++;
    return true;
}

void rig_init(struct rig *rig, const struct limits *limits, uint64_t counter_first)
{
    *rig = (struct rig){.now_ms = 1000};
    struct registry_config config = {
        .limits = limits != NULL ? *limits : limits_default(),
        .epoch = 7,
        .counter_first = counter_first,
        .table_key = {1, 2},
        .secret_key = {3, 4},
        .now_ms = rig->now_ms,
    };
    struct registry_port port = {rig, receive, put_head, put_result, next_epoch};
    rig->registry = registry_new(&config, &port);
    CHECK(rig->registry != NULL);
    CHECK(registry_link_up(rig->registry, 1, bytes_of_string("uid:1")));
}

void rig_fini(struct rig *rig)
{
    registry_free(rig->registry);
}

void rig_send(struct rig *rig, uint64_t link, const struct frame *frame)
{
    struct reply_to to = {.link = link};
    registry_frame(rig->registry, &to, frame, rig->now_ms);
    registry_check(rig->registry);
}

/* Sends the op alone; how many replies that made. */
static size_t send_alone(struct rig *rig, uint64_t link, uint64_t session, uint64_t request_id,
                         const struct op *op)
{
    struct frame frame = {.version = 1,
                          .session = session,
                          .request_id = request_id,
                          .ops = op,
                          .ops_count = 1,
                          .ops_digest = (uint64_t) op->kind};
    size_t replies = rig->replies;
    rig_send(rig, link, &frame);
    return rig->replies - replies;
}

void rig_park(struct rig *rig, uint64_t link, uint64_t session, uint64_t request_id, struct op op)
{
    CHECK_EQ(send_alone(rig, link, session, request_id, &op), 0);
}

struct seen rig_ask(struct rig *rig, uint64_t link, uint64_t session, uint64_t request_id,
                    struct op op)
{
    CHECK_GT(send_alone(rig, link, session, request_id, &op), 0);
    return rig->first;
}

uint64_t rig_open(struct rig *rig, uint64_t link, uint32_t heartbeat_ms)
{
    struct op op = {.kind = OP_OPEN, .as.open.heartbeat_ms = heartbeat_ms};
    struct seen seen = rig_ask(rig, link, 0, 0, op);
    CHECK_EQ(seen.answer, ANSWER_OPENED);
    return seen.session;
}

void rig_pass(struct rig *rig, uint64_t ms, uint32_t budget)
{
    rig->now_ms += ms;
    while (registry_advance(rig->registry, rig->now_ms, budget)) {
        registry_check(rig->registry);
    }
    registry_check(rig->registry);
}

struct op rig_store(const char *key, enum policy policy)
{
    return (struct op){
        .kind = OP_STORE, .key = bytes_of_string(key), .as.store.policy = (uint32_t) policy};
}

struct op rig_cancel(const char *key, uint64_t gen)
{
    return (struct op){.kind = OP_CANCEL, .key = bytes_of_string(key), .gen = gen};
}

struct op rig_delete(const char *key, uint64_t gen, enum outcome outcome)
{
    return (struct op){.kind = OP_DELETE,
                       .key = bytes_of_string(key),
                       .gen = gen,
                       .as.delete.outcome = (uint32_t) outcome};
}

struct op rig_wait(const char *key, enum until until, uint32_t deadline_ms)
{
    return (struct op){.kind = OP_WAIT,
                       .key = bytes_of_string(key),
                       .as.wait = {.until = (uint32_t) until, .deadline_ms = deadline_ms}};
}

struct op rig_poll(const struct notice_ack *acks, size_t acks_count, uint32_t wait_ms)
{
    return (struct op){.kind = OP_POLL,
                       .as.poll = {.acks = acks, .acks_count = acks_count, .wait_ms = wait_ms}};
}
