/* SPDX-License-Identifier: MIT */
/* A table says which rows of stats make which metric. All samples of a metric stand together under its
 * HELP and TYPE, as the format asks for; what no row of the table has taken comes at the end. */
#include "prometheus.h"

#include "stat_rows.h"

#include <inttypes.h>
#include <string.h>

/* More than fit into an answer. */
#define ROWS_MAX 4096
#define PREFIX "canceld_"

struct family {
    const char *name; /* without PREFIX */
    const char *type;
    const char *row;   /* the row's name, or with a label its beginning */
    const char *label; /* NULL: one sample, of the row of that name */
    const char *help;
};

/* clang-format off */
static const struct family families[] = {
    {"epoch", "gauge", "epoch", NULL, "Number of this start of the daemon"},
    {"uptime_milliseconds", "gauge", "uptime_ms", NULL, "Since the daemon has started"},
    {"operations_live", "gauge", "operations_live", NULL, "Operations that are LIVE"},
    {"operations_cancelling", "gauge", "operations_cancelling", NULL, "Operations that are CANCELLING"},
    {"operations_remembered", "gauge", "operations_remembered", NULL, "Ended operations that are remembered"},
    {"operations_counted", "gauge", "operations_counted", NULL, "Operations that count against the limit"},
    {"notices_unacknowledged", "gauge", "notices_unacknowledged", NULL, "Notices that no owner has acknowledged"},
    {"cancels_unacknowledged", "gauge", "cancels_unacknowledged", NULL, "Cancels that no owner has acknowledged"},
    {"cancel_unacknowledged_oldest_milliseconds", "gauge", "cancel_unacknowledged_oldest_ms", NULL,
     "Age of the oldest cancel that no owner has acknowledged"},
    {"armed", "gauge", "armed", NULL, "Armed keys"},
    {"keys", "gauge", "keys", NULL, "Keys in the table"},
    {"keys_whole", "gauge", "keys_whole", NULL, "Keys with more than plain operations"},
    {"operations_plain", "gauge", "operations_plain", NULL, "Operations in a record of 64 bytes"},
    {"plain_bytes", "gauge", "plain_bytes", NULL, "Memory of the tables of these"},
    {"plain_moves_total", "counter", "plain_moves", NULL, "Records moved together, so that memory goes back"},
    {"key_lines_most", "gauge", "key_lines_most", NULL, "Most cache lines that the keys of a bucket took"},
    {"namespaces", "gauge", "namespaces", NULL, "Namespaces in use"},
    {"bytes", "gauge", "bytes", NULL, "Bytes of keys and meta"},
    {"sessions", "gauge", "sessions", NULL, "Sessions, those in their grace included"},
    {"connections", "gauge", "connections", NULL, "Connections"},
    {"connections_unopened", "gauge", "connections_unopened", NULL, "Connections without a session so far"},
    {"parked", "gauge", "parked", NULL, "Requests that wait in the daemon"},
    {"replies_remembered", "gauge", "replies_remembered", NULL, "Answers that are kept for a repeat"},
    {"replies_remembered_bytes", "gauge", "replies_remembered_bytes", NULL, "The same in bytes"},
    {"labels", "gauge", "labels", NULL, "Different labels in use"},
    {"label_uses", "gauge", "label_uses", NULL, "Labels of all operations"},
    {"bulks", "gauge", "bulks", NULL, "Bulk cancels whose operations are not all forgotten"},
    {"covers", "gauge", "covers", NULL, "Cancels that cover what is adopted later"},
    {"bulks_running", "gauge", "bulks_running", NULL, "Bulk cancels under way"},
    {"drains_waiting", "gauge", "drains_waiting", NULL, "Drains that are waited for"},
    {"recovered", "gauge", "recovered", NULL, "Cancels held for owners of an earlier run"},
    {"recovered_finished", "gauge", "recovered_finished", NULL,
     "Cancels held for owners of an earlier run that ended them and may repeat it"},
    {"recovering", "gauge", "recovering", NULL, "1 while owners of an earlier run may come back"},
    {"bulk_steps_most", "gauge", "bulk_steps_most", NULL, "Most steps of bulk cancels in one sweep"},
    {"watch_events_kept", "gauge", "watch_events_kept", NULL, "Events kept for watchers"},
    {"watch_bytes_kept", "gauge", "watch_bytes_kept", NULL, "The same in bytes"},
    {"children_awaiting", "gauge", "children_awaiting", NULL, "Children whose parent is yet to be adopted"},
    {"wire_links", "gauge", "wire_links", NULL, "Connections that are open"},
    {"wire_buffers", "gauge", "wire_buffers", NULL, "Buffers in use"},
    {"owner_actors", "gauge", "owner_actors", NULL, "Actors of the owner thread"},
    {"journal_bytes_pending", "gauge", "journal_bytes_pending", NULL, "Bytes that the journal has not kept yet"},
    {"journal_failing", "gauge", "journal_failing", NULL, "1 while the journal cannot keep what it has"},
    {"journal_error", "gauge", "journal_error", NULL, "SQLite's code of the present failure"},
    {"journal_file_bytes", "gauge", "journal_file_bytes", NULL, "Size of the journal's file"},
    {"journal_commit_microseconds_p50", "gauge", "journal_commit_us_p50", NULL, "Half of the batches took less"},
    {"journal_commit_microseconds_p99", "gauge", "journal_commit_us_p99", NULL, "99 of 100 batches took less"},
    {"journal_commit_microseconds_max", "gauge", "journal_commit_us_max", NULL, "The slowest batch"},
    {"journal_records_total", "counter", "journal_records", NULL, "Records that the journal was given"},
    {"journal_batches_total", "counter", "journal_batches", NULL, "Batches that the journal has kept"},
    {"journal_failures_total", "counter", "journal_failures", NULL, "Batches that could not be kept at once"},
    {"bulks_accepted_total", "counter", "bulks_accepted", NULL, "Bulk cancels"},
    {"bulk_steps_total", "counter", "bulk_steps", NULL, "Steps of bulk cancels"},
    {"tree_steps_total", "counter", "tree_steps", NULL, "Steps of cancels that go down a tree"},
    {"adopted_total", "counter", "adopted", NULL, "Operations that owners brought back"},
    {"denied_total", "counter", "denied", NULL, "Requests without the right to them"},
    {"watch_gaps_total", "counter", "watch_gaps", NULL, "Watchers that missed events"},
    {"watch_events_total", "counter", "watch_events", NULL, "Events"},
    {"answers_held_total", "counter", "answers_held", NULL, "Answers that waited for the journal"},
    {"answers_held_refused_total", "counter", "answers_held_refused", NULL,
     "Answers that the journal did not let go out"},
    {"lease_stalls_total", "counter", "lease_stalls", NULL, "Times that the daemon was late"},
    {"lease_holds_total", "counter", "lease_holds", NULL, "Times that expiry waited for readers"},
    {"lease_stood_still_milliseconds_total", "counter", "lease_stood_still_ms", NULL,
     "For how long the lease clock stood still"},
    {"tree_sweeps_total", "counter", "tree_sweeps", NULL, "Sweeps of cancels that go down a tree"},
    {"journal_expired_unsettled_total", "counter", "journal_expired_unsettled", NULL,
     "Entries that retention took before their end was known"},
    {"journal_ends_dropped_total", "counter", "journal_ends_dropped", NULL, "Ends that the journal had no room for"},
    {"journal_overrun_total", "counter", "journal_overrun", NULL, "Times that the journal was beyond its bound"},
    {"wire_accepted_total", "counter", "wire_accepted", NULL, "Connections that were taken"},
    {"wire_refused_total", "counter", "wire_refused", NULL, "Connections that were refused"},
    {"wire_accept_errors_total", "counter", "wire_accept_errors", NULL, "Connections that could not be taken"},
    {"wire_pauses_total", "counter", "wire_pauses", NULL, "Times that reading from a peer was stopped"},
    {"wire_bytes_in_total", "counter", "wire_bytes_in", NULL, "Bytes read"},
    {"wire_bytes_out_total", "counter", "wire_bytes_out", NULL, "Bytes written"},
    {"wire_frames_in_total", "counter", "wire_frames_in", NULL, "Messages read"},
    {"wire_frames_out_total", "counter", "wire_frames_out", NULL, "Messages written"},
    {"wire_frames_ignored_total", "counter", "wire_frames_ignored", NULL, "Messages with a route that is too long"},
    {"wire_frames_refused_total", "counter", "wire_frames_", "why", "Messages that were no frames"},
    {"wire_cut_total", "counter", "wire_cut_", "why", "Connections that were cut, by the reason"},
    {"owner_messages_total", "counter", "owner_messages", NULL, "Messages to the owner thread"},
    {"owner_messages_refused_total", "counter", "owner_messages_refused", NULL, "Messages that it did not take"},
    {"owner_messages_bounced_total", "counter", "owner_messages_bounced", NULL, "Messages that came back"},
    {"owner_sleeps_total", "counter", "owner_sleeps", NULL, "Times that the owner thread slept"},
    {"owner_wakes_total", "counter", "owner_wakes", NULL, "Times that it was woken"},
    {"frames_total", "counter", "frames", NULL, "Frames that came"},
    {"frames_refused_total", "counter", "frames_refused", NULL, "Frames that were refused whole"},
    {"replies_repeated_total", "counter", "replies_repeated", NULL, "Answers given again for the same id"},
    {"cancels_delivered_total", "counter", "cancels_delivered", NULL, "Cancels that an owner acknowledged"},
    {"cancels_stopped_total", "counter", "cancels_stopped", NULL, "Cancelled operations that their owner ended"},
    {"armed_used_total", "counter", "armed_used", NULL, "Armed cancels that met their store"},
    {"armed_lapsed_total", "counter", "armed_lapsed", NULL, "Armed cancels whose time was over"},
    {"sessions_lost_total", "counter", "sessions_lost", NULL, "Owners lost"},
    {"memory_dropped_early_total", "counter", "memory_dropped_early", NULL,
     "Ended operations forgotten before their time"},
    {"ops_total", "counter", "ops_", "op", "Requests, by what they asked for"},
    {"answers_total", "counter", "answers_", "answer", "Answers, by their word"},
    {"ended_total", "counter", "ended_", "outcome", "Operations that ended, by their outcome"},
    {"limit_reached_total", "counter", "limit_reached_", "limit", "Requests that met a limit"},
    {"limit", "gauge", "limit_", "limit", "The limits, by name"},
};

