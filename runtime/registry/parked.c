/* SPDX-License-Identifier: MIT */
/* Requests whose answer comes later: wait, poll, and cancel above RECORDED. Each owes one reply, at
 * its deadline at the latest.
 *
 * A parked wait or cancel is tied to the operations it is about. When one of them changes it goes
 * on the settle queue, and parked_settle() looks at its ties: those met are closed, and a request
 * whose last tie closed is answered from what the operations are then. An operation with ties is
 * not forgotten. */
#include "registry/state.h"

#define OF_OPERATION(r) CHAIN(r, ties, tie, of_operation)
#define OF_HOLDER(r) CHAIN(r, parked, parked, of_holder)
#define OF_SETTLE(r) CHAIN(r, operations, operation, of_settle)

static struct chain_ends *holder_of(struct registry *r, const struct parked *parked)
{
    return parked->session != 0 ? &session_at(r, parked->session)->parked
                                : &link_at(r, parked->link)->parked;
}

bool park_has_room(struct request *q, size_t ties_count, size_t answer_bytes)
{
    const struct registry *r = q->r;
    uint32_t held = q->session != 0 ? session_at(r, q->session)->parked.count
                                    : link_at(r, q->link)->parked.count;
    if (held >= r->limits.parked_session) {
        request_full(q, "parked_session");
        return false;
    }
    if (r->parked.count == r->parked.capacity) {
        request_full(q, "parked");
        return false;
    }
    if (r->ties.capacity - r->ties.count < ties_count) {
        request_full(q, "parked_gens");
        return false;
    }
    if (q->session != 0 && answer_bytes > 0 &&
        answer_bytes + REMEMBERED_BYTES_EXTRA > remembered_room(r, q->session)) {
        q->exhausted = true; /* the frame is refused: an answer could not be remembered */
        return false;
    }
    return true;
}

uint32_t park(struct request *q, enum op_kind kind, uint64_t deadline_ms, size_t answer_bytes)
{
    struct registry *r = q->r;
    uint32_t index = slab_take(&r->parked);
    ASSERT(index != 0);
    struct parked *parked = parked_at(r, index);
    parked->to = *q->from;
    parked->kind = kind;
    parked->request_id = q->frame->request_id;
    parked->session_number = q->frame->session;
    parked->session = q->session;
    parked->link = q->session != 0 ? 0 : q->link;
    parked->timer.kind = TIMER_PARKED;
    timer_heap_set(&r->timers, &parked->timer, time_after(r->now_ms, deadline_ms));
    chain_append(OF_HOLDER(r), holder_of(r, parked), index);
    if (q->session != 0) {
        uint32_t charge = answer_bytes > 0 ? (uint32_t) answer_bytes + REMEMBERED_BYTES_EXTRA : 0;
        parked->remembered =
            q->remembered != 0 ? q->remembered : remembered_make(r, q->session, q->frame, charge);
        remembered_parked(r, parked->remembered, index);
    }
    q->parked = true;
    return index;
}

void park_tie(struct registry *r, uint32_t index, uint32_t operation, enum answer answer)
{
    uint32_t number = slab_take(&r->ties);
    ASSERT(number != 0);
    struct parked *parked = parked_at(r, index);
    struct tie *tie = tie_at(r, number);
    tie->gen = operation_at(r, operation)->gen;
    tie->operation = operation;
    tie->parked = index;
    tie->answer = (uint8_t) answer;
    tie->next_of_parked = parked->ties;
    parked->ties = number;
    parked->ties_unmet++;
    chain_append(OF_OPERATION(r), &operation_at(r, operation)->ties, number);
}

static void tie_free(struct registry *r, uint32_t number)
{
    struct tie *tie = tie_at(r, number);
    uint32_t index = tie->operation;
    struct operation *operation = operation_at(r, index);
    if (operation->settle_at == number) {
        operation->settle_at = tie->of_operation.next;
    }
    chain_remove(OF_OPERATION(r), &operation->ties, number);
    slab_give(&r->ties, number);
    operation_release(r, index);
}

void parked_free(struct registry *r, uint32_t index)
{
    struct parked *parked = parked_at(r, index);
    timer_heap_clear(&r->timers, &parked->timer);
    uint32_t next;
    for (uint32_t number = parked->ties; number != 0; number = next) {
        next = tie_at(r, number)->next_of_parked;
        tie_free(r, number);
    }
    if (parked->remembered != 0) {
        remembered_decided(r, parked->remembered);
    }
    if (parked->session != 0 && session_at(r, parked->session)->poll == index) {
        session_at(r, parked->session)->poll = 0;
    }
    if (parked->space != 0) {
        watch_parked_gone(r, index);
    }
    if (parked->bulk != 0) {
        bulk_parked_gone(r, parked->bulk);
    }
    if (parked->drain != 0) {
        drain_parked_gone(r, parked->drain);
    }
    chain_remove(OF_HOLDER(r), holder_of(r, parked), index);
    slab_give(&r->parked, index);
}

