/* SPDX-License-Identifier: MIT */
/* Frames: which are refused whole, which are repeats, and what is remembered of the others. */
#include "base/check.h"
#include "model/model_parts.h"

#include <stdlib.h>
#include <string.h>

static struct model_answer *find_answer(const struct model_session *session, uint64_t id)
{
    for (size_t i = 0; i < session->answers.count; i++) {
        struct model_answer *answer = list_at(&session->answers, i);
        if (answer->id == id) {
            return answer;
        }
    }
    return NULL;
}

static void answer_free(struct model_answer *answer)
{
    free(answer->data);
    answer->data = NULL;
    answer->size = 0;
    answer->is_freed = true;
}

static void answer_remove(struct model_session *session, struct model_answer *answer)
{
    answer_free(answer);
    list_remove(&session->answers,
                (size_t) (answer - (struct model_answer *) session->answers.items));
}

/* ---- replies ---- */

struct bytes model_encode(struct model *model, const struct reply *reply)
{
    uint8_t *out = arena_take(&model->arena, FRAME_BYTES_MAX);
    size_t used = reply_write_head(&reply->head, out, FRAME_BYTES_MAX);
    for (size_t i = 0; i < reply->results_count; i++) {
        size_t size = reply_write_result(&reply->results[i], out + used, FRAME_BYTES_MAX - used);
        ASSERT(size > 0);
        used += size;
    }
    return bytes_of(out, used);
}

void model_answer_keep(struct model *model, const struct reply_head *head, struct bytes encoded,
                       const struct model_needs *refused)
{
    struct model_session *session = model_find_session(model, head->session);
    struct model_answer *answer = session == NULL || head->error.code != ERROR_UNSET
                                      ? NULL
                                      : find_answer(session, head->request_id);
    if (answer == NULL || answer->is_decided) {
        return;
    }
    answer->is_decided = true;
    answer->is_refused = refused != NULL;
    answer->needs = refused != NULL ? *refused : (struct model_needs){0};
    if (!answer->is_read) {
        free(answer->data); /* it was decided once, and waited again */
        answer->data = malloc(encoded.size);
        ASSERT(answer->data != NULL);
        memcpy(answer->data, encoded.data, encoded.size);
        answer->size = encoded.size;
    } else if (!answer->is_passed) {
        answer_remove(session, answer);
    }
}

/* Where nobody saw the reply, because its session had left the place, the order of its gens is still open. */
static void note_open(const struct model *model, const struct reply *reply,
                      const struct reply_to *to)
{
    const struct model_session *session = model_find_session(model, reply->head.session);
    struct model_answer *answer =
        session == NULL ? NULL : find_answer(session, reply->head.request_id);
    if (answer != NULL && reply->results_count == 1 && reply->results[0].gens_count > 1 &&
        model->port.seen(model->port.context, to) == NULL) {
        answer->is_open = true;
    }
}

/* Takes the order that the real registry gave at last. */
static void close_open(struct model *model, struct model_answer *answer, const struct reply *seen)
{
    size_t mark = model->arena.used;
    struct bytes theirs = model_encode(model, seen);
    if (answer->is_open && theirs.size == answer->size) {
        memcpy(answer->data, theirs.data, theirs.size);
        answer->is_open = false;
    }
    model->arena.used = mark;
}

void model_reply(struct model *model, const struct reply_to *to, const struct reply *reply)
{
    size_t mark = model->arena.used;
    struct bytes encoded = model_encode(model, reply);
    const struct model_session *session = model_find_session(model, reply->head.session);
    bool is_refusal =
        reply->head.error.code != ERROR_UNSET && reply->head.error.code != ERROR_SESSION_LOST;
    bool optional = session != NULL && session->link != to->link && !is_refusal;
    if (!model_hold(model, to, reply, encoded)) {
        model_answer_keep(model, &reply->head, encoded, NULL);
        note_open(model, reply, to);
        model->port.send(model->port.context, to, encoded, optional);
    }
    model->arena.used = mark;
}

static void refuse(struct model *model, const struct model_request *request, enum error_code code,
                   const char *limit)
{
    struct reply reply = {
        .head = {.session = request->frame->session, .request_id = request->frame->request_id}};
    reply.head.error = (struct error){.code = code, .text = "(a sentence)", .limit = limit};
    model_reply(model, request->from, &reply);
}

/* ---- what is refused whole ---- */