static const struct family histograms[] = {
    {"cancel_delivered_seconds", "histogram", "cancel_delivered_ms_", NULL,
     "From a cancel to its owner's acknowledgement"},
    {"cancel_stopped_seconds", "histogram", "cancel_stopped_ms_", NULL,
     "From the acknowledgement of a cancel to its owner's end"},
};
/* clang-format on */

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct exposition {
    FILE *out;
    const struct canceld_result *stats;
    size_t rows_count;
    bool is_taken[ROWS_MAX];
};

static void head_put(const struct exposition *exposition, const char *name, const char *type,
                     const char *help)
{
    (void) fprintf(exposition->out, "# HELP " PREFIX "%s %s.\n# TYPE " PREFIX "%s %s\n", name, help,
                   name, type);
}

/* A backslash, a double quote and a line's end are escaped in the value of a label. */
static void label_put(FILE *out, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            (void) fputs("\\n", out);
        } else if (*value == '"' || *value == '\\') {
            (void) fprintf(out, "\\%c", *value);
        } else {
            (void) fputc(*value, out);
        }
    }
}

static void sample_put(const struct exposition *exposition, const struct family *family,
                       const char *label_value, uint64_t value)
{
    FILE *out = exposition->out;

    (void) fprintf(out, PREFIX "%s", family->name);
    if (family->label != NULL) {
        (void) fprintf(out, "{%s=\"", family->label);
        label_put(out, label_value);
        (void) fputs("\"}", out);
    }
    (void) fprintf(out, " %" PRIu64 "\n", value);
}

