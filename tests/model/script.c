/* SPDX-License-Identifier: MIT */
/* Modes, links, clients, time, and frames around the ops. */
#include "model/script.h"

#include "base/check.h"
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>

#define SENT_MAX 24
#define SCRIPT_ARENA_BYTES ((size_t) 2 << 20)

/* Small, so that each bound is reached. */
static const struct limits limits_small = {
    .operations = 40,
    .operations_namespace = 30,
    .operations_session = 16,
    .bytes = 1 << 20,
    .namespaces = 16,
    .connections = 6,
    .connections_unopened = 6,
    .sessions = 7,
    .parked_session = 4,
    .parked = 12,
    .armed = 4,
    .finished = 4000,
    .finished_ms = 1500,
    .grace_ms = 328,
    .replies_session_bytes = 1 << 22,
    .replies_bytes = 1 << 24,
    .output_bytes = 1 << 18,
    .outstanding = 1024,
    .handshake_ms = 5000,
    .stall_ms = 10000,
};

const struct script_mode script_modes[] = {
    {.name = "many sessions",
     .counter_first = 1,
     .keys_count = 4,
     .spaces_count = 2,
     .clients_max = 8},
    {.name = "short memory",
     .limits = {.finished = 12, .finished_ms = 4000},
     .counter_first = 7,
     .keys_count = 5,
     .spaces_count = 2,
     .clients_max = 6,
     .one_client_a_link = true},
    {.name = "long strings",
     .limits = {.operations = 200,
                .operations_namespace = 200,
                .operations_session = 200,
                .bytes = 65536,
                .armed = 40,
                .replies_session_bytes = 150000,
                .replies_bytes = 250000},
     .counter_first = 1,
     .keys_count = 40,
     .spaces_count = 3,
     .clients_max = 5,
     .burst_percent = 4,
     .long_strings = true},
    {.name = "counter at its end, few namespaces",
     .limits = {.namespaces = 2, .operations = 12, .parked = 6},
     .counter_first = GEN_COUNTER_MAX - 200,
     .keys_count = 3,
     .spaces_count = 5,
     .clients_max = 8},
};
const size_t script_modes_count = sizeof script_modes / sizeof script_modes[0];

struct limits script_limits(const struct script_mode *mode)
{
    struct limits limits = limits_small;
    struct limits own = mode->limits;
    for (size_t i = 0; i < limit_rows_count; i++) {
        uint64_t value = *limits_field(&own, &limit_rows[i]);
        if (value != 0) {
            *limits_field(&limits, &limit_rows[i]) = value;
        }
    }
    return limits;
}

void script_init(struct script *script, const struct script_mode *mode, struct model *model,
                 uint64_t seed, uint64_t now_ms)
{
    *script = (struct script){
        .mode = mode, .model = model, .random = seed, .now_ms = now_ms, .digests_given = 1000};
    script->limits = script_limits(mode);
    list_init(&script->links, sizeof(struct script_link));
    list_init(&script->clients, sizeof(struct script_client));
    arena_init(&script->arena, SCRIPT_ARENA_BYTES);
}

static void client_fini(struct script_client *client)
{
    for (size_t i = 0; i < client->sent.count; i++) {
        free(((struct script_sent *) list_at(&client->sent, i))->ops);
    }
    list_fini(&client->sent);
}

void script_fini(struct script *script)
{
    for (size_t i = 0; i < script->clients.count; i++) {
        client_fini(list_at(&script->clients, i));
    }
    list_fini(&script->clients);
    list_fini(&script->links);
    arena_fini(&script->arena);
}

uint64_t script_below(struct script *script, uint64_t below)
{
    return below == 0 ? 0 : test_random(&script->random) % below;
}

bool script_percent(struct script *script, unsigned percent)
{
    return script_below(script, 100) < percent;
}

struct reply_to script_route(struct script *script, uint64_t link, enum op_kind kind)
{
    uint64_t number = ++script->routes_given;
    return (struct reply_to){.link = link,
                             .route = {(uint32_t) number, (uint32_t) (number >> 32), kind},
                             .route_words = 3};
}

