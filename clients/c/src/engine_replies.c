/* SPDX-License-Identifier: MIT */
/* From the bytes of the link to the answers of requests. What comes is not trusted: a reply that cannot be
 * understood cuts the link, and the daemon is asked again on the next one. */
#include "engine_parts.h"
#include "result.h"

/* What unpacking one reply may take: protobuf-c's structs are larger than the bytes they come from. */
#define REPLY_MEMORY_MAX ((size_t) 8 << 20)

static void *capped_alloc(void *left_bytes, size_t size)
{
    size_t *left = left_bytes;

    if (size > *left)
        return NULL;
    *left -= size;
    return malloc(size);
}

static void capped_free(void *left_bytes, void *memory)
{
    (void) left_bytes;
    free(memory);
}

static Canceld__V1__Reply *reply_unpack(const uint8_t *payload, size_t size)
{
    size_t left = REPLY_MEMORY_MAX;
    ProtobufCAllocator allocator = {
        .alloc = capped_alloc, .free = capped_free, .allocator_data = &left};

    return canceld__v1__reply__unpack(&allocator, size, payload);
}

/* ---- what an answer proves ---- */

/* Frames are applied in order: what was sent before an answered frame has arrived. Parked ones among them
 * hold up answered_below no longer. */
static void frames_arrived(struct engine *engine, uint64_t send_order)
{
    while (!link_is_alone(&engine->open)) {
        struct frame *frame = frame_of(engine->open.next);

        if (!frame->parks || !frame->sent || frame->send_order >= send_order)
            return;
        link_remove(&frame->link);
        list_append(&engine->parked, &frame->link);
    }
}

/* The daemon has read what the frame named. */
static void answers_confirm(struct engine *engine, uint64_t carrier_id)
{
    size_t kept = 0;

    if (carrier_id == 0)
        return; /* an open names none */
    for (size_t i = 0; i < engine->answers_count; i++)
        if (engine->answers[i].carrier_id != carrier_id)
            engine->answers[kept++] = engine->answers[i];
    engine->answers_count = kept;
}

/* Of reads too, though they are not remembered: that a passed id was answered is, until it is named. */
static void answer_note(struct engine *engine, const struct frame *frame)
{
    if (engine->config.sessionless || !(frame->parks || frame->kind == FRAME_POLL))
        return;
    /* Beyond the bound the daemon keeps the answer until the session ends. */
    if (engine->answers_count < ENGINE_PARKED_ANSWERS_MAX)
        engine->answers[engine->answers_count++] = (struct parked_answer){.id = frame->id};
}

/* ---- answers ---- */

/* An operation whose gen is 0, which stands for any, would act on whatever else is live under its key. */
static bool is_birth_without_gen(const Canceld__V1__Result *result)
{
    return result->gen == 0 && (result->answer == CANCELD__V1__ANSWER__ANSWER_STORED ||
                                result->answer == CANCELD__V1__ANSWER__ANSWER_BORN_CANCELLED);
}

static bool are_of(const Canceld__V1__Reply *reply, const struct frame *frame)
{
    if (reply->n_results != frame->ops_count)
        return false;
    for (size_t i = 0; i < reply->n_results; i++)
        if (is_birth_without_gen(reply->results[i]))
            return false;
    return true;
}

static bool calls_answered(struct engine *engine, struct frame *frame, Canceld__V1__Reply *reply,
                           uint64_t now_ns)
{
    struct link again;
    bool alone = frame->ops_count == 1;

    if (!are_of(reply, frame))
        return false;
    link_init(&again);
    for (size_t i = 0; i < reply->n_results; i++) {
        struct request *request = frame_unpack(engine, frame);
        Canceld__V1__Result *result = reply->results[i];

        if (result->answer == CANCELD__V1__ANSWER__ANSWER_NOT_APPLIED && !alone) {
            request->sent = false;
            request_repeat(engine, request, &again);
            continue;
        }
        if (request_put_off(engine, request, result, now_ns))
            continue;
        reply->results[i] = NULL; /* taken over */
        request_answer(engine, request, result);
    }
    list_prepend_all(&engine->queue, &again);
    answer_note(engine, frame);
    frame_release(engine, frame);
    return true;
}

