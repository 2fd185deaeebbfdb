/* SPDX-License-Identifier: MIT */
/* Sessions: bound to a link, in their grace, or dying. A dying session is known to nobody any more;
 * its operations, requests and answers are given back in steps. */
#include "registry/state.h"

#define OF_SPACE(r) CHAIN(r, sessions, session, of_space)
#define OF_LINK(r) CHAIN(r, sessions, session, of_link)
#define OF_DYING(r) CHAIN(r, sessions, session, of_dying)
#define OF_POLLS(r) CHAIN(r, sessions, session, of_polls)

#define SILENT_INTERVALS 3

uint32_t session_find(const struct registry *r, uint64_t number)
{
    return hash_index_first(&r->sessions_by_number, number);
}

bool session_secret_is(const struct session *session, struct bytes secret)
{
    unsigned difference = secret.size != SECRET_BYTES;
    for (size_t i = 0; i < SECRET_BYTES && i < secret.size; i++) {
        difference |= (unsigned) (session->secret[i] ^ secret.data[i]);
    }
    return difference == 0;
}

static uint64_t silent_at_ms(const struct session *session)
{
    return time_after(session->heard_ms, (uint64_t) SILENT_INTERVALS * session->heartbeat_ms);
}

/* Sets the timer for what has to be looked at next. It may stand too early, never too late. */
static void watch(struct registry *r, struct session *session)
{
    if (session->heartbeat_ms == 0 || link_at(r, session->link)->paused) {
        timer_heap_clear(&r->timers, &session->timer);
    } else {
        timer_heap_set(&r->timers, &session->timer, silent_at_ms(session));
    }
}

static void unbind(struct registry *r, uint32_t index)
{
    struct session *session = session_at(r, index);
    if (session->link != 0) {
        chain_remove(OF_LINK(r), &link_at(r, session->link)->sessions, index);
        session->link = 0;
    }
}

void session_bind(struct registry *r, uint32_t index, uint32_t link)
{
    struct session *session = session_at(r, index);
    unbind(r, index);
    r->links_opened += link_at(r, link)->opened ? 0 : 1;
    link_at(r, link)->opened = true;
    session->link = link;
    chain_append(OF_LINK(r), &link_at(r, link)->sessions, index);
    session->in_grace = false;
    session->heard_ms = r->now_ms;
    watch(r, session);
}

static void begin_grace(struct registry *r, struct session *session, uint64_t since_ms)
{
    session->in_grace = true;
    timer_heap_set(&r->timers, &session->timer, time_after(since_ms, r->limits.grace_ms));
}

void session_heard(struct registry *r, uint32_t index)
{
    struct session *session = session_at(r, index);
    session->heard_ms = r->now_ms;
    if (session->in_grace) {
        session->in_grace = false;
        watch(r, session);
    }
}

void session_expire(struct registry *r, uint32_t index, uint64_t now_ms)
{
    struct session *session = session_at(r, index);
    if (session->in_grace) {
        r->counters.sessions_lost++;
        session_die(r, index);
    } else if (silent_at_ms(session) > now_ms) {
        watch(r, session);
    } else {
        begin_grace(r, session, silent_at_ms(session));
    }
}

void session_die(struct registry *r, uint32_t index)
{
    struct session *session = session_at(r, index);
    ASSERT(!session->dying);
    session->dying = true;
    session->ban_number = ++r->ban_number;
    r->drains_due = true; /* whoever waits for it to be drained */
    timer_heap_clear(&r->timers, &session->timer);
    unbind(r, index);
    hash_index_remove(&r->sessions_by_number, index);
    if (session->poll_due) {
        session->poll_due = false;
        chain_remove(OF_POLLS(r), &r->polls, index);
    }
    chain_append(OF_DYING(r), &r->dying, index);
}

static void lose_oldest(struct registry *r, const struct session *session)
{
    uint32_t plain = session->plain.first;
    uint32_t whole = session->operations.first;
    if (plain != 0 && (whole == 0 || r->gen_first + plain_number(plain_at(r, plain)) <
                                         operation_at(r, whole)->gen)) {
        plain_lose_owner(r, plain);
    } else {
        operation_lose_owner(r, whole);
    }
}

/* One step; false where nothing is left of the session. */
static bool bury_step(struct registry *r, uint32_t index)
{
    struct session *session = session_at(r, index);
    if (session->parked.first != 0) {
        parked_refuse(r, session->parked.first, ERROR_SESSION_LOST);
    } else if (session_operations(r, index) > 0) {
        lose_oldest(r, session);
    } else if (session->remembered.first != 0) {
        remembered_free(r, session->remembered.first);
    } else if (session->passed.first != 0) {
        remembered_free(r, session->passed.first);
    } else {
        return false;
    }
    return true;
}

void sessions_bury(struct registry *r, uint32_t *budget)
{
    while (*budget > 0 && r->dying.first != 0) {
        uint32_t index = r->dying.first;
        struct session *session = session_at(r, index);
        (*budget)--;
        if (bury_step(r, index)) {
            continue;
        }
        ASSERT(session->notices.count == 0);
        chain_remove(OF_DYING(r), &r->dying, index);
        drain_session_gone(r, index);
        bulk_session_passes(r, index);
        chain_remove(OF_SPACE(r), &space_at(r, session->space)->sessions, index);
        space_give(r, session->space);
        slab_give(&r->sessions, index);
    }
}

/* A number nobody can guess, from the seed. */
static uint64_t unguessable(struct registry *r)
{
    uint64_t counter = ++r->secrets_made;
    return siphash24(r->secret_key.base, bytes_of(&counter, sizeof counter));
}