/* ---- links ---- */

uint64_t script_link_added(struct script *script)
{
    struct script_link *link = list_push(&script->links);
    link->link = ++script->links_given;
    return link->link;
}

void script_link_removed(struct script *script, uint64_t link)
{
    for (size_t i = 0; i < script->links.count; i++) {
        if (((struct script_link *) list_at(&script->links, i))->link == link) {
            list_remove(&script->links, i);
            return;
        }
    }
}

struct script_link *script_any_link(struct script *script)
{
    return script->links.count == 0
               ? NULL
               : list_at(&script->links, script_below(script, script->links.count));
}

static bool link_carries_client(const struct script *script, uint64_t link)
{
    for (size_t i = 0; i < script->model->sessions.count; i++) {
        const struct model_session *session = list_at(&script->model->sessions, i);
        if (session->link == link) {
            return true;
        }
    }
    return false;
}

bool script_may_go_down(const struct script *script, uint64_t link)
{
    uint64_t end_ms = script->now_ms + script->limits.grace_ms;
    if (!script->mode->one_client_a_link || !link_carries_client(script, link)) {
        return true;
    }
    for (size_t i = 0; i < script->model->sessions.count; i++) {
        const struct model_session *session = list_at(&script->model->sessions, i);
        if (session->grace_end_ms == end_ms) {
            return false;
        }
    }
    return true;
}

/* ---- time ---- */

bool script_is_aligned(const struct script *script)
{
    return script->now_ms % SCRIPT_GRAIN_MS == 0;
}

uint64_t script_next_time(struct script *script)
{
    uint64_t aligned = (script->now_ms / SCRIPT_GRAIN_MS + 1) * SCRIPT_GRAIN_MS;
    uint64_t due = model_next_ms(script->model);
    uint64_t chance = script_below(script, 100);
    if (due != TIME_NEVER && due > script->now_ms + 1 && due < script->now_ms + 100000) {
        if (chance < 15) {
            return due - 1;
        }
        if (chance < 35) {
            return due;
        }
        if (chance < 45) {
            return due + 1;
        }
    }
    if (chance < 85) {
        return aligned + SCRIPT_GRAIN_MS * script_below(script, 2);
    }
    return aligned + SCRIPT_GRAIN_MS * script_below(script, chance < 97 ? 12 : 80);
}

/* ---- clients ---- */

static struct script_client *find_client(const struct script *script, uint64_t number)
{
    for (size_t i = 0; i < script->clients.count; i++) {
        struct script_client *client = list_at(&script->clients, i);
        if (client->number == number) {
            return client;
        }
    }
    return NULL;
}

static unsigned free_slot(const struct script *script)
{
    for (unsigned slot = 0;; slot++) {
        bool taken = false;
        for (size_t i = 0; i < script->clients.count; i++) {
            taken = taken || ((struct script_client *) list_at(&script->clients, i))->slot == slot;
        }
        if (!taken) {
            return slot;
        }
    }
}

static void adopt_session(struct script *script, const struct model_session *session)
{
    struct script_client client = {.number = session->number, .slot = free_slot(script)};
    memcpy(client.secret, session->secret, SECRET_BYTES);
    client.open = (struct op){.kind = OP_OPEN, .space = session->space};
    client.open.as.open.client_name = session->name;
    client.open.as.open.heartbeat_ms = (uint32_t) session->heartbeat_ms;
    client.next_id = 1;
    list_init(&client.sent, sizeof(struct script_sent));
    *(struct script_client *) list_push(&script->clients) = client;
}

void script_sync(struct script *script)
{
    for (size_t i = script->clients.count; i > 0; i--) {
        struct script_client *client = list_at(&script->clients, i - 1);
        if (model_find_session(script->model, client->number) == NULL) {
            client_fini(client);
            list_remove(&script->clients, i - 1);
        }
    }
    for (size_t i = 0; i < script->model->sessions.count; i++) {
        const struct model_session *session = list_at(&script->model->sessions, i);
        if (find_client(script, session->number) == NULL) {
            adopt_session(script, session);
        }
    }
}

