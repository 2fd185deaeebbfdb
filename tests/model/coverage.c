/* SPDX-License-Identifier: MIT */
#include "model/coverage.h"

#include "base/check.h"

#include <inttypes.h>
#include <string.h>

static const char *const op_names[OP_END] = {
    "(unknown)", "open",   "store", "cancel", "delete",  "touch",   "poll",  "wait",
    "get",       "list",   "count", "armed",  "disarm",  "ping",    "stats", "close",
    "adopt",     "detach", "watch", "drain",  "undrain", "history",
};

/* The answers of each op, by the contract. */
#define ROW_END ANSWER_UNSET
static const uint8_t rows[OP_END][20] = {
    [OP_UNKNOWN] = {ANSWER_ERROR, ANSWER_NOT_APPLIED},
    [OP_OPEN] = {ANSWER_OPENED, ANSWER_SESSION_LOST, ANSWER_FULL, ANSWER_ERROR, ANSWER_DENIED},
    [OP_STORE] = {ANSWER_STORED, ANSWER_BORN_CANCELLED, ANSWER_EXISTS, ANSWER_FULL, ANSWER_ERROR,
                  ANSWER_NOT_APPLIED, ANSWER_DRAINING, ANSWER_PARENT_ENDED, ANSWER_PARENT_NOT_FOUND,
                  ANSWER_RECOVERING, ANSWER_STALE_EPOCH, ANSWER_DENIED},
    [OP_CANCEL] = {ANSWER_REQUESTED, ANSWER_ALREADY_REQUESTED, ANSWER_ARMED, ANSWER_FINISHED,
                   ANSWER_OWNER_LOST, ANSWER_NOT_FOUND, ANSWER_STALE_GEN, ANSWER_STALE_EPOCH,
                   ANSWER_FULL, ANSWER_ERROR, ANSWER_NOT_APPLIED, ANSWER_SHUTTING_DOWN,
                   ANSWER_RECOVERING, ANSWER_DENIED},
    [OP_DELETE] = {ANSWER_DELETED, ANSWER_ENDED, ANSWER_STALE_GEN, ANSWER_NOT_FOUND,
                   ANSWER_STALE_EPOCH, ANSWER_ERROR, ANSWER_NOT_APPLIED, ANSWER_RECOVERING,
                   ANSWER_DENIED},
    [OP_TOUCH] = {ANSWER_TOUCHED, ANSWER_CANCELLING, ANSWER_ENDED, ANSWER_STALE_GEN,
                  ANSWER_NOT_FOUND, ANSWER_STALE_EPOCH, ANSWER_ERROR, ANSWER_NOT_APPLIED,
                  ANSWER_RECOVERING, ANSWER_DENIED},
    [OP_POLL] = {ANSWER_NOTICES, ANSWER_FULL, ANSWER_ERROR, ANSWER_SHUTTING_DOWN},
    [OP_WAIT] = {ANSWER_CANCELLING, ANSWER_ENDED, ANSWER_TIMED_OUT, ANSWER_NOT_FOUND,
                 ANSWER_STALE_GEN, ANSWER_STALE_EPOCH, ANSWER_FULL, ANSWER_ERROR,
                 ANSWER_SHUTTING_DOWN, ANSWER_RECOVERING, ANSWER_DENIED},
    [OP_GET] = {ANSWER_FOUND, ANSWER_STALE_GEN, ANSWER_NOT_FOUND, ANSWER_STALE_EPOCH, ANSWER_ERROR,
                ANSWER_NOT_APPLIED, ANSWER_RECOVERING, ANSWER_DENIED},
    [OP_LIST] = {ANSWER_PAGE, ANSWER_ERROR, ANSWER_DENIED},
    [OP_COUNT] = {ANSWER_COUNTED, ANSWER_ERROR, ANSWER_NOT_APPLIED, ANSWER_DENIED},
    [OP_ARMED] = {ANSWER_ARMED_KEYS, ANSWER_ERROR, ANSWER_DENIED},
    [OP_DISARM] = {ANSWER_DISARMED, ANSWER_NOT_FOUND, ANSWER_ERROR, ANSWER_NOT_APPLIED, ANSWER_FULL,
                   ANSWER_DENIED},
    [OP_ADOPT] = {ANSWER_ADOPTED, ANSWER_EXISTS, ANSWER_ENDED, ANSWER_STALE_EPOCH, ANSWER_FULL,
                  ANSWER_STALE_GEN, ANSWER_NOT_FOUND, ANSWER_ERROR, ANSWER_DENIED,
                  ANSWER_NOT_APPLIED},
    [OP_DETACH] = {ANSWER_DETACHED, ANSWER_CANCELLING, ANSWER_ENDED, ANSWER_STALE_GEN,
                   ANSWER_NOT_FOUND, ANSWER_STALE_EPOCH, ANSWER_RECOVERING, ANSWER_ERROR,
                   ANSWER_DENIED, ANSWER_NOT_APPLIED},
    [OP_WATCH] = {ANSWER_EVENTS, ANSWER_SNAPSHOT, ANSWER_FULL, ANSWER_ERROR, ANSWER_DENIED,
                  ANSWER_SHUTTING_DOWN},
    [OP_DRAIN] = {ANSWER_DRAINED, ANSWER_TIMED_OUT, ANSWER_NOT_FOUND, ANSWER_FULL, ANSWER_ERROR,
                  ANSWER_DENIED, ANSWER_SHUTTING_DOWN},
    [OP_UNDRAIN] = {ANSWER_UNDRAINED, ANSWER_NOT_FOUND, ANSWER_ERROR, ANSWER_DENIED,
                    ANSWER_NOT_APPLIED},
    [OP_HISTORY] = {ANSWER_HISTORY, ANSWER_ERROR, ANSWER_DENIED, ANSWER_FULL, ANSWER_SHUTTING_DOWN},
    [OP_PING] = {ANSWER_PONG, ANSWER_NOT_APPLIED},
    [OP_STATS] = {ANSWER_STATS, ANSWER_NOT_APPLIED},
    [OP_CLOSE] = {ANSWER_CLOSED, ANSWER_ERROR, ANSWER_NOT_APPLIED},
};

