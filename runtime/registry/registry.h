/* SPDX-License-Identifier: MIT */
/* The registry: the map of operations in flight, and every decision about them.
 *
 * Pure: it does no I/O, reads no clock, starts no thread, and takes its randomness from a seed.
 * Time comes in as `now_ms` of a monotonic clock and never goes back; answers go out through a
 * port. So a test can run it by hand, and a year of it in a second. After registry_new() it
 * allocates nothing.
 *
 * One owner: no two calls at once. In the daemon that is the owner thread, and it is why there is
 * no lock here. A port must not call back into the registry. */
#ifndef CANCELD_REGISTRY_REGISTRY_H
#define CANCELD_REGISTRY_REGISTRY_H

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/siphash.h"
#include "registry/frame.h"
#include "registry/journal_record.h"
#include "registry/role.h"

#include <stdbool.h>
#include <stdint.h>

struct registry;
struct direct_value;

/* A gen is the epoch above a counter; see the contract. */
#define GEN_COUNTER_BITS 40
#define GEN_COUNTER_MAX ((UINT64_C(1) << GEN_COUNTER_BITS) - 1)
#define GEN_EPOCH_MAX ((UINT64_C(1) << 24) - 1)

struct space_limits {
    uint64_t operations;
    uint64_t operations_session; /* of a session that stores here, all of its own counted */
};

/* What the registry needs of the outside. Each is called on the caller's thread, within a call. */
struct registry_port {
    void *context;

    /* Sends a whole encoded reply. Must not block, must not fail loudly: a link that is gone
     * swallows it. The bytes are borrowed for the call. */
    void (*send)(void *context, const struct reply_to *to, struct bytes reply);

    /* Writes the head of a reply, or one result behind it, at `out`; returns the bytes written, or
     * 0 where `room` is too small. head() is written once, then one result() an op, and the bytes
     * in a row are the reply. A result of NOT_APPLIED takes at most 4 bytes. */
    size_t (*head)(void *context, const struct reply_head *head, uint8_t *out, size_t room);
    size_t (*result)(void *context, const struct result *result, uint8_t *out, size_t room);

    /* The counter has come to its end: makes the next epoch durable and gives it. False where that
     * cannot be done: stores then answer FULL{generations}. */
    bool (*next_epoch)(void *context, uint64_t *epoch_out);

    /* ---- the journal; NULL, all three: there is none ---- */

    /* Takes a record. Must not block; it is kept in memory until it is kept for good. */
    void (*journal)(void *context, const struct journal_record *record);

    /* Asks for a page of the history; the answer comes by registry_history(), later. False: it
     * cannot be had now. */
    bool (*history)(void *context, uint64_t ticket, const struct history_query *query);

    /* Bytes of records that the journal has not kept yet. */
    uint64_t (*journal_pending)(void *context);

    /* ---- rights; NULL, all four: everybody may do everything ---- */

    /* Whose token that is: writes a name of at most CAUSE_PEER_BYTES_MAX bytes ("token:ci") and
     * returns its size; 0: nobody's. */
    size_t (*token)(void *context, struct bytes token, uint8_t name_out[CAUSE_PEER_BYTES_MAX]);

    /* A number for whoever has this name ("uid:1000", "token:ci", "tcp:127.0.0.1"), good until
     * registry_rights_changed(); for roles(). */
    uint32_t (*principal)(void *context, struct bytes name);

    /* Which roles, a set of enum role, a principal has in a namespace; "*": in all of them. */
    uint32_t (*roles)(void *context, uint32_t principal, struct bytes space);

    /* Bounds of one namespace, where they differ from the limits'. */
    void (*space_limits)(void *context, struct bytes space, struct space_limits *limits);

    /* ---- direct ops; NULL: the notices of their session are polled for, as any ---- */

    /* An operation of the direct session has been cancelled, or ended by anything but its owner: once
     * for each gen and kind. registry_direct_told() is owed for it, later; `value` is the one that
     * was stored. */
    void (*told)(void *context, const struct notice *notice, const struct direct_value *value);
};