static void family_put(struct exposition *exposition, const struct family *family)
{
    bool has_head = false;

    for (size_t i = 0; i < exposition->rows_count; i++) {
        const struct canceld_stat *row = &exposition->stats->stats[i];
        const char *rest = stat_rows_after(row->name, family->row);

        if (exposition->is_taken[i] || rest == NULL ||
            (rest[0] == '\0') != (family->label == NULL)) {
            continue;
        }
        if (!has_head) {
            head_put(exposition, family->name, family->type, family->help);
            has_head = true;
        }
        exposition->is_taken[i] = true;
        sample_put(exposition, family, rest, row->value);
        if (family->label == NULL) {
            return; /* a metric without a label has one sample */
        }
    }
}

/* ---- histograms ---- */

/* Milliseconds as seconds, without zeros at the end. */
static void seconds_put(FILE *out, uint64_t ms)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%" PRIu64 ".%03u", ms / 1000, (unsigned) (ms % 1000));

    while (size > 0 && text[size - 1] == '0') {
        size--;
    }
    size -= size > 0 && text[size - 1] == '.' ? 1 : 0;
    (void) fprintf(out, "%.*s", size, text);
}

static void rows_take(struct exposition *exposition, const char *prefix)
{
    for (size_t i = 0; i < exposition->rows_count; i++) {
        if (stat_rows_after(exposition->stats->stats[i].name, prefix) != NULL) {
            exposition->is_taken[i] = true;
        }
    }
}

