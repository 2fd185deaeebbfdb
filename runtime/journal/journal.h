/* SPDX-License-Identifier: MIT */
/* The journal: what was cancelled, kept in a file through the end of the process.
 *
 * Two actors. The owner's side stands on the owner's loop: journal_append() copies a record into a
 * buffer, and at the end of each turn what has come together goes to the journal's own loop, a
 * thread of its own, as one message. There it is one transaction (so many records share one
 * commit), and the message comes back: kept. One batch is on its way at the most, while the next
 * one fills. The owner never waits for the disk, and nobody but the journal's thread touches
 * SQLite; nothing is shared but messages.
 *
 * A commit that fails is told once (failed), and tried again each JOURNAL_RETRY_MS, batch and all,
 * until it succeeds and is told (kept): nothing is lost in between.
 *
 * Memory: at journal_bytes the registry takes no more cancels; records that come all the same (of
 * ends and expiries) find room up to JOURNAL_OVER_FACTOR times that. From JOURNAL_OVER_ENDS_FACTOR
 * times on, ends are dropped and counted: after a restart such a cancel is held for an owner that
 * will not come. Where not even the second bound is enough the journal has lost something that
 * somebody may be told of; from then on it says `failed` until the daemon is started anew, for it
 * must not say `kept`.
 *
 * The end: the owner's loop is stopped, then journal_stop() writes what is left. */
#ifndef CANCELD_JOURNAL_JOURNAL_H
#define CANCELD_JOURNAL_JOURNAL_H

#include "actor/actor.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/status.h"
#include "journal/journal_file.h"
#include "registry/journal_record.h"

#include <stdbool.h>
#include <stdint.h>

struct journal;

struct journal_options {
    struct journal_file_options file; /* clock NULL: clock_system */
    uint64_t bytes_max;               /* the limit journal_bytes */
    uint64_t (*wall_ms)(void);        /* milliseconds since 1970, for people; any thread */
};

/* Who is told. Called on the owner's loop, never within a call of the functions below. */
struct journal_handler {
    void *context;
    void (*kept)(void *context, uint64_t number);
    void (*failed)(void *context);
    /* The entries are borrowed for the call. */
    void (*history)(void *context, uint64_t ticket, const struct history_entry *entries,
                    size_t entries_count, uint64_t next_cursor, bool failed);
};

/* Opens the file, and makes the journal's loop in the system; nothing runs yet. Blocks. On failure
 * as journal_file_open(). */
MUST_CHECK enum status journal_open(struct actor_system *system,
                                    const struct journal_options *options,
                                    struct journal **journal_out, char error[JOURNAL_ERROR_BYTES]);

/* What earlier runs left unsettled, as journal_file_load(). Before the journal is started: only then
 * will it keep anything. */
MUST_CHECK enum status journal_load(struct journal *journal,
                                    bool (*take)(void *context,
                                                 const struct journal_record *record),
                                    void *context, char error[JOURNAL_ERROR_BYTES]);

/* Puts the owner's side on the owner's loop, which does not run yet; behind the actors whose sweeps
 * give records, for sweeps run in the order of spawning. The handler is copied. What actor_spawn()
 * answers. */
MUST_CHECK enum status journal_attach(struct journal *journal, struct actor_loop *owner,
                                      const struct journal_handler *handler);

/* Starts the journal's thread: before the owner's. STATUS_SYSTEM where it cannot be had. */
MUST_CHECK enum status journal_start(struct journal *journal);

/* The journal's loop: for tests that run it by hand instead of journal_start(). */
struct actor_loop *journal_loop(const struct journal *journal);

/* ---- on the owner's loop, or before it runs ---- */

/* Takes the next record: the first is number 1. Copies it; never blocks, never fails. */
void journal_append(struct journal *journal, const struct journal_record *record);

/* Bytes of records that are not kept yet. */
uint64_t journal_pending(const struct journal *journal);

/* Asks for a page, which comes to handler.history with the ticket. False where
 * JOURNAL_HISTORIES_MAX are under way, or memory cannot be had. */
MUST_CHECK bool journal_history(struct journal *journal, uint64_t ticket,
                                const struct history_query *query);

/* The rows for `stats`, as of the newest batch that was kept or failed. */
#define JOURNAL_STATS_COUNT 13
size_t journal_stats(const struct journal *journal, struct stat_row out[JOURNAL_STATS_COUNT]);

/* Why nothing is kept just now: 0 where it is, else SQLite's extended code, or JOURNAL_OVERRUN, which
 * lasts. Up to date in `kept` and in `failed`. */
#define JOURNAL_OVERRUN (-1)
int journal_trouble(const struct journal *journal);

/* Its words: static storage. Any thread. */
const char *journal_trouble_text(int trouble);

/* ---- the end ---- */

/* Once the owner's loop has stopped: ends the journal's loop, then writes what is left, on the
 * calling thread. False, with a sentence, where something could not be kept. Once. */
MUST_CHECK bool journal_stop(struct journal *journal, char error[JOURNAL_ERROR_BYTES]);

/* After journal_stop(), or in its stead where nothing was ever attached; with the loops stopped and
 * the system still there. Takes NULL. */
void journal_close(struct journal *journal);

#endif
