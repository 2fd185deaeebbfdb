/* SPDX-License-Identifier: MIT */
/* Frames: from their slot to the bytes on the link. */
#include "engine_parts.h"
#include "wire_bytes.h"

#define SLOT_BITS 10

struct frame *frame_take(struct engine *engine, enum frame_kind kind)
{
    struct frame *frame = NULL;
    uint16_t slot = 0;

    if (engine->free_count == 0 ||
        (kind == FRAME_CALLS && engine->frames_count == ENGINE_FRAMES_CALLS))
        return NULL;
    slot = engine->free_slots[--engine->free_count];
    frame = &engine->frames[slot];
    *frame = (struct frame){
        .kind = kind,
        .busy = true,
        .id = kind == FRAME_OPEN ? 0 : engine->id_next++,
    };
    link_init(&frame->link);
    link_init(&frame->resend_link);
    link_init(&frame->requests);
    if (kind == FRAME_CALLS) {
        list_append(&engine->open, &frame->link);
        engine->frames_count++;
    }
    return frame;
}

struct request *frame_unpack(struct engine *engine, struct frame *frame)
{
    struct link *link = list_take(&frame->requests);

    if (link == NULL)
        return NULL;
    request_of(link)->framed = false;
    engine->births_count -= op_is_birth(request_of(link)->op);
    return request_of(link);
}

void frame_release(struct engine *engine, struct frame *frame)
{
    ASSERT(frame->busy && link_is_alone(&frame->requests));
    link_remove(&frame->link);
    link_remove(&frame->resend_link);
    if (frame->kind == FRAME_CALLS) {
        engine->frames_count--;
        engine->parked_count -= frame->parks;
        engine->ops_count -= frame->parks ? 0 : frame->ops_count;
    }
    if (frame->kind == FRAME_POLL)
        engine->polls_count--;
    frame->busy = false;
    engine->free_slots[engine->free_count++] = (uint16_t) (frame - engine->frames);
}

void frame_not_applied(struct frame *frame)
{
    frame->sends_count--;
    for (struct link *at = frame->requests.next; at != &frame->requests; at = at->next)
        request_of(at)->sent = frame->sends_count > 0;
}

void frame_retry(struct engine *engine, struct frame *frame)
{
    frame->sent = false;
    link_remove(&frame->resend_link);
    list_append(&engine->resend, &frame->resend_link);
}

void frames_release_own(struct engine *engine)
{
    for (size_t i = 0; i < ENGINE_FRAMES_MAX; i++)
        if (engine->frames[i].busy && engine->frames[i].kind != FRAME_CALLS)
            frame_release(engine, &engine->frames[i]);
}

static void frames_repeat(struct engine *engine, struct link *frames, struct link *list)
{
    while (!link_is_alone(frames)) {
        struct frame *frame = frame_of(frames->next);
        struct request *request = NULL;

        while ((request = frame_unpack(engine, frame)) != NULL)
            request_repeat(engine, request, list);
        frame_release(engine, frame);
    }
}

void frames_repeat_all(struct engine *engine, struct link *list)
{
    frames_repeat(engine, &engine->parked, list);
    frames_repeat(engine, &engine->open, list);
}

/* ---- the head of a frame ---- */

static uint64_t answered_below(const struct engine *engine, const struct frame *frame)
{
    uint64_t first = engine->id_next;

    if (!link_is_alone(&engine->open))
        first = frame_of(engine->open.next)->id;
    /* Nor does a frame say of itself that it is answered. */
    return frame->id < first ? frame->id : first;
}

/* Names answers that no frame of this link has named yet, `ids` having room for ENGINE_ANSWERED_MAX. */
static size_t answered_name(struct engine *engine, const struct frame *frame, uint64_t *ids)
{
    size_t count = 0;

    if (frame->id == 0)
        return 0;
    for (size_t i = 0; i < engine->answers_count && count < ENGINE_ANSWERED_MAX; i++) {
        if (engine->answers[i].carrier_id != 0)
            continue;
        engine->answers[i].carrier_id = frame->id;
        ids[count++] = engine->answers[i].id;
    }
    return count;
}

