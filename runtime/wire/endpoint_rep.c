/* SPDX-License-Identifier: MIT */
/* The life of the endpoint on NNG's REP socket. The end: replies on their way are waited for, then the
 * socket is closed, which takes every pipe with it and blocks the owner for as long as NNG needs to
 * reap them (on NNG before 1.9 only inproc pipes are let in, whose reaping does not hang); then the
 * contexts' last words are awaited, and the actor exits. */
#include "wire/endpoint_rep.h"

#include "wire/endpoint_socket.h"
#include "wire/sp.h"

#include <nng/protocol/reqrep0/rep.h>
#include <stdlib.h>

/* From here on a client that pipelines and goes away does not stop the reaping of pipes. */
#define NNG_SOUND_MAJOR 1
#define NNG_SOUND_MINOR 9

static struct endpoint_rep *rep_of(struct endpoint *endpoint)
{
    return (struct endpoint_rep *) (void *) endpoint;
}

/* ---- the actor ---- */

static void rep_take(struct actor *self, struct message *message)
{
    static void (*const takes[])(struct endpoint_rep *,
                                 struct message *) = {[REP_PIPE_ADDED] = rep_take_added,
                                                      [REP_PIPE_REMOVED] = rep_take_removed,
                                                      [REP_CONTEXT_DONE] = rep_take_context};
    takes[message->kind](actor_state(self), message);
}

static void rep_on_stop(struct actor *self)
{
    struct endpoint_rep *rep = actor_state(self);
    if (rep->socket_open) {
        rep->socket_open = false;
        (void) nng_close(rep->socket); /* Fails only for one that was closed. */
    }
    rep_contexts_stop(rep);
    rep->common.actor = NULL;
}

static const struct actor_class rep_class = {
    .name = "rep endpoint", .on_message = rep_take, .on_stop = rep_on_stop};

static void rep_on_stall(struct actor *self, struct actor_timer *timer)
{
    struct endpoint_rep *rep = actor_state(self);
    rep_contexts_check_stall(rep, actor_now_ns(self));
    if (rep->sending_count > 0) {
        uint64_t half_ns = rep->common.limits.stall_ms * NS_PER_MS / 2;
        actor_timer_set(self, timer, actor_now_ns(self) + half_ns);
    }
}

/* ---- the end ---- */

static void rep_close_socket(struct endpoint_rep *rep)
{
    rep->socket_open = false;
    (void) nng_close(rep->socket); /* Fails only for one that was closed. */
    rep_links_end(rep);
}

void rep_close_when_flushed(struct endpoint_rep *rep)
{
    if (!rep->common.closing) {
        return;
    }
    if (rep->socket_open && rep->sending_count == 0 && !rep->lingering) {
        rep->lingering = true;
        actor_timer_set(rep->common.actor, &rep->flush_timer,
                        time_after(actor_now_ns(rep->common.actor), REP_LINGER_MS * NS_PER_MS));
    }
    if (!rep->socket_open && rep->busy_count == 0) {
        actor_exit(rep->common.actor);
    }
}

static void rep_on_flush(struct actor *self, struct actor_timer *timer)
{
    (void) timer;
    struct endpoint_rep *rep = actor_state(self);
    if (rep->socket_open) {
        rep_close_socket(rep);
    }
    rep_close_when_flushed(rep);
}

static void rep_stop_accepting(struct endpoint *endpoint)
{
    /* Closing NNG's listener would take its pipes along. */
    rep_of(endpoint)->refusing = true;
}

static void rep_close(struct endpoint *endpoint, uint64_t flush_ms)
{
    struct endpoint_rep *rep = rep_of(endpoint);
    rep->refusing = true;
    rep->lingering = rep->sending_count == 0;
    /* By a timer in any case: this may be called from within the handler. */
    uint64_t wait_ms = rep->lingering && flush_ms > REP_LINGER_MS ? REP_LINGER_MS : flush_ms;
    rep->flush_timer.on_fire = rep_on_flush;
    actor_timer_set(endpoint->actor, &rep->flush_timer,
                    time_after(actor_now_ns(endpoint->actor), wait_ms * NS_PER_MS));
}

/* ---- the kind ---- */

static struct endpoint *rep_new(void)
{
    struct endpoint_rep *rep = calloc(1, sizeof *rep);
    if (rep == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < REP_LINK_BUCKETS; i++) {
        list_init(&rep->buckets[i]);
    }
    return &rep->common;
}