static enum error_code bad_head(const struct frame *frame)
{
    if (frame->version != 1) {
        return ERROR_VERSION;
    }
    if (frame->ops_count < 1 || frame->ops_count > FRAME_OPS_MAX) {
        return ERROR_OP_COUNT;
    }
    if (frame->answered_count > FRAME_ANSWERED_MAX) {
        return ERROR_ANSWERED;
    }
    for (size_t i = 0; i < frame->ops_count && frame->ops_count > 1; i++) {
        if (model_op_must_be_alone(&frame->ops[i])) {
            return ERROR_NOT_ALONE;
        }
    }
    return frame->session != 0 && frame->request_id == 0 ? ERROR_REQUEST_ID : ERROR_UNSET;
}

static bool is_mutating(const struct frame *frame)
{
    for (size_t i = 0; i < frame->ops_count; i++) {
        if (model_op_is_mutating(&frame->ops[i])) {
            return true;
        }
    }
    return false;
}

/* ---- retries ---- */

static bool is_named(const struct frame *frame, uint64_t id)
{
    for (size_t i = 0; i < frame->answered_count; i++) {
        if (frame->answered[i] == id) {
            return true;
        }
    }
    return false;
}

static void free_answered(struct model_session *session, const struct frame *frame)
{
    if (frame->answered_below > session->below) {
        session->below = frame->answered_below;
    }
    for (size_t i = session->answers.count; i > 0; i--) {
        struct model_answer *answer = list_at(&session->answers, i - 1);
        if (answer->is_decided && is_named(frame, answer->id)) {
            answer_free(answer);
        }
        if (answer->id >= session->below) {
            continue;
        }
        if (!answer->is_decided) {
            answer->is_passed = true;
        } else if (answer->was_parked && !answer->is_read && !answer->is_freed) {
            answer->is_crossed = true;
        } else if (!answer->is_passed || answer->is_freed) {
            answer_remove(session, answer);
        }
    }
}

/* A repeat moves the reply of what is still parked to the newest connection. */
static void move_parked(struct model *model, const struct model_request *request)
{
    for (size_t i = 0; i < model->parked.count; i++) {
        struct model_parked *parked = list_at(&model->parked, i);
        if (parked->session == request->frame->session &&
            parked->request_id == request->frame->request_id) {
            parked->to = *request->from;
        }
    }
    model_held_move(model, request->frame, request->from);
}

/* What an answer may cost beyond its bytes. */
#define ANSWER_COST_MOST 256

/* The most that the remembered answers of a session can come to. */
static uint64_t answers_bytes(const struct model_session *session)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < session->answers.count; i++) {
        sum += ((struct model_answer *) list_at(&session->answers, i))->size + ANSWER_COST_MOST;
    }
    return sum;
}

static uint64_t all_answers_bytes(const struct model *model)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < model->sessions.count; i++) {
        sum += answers_bytes(list_at(&model->sessions, i));
    }
    return sum;
}

static uint64_t rest(uint64_t limit, uint64_t used)
{
    return used < limit ? limit - used : 0;
}

/* What a reply may take at the least: no more than may be remembered, where it has to be, and room may be
 * kept for the answers of what is parked. */
static uint64_t reply_room(const struct model *model, const struct model_request *request)
{
    const struct limits *limits = &model->config.limits;
    const struct model_session *session = model_find_session(model, request->frame->session);
    if (session == NULL || !is_mutating(request->frame)) {
        return FRAME_BYTES_MAX;
    }
    uint64_t parked = model->parked.count * FRAME_BYTES_MAX;
    uint64_t own = rest(limits->replies_session_bytes, answers_bytes(session) + parked);
    uint64_t all = rest(limits->replies_bytes, all_answers_bytes(model) + parked);
    uint64_t least = own < all ? own : all;
    return least < FRAME_BYTES_MAX ? least : FRAME_BYTES_MAX;
}

/* An id that is too old may still be known, and then with other ops. */
static bool was_reused(const struct model_request *request)
{
    return request->seen != NULL && request->seen->head.error.code == ERROR_REQUEST_ID_REUSED;
}

static bool was_too_old(const struct model_request *request)
{
    return request->seen != NULL && request->seen->head.error.code == ERROR_TOO_OLD;
}