static size_t head_pack(struct engine *engine, const struct frame *frame, uint8_t *out)
{
    Canceld__V1__Frame head = CANCELD__V1__FRAME__INIT;
    uint64_t answered[ENGINE_ANSWERED_MAX];

    head.version = 1;
    head.request_id = frame->id;
    if (frame->kind != FRAME_OPEN && !engine->config.sessionless) {
        head.session = engine->session;
        head.answered_below = answered_below(engine, frame);
        head.n_answered = answered_name(engine, frame, answered);
        head.answered = answered;
    }
    return canceld__v1__frame__pack(&head, out);
}

#define HEAD_BYTES_MAX (64 + ENGINE_ANSWERED_MAX * 11)

/* Writes the frame with the ops given, each packed as a Frame with that op alone: frames of protobuf are
 * merged by putting them behind each other. */
static bool frame_write(struct engine *engine, struct frame *frame, struct buffer *output,
                        const struct buffer *own_op)
{
    uint8_t head[HEAD_BYTES_MAX];
    uint8_t sp[SP_HEAD_BYTES_MAX];
    struct sp_route route = {.words = {frame->word}, .words_count = 1};
    size_t ops_size = own_op == NULL ? 0 : own_op->size;
    size_t head_size = 0;
    size_t sp_size = 0;
    bool done = true;

    for (struct link *at = frame->requests.next; at != &frame->requests; at = at->next)
        ops_size += request_of(at)->size;
    if (buffer_reserve(output, sizeof head + sizeof sp + ops_size) == NULL) {
        engine->starved = true;
        return false;
    }
    head_size = head_pack(engine, frame, head);
    sp_size = sp_write_head(engine->config.framing, &route, head_size + ops_size, sp);
    done = buffer_append(output, sp, sp_size) && buffer_append(output, head, head_size);
    for (struct link *at = frame->requests.next; at != &frame->requests; at = at->next)
        done = done && buffer_append(output, request_of(at)->bytes, request_of(at)->size);
    if (own_op != NULL)
        done = done && buffer_append(output, own_op->data, own_op->size);
    ASSERT(done); /* the room was reserved */
    return true;
}

/* A new word each time it is sent, so that no reply to an earlier sending is taken for one to this. */
static void word_renew(struct engine *engine, struct frame *frame)
{
    uint32_t number = ++engine->word_number << SLOT_BITS & ~SP_REQUEST_ID_BIT;

    frame->word = SP_REQUEST_ID_BIT | number | (uint32_t) (frame - engine->frames);
}

static bool frame_send(struct engine *engine, struct frame *frame, struct buffer *output,
                       const struct buffer *own_op, uint64_t now_ns)
{
    word_renew(engine, frame);
    if (!frame_write(engine, frame, output, own_op))
        return false;
    frame->sent = true;
    frame->sends_count++;
    frame->send_order = ++engine->send_order;
    engine->sent_ns = now_ns;
    for (struct link *at = frame->requests.next; at != &frame->requests; at = at->next)
        request_of(at)->sent = true;
    return true;
}

/* ---- frames of requests ---- */

static uint32_t parked_max(const struct engine *engine)
{
    uint32_t most = ENGINE_PARKED_MAX;

    /* The poll is parked too. */
    if (engine->parked_max != 0 && engine->parked_max < most + ENGINE_POLLS_MAX)
        most = engine->parked_max > ENGINE_POLLS_MAX ? engine->parked_max - ENGINE_POLLS_MAX : 1;
    return most;
}

static void frame_put(struct engine *engine, struct frame *frame, struct request *request)
{
    link_remove(&request->link);
    list_append(&frame->requests, &request->link);
    request->framed = true;
    request->recovering = false;
    frame->ops_count++;
    frame->parks = request->parks;
    engine->births_count += op_is_birth(request->op);
    engine->parked_count += request->parks;
    engine->ops_count += !request->parks;
}

/* What it is to wait for began when it was made, not when it could be sent. */
static void request_age(struct request *request, uint64_t now_ns)
{
    uint64_t waited_ms =
        now_ns > request->submitted_ns ? (now_ns - request->submitted_ns) / NS_PER_MS : 0;
    uint32_t left_ms = waited_ms >= request->wait_ms ? 1 : request->wait_ms - (uint32_t) waited_ms;

    /* Without memory the daemon waits for too long, and the call's own deadline ends it. */
    if (request->parks && waited_ms > 0)
        (void) !request_shorten(request, left_ms);
}

