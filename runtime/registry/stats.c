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
    [OP_CLOSE] = "ops_close",     [OP_ADOPT] = "ops_adopt",   [OP_DETACH] = "ops_detach",
    [OP_WATCH] = "ops_watch",     [OP_DRAIN] = "ops_drain",   [OP_UNDRAIN] = "ops_undrain",
    [OP_HISTORY] = "ops_history",
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

/* X(bound): each bucket of a histogram counts what took less than so many ms, and at least the bound
 * before. */
#define BUCKETS_TABLE(X)                                                                           \
    X(lt_1)                                                                                        \
    X(lt_2)                                                                                        \
    X(lt_4)                                                                                        \
    X(lt_8)                                                                                        \
    X(lt_16)                                                                                       \
    X(lt_32)                                                                                       \
    X(lt_64)                                                                                       \
    X(lt_128)                                                                                      \
    X(lt_256)                                                                                      \
    X(lt_512)                                                                                      \
    X(lt_1024)                                                                                     \
    X(lt_2048)                                                                                     \
    X(lt_4096)                                                                                     \
    X(lt_8192)                                                                                     \
    X(lt_16384)                                                                                    \
    X(lt_32768)                                                                                    \
    X(lt_65536)                                                                                    \
    X(lt_131072)                                                                                   \
    X(lt_262144)                                                                                   \
    X(lt_524288)                                                                                   \
    X(lt_1048576)                                                                                  \
    X(lt_2097152)                                                                                  \
    X(lt_4194304)                                                                                  \
    X(inf)

static const char *const delivered_names[HISTOGRAM_BUCKETS] = {
#define DELIVERED_ROW(bound) "cancel_delivered_ms_" #bound,
    BUCKETS_TABLE(DELIVERED_ROW)
#undef DELIVERED_ROW
};

static const char *const stopped_names[HISTOGRAM_BUCKETS] = {
#define STOPPED_ROW(bound) "cancel_stopped_ms_" #bound,
    BUCKETS_TABLE(STOPPED_ROW)
#undef STOPPED_ROW
};

static const char *const reached_names[LIMITS_COUNT] = {

#define REACHED_ROW(name, default_, lowest, highest, reason) "limit_reached_" #name,
    LIMITS_TABLE(REACHED_ROW)
#undef REACHED_ROW
};

void limit_reached(struct registry *r, const char *limit)
{
    for (size_t i = 0; limit != NULL && i < limit_rows_count; i++) {
        if (strcmp(limit, limit_rows[i].name) == 0) {
            r->counters.limits_reached[i]++;
            return;
        }
    }
    r->counters.limits_reached_others++;
}

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

/* How long the oldest cancel has waited for its owner's acknowledgement. */
static uint64_t oldest_ms(const struct registry *r)
{
    uint32_t first = r->unacknowledged.first;
    return first == 0 ? 0 : r->now_ms - operation_at(r, first)->cancelled_ms;
}

static void add_now(struct rows *rows)
{
    const struct registry *r = rows->r;
    add(rows, "epoch", r->epoch);
    add(rows, "uptime_ms", r->now_ms - r->started_ms);
    add(rows, "operations_live", r->states[STATE_LIVE]);
    add(rows, "operations_cancelling", r->states[STATE_CANCELLING]);
    add(rows, "operations_remembered", r->states[STATE_ENDED]);
    add(rows, "operations_counted", r->operations_counted);
    add(rows, "notices_unacknowledged", r->notices.count);
    add(rows, "armed", r->armed.count);
    add(rows, "keys", r->keys.count + r->plain_keys);
    add(rows, "keys_whole", r->keys.count);
    add(rows, "operations_plain", r->plain.count);
    add(rows, "plain_bytes", plain_bytes(r));
    add(rows, "plain_moves", r->plain.moves);
    add(rows, "key_lines_most", r->by_key.lines_most);
    add(rows, "namespaces", r->spaces.count);
    add(rows, "bytes", r->bytes.bytes);
    add(rows, "sessions", r->sessions.count);
    add(rows, "connections", r->links.count);
    add(rows, "connections_unopened", r->links.count - r->links_opened);
    add(rows, "parked", r->parked.count);
    add(rows, "replies_remembered", r->remembered.count);
    add(rows, "replies_remembered_bytes", r->remembered_bytes);
    add(rows, "labels", r->labels.count);
    add(rows, "label_uses", r->label_uses.count);
    add(rows, "bulks", r->bulks.count - r->covers_count);
    add(rows, "covers", r->covers_count);
    add(rows, "bulks_running", r->running.count + r->bulks_waiting.count);
    add(rows, "drains_waiting", r->drains_waiting.count);
    add(rows, "cancels_unacknowledged", r->unacknowledged.count);
    add(rows, "cancel_unacknowledged_oldest_ms", oldest_ms(r));
    add(rows, "tree_sweeps", r->bans.count);
    add(rows, "children_awaiting", r->operations_by_parent.count);
    add(rows, "watch_events_kept", r->watch.newest + 1 - r->watch.oldest);
    add(rows, "watch_bytes_kept", r->watch.head - r->watch.tail);
    add(rows, "recovered", r->recovered.count - r->recovered_finished);
    add(rows, "recovered_finished", r->recovered_finished);
    add(rows, "recovering", r->recovery_end_ms != 0);
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
    add(rows, "bulks_accepted", c->bulks);
    add(rows, "bulk_steps", c->bulk_steps);
    add(rows, "bulk_steps_most", c->bulk_steps_most);
    add(rows, "tree_steps", c->ban_steps);
    add(rows, "adopted", c->adopted);
    add(rows, "denied", c->denied);
    add(rows, "watch_gaps", c->watch_gaps);
    add(rows, "watch_events", c->watch_events);
    add(rows, "answers_held", c->held);
    add(rows, "answers_held_refused", c->held_refused);
    add_table(rows, op_names, c->ops, OP_END);
    add_table(rows, answer_names, c->answers, ANSWER_END);
    add_table(rows, outcome_names, c->outcomes, OUTCOME_END);
    add_table(rows, delivered_names, c->delivered_ms, HISTOGRAM_BUCKETS);
    add_table(rows, stopped_names, c->stopped_ms, HISTOGRAM_BUCKETS);
    add_table(rows, reached_names, c->limits_reached, LIMITS_COUNT);
    add(rows, "limit_reached_others", c->limits_reached_others);
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
