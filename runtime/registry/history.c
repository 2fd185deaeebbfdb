/* SPDX-License-Identifier: MIT */
/* The audit trail is the journal's: the question goes out through the port, its asker is parked
 * until the page comes back. */
#include "registry/state.h"

#define HISTORY_ITEMS_DEFAULT 100
#define HISTORY_WAIT_MS 10000
#define HISTORY_HEAD_BYTES 256

/* A ticket finds its request again, and no other that has its place by then. */
#define TICKET_PLACE_BITS 32

void history_late(struct result *result)
{
    *result = (struct result){.answer = ANSWER_FULL, .limit = "journal"};
}

void serve_history(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    if (r->port.history == NULL) {
        request_refuse(q, &(struct error){.code = ERROR_NO_JOURNAL,
                                          .text = "the daemon keeps no journal: start it with "
                                                  "--state-dir"});
        return;
    }
    if (!park_has_room(q, 0, 0)) {
        return;
    }
    uint32_t index = park(q, OP_HISTORY, HISTORY_WAIT_MS, 0);
    uint64_t ticket = ++r->ticket << TICKET_PLACE_BITS | index;
    parked_at(r, index)->ticket = ticket;
    struct history_query query = {
        .space = q->space_name,
        .key = op->key,
        .cursor = op->as.list.cursor,
        .items_max = op->as.list.page_size == 0 ? HISTORY_ITEMS_DEFAULT : op->as.list.page_size,
        .bytes_max = FRAME_BYTES_MAX - HISTORY_HEAD_BYTES,
    };
    if (!r->port.history(r->port.context, ticket, &query)) {
        struct result result;
        history_late(&result);
        parked_answer(r, index, &result);
    }
}

void registry_history(struct registry *r, uint64_t ticket, const struct history_entry *entries,
                      size_t entries_count, uint64_t next_cursor, bool failed, uint64_t now_ms)
{
    note_time(r, now_ms);
    uint32_t index = (uint32_t) ticket;
    if (index >= slab_end(&r->parked) || !slab_is_live(&r->parked, index) ||
        parked_at(r, index)->ticket != ticket) {
        return; /* its asker is gone */
    }
    struct result result = {.answer = ANSWER_HISTORY,
                            .history = entries,
                            .history_count = entries_count,
                            .next_cursor = next_cursor};
    if (failed) {
        history_late(&result);
    }
    parked_answer(r, index, &result);
}
