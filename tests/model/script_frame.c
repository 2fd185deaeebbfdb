/* SPDX-License-Identifier: MIT */
/* Frames around the ops: new ones, repeats, opens, and those that are to be refused. */
#include "base/check.h"
#include "model/script.h"

#include <stdlib.h>
#include <string.h>

#define SENT_MAX 24

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

static void fill_answered(struct script *script, struct script_client *client, struct frame *frame)
{
    uint64_t *answered = arena_take(&script->arena, FRAME_ANSWERED_MAX * sizeof *answered);
    uint64_t chance = script_below(script, 100);
    if (chance < script->mode->answered_percent) {
        frame->answered_below = answered_below(script, client, chance % 5 < 2);
    }
    for (size_t i = 0; i < client->sent.count; i++) {
        struct script_sent *sent = list_at(&client->sent, i);
        if (sent->replied && script_percent(script, script->mode->answered_percent / 6) &&
            sent->id != frame->request_id && !is_undecided(script, client, sent->id)) {
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

/* Ops with short answers, that do the same again and again: the room for answers may end at any of them. */
static void make_small(struct script *script, struct op *ops, size_t count)
{
    static const enum op_kind kinds[] = {OP_PING, OP_CLOSE, OP_DISARM};
    for (size_t i = 0; i < count; i++) {
        ops[i] = (struct op){.kind = kinds[script_below(script, 3)]};
    }
}

bool script_journal_refuses(const struct script *script)
{
    return script->mode->is_slow &&
           (script->model->journal_has_failed || script->model->journal_is_full);
}

static void fill_ops(struct script *script, const struct script_client *client, struct frame *frame)
{
    uint64_t chance = script_below(script, 1000);
    bool burst = script_percent(script, script->mode->burst_percent);
    size_t count = chance < 750   ? 1
                   : chance < 950 ? 2 + script_below(script, 4)
                   : chance < 997 ? 5 + script_below(script, 15)
                   : chance < 998 ? 0
                                  : FRAME_OPS_MAX + script_below(script, 2);
    count = burst ? 40 + script_below(script, script->mode->burst_ops) : count;
    count = script->mode->is_slow ? count % 40 : count;
    count = script_journal_refuses(script) ? 1 : count;
    struct op *ops = arena_take(&script->arena, count * sizeof *ops);
    script->is_bursting = count >= 40;
    for (size_t i = 0; i < count; i++) {
        bool tail = i + 8 >= count; /* where the reply may have no more room */
        if (count < 40 || tail || script_percent(script, script->mode->store_percent)) {
            script_op(script, client, count == 1, &ops[i]);
        } else {
            script_filler(script, &ops[i]);
        }
        /* Those of many are few: more of them are spoilt. */
        bool is_rare = ops[i].kind == OP_DRAIN || ops[i].kind == OP_HISTORY ||
                       (ops[i].kind == OP_CANCEL && ops[i].key.size == 0);
        if (count < 40 && script_percent(script, is_rare ? 12 : 3)) {
            script_spoil(script, &ops[i]);
        }
    }
    if (burst && script_percent(script, 15)) {
        make_small(script, ops, count);
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
    struct script_sent *sent = list_at(&client->sent, script_below(script, client->sent.count));
    bool may_differ = (sent->named || script->mode->is_slow) && !sent->mutating;
    return may_differ ? NULL : sent;
}

static bool has_timers(const struct frame *frame)
{
    for (size_t i = 0; i < frame->ops_count; i++) {
        const struct op *op = &frame->ops[i];
        bool sets = (op->kind == OP_STORE && op->as.store.ttl_ms != 0) || op->kind == OP_TOUCH ||
                    (op->kind == OP_CANCEL && op->as.cancel.deadline_ms != 0) ||
                    (op->kind == OP_WAIT && op->as.wait.deadline_ms != 0) ||
                    (op->kind == OP_POLL && op->as.poll.wait_ms != 0) ||
                    (op->kind == OP_ADOPT && op->as.store.ttl_ms != 0) ||
                    (op->kind == OP_WATCH && op->as.watch.wait_ms != 0) ||
                    (op->kind == OP_DRAIN && op->as.drain.deadline_ms != 0) ||
                    op->kind == OP_OPEN || op->kind == OP_CLOSE;
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
    struct op *ops = arena_copy(&script->arena, sent->ops, sent->ops_count * sizeof *ops);
    for (size_t i = 0; i < sent->ops_count; i++) {
        if (ops[i].kind == OP_POLL) {
            ops[i].as.poll.acks = arena_copy(&script->arena, ops[i].as.poll.acks,
                                             ops[i].as.poll.acks_count * sizeof(struct notice_ack));
        }
    }
    request->frame.ops = ops;
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

/* A frame with its session's secret comes on any link, and takes the session along. */
static void add_secret(struct script *script, const struct script_client *client,
                       struct script_request *request, uint64_t *link)
{
    const struct script_link *other = script_any_link(script);
    uint8_t *secret = arena_copy(&script->arena, client->secret, SECRET_BYTES);
    bool wrong = script_percent(script, 10);
    secret[script_below(script, SECRET_BYTES)] ^= wrong ? 4 : 0;
    bool is_short = !wrong && script_percent(script, 5); /* and right, as far as it goes */
    request->frame.secret = bytes_of(secret, is_short ? SECRET_BYTES - 1 : SECRET_BYTES);
    if (!script->mode->one_client_a_link && other != NULL && !other->paused) {
        *link = other->link;
    }
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
        unsigned slot = script_free_slot(script);
        uint64_t residue = (43 * (16 + slot % 8)) % 64;
        op->space = script_space(script, (unsigned) script_below(script, 6));
        op->as.open.client_name = bytes_of_string(slot % 2 == 0 ? "" : "na\xc3\xafve client");
        op->as.open.heartbeat_ms = script_percent(script, 50)
                                       ? 0
                                       : (uint32_t) (64 * (2 + script_below(script, 6)) + residue);
    }
    if (script->mode->rights && op->as.open.resume_session == 0 && script_percent(script, 40)) {
        static const char *const tokens[] = {"secret of ci", "secret of ops", "nobody's"};
        op->as.open.token = bytes_of_string(tokens[script_below(script, 3)]);
    }
    if (op->as.open.resume_session == 0 && script_percent(script, 4)) {
        op->as.open.heartbeat_ms = script_percent(script, 50) ? HEARTBEAT_MS_MIN : HEARTBEAT_MS_MAX;
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
           !(script->mode->one_client_a_link && script_link_carries_client(script, link));
}

/* A client that is not bound to any link. */
static bool needs_link(const struct script *script, const struct script_client *client)
{
    const struct model_session *session = model_find_session(script->model, client->number);
    return session != NULL && session->link == 0;
}

static bool is_bound_to(const struct script *script, const struct script_client *client,
                        uint64_t link)
{
    const struct model_session *session = model_find_session(script->model, client->number);
    return session != NULL && session->link == link;
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
    struct arena arena = script->arena_before;
    script->arena_before = script->arena;
    script->arena = arena;
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
    } else if (!open && client != NULL && script_is_aligned(script) && script_percent(script, 3) &&
               (!script->mode->one_client_a_link || is_bound_to(script, client, link))) {
        add_secret(script, client, request, &link);
    }
    if (script_journal_refuses(script) && request->frame.ops_count > 1) {
        return false;
    }
    enum op_kind kind = request->frame.ops_count == 1 ? request->frame.ops[0].kind : OP_UNKNOWN;
    request->from = script_route(script, link, kind);
    return script_is_aligned(script)
               ? script_ttls_are_apart(script, request->frame.ops, request->frame.ops_count)
               : !has_timers(&request->frame);
}

bool script_probe(struct script *script, struct script_request *request)
{
    const struct script_link *link = script_any_link(script);
    if (link == NULL || link->paused) {
        return false;
    }
    struct op *op = &script->probe;
    *op = (struct op){.kind = script_percent(script, 70) ? OP_GET : OP_CANCEL};
    script_aim(script, op);
    if (script_percent(script, 40)) {
        op->gen = 0;
    }
    *request = (struct script_request){
        .from = script_route(script, link->link, op->kind),
        .frame = {.version = 1, .ops = op, .ops_count = 1, .ops_digest = 2}};
    return true;
}