/* Whether the id needs no more than this: it was seen before, or is too old. */
static bool is_repeat(struct model *model, const struct model_request *request)
{
    const struct frame *frame = request->frame;
    const struct model_session *session = model_find_session(model, frame->session);
    struct model_answer *answer = find_answer(session, frame->request_id);
    if (answer == NULL) {
        if (frame->request_id < session->below) {
            refuse(model, request, was_reused(request) ? ERROR_REQUEST_ID_REUSED : ERROR_TOO_OLD,
                   NULL);
        }
        return frame->request_id < session->below;
    }
    bool is_short = answer->is_crossed && reply_room(model, request) < FRAME_BYTES_MAX;
    if ((answer->may_be_gone || is_short) && was_too_old(request)) {
        refuse(model, request, ERROR_TOO_OLD, NULL);
    } else if (answer->digest != frame->ops_digest) {
        refuse(model, request, ERROR_REQUEST_ID_REUSED, NULL);
    } else if (answer->is_freed) {
        refuse(model, request, ERROR_TOO_OLD, NULL);
    } else if (!answer->is_decided && model_held_repeat(model, frame, request->from)) {
        return true;
    } else if (!answer->is_decided) {
        move_parked(model, request);
    } else if (answer->is_read) {
        return false;
    } else if (model->port.has_journal && model_hold_again(model, request->from, frame, answer)) {
        return true;
    } else {
        if (request->seen != NULL && request->seen->results_count == 1) {
            close_open(model, answer, request->seen);
        }
        model->port.send(model->port.context, request->from, bytes_of(answer->data, answer->size),
                         false);
    }
    return true;
}

/* The bound of remembered answers that was reached, NULL for none. Room may be asked for the longest
 * of replies before the frame is applied, so the real registry may see a bound where we do not. */
static const char *replies_full(const struct model *model, const struct model_request *request)
{
    if (request->seen == NULL || request->seen->head.error.code != ERROR_FULL) {
        return NULL;
    }
    uint64_t all = all_answers_bytes(model);
    uint64_t own = answers_bytes(model_find_session(model, request->frame->session));
    uint64_t parked = model->parked.count * FRAME_BYTES_MAX;
    const char *limit = request->seen->head.error.limit;
    if (strcmp(limit, "replies_session_bytes") == 0 &&
        own + parked + FRAME_BYTES_MAX > model->config.limits.replies_session_bytes) {
        return "replies_session_bytes";
    }
    if (strcmp(limit, "replies_bytes") == 0 &&
        all + parked + FRAME_BYTES_MAX > model->config.limits.replies_bytes) {
        return "replies_bytes";
    }
    return NULL;
}

/* ---- applying ---- */

/* Where the real registry stopped for want of room, if it had to: no result of one op, but a list of
 * many, is longer than this. */
#define RESULT_BYTES_ENOUGH 3400

static bool has_room(const struct model *model, const struct model_request *request,
                     const struct op *op, size_t used)
{
    const struct reply *seen = request->seen;
    size_t i = request->index;
    if (seen == NULL || i >= seen->results_count || seen->results[i].answer != ANSWER_NOT_APPLIED) {
        return true;
    }
    size_t later = 4 * (request->frame->ops_count - 1 - i);
    uint64_t left = rest(reply_room(model, request), used + later);
    bool is_long = op->kind == OP_STATS || op->kind == OP_CANCEL;
    return left >= (is_long ? FRAME_BYTES_MAX : RESULT_BYTES_ENOUGH);
}

/* Applies the ops in turn; false where the only one was parked. */
static bool apply_all(struct model *model, struct model_request *request, struct reply *reply)
{
    uint8_t *scratch = arena_take(&model->arena, FRAME_BYTES_MAX);
    size_t used = reply_write_head(&reply->head, scratch, FRAME_BYTES_MAX);
    bool full = false;
    for (size_t i = 0; i < request->frame->ops_count; i++) {
        struct result *result = &reply->results[reply->results_count++];
        const struct op *op = &request->frame->ops[i];
        request->index = i;
        full = full || !has_room(model, request, op, used);
        if (full) {
            *result = (struct result){.answer = ANSWER_NOT_APPLIED};
        } else if (!model_apply(model, request, op, result)) {
            return false;
        }
        used += reply_write_result(result, scratch, FRAME_BYTES_MAX);
    }
    return true;
}

static void note_request(struct model *model, const struct frame *frame, bool is_read)
{
    struct model_session *session = model_find_session(model, frame->session);
    if (session == NULL) {
        return;
    }
    struct model_answer *answer = find_answer(session, frame->request_id);
    if (answer != NULL) {
        answer->is_decided = false;
        return;
    }
    answer = list_push(&session->answers);
    *answer = (struct model_answer){
        .id = frame->request_id, .digest = frame->ops_digest, .is_read = is_read};
}

