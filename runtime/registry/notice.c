/* SPDX-License-Identifier: MIT */
/* Notices: what a session has to be told of its operations. They are made from state and stay until
 * they are acknowledged, so that no lost reply, late poll or reconnect loses one.
 *
 * Owners are told at once; but not of a cancel by an arm. An arm is used once: were its use forgotten in
 * a crash, after an owner has heard of it, the arm would come back and cancel another one. So these
 * notices are untold, and have no number, until the journal has that use. */
#include "registry/state.h"

#define OF_SESSION(r) CHAIN(r, notices, notice_record, of_session) /* or of r->untold */
#define OF_POLLS(r) CHAIN(r, sessions, session, of_polls)

static struct notice describe(const struct registry *r, uint32_t number)
{
    const struct notice_record *notice = notice_at(r, number);
    const struct operation *operation = operation_at(r, notice->operation);
    return (struct notice){
        .number = notice->number,
        .space = space_name(r, key_at(r, operation->key)->space),
        .key = key_name(r, operation->key),
        .gen = operation->gen,
        .kind = (enum notice_kind) notice->kind,
        .cause = cause_get(r, operation->cause),
        .outcome = notice->kind == NOTICE_ENDED ? (enum outcome) operation->outcome : OUTCOME_UNSET,
    };
}

static void tell(struct registry *r, uint32_t number)
{
    struct notice_record *notice = notice_at(r, number);
    struct operation *operation = operation_at(r, notice->operation);
    struct session *session = session_at(r, operation->owner);
    notice->number = ++session->notice_number_last;
    chain_append(OF_SESSION(r), &session->notices, number);
    if (operation->owner == r->direct_session && r->port.told != NULL) {
        struct notice told = describe(r, number);
        r->port.told(r->port.context, &told, &operation->value);
    }
    if (session->poll != 0 && !session->poll_due) {
        session->poll_due = true;
        chain_append(OF_POLLS(r), &r->polls, operation->owner);
    }
}

void notice_add(struct registry *r, uint32_t index, enum notice_kind kind)
{
    struct operation *operation = operation_at(r, index);
    if (operation->owner == 0) {
        return;
    }
    /* An owner's death is looked at before the operation is. */
    ASSERT(!session_at(r, operation->owner)->dying);
    ASSERT(operation->notices[kind] == 0);
    uint32_t number = slab_take(&r->notices);
    ASSERT(number != 0);
    struct notice_record *notice = notice_at(r, number);
    notice->operation = index;
    notice->kind = (uint8_t) kind;
    operation->notices[kind] = number;
    uint64_t after = operation->cause == 0 ? 0 : cause_at(r, operation->cause)->told_after;
    if (after <= r->journal_kept) {
        tell(r, number);
        return;
    }
    notice->untold = true;
    notice->number = after;
    chain_append(OF_SESSION(r), &r->untold, number);
}

void notices_journaled(struct registry *r)
{
    uint32_t first;
    while ((first = r->untold.first) != 0 && notice_at(r, first)->number <= r->journal_kept) {
        chain_remove(OF_SESSION(r), &r->untold, first);
        notice_at(r, first)->untold = false;
        tell(r, first);
    }
}

void notice_drop(struct registry *r, uint32_t index, enum notice_kind kind)
{
    struct operation *operation = operation_at(r, index);
    uint32_t number = operation->notices[kind];
    if (number == 0) {
        return;
    }
    ASSERT(operation->owner != 0);
    operation->notices[kind] = 0;
    struct chain_ends *chain =
        notice_at(r, number)->untold ? &r->untold : &session_at(r, operation->owner)->notices;
    chain_remove(OF_SESSION(r), chain, number);
    slab_give(&r->notices, number);
}