static struct script_sent *find_sent(const struct script_client *client, uint64_t id)
{
    for (size_t i = 0; i < client->sent.count; i++) {
        struct script_sent *sent = list_at(&client->sent, i);
        if (sent->id == id) {
            return sent;
        }
    }
    return NULL;
}

void script_note_reply(struct script *script, const struct reply *reply)
{
    const struct script_client *client = find_client(script, reply->head.session);
    struct script_sent *sent =
        client == NULL ? NULL : find_sent(client, reply->head.request_id);
    if (sent != NULL && reply->head.error.code == ERROR_UNSET) {
        sent->replied = true;
    }
}

/* ---- frames ---- */

static bool is_undecided(const struct script *script, const struct script_client *client,
                         uint64_t id)
{
    const struct model_session *session = model_find_session(script->model, client->number);
    for (size_t i = 0; session != NULL && i < session->answers.count; i++) {
        const struct model_answer *answer = list_at(&session->answers, i);
        if (answer->id == id) {
            return !answer->is_decided;
        }
    }
    return false;
}

/* Every id below it is answered, or, with `pass_parked`, known to be parked. */
static uint64_t answered_below(const struct script *script, const struct script_client *client,
                               bool pass_parked)
{
    uint64_t below = client->next_id;
    for (size_t i = 0; i < client->sent.count; i++) {
        const struct script_sent *sent = list_at(&client->sent, i);
        if (!sent->replied && sent->id < below &&
            !(pass_parked && is_undecided(script, client, sent->id))) {
            below = sent->id;
        }
    }
    return below;
}

static void fill_answered(struct script *script, struct script_client *client,
                          struct frame *frame)
{
    uint64_t *answered = arena_take(&script->arena, FRAME_ANSWERED_MAX * sizeof *answered);
    uint64_t chance = script_below(script, 100);
    if (chance < 60) {
        frame->answered_below = answered_below(script, client, chance < 25);
    }
    for (size_t i = 0; i < client->sent.count; i++) {
        struct script_sent *sent = list_at(&client->sent, i);
        if (sent->replied && script_percent(script, 10) && sent->id != frame->request_id &&
            !is_undecided(script, client, sent->id)) {
            sent->named = true;
            answered[frame->answered_count++] = sent->id;
        }
    }
    frame->answered = answered;
}

static struct op *copy_ops(const struct frame *frame)
{
    size_t size = frame->ops_count * sizeof(struct op);
    for (size_t i = 0; i < frame->ops_count; i++) {
        if (frame->ops[i].kind == OP_POLL) {
            size += frame->ops[i].as.poll.acks_count * sizeof(struct notice_ack);
        }
    }
    struct op *ops = malloc(size == 0 ? 1 : size);
    ASSERT(ops != NULL);
    struct notice_ack *acks = (struct notice_ack *) (void *) (ops + frame->ops_count);
    for (size_t i = 0; i < frame->ops_count; i++) {
        ops[i] = frame->ops[i];
        if (ops[i].kind == OP_POLL && ops[i].as.poll.acks_count > 0) {
            memcpy(acks, ops[i].as.poll.acks, ops[i].as.poll.acks_count * sizeof *acks);
            ops[i].as.poll.acks = acks;
            acks += ops[i].as.poll.acks_count;
        }
    }
    return ops;
}

static void remember(struct script_client *client, const struct frame *frame)
{
    if (client->sent.count == SENT_MAX) {
        free(((struct script_sent *) list_at(&client->sent, 0))->ops);
        list_remove(&client->sent, 0);
    }
    struct script_sent *sent = list_push(&client->sent);
    *sent = (struct script_sent){.id = frame->request_id,
                                 .digest = frame->ops_digest,
                                 .ops = copy_ops(frame),
                                 .ops_count = frame->ops_count};
    for (size_t i = 0; i < frame->ops_count; i++) {
        sent->mutating = sent->mutating || model_op_is_mutating(&frame->ops[i]);
    }
}