/* A result of our own that says what the error says. NULL without memory. */
static Canceld__V1__Result *result_of_error(const Canceld__V1__Error *error)
{
    Canceld__V1__Result result;
    Canceld__V1__Error copy = *error;
    Canceld__V1__Result *own = NULL;
    size_t size = 0;
    uint8_t *packed = NULL;

    canceld__v1__result__init(&result);
    result.answer = error->code == CANCELD__V1__ERROR_CODE__ERROR_FULL
                        ? CANCELD__V1__ANSWER__ANSWER_FULL
                        : CANCELD__V1__ANSWER__ANSWER_ERROR;
    result.error = &copy;
    size = canceld__v1__result__get_packed_size(&result);
    packed = malloc(size);
    if (packed == NULL)
        return NULL;
    (void) canceld__v1__result__pack(&result, packed);
    own = canceld__v1__result__unpack(NULL, size, packed);
    free(packed);
    return own;
}

/* Ends the calls of a frame that was refused whole. FULL is an answer like that to a single op; the rest is
 * nothing that an application can act on. */
static void calls_refused(struct engine *engine, struct frame *frame,
                          const Canceld__V1__Error *error)
{
    bool full = error->code == CANCELD__V1__ERROR_CODE__ERROR_FULL;
    struct request *request = NULL;

    while ((request = frame_unpack(engine, frame)) != NULL) {
        struct call *call = request->call;
        Canceld__V1__Result *own = result_of_error(error);

        if (own == NULL) {
            request_end(engine, request, CANCELD_NO_MEMORY);
            request_drop(engine, request);
            continue;
        }
        request_answer(engine, request, own);
        if (call != NULL && !full && call->status == CANCELD_OK)
            call->status = CANCELD_REFUSED;
    }
    frame_release(engine, frame);
}

/* The id is below those remembered. Where this was its first time nothing was applied; else the answer is gone. */
static void calls_too_old(struct engine *engine, struct frame *frame)
{
    struct link again;
    struct request *request = NULL;

    link_init(&again);
    frame_not_applied(frame);
    while ((request = frame_unpack(engine, frame)) != NULL)
        request_repeat(engine, request, &again);
    list_prepend_all(&engine->queue, &again);
    frame_release(engine, frame);
}

static bool is_about_replies(const Canceld__V1__Error *error)
{
    return error->code == CANCELD__V1__ERROR_CODE__ERROR_FULL &&
           strncmp(error->limit, "replies", strlen("replies")) == 0;
}

static bool frame_refused(struct engine *engine, struct frame *frame,
                          const Canceld__V1__Error *error, uint64_t now_ns)
{
    if (is_about_replies(error) || error->code == CANCELD__V1__ERROR_CODE__ERROR_SHUTTING_DOWN) {
        frame_not_applied(frame);
        frame_retry(engine, frame);
        engine->resend_ns = now_ns + ENGINE_RETRY_NS;
        return true;
    }
    switch (error->code) {
    case CANCELD__V1__ERROR_CODE__ERROR_SESSION_LOST:
        session_losing(engine, frame);
        return true;
    case CANCELD__V1__ERROR_CODE__ERROR_NOT_BOUND:
        return false; /* the next link binds it again */
    case CANCELD__V1__ERROR_CODE__ERROR_JOURNAL:
        frame_unjournaled(engine, frame, now_ns);
        return true;
    case CANCELD__V1__ERROR_CODE__ERROR_TOO_OLD:
        calls_too_old(engine, frame);
        return true;
    default:
        calls_refused(engine, frame, error);
        return true;
    }
}