void notice_acknowledge(struct registry *r, uint32_t session, const struct notice_ack *ack)
{
    uint32_t index = operation_id(r, ack->gen);
    if ((index & PLAIN_BIT) != 0) {
        return; /* nobody was told anything of it */
    }
    while (index != 0 && operation_at(r, index)->owner != session) {
        index = operation_id_next(r, index);
    }
    if (index == 0 || (ack->kind != NOTICE_CANCEL && ack->kind != NOTICE_ENDED)) {
        return;
    }
    uint32_t number = operation_at(r, index)->notices[ack->kind];
    if (number == 0 || notice_at(r, number)->untold) {
        return;
    }
    notice_drop(r, index, (enum notice_kind) ack->kind);
    if (ack->kind == NOTICE_CANCEL) {
        operation_delivered(r, index);
    }
    operation_release(r, index);
}

/* The first notice above `after`. Owners acknowledge what they have seen, so that is near an end.
 */
static uint32_t first_above(const struct registry *r, const struct session *session, uint64_t after)
{
    uint32_t first = session->notices.first;
    if (first == 0 || notice_at(r, first)->number > after) {
        return first;
    }
    uint32_t above = 0;
    for (uint32_t i = session->notices.last; notice_at(r, i)->number > after;
         i = notice_at(r, i)->of_session.previous) {
        above = i;
    }
    return above;
}

/* What fits into `room` bytes of reply, by an upper bound for each. */
static void collect(struct registry *r, uint32_t session, uint64_t after, size_t room,
                    struct result *result)
{
    *result = (struct result){.answer = ANSWER_NOTICES, .notices = r->notice_items};
    size_t bytes = 64;
    uint32_t i = first_above(r, session_at(r, session), after);
    for (; i != 0; i = notice_at(r, i)->of_session.next) {
        struct notice notice = describe(r, i);
        bytes += 64 + notice.space.size + notice.key.size + notice.cause.text.size +
                 notice.cause.actor.size + notice.cause.peer.size;
        if (bytes > room) {
            break;
        }
        ASSERT(result->notices_count < NOTICES_MAX); /* so many have no room in a frame */
        r->notice_items[result->notices_count++] = notice;
    }
    result->more = i != 0;
}

void poll_answer_empty(struct registry *r, uint32_t parked)
{
    parked_answer(r, parked, &(struct result){.answer = ANSWER_NOTICES});
}

void serve_poll(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    for (size_t i = 0; i < op->as.poll.acks_count; i++) {
        notice_acknowledge(r, q->session, &op->as.poll.acks[i]);
    }
    if (session_at(r, q->session)->poll != 0) {
        poll_answer_empty(r, session_at(r, q->session)->poll);
    }
    struct result result;
    collect(r, q->session, op->as.poll.after, q->room - q->used, &result);
    uint64_t wait_ms = op->as.poll.wait_ms < POLL_MS_MAX ? op->as.poll.wait_ms : POLL_MS_MAX;
    if (result.notices_count > 0 || wait_ms == 0) {
        request_tell(q, &result);
        return;
    }
    if (!park_has_room(q, 0, 0)) {
        return;
    }
    uint32_t parked = park(q, OP_POLL, wait_ms, 0);
    parked_at(r, parked)->after = op->as.poll.after;
    session_at(r, q->session)->poll = parked;
}

void polls_answer(struct registry *r, uint32_t *budget)
{
    while (*budget > 0 && r->polls.first != 0) {
        uint32_t index = r->polls.first;
        struct session *session = session_at(r, index);
        chain_remove(OF_POLLS(r), &r->polls, index);
        session->poll_due = false;
        (*budget)--;
        if (session->poll == 0) {
            continue;
        }
        struct result result;
        collect(r, index, parked_at(r, session->poll)->after, FRAME_BYTES_MAX - 64, &result);
        if (result.notices_count > 0) {
            parked_answer(r, session->poll, &result);
        }
    }
}

void check_untold(const struct registry *r)
{
    chain_check(OF_SESSION(r), &r->untold);
    uint32_t first = r->untold.first;
    ASSERT(first == 0 || notice_at(r, first)->number > r->journal_kept);
    for (uint32_t i = first; i != 0; i = notice_at(r, i)->of_session.next) {
        ASSERT(notice_at(r, i)->untold && notice_at(r, i)->number <= r->journal_number);
    }
}
