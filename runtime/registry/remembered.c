/* SPDX-License-Identifier: MIT */
/* The request ids of a session: what was answered to each, so that a frame sent again is answered
 * again and nothing is done twice. An id that is parked has a record too; it is undecided, and
 * answered_below may pass it. What was passed so stays until `answered` names it. */
#include "registry/state.h"

#define OF_SESSION(r) CHAIN(r, remembered, remembered, of_session)

/* Of one session no two ids have the same, for the factor is odd. */
static uint64_t id_hash(uint32_t session, uint64_t request_id)
{
    return request_id * UINT64_C(0x9e3779b97f4a7c15) ^
           (uint64_t) session * UINT64_C(0xff51afd7ed558ccd);
}

static struct chain_ends *list_of(struct registry *r, const struct remembered *remembered)
{
    struct session *session = session_at(r, remembered->session);
    return remembered->passed ? &session->passed : &session->remembered;
}

uint32_t remembered_find(const struct registry *r, uint32_t session, uint64_t request_id)
{
    uint32_t index = hash_index_first(&r->remembered_by_id, id_hash(session, request_id));
    while (index != 0 && remembered_at(r, index)->session != session) {
        index = hash_index_next(&r->remembered_by_id, index);
    }
    ASSERT(index == 0 || remembered_at(r, index)->request_id == request_id);
    return index;
}

static uint64_t bytes_left(const struct registry *r, uint32_t session)
{
    uint64_t used = session_at(r, session)->remembered_bytes;
    uint64_t own = r->limits.replies_session_bytes - used;
    uint64_t all = r->limits.replies_bytes - r->remembered_bytes;
    return own < all ? own : all;
}

uint64_t remembered_room(const struct registry *r, uint32_t session)
{
    return r->remembered.count == r->remembered.capacity ? 0 : bytes_left(r, session);
}

const char *remembered_limit(const struct registry *r, uint32_t session)
{
    uint64_t own = r->limits.replies_session_bytes - session_at(r, session)->remembered_bytes;
    return own <= r->limits.replies_bytes - r->remembered_bytes ? "replies_session_bytes"
                                                                : "replies_bytes";
}

static void charge(struct registry *r, struct remembered *remembered, uint32_t bytes)
{
    struct session *session = session_at(r, remembered->session);
    session->remembered_bytes += bytes;
    session->remembered_bytes -= remembered->charged;
    r->remembered_bytes += bytes;
    r->remembered_bytes -= remembered->charged;
    remembered->charged = bytes;
}

bool remembered_grow(struct registry *r, uint32_t index, uint32_t bytes)
{
    struct remembered *remembered = remembered_at(r, index);
    if (bytes > bytes_left(r, remembered->session)) {
        return false;
    }
    charge(r, remembered, remembered->charged + bytes);
    return true;
}

uint32_t remembered_make(struct registry *r, uint32_t session, const struct frame *frame,
                         uint32_t charge_bytes)
{
    uint32_t index = slab_take(&r->remembered);
    ASSERT(index != 0);
    struct remembered *remembered = remembered_at(r, index);
    remembered->request_id = frame->request_id;
    remembered->digest = frame->ops_digest;
    remembered->session = session;
    charge(r, remembered, charge_bytes);
    hash_index_insert(&r->remembered_by_id, index, id_hash(session, frame->request_id));
    if (frame->request_id < session_at(r, session)->answered_below) {
        remembered->passed = true;
        chain_append(OF_SESSION(r), list_of(r, remembered), index);
        return index;
    }
    /* Ids rise, but for what a client sends again: the place is near the end. */
    struct chain_ends *list = &session_at(r, session)->remembered;
    uint32_t after = list->last;
    while (after != 0 && remembered_at(r, after)->request_id > frame->request_id) {
        after = remembered_at(r, after)->of_session.previous;
    }
    chain_insert_after(OF_SESSION(r), list, after, index);
    return index;
}