struct registry_config {
    struct limits limits;
    uint64_t epoch;                /* 1 to GEN_EPOCH_MAX */
    uint64_t counter_first;        /* the first gen's counter; 1 except in an ephemeral start */
    struct siphash_key table_key;  /* random: places of keys in the table */
    struct siphash_key secret_key; /* random: session numbers and secrets are made with it */
    uint64_t now_ms;
    uint64_t recovery_ms; /* 0: nobody comes back from an earlier run */
};

/* Reserves address space for every table up to the limits. NULL where it cannot be had. The port is
 * copied; its context must outlive the registry. */
struct registry *registry_new(const struct registry_config *config,
                              const struct registry_port *port);
void registry_free(struct registry *registry);

/* ---- links: one for each connection ---- */

/* A link is there; `peer` (<= 64 bytes, may be empty) is the transport's word for who it is. False
 * where the limit of connections is reached: then it must be closed. */
MUST_CHECK bool registry_link_up(struct registry *registry, uint64_t link, struct bytes peer);

/* The link is gone: its sessions begin their grace, its parked requests without a session are
 * forgotten. Does nothing for a link that is not up. */
void registry_link_down(struct registry *registry, uint64_t link, uint64_t now_ms);

/* The daemon itself stops, or begins again, to read from the link: silence is not counted
 * meanwhile. */
void registry_link_paused(struct registry *registry, uint64_t link, bool paused, uint64_t now_ms);

/* Whether a session was ever opened on the link. */
bool registry_link_opened(const struct registry *registry, uint64_t link);

/* ---- requests ---- */

/* Applies a frame. Every reply it calls for, now or later, goes out through the port. */
void registry_frame(struct registry *registry, const struct reply_to *from,
                    const struct frame *frame, uint64_t now_ms);

/* ---- restart: before the first frame ---- */

/* What an earlier run had recorded and did not see the end of: a JOURNAL_CANCEL, JOURNAL_BULK or
 * JOURNAL_ARM (ttl_ms: what is left to it at the most). Kept for the owners that come back; a
 * JOURNAL_CANCEL with by_owner for one that may come back to end it once more. False at a bound: then
 * do not start. */
MUST_CHECK bool registry_recover(struct registry *registry, const struct journal_record *record);

/* ---- the journal ---- */

/* Every record up to `number` is kept: answers that waited for it go out. */
void registry_journal_kept(struct registry *registry, uint64_t number, uint64_t now_ms);

/* The journal could not keep what it has; it goes on trying. Answers that wait for it are refused
 * with ERROR_JOURNAL, and cancels that would need it with FULL{journal} until
 * registry_journal_kept() comes again. */
void registry_journal_failed(struct registry *registry, uint64_t now_ms);

/* A page that port.history() asked for; `failed`: there is none to be had. */
void registry_history(struct registry *registry, uint64_t ticket,
                      const struct history_entry *entries, size_t entries_count,
                      uint64_t next_cursor, bool failed, uint64_t now_ms);

/* Whether nothing is live and no cancel or arm waits for anybody: a stop now loses nothing, and the
 * next start needs no recovery. */
bool registry_is_idle(const struct registry *registry);

/* ---- rights ---- */

/* What the port said of rights and of the bounds of namespaces is void: it is asked again, for names
 * when they are needed, for bounds at once. What is there stays, also above a lowered bound. */
void registry_rights_changed(struct registry *registry);

/* ---- time ---- */

/* When registry_advance() has something to do next, in ms; TIME_NEVER for nothing; at most the time
 * given last where bulk work is waiting. */
uint64_t registry_next_ms(const struct registry *registry);

/* Does what is due at now_ms: answers those who wait, and at most `budget` steps of other work (an expiry, a
 * step of a dying session, ...), but one of each kind that has any. True where more is left to do now. */
MUST_CHECK bool registry_advance(struct registry *registry, uint64_t now_ms, uint32_t budget);

/* ---- the end ---- */

/* Answers every parked request with SHUTTING_DOWN and from now on refuses every frame so. Cancels
 * nothing. */
void registry_shut_down(struct registry *registry, uint64_t now_ms);

/* ---- seen from outside ---- */

/* The rows of `stats`: counts, limits, counters; STATS_MAX at the most. Valid until the next call. */
#define STATS_MAX 320
size_t registry_stats(struct registry *registry, const struct stat_row **stats_out);

/* Asserts every invariant of every table. O(everything). */
void registry_check(const struct registry *registry);

#endif