/* Errors of frames; the decoder's own two, MALFORMED and TOO_COMPLEX, never come from here. */
static const enum error_code frame_errors[] = {
    ERROR_VERSION,  ERROR_OP_COUNT,     ERROR_NOT_ALONE,         ERROR_REQUEST_ID,
    ERROR_TOO_OLD,  ERROR_SESSION_LOST, ERROR_REQUEST_ID_REUSED, ERROR_NOT_BOUND,
    ERROR_ANSWERED, ERROR_FULL,         ERROR_SHUTTING_DOWN,     ERROR_JOURNAL,
};
static const enum error_code op_errors[] = {ERROR_UNKNOWN_OP, ERROR_NEEDS_SESSION, ERROR_FIELD,
                                            ERROR_NO_JOURNAL};

static const char *const limit_names[] = {
    "operations",
    "operations_namespace",
    "operations_session",
    "bytes",
    "namespaces",
    "sessions",
    "parked_session",
    "parked",
    "parked_gens",
    "armed",
    "finished_memory",
    "gens_of_key",
    "generations",
    "replies_session_bytes",
    "replies_bytes",
    "labels",
    "label_uses",
    "bulks",
    "drains",
    "journal",
};

static const char *const field_names[] = {
    "namespace",  "key",        "gen",         "client_name",     "heartbeat_ms",  "resume_secret",
    "policy",     "ttl_ms",     "on_expiry",   "stop_grace_ms",   "on_owner_loss", "meta",
    "cause.code", "cause.text", "cause.actor", "cause.peer",      "level",         "deadline_ms",
    "arm_ttl_ms", "after_gen",  "outcome",     "until",           "state",         "page_size",
    "labels",     "label",      "owner",       "whole_namespace", "token",         "order",
    "text",       "actor",      "parent",
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool count_name(const char *const *names, size_t names_count, uint64_t *counts,
                       const char *name)
{
    for (size_t i = 0; name != NULL && i < names_count; i++) {
        if (strcmp(names[i], name) == 0) {
            counts[i]++;
            return true;
        }
    }
    return false;
}

static bool is_one_of(const enum error_code *codes, size_t count, enum error_code code)
{
    for (size_t i = 0; i < count; i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

bool coverage_note(struct coverage *coverage, enum op_kind kind, const struct result *result)
{
    ASSERT(kind < OP_END && result->answer < ANSWER_END);
    coverage->pairs[kind][result->answer]++;
    if (memchr(rows[kind], (int) result->answer, sizeof rows[kind]) == NULL) {
        return false;
    }
    if (result->answer == ANSWER_FULL) {
        return count_name(limit_names, COUNT_OF(limit_names), coverage->limits, result->limit);
    }
    if (result->answer != ANSWER_ERROR) {
        return true;
    }
    coverage->op_errors[result->error.code]++;
    if (result->error.code == ERROR_FIELD) {
        return count_name(field_names, COUNT_OF(field_names), coverage->fields,
                          result->error.field);
    }
    return is_one_of(op_errors, COUNT_OF(op_errors), result->error.code);
}

bool coverage_note_refusal(struct coverage *coverage, const struct error *error)
{
    coverage->frame_errors[error->code]++;
    if (error->code == ERROR_FULL) {
        return count_name(limit_names, COUNT_OF(limit_names), coverage->limits, error->limit);
    }
    return is_one_of(frame_errors, COUNT_OF(frame_errors), error->code);
}

/* ---- the report ---- */

struct report {
    FILE *file;
    bool complete;
};

static void report_count(struct report *report, const char *what, const char *name, uint64_t count)
{
    (void) fprintf(report->file, "  %-10s %-22s %12" PRIu64 "%s\n", what, name, count,
                   count == 0 ? "   NEVER REACHED" : "");
    report->complete = report->complete && count > 0;
}

static void report_codes(struct report *report, const char *what, const enum error_code *codes,
                         size_t count, const uint64_t *counts)
{
    static const char *const names[ERROR_END] = {
#define ERROR_NAME(name, number) [number] = #name,
        ERROR_TABLE(ERROR_NAME)
#undef ERROR_NAME
    };
    for (size_t i = 0; i < count; i++) {
        report_count(report, what, names[codes[i]], counts[codes[i]]);
    }
}

bool coverage_report(const struct coverage *coverage, FILE *file)
{
    struct report report = {.file = file, .complete = true};
    for (size_t kind = 0; kind < OP_END; kind++) {
        for (size_t i = 0; i < sizeof rows[kind] && rows[kind][i] != ROW_END; i++) {
            enum answer answer = rows[kind][i];
            report_count(&report, op_names[kind], answer_name(answer),
                         coverage->pairs[kind][answer]);
        }
    }
    report_codes(&report, "op error", op_errors, COUNT_OF(op_errors), coverage->op_errors);
    report_codes(&report, "refused", frame_errors, COUNT_OF(frame_errors), coverage->frame_errors);
    for (size_t i = 0; i < COUNT_OF(limit_names); i++) {
        report_count(&report, "full", limit_names[i], coverage->limits[i]);
    }
    for (size_t i = 0; i < COUNT_OF(field_names); i++) {
        report_count(&report, "bad field", field_names[i], coverage->fields[i]);
    }
    return report.complete;
}