static bool request_joins(const struct engine *engine, const struct request *request,
                          const struct frame *frame, size_t size)
{
    return !request->alone && frame->ops_count < ENGINE_FRAME_OPS &&
           size + request->size <= ENGINE_FRAME_BYTES && engine->ops_count < ENGINE_OPS_MAX;
}

/* A new frame that begins with `first`, and takes from the list whatever can go with it. */
static bool frame_make(struct engine *engine, struct request *first, struct link *list,
                       struct buffer *output, uint64_t now_ns)
{
    struct frame *frame = frame_take(engine, FRAME_CALLS);
    size_t size = first->size;

    if (frame == NULL)
        return false;
    request_age(first, now_ns);
    frame_put(engine, frame, first);
    while (!first->alone && !link_is_alone(list)) {
        struct request *next = request_of(list->next);

        if (!request_joins(engine, next, frame, size))
            break;
        size += next->size;
        frame_put(engine, frame, next);
    }
    if (frame_send(engine, frame, output, NULL, now_ns))
        return true;
    frame_retry(engine, frame);
    engine->resend_ns = now_ns + ENGINE_RETRY_NS;
    return false;
}

static void queue_send(struct engine *engine, struct buffer *output, uint64_t now_ns)
{
    while (!link_is_alone(&engine->parked_queue) && engine->parked_count < parked_max(engine) &&
           output->size < ENGINE_OUTPUT_BYTES)
        if (!frame_make(engine, request_of(engine->parked_queue.next), &engine->queue, output,
                        now_ns))
            return;
    while (!link_is_alone(&engine->queue) && output->size < ENGINE_OUTPUT_BYTES) {
        struct request *request = request_of(engine->queue.next);

        if (request->parks && engine->parked_count >= parked_max(engine)) {
            link_remove(&request->link);
            list_append(&engine->parked_queue, &request->link);
            continue;
        }
        if (!request->parks && engine->ops_count >= ENGINE_OPS_MAX)
            return;
        if (!frame_make(engine, request, &engine->queue, output, now_ns))
            return;
    }
}

static void adopts_send(struct engine *engine, struct buffer *output, uint64_t now_ns)
{
    operations_adopt(engine, now_ns);
    while (!link_is_alone(&engine->adopts) && output->size < ENGINE_OUTPUT_BYTES &&
           engine->ops_count < ENGINE_OPS_MAX)
        if (!frame_make(engine, request_of(engine->adopts.next), &engine->adopts, output, now_ns))
            return;
}

static void resend_send(struct engine *engine, struct buffer *output, uint64_t now_ns)
{
    while (!link_is_alone(&engine->resend) && now_ns >= engine->resend_ns &&
           output->size < ENGINE_OUTPUT_BYTES) {
        struct frame *frame = LINK_OWNER(engine->resend.next, struct frame, resend_link);

        if (!frame_send(engine, frame, output, NULL, now_ns)) {
            engine->resend_ns = now_ns + ENGINE_RETRY_NS;
            return;
        }
        link_remove(&frame->resend_link);
    }
}

/* ---- frames of our own ---- */

bool own_pack(struct buffer *op_out, Canceld__V1__Op *op)
{
    Canceld__V1__Frame frame = CANCELD__V1__FRAME__INIT;
    Canceld__V1__Op *ops[] = {op};
    uint8_t *place = NULL;

    frame.n_ops = 1;
    frame.ops = ops;
    place = buffer_reserve(op_out, canceld__v1__frame__get_packed_size(&frame));
    if (place == NULL)
        return false;
    op_out->size += canceld__v1__frame__pack(&frame, place);
    return true;
}

static bool own_send(struct engine *engine, enum frame_kind kind, const struct buffer *op,
                     struct buffer *output, uint64_t now_ns)
{
    struct frame *frame = frame_take(engine, kind);

    if (frame == NULL)
        return false;
    frame->ops_count = 1;
    engine->polls_count += kind == FRAME_POLL;
    if (frame_send(engine, frame, output, op, now_ns))
        return true;
    frame_release(engine, frame);
    return false;
}

/* Packs one op and sends it alone. */
static bool op_send(struct engine *engine, enum frame_kind kind, Canceld__V1__Op *op,
                    struct buffer *output, uint64_t now_ns)
{
    struct buffer packed = {0};
    bool done = own_pack(&packed, op);

