/* SPDX-License-Identifier: MIT */
/* A frame, from its arrival to its reply.
 *
 * Each result is encoded before its op is applied: what does not fit into the reply is not done.
 * The room is what a reply may have (64 KiB, less 4 bytes for each later op) and, where the answer
 * has to be remembered, what the session may still have remembered. */
#include "registry/state.h"

#define FRAME_VERSION 1
#define NOT_APPLIED_BYTES 4

/* How each kind is treated. */
static const struct {
    void (*serve)(struct request *q, const struct op *op);
    bool alone;
    bool mutating; /* its answer is remembered */
    bool needs_session;
} kinds[OP_END] = {
    [OP_OPEN] = {serve_open, .alone = true},
    [OP_STORE] = {serve_store, .mutating = true, .needs_session = true},
    [OP_CANCEL] = {serve_cancel, .mutating = true},
    [OP_DELETE] = {serve_delete, .mutating = true, .needs_session = true},
    [OP_TOUCH] = {serve_touch, .mutating = true, .needs_session = true},
    [OP_POLL] = {serve_poll, .alone = true, .needs_session = true},
    [OP_WAIT] = {serve_wait, .alone = true},
    [OP_GET] = {serve_get},
    [OP_LIST] = {serve_list, .alone = true},
    [OP_COUNT] = {serve_count},
    [OP_ARMED] = {serve_armed, .alone = true},
    [OP_DISARM] = {serve_disarm, .mutating = true},
    [OP_PING] = {serve_ping},
    [OP_STATS] = {serve_stats},
    [OP_CLOSE] = {serve_close, .mutating = true, .needs_session = true},
    [OP_ADOPT] = {serve_adopt, .mutating = true, .needs_session = true},
    [OP_DETACH] = {serve_detach, .mutating = true, .needs_session = true},
    [OP_WATCH] = {serve_watch, .alone = true},
    [OP_DRAIN] = {serve_drain, .alone = true, .mutating = true},
    [OP_UNDRAIN] = {serve_undrain, .mutating = true},
    [OP_HISTORY] = {serve_history, .alone = true},
};

static bool must_be_alone(const struct op *op)
{
    return kinds[op->kind].alone ||
           (op->kind == OP_CANCEL && (op->as.cancel.level > LEVEL_RECORDED || bulk_is(op)));
}

/* ---- results ---- */

/* What the op's server keeps on its stack is kept with the registry instead. */
static void put_direct(struct request *q, const struct result *result)
{
    *q->direct = *result;
    if (result->operations_count == 1) {
        q->r->info_items[0] = result->operations[0];
        q->direct->operations = q->r->info_items;
    }
}

bool request_put(struct request *q, const struct result *result)
{
    struct registry *r = q->r;
    if (q->direct != NULL) {
        put_direct(q, result);
        r->counters.answers[result->answer]++;
        return true;
    }
    size_t reserved = q->used + NOT_APPLIED_BYTES * q->ops_left;
    size_t room = reserved < q->room ? q->room - reserved : 0;
    size_t bytes = r->port.result(r->port.context, result, r->reply + q->used, room);
    if (bytes == 0) {
        q->exhausted = true;
        return false;
    }
    q->used += bytes;
    q->tells_newest = q->tells_newest || (!q->op_told && result_tells(result));
    r->counters.answers[result->answer]++;
    return true;
}

void request_told(struct request *q, uint32_t cause)
{
    uint64_t number = cause == 0 ? 0 : cause_at(q->r, cause)->journal_number;
    q->op_told = true;
    request_waits(q, number);
}

void request_waits(struct request *q, uint64_t journal_number)
{
    q->told = journal_number > q->told ? journal_number : q->told;
}

/* The record that the answers so far wait for; 0: none. */
static uint64_t waits_for(const struct request *q)
{
    return q->tells_newest ? q->r->journal_number : q->told;
}

bool request_has_room(struct request *q, size_t bytes)
{
    if (q->direct != NULL) {
        return true;
    }
    if (q->used + NOT_APPLIED_BYTES * q->ops_left + bytes > q->room) {
        q->exhausted = true;
        return false;
    }
    return true;
}

void request_tell(struct request *q, const struct result *result)
{
    if (!request_put(q, result)) {
        ASSERT(q->exhausted); /* which serve_ops() sees */
    }
}

bool request_answer(struct request *q, enum answer answer)
{
    return request_put(q, &(struct result){.answer = answer});
}

void request_full(struct request *q, const char *limit)
{
    limit_reached(q->r, limit);
    request_tell(q, &(struct result){.answer = ANSWER_FULL, .limit = limit});
}

void request_refuse(struct request *q, const struct error *error)
{
    request_tell(q, &(struct result){.answer = ANSWER_ERROR, .error = *error});
}

void request_field_error(struct request *q, const char *field, const char *text)
{
    request_refuse(q, &(struct error){.code = ERROR_FIELD, .field = field, .text = text});
}