static void rep_free(struct endpoint *endpoint)
{
    struct endpoint_rep *rep = rep_of(endpoint);
    rep_contexts_free(rep);
    free(rep);
}

static bool nng_is_sound(void)
{
    char *end;
    unsigned long major = strtoul(nng_version(), &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    return major > NNG_SOUND_MAJOR || (major == NNG_SOUND_MAJOR && minor >= NNG_SOUND_MINOR);
}

static int rep_open_socket(struct endpoint_rep *rep)
{
    int failure = nng_rep0_open(&rep->socket);
    if (failure != 0) {
        return failure;
    }
    rep->socket_open = true;
    /* Before there is a listener: it is not looked at again. */
    failure =
        nng_socket_set_size(rep->socket, NNG_OPT_RECVMAXSZ, FRAME_BYTES_MAX + SP_ROUTE_BYTES_MAX);
    return failure != 0 ? failure : rep_watch_pipes(rep);
}

static int rep_listen_nng(struct endpoint_rep *rep, const struct endpoint_url *url, int ipc_mode)
{
    nng_listener listener;
    int failure = nng_listener_create(&listener, rep->socket, url->nng_url);
    if (failure != 0) {
        return failure;
    }
    if (url->transport == ENDPOINT_IPC) {
        failure = nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, ipc_mode);
    } else if (url->transport == ENDPOINT_TCP) {
        failure = nng_listener_set_bool(listener, NNG_OPT_TCP_KEEPALIVE, true);
    }
    if (failure == 0) {
        failure = nng_listener_start(listener, 0);
    }
    int port;
    if (failure == 0 && url->transport == ENDPOINT_TCP &&
        nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port) == 0) {
        endpoint_url_print(url, (uint32_t) port, rep->common.url);
    }
    return failure;
}

static enum status rep_prepare(struct endpoint_rep *rep, const struct endpoint_url *url,
                               char error[ENDPOINT_ERROR_BYTES])
{
    rep->transport = url->transport;
    rep->contexts_max = (uint32_t) rep->common.limits.parked + REP_CONTEXTS_SPARE;
    if (!region_init(&rep->contexts, rep->contexts_max * sizeof(struct rep_context *))) {
        return endpoint_fail(error, STATUS_NO_MEMORY, "%s: no memory", url->text);
    }
    enum status status = actor_spawn(rep->common.loop, &rep_class, rep, &rep->common.actor);
    if (status != STATUS_OK) {
        return endpoint_fail(error, status, "%s: too many actors", url->text);
    }
    rep->system = actor_system_of(rep->common.actor);
    rep->address = actor_self(rep->common.actor);
    rep->stall_timer.on_fire = rep_on_stall;
    return STATUS_OK;
}

static enum status rep_start(struct endpoint_rep *rep, const struct endpoint_options *options,
                             const struct endpoint_url *url, char error[ENDPOINT_ERROR_BYTES])
{
    int failure = rep_open_socket(rep);
    if (failure == 0) {
        failure = rep_listen_nng(rep, url, endpoint_socket_mode(options));
    }
    if (failure != 0) {
        return endpoint_nng_fail(url, failure, error);
    }
    enum status status = endpoint_socket_grant(url, options, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (!rep_contexts_refill(rep)) {
        return endpoint_fail(error, STATUS_NO_MEMORY, "%s: no memory", url->text);
    }
    return STATUS_OK;
}

static enum status rep_listen(struct endpoint *endpoint, const struct endpoint_options *options,
                              const struct endpoint_url *url, char error[ENDPOINT_ERROR_BYTES])
{
    struct endpoint_rep *rep = rep_of(endpoint);
    if (url->transport != ENDPOINT_INPROC && !nng_is_sound()) {
        return endpoint_fail(error, STATUS_UNSUPPORTED,
                             "%s: NNG %s stops to serve when a client goes away with requests "
                             "unanswered; that needs NNG 1.9, or leave out \"rep+\"",
                             url->text, nng_version());
    }
    enum status status = endpoint_socket_clear(url, options, error);
    if (status == STATUS_OK) {
        status = rep_prepare(rep, url, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = rep_start(rep, options, url, error);
    if (status != STATUS_OK) {
        actor_exit(endpoint->actor);
    }
    return status;
}

const struct endpoint_kind endpoint_rep_kind = {.new = rep_new,
                                                .listen = rep_listen,
                                                .stop_accepting = rep_stop_accepting,
                                                .close = rep_close,
                                                .reply = rep_reply,
                                                .free = rep_free};
