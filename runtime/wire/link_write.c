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

/* A turn for each; who waits again has his next one in the next batch. */
static void link_host_turns(struct link_host *host)
{
    struct list_link turns;
    list_init(&turns);
    while (list_first(&host->waiting) != NULL) {
        struct list_link *first = list_first(&host->waiting);
        list_remove(first);
        list_append(&turns, first);
    }
    while (list_first(&turns) != NULL) {
        struct list_link *first = list_first(&turns);
        list_remove(first);
        link_read(LIST_OWNER(first, struct link, of_waiting));
    }
}

bool link_host_flush(struct link_host *host)
{
    host->in_batch = true; /* What a cut makes others reply is flushed in this very loop. */
    link_host_turns(host);
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
    host->in_batch = false;
    return list_first(&host->waiting) != NULL;
}
