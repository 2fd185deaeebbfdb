/* SPDX-License-Identifier: MIT */
#include "registry/frame.h"
#include "wire/endpoint_rep.h"

#include <stdlib.h>

/* ---- what NNG's threads do ---- */

struct pipe_event {
    struct message message;
    nng_pipe pipe;
    struct endpoint_peer peer;
};

static void event_release(struct message *message)
{
    free(LIST_OWNER(message, struct pipe_event, message));
}

static struct endpoint_peer peer_of(const struct endpoint_rep *rep, nng_pipe pipe)
{
    struct endpoint_peer peer = {.text = ""};
    uint64_t uid;
    nng_sockaddr address;
    if (rep->transport == ENDPOINT_IPC) {
        if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) == 0) {
            peer = endpoint_peer_of_uid(uid);
        }
    } else if (rep->transport == ENDPOINT_TCP &&
               nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &address) == 0) {
        peer = endpoint_peer_of_address(&address);
    }
    return peer;
}

static bool event_tell(struct endpoint_rep *rep, nng_pipe pipe, uint32_t kind)
{
    struct pipe_event *event = calloc(1, sizeof *event);
    if (event == NULL) {
        return false;
    }
    /* A removal is never refused: there is one for each pipe that was let in. */
    event->message = (struct message){
        .kind = kind, .control = kind == REP_PIPE_REMOVED, .release = event_release};
    event->pipe = pipe;
    if (kind == REP_PIPE_ADDED) {
        event->peer = peer_of(rep, pipe);
    }
    if (actor_tell(rep->system, rep->address, &event->message) != STATUS_OK) {
        free(event);
        return false;
    }
    return true;
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *argument)
{
    struct endpoint_rep *rep = argument;
    if (event == NNG_PIPE_EV_ADD_PRE) {
        if (!event_tell(rep, pipe, REP_PIPE_ADDED)) {
            nng_pipe_close(pipe);
        }
    } else {
        /* Where there is no memory for the word the link stays until the endpoint is closed. */
        (void) event_tell(rep, pipe, REP_PIPE_REMOVED);
    }
}

int rep_watch_pipes(struct endpoint_rep *rep)
{
    int failure = nng_pipe_notify(rep->socket, NNG_PIPE_EV_ADD_PRE, on_pipe, rep);
    return failure != 0 ? failure
                        : nng_pipe_notify(rep->socket, NNG_PIPE_EV_REM_POST, on_pipe, rep);
}

/* ---- links ---- */

static void link_take(struct actor *self, struct message *message)
{
    (void) self;
    message_release(message); /* Nobody writes to it: its address is what it is for. */
}

static void link_on_stop(struct actor *self)
{
    struct rep_link *link = actor_state(self);
    list_remove(&link->of_bucket);
    free(link);
}

static const struct actor_class link_class = {
    .name = "rep link", .on_message = link_take, .on_stop = link_on_stop};

static struct list_link *bucket_of(struct endpoint_rep *rep, nng_pipe pipe)
{
    return &rep->buckets[(uint32_t) nng_pipe_id(pipe) % REP_LINK_BUCKETS];
}

struct rep_link *rep_link_of_pipe(struct endpoint_rep *rep, nng_pipe pipe)
{
    struct list_link *bucket = bucket_of(rep, pipe);
    for (struct list_link *at = list_first(bucket); at != NULL; at = list_after(bucket, at)) {
        struct rep_link *link = LIST_OWNER(at, struct rep_link, of_bucket);
        if (nng_pipe_id(link->pipe) == nng_pipe_id(pipe)) {
            return link;
        }
    }
    return NULL;
}

static struct rep_link *link_spawn(struct endpoint_rep *rep, nng_pipe pipe)
{
    struct rep_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        return NULL;
    }
    *link = (struct rep_link){.rep = rep, .pipe = pipe, .why = ENDPOINT_CUT_PEER};
    if (actor_spawn(rep->common.loop, &link_class, link, &link->actor) != STATUS_OK) {
        free(link);
        return NULL;
    }
    link->address = actor_self(link->actor);
    list_init(&link->contexts);
    return link;
}

static bool rep_has_room(const struct endpoint_rep *rep)
{
    const struct limits *limits = &rep->common.limits;
    bool counts_unopened = rep->common.handler.link_opened != NULL;
    return !rep->refusing && rep->common.stats.links < limits->connections &&
           !(counts_unopened && rep->unopened_count >= limits->connections_unopened);
}

static bool rep_add(struct endpoint_rep *rep, const struct pipe_event *event)
{
    const struct endpoint_handler *handler = &rep->common.handler;
    struct rep_link *link = rep_has_room(rep) ? link_spawn(rep, event->pipe) : NULL;
    if (link == NULL) {
        return false;
    }
    if (!handler->link_up(handler->context, link->address, endpoint_peer_bytes(&event->peer))) {
        actor_exit(link->actor);
        return false;
    }
    list_append(bucket_of(rep, event->pipe), &link->of_bucket);
    rep->unopened_count++;
    rep->common.stats.links++;
    rep->common.stats.accepted++;
    return true;
}

void rep_take_added(struct endpoint_rep *rep, struct message *message)
{
    const struct pipe_event *event = LIST_OWNER(message, struct pipe_event, message);
    if (!rep_add(rep, event)) {
        rep->common.stats.refused++;
        nng_pipe_close(event->pipe);
    }
    message_release(message);
}

static void link_end(struct rep_link *link)
{
    struct endpoint_rep *rep = link->rep;
    list_remove(&link->of_bucket);
    rep->unopened_count -= link->opened ? 0 : 1;
    rep->common.stats.links--;
    rep->common.stats.cuts[link->why]++;
    rep_contexts_leave(link);
    rep->common.handler.link_down(rep->common.handler.context, link->address);
    actor_exit(link->actor);
}

void rep_take_removed(struct endpoint_rep *rep, struct message *message)
{
    const struct pipe_event *event = LIST_OWNER(message, struct pipe_event, message);
    struct rep_link *link = rep_link_of_pipe(rep, event->pipe);
    if (link != NULL) {
        link_end(link);
    }
    message_release(message);
    rep_close_when_flushed(rep);
}

void rep_link_close(struct rep_link *link, enum endpoint_cut why)
{
    if (!link->closing) {
        link->closing = true;
        link->why = why;
        nng_pipe_close(link->pipe);
    }
}

void rep_links_end(struct endpoint_rep *rep)
{
    for (size_t i = 0; i < REP_LINK_BUCKETS; i++) {
        for (struct list_link *at = list_first(&rep->buckets[i]); at != NULL;
             at = list_first(&rep->buckets[i])) {
            struct rep_link *link = LIST_OWNER(at, struct rep_link, of_bucket);
            link->why = link->closing ? link->why : ENDPOINT_CUT_CLOSED;
            link_end(link);
        }
    }
}

bool rep_reply(struct actor *self, const struct reply_to *to, struct bytes body)
{
    struct rep_link *link = actor_neighbour(self, to->link, &link_class);
    if (link == NULL) {
        return false;
    }
    struct rep_context *context = link->closing ? NULL : rep_context_of(link, to);
    if (context != NULL) {
        rep_context_reply(context, body);
    }
    return true;
}
