/* SPDX-License-Identifier: MIT */
#include "registry/frame.h"
#include "wire/endpoint_rep.h"

#include <stdlib.h>

static struct rep_context **context_at(const struct endpoint_rep *rep, uint32_t index)
{
    return (struct rep_context **) rep->contexts.base + index;
}

/* On a thread of NNG's. */
static void on_done(void *argument)
{
    struct rep_context *context = argument;
    /* Refused only where the loop has ended; then rep_contexts_stop() looks at the aio itself. */
    (void) !actor_tell(context->rep->system, context->rep->address, &context->done);
}

static void context_set_busy(struct rep_context *context, bool busy)
{
    context->busy = busy;
    context->rep->busy_count += busy ? 1 : UINT32_MAX;
}

static void context_receive(struct rep_context *context)
{
    context->state = REP_RECEIVING;
    context->serial++;
    context->rep->receiving_count++;
    context_set_busy(context, true);
    nng_ctx_recv(context->ctx, context->aio);
}

static struct rep_context *context_new(struct endpoint_rep *rep)
{
    struct rep_context *context = calloc(1, sizeof *context);
    if (context == NULL) {
        return NULL;
    }
    context->rep = rep;
    context->index = rep->contexts_count;
    context->done = (struct message){.kind = REP_CONTEXT_DONE, .control = true};
    if (nng_aio_alloc(&context->aio, on_done, context) != 0) {
        goto no_aio;
    }
    if (nng_ctx_open(&context->ctx, rep->socket) != 0) {
        goto no_ctx;
    }
    return context;

no_ctx:
    nng_aio_free(context->aio);
no_aio:
    free(context);
    return NULL;
}

bool rep_contexts_refill(struct endpoint_rep *rep)
{
    while (rep->socket_open && rep->receiving_count < REP_RECEIVING_MIN &&
           rep->contexts_count < rep->contexts_max) {
        struct rep_context *context = context_new(rep);
        if (context == NULL) {
            break;
        }
        *context_at(rep, rep->contexts_count++) = context;
        context_receive(context);
    }
    return rep->contexts_count > 0;
}

/* ---- one request ---- */

static void context_leave_link(struct rep_context *context)
{
    list_remove(&context->of_link);
    context->link = NULL;
}

static void context_hand_over(struct rep_context *context, struct rep_link *link, nng_msg *request)
{
    struct endpoint *endpoint = &context->rep->common;
    const struct endpoint_handler *handler = &endpoint->handler;
    struct reply_to from = {
        .link = link->address, .route = {context->index, context->serial}, .route_words = 2};
    context->state = REP_HELD;
    context->link = link;
    list_append(&link->contexts, &context->of_link);
    endpoint->stats.frames_in++;
    handler->frame(handler->context, &from, bytes_of(nng_msg_body(request), nng_msg_len(request)));
    if (!link->opened && handler->link_opened != NULL &&
        handler->link_opened(handler->context, link->address)) {
        link->opened = true;
        context->rep->unopened_count--;
    }
}

static void context_take_request(struct rep_context *context, nng_msg *request)
{
    struct endpoint_rep *rep = context->rep;
    struct rep_link *link = rep_link_of_pipe(rep, nng_msg_get_pipe(request));
    rep->common.stats.bytes_in += nng_msg_len(request);
    if (link == NULL || link->closing) {
        context_receive(context);
    } else if (nng_msg_len(request) > FRAME_BYTES_MAX) {
        rep_link_close(link, ENDPOINT_CUT_RULES); /* Not all transports know a longest message. */
        context_receive(context);
    } else {
        context_hand_over(context, link, request);
    }
    nng_msg_free(request);
}

static void context_received(struct rep_context *context)
{
    context->rep->receiving_count--;
    if (nng_aio_result(context->aio) != 0) {
        context->state = REP_CLOSED; /* The socket is being closed: nothing else ends a receive. */
        return;
    }
    nng_msg *request = nng_aio_get_msg(context->aio);
    nng_aio_set_msg(context->aio, NULL);
    context_take_request(context, request);
    (void) rep_contexts_refill(context->rep); /* Without memory for more, those that are serve. */
}