void remembered_set(struct registry *r, uint32_t index, struct bytes reply)
{
    struct remembered *remembered = remembered_at(r, index);
    bool kept = byte_heap_keep(&r->reply_bytes, reply, &remembered->reply);
    ASSERT(kept); /* the charge is what bounds it */
    charge(r, remembered, (uint32_t) reply.size + REMEMBERED_BYTES_EXTRA);
}

static void unmark(struct registry *r, struct remembered *remembered)
{
    if (remembered->marks) {
        remembered->marks = false;
        session_at(r, remembered->session)->marks_count--;
        r->marks_count--;
    }
}

void remembered_free(struct registry *r, uint32_t index)
{
    struct remembered *remembered = remembered_at(r, index);
    unmark(r, remembered);
    if (remembered->held != 0) {
        held_at(r, remembered->held)->remembered = 0;
    }
    charge(r, remembered, 0);
    chain_remove(OF_SESSION(r), list_of(r, remembered), index);
    hash_index_remove(&r->remembered_by_id, index);
    byte_heap_drop(&r->reply_bytes, &remembered->reply);
    slab_give(&r->remembered, index);
}

void remembered_decided(struct registry *r, uint32_t index)
{
    struct remembered *remembered = remembered_at(r, index);
    remembered->parked = 0;
    if (remembered->reply.size > 0) {
        return;
    }
    /* A read, or nobody is left to be answered. */
    struct session *session = session_at(r, remembered->session);
    if (remembered->passed && session->marks_count < PASSED_READS_SESSION_MAX &&
        r->marks_count < PASSED_READS_MAX) {
        charge(r, remembered, 0);
        remembered->marks = true;
        session->marks_count++;
        r->marks_count++;
    } else {
        remembered_free(r, index);
    }
}

void remembered_parked(struct registry *r, uint32_t index, uint32_t parked)
{
    struct remembered *remembered = remembered_at(r, index);
    unmark(r, remembered);
    remembered->parked = parked;
    remembered->parked_once = true;
}

/* `answered` names it: the answer goes. */
static void name(struct registry *r, uint32_t index)
{
    struct remembered *remembered = remembered_at(r, index);
    if (remembered->parked != 0 || remembered->held != 0) {
        return; /* it was not even answered */
    }
    if (remembered->passed) {
        remembered_free(r, index);
        return;
    }
    remembered->named = true;
    byte_heap_drop(&r->reply_bytes, &remembered->reply);
    charge(r, remembered, REMEMBERED_BYTES_EXTRA);
}

/* answered_below has passed this id. */
static void pass(struct registry *r, uint32_t index)
{
    struct remembered *remembered = remembered_at(r, index);
    if (!remembered->parked_once) {
        remembered_free(r, index);
        return;
    }
    remembered->gives_way = remembered->parked == 0 && remembered->held == 0;
    chain_remove(OF_SESSION(r), list_of(r, remembered), index);
    remembered->passed = true;
    chain_append(OF_SESSION(r), list_of(r, remembered), index);
}

bool remembered_give_way(struct registry *r, uint32_t session)
{
    uint64_t room = remembered_room(r, session);
    uint32_t next;
    for (uint32_t i = session_at(r, session)->passed.first; i != 0; i = next) {
        next = remembered_at(r, i)->of_session.next;
        if (remembered_at(r, i)->gives_way) {
            remembered_free(r, i);
        }
    }
    return remembered_room(r, session) > room;
}

void remembered_answered(struct registry *r, uint32_t session_index, const struct frame *frame)
{
    struct session *session = session_at(r, session_index);
    if (frame->answered_below > session->answered_below) {
        session->answered_below = frame->answered_below;
        while (session->remembered.first != 0 &&
               remembered_at(r, session->remembered.first)->request_id < session->answered_below) {
            pass(r, session->remembered.first);
        }
    }
    for (size_t i = 0; i < frame->answered_count; i++) {
        uint32_t index = remembered_find(r, session_index, frame->answered[i]);
        if (index != 0) {
            name(r, index);
        }
    }
}
