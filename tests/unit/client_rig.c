/* SPDX-License-Identifier: MIT */
#include "client_rig.h"

#include <stdio.h>
#include <string.h>

struct rig *rig_new(bool sessionless, bool stop_on_lost)
{
    struct rig *rig = calloc(1, sizeof *rig);
    struct engine_config config = {.name_space = canceld_string("tests"),
                                   .client_name = canceld_string("rig"),
                                   .heartbeat_ms = 1000,
                                   .sessionless = sessionless,
                                   .stop_on_lost = stop_on_lost,
                                   .framing = SP_FRAMING_IPC,
                                   .seed = 1};

    CHECK(rig != NULL);
    rig->now_ns = 1000 * RIG_MS;
    engine_init(&rig->engine, &config, rig->now_ns);
    return rig;
}

void rig_free(struct rig *rig)
{
    engine_close_all(&rig->engine);
    rig_pump(rig);
    rig_drop(rig);
    engine_fini(&rig->engine);
    buffer_fini(&rig->wire);
    free(rig);
}

/* ---- what the engine gives out ---- */

static void calls_take(struct rig *rig)
{
    struct call *call = NULL;

    while ((call = engine_take_done(&rig->engine)) != NULL) {
        CHECK(!call->done);
        call->done = true;
        LINK_OWNER(call, struct rig_call, call)->done_count++;
    }
}

static void told_take(struct rig *rig)
{
    struct canceld_operation *operation = NULL;

    while ((operation = engine_take_told(&rig->engine)) != NULL) {
        rig->told_count++;
        rig->told_last = operation;
        if (rig->on_told != NULL)
            rig->on_told(rig, operation);
    }
}

static void frame_parsed(struct rig *rig, const struct sp_step *step)
{
    struct rig_frame *frame = &rig->frames[rig->frames_count];

    CHECK_LT(rig->frames_count, RIG_FRAMES_MAX);
    CHECK_EQ(step->route.words_count, 1);
    CHECK_LE(step->payload_bytes, 65536);
    frame->word = step->route.words[0];
    frame->frame = canceld__v1__frame__unpack(NULL, step->payload_bytes, step->payload);
    CHECK(frame->frame != NULL);
    CHECK_EQ(frame->frame->version, 1);
    CHECK_GE(frame->frame->n_ops, 1);
    CHECK_LE(frame->frame->n_answered, 64);
    rig->frames_count++;
}

static void wire_parse(struct rig *rig)
{
    size_t offset = 0;

    while (rig->wire.size > 0) {
        struct sp_step step =
            sp_read(&rig->reader, rig->wire.data + offset, rig->wire.size - offset);

        CHECK(step.found != SP_BROKEN);
        if (step.found == SP_MORE)
            break;
        if (step.found == SP_FRAME)
            frame_parsed(rig, &step);
        offset += step.consumed;
    }
    buffer_consume(&rig->wire, offset);
}

void rig_pump(struct rig *rig)
{
    enum canceld_event event;
    size_t size = 0;

    do {
        calls_take(rig);
        told_take(rig);
        while (engine_take_event(&rig->engine, &event)) {
            rig->event_last = event;
            rig->events_count++;
        }
        size = rig->wire.size;
        engine_send(&rig->engine, &rig->wire, rig->now_ns);
    } while (rig->wire.size != size);
    wire_parse(rig);
    engine_check(&rig->engine);
}

void rig_pass(struct rig *rig, uint64_t ms)
{
    rig->now_ns += ms * RIG_MS;
    engine_tick(&rig->engine, rig->now_ns);
    rig_pump(rig);
}

void rig_drop(struct rig *rig)
{
    for (size_t i = 0; i < rig->frames_count; i++)
        rig_frame_free(&rig->frames[i]);
    rig->frames_count = 0;
}

void rig_frame_free(struct rig_frame *frame)
{
    canceld__v1__frame__free_unpacked(frame->frame, NULL);
    frame->frame = NULL;
}

bool rig_has(const struct rig *rig, Canceld__V1__Op__OpCase kind)
{
    for (size_t i = 0; i < rig->frames_count; i++)
        if (rig->frames[i].frame->ops[0]->op_case == kind)
            return true;
    return false;
}

static struct rig_frame frame_remove(struct rig *rig, size_t index)
{
    struct rig_frame frame = rig->frames[index];

    rig->frames_count--;
    memmove(&rig->frames[index], &rig->frames[index + 1],
            (rig->frames_count - index) * sizeof rig->frames[0]);
    return frame;
}

struct rig_frame rig_take(struct rig *rig, Canceld__V1__Op__OpCase kind)
{
    for (size_t i = 0; i < rig->frames_count; i++)
        if (rig->frames[i].frame->ops[0]->op_case == kind)
            return frame_remove(rig, i);
    test_failed(__FILE__, __LINE__, "no such frame was sent");
}

bool rig_take_first(struct rig *rig, struct rig_frame *frame_out)
{
    if (rig->frames_count == 0)
        return false;
    *frame_out = frame_remove(rig, 0);
    return true;
}

