/* SPDX-License-Identifier: MIT */
/* Every bound of the daemon, in one table: from it come the struct, the defaults, the flags
 * (--limit-NAME with dashes), the lines of --help and the rows of `stats`.
 * X(name, default, lowest, highest, reason) */
#ifndef CANCELD_BASE_LIMITS_H
#define CANCELD_BASE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/* Fixed by the contract: the wire and the tables are built for them, so they are no flags. */
#define FRAME_BYTES_MAX 65536
#define FRAME_OPS_MAX 1024
#define FRAME_ANSWERED_MAX 64
/* Reads that answered_below passed while they were parked, and that nobody named since they were decided:
 * for each the id is kept, of one session and in all. */
#define PASSED_READS_SESSION_MAX 1024
#define PASSED_READS_MAX 65536
#define POLL_ACKS_MAX 1024
#define NAMESPACE_BYTES_MAX 64
#define KEY_BYTES_MAX 256
#define META_BYTES_MAX 1024
#define CAUSE_TEXT_BYTES_MAX 256
#define CAUSE_ACTOR_BYTES_MAX 64
#define CAUSE_PEER_BYTES_MAX 64
#define CLIENT_NAME_BYTES_MAX 64
#define LABEL_BYTES_MAX 64
#define LABELS_MAX 8 /* of an operation, and of a selection */
#define TOKEN_BYTES_MAX 256
#define BULK_RESULTS_MAX 100
#define HISTORY_ITEMS_MAX 1000
#define KEY_GENS_MAX 1024
#define TTL_MS_MIN 100
#define TTL_MS_MAX UINT64_C(86400000)
#define DEADLINE_MS_MAX UINT64_C(86400000)
#define POLL_MS_MAX 25000
#define HEARTBEAT_MS_MIN 100
#define HEARTBEAT_MS_MAX UINT64_C(86400000)
#define SECRET_BYTES 16

/* Of settings that are no limits. */
#define RECOVERY_MS_MAX UINT64_C(3600000)
#define RECOVERY_MS_DEFAULT UINT64_C(5000)
#define HISTORY_AGE_MS_MIN UINT64_C(1000)
#define HISTORY_AGE_MS_MAX UINT64_C(315360000000)
#define HISTORY_AGE_MS_DEFAULT UINT64_C(604800000)
#define HISTORY_BYTES_MIN UINT64_C(1048576)
#define HISTORY_BYTES_MAX (UINT64_C(1) << 40)
#define HISTORY_BYTES_DEFAULT (UINT64_C(1) << 28)

/* Of the configuration file and of what it names. */
#define CONFIG_BYTES_MAX ((size_t) 1048576)
#define RULES_MAX 10000 /* each counted once for each of its namespaces */
#define SPACES_MAX 10000
#define TOKENS_MAX 1000
#define TOKENS_NAME_MAX 2       /* of one name, so that a token can be replaced without a gap */
#define TOKEN_NAME_BYTES_MAX 58 /* "token:" and it are a cause's peer */

/* What decoding one frame may cost, in bytes of memory: the base, the factor for each byte of the
 * message, so much more for each op and, where it is alone, for each ack it may bring; in all cases
 * no more than the block. The op's part is what 1,024 small adopts with 8 labels each need, and some
 * more. */
#define DECODE_BYTES_MAX ((size_t) 2097152)
#define DECODE_BYTES_BASE ((size_t) 16384)
#define DECODE_BYTES_FACTOR ((size_t) 8)
#define DECODE_OP_BYTES ((size_t) 1344)
#define DECODE_ACK_BYTES ((size_t) 128)

/* When the owner is late, what the lease clock then does, and how far ahead the owner may plan while a
 * lease is pending, so that being late is noticed: see registry/lease_clock.h. */
#define LEASE_LATE_MS UINT64_C(50)
#define LEASE_HOLD_MS UINT64_C(250)
#define LEASE_HOLD_APART_MS UINT64_C(5000)
#define LEASE_PLAN_MS UINT64_C(1000)

/* Steps of bulk work (an expiry, an operation of a dying session, ...) in one sweep of the owner. */
#define SWEEP_STEPS_MAX 8

/* Of the tables: ids whose hash one call of a line_map may ask for, by which it is bound how long an insert
 * takes while the map grows. Where hashes are as good as random, a bucket has 17 ids on average before it
 * is split, and more than these once in 10^18 splits. */
