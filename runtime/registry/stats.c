/* SPDX-License-Identifier: MIT */
/* What the registry counts, as rows for `stats`: figures of now, counters since the start, and
 * every limit by its name. */
#include "registry/state.h"

static const char *const op_names[OP_END] = {
    [OP_UNKNOWN] = "ops_unknown", [OP_OPEN] = "ops_open",     [OP_STORE] = "ops_store",
    [OP_CANCEL] = "ops_cancel",   [OP_DELETE] = "ops_delete", [OP_TOUCH] = "ops_touch",
    [OP_POLL] = "ops_poll",       [OP_WAIT] = "ops_wait",     [OP_GET] = "ops_get",
    [OP_LIST] = "ops_list",       [OP_COUNT] = "ops_count",   [OP_ARMED] = "ops_armed",
    [OP_DISARM] = "ops_disarm",   [OP_PING] = "ops_ping",     [OP_STATS] = "ops_stats",
    [OP_CLOSE] = "ops_close",
};

static const char *const answer_names[ANSWER_END] = {
#define ANSWER_ROW(name, number) [number] = "answers_" #name,
    ANSWER_TABLE(ANSWER_ROW)
#undef ANSWER_ROW
};

static const char *const outcome_names[OUTCOME_END] = {
    [OUTCOME_COMPLETED] = "ended_completed",   [OUTCOME_FAILED] = "ended_failed",
    [OUTCOME_CANCELLED] = "ended_cancelled",   [OUTCOME_EXPIRED] = "ended_expired",
    [OUTCOME_OWNER_LOST] = "ended_owner_lost",
};

static const char *const limit_names[] = {
#define LIMIT_ROW(name, default_, lowest, highest, reason) "limit_" #name,
    LIMITS_TABLE(LIMIT_ROW)
#undef LIMIT_ROW
};

struct rows {
    struct registry *r;
    size_t count;
};

static void add(struct rows *rows, const char *name, uint64_t value)
{
    ASSERT(rows->count < STATS_MAX);
    rows->r->stat_items[rows->count++] = (struct stat_row){.name = name, .value = value};
}

static void add_table(struct rows *rows, const char *const *names, const uint64_t *values,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i] != NULL) {
            add(rows, names[i], values[i]);
        }
    }
}

static void add_now(struct rows *rows)
{
    const struct registry *r = rows->r;
    add(rows, "epoch", r->epoch);
    add(rows, "operations_live", r->states[STATE_LIVE]);
    add(rows, "operations_cancelling", r->states[STATE_CANCELLING]);
    add(rows, "operations_remembered", r->states[STATE_ENDED]);
    add(rows, "operations_counted", r->operations_counted);
    add(rows, "notices_unacknowledged", r->notices.count);
    add(rows, "armed", r->armed.count);
    add(rows, "keys", r->keys.count);
    add(rows, "namespaces", r->spaces.count);
    add(rows, "bytes", r->bytes.bytes);
    add(rows, "sessions", r->sessions.count);
    add(rows, "connections", r->links.count);
    add(rows, "connections_unopened", r->links.count - r->links_opened);
    add(rows, "parked", r->parked.count);
    add(rows, "replies_remembered", r->remembered.count);
    add(rows, "replies_remembered_bytes", r->remembered_bytes);
}

static void add_since_start(struct rows *rows)
{
    const struct counters *c = &rows->r->counters;
    add(rows, "frames", c->frames);
    add(rows, "frames_refused", c->frames_refused);
    add(rows, "replies_repeated", c->replies_repeated);
    add(rows, "cancels_delivered", c->cancels_delivered);
    add(rows, "cancels_stopped", c->cancels_stopped);
    add(rows, "armed_used", c->armed_used);
    add(rows, "armed_lapsed", c->armed_lapsed);
    add(rows, "sessions_lost", c->sessions_lost);
    add(rows, "memory_dropped_early", c->memory_dropped_early);
    add_table(rows, op_names, c->ops, OP_END);
    add_table(rows, answer_names, c->answers, ANSWER_END);
    add_table(rows, outcome_names, c->outcomes, OUTCOME_END);
}

size_t registry_stats(struct registry *r, const struct stat_row **stats_out)
{
    struct rows rows = {.r = r};
    add_now(&rows);
    add_since_start(&rows);
    for (size_t i = 0; i < limit_rows_count; i++) {
        add(&rows, limit_names[i], *limits_field(&r->limits, &limit_rows[i]));
    }
    *stats_out = r->stat_items;
    return rows.count;
}

void serve_stats(struct request *q, const struct op *op)
{
    (void) op;
    struct result result = {.answer = ANSWER_STATS};
    result.stats_count = registry_stats(q->r, &result.stats);
    request_tell(q, &result);
}
