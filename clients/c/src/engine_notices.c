/* SPDX-License-Identifier: MIT */
/* What operations are told, and what the daemon is told of that. The daemon gives the notices that are not
 * acked again after each open, and after a poll from 0; so nothing here has to be kept over a lost link. */
#include "engine_parts.h"
#include "result.h"

static uint32_t flag_of(const struct engine *engine, uint8_t bits)
{
    uint32_t flag = 0;

    if ((bits & TOLD_CANCEL) != 0)
        flag |= CANCELD_STOP_CANCEL;
    if ((bits & TOLD_ENDED) != 0)
        flag |= CANCELD_STOP_ENDED;
    if ((bits & (TOLD_LOST | TOLD_LOST_POSSIBLE)) != 0 && engine->config.stop_on_lost)
        flag |= CANCELD_STOP_LOST;
    return flag;
}

void operation_tell(struct engine *engine, struct canceld_operation *operation, uint8_t bits,
                    const struct canceld_notice *notice)
{
    uint8_t fresh = 0;

    if (operation->let_go)
        return;
    fresh = operation_give(operation, bits, flag_of(engine, bits), notice);
    if (fresh != 0 && link_is_alone(&operation->told_link))
        list_append(&engine->told, &operation->told_link);
}

struct canceld_operation *engine_take_told(struct engine *engine)
{
    struct link *link = list_take(&engine->told);

    return link == NULL ? NULL : LINK_OWNER(link, struct canceld_operation, told_link);
}

/* ---- acks ---- */

static void ack_push(struct engine *engine, uint64_t gen, enum _Canceld__V1__NoticeKind kind)
{
    struct notice_ack ack = {.gen = gen, .kind = (uint32_t) kind};

    /* Without memory the notice stays; polling from 0 brings it again. */
    if (!buffer_append(&engine->acks, &ack, sizeof ack))
        engine->poll_after = 0;
}

/* Acks what the daemon has sent and the application has got. */
static void operation_ack(struct engine *engine, struct canceld_operation *operation)
{
    uint8_t bits = operation->noticed & operation->delivered;

    operation->noticed &= (uint8_t) ~bits;
    if ((bits & TOLD_CANCEL) != 0)
        ack_push(engine, operation->gen, CANCELD__V1__NOTICE_KIND__NOTICE_CANCEL);
    if ((bits & TOLD_ENDED) != 0)
        ack_push(engine, operation->gen, CANCELD__V1__NOTICE_KIND__NOTICE_ENDED);
}

void engine_delivered(struct engine *engine, struct canceld_operation *operation, uint8_t bits)
{
    operation->delivered |= bits & operation->given;
    operation_ack(engine, operation);
}

/* ---- notices ---- */

static void skipped_add(struct engine *engine, uint64_t gen)
{
    if (engine->skipped_count < ENGINE_SKIPPED_MAX)
        engine->skipped[engine->skipped_count] = gen;
    engine->skipped_count++;
}

static bool skipped_take(struct engine *engine, uint64_t gen)
{
    bool found = engine->skipped_count > ENGINE_SKIPPED_MAX;

    for (size_t i = 0; i < engine->skipped_count && !found; i++)
        found = engine->skipped[i] == gen;
    if (found)
        engine->skipped_count = 0;
    return found;
}

void notices_recall(struct engine *engine)
{
    engine->poll_after = 0;
    engine->poll_again = true;
}

void operation_attach(struct engine *engine, struct canceld_operation *operation, uint64_t gen)
{
    operation->gen = gen;
    ASSERT(gen_map_reserve(&engine->gens)); /* cannot fail once one insert was reserved */
    gen_map_insert(&engine->gens, operation);
    list_append(&engine->operations, &operation->all_link);
    if (skipped_take(engine, gen))
        notices_recall(engine);
}

/* A notice of a gen that is not held here. The answer of its store or adopt may be on its way still; else the operation
 * was forgotten, and then its cancel is delivered to nobody, but its end needs no memory any more. */
static void notice_skip(struct engine *engine, const Canceld__V1__Notice *notice)
{
    if (engine->births_count > 0)
        skipped_add(engine, notice->gen);
    else if (notice->kind == CANCELD__V1__NOTICE_KIND__NOTICE_ENDED)
        ack_push(engine, notice->gen, notice->kind);
}

