/* SPDX-License-Identifier: MIT */
/* The life of a link: started with a connection; cut once, for whatever reason; ended when both
 * aios are idle and have been heard of. Between cut and end nothing is called but NNG's
 * completions. Only where the loop is stopped under it does a link end with its aios in flight:
 * then it waits for the callbacks, and its memory for the messages that they left in the mailbox.
 *
 * The handler's calls must not nest. So a reply only marks its link as doomed where it cannot be
 * queued, and the cut, which calls link_down, follows from a place where no call is under way. */
#include "wire/endpoint_tls.h"
#include "wire/link_state.h"

#include <stdlib.h>
#include <string.h>

struct link *link_of(struct list_link *of_host)
{
    return LIST_OWNER(of_host, struct link, of_host);
}

/* ---- memory ---- */

void link_free(struct link *link)
{
    if (link->ended && !link->received.told && !link->sent.told) {
        explicit_bzero(link->small, sizeof link->small);
        free(link);
    }
}

static struct link *link_new(struct link_host *host, const struct link_connection *connection)
{
    struct link *link = malloc(sizeof *link);
    if (link == NULL) {
        return NULL;
    }
    *link = (struct link){.host = host, .connection = *connection, .doomed = LINK_NOT_DOOMED};
    link->input = link->small;
    link->handshake_by_ns = TIME_NEVER;
    link->input_since_ns = TIME_NEVER;
    link->output_since_ns = TIME_NEVER;
    link->cool_by_ns = TIME_NEVER;
    link->look_by_ns = host->is_tls ? 0 : TIME_NEVER;
    sp_reader_init(&link->reader, SP_REP, host->framing, FRAME_BYTES_MAX);
    return link;
}

/* Gives back everything but the memory of the struct. */
static void link_give_all(struct link *link)
{
    link->host->carrier->free(link);
    link_give_buffer(link);
    link_output_fini(&link->output);
    list_remove(&link->of_dirty);
    list_remove(&link->of_waiting);
    list_remove(&link->of_host);
}

static void link_on_stop(struct actor *self)
{
    struct link *link = actor_state(self);
    struct link_host *host = link->host;
    link_give_all(link);
    link->ended = true;
    link_free(link);
    host->link_ended(host);
}

/* ---- the cut ---- */

void link_end_when_idle(struct link *link)
{
    if (link->cut && !link->receiving && !link->sending) {
        actor_exit(link->actor);
    }
}

/* From here on it counts no more, and nothing is started on it. */
static void link_retire(struct link *link)
{
    link->cut = true;
    link->host->alive_count--;
    link->host->unopened_count -= link->opened ? 0 : 1;
    link_stats(link)->links = link->host->alive_count;
    list_remove(&link->of_dirty);
    list_remove(&link->of_waiting);
    actor_timer_clear(link->actor, &link->timer);
    link->host->carrier->close(link);
}

void link_cut(struct link *link, enum endpoint_cut why)
{
    if (link->cut) {
        return;
    }
    link_retire(link);
    link_stats(link)->cuts[why]++;
    if (link->up) {
        link_handler(link)->link_down(link_handler(link)->context, link->address);
    }
    link_end_when_idle(link);
}

/* Of those that miss a deadline a thousand may do so at once: a cut takes as long as several requests, so only some
 * of them are cut in each batch. */
static void link_condemn(struct link *link, enum endpoint_cut why)
{
    link->doomed = why;
    list_remove(&link->of_waiting);
    list_append(&link->host->condemned, &link->of_waiting);
}

/* Makes it known to the handler, and has our half of SP's handshake sent. False where the handler will
 * not have it: then it is on its way out, and nothing is said of it.
 *
 * Not a byte is sent before: by TLS a send would wait for the lock under which a thread of NNG's does
 * the arithmetic of TLS's handshake, which takes milliseconds, and the sender is the owner. */
bool link_raise(struct link *link)
{
    const struct endpoint_handler *handler = link_handler(link);
    uint8_t handshake[SP_HANDSHAKE_BYTES];
    const struct endpoint_peer peer = link->host->peer(link->host, &link->connection);
    link->up = handler->link_up(handler->context, link->address, endpoint_peer_bytes(&peer));
    if (!link->up) {
        link_stats(link)->accepted--;
        link_stats(link)->refused++;
        link_retire(link);
        link_end_when_idle(link);
        return false;
    }
    sp_write_handshake(SP_REP, handshake);
    link_append(link, bytes_of(handshake, sizeof handshake), (struct bytes){0});
    return true;
}

/* ---- deadlines ---- */

static uint64_t deadline_of(uint64_t since_ns, uint64_t span_ms)
{
    return time_after(since_ns, span_ms * NS_PER_MS);
}

/* A receive over TLS that nothing will end: see endpoint_tls.h. */
static bool link_is_gone(struct link *link)
{
    if (link->look_by_ns > actor_now_ns(link->actor)) {
        return false;
    }
    link->look_by_ns = deadline_of(actor_now_ns(link->actor), LINK_LOOK_MS);
    return link->receiving && endpoint_tls_is_gone(link->connection.stream);
}