#define LINE_MAP_MOVES_MAX 64

/* The embedded registry (runtime/local): asks in the mailbox taken in one sweep; ops of one lane taken in
 * one; callbacks on their way to who runs them (a power of two; more wait at the owner); asks and lanes at
 * the most; the longest spin; how often an owner with work looks at its clock, in ops; steps of bulk work in a
 * sweep (few, for whoever asks meanwhile waits for them). */
#define LOCAL_ASKS_SWEEP_MAX 64
#define LOCAL_LANE_BATCH_MAX 32
#define LOCAL_CALLBACKS_MAX 1024
#define LOCAL_ASKS_MAX 65536
#define LOCAL_ASKS_DEFAULT 256
#define LOCAL_LANES_DEFAULT 64
#define LOCAL_SPIN_US_MAX 1000000
#define LOCAL_SPIN_US_AUTO 50
#define LOCAL_CLOCK_OPS 128
/* Where the system took membarrier(2) away, an owner sleeps no longer at a time. */
#define LOCAL_UNSURE_MS UINT64_C(10)
#define LOCAL_SWEEP_STEPS_MAX 16

/* Fixed by the actor runtime: the first two are what an address has bits for. */
#define ACTOR_LOOPS_MAX 64
#define ACTOR_SLOTS_MAX ((uint32_t) 1 << 22)
#define ACTOR_BATCH_MAX 256
#define ACTOR_ASKS_MAX 65536
/* Asks that a loop keeps ready for its actors: up to three times this part of asks_max, and of this most. */
#define ACTOR_ASKS_STOCK_PART 1024
#define ACTOR_ASKS_STOCK_MAX 32
/* Messages of a pool that another loop gathers before they go home; at the end of its turn they do. */
#define ACTOR_RETURNS_MAX 32

/* The journal. Records that come although the limit journal_bytes is reached (ends, expiries) may take
 * so many times that: the first factor is for those whose loss leaves a cancel held that nobody waits for,
 * the second for all; see journal/journal.h. */
#define JOURNAL_OVER_ENDS_FACTOR UINT64_C(2)
#define JOURNAL_OVER_FACTOR UINT64_C(4)
/* Pages of the history under way at once. */
#define JOURNAL_HISTORIES_MAX 16
/* How long a cancel whose operation ended by another than its owner is given back after a restart (the
 * owner may not know of the end, and come back), and a bulk cancel of an earlier run. By the time for
 * which the journal was open. */
#define JOURNAL_LOST_MS UINT64_C(86400000)
/* How long a cancel whose operation was ended by its owner is given back after a restart: the answer may
 * not have arrived, and then the finish is repeated. By the same time. Longer than stall_ms and grace_ms, after
 * which the owner's session would have been gone. Each start reads all of these. */
#define JOURNAL_REPEAT_MS UINT64_C(15000)
/* How long after a failure the journal tries again. */
#define JOURNAL_RETRY_MS UINT64_C(1000)
/* How often the retention looks, and how many entries one of its steps removes: at least, at most. */
#define JOURNAL_RETAIN_MS UINT64_C(10000)
#define JOURNAL_RETAIN_ROWS_MIN UINT64_C(256)
#define JOURNAL_RETAIN_ROWS_MAX UINT64_C(16384)
/* Where the whole file has to be checked at once: up to which size with its indexes (30 ms a MiB); of a
 * bigger one its structure alone (6 ms a MiB). */
#define JOURNAL_CHECK_BYTES_MAX UINT64_C(33554432)
/* So many pages are looked at by each start, whoever reads them. */
#define JOURNAL_CHECK_START_PAGES 256
/* The pages that nobody reads are looked at so many at a time, with such a pause, from so long after the start
 * on, and again so long after the last. */
#define JOURNAL_CHECK_PAGES 64
#define JOURNAL_CHECK_STEP_MS UINT64_C(10)
#define JOURNAL_CHECK_FIRST_MS UINT64_C(10000)
#define JOURNAL_CHECK_MS UINT64_C(86400000)
/* SQLite's page cache, all memory that it may have, and the pages of its log (4 KiB each) before they are
 * copied into the file. */