static void notice_take(struct engine *engine, const Canceld__V1__Notice *wire)
{
    struct canceld_operation *operation = gen_map_find(&engine->gens, wire->gen);
    struct canceld_notice notice = {.outcome = (enum canceld_outcome) wire->outcome,
                                    .cause = cause_of(wire->cause)};
    bool ended = wire->kind == CANCELD__V1__NOTICE_KIND__NOTICE_ENDED;
    uint8_t bits = 0;

    if (operation == NULL) {
        notice_skip(engine, wire);
        return;
    }
    if (wire->kind == CANCELD__V1__NOTICE_KIND__NOTICE_CANCEL)
        bits = TOLD_CANCEL;
    else if (ended)
        bits = TOLD_ENDED;
    operation->noticed |= bits;
    /* An end tells of the cancel before it, if that was not heard of. */
    if (ended && notice.cause.code != CANCELD_CAUSE_UNSET)
        bits |= TOLD_CANCEL;
    operation_tell(engine, operation, bits, &notice);
    operation_ack(engine, operation);
}

void poll_answered(struct engine *engine, const Canceld__V1__Reply *reply, uint64_t now_ns)
{
    const Canceld__V1__Result *result = reply->n_results == 1 ? reply->results[0] : NULL;

    if (reply->error != NULL || result == NULL ||
        result->answer != CANCELD__V1__ANSWER__ANSWER_NOTICES) {
        /* Its acks may be lost: hear all notices again, a little later. */
        engine->poll_after = 0;
        engine->poll_ns = now_ns + 20 * ENGINE_RETRY_NS;
        return;
    }
    for (size_t i = 0; i < result->n_notices; i++) {
        /* Those that are recalled have lower numbers. */
        if (!engine->poll_again && result->notices[i]->number > engine->poll_after)
            engine->poll_after = result->notices[i]->number;
        notice_take(engine, result->notices[i]);
    }
    engine->poll_again = engine->poll_again || result->more;
}

bool poll_is_due(const struct engine *engine, uint64_t now_ns)
{
    if (now_ns < engine->poll_ns || engine->polls_count >= ENGINE_POLLS_MAX)
        return false;
    return engine->polls_count == 0 || engine->acks.size > 0 || engine->poll_again;
}

/* The first acks, at most as many as a poll may bring. */
static size_t acks_fill(const struct engine *engine, Canceld__V1__NoticeAck *acks,
                        Canceld__V1__NoticeAck **places)
{
    size_t count = engine->acks.size / sizeof(struct notice_ack);

    if (count > ENGINE_ACKS_MAX)
        count = ENGINE_ACKS_MAX;
    for (size_t i = 0; i < count; i++) {
        struct notice_ack ack;

        memcpy(&ack, engine->acks.data + i * sizeof ack, sizeof ack);
        canceld__v1__notice_ack__init(&acks[i]);
        acks[i].gen = ack.gen;
        acks[i].kind = (Canceld__V1__NoticeKind) ack.kind;
        places[i] = &acks[i];
    }
    return count;
}

bool poll_pack(struct engine *engine, struct buffer *op_out)
{
    Canceld__V1__Op op = CANCELD__V1__OP__INIT;
    Canceld__V1__Poll poll = CANCELD__V1__POLL__INIT;
    Canceld__V1__NoticeAck acks[ENGINE_ACKS_MAX];
    Canceld__V1__NoticeAck *places[ENGINE_ACKS_MAX];

    poll.n_acks = acks_fill(engine, acks, places);
    poll.acks = places;
    poll.after = engine->poll_after;
    poll.wait_ms = ENGINE_POLL_MS;
    op.op_case = CANCELD__V1__OP__OP_POLL;
    op.poll = &poll;
    if (!own_pack(op_out, &op))
        return false;
    buffer_consume(&engine->acks, poll.n_acks * sizeof(struct notice_ack));
    engine->poll_again = false;
    return true;
}

/* ---- losing sessions ---- */

static void lost_possible_tell(struct engine *engine, const struct link *list)
{
    struct canceld_notice notice = {0};

    for (struct link *at = list->next; at != list; at = at->next) {
        struct canceld_operation *operation = LINK_OWNER(at, struct canceld_operation, all_link);

        if (!operation->astray && !operation->gone)
            operation_tell(engine, operation, TOLD_LOST_POSSIBLE, &notice);
    }
}