static bool calls_replied(struct engine *engine, struct frame *frame, Canceld__V1__Reply *reply,
                          uint64_t now_ns)
{
    bool understood = true;

    if (reply->error != NULL)
        understood = frame_refused(engine, frame, reply->error, now_ns);
    else
        understood = calls_answered(engine, frame, reply, now_ns);
    if (engine->phase == ENGINE_LOSING)
        session_losing_end(engine);
    return understood;
}

/* Pings, polls and the close: that there is an answer is what matters, unless the session is lost. */
static bool own_replied(struct engine *engine, struct frame *frame, Canceld__V1__Reply *reply,
                        uint64_t now_ns)
{
    enum frame_kind kind = frame->kind;

    answer_note(engine, frame);
    frame_release(engine, frame);
    if (kind == FRAME_OPEN) {
        open_answered(engine, reply, now_ns);
        return true;
    }
    if (kind == FRAME_PING)
        engine->pinged_ns = NEVER;
    if (kind == FRAME_POLL)
        poll_answered(engine, reply, now_ns);
    if (kind == FRAME_CLOSE)
        engine->phase = ENGINE_CLOSED;
    if (reply->error != NULL && reply->error->code == CANCELD__V1__ERROR_CODE__ERROR_SESSION_LOST &&
        engine->phase == ENGINE_READY)
        session_losing(engine, NULL);
    if (engine->phase == ENGINE_LOSING)
        session_losing_end(engine);
    return reply->error == NULL || reply->error->code != CANCELD__V1__ERROR_CODE__ERROR_NOT_BOUND;
}

static bool reply_take(struct engine *engine, const struct sp_step *step, uint64_t now_ns)
{
    uint32_t word = step->route.words[step->route.words_count - 1];
    struct frame *frame = &engine->frames[word & (ENGINE_FRAMES_MAX - 1)];
    Canceld__V1__Reply *reply = NULL;
    bool understood = false;

    if (!frame->busy || !frame->sent || frame->word != word || step->route.words_count != 1)
        return true; /* late: of a link or a session before */
    reply = reply_unpack(step->payload, step->payload_bytes);
    if (reply == NULL)
        return false;
    if (reply->error != NULL || (reply->version == 1 && reply->request_id == frame->id)) {
        frames_arrived(engine, frame->send_order);
        answers_confirm(engine, frame->id);
        if (frame->kind == FRAME_CALLS)
            understood = calls_replied(engine, frame, reply, now_ns);
        else
            understood = own_replied(engine, frame, reply, now_ns);
    }
    canceld__v1__reply__free_unpacked(reply, NULL);
    return understood;
}

static void greeted(struct engine *engine)
{
    if (engine->config.sessionless)
        sessionless_ready(engine);
    else
        engine->phase = ENGINE_OPENING;
}

static bool input_step(struct engine *engine, const struct sp_step *step, uint64_t now_ns)
{
    switch (step->found) {
    case SP_OPENED:
        greeted(engine);
        return true;
    case SP_FRAME:
        engine->replied_ns = now_ns;
        return reply_take(engine, step, now_ns);
    case SP_IGNORE:
        return true;
    case SP_MORE:
    case SP_BROKEN:
        break;
    }
    /* Whoever does not even greet as a REP is not the daemon, and will not be. */
    engine->refused = engine->refused || engine->phase == ENGINE_GREETING;
    return false;
}

bool engine_receive(struct engine *engine, const uint8_t *data, size_t size, uint64_t now_ns)
{
    size_t offset = 0;
    bool understood = engine->phase != ENGINE_AWAY && buffer_append(&engine->input, data, size);

    engine->received_ns = now_ns;
    while (understood) {
        struct sp_step step =
            sp_read(&engine->reader, engine->input.data + offset, engine->input.size - offset);

        if (step.found == SP_MORE)
            break;
        understood = input_step(engine, &step, now_ns);
        offset += step.consumed;
    }
    if (!understood) {
        engine->broken = true;
        engine->misunderstood = true;
        return false;
    }
    buffer_consume(&engine->input, offset);
    return true;
}