static struct reply_head head_of(const struct parked *parked)
{
    return (struct reply_head){.session = parked->session_number, .request_id = parked->request_id};
}

static struct bytes make_reply(struct registry *r, const struct parked *parked,
                               const struct error *error, const struct result *result)
{
    struct reply_head head = head_of(parked);
    if (error != NULL) {
        head.error = *error;
    }
    size_t used = r->port.head(r->port.context, &head, r->late_reply, FRAME_BYTES_MAX);
    ASSERT(used > 0);
    if (result != NULL) {
        size_t more =
            r->port.result(r->port.context, result, r->late_reply + used, FRAME_BYTES_MAX - used);
        ASSERT(more > 0);
        used += more;
        r->counters.answers[result->answer]++;
    }
    return bytes_of(r->late_reply, used);
}

static void answer_after(struct registry *r, uint32_t index, const struct result *result,
                         uint64_t journal_number)
{
    struct parked *parked = parked_at(r, index);
    struct bytes reply = make_reply(r, parked, NULL, result);
    struct reply_to to = parked->to;
    struct outgoing out = {.to = &to, .head = head_of(parked), .reply = reply};
    out.journal_number = journal_number;
    if ((parked->kind == OP_CANCEL || parked->kind == OP_DRAIN) && parked->remembered != 0) {
        remembered_set(r, parked->remembered, reply);
        remembered_at(r, parked->remembered)->journal_number = out.journal_number;
        out.remembered = parked->remembered;
    }
    parked_free(r, index);
    reply_send(r, &out);
}

void parked_answer(struct registry *r, uint32_t index, const struct result *result)
{
    answer_after(r, index, result, result_tells(result) ? r->journal_number : 0);
}

/* A wait tells of one operation's cancel alone. */
static void wait_answer(struct registry *r, uint32_t index)
{
    uint32_t operation = tie_at(r, parked_at(r, index)->ties)->operation;
    uint32_t cause = operation_at(r, operation)->cause;
    struct result result;
    wait_describe(r, operation, (enum until) parked_at(r, index)->until, &result);
    answer_after(r, index, &result, cause == 0 ? 0 : cause_at(r, cause)->journal_number);
}

void parked_refuse(struct registry *r, uint32_t index, enum error_code code)
{
    struct parked *parked = parked_at(r, index);
    struct error error = {.code = code, .text = "the session is lost"};
    struct bytes reply = make_reply(r, parked, &error, NULL);
    struct reply_to to = parked->to;
    parked_free(r, index);
    r->port.send(r->port.context, &to, reply);
}

static bool tie_is_met(const struct registry *r, uint32_t number)
{
    const struct tie *tie = tie_at(r, number);
    const struct operation *operation = operation_at(r, tie->operation);
    const struct parked *parked = parked_at(r, tie->parked);
    if (operation->state == STATE_ENDED) {
        return true;
    }
    if (parked->kind == OP_WAIT) {
        return parked->until == UNTIL_CANCELLING && operation->state == STATE_CANCELLING;
    }
    return operation->level >= parked->level || operation->owner == 0;
}

static void decide(struct registry *r, uint32_t index)
{
    struct parked *parked = parked_at(r, index);
    for (uint32_t number = parked->ties; number != 0; number = tie_at(r, number)->next_of_parked) {
        operation_take_turn(r, tie_at(r, number)->operation);
    }
    struct result result;
    switch (parked->kind) {
    case OP_WAIT:
        wait_answer(r, index);
        return;
    case OP_CANCEL:
        cancel_describe(r, index, &result);
        break;
    case OP_DRAIN:
        drain_describe(r, index, &result);
        break;
    case OP_WATCH:
        watch_answer_empty(r, index);
        return;
    case OP_HISTORY:
        history_late(&result);
        break;
    default:
        poll_answer_empty(r, index);
        return;
    }
    parked_answer(r, index, &result);
}

void parked_expire(struct registry *r, uint32_t index)
{
    decide(r, index);
}

void operation_settle(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    if (operation->ties.count == 0) {
        return;
    }
    operation->settle_at = operation->ties.first;
    if (!operation->settling) {
        operation->settling = true;
        chain_append(OF_SETTLE(r), &r->settle, index);
    }
}

static void settle_tie(struct registry *r, uint32_t number)
{
    struct tie *tie = tie_at(r, number);
    if (tie->met || !tie_is_met(r, number)) {
        return;
    }
    tie->met = true;
    if (--parked_at(r, tie->parked)->ties_unmet == 0) {
        decide(r, tie->parked);
    }
}

void parked_settle(struct registry *r, uint32_t *budget)
{
    while (*budget > 0 && r->settle.first != 0) {
        uint32_t index = r->settle.first;
        struct operation *operation = operation_at(r, index);
        uint32_t number = operation->settle_at;
        if (number != 0) {
            (*budget)--;
            operation->settle_at = tie_at(r, number)->of_operation.next;
            settle_tie(r, number);
            continue;
        }
        operation->settling = false;
        chain_remove(OF_SETTLE(r), &r->settle, index);
        operation_release(r, index);
    }
}