/* ---- the daemon's side ---- */

void rig_link_begin(struct rig *rig)
{
    sp_reader_init(&rig->reader, SP_REP, SP_FRAMING_IPC, 65536);
    rig->wire.size = 0;
    rig_drop(rig);
    engine_link_up(&rig->engine, rig->now_ns);
    rig_pump(rig);
    CHECK(rig->reader.open);
    CHECK_EQ(rig->frames_count, 0);
}

void rig_link_up(struct rig *rig)
{
    uint8_t handshake[SP_HANDSHAKE_BYTES];

    rig_link_begin(rig);
    sp_write_handshake(SP_REP, handshake);
    CHECK(engine_receive(&rig->engine, handshake, sizeof handshake, rig->now_ns));
    rig_pump(rig);
}

void rig_link_down(struct rig *rig)
{
    engine_link_down(&rig->engine, rig->now_ns);
    rig_pump(rig);
    rig_drop(rig);
}

void rig_send_reply(struct rig *rig, const struct rig_frame *frame, Canceld__V1__Reply *reply)
{
    struct sp_route route = {.words = {frame->word}, .words_count = 1};
    uint8_t head[SP_HEAD_BYTES_MAX];
    size_t size = 0;
    struct buffer bytes = {0};
    uint8_t *place = NULL;

    reply->version = 1;
    reply->session = frame->frame->session;
    reply->request_id = frame->frame->request_id;
    size = canceld__v1__reply__get_packed_size(reply);
    CHECK(buffer_append(&bytes, head, sp_write_head(SP_FRAMING_IPC, &route, size, head)));
    place = buffer_reserve(&bytes, size);
    CHECK(place != NULL);
    bytes.size += canceld__v1__reply__pack(reply, place);
    CHECK(engine_receive(&rig->engine, bytes.data, bytes.size, rig->now_ns) ||
          engine_wants_cut(&rig->engine));
    buffer_fini(&bytes);
    rig_pump(rig);
}

void rig_answer(struct rig *rig, struct rig_frame *frame, Canceld__V1__Result **results,
                size_t results_count)
{
    Canceld__V1__Reply reply = CANCELD__V1__REPLY__INIT;

    reply.n_results = results_count;
    reply.results = results;
    rig_send_reply(rig, frame, &reply);
    rig_frame_free(frame);
}

void rig_answer_one(struct rig *rig, struct rig_frame *frame, Canceld__V1__Answer answer,
                    uint64_t gen)
{
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};

    result.answer = answer;
    result.gen = gen;
    rig_answer(rig, frame, results, 1);
}

void rig_refuse(struct rig *rig, struct rig_frame *frame, Canceld__V1__ErrorCode code,
                const char *limit)
{
    Canceld__V1__Reply reply = CANCELD__V1__REPLY__INIT;
    Canceld__V1__Error error = rig_error();
    char name[64];

    (void) snprintf(name, sizeof name, "%s", limit);
    error.code = code;
    error.limit = name;
    reply.error = &error;
    rig_send_reply(rig, frame, &reply);
    rig_frame_free(frame);
}

void rig_ready(struct rig *rig, uint64_t session, uint64_t epoch, bool resumed)
{
    struct rig_frame open;
    Canceld__V1__Opened opened = CANCELD__V1__OPENED__INIT;
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};
    uint8_t secret[16] = {[0] = 9, [15] = (uint8_t) session};

    if (rig->engine.phase == ENGINE_AWAY)
        rig_link_up(rig);
    open = rig_take(rig, CANCELD__V1__OP__OP_OPEN);
    CHECK_EQ(open.frame->session, 0);
    CHECK_EQ(open.frame->n_ops, 1);
    if (resumed) {
        CHECK_EQ(open.frame->ops[0]->open->resume_session, session);
        CHECK_EQ(open.frame->ops[0]->open->resume_secret.data[15], (uint8_t) session);
    }
    opened.session = session;
    opened.secret = (ProtobufCBinaryData){.len = sizeof secret, .data = secret};
    opened.epoch = epoch;
    opened.grace_ms = RIG_GRACE_MS;
    opened.finished_ms = 60000;
    opened.parked_max = 1024;
    opened.resumed = resumed;
    result.answer = CANCELD__V1__ANSWER__ANSWER_OPENED;
    result.opened = &opened;
    rig_answer(rig, &open, results, 1);
    CHECK_EQ(rig->engine.phase, ENGINE_READY);
}

void rig_ready_anew(struct rig *rig, uint64_t before, uint64_t epoch)
{
    struct rig_frame open;

    if (rig->engine.phase == ENGINE_AWAY)
        rig_link_up(rig);
    open = rig_take(rig, CANCELD__V1__OP__OP_OPEN);
    CHECK_EQ(open.frame->ops[0]->open->resume_session, before);
    rig_answer_one(rig, &open, CANCELD__V1__ANSWER__ANSWER_SESSION_LOST, 0);
    rig_ready(rig, before + 1, epoch, false);
}

