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
        .journaled = result->journaled,
        .memory_incomplete = result->memory_incomplete,
        .retry_ms = result->retry_ms,
        .requested = result->requested,
        .already_requested = result->already_requested,
        .count = result->count,
        .error = result->error.code,
        .field = result->error.field,
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

static void copy_text(char *to, struct bytes from)
{
    if (from.size > 0) {
        memcpy(to, from.data, from.size);
    }
    to[from.size] = '\0';
}

static struct rig_event see_event(const struct event *event)
{
    struct rig_event seen = {.revision = event->revision,
                             .gen = event->gen,
                             .state = event->state,
                             .outcome = event->outcome,
                             .cause = event->cause.code};
    size_t used = 0;
    for (size_t i = 0; i < event->key.size && used < sizeof seen.text - 1; i++) {
        seen.text[used++] = (char) event->key.data[i];
    }
    for (size_t i = 0; i < event->cause.text.size && used < sizeof seen.text - 1; i++) {
        seen.text[used++] = (char) event->cause.text.data[i];
    }
    return seen;
}

static void see_lists(struct rig_lists *lists, const struct result *result)
{
    copy_text(lists->cause_text, result->cause.text);
    copy_text(lists->cause_actor, result->cause.actor);
    copy_text(lists->cause_peer, result->cause.peer);
    lists->more = result->more;
    lists->revision = result->revision;
    lists->epoch = result->epoch;
    lists->next_cursor = result->next_cursor;
    lists->events_count = result->events_count;
    lists->operations_count = result->operations_count;
    CHECK(result->events_count <= RIG_ITEMS && result->operations_count <= RIG_ITEMS);
    for (size_t i = 0; i < result->events_count; i++) {
        lists->events[i] = see_event(&result->events[i]);
    }
    for (size_t i = 0; i < result->operations_count; i++) {
        const struct operation_info *info = &result->operations[i];
        size_t size = info->cause.text.size;
        struct rig_operation *seen = &lists->operations[i];
        *seen =
            (struct rig_operation){info->gen, info->parent, info->state, info->labels_count, ""};
        copy_text(seen->text, bytes_of(info->cause.text.data,
                                       size < sizeof seen->text ? size : sizeof seen->text - 1));
    }
}

static void see_gens(struct rig_lists *lists, const struct result *result)
{
    size_t count = result->gens_count;
    lists->gens_count = count < BULK_RESULTS_MAX ? count : BULK_RESULTS_MAX;
    for (size_t i = 0; i < lists->gens_count; i++) {
        const struct gen_result *from = &result->gens[i];
        struct rig_gen *to = &lists->gens[i];
        *to = (struct rig_gen){.gen = from->gen, .answer = from->answer, .state = from->state};
        for (size_t k = 0; k < from->key.size && k < sizeof to->key - 1; k++) {
            to->key[k] = (char) from->key.data[k];
        }
    }
}

/* A result is its struct seen, but for NOT_APPLIED, which has to be small. */
static size_t put_result(void *context, const struct result *result, uint8_t *out, size_t room)
{
    struct rig *rig = context;
    struct seen seen = see(result);
    see_lists(&rig->lists, result);
    see_gens(&rig->lists, result);
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

/* ---- the journal and the rights, where a test wants them ---- */

static void take_record(void *context, const struct journal_record *record)
{
    struct rig *rig = context;
    rig->records++;
    rig->records_of[record->kind]++;
    rig->record = *record;
}

static bool take_query(void *context, uint64_t ticket, const struct history_query *query)
{
    struct rig *rig = context;
    CHECK(query->items_max > 0);
    rig->ticket = ticket;
    return !rig->history_fails;
}

static uint64_t tell_pending(void *context)
{
    return ((struct rig *) context)->journal_pending;
}

static size_t know_token(void *context, struct bytes token, uint8_t name_out[CAUSE_PEER_BYTES_MAX])
{
    (void) context;
    static const char name[] = "token:ci";
    if (!bytes_equal(token, bytes_of_string("a secret"))) {
        return 0;
    }
    memcpy(name_out, name, sizeof name - 1);
    return sizeof name - 1;
}

static uint32_t know_principal(void *context, struct bytes name)
{
    (void) context;
    return bytes_equal(name, bytes_of_string("token:ci")) ? 2 : 1;
}

static uint32_t know_roles(void *context, uint32_t principal, struct bytes space)
{
    const struct rig *rig = context;
    if (principal == 2) {
        return ROLE_ADMIN;
    }
    return bytes_equal(space, bytes_of_string("mine")) ? rig->roles : 0;
}

static void take_notice(void *context, const struct notice *notice,
                        const struct direct_value *value)
{
    struct rig *rig = context;
    (void) value;
    CHECK(notice->kind == NOTICE_CANCEL || notice->kind == NOTICE_ENDED);
    rig->told++;
}

void rig_init(struct rig *rig, const struct limits *limits, uint64_t counter_first)
{
    rig_begin(rig,
              &(struct rig_options){.limits = limits, .epoch = 7, .counter_first = counter_first});
}

void rig_begin(struct rig *rig, const struct rig_options *options)
{
    *rig = (struct rig){.now_ms = 1000};
    struct registry_config config = {
        .limits = options->limits != NULL ? *options->limits : limits_default(),
        .epoch = options->epoch,
        .counter_first = options->counter_first,
        .table_key = {1, 2},
        .secret_key = {3, 4},
        .now_ms = rig->now_ms,
        .recovery_ms = options->recovery_ms,
    };
    struct registry_port port = {.context = rig,
                                 .send = receive,
                                 .head = put_head,
                                 .result = put_result,
                                 .next_epoch = next_epoch};
    if (options->journal) {
        port.journal = take_record;
        port.history = take_query;
        port.journal_pending = tell_pending;
    }
    if (options->rights) {
        port.token = know_token;
        port.principal = know_principal;
        port.roles = know_roles;
    }
    port.told = options->told ? take_notice : NULL;
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

struct seen rig_do_quickly(struct rig *rig, uint64_t session, struct op op)
{
    struct frame frame = {.version = 1, .session = session, .ops = &op, .ops_count = 1};
    struct reply_to to = {.link = 1};
    if (session != 0) {
        frame.request_id = ++rig->request_id;
        frame.answered_below = frame.request_id;
    }
    size_t replies = rig->replies;
    registry_frame(rig->registry, &to, &frame, rig->now_ms);
    CHECK_GT(rig->replies, replies);
    CHECK_EQ(rig->refused, ERROR_UNSET);
    return rig->first;
}

struct seen rig_do(struct rig *rig, uint64_t session, struct op op)
{
    struct seen seen = rig_do_quickly(rig, session, op);
    registry_check(rig->registry);
    return seen;
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

uint64_t rig_stat(const struct rig *rig, const char *row)
{
    const struct stat_row *rows;
    size_t count = registry_stats(rig->registry, &rows);
    size_t i = 0;
    while (i < count && strcmp(rows[i].name, row) != 0) {
        i++;
    }
    CHECK_LT(i, count); /* there is such a row */
    return rows[i].value;
}