/* Which deadline comes first, and what a link is cut for that misses it. */
static uint64_t link_deadline(const struct link *link, enum endpoint_cut *why_out)
{
    uint64_t stall_ms = link_limits(link)->stall_ms;
    uint64_t input_by_ns = deadline_of(link->input_since_ns, stall_ms);
    uint64_t output_by_ns = deadline_of(link->output_since_ns, stall_ms);
    uint64_t nearest_ns = link->handshake_by_ns;
    *why_out = ENDPOINT_CUT_HANDSHAKE;
    if (input_by_ns < nearest_ns) {
        nearest_ns = input_by_ns;
        *why_out = ENDPOINT_CUT_STALLED_INPUT;
    }
    if (output_by_ns < nearest_ns) {
        nearest_ns = output_by_ns;
        *why_out = ENDPOINT_CUT_STALLED_OUTPUT;
    }
    return nearest_ns;
}

/* The timer is moved only to an earlier time: a busy link's deadlines move on with every request,
 * and when it fires too early it is set again. */
void link_watch(struct link *link)
{
    enum endpoint_cut why;
    uint64_t deadline_ns = link_deadline(link, &why);
    deadline_ns = link->cool_by_ns < deadline_ns ? link->cool_by_ns : deadline_ns;
    deadline_ns = link->look_by_ns < deadline_ns ? link->look_by_ns : deadline_ns;
    if (link->cut || deadline_ns == TIME_NEVER) {
        return;
    }
    if (!timer_is_set(&link->timer.timer) || link->timer.timer.deadline > deadline_ns) {
        actor_timer_set(link->actor, &link->timer, deadline_ns);
    }
}

static void link_on_deadline(struct actor *self, struct actor_timer *timer)
{
    (void) timer;
    struct link *link = actor_state(self);
    enum endpoint_cut why;
    link->host->in_batch = true;
    if (link_deadline(link, &why) <= actor_now_ns(self)) {
        link_condemn(link, why);
        return;
    }
    if (link_is_gone(link)) {
        link_cut(link, ENDPOINT_CUT_PEER);
        return;
    }
    if (link->cool_by_ns <= actor_now_ns(self)) {
        link_cool(link);
    }
    link_watch(link);
}

/* ---- messages ---- */

static void link_take(struct actor *self, struct message *message)
{
    struct link *link = actor_state(self);
    link->host->in_batch = true;
    link->host->carrier->take(link, message);
}

const struct actor_class link_class = {
    .name = "link", .on_message = link_take, .on_stop = link_on_stop};

/* ---- the host's side ---- */

bool link_host_init(struct link_host *host, uint32_t links_max)
{
    list_init(&host->links);
    list_init(&host->dirty);
    list_init(&host->waiting);
    list_init(&host->condemned);
    return link_buffers_init(&host->buffers, links_max);
}

void link_host_fini(struct link_host *host)
{
    ASSERT(list_first(&host->links) == NULL);
    link_buffers_fini(&host->buffers);
}

void link_finish(struct link *link)
{
    link->finishing = true;
    if (!link->cut) {
        link_mark_dirty(link);
    }
}

static void link_begin(struct link *link)
{
    link->handshake_by_ns = deadline_of(actor_now_ns(link->actor), link_limits(link)->handshake_ms);
    link_read(link);
}

/* Takes nothing over that could not be made into a link. */
static void connection_close(struct link_host *host, const struct link_connection *connection)
{
    struct link nobody = {.host = host, .connection = *connection};
    host->carrier->free(&nobody);
}

/* A link that has an actor but is not up; NULL where there is no room for it. Then the connection
 * is closed. */
static struct link *link_spawn(struct link_host *host, const struct link_connection *connection)
{
    struct link *link = link_new(host, connection);
    if (link == NULL) {
        connection_close(host, connection);
        return NULL;
    }
    list_append(&host->links, &link->of_host);
    if (actor_spawn(host->endpoint->loop, &link_class, link, &link->actor) != STATUS_OK) {
        link_give_all(link);
        free(link);
        return NULL;
    }
    link->timer.on_fire = link_on_deadline;
    link->system = actor_system_of(link->actor);
    link->address = actor_self(link->actor);
    if (!host->carrier->open(link)) {
        link->cut = true;
        actor_exit(link->actor);
        return NULL;
    }
    host->alive_count++;
    host->unopened_count++;
    return link;
}

static bool host_has_room(const struct link_host *host)
{
    const struct limits *limits = &host->endpoint->limits;
    bool counts_unopened = host->endpoint->handler.link_opened != NULL;
    return host->alive_count < limits->connections &&
           !(counts_unopened && host->unopened_count >= limits->connections_unopened);
}

void link_start(struct link_host *host, const struct link_connection *connection)
{
    struct endpoint_stats *stats = &host->endpoint->stats;
    if (!host_has_room(host)) {
        stats->refused++;
        connection_close(host, connection);
        return;
    }
    struct link *link = link_spawn(host, connection);
    if (link == NULL) {
        stats->refused++;
        return;
    }
    stats->accepted++;
    stats->links = host->alive_count;
    if (host->is_tls || link_raise(link)) {
        link_begin(link);
    }
}
