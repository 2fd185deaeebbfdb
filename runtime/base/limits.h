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
#define KEY_GENS_MAX 1024
#define TTL_MS_MIN 100
#define TTL_MS_MAX UINT64_C(86400000)
#define DEADLINE_MS_MAX UINT64_C(86400000)
#define POLL_MS_MAX 25000
#define HEARTBEAT_MS_MIN 100
#define HEARTBEAT_MS_MAX UINT64_C(86400000)
#define SECRET_BYTES 16

/* What decoding one frame may cost, in bytes of memory: the base, the factor for each byte of the
 * message, so much more for each op and, where it is alone, for each ack it may bring; in all cases
 * no more than the block. */
#define DECODE_BYTES_MAX ((size_t) 1048576)
#define DECODE_BYTES_BASE ((size_t) 16384)
#define DECODE_BYTES_FACTOR ((size_t) 8)
#define DECODE_OP_BYTES ((size_t) 256)
#define DECODE_ACK_BYTES ((size_t) 128)

/* When the owner is late, what the lease clock then does, and how far ahead the owner may plan while a
 * lease is pending, so that being late is noticed: see registry/lease_clock.h. */
#define LEASE_LATE_MS UINT64_C(50)
#define LEASE_HOLD_MS UINT64_C(250)
#define LEASE_HOLD_APART_MS UINT64_C(5000)
#define LEASE_PLAN_MS UINT64_C(1000)

/* Steps of bulk work (an expiry, an operation of a dying session, ...) in one sweep of the owner. */
#define SWEEP_STEPS_MAX 256

/* Fixed by the actor runtime: the first two are what an address has bits for. */
#define ACTOR_LOOPS_MAX 64
#define ACTOR_SLOTS_MAX ((uint32_t) 1 << 22)
#define ACTOR_BATCH_MAX 256
#define ACTOR_ASKS_MAX 65536

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
    X(finished, 65536, 1, 10000000, "ended operations remembered") \
    X(finished_ms, 60000, 1000, 86400000, "how long an ended operation is remembered, in ms") \
    X(grace_ms, 5000, 100, 86400000, "how long a session outlives its connection, in ms") \
    X(replies_session_bytes, 262144, 65536, UINT64_C(1) << 30, "remembered answers of one session, in bytes") \
    X(replies_bytes, 67108864, 65536, UINT64_C(1) << 36, "remembered answers in all, in bytes") \
    X(output_bytes, 262144, 65536, UINT64_C(1) << 30, "output waiting for one connection before its reading stops, in bytes") \
    X(outstanding, 1024, 1, 65536, "unanswered requests of one connection before its reading stops") \
    X(handshake_ms, 5000, 100, 600000, "time a new connection has for its handshake, in ms") \
    X(stall_ms, 10000, 100, 600000, "time without progress on a half-read frame or unread output before the cut, in ms")

/* clang-format on */

struct limits {
#define LIMITS_FIELD(name, default_, lowest, highest, reason) uint64_t name;
    LIMITS_TABLE(LIMITS_FIELD)
#undef LIMITS_FIELD
};

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