/* ---- the whole frame ---- */

static struct reply_head head_of(const struct request *q)
{
    return (struct reply_head){.session = q->frame->session, .request_id = q->frame->request_id};
}

static void put_head(struct request *q, const struct error *error)
{
    struct registry *r = q->r;
    struct reply_head head = head_of(q);
    head.error = *error;
    q->used = r->port.head(r->port.context, &head, r->reply, sizeof r->reply);
    ASSERT(q->used > 0);
}

/* Where it is `remembered` its journal's number is there. */
static void send(struct request *q, uint32_t remembered)
{
    reply_send(q->r, &(struct outgoing){
                         .to = q->from,
                         .head = head_of(q),
                         .reply = bytes_of(q->r->reply, q->used),
                         .journal_number = waits_for(q),
                         .remembered = remembered,
                     });
    if (q->frame->holds_secret) {
        explicit_bzero(q->r->reply, q->used);
    }
}

static void refuse(struct request *q, struct error error)
{
    q->r->counters.frames_refused++;
    if (error.code == ERROR_FULL) {
        limit_reached(q->r, error.limit);
    }
    put_head(q, &error);
    q->tells_newest = false;
    q->told = 0;
    send(q, 0);
}

static struct error check_shape(const struct request *q)
{
    const struct frame *frame = q->frame;
    if (frame->version != FRAME_VERSION) {
        return (struct error){ERROR_VERSION, "version", "version must be 1", NULL};
    }
    if (frame->ops_count == 0 || frame->ops_count > FRAME_OPS_MAX) {
        return (struct error){ERROR_OP_COUNT, "ops", "ops must be 1 to 1024", NULL};
    }
    if (frame->answered_count > FRAME_ANSWERED_MAX) {
        return (struct error){ERROR_ANSWERED, "answered", "answered must be at most 64 ids", NULL};
    }
    for (size_t i = 0; frame->ops_count > 1 && i < frame->ops_count; i++) {
        if (must_be_alone(&frame->ops[i])) {
            return (struct error){ERROR_NOT_ALONE, "ops",
                                  "ops: this one must be alone in its frame", NULL};
        }
    }
    if (frame->session != 0 && frame->request_id == 0) {
        return (struct error){ERROR_REQUEST_ID, "request_id",
                              "request_id must rise from 1 in a session", NULL};
    }
    return (struct error){0};
}

/* Finds the frame's session and sees that it is this link's. */
static struct error enter_session(struct request *q)
{
    struct registry *r = q->r;
    if (q->frame->session == 0) {
        return (struct error){0};
    }
    uint32_t session = session_find(r, q->frame->session);
    bool rebinds = q->frame->secret.size > 0;
    if (session == 0 || (rebinds && !session_secret_is(session_at(r, session), q->frame->secret))) {
        return (struct error){ERROR_SESSION_LOST, "session",
                              "session: there is no such one, or no more", NULL};
    }
    if (rebinds && session_at(r, session)->link != q->link) {
        session_bind(r, session, q->link);
    }
    if (session_at(r, session)->link != q->link) {
        return (struct error){ERROR_NOT_BOUND, "session", "session is bound to another connection",
                              NULL};
    }
    q->session = session;
    session_heard(r, session);
    return (struct error){0};
}

static bool mutates(const struct frame *frame)
{
    for (size_t i = 0; i < frame->ops_count; i++) {
        if (kinds[frame->ops[i].kind].mutating) {
            return true;
        }
    }
    return false;
}

static void enter_space(struct request *q, const struct op *op)
{
    if (op->space.size == 0 && q->session != 0) {
        q->space = session_at(q->r, q->session)->space;
        q->space_name = space_name(q->r, q->space);
        return;
    }
    q->space_name = op->space.size == 0 ? bytes_of_string("default") : op->space;
    q->space = space_find(q->r, q->space_name);
}

void request_serve(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    r->counters.ops[op->kind]++;
    q->op_told = false;
    if (kinds[op->kind].serve == NULL) {
        request_refuse(
            q, &(struct error){ERROR_UNKNOWN_OP, "op", "op is none that is known here", NULL});
        return;
    }
    if (kinds[op->kind].needs_session && q->session == 0) {
        request_refuse(q, &(struct error){ERROR_NEEDS_SESSION, "session",
                                          "session is needed for this op: open one first", NULL});
        return;
    }
    struct error error = op_check(r, op);
    if (op->kind == OP_OPEN && q->frame->session != 0) {
        error = (struct error){ERROR_FIELD, "session", "session must be 0 with open", NULL};
    }
    if (error.code != ERROR_UNSET) {
        request_refuse(q, &error);
        return;
    }
    enter_space(q, op);
    if (!request_may(q, op)) {
        r->counters.denied++;
        request_tell(q, &(struct result){.answer = ANSWER_DENIED});
        return;
    }
    kinds[op->kind].serve(q, op);
}