static void histogram_put(struct exposition *exposition, const struct family *family)
{
    struct histogram histogram;
    FILE *out = exposition->out;
    uint64_t below = 0;

    histogram_read(&histogram, exposition->stats, family->row);
    if (histogram.buckets_count == 0) {
        return;
    }
    rows_take(exposition, family->row);
    head_put(exposition, family->name, family->type, family->help);
    for (size_t i = 0; i < histogram.buckets_count; i++) {
        if (histogram.below_ms[i] == UINT64_MAX) {
            break;
        }
        below += histogram.counts[i];
        (void) fprintf(out, PREFIX "%s_bucket{le=\"", family->name);
        seconds_put(out, histogram.below_ms[i]);
        (void) fprintf(out, "\"} %" PRIu64 "\n", below);
    }
    (void) fprintf(out, PREFIX "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", family->name,
                   histogram.total);
    (void) fprintf(out, PREFIX "%s_count %" PRIu64 "\n", family->name, histogram.total);
}

/* ---- what is not known here ---- */

static bool is_metric_name(const char *name)
{
    return name[0] != '\0' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] ==
               '\0';
}

static void rest_put(const struct exposition *exposition)
{
    for (size_t i = 0; i < exposition->rows_count; i++) {
        const struct canceld_stat *row = &exposition->stats->stats[i];

        if (!exposition->is_taken[i] && is_metric_name(row->name)) {
            (void) fprintf(exposition->out,
                           "# TYPE " PREFIX "%s untyped\n" PREFIX "%s %" PRIu64 "\n", row->name,
                           row->name, row->value);
        }
    }
}

void prometheus_put(FILE *out, const struct canceld_result *stats)
{
    struct exposition exposition = {
        .out = out,
        .stats = stats,
        .rows_count = stats->stats_count < ROWS_MAX ? stats->stats_count : ROWS_MAX,
    };

    for (size_t i = 0; i < COUNT_OF(families); i++) {
        family_put(&exposition, &families[i]);
    }
    for (size_t i = 0; i < COUNT_OF(histograms); i++) {
        histogram_put(&exposition, &histograms[i]);
    }
    rest_put(&exposition);
}