static void fill_ops(struct script *script, const struct script_client *client,
                     struct frame *frame)
{
    uint64_t chance = script_below(script, 1000);
    bool burst = script_percent(script, script->mode->burst_percent);
    size_t count = chance < 750   ? 1
                   : chance < 950 ? 2 + script_below(script, 4)
                   : chance < 997 ? 5 + script_below(script, 15)
                   : chance < 998 ? 0
                                  : FRAME_OPS_MAX + script_below(script, 2);
    count = burst ? 40 + script_below(script, 100) : count;
    struct op *ops = arena_take(&script->arena, count * sizeof *ops);
    for (size_t i = 0; i < count; i++) {
        if (count < 40 || (burst && script_percent(script, 10))) {
            script_op(script, client, count == 1, &ops[i]);
        } else {
            script_filler(script, &ops[i]);
        }
        if (count < 40 && script_percent(script, 2)) {
            script_spoil(script, &ops[i]);
        }
        if (ops[i].kind == OP_CLOSE) {
            count = i + 1; /* what comes after it is another matter */
        }
    }
    frame->ops = ops;
    frame->ops_count = count;
    frame->ops_digest = ++script->digests_given;
}

/* One of those that were sent before; NULL where there is none to send again. */
static struct script_sent *any_sent(struct script *script, const struct script_client *client)
{
    if (client->sent.count == 0) {
        return NULL;
    }
    struct script_sent *sent =
        list_at(&client->sent, script_below(script, client->sent.count));
    return sent->named && !sent->mutating ? NULL : sent;
}

static bool has_timers(const struct frame *frame)
{
    for (size_t i = 0; i < frame->ops_count; i++) {
        const struct op *op = &frame->ops[i];
        bool sets = (op->kind == OP_STORE && op->as.store.ttl_ms != 0) || op->kind == OP_TOUCH ||
                    (op->kind == OP_CANCEL && op->as.cancel.deadline_ms != 0) ||
                    (op->kind == OP_WAIT && op->as.wait.deadline_ms != 0) ||
                    (op->kind == OP_POLL && op->as.poll.wait_ms != 0) || op->kind == OP_OPEN ||
                    op->kind == OP_CLOSE;
        if (sets) {
            return true;
        }
    }
    return false;
}

static void resend(struct script *script, const struct script_client *client,
                   struct script_request *request, struct script_sent *sent)
{
    request->frame.request_id = sent->id;
    request->frame.ops = sent->ops;
    request->frame.ops_count = sent->ops_count;
    request->frame.ops_digest = sent->digest;
    if (script_percent(script, 3) && sent->mutating && sent->replied) {
        fill_ops(script, client, &request->frame);
    }
}

/* A session's frame: a new one, or one that was sent before. */
static void session_request(struct script *script, struct script_client *client,
                            struct script_request *request)
{
    struct script_sent *sent = script_percent(script, 14) ? any_sent(script, client) : NULL;
    request->frame.session = client->number;
    if (sent != NULL) {
        resend(script, client, request, sent);
        fill_answered(script, client, &request->frame);
        return;
    }
    request->frame.request_id = client->next_id++;
    fill_ops(script, client, &request->frame);
    fill_answered(script, client, &request->frame);
    remember(client, &request->frame);
    request->lost = script_percent(script, 3);
}

/* Frames that are refused whole. Not in sessions that live by their heartbeat: whether such a frame is
 * a sign of life is nobody's promise. */
static void spoil_frame(struct script *script, const struct script_client *client,
                        struct script_request *request)
{
    struct frame *frame = &request->frame;
    if (client != NULL && client->open.as.open.heartbeat_ms != 0) {
        return;
    }
    switch (script_below(script, 5)) {
    case 0:
        frame->version = (uint32_t) script_below(script, 4) * 7;
        break;
    case 1:
        frame->request_id = frame->session == 0 ? frame->request_id : 0;
        break;
    case 2:
        frame->answered = arena_take(&script->arena, 100 * sizeof(uint64_t));
        frame->answered_count = FRAME_ANSWERED_MAX + 1 + script_below(script, 30);
        break;
    case 3:
        frame->session = script_below(script, 1000) + 1;
        break;
    default:
        break;
    }
    request->lost = false;
}