/* Applies the ops in order. False where not even the first fits: then nothing was done. */
static bool serve_ops(struct request *q)
{
    const struct frame *frame = q->frame;
    for (size_t i = 0; i < frame->ops_count; i++) {
        ASSERT(!q->parked); /* what may park is alone in its frame */
        q->ops_left = frame->ops_count - 1 - i;
        if (q->session != 0 && frame->ops_count > 1 && i % PLAIN_BATCH == 0) {
            plain_prefetch(q, i);
        }
        if (!q->exhausted) {
            request_serve(q, &frame->ops[i]);
        }
        if (q->exhausted) {
            if (i == 0) {
                return false;
            }
            bool put = request_answer(q, ANSWER_NOT_APPLIED);
            ASSERT(put); /* its 4 bytes were kept free */
        }
    }
    return true;
}

static void serve(struct request *q)
{
    struct registry *r = q->r;
    bool remember = q->session != 0 && mutates(q->frame);
    put_head(q, &(struct error){0});
    q->tells_newest = false;
    q->told = 0;
    q->walked = 0;
    q->room = FRAME_BYTES_MAX;
    if (remember) {
        uint64_t left = remembered_room(r, q->session);
        left = left > REMEMBERED_BYTES_EXTRA ? left - REMEMBERED_BYTES_EXTRA : 0;
        q->room = left < q->room ? (size_t) left : q->room;
    }
    size_t least = q->used + NOT_APPLIED_BYTES * q->frame->ops_count;
    if (least > q->room || !serve_ops(q)) {
        if (q->session != 0 && remembered_give_way(r, q->session)) {
            q->exhausted = false;
            serve(q);
            return;
        }
        refuse(q, (struct error){ERROR_FULL, NULL, "no room to remember the answer",
                                 q->session != 0 ? remembered_limit(r, q->session) : NULL});
        return;
    }
    if (q->parked) {
        return;
    }
    struct bytes reply = bytes_of(r->reply, q->used);
    uint32_t remembered = 0;
    if (remember) {
        remembered = remembered_make(r, q->session, q->frame, 0);
        remembered_set(r, remembered, reply);
        remembered_at(r, remembered)->journal_number = waits_for(q);
    }
    send(q, remembered);
    if (q->closing) {
        session_die(r, q->session);
    }
}

static const struct error too_old = {ERROR_TOO_OLD, "request_id",
                                     "request_id is below those remembered: it was answered", NULL};

/* A frame that came before: answered as it was then, or moved here while it is undecided. */
static void repeat(struct request *q, uint32_t index)
{
    struct registry *r = q->r;
    const struct remembered *remembered = remembered_at(r, index);
    if (remembered->digest != q->frame->ops_digest) {
        refuse(q, (struct error){ERROR_REQUEST_ID_REUSED, "request_id",
                                 "request_id came before with other ops", NULL});
        return;
    }
    if (remembered->named) {
        refuse(q, too_old);
        return;
    }
    if (remembered->parked == 0 && remembered->reply.size == 0) {
        q->remembered = index;
        serve(q);
        return;
    }
    r->counters.replies_repeated++;
    if (remembered->parked != 0) {
        parked_at(r, remembered->parked)->to = *q->from;
        return;
    }
    if (remembered->held != 0) {
        held_at(r, remembered->held)->to = *q->from;
        return;
    }
    reply_send(r, &(struct outgoing){
                      .to = q->from,
                      .head = head_of(q),
                      .reply = byte_heap_get(&r->reply_bytes, remembered->reply),
                      .journal_number = remembered->journal_number,
                      .remembered = index,
                  });
}

void registry_frame(struct registry *r, const struct reply_to *from, const struct frame *frame,
                    uint64_t now_ms)
{
    note_time(r, now_ms);
    recovery_expire(r, now_ms);
    r->bans_walk_left = BAN_WALK_MAX;
    r->counters.frames++;
    struct request q = {.r = r, .from = from, .frame = frame, .link = link_find(r, from->link)};
    ASSERT(q.link != 0);
    struct error error = check_shape(&q);
    if (r->shut_down) {
        error = (struct error){ERROR_SHUTTING_DOWN, NULL, "the daemon stops", NULL};
    }
    if (error.code == ERROR_UNSET) {
        error = enter_session(&q);
    }
    if (error.code != ERROR_UNSET) {
        refuse(&q, error);
        return;
    }
    uint32_t known = 0;
    if (q.session != 0) {
        remembered_answered(r, q.session, frame);
        known = remembered_find(r, q.session, frame->request_id);
    }
    if (known != 0) {
        repeat(&q, known);
    } else if (q.session != 0 && frame->request_id < session_at(r, q.session)->answered_below) {
        refuse(&q, too_old);
    } else {
        serve(&q);
    }
    uint32_t budget = SETTLE_BUDGET;
    parked_settle(r, &budget);
    polls_answer(r, &budget);
    watchers_answer(r, &budget);
    plain_compact(r, MOVES_OF_OP * (uint32_t) frame->ops_count);
}