#define JOURNAL_CACHE_BYTES ((size_t) 8388608)
#define JOURNAL_SQLITE_BYTES_MAX ((size_t) 67108864)
#define JOURNAL_WAL_PAGES 1024

/* clang-format off */
#define LIMITS_TABLE(X)                                                                            \
    X(operations, 1000000, 1, 50000000, "operations live at once; a full table answers FULL, it never evicts") \
    X(operations_namespace, 1000000, 1, 50000000, "operations of one namespace, so that one tenant cannot take all") \
    X(operations_session, 1000000, 1, 50000000, "operations of one session, so that one leaking owner cannot take all") \
    X(bytes, UINT64_C(536870912), 65536, UINT64_C(1) << 40, "bytes of keys, meta and cause texts in all") \
    X(namespaces, 10000, 1, 1000000, "namespaces in use at once") \
    X(connections, 1024, 1, 100000, "connections in all; one more is closed at once") \
    X(connections_unopened, 512, 1, 100000, "connections that have not opened a session yet") \
    X(sessions, 10000, 1, 1000000, "sessions, those in their grace included") \
    X(parked_session, 1024, 1, 65536, "parked requests of one session, or of one connection without one") \
    X(parked, 200000, 1, 10000000, "parked requests in all") \
    X(parked_gens, 1000000, 1024, 10000000, "gens that parked requests wait for, in all; a cancel of a key waits for each of its gens") \
    X(armed, 10000, 1, 10000000, "armed keys") \
    X(labels, 1000000, 1, 50000000, "different labels in use at once") \
    X(label_uses, 8000000, 1, 400000000, "labels of all operations, each counted as often as it is used") \
    X(bulks, 10000, 1, 1000000, "bulk cancels and drains whose operations are not all forgotten yet")                               \
    X(covers, 10000, 1, 1000000, "cancels of a recovery time, and bulk cancels of earlier runs, that cover what is adopted later")  \
    X(drains, 1024, 1, 65536, "drains that are waited for") \
    X(watch_events, 65536, 16, 10000000, "events kept for watchers; one that is further behind gets a snapshot") \
    X(watch_bytes, 16777216, 65536, UINT64_C(1) << 36, "the same in bytes") \
    X(recovered, 1000000, 1, 50000000, "cancels of an earlier run that are held for owners that come back") \
    X(journal_bytes, 16777216, 1048576, UINT64_C(1) << 36, "records and answers that wait for the journal, in bytes") \
    X(finished, 65536, 1, 10000000, "ended operations remembered") \
    X(finished_ms, 60000, 1000, 86400000, "how long an ended operation is remembered, in ms") \
    X(grace_ms, 5000, 100, 86400000, "how long a session outlives its connection, in ms") \
    X(replies_session_bytes, 262144, 65536, UINT64_C(1) << 30, "remembered answers of one session, in bytes") \
    X(replies_bytes, 67108864, 65536, UINT64_C(1) << 36, "remembered answers in all, in bytes") \
    X(output_bytes, 262144, 65536, UINT64_C(1) << 30, "output waiting for one connection before its reading stops, in bytes") \
    X(outstanding, 1024, 1, 65536, "unanswered requests of one connection before its reading stops") \
    X(handshake_ms, 5000, 100, 600000, "time a new connection has for its handshake, in ms") \
    X(stall_ms, 9000, 100, 600000, "time without progress on a half-read frame or unread output before the cut, in ms")

/* clang-format on */

struct limits {
#define LIMITS_FIELD(name, default_, lowest, highest, reason) uint64_t name;
    LIMITS_TABLE(LIMITS_FIELD)
#undef LIMITS_FIELD
};

#define LIMITS_ONE(name, default_, lowest, highest, reason) +1
enum { LIMITS_COUNT = 0 LIMITS_TABLE(LIMITS_ONE) };
#undef LIMITS_ONE

/* A row of the table, for flags, help and stats. */
struct limit_row {
    const char *name;
    const char *reason;
    uint64_t default_value;
    uint64_t lowest;
    uint64_t highest;
    size_t offset; /* of the field in struct limits */
};

extern const struct limit_row limit_rows[];
extern const size_t limit_rows_count;

struct limits limits_default(void);

static inline uint64_t *limits_field(struct limits *limits, const struct limit_row *row)
{
    return (uint64_t *) (void *) ((char *) limits + row->offset);
}

#endif
