/* SPDX-License-Identifier: MIT */
/* A watcher keeps the daemon's last answer and hands its items out one by one; then it asks for the next.
 *
 * A snapshot comes in pages. A page with another revision than the one before is the first of a new snapshot: what
 * was told of the old one does not hold. Nothing is missed between a snapshot and its first events, for they are
 * asked for from the revision at which the snapshot began. */
#include "client.h"
#include "result.h"

#define WAIT_MS_MAX 25000 /* the daemon waits no longer */

struct canceld_watcher {
    struct canceld_client *client;
    struct canceld_bytes name_space; /* in `text` */
    uint64_t epoch;
    uint64_t revision;
    uint64_t cursor; /* the next page of a snapshot; 0: none is under way */
    bool begun;      /* something was told: a snapshot after that is a gap */
    bool gap_due;
    bool current_due;
    struct canceld_result answer; /* what is being handed out */
    size_t index;
    char text[];
};

enum canceld_status canceld_watcher_new(struct canceld_client *client,
                                        struct canceld_bytes name_space,
                                        struct canceld_watcher **watcher_out)
{
    enum canceld_status status = client_enter(client);
    struct canceld_watcher *watcher = NULL;

    if (status != CANCELD_OK)
        return status;
    if (watcher_out == NULL || name_space.size > OP_BYTES_MAX)
        return CANCELD_INVALID;
    watcher = calloc(1, sizeof *watcher + name_space.size);
    if (watcher == NULL)
        return CANCELD_NO_MEMORY;
    if (name_space.size > 0)
        memcpy(watcher->text, name_space.data, name_space.size);
    watcher->name_space = (struct canceld_bytes){watcher->text, name_space.size};
    watcher->client = client;
    result_init(&watcher->answer);
    *watcher_out = watcher;
    return CANCELD_OK;
}

void canceld_watcher_free(struct canceld_watcher *watcher)
{
    if (watcher == NULL)
        return;
    canceld_result_clear(&watcher->answer);
    free(watcher);
}

static void snapshot_taken(struct canceld_watcher *watcher)
{
    const struct canceld_result *answer = &watcher->answer;
    bool goes_on = watcher->cursor != 0 && answer->revision == watcher->revision &&
                   answer->epoch == watcher->epoch;

    watcher->gap_due = watcher->begun && !goes_on;
    watcher->begun = true;
    watcher->epoch = answer->epoch;
    watcher->revision = answer->revision;
    watcher->cursor = answer->next_cursor;
    watcher->current_due = answer->next_cursor == 0;
}

static void answer_taken(struct canceld_watcher *watcher)
{
    if (watcher->answer.answer == CANCELD_ANSWER_SNAPSHOT) {
        snapshot_taken(watcher);
    } else if (watcher->answer.answer == CANCELD_ANSWER_EVENTS) {
        watcher->epoch = watcher->answer.epoch;
        watcher->revision = watcher->answer.revision;
        watcher->cursor = 0;
    }
}

static bool item_take(struct canceld_watcher *watcher, struct canceld_watch_item *item)
{
    const struct canceld_result *answer = &watcher->answer;

    if (watcher->gap_due) {
        watcher->gap_due = false;
        item->kind = CANCELD_WATCH_GAP;
        return true;
    }
    item->epoch = watcher->epoch;
    item->revision = watcher->revision;
    if (watcher->index < answer->operations_count) {
        item->kind = CANCELD_WATCH_SNAPSHOT;
        item->operation = &answer->operations[watcher->index++];
        return true;
    }
    if (watcher->index < answer->events_count) {
        item->kind = CANCELD_WATCH_EVENT;
        item->event = &answer->events[watcher->index++];
        item->revision = item->event->revision;
        return true;
    }
    if (watcher->current_due) {
        watcher->current_due = false;
        item->kind = CANCELD_WATCH_CURRENT;
        return true;
    }
    return false;
}

static enum canceld_status watcher_ask(struct canceld_watcher *watcher, uint32_t wait_ms,
                                       uint32_t deadline_ms)
{
    struct canceld_watch_request watch = {.name_space = watcher->name_space,
                                          .epoch = watcher->epoch,
                                          .revision = watcher->revision,
                                          .cursor = watcher->cursor,
                                          .wait_ms = wait_ms > WAIT_MS_MAX ? WAIT_MS_MAX : wait_ms};
    enum canceld_status status = CANCELD_OK;

    canceld_result_clear(&watcher->answer);
    watcher->index = 0;
    status = canceld_watch(watcher->client, &watch, deadline_ms, &watcher->answer);
    if (status == CANCELD_OK)
        answer_taken(watcher);
    return status;
}

static enum canceld_watch_kind kind_of(enum canceld_answer answer)
{
    return answer == CANCELD_ANSWER_EVENTS ? CANCELD_WATCH_NOTHING : CANCELD_WATCH_ANSWER;
}

enum canceld_status canceld_watcher_next(struct canceld_watcher *watcher, uint32_t wait_ms,
                                         uint32_t deadline_ms, struct canceld_watch_item *item_out)
{
    enum canceld_status status = client_enter(watcher->client);
    struct canceld_watch_item item = {.kind = CANCELD_WATCH_NOTHING};

    *item_out = item;
    if (status != CANCELD_OK)
        return status;
    while (!item_take(watcher, &item)) {
        status = watcher_ask(watcher, wait_ms, deadline_ms);
        if (status != CANCELD_OK)
            return status;
        /* A page may be empty and not the last. */
        if (watcher->answer.answer == CANCELD_ANSWER_SNAPSHOT || watcher->answer.events_count > 0)
            continue;
        item.kind = kind_of(watcher->answer.answer);
        if (item.kind == CANCELD_WATCH_ANSWER)
            item.result = &watcher->answer;
        break;
    }
    *item_out = item;
    return CANCELD_OK;
}