static uint64_t link_of(struct script *script, const struct script_client *client)
{
    const struct model_session *session =
        client == NULL ? NULL : model_find_session(script->model, client->number);
    if (session != NULL && session->link != 0 && !script_percent(script, 2)) {
        return session->link;
    }
    const struct script_link *link = script_any_link(script);
    return link == NULL ? 0 : link->link;
}

static bool is_paused(const struct script *script, uint64_t link)
{
    const struct model_link *found = model_find_link(script->model, link);
    return found == NULL || found->paused;
}

/* An open, new or again. */
static void open_request(struct script *script, struct script_request *request)
{
    struct op *op = arena_take(&script->arena, sizeof *op);
    op->kind = OP_OPEN;
    if (script->clients.count > 0 && script_percent(script, 60)) {
        const struct script_client *client =
            list_at(&script->clients, script_below(script, script->clients.count));
        uint8_t *secret = arena_copy(&script->arena, client->secret, SECRET_BYTES);
        *op = client->open;
        op->as.open.resume_session = client->number + (script_percent(script, 4) ? 1 : 0);
        secret[3] ^= script_percent(script, 4) ? 1 : 0;
        op->as.open.resume_secret = bytes_of(secret, SECRET_BYTES);
    } else {
        unsigned slot = free_slot(script);
        uint64_t residue = (43 * (16 + slot % 8)) % 64;
        op->space = script_space(script, (unsigned) script_below(script, 6));
        op->as.open.client_name = bytes_of_string(slot % 2 == 0 ? "" : "na\xc3\xafve client");
        op->as.open.heartbeat_ms =
            script_percent(script, 50)
                ? 0
                : (uint32_t) (64 * (2 + script_below(script, 6)) + residue);
    }
    if (script_percent(script, 5)) {
        script_spoil(script, op);
    }
    request->frame.request_id = script_below(script, 100);
    request->frame.ops = op;
    request->frame.ops_count = 1;
    request->frame.ops_digest = ++script->digests_given;
}

static bool may_open(struct script *script, uint64_t link)
{
    return script_is_aligned(script) &&
           !(script->mode->one_client_a_link && link_carries_client(script, link));
}

/* A client that is not bound to any link. */
static bool needs_link(const struct script *script, const struct script_client *client)
{
    const struct model_session *session = model_find_session(script->model, client->number);
    return session != NULL && session->link == 0;
}

static bool someone_needs_link(const struct script *script)
{
    for (size_t i = 0; i < script->clients.count; i++) {
        if (needs_link(script, list_at(&script->clients, i))) {
            return true;
        }
    }
    return false;
}

static struct script_client *any_client(struct script *script)
{
    if (script->clients.count == 0 || script_percent(script, 15)) {
        return NULL;
    }
    struct script_client *client =
        list_at(&script->clients, script_below(script, script->clients.count));
    bool quiet = client->open.as.open.heartbeat_ms != 0 && !script_is_aligned(script);
    return quiet ? NULL : client;
}

bool script_next_request(struct script *script, struct script_request *request)
{
    arena_reset(&script->arena);
    *request = (struct script_request){.frame.version = 1};
    bool few = script->clients.count < script->mode->clients_max / 2 || someone_needs_link(script);
    bool open = script_percent(script, few ? 25 : 3);
    struct script_client *client = open ? NULL : any_client(script);
    uint64_t link = link_of(script, client);
    if (link == 0 || is_paused(script, link) || (open && !may_open(script, link))) {
        return false;
    }
    if (open) {
        open_request(script, request);
    } else if (client != NULL) {
        session_request(script, client, request);
    } else {
        request->frame.request_id = script_below(script, 5);
        fill_ops(script, NULL, &request->frame);
    }
    if (script_percent(script, 1)) {
        spoil_frame(script, client, request);
    }
    enum op_kind kind = request->frame.ops_count == 1 ? request->frame.ops[0].kind : OP_UNKNOWN;
    request->from = script_route(script, link, kind);
    return script_is_aligned(script)
               ? script_ttls_are_apart(script, request->frame.ops, request->frame.ops_count)
               : !has_timers(&request->frame);
}
