/* SPDX-License-Identifier: MIT */
#include "engine_parts.h"
#include "result.h"

#define GRACE_UNKNOWN_MS 5000U /* without a session there is none: the daemon's default */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Of pings: the session may do without, the library does not. */
static uint64_t heartbeat_ns(const struct engine *engine)
{
    uint32_t heartbeat_ms = engine->config.heartbeat_ms;

    return (heartbeat_ms == 0 ? CANCELD_HEARTBEAT_DEFAULT_MS : heartbeat_ms) * NS_PER_MS;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t grace_ns(const struct engine *engine)
{
    return (engine->grace_ms == 0 ? GRACE_UNKNOWN_MS : engine->grace_ms) * NS_PER_MS;
}

/* How long a dial may take, and a handshake be silent.
 *
 * A packet that is lost while the link is made costs the kernel seconds, each time twice as many; on another link the
 * next attempt may be done at once. So an attempt that hangs must not cost the session its grace: the first one has a
 * quarter of it, and two more fit in. Each has twice the time of the one before, so that a network on which
 * it takes long is come through in the end. Until the first link there is no session to be lost, and where the first attempt
 * decides it is to have its time. */
static uint64_t attempt_ns(const struct engine *engine)
{
    uint64_t limit = later(grace_ns(engine) / ENGINE_ATTEMPT_GRACES, ENGINE_ATTEMPT_MIN_NS);

    for (uint32_t i = 0; i < engine->attempts_hung && limit < ENGINE_ATTEMPT_LAST_NS; i++)
        limit *= 2;
    return engine->connections_count == 0 ? ENGINE_ATTEMPT_LAST_NS
                                          : earlier(limit, ENGINE_ATTEMPT_LAST_NS);
}

static uint64_t silence_ns(const struct engine *engine)
{
    uint64_t silence = 3 * heartbeat_ns(engine);

    return silence < ENGINE_SILENCE_MIN_NS ? ENGINE_SILENCE_MIN_NS : silence;
}

uint64_t engine_ping_ns(const struct engine *engine)
{
    /* One without an answer is not the last: it is frames that keep the session alive. */
    return (engine->pinged_ns == NEVER ? earlier(engine->sent_ns, engine->received_ns)
                                       : engine->sent_ns) +
           heartbeat_ns(engine);
}

bool engine_is_drained(const struct engine *engine)
{
    return link_is_alone(&engine->queue) && link_is_alone(&engine->later) &&
           link_is_alone(&engine->adopts) && link_is_alone(&engine->resend) &&
           engine->ops_count == 0;
}

void engine_init(struct engine *engine, const struct engine_config *config, uint64_t now_ns)
{
    *engine = (struct engine){.config = *config,
                              .dial_ns = now_ns,
                              .dialled_ns = NEVER,
                              .degraded_ns = now_ns,
                              .pinged_ns = NEVER,
                              .starved_ns = NEVER,
                              .id_next = 1};
    struct link *lists[] = {&engine->queue,    &engine->parked_queue, &engine->again,
                            &engine->later,    &engine->open,         &engine->parked,
                            &engine->resend,   &engine->unjournaled,  &engine->to_ask,
                            &engine->to_adopt, &engine->adopts,       &engine->operations,
                            &engine->done,     &engine->told};

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        link_init(lists[i]);
    for (uint16_t i = 0; i < ENGINE_FRAMES_MAX; i++) {
        engine->free_slots[i] = (uint16_t) (ENGINE_FRAMES_MAX - 1 - i);
        link_init(&engine->frames[i].link);
    }
    engine->free_count = ENGINE_FRAMES_MAX;
    result_init(&engine->refusal);
}

/* ---- the link ---- */

uint64_t engine_dial_ns(const struct engine *engine)
{
    return engine->phase == ENGINE_AWAY ? engine->dial_ns : NEVER;
}

void engine_dial_begin(struct engine *engine, uint64_t now_ns)
{
    engine->dialled_ns = now_ns;
}

uint64_t engine_dial_end_ns(const struct engine *engine)
{
    return engine->dialled_ns == NEVER ? NEVER : engine->dialled_ns + attempt_ns(engine);
}

void engine_link_up(struct engine *engine, uint64_t now_ns)
{
    ASSERT(engine->phase == ENGINE_AWAY);
    sp_reader_init(&engine->reader, SP_REQ, engine->config.framing, ENGINE_REPLY_BYTES_MAX);
    engine->phase = ENGINE_GREETING;
    engine->dialled_ns = NEVER;
    engine->broken = false;
    engine->greeted = false;
    engine->open_asked = false;
    engine->received_ns = now_ns;
    engine->replied_ns = now_ns;
    engine->sent_ns = now_ns;
    engine->send_order = 0;
}

/* xorshift64: the pauses of many clients must not keep step. */
static uint64_t chance(struct engine *engine)
{
    uint64_t x = engine->config.seed == 0 ? 1 : engine->config.seed;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    engine->config.seed = x;
    return x;
}

/* The session is worth a hurry for as long as it may be there. */
static uint64_t pause_max_ns(const struct engine *engine, uint64_t now_ns)
{
    bool may_live = engine->session != 0 && engine_is_degraded(engine) &&
                    now_ns < engine->degraded_ns + grace_ns(engine);

    return may_live ? earlier(ENGINE_DIAL_LAST_NS, grace_ns(engine) / ENGINE_DIAL_GRACES)
                    : ENGINE_DIAL_LAST_NS;
}

/* At once the first time, then after a growing pause of which up to a half is left out.
 *
 * While nobody answers, each pause is a quarter longer than the one before, so that together they last about four
 * times as long as the next: a daemon that was away for t is found after about t / 4 more at most. With pauses that
 * double it might be t. They double for a daemon that is there, and with which the link ended all the same: each
 * attempt costs it something. But none is long enough to cost the session its grace. */
static void dial_plan(struct engine *engine, bool was_up, uint64_t now_ns)
{
    uint64_t pause = engine->dial_pause_ns;
    uint64_t growth = was_up ? pause : pause / ENGINE_DIAL_SHARE;

    engine->dial_ns = now_ns + pause - (pause == 0 ? 0 : chance(engine) % (pause / 2 + 1));
    pause = pause == 0 ? ENGINE_DIAL_FIRST_NS : pause + growth;
    engine->dial_pause_ns = earlier(pause, pause_max_ns(engine, now_ns));
}

/* The frames of requests are sent again under their ids on the next link; without a session there is nobody to
 * know the ids. */
static void frames_unsend(struct engine *engine)
{
    struct link *lists[] = {&engine->parked, &engine->open};

    frames_release_own(engine);
    if (engine->config.sessionless) {
        frames_repeat_all(engine, &engine->again);
        list_prepend_all(&engine->queue, &engine->again);
    }
    link_init(&engine->resend);
    link_init(&engine->unjournaled);
    for (size_t i = 0; i < 2; i++)
        for (struct link *at = lists[i]->next; at != lists[i]; at = at->next) {
            link_init(&frame_of(at)->resend_link);
            frame_retry(engine, frame_of(at));
        }
    for (size_t i = 0; i < engine->answers_count; i++)
        engine->answers[i].carrier_id = 0;
}

static bool has_work(const struct engine *engine)
{
    return !engine_is_drained(engine);
}

void engine_link_down(struct engine *engine, uint64_t now_ns)
{
    bool was_ready = engine->phase == ENGINE_READY || engine->phase == ENGINE_LOSING;
    bool was_up = engine->phase != ENGINE_AWAY;

    if (engine->phase == ENGINE_CLOSED)
        return;
    if (was_ready) {
        engine->degraded_ns = now_ns;
        event_push(engine, CANCELD_EVENT_DEGRADED);
    } else {
        engine->attempts_failed++;
    }
    engine->attempts_hung += engine_dial_end_ns(engine) <= now_ns;
    engine->dialled_ns = NEVER;
    engine->phase = ENGINE_AWAY;
    frames_unsend(engine);
    list_prepend_all(&engine->queue, &engine->again);
    engine->input.size = 0;
    engine->pinged_ns = NEVER;
    dial_plan(engine, was_up, now_ns);
    if (engine->closing && (engine->closed_asked || !has_work(engine)))
        engine->phase = ENGINE_CLOSED;
}

bool engine_wants_cut(const struct engine *engine)
{
    return engine->broken;
}

/* ---- time ---- */

static bool is_up(const struct engine *engine)
{
    return engine->phase != ENGINE_AWAY && engine->phase != ENGINE_CLOSED;
}

static bool is_attempt(const struct engine *engine)
{
    return engine->phase == ENGINE_GREETING || engine->phase == ENGINE_OPENING;
}

/* When the link is given up if what comes is no whole reply. Byte by byte a link looks alive for as long as it likes,
 * while the daemon may have heard nothing for so long that the session's grace is running out: a part of it is waited
 * for, the rest is for the next link. */
static uint64_t dribbled_ns(const struct engine *engine)
{
    return engine->session == 0 ? NEVER
                                : later(engine->pinged_ns, engine->replied_ns) +
                                      silence_ns(engine) + grace_ns(engine) / ENGINE_DRIBBLE_GRACES;
}

/* When the link is given up if nothing comes. */
static uint64_t silent_ns(const struct engine *engine)
{
    if (!is_up(engine))
        return NEVER;
    /* Its session is lost already, and answers may be on their way. */
    if (engine->phase == ENGINE_LOSING)
        return engine->received_ns + ENGINE_ATTEMPT_LAST_NS;
    if (is_attempt(engine))
        return engine->received_ns + attempt_ns(engine);
    /* No ping on its way: none could be sent, for the daemon does not read. */
    if (engine->pinged_ns == NEVER)
        return engine_ping_ns(engine) + silence_ns(engine);
    return earlier(later(engine->pinged_ns, engine->received_ns) + silence_ns(engine),
                   dribbled_ns(engine));
}

static uint64_t lost_possible_ns(const struct engine *engine)
{
    if (!engine_is_degraded(engine) || engine->lost_possible || engine->session == 0)
        return NEVER;
    return engine->degraded_ns + engine->grace_ms * NS_PER_MS;
}

void engine_tick(struct engine *engine, uint64_t now_ns)
{
    requests_expire(engine, now_ns);
    adoption_check(engine);
    if (silent_ns(engine) <= now_ns) {
        engine->attempts_hung += is_attempt(engine) && !engine->broken;
        engine->broken = true;
    }
    if (lost_possible_ns(engine) <= now_ns) {
        engine->lost_possible = true;
        operations_lost_possible(engine);
        event_push(engine, CANCELD_EVENT_LOST_POSSIBLE);
    }
}

uint64_t engine_wake_ns(const struct engine *engine, bool can_send)
{
    const struct request *first = deadlines_first(&engine->deadlines);
    uint64_t wake = earlier(silent_ns(engine), lost_possible_ns(engine));

    if (first != NULL)
        wake = earlier(wake, first->deadline_ns);
    if (can_send && is_up(engine))
        wake = earlier(wake, engine->starved_ns);
    if (engine->phase != ENGINE_READY || !can_send)
        return wake;
    wake = earlier(wake, engine_ping_ns(engine));
    if (!link_is_alone(&engine->resend))
        wake = earlier(wake, engine->resend_ns);
    wake = earlier(wake, engine_retry_ns(engine));
    if (engine->polls_count == 0 && !engine->config.sessionless && !engine->closed_asked)
        wake = earlier(wake, engine->poll_ns);
    return wake;
}

/* ---- the end ---- */

void engine_close(struct engine *engine)
{
    engine->closing = true;
    if (engine->phase == ENGINE_AWAY && !has_work(engine))
        engine->phase = ENGINE_CLOSED;
}

bool engine_is_closed(const struct engine *engine)
{
    return engine->phase == ENGINE_CLOSED;
}

static void requests_close(struct engine *engine, struct link *list)
{
    struct link *link = list_take(list);

    for (; link != NULL; link = list_take(list)) {
        request_end(engine, request_of(link), CANCELD_CLOSED);
        request_drop(engine, request_of(link));
    }
}

static void frame_close(struct engine *engine, struct frame *frame)
{
    struct request *request = NULL;

    while ((request = frame_unpack(engine, frame)) != NULL) {
        request_end(engine, request, CANCELD_CLOSED);
        request_drop(engine, request);
    }
    frame_release(engine, frame);
}

static void operations_close(struct engine *engine, struct link *list)
{
    struct link *link = list_take(list);

    for (; link != NULL; link = list_take(list)) {
        struct canceld_operation *operation = LINK_OWNER(link, struct canceld_operation, all_link);

        ASSERT(!engine_forget(engine, operation)); /* its delete was dropped before */
        operation->closed = true;
    }
}

void engine_close_all(struct engine *engine)
{
    engine->phase = ENGINE_CLOSED;
    engine->closing = true;
    for (size_t i = 0; i < ENGINE_FRAMES_MAX; i++)
        if (engine->frames[i].busy)
            frame_close(engine, &engine->frames[i]);
    requests_close(engine, &engine->queue);
    requests_close(engine, &engine->parked_queue);
    requests_close(engine, &engine->again);
    requests_close(engine, &engine->later);
    requests_close(engine, &engine->adopts);
    operations_close(engine, &engine->operations);
    operations_close(engine, &engine->to_adopt);
    operations_close(engine, &engine->to_ask);
}

void engine_fini(struct engine *engine)
{
    ASSERT(engine->frames_count == 0 && engine->requests_count == 0);
    deadlines_fini(&engine->deadlines);
    gen_map_fini(&engine->gens);
    gen_map_fini(&engine->claims);
    buffer_fini(&engine->input);
    buffer_fini(&engine->acks);
    canceld_result_clear(&engine->refusal);
}

struct call *engine_take_done(struct engine *engine)
{
    struct link *link = list_take(&engine->done);

    return link == NULL ? NULL : LINK_OWNER(link, struct call, link);
}

/* ---- invariants ---- */

static void frames_check(const struct engine *engine)
{
    uint32_t busy = 0;
    uint32_t calls = 0;
    uint32_t parked = 0;
    uint32_t ops = 0;
    uint32_t polls = 0;
    uint32_t births = 0;

    for (size_t i = 0; i < ENGINE_FRAMES_MAX; i++) {
        const struct frame *frame = &engine->frames[i];
        uint32_t count = 0;

        if (!frame->busy)
            continue;
        busy++;
        calls += frame->kind == FRAME_CALLS;
        parked += frame->parks;
        polls += frame->kind == FRAME_POLL;
        for (struct link *at = frame->requests.next; at != &frame->requests; at = at->next) {
            ASSERT(request_of(at)->framed);
            births += op_is_birth(request_of(at)->op);
            count++;
        }
        ASSERT(frame->kind != FRAME_CALLS || count == frame->ops_count);
        ops += frame->kind == FRAME_CALLS && !frame->parks ? count : 0;
    }
    ASSERT(busy + engine->free_count == ENGINE_FRAMES_MAX);
    ASSERT(calls == engine->frames_count && parked == engine->parked_count);
    ASSERT(ops == engine->ops_count && polls == engine->polls_count);
    ASSERT(births == engine->births_count);
}

static uint32_t adopts_of(const struct link *requests)
{
    uint32_t count = 0;

    for (struct link *at = requests->next; at != requests; at = at->next)
        count += request_of(at)->adopts;
    return count;
}

/* Each adopt is of an operation that waits for no other one, unless it was let go of. */
static void adopts_check(const struct engine *engine)
{
    uint32_t count = adopts_of(&engine->adopts);

    for (size_t i = 0; i < ENGINE_FRAMES_MAX; i++)
        if (engine->frames[i].busy)
            count += adopts_of(&engine->frames[i].requests);
    ASSERT(count == engine->adopts_count && count >= engine->adopts_unjournaled);
    ASSERT(adopts_of(&engine->queue) == 0 && adopts_of(&engine->later) == 0);
    for (struct link *at = engine->to_adopt.next; at != &engine->to_adopt; at = at->next) {
        const struct canceld_operation *operation =
            LINK_OWNER(at, struct canceld_operation, all_link);

        ASSERT(operation->ours == NULL && !operation->astray && !operation->gone);
    }
}

static void ids_check(const struct link *frames)
{
    uint64_t id = 0;

    for (const struct link *at = frames->next; at != frames; at = at->next) {
        const struct frame *frame = LINK_OWNER((char *) (uintptr_t) at, struct frame, link);

        ASSERT(frame->busy && frame->kind == FRAME_CALLS && frame->id > id);
        id = frame->id;
    }
}

void engine_check(const struct engine *engine)
{
    frames_check(engine);
    adopts_check(engine);
    ids_check(&engine->open);
    ids_check(&engine->parked);
    ASSERT(engine->ops_count <= ENGINE_OPS_MAX);
    ASSERT(engine->phase == ENGINE_READY || engine->polls_count == 0 ||
           engine->phase == ENGINE_LOSING || engine->phase == ENGINE_CLOSED);
    for (size_t i = 0; i < engine->deadlines.count; i++) {
        const struct request *request = engine->deadlines.heap[i];

        ASSERT(request->deadline_index == i + 1 && request->call != NULL);
        ASSERT(i == 0 || engine->deadlines.heap[(i - 1) / 2]->deadline_ns <= request->deadline_ns);
    }
    ASSERT(engine->deadlines.count == engine->requests_count);
}
