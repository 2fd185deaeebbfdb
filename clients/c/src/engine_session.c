/* SPDX-License-Identifier: MIT */
#include "engine_parts.h"
#include "result.h"

void event_push(struct engine *engine, enum canceld_event event)
{
    /* A callback that hangs misses the oldest. */
    if (engine->events_count == ENGINE_EVENTS_MAX) {
        memmove(engine->events, engine->events + 1,
                (ENGINE_EVENTS_MAX - 1) * sizeof engine->events[0]);
        engine->events_count--;
    }
    engine->events[engine->events_count++] = event;
}

bool engine_take_event(struct engine *engine, enum canceld_event *event_out)
{
    if (engine->events_count == 0)
        return false;
    *event_out = engine->events[0];
    engine->events_count--;
    memmove(engine->events, engine->events + 1, engine->events_count * sizeof engine->events[0]);
    return true;
}

/* ---- opening ---- */

static void ready(struct engine *engine)
{
    engine->phase = ENGINE_READY;
    engine->degraded_ns = NEVER;
    engine->lost_possible = false;
    /* Who always ends the link by a reply that he cannot take, for want of memory say, is to pause more and more. */
    if (!engine->misunderstood)
        engine->dial_pause_ns = 0;
    engine->misunderstood = false;
    engine->attempts_failed = 0;
    engine->attempts_hung = 0;
    engine->resend_ns = 0;
    engine->connections_count++;
}

void sessionless_ready(struct engine *engine)
{
    event_push(engine,
               engine->connections_count == 0 ? CANCELD_EVENT_CONNECTED : CANCELD_EVENT_RESUMED);
    ready(engine);
}

static void open_refused(struct engine *engine, Canceld__V1__Reply *reply)
{
    Canceld__V1__Result *result = NULL;

    canceld_result_clear(&engine->refusal);
    if (reply->n_results == 1) {
        result = reply->results[0];
        reply->results[0] = NULL;
    } else {
        result = malloc(sizeof *result);
        if (result != NULL) {
            canceld__v1__result__init(result);
            result->answer = CANCELD__V1__ANSWER__ANSWER_ERROR;
            result->error = reply->error;
            reply->error = NULL;
        }
    }
    if (result != NULL)
        (void) !result_take(&engine->refusal, result); /* it is empty without memory */
    engine->refused = true;
    engine->broken = true;
}

static void session_begin(struct engine *engine, const Canceld__V1__Opened *opened)
{
    uint64_t epoch_before = engine->epoch;

    engine->session = opened->session;
    memcpy(engine->secret, opened->secret.data, sizeof engine->secret);
    explicit_bzero(opened->secret.data, opened->secret.len);
    engine->epoch = opened->epoch;
    engine->grace_ms = opened->grace_ms;
    engine->finished_ms = opened->finished_ms;
    engine->parked_max = opened->parked_max;
    if (!engine->had_session) {
        event_push(engine, CANCELD_EVENT_CONNECTED);
    } else {
        bool epoch_is_new = epoch_before != opened->epoch;

        operations_strayed(engine, epoch_is_new);
        event_push(engine, epoch_is_new ? CANCELD_EVENT_NEW_EPOCH : CANCELD_EVENT_SESSION_LOST);
    }
    engine->had_session = true;
}

/* They are made anew, in the next session. */
static void adopts_forget(struct engine *engine)
{
    struct link *link = list_take(&engine->adopts);

    for (; link != NULL; link = list_take(&engine->adopts))
        request_drop(engine, request_of(link));
}

/* What the lost session's requests become, and nothing of it is kept. */
static void session_forget(struct engine *engine)
{
    frames_release_own(engine);
    frames_repeat_all(engine, &engine->again);
    adopts_forget(engine);
    list_prepend_all(&engine->queue, &engine->again);
    engine->session = 0;
    explicit_bzero(engine->secret, sizeof engine->secret);
    engine->id_next = 1;
    engine->answers_count = 0;
    engine->pinged_ns = NEVER;
    engine->acks.size = 0;
    engine->skipped_count = 0;
    engine->open_asked = false;
    engine->phase = ENGINE_OPENING;
}

static void session_open(struct engine *engine, const Canceld__V1__Opened *opened)
{
    if (opened->resumed && opened->session == engine->session) {
        operations_resumed(engine);
        event_push(engine, CANCELD_EVENT_RESUMED);
    } else {
        if (engine->session != 0)
            session_forget(engine);
        session_begin(engine, opened);
    }
    engine->poll_after = 0;
    engine->poll_again = false;
    engine->poll_ns = 0;
    ready(engine);
}

void open_answered(struct engine *engine, Canceld__V1__Reply *reply, uint64_t now_ns)
{
    const Canceld__V1__Result *result = reply->n_results == 1 ? reply->results[0] : NULL;

    (void) now_ns;
    if (engine->phase != ENGINE_OPENING)
        return;
    if (reply->error == NULL && result != NULL &&
        result->answer == CANCELD__V1__ANSWER__ANSWER_OPENED && result->opened != NULL &&
        result->opened->session != 0 && result->opened->secret.len == sizeof engine->secret)
        session_open(engine, result->opened);
    else if (reply->error == NULL && result != NULL && engine->session != 0 &&
             result->answer == CANCELD__V1__ANSWER__ANSWER_SESSION_LOST)
        session_forget(engine);
    else
        open_refused(engine, reply);
}

/* ---- losing ---- */

void session_losing(struct engine *engine, struct frame *frame)
{
    struct request *request = NULL;

    if (frame != NULL)
        frame_not_applied(frame);
    while (frame != NULL && (request = frame_unpack(engine, frame)) != NULL)
        request_repeat(engine, request, &engine->again);
    if (frame != NULL)
        frame_release(engine, frame);
    if (engine->phase == ENGINE_READY)
        engine->phase = ENGINE_LOSING;
}

void session_losing_end(struct engine *engine)
{
    for (struct link *at = engine->open.next; at != &engine->open; at = at->next)
        if (frame_of(at)->sent && !frame_of(at)->parks)
            return;
    session_forget(engine);
}