void operations_lost_possible(struct engine *engine)
{
    lost_possible_tell(engine, &engine->operations);
    lost_possible_tell(engine, &engine->to_adopt);
}

/* The session is there after all. */
void operations_resumed(struct engine *engine)
{
    for (struct link *at = engine->operations.next; at != &engine->operations; at = at->next) {
        struct canceld_operation *operation = LINK_OWNER(at, struct canceld_operation, all_link);

        /* One that is being adopted is not there yet. */
        if (operation->astray || operation->ours != NULL)
            continue;
        operation->given &= (uint8_t) ~TOLD_LOST_POSSIBLE;
        operation->delivered &= (uint8_t) ~TOLD_LOST_POSSIBLE;
    }
}

/* The operations are of a session that is no more. In the same epoch the daemon knows what became of them; in a
 * new one it does not, and they go on. Those that wait to be adopted do so still. */
void operations_strayed(struct engine *engine, bool epoch_is_new)
{
    struct link *next = NULL;

    for (struct link *at = engine->operations.next; at != &engine->operations; at = next) {
        struct canceld_operation *operation = LINK_OWNER(at, struct canceld_operation, all_link);

        next = at->next;
        operation->noticed = 0;
        if (operation->astray || operation->gone)
            continue;
        if (epoch_is_new && (operation->given & TOLD_ENDED) == 0) {
            operation_stray_to_adopt(engine, operation);
            continue;
        }
        operation->astray = true;
        if (epoch_is_new || operation->orphan)
            continue; /* it ended, or its delete asks for it */
        link_remove(at);
        list_append(&engine->to_ask, at);
    }
    engine->adopting = engine->adopting || epoch_is_new;
}

static bool operation_ask(struct engine *engine, struct canceld_operation *operation,
                          uint64_t now_ns)
{
    struct canceld_request ask = {.op = CANCELD_OP_GET};
    struct submission submission = {.request = &ask, .persists = true};
    struct request *request = NULL;

    ask.of.get = (struct canceld_get_request){.name_space = operation->stored.name_space,
                                              .key = operation->stored.key,
                                              .gen = operation->gen};
    if (engine_submit(engine, &submission, now_ns) != CANCELD_OK)
        return false;
    request = request_of(engine->queue.prev);
    request->asks = true;
    request->operation = operation;
    operation->ours = request;
    engine->asks_count++;
    return true;
}

void operations_ask(struct engine *engine, uint64_t now_ns)
{
    while (engine->asks_count < ENGINE_ASKS_MAX && !link_is_alone(&engine->to_ask)) {
        struct link *link = engine->to_ask.next;

        if (!operation_ask(engine, LINK_OWNER(link, struct canceld_operation, all_link), now_ns)) {
            engine->starved = true;
            return;
        }
        link_remove(link);
        list_append(&engine->operations, link);
    }
}

void operation_asked(struct engine *engine, struct canceld_operation *operation,
                     const struct canceld_result *result)
{
    struct canceld_notice notice = {0};
    uint8_t bits = TOLD_LOST;

    if (result->answer == CANCELD_ANSWER_FOUND && result->operations_count == 1) {
        notice.outcome = result->operations[0].outcome;
        notice.cause = result->operations[0].cause;
    }
    if (notice.cause.code != CANCELD_CAUSE_UNSET)
        bits |= TOLD_CANCEL;
    operation_tell(engine, operation, bits, &notice);
}

bool engine_forget(struct engine *engine, struct canceld_operation *operation)
{
    /* It will not be told of its end any more: the daemon need not remember it for that. */
    if ((operation->noticed & TOLD_ENDED) != 0)
        ack_push(engine, operation->gen, CANCELD__V1__NOTICE_KIND__NOTICE_ENDED);
    operation->let_go = true;
    link_remove(&operation->told_link);
    gen_map_remove(&engine->gens, operation);
    if (operation->end != NULL) {
        operation->orphan = true;
        return true;
    }
    if (operation->ours != NULL)
        operation->ours->operation = NULL;
    operation->ours = NULL;
    link_remove(&operation->all_link);
    return false;
}