static uint32_t make(struct request *q, const struct op *op, struct bytes space)
{
    struct registry *r = q->r;
    uint32_t index = slab_take(&r->sessions);
    ASSERT(index != 0);
    struct session *session = session_at(r, index);
    do {
        session->number = unguessable(r);
    } while (session->number == 0 || session_find(r, session->number) != 0);
    for (size_t i = 0; i < SECRET_BYTES; i += sizeof(uint64_t)) {
        uint64_t part = unguessable(r);
        memcpy(session->secret + i, &part, sizeof part);
    }
    session->space = space_take(r, space);
    chain_append(OF_SPACE(r), &space_at(r, session->space)->sessions, index);
    session->principal = q->principal;
    session->heartbeat_ms = op->as.open.heartbeat_ms;
    session->timer.kind = TIMER_SESSION;
    session->name_size = (uint32_t) op->as.open.client_name.size;
    if (session->name_size > 0) {
        memcpy(session->name, op->as.open.client_name.data, session->name_size);
    }
    hash_index_insert(&r->sessions_by_number, index, session->number);
    return index;
}

static void answer_opened(struct request *q, uint32_t index, bool resumed)
{
    struct registry *r = q->r;
    const struct session *session = session_at(r, index);
    struct opened opened = {
        .session = session->number,
        .epoch = r->epoch,
        .grace_ms = (uint32_t) r->limits.grace_ms,
        .finished_ms = (uint32_t) r->limits.finished_ms,
        .parked_max = (uint32_t) r->limits.parked_session,
        .resumed = resumed,
        .space = space_name(r, session->space),
    };
    memcpy(opened.secret, session->secret, SECRET_BYTES);
    struct result result = {.answer = ANSWER_OPENED, .opened = &opened};
    bool put = request_put(q, &result);
    ASSERT(put); /* alone in its frame, and of a bounded size */
    explicit_bzero(opened.secret, SECRET_BYTES);
}

void serve_open(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    if (op->as.open.resume_session != 0) {
        uint32_t index = session_find(r, op->as.open.resume_session);
        if (index == 0 || !session_secret_is(session_at(r, index), op->as.open.resume_secret)) {
            request_tell(q, &(struct result){.answer = ANSWER_SESSION_LOST});
            return;
        }
        session_at(r, index)->heartbeat_ms = op->as.open.heartbeat_ms;
        session_bind(r, index, q->link);
        answer_opened(q, index, true);
        return;
    }
    if (r->sessions.count == r->sessions.capacity) {
        request_full(q, "sessions");
        return;
    }
    if (q->space == 0 && r->spaces.count == r->spaces.capacity) {
        request_full(q, "namespaces");
        return;
    }
    uint32_t index = make(q, op, q->space_name);
    session_bind(r, index, q->link);
    answer_opened(q, index, false);
}

void serve_close(struct request *q, const struct op *op)
{
    (void) op;
    if (request_answer(q, ANSWER_CLOSED)) {
        q->closing = true; /* and stays so, where a second close in the frame has no room */
    }
}

/* ---- links: here, for their only purpose is to bind sessions ---- */

uint32_t link_find(const struct registry *r, uint64_t address)
{
    return hash_index_first(&r->links_by_address, address);
}

bool registry_link_up(struct registry *r, uint64_t address, struct bytes peer)
{
    ASSERT(address != 0 && peer.size <= CAUSE_PEER_BYTES_MAX && link_find(r, address) == 0);
    if (r->links.count - r->links_opened >= r->limits.connections_unopened) {
        return false;
    }
    uint32_t index = slab_take(&r->links);
    if (index == 0) {
        return false;
    }
    struct link *link = link_at(r, index);
    link->address = address;
    principal_set(&link->peer, peer);
    hash_index_insert(&r->links_by_address, index, address);
    return true;
}

void registry_link_down(struct registry *r, uint64_t address, uint64_t now_ms)
{
    uint32_t index = link_find(r, address);
    if (index == 0) {
        return;
    }
    note_time(r, now_ms);
    struct link *link = link_at(r, index);
    while (link->parked.first != 0) {
        parked_free(r, link->parked.first);
    }
    while (link->sessions.first != 0) {
        struct session *session = session_at(r, link->sessions.first);
        unbind(r, link->sessions.first);
        if (!session->in_grace) {
            begin_grace(r, session, r->now_ms);
        }
    }
    if (link->opened) {
        r->links_opened--;
    }
    hash_index_remove(&r->links_by_address, index);
    slab_give(&r->links, index);
}

void registry_link_paused(struct registry *r, uint64_t address, bool paused, uint64_t now_ms)
{
    uint32_t index = link_find(r, address);
    if (index == 0 || link_at(r, index)->paused == paused) {
        return;
    }
    note_time(r, now_ms);
    struct link *link = link_at(r, index);
    link->paused = paused;
    if (paused) {
        link->paused_since_ms = r->now_ms;
    }
    for (uint32_t i = link->sessions.first; i != 0; i = session_at(r, i)->of_link.next) {
        struct session *session = session_at(r, i);
        if (!paused && session->heard_ms < r->now_ms) {
            uint64_t since = link->paused_since_ms > session->heard_ms ? link->paused_since_ms
                                                                       : session->heard_ms;
            session->heard_ms += r->now_ms - since;
        }
        if (!session->in_grace) {
            watch(r, session);
        }
    }
}

bool registry_link_opened(const struct registry *r, uint64_t address)
{
    uint32_t index = link_find(r, address);
    return index != 0 && link_at(r, index)->opened;
}
