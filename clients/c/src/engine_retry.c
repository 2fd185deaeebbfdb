/* SPDX-License-Identifier: MIT */
/* Two ways of the daemon to say "not yet".
 *
 * RECOVERING is of one op, and nothing was done: the request goes out again in another frame, under another id.
 *
 * ERROR_JOURNAL is of a whole frame, and everything was done: the same frame goes out again under its id, whose
 * answer the daemon keeps until its journal has it. Without a session there is no such id; then reads are asked
 * again, and of the rest the truth is told at once. */
#include "engine_parts.h"

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- RECOVERING ---- */

static void request_later(struct engine *engine, struct request *request, uint64_t at_ns)
{
    if (link_is_alone(&engine->later) || at_ns < engine->later_ns)
        engine->later_ns = at_ns;
    list_append(&engine->later, &request->link);
}

bool request_put_off(struct engine *engine, struct request *request,
                     const Canceld__V1__Result *result, uint64_t now_ns)
{
    uint64_t pause = (result->retry_ms == 0 ? 1 : result->retry_ms) * NS_PER_MS;
    uint64_t at_ns = now_ns + earlier(pause, ENGINE_RECOVER_NS);

    if (result->answer != CANCELD__V1__ANSWER__ANSWER_RECOVERING || request->adopts ||
        request->asks || (request->call == NULL && !request->persists))
        return false;
    /* A frame is repeated under its id, so its other sendings did nothing either. */
    request->sent = false;
    request->recovering = true;
    if (request->recover_ns == 0) {
        request->recover_ns = now_ns + request->deadline_ms * NS_PER_MS;
        request->put_off_ns = now_ns;
    }
    if (request->call != NULL && at_ns >= request->recover_ns)
        request_end_recovering(engine, request);
    if (request->call == NULL && !request->persists)
        request_drop(engine, request);
    else
        request_later(engine, request, at_ns);
    return true;
}

void requests_take_up(struct engine *engine, uint64_t now_ns)
{
    if (link_is_alone(&engine->later) || now_ns < engine->later_ns)
        return;
    /* What the daemon is to wait does not run meanwhile. */
    for (struct link *at = engine->later.next; at != &engine->later; at = at->next) {
        struct request *request = request_of(at);

        request->submitted_ns += request->recovering ? now_ns - request->put_off_ns : 0;
        request->put_off_ns = now_ns;
    }
    list_prepend_all(&engine->queue, &engine->later);
}

/* ---- ERROR_JOURNAL ---- */

static void request_unjournaled(struct engine *engine, struct request *request)
{
    engine->adopts_unjournaled += request->adopts && !request->unjournaled;
    request->unjournaled = true;
}

static void requests_unjournaled(struct engine *engine, struct frame *frame, uint64_t now_ns)
{
    struct request *request = NULL;

    while ((request = frame_unpack(engine, frame)) != NULL) {
        request_unjournaled(engine, request);
        if (request->reads && request->call != NULL) {
            request_later(engine, request, now_ns + ENGINE_JOURNAL_FIRST_NS);
            continue;
        }
        request_end(engine, request, CANCELD_UNKNOWN);
        request_drop(engine, request);
    }
    frame_release(engine, frame);
}

void frame_unjournaled(struct engine *engine, struct frame *frame, uint64_t now_ns)
{
    uint64_t pause = frame->journal_pause_ns;

    if (engine->config.sessionless) {
        requests_unjournaled(engine, frame, now_ns);
        return;
    }
    for (struct link *at = frame->requests.next; at != &frame->requests; at = at->next)
        request_unjournaled(engine, request_of(at));
    pause = pause == 0 ? ENGINE_JOURNAL_FIRST_NS : earlier(2 * pause, ENGINE_JOURNAL_LAST_NS);
    frame->journal_pause_ns = pause;
    frame->journal_ns = now_ns + pause;
    frame->sent = false;
    link_remove(&frame->resend_link);
    list_append(&engine->unjournaled, &frame->resend_link);
}

/* A store that nobody waits for any more has to be undone, once its gen is known. */
static bool frame_is_wanted(const struct frame *frame)
{
    for (struct link *at = frame->requests.next; at != &frame->requests; at = at->next) {
        const struct request *request = request_of(at);

        if (request->call != NULL || request->persists || request->operation != NULL)
            return true;
    }
    return false;
}

static void frame_give_up(struct engine *engine, struct frame *frame)
{
    struct request *request = NULL;

    while ((request = frame_unpack(engine, frame)) != NULL)
        request_drop(engine, request);
    frame_release(engine, frame);
}

void unjournaled_retry(struct engine *engine, uint64_t now_ns)
{
    struct link *next = NULL;

    for (struct link *at = engine->unjournaled.next; at != &engine->unjournaled; at = next) {
        struct frame *frame = LINK_OWNER(at, struct frame, resend_link);

        next = at->next;
        if (frame->journal_ns > now_ns)
            continue;
        if (frame_is_wanted(frame))
            frame_retry(engine, frame);
        else
            frame_give_up(engine, frame);
    }
}

uint64_t engine_retry_ns(const struct engine *engine)
{
    uint64_t first = link_is_alone(&engine->later) ? NEVER : engine->later_ns;

    for (struct link *at = engine->unjournaled.next; at != &engine->unjournaled; at = at->next)
        first = earlier(first, LINK_OWNER(at, struct frame, resend_link)->journal_ns);
    return first;
}