void rig_notice(struct rig *rig, struct rig_frame *poll, uint64_t number, uint64_t gen,
                Canceld__V1__NoticeKind kind)
{
    Canceld__V1__Cause cause = CANCELD__V1__CAUSE__INIT;
    Canceld__V1__Notice notice = CANCELD__V1__NOTICE__INIT;
    Canceld__V1__Notice *notices[] = {&notice};
    Canceld__V1__Result result = rig_result();
    Canceld__V1__Result *results[] = {&result};
    uint8_t text[] = {'e', 'n', 'o', 'u', 'g', 'h'};

    cause.code = CANCELD__V1__CAUSE_CODE__CAUSE_USER;
    cause.text = (ProtobufCBinaryData){.len = sizeof text, .data = text};
    notice.number = number;
    notice.gen = gen;
    notice.kind = kind;
    if (kind == CANCELD__V1__NOTICE_KIND__NOTICE_CANCEL)
        notice.cause = &cause;
    else
        notice.outcome = CANCELD__V1__OUTCOME__OUTCOME_EXPIRED;
    result.answer = CANCELD__V1__ANSWER__ANSWER_NOTICES;
    result.n_notices = 1;
    result.notices = notices;
    rig_answer(rig, poll, results, 1);
}

/* ---- calls ---- */

void rig_call_init(struct rig_call *call)
{
    *call = (struct rig_call){0};
    link_init(&call->call.link);
    result_init(&call->call.result);
}

void rig_submit(struct rig *rig, struct rig_call *call, const struct canceld_request *request,
                uint32_t deadline_ms)
{
    struct submission submission = {
        .request = request, .deadline_ms = deadline_ms, .call = &call->call};

    rig_call_init(call);
    if (op_is_birth(request->op)) {
        submission.operation = operation_new(
            request->op == CANCELD_OP_STORE ? &request->of.store : &request->of.adopt.store,
            rig->engine.config.name_space);
        CHECK(submission.operation != NULL);
    }
    CHECK_EQ(engine_submit(&rig->engine, &submission, rig->now_ns), CANCELD_OK);
    engine_check(&rig->engine);
}

void rig_get(struct rig *rig, struct rig_call *call, const char *key, uint64_t gen)
{
    struct canceld_request request = {.op = CANCELD_OP_GET};

    request.of.get = (struct canceld_get_request){.key = canceld_string(key), .gen = gen};
    rig_submit(rig, call, &request, 0);
}

void rig_cancel(struct rig *rig, struct rig_call *call, const char *key, uint64_t gen)
{
    struct canceld_request request = {.op = CANCELD_OP_CANCEL};

    request.of.cancel = (struct canceld_cancel_request){.key = canceld_string(key), .gen = gen};
    rig_submit(rig, call, &request, 0);
}

void rig_cancel_parked(struct rig *rig, struct rig_call *call, const char *key, uint32_t wait_ms)
{
    struct canceld_request request = {.op = CANCELD_OP_CANCEL};

    request.of.cancel = (struct canceld_cancel_request){
        .key = canceld_string(key), .level = CANCELD_LEVEL_DELIVERED, .wait_ms = wait_ms};
    rig_submit(rig, call, &request, 0);
}

void rig_store(struct rig *rig, struct rig_call *call, const char *key, uint32_t deadline_ms)
{
    struct canceld_request request = {.op = CANCELD_OP_STORE};

    request.of.store = (struct canceld_store_request){.key = canceld_string(key)};
    rig_submit(rig, call, &request, deadline_ms);
}

struct canceld_operation *rig_stored(struct rig *rig, const char *key, uint64_t gen)
{
    struct rig_call call;
    struct rig_frame frame;

    rig_store(rig, &call, key, 0);
    rig_pump(rig);
    frame = rig_take(rig, CANCELD__V1__OP__OP_STORE);
    rig_answer_one(rig, &frame, CANCELD__V1__ANSWER__ANSWER_STORED, gen);
    CHECK_EQ(call.done_count, 1);
    CHECK_EQ(call.call.status, CANCELD_OK);
    CHECK(call.call.operation != NULL);
    canceld_result_clear(&call.call.result);
    return call.call.operation;
}

void rig_finish(struct rig *rig, struct rig_call *call, struct canceld_operation *operation)
{
    struct canceld_request request = {.op = CANCELD_OP_DELETE};
    struct submission submission = {.request = &request,
                                    .deadline_ms = 100,
                                    .call = &call->call,
                                    .ends = operation,
                                    .persists = true};

    rig_call_init(call);
    request.of.delete_ = (struct canceld_delete_request){
        .key = operation->stored.key, .gen = operation->gen, .outcome = CANCELD_OUTCOME_COMPLETED};
    CHECK_EQ(engine_submit(&rig->engine, &submission, rig->now_ns), CANCELD_OK);
    rig_pump(rig);
}

void rig_let_go(struct rig *rig, struct canceld_operation *operation)
{
    if (operation->closed || !engine_forget(&rig->engine, operation))
        operation_free(operation);
    rig_pump(rig);
}
