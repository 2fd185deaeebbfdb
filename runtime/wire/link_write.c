/* SPDX-License-Identifier: MIT */
#include "registry/frame.h"
#include "wire/link_state.h"

#include <string.h>

/* Sets what has to go out by when, where it was not set or has been done. */
static void link_set_due(struct link *link)
{
    size_t waiting = link_output_bytes(&link->output);
    if (waiting == 0) {
        link->output_since_ns = TIME_NEVER;
        return;
    }
    if (link->output_since_ns == TIME_NEVER || link->output_due == 0) {
        link->output_since_ns = actor_now_ns(link->actor);
        link->output_due = waiting < LINK_PROGRESS_BYTES ? waiting : LINK_PROGRESS_BYTES;
    }
}

static void link_count_sent(struct link *link, size_t count)
{
    link_output_sent(&link->output, count);
    link->output_due -= count < link->output_due ? count : link->output_due;
    link_stats(link)->bytes_out += count;
}

/* Stopped reading, need not any more, and has no turn yet. */
static bool link_may_go_on(const struct link *link)
{
    return link->paused && !link_is_over(link) && !link_waits(link);
}

/* What went out at once may let a paused link go on; it does so with the dirty ones, in its turn. */
void link_send(struct link *link)
{
    while (!link->cut && !link->sending && link->doomed == LINK_NOT_DOOMED) {
        struct bytes next = link_output_next(&link->output);
        link_set_due(link);
        if (next.size == 0) {
            if (link->finishing) {
                link_cut(link, ENDPOINT_CUT_CLOSED);
            }
            return;
        }
        size_t count = link->host->carrier->send(link, next);
        if (count > 0) {
            link_count_sent(link, count);
        }
        if (link->doomed != LINK_NOT_DOOMED || link_may_go_on(link)) {
            link_mark_dirty(link);
            break;
        }
    }
    link_watch(link);
}

void link_mark_dirty(struct link *link)
{
    struct link_host *host = link->host;
    if (!list_is_linked(&link->of_dirty)) {
        list_append(&host->dirty, &link->of_dirty);
    }
    if (!host->in_batch) {
        host->wake(host);
    }
}

void link_append(struct link *link, struct bytes head, struct bytes body)
{
    size_t bytes_max = (size_t) link_limits(link)->output_bytes * LINK_OUTPUT_OVERFLOW;
    enum status status = link_output_append(&link->output, head, body, bytes_max);
    if (status != STATUS_OK) {
        link->doomed = status == STATUS_FULL ? ENDPOINT_CUT_OVERFLOW : ENDPOINT_CUT_MEMORY;
    }
    link_mark_dirty(link);
}

bool link_reply(struct actor *self, const struct reply_to *to, struct bytes body)
{
    struct link *link = actor_neighbour(self, to->link, &link_class);
    if (link == NULL) {
        return false;
    }
    if (link->cut || link->doomed != LINK_NOT_DOOMED) {
        return true;
    }
    struct sp_route route = {.words_count = to->route_words};
    memcpy(route.words, to->route, sizeof route.words);
    uint8_t head[SP_HEAD_BYTES_MAX];
    size_t head_bytes = sp_write_head(link->host->framing, &route, body.size, head);
    link_append(link, bytes_of(head, head_bytes), body);
    if (link->doomed == LINK_NOT_DOOMED) {
        link_output_count_frame(&link->output);
        link_stats(link)->frames_out++;
    }
    return true;
}

void link_sent(struct link *link, size_t count)
{
    link_count_sent(link, count);
    if (link_may_go_on(link)) {
        link_wait(link);
    }
    link_send(link);
}

void link_wait(struct link *link)
{
    if (!link_waits(link)) {
        list_append(&link->host->waiting, &link->of_waiting);
    }
}

static void link_turn(struct link *link)
{
    if (link->unread) {
        link->unread = false;
        link->host->carrier->read(link);
    } else {
        link_read(link);
    }
}

/* Turns for those that wait, one after the other, until they have had about a whole one together: then those that
 * ask little, and have asked meanwhile, do not wait longer than for that. Who waits again is the last. Tells whether
 * there was one. */
static bool link_host_turns(struct link_host *host)
{
    struct list_link *first = list_first(&host->waiting);
    const bool any = first != NULL;
    host->in_turns = true;
    for (; first != NULL && host->turns_cost < LINK_TURN_COST; first = list_first(&host->waiting)) {
        list_remove(first);
        link_turn(LIST_OWNER(first, struct link, of_waiting));
    }
    host->in_turns = false;
    host->turns_cost = 0;
    return any;
}

/* What a cut makes others reply is sent in this very loop. */
static void link_host_send(struct link_host *host)
{
    for (struct list_link *first = list_first(&host->dirty); first != NULL;
         first = list_first(&host->dirty)) {
        struct link *link = LIST_OWNER(first, struct link, of_dirty);
        list_remove(first);
        if (link->doomed != LINK_NOT_DOOMED) {
            link_cut(link, link->doomed);
        } else {
            if (link_may_go_on(link)) {
                link_wait(link);
            }
            link_send(link);
        }
    }
}

static void link_host_cut(struct link_host *host)
{
    for (uint32_t i = 0; i < LINK_CUTS_MAX && list_first(&host->condemned) != NULL; i++) {
        struct link *link = LIST_OWNER(list_first(&host->condemned), struct link, of_waiting);
        link_cut(link, link->doomed);
    }
}

/* Who was served before the turns need not wait for them. What the turns brought may be work for other sweeps, which
 * have been already: so they make a batch. */
bool link_host_flush(struct link_host *host)
{
    host->in_batch = true;
    link_host_send(host);
    const bool had_turns = link_host_turns(host);
    link_host_cut(host);
    link_host_send(host);
    host->in_batch = false;
    if (had_turns || list_first(&host->condemned) != NULL) {
        host->wake(host);
    }
    return list_first(&host->waiting) != NULL;
}