static void context_sent(struct rep_context *context)
{
    context->rep->sending_count--;
    if (context->link != NULL) {
        context->link->sending_count--;
        context_leave_link(context);
    }
    if (nng_aio_result(context->aio) != 0) {
        nng_msg_free(nng_aio_get_msg(context->aio));
    }
    nng_aio_set_msg(context->aio, NULL);
    if (context->rep->socket_open) {
        context_receive(context);
    } else {
        context->state = REP_CLOSED;
    }
}

void rep_take_context(struct endpoint_rep *rep, struct message *message)
{
    struct rep_context *context = LIST_OWNER(message, struct rep_context, done);
    context_set_busy(context, false);
    if (context->state == REP_RECEIVING) {
        context_received(context);
    } else {
        context_sent(context);
    }
    rep_close_when_flushed(rep);
}

/* ---- replies ---- */

struct rep_context *rep_context_of(struct rep_link *link, const struct reply_to *to)
{
    struct endpoint_rep *rep = link->rep;
    if (to->route_words != 2 || to->route[0] >= rep->contexts_count) {
        return NULL;
    }
    struct rep_context *context = *context_at(rep, to->route[0]);
    bool is_it = context->serial == to->route[1] && context->state == REP_HELD;
    return is_it && context->link == link ? context : NULL;
}

void rep_context_reply(struct rep_context *context, struct bytes body)
{
    struct endpoint_rep *rep = context->rep;
    struct rep_link *link = context->link;
    nng_msg *reply;
    if (nng_msg_alloc(&reply, 0) != 0) {
        rep_link_close(link, ENDPOINT_CUT_MEMORY);
        return;
    }
    if (nng_msg_append(reply, body.data, body.size) != 0) {
        nng_msg_free(reply);
        rep_link_close(link, ENDPOINT_CUT_MEMORY);
        return;
    }
    context->state = REP_SENDING;
    context->since_ns = actor_now_ns(rep->common.actor);
    rep->sending_count++;
    rep->common.stats.frames_out++;
    rep->common.stats.bytes_out += body.size;
    if (++link->sending_count > rep->common.limits.outstanding) {
        rep_link_close(link, ENDPOINT_CUT_OVERFLOW);
    }
    nng_aio_set_msg(context->aio, reply);
    context_set_busy(context, true);
    nng_ctx_send(context->ctx, context->aio);
    if (!timer_is_set(&rep->stall_timer.timer)) {
        actor_timer_set(rep->common.actor, &rep->stall_timer,
                        context->since_ns + rep->common.limits.stall_ms * NS_PER_MS);
    }
}

void rep_contexts_leave(struct rep_link *link)
{
    for (struct list_link *first = list_first(&link->contexts); first != NULL;
         first = list_first(&link->contexts)) {
        struct rep_context *context = LIST_OWNER(first, struct rep_context, of_link);
        context_leave_link(context);
        if (context->state == REP_HELD) {
            if (link->rep->socket_open) {
                context_receive(context); /* Which makes NNG forget the request. */
            } else {
                context->state = REP_CLOSED;
            }
        }
    }
    link->sending_count = 0;
}

void rep_contexts_check_stall(struct endpoint_rep *rep, uint64_t now_ns)
{
    uint64_t stall_ns = rep->common.limits.stall_ms * NS_PER_MS;
    for (uint32_t i = 0; i < rep->contexts_count; i++) {
        const struct rep_context *context = *context_at(rep, i);
        if (context->state == REP_SENDING && context->link != NULL &&
            now_ns - context->since_ns >= stall_ns) {
            rep_link_close(context->link, ENDPOINT_CUT_STALLED_OUTPUT);
        }
    }
}

/* ---- the end ---- */

void rep_contexts_stop(struct endpoint_rep *rep)
{
    for (uint32_t i = 0; i < rep->contexts_count; i++) {
        struct rep_context *context = *context_at(rep, i);
        nng_aio_stop(context->aio);
        bool received = context->state == REP_RECEIVING && nng_aio_result(context->aio) == 0;
        bool not_sent = context->state == REP_SENDING && nng_aio_result(context->aio) != 0;
        if (context->busy && (received || not_sent)) {
            nng_msg_free(nng_aio_get_msg(context->aio));
        }
        nng_aio_free(context->aio);
    }
}

void rep_contexts_free(struct endpoint_rep *rep)
{
    for (uint32_t i = 0; i < rep->contexts_count; i++) {
        free(*context_at(rep, i));
    }
    region_fini(&rep->contexts);
}
