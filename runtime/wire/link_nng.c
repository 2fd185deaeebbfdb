/* SPDX-License-Identifier: MIT */
/* A link whose bytes NNG's streams move: NNG's threads do the system calls, and their callbacks do one
 * thing, they tell the link that its receive or its send is done. An aio is started and cancelled on
 * the owner's loop alone, and given back when it is idle, never in a callback. NNG's timeouts are not
 * used: those of 1.5.2 follow the wall clock. */
#include "wire/link_state.h"

enum { LINK_RECEIVED = MESSAGE_KIND_FIRST, LINK_SENT };

/* ---- what NNG's threads do ---- */

static void signal_owner(void *argument)
{
    struct link_signal *signal = argument;
    struct link *link = signal->link;
    signal->told = true;
    if (actor_tell(link->system, link->address, &signal->message) != STATUS_OK) {
        signal->told = false; /* The loop has ended: free() waits for this callback. */
    }
}

/* A message that found the loop ended comes back here. */
static void signal_release(struct message *message)
{
    struct link_signal *signal = LIST_OWNER(message, struct link_signal, message);
    signal->told = false;
    link_free(signal->link);
}

static void signal_init(struct link_signal *signal, struct link *link, uint32_t kind)
{
    *signal = (struct link_signal){
        .message = {.kind = kind, .control = true, .release = signal_release}, .link = link};
}

/* ---- the carrier ---- */

static bool nng_open(struct link *link)
{
    signal_init(&link->received, link, LINK_RECEIVED);
    signal_init(&link->sent, link, LINK_SENT);
    if (nng_aio_alloc(&link->receive_aio, signal_owner, &link->received) != 0) {
        link->receive_aio = NULL;
        return false;
    }
    if (nng_aio_alloc(&link->send_aio, signal_owner, &link->sent) != 0) {
        link->send_aio = NULL;
        return false;
    }
    return true;
}

static void nng_receive(struct link *link)
{
    nng_iov iov = {.iov_buf = link->input + link->input_bytes,
                   .iov_len = link_input_room(link) - link->input_bytes};
    int failed = nng_aio_set_iov(link->receive_aio, 1, &iov);
    ASSERT(!failed);
    link->receiving = true;
    nng_stream_recv(link->connection.stream, link->receive_aio);
}

static size_t nng_send_some(struct link *link, struct bytes next)
{
    /* NNG does not write to it; its iov knows no const. */
    nng_iov iov = {.iov_buf = (void *) (uintptr_t) next.data, .iov_len = next.size};
    int failed = nng_aio_set_iov(link->send_aio, 1, &iov);
    ASSERT(!failed);
    link->sending = true;
    nng_stream_send(link->connection.stream, link->send_aio);
    return 0;
}

static void nng_end(struct link *link)
{
    nng_stream_close(link->connection.stream);
}

/* The aios are idle, or become so here. */
static void nng_give(struct link *link)
{
    nng_stream_close(link->connection.stream);
    if (link->receive_aio != NULL) {
        nng_aio_stop(link->receive_aio);
    }
    if (link->send_aio != NULL) {
        nng_aio_stop(link->send_aio);
    }
    nng_aio_free(link->receive_aio);
    nng_aio_free(link->send_aio);
    nng_stream_free(link->connection.stream);
}

/* ---- messages ---- */

static void take_received(struct link *link)
{
    link->received.told = false;
    link->receiving = false;
    int failure = nng_aio_result(link->receive_aio);
    if (link->cut) {
        /* Nobody reads it any more; it is wiped with what came before it. */
        link->input_bytes += failure == 0 ? nng_aio_count(link->receive_aio) : 0;
        link_end_when_idle(link);
        return;
    }
    if (failure == NNG_ECANCELED && link->cooling) {
        link_received(link, 0);
    } else if (failure != 0) {
        link_cut(link, ENDPOINT_CUT_PEER);
    } else if (link->up || link_raise(link)) {
        link_received(link, nng_aio_count(link->receive_aio));
    }
}

static void take_sent(struct link *link)
{
    link->sent.told = false;
    link->sending = false;
    if (link->cut) {
        link_end_when_idle(link);
        return;
    }
    if (nng_aio_result(link->send_aio) != 0) {
        link_cut(link, ENDPOINT_CUT_PEER);
        return;
    }
    link_sent(link, nng_aio_count(link->send_aio));
}

static void nng_take(struct link *link, struct message *message)
{
    static void (*const takes[])(struct link *) = {
        [LINK_RECEIVED] = take_received, [LINK_SENT] = take_sent};
    takes[message->kind](link);
}

const struct link_carrier link_by_nng = {.open = nng_open,
                                         .receive = nng_receive,
                                         .send = nng_send_some,
                                         .close = nng_end,
                                         .free = nng_give,
                                         .take = nng_take};