static void mark_parked(struct model *model, const struct frame *frame)
{
    struct model_session *session = model_find_session(model, frame->session);
    if (session != NULL) {
        struct model_answer *answer = find_answer(session, frame->request_id);
        answer->was_parked = true;
        /* A bulk cancel or a drain may as well have been answered at once. */
        answer->may_be_gone = is_mutating(frame) && model_op_must_be_alone(&frame->ops[0]) &&
                              !(frame->ops[0].kind == OP_CANCEL && frame->ops[0].key.size > 0);
    }
}

void model_answer_parked(struct model *model, const struct reply_head *head, bool maybe)
{
    const struct model_session *session = model_find_session(model, head->session);
    struct model_answer *answer = session == NULL ? NULL : find_answer(session, head->request_id);
    if (answer != NULL && !answer->was_parked) {
        answer->was_parked = true;
        answer->may_be_gone = maybe;
    }
}

static void apply_frame(struct model *model, struct model_request *request)
{
    const struct frame *frame = request->frame;
    struct reply reply = {
        .head = {.session = frame->session, .request_id = frame->request_id},
        .results = arena_take(&model->arena, frame->ops_count * sizeof *reply.results),
    };
    bool mutating = is_mutating(frame);
    if (mutating) {
        note_request(model, frame, false);
    }
    if (!apply_all(model, request, &reply)) {
        note_request(model, frame, !mutating);
        mark_parked(model, frame);
        return;
    }
    model_reply(model, request->from, &reply);
}

/* Where room for answers is short, those that are kept on the chance go first. */
static void note_want_of_room(struct model *model, const struct model_request *request)
{
    const struct model_session *session = model_find_session(model, request->frame->session);
    if (reply_room(model, request) == FRAME_BYTES_MAX) {
        return;
    }
    for (size_t i = 0; i < session->answers.count; i++) {
        struct model_answer *answer = list_at(&session->answers, i);
        answer->may_be_gone = answer->may_be_gone || answer->is_crossed;
    }
}

/* A frame in a session is a sign of life. False where it was refused. */
static bool enter_session(struct model *model, struct model_request *request)
{
    const struct frame *frame = request->frame;
    struct model_session *session = model_find_session(model, frame->session);
    if (session != NULL && frame->secret.size > 0) {
        if (frame->secret.size == SECRET_BYTES &&
            memcmp(frame->secret.data, session->secret, SECRET_BYTES) == 0) {
            model_bind_session(model, session, request->from->link);
        } else {
            session = NULL; /* a wrong secret is no better than a wrong session */
        }
    }
    if (session == NULL || session->link != request->from->link) {
        refuse(model, request, session == NULL ? ERROR_SESSION_LOST : ERROR_NOT_BOUND, NULL);
        return false;
    }
    session->grace_end_ms = TIME_NEVER;
    session->silence_end_ms =
        session->heartbeat_ms == 0 ? TIME_NEVER : model->now_ms + 3 * session->heartbeat_ms;
    request->space = session->space;
    request->peer = session->peer;
    free_answered(session, frame);
    if (is_repeat(model, request)) {
        return false;
    }
    note_want_of_room(model, request);
    const char *limit = is_mutating(frame) ? replies_full(model, request) : NULL;
    if (limit != NULL) {
        refuse(model, request, ERROR_FULL, limit);
    }
    return limit == NULL;
}

void model_frame(struct model *model, const struct reply_to *from, const struct frame *frame,
                 uint64_t now_ms)
{
    const struct model_link *link = model_find_link(model, from->link);
    ASSERT(link != NULL);
    arena_reset(&model->arena);
    model->now_ms = now_ms;
    model->needs = 0;
    struct model_request request = {
        .from = from,
        .frame = frame,
        .session = frame->session,
        .space = bytes_of_string("default"),
        .peer = link->peer,
        .seen = model->port.seen(model->port.context, from),
    };
    enum error_code code = model->is_shut_down ? ERROR_SHUTTING_DOWN : bad_head(frame);
    if (code != ERROR_UNSET) {
        refuse(model, &request, code, NULL);
        return;
    }
    if (frame->session == 0 || enter_session(model, &request)) {
        apply_frame(model, &request);
    }
    if (request.closed != 0) {
        model_lose_parked(model, request.closed, true);
    }
    if (!model_has_work(model)) {
        model_settle(model);
    }
    if (request.closed != 0) {
        model_session_end(model, request.closed);
    }
    model_memory_trim(model);
}