    if (done)
        done = own_send(engine, kind, &packed, output, now_ns);
    else
        engine->starved = true;
    buffer_fini(&packed);
    return done;
}

static void open_send(struct engine *engine, struct buffer *output, uint64_t now_ns)
{
    Canceld__V1__Op op = CANCELD__V1__OP__INIT;
    Canceld__V1__Open open = CANCELD__V1__OPEN__INIT;

    op.op_case = CANCELD__V1__OP__OP_OPEN;
    op.open = &open;
    open.namespace_ = wire_bytes(engine->config.name_space);
    open.client_name = wire_bytes(engine->config.client_name);
    open.heartbeat_ms = engine->config.heartbeat_ms;
    /* A session stays whose it was opened for. */
    if (engine->session == 0)
        open.token = wire_bytes(engine->config.token);
    if (engine->session != 0) {
        open.resume_session = engine->session;
        open.resume_secret =
            (ProtobufCBinaryData){.len = sizeof engine->secret, .data = engine->secret};
    }
    engine->open_asked = op_send(engine, FRAME_OPEN, &op, output, now_ns);
}

static void ping_send(struct engine *engine, struct buffer *output, uint64_t now_ns)
{
    Canceld__V1__Op op = CANCELD__V1__OP__INIT;
    Canceld__V1__Ping ping = CANCELD__V1__PING__INIT;

    op.op_case = CANCELD__V1__OP__OP_PING;
    op.ping = &ping;
    if (op_send(engine, FRAME_PING, &op, output, now_ns) && engine->pinged_ns == NEVER)
        engine->pinged_ns = now_ns;
}

static void close_send(struct engine *engine, struct buffer *output, uint64_t now_ns)
{
    Canceld__V1__Op op = CANCELD__V1__OP__INIT;
    Canceld__V1__Close close = CANCELD__V1__CLOSE__INIT;

    op.op_case = CANCELD__V1__OP__OP_CLOSE;
    op.close = &close;
    engine->closed_asked = op_send(engine, FRAME_CLOSE, &op, output, now_ns);
}

static void poll_send(struct engine *engine, struct buffer *output, uint64_t now_ns)
{
    struct buffer packed = {0};

    while (poll_is_due(engine, now_ns) && output->size < ENGINE_OUTPUT_BYTES) {
        if (!poll_pack(engine, &packed) || !own_send(engine, FRAME_POLL, &packed, output, now_ns)) {
            /* The acks are lost: they are given again for the notices that come again. */
            engine->poll_after = 0;
            engine->poll_ns = now_ns + ENGINE_RETRY_NS;
            break;
        }
        packed.size = 0;
    }
    buffer_fini(&packed);
}

static void ready_send(struct engine *engine, struct buffer *output, uint64_t now_ns)
{
    unjournaled_retry(engine, now_ns);
    requests_take_up(engine, now_ns);
    resend_send(engine, output, now_ns);
    operations_ask(engine, now_ns);
    if (link_is_alone(&engine->resend))
        adopts_send(engine, output, now_ns);
    if (link_is_alone(&engine->resend) && !engine_is_adopting(engine))
        queue_send(engine, output, now_ns);
    if (!engine->config.sessionless && !engine->closed_asked)
        poll_send(engine, output, now_ns);
    if (engine_ping_ns(engine) <= now_ns)
        ping_send(engine, output, now_ns);
    if (engine->closing && !engine->closed_asked && engine_is_drained(engine)) {
        if (engine->config.sessionless)
            engine->phase = ENGINE_CLOSED;
        else
            close_send(engine, output, now_ns);
    }
}

/* What finds no memory stays where it is, and is tried again a little later. */
void engine_send(struct engine *engine, struct buffer *output, uint64_t now_ns)
{
    engine->starved = false;
    if (engine->phase == ENGINE_GREETING && !engine->greeted) {
        uint8_t handshake[SP_HANDSHAKE_BYTES];

        sp_write_handshake(SP_REQ, handshake);
        engine->greeted = buffer_append(output, handshake, sizeof handshake);
        engine->starved = !engine->greeted;
    }
    if (engine->phase == ENGINE_OPENING && !engine->open_asked)
        open_send(engine, output, now_ns);
    if (engine->phase == ENGINE_READY)
        ready_send(engine, output, now_ns);
    engine->starved_ns = engine->starved ? now_ns + ENGINE_RETRY_NS : NEVER;
}
