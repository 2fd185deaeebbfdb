/* SPDX-License-Identifier: MIT */
/* Inside the registry: its records. Every one lives in a slab and is named by a 32-bit index, 0 for
 * none. The chains:
 *
 *   namespace <- key -> live operations, newest first
 *                    -> ended operations that are remembered, in order of their end
 *             -> sessions whose own it is -> plain operations, by gen (see plain.h)
 *   session   -> operations it counts (live, or ended with an unacknowledged notice)
 *             -> notices, in order of their numbers
 *             -> remembered answers, in order of their request ids
 *   operation -> ties -> parked requests that wait for it
 *             -> children, in the order of their births
 *             -> uses of labels
 *   label     -> uses by live operations, in the order of their births
 *   namespace -> live operations, in the order of their births; bulk cancels; parked watchers
 *   link      -> sessions bound to it, requests parked without a session
 *
 * Work that could be long (a dying session, many waiters of one operation) is put on a queue and
 * done by registry_advance() in steps. */
#ifndef CANCELD_REGISTRY_RECORD_H
#define CANCELD_REGISTRY_RECORD_H

#include "base/byte_heap.h"
#include "base/hash_index.h"
#include "base/region.h"
#include "base/slab.h"
#include "base/timer_heap.h"
#include "registry/plain.h"
#include "registry/registry.h"
#include "table/line_map.h"
#include "table/radix_tree.h"

/* What a timer is embedded in. */
enum timer_kind { TIMER_OPERATION, TIMER_SESSION, TIMER_PARKED, TIMER_ARMED };

/* Charged for a remembered answer on top of its bytes: its record. */
#define REMEMBERED_BYTES_EXTRA 64

/* At most this many waiters are told within the call that decided; the rest by registry_advance().
 */
#define SETTLE_BUDGET 256

/* So many bulk cancels walk at once; the others wait for their turn. What leaves a chain has to be made
 * known to each that walks. */
#define BULKS_AT_ONCE 16

/* A frame whose detaches looked at so many ancestors applies no further op. */
#define BAN_WALK_MAX 4096

/* A frame whose counts looked at so many operations applies no further one that has to look. */
#define COUNT_WALK_MAX 65536

/* A page of list or armed looks at so many records at the most. */
#define PAGE_SCAN_MAX 2048
#define PAGE_ITEMS_MAX 1000
#define NOTICES_MAX 1024

/* Bucket i of a histogram counts what took less than 2^i ms; the last one: all the rest. */
#define HISTOGRAM_BUCKETS 24

/* ---- records ---- */

struct space {
    struct hash_link by_name;
    uint32_t references; /* keys, sessions, labels, bulks, watchers, a drain */
    uint32_t operations; /* counted against the limit */
    struct space_limits limits;
    struct chain_ends live;           /* whole operations, in the order of their births, mostly */
    struct chain_ends sessions;       /* whose own namespace it is */
    uint32_t plain;                   /* live ones, which hang from their owners alone */
    struct chain_ends unacknowledged; /* operations, in the order of their cancel */
    struct chain_ends bulks;          /* but those of a key */
    struct chain_ends watchers;       /* parked */
    struct chain of_watched;          /* while watch_due */
    uint64_t revision;    /* of its last event, or a higher one that was none of its own */
    uint64_t watch_news;  /* while watch_due: of the first event that watchers do not know */
    uint32_t watch_at;    /* while watch_due: the watcher to look at next */
    uint32_t drain_cause; /* while it is drained; 0: it is not */
    bool watch_due;
    uint32_t states[STATE_END];
    uint32_t name_size;
    uint8_t name[NAMESPACE_BYTES_MAX];
};

struct key {
    uint64_t hash; /* key_hash() */
    uint32_t space;
    uint32_t armed;
    struct chain_ends bulks; /* cancels of the recovery time that cover what is adopted later */
    struct kept_bytes name;
    struct chain_ends live;  /* newest gen first */
    struct chain_ends ended; /* first ended first */
    struct chain_ends peaks; /* see key.c: the first is the newest gen remembered */
};

struct kept_cause {
    uint32_t references;
    enum cause_code code;
    struct kept_bytes text;
    struct kept_bytes actor;
    struct kept_bytes peer;
    uint64_t journal_number; /* the last record given that has it; 0: none */
    uint64_t told_after;     /* owners hear of it when the journal has this one; 0: at once */
    uint32_t bulk;           /* the one that it is of; 0: none */
};

struct label {
    struct hash_link by_name;
    uint32_t space;
    uint32_t references;    /* uses, and bulks */
    struct chain_ends live; /* uses by live operations */
    uint32_t states[STATE_END];
    struct kept_bytes name;
};

/* One label of one operation. */
struct label_use {
    struct chain of_label; /* while the operation is live */
    uint32_t label;
    uint32_t operation;
    uint32_t next_of_operation;
};

/* Bytes that an answer of several gens takes at the most: the head, and each gen with its key. */
#define BULK_RESULT_BYTES (48 + KEY_BYTES_MAX)
#define BULK_ANSWER_BYTES(gens) (128 + BULK_RESULT_BYTES * (size_t) (gens))

/* A cancel of what a selector matches, up to a fence. While it runs it walks a chain of live
 * operations; it stays, for adopts and for the journal, until nothing can be covered by it any more.
 */
struct bulk {
    struct hash_link
        by_target; /* while it may cover what is adopted: of its scope and whose it is */
    struct chain
        of_holder; /* the namespace's bulks, or the key's; those of BULK_DAEMON: registry.bulks_all */
    struct chain of_running; /* while running: among those that walk, or that wait for a turn */
    uint64_t id;             /* in the journal */
    uint64_t fence;          /* the newest gen that it covers */
    uint64_t after_gen;      /* BULK_KEY */
    uint64_t owner;          /* BULK_OWNER: a session's number */
    uint64_t requested;
    uint64_t already_requested;
    uint32_t space; /* 0: BULK_DAEMON */
    uint32_t key;   /* BULK_KEY */
    uint32_t label; /* BULK_LABEL */
    uint32_t cause;
    uint32_t at;          /* while running: the operation, or use of a label, to look at next */
    uint64_t whole_fence; /* while it walks its chain: of the last operation there was */
    uint32_t
        session_at; /* BULK_SPACE, while it walks: whose plain operations come next; BULK_OWNER: the session */
    uint64_t number_at; /* BULK_DAEMON, likewise: the number to look at next */
    bool plain_done;    /* no plain operation up to the fence is left */
    bool skips_adopted; /* they came after it had begun */
    uint32_t parked;    /* who waits for its end; 0: nobody */
    uint32_t results_count;
    uint32_t results_max; /* that room was set aside for */
    enum bulk_scope scope;
    bool running;
    bool walks;     /* it has begun to */
    bool recovered; /* of an earlier run */
    bool stands_in; /* for a record of another cancel that it tells of: stays to the end */
    bool lasting;   /* operations that are not adopted yet may be covered: stays to the end */
    bool drains;    /* of a drain, which answers for itself */

    struct {
        uint64_t gen;
        uint8_t answer;
    } results[BULK_RESULTS_MAX];
};

/* A drain that is waited for. */
struct drain {
    struct chain of_drains;
    uint64_t owner; /* a session's number; 0: not of one */
    uint32_t space; /* 0: the daemon */
    uint32_t bulk;  /* 0: it is done */
    uint32_t parked;
    uint64_t requested;
    uint64_t already_requested;
};

/* A cancel of an earlier run, until its operation comes back. */
struct recovered {
    struct hash_link by_gen;
    uint64_t gen;
    uint64_t space_hash; /* keyed */
    uint64_t key_hash;
    uint32_t cause;
    bool finished; /* its owner ended it, and may repeat that: nobody was told that it goes on */
};

struct operation {
    struct hash_link by_gen; /* an earlier gen */
    uint64_t gen;
    uint64_t born_ms;
    uint64_t ended_ms;
    uint64_t stop_grace_ms;
    uint64_t ttl_end_ms; /* of the last ttl; 0: no ttl */
    struct timer timer;  /* the ttl's end, then the stop grace's */
    uint64_t cancelled_ms;
    uint64_t delivered_ms; /* 0: not yet */
    uint64_t parent_gen;   /* 0: none; kept while awaited or tied, and once it ended so */
    uint64_t adoption;     /* its own; once it ended, the last one of any: see tree_parent_gen() */
    uint64_t whole_number; /* rises along the chain of a namespace; 0: adopted */
    uint32_t key;
    uint32_t owner;  /* a session, 0: none */
    uint32_t cause;  /* struct kept_cause; 0: never cancelled */
    uint32_t parent; /* an operation; 0: none, or not adopted yet */
    uint32_t labels; /* first label_use, through next_of_operation */
    struct kept_bytes meta;
    struct hash_link by_parent;     /* while awaiting: by the gen that is waited for */
    struct chain of_space;          /* while live */
    struct chain of_unacknowledged; /* while CANCELLING and not DELIVERED */
    struct chain of_space_unacknowledged;
    struct chain of_parent; /* while parent is not 0: among its children */
    struct chain of_ban;    /* while banning */
    struct chain_ends children;
    uint64_t
        ban_number;     /* while banning: when that began, among all cancels and ends: see tree.c */
    uint32_t ban_at;    /* while banning: the child to look at next */
    uint32_t ban_cause; /* what descendants are cancelled with; 0: not made yet */
    struct chain of_key;    /* in live or ended */
    struct chain of_peaks;  /* while is_peak */
    struct chain of_owner;  /* while owner is not 0 */
    struct chain of_memory; /* while in_memory: the finished memory */
    struct chain of_settle; /* while settling: its ties have to be looked at */
    struct chain_ends ties;
    uint32_t settle_at;           /* while settling: the next tie to look at */
    uint32_t notices[NOTICE_END]; /* by kind: the unacknowledged one */
    uint8_t state;                /* enum state */
    uint8_t outcome;              /* enum outcome */
    uint8_t level;                /* enum level */
    uint8_t on_expiry;
    uint8_t on_owner_loss;
    bool counted; /* against the limits of operations */
    bool is_peak;
    bool in_memory;
    bool settling;
    bool stop_phase;           /* the timer is the stop grace's end */
    bool joins;                /* its policy is JOIN */
    bool journaled;            /* its cancel is a record of its own in the journal */
    bool banning;              /* its children have to be looked at: see tree.c */
    bool ban_is_of_ancestor;   /* ban_cause is not made of its own cause */
    bool awaiting;             /* its parent may yet be adopted */
    struct direct_value value; /* of a direct store */
};

struct notice_record {
    struct chain of_session; /* or of r->untold */
    uint64_t number;         /* in its session; while it is untold, the record that it waits for */
    uint32_t operation;
    uint8_t kind; /* enum notice_kind */
    bool untold;
};

struct armed {
    struct timer timer;
    uint32_t key;
    uint32_t cause;
};

/* Who asks: a name, and the port's number for it while that is good. */
struct principal {
    uint64_t rights_version; /* that the number is of */
    uint32_t number;
    uint32_t name_size;
    uint8_t name[CAUSE_PEER_BYTES_MAX];
};

struct session {
    struct hash_link by_number;
    uint64_t number;
    uint8_t secret[SECRET_BYTES];
    struct timer timer; /* silence while bound, then the grace's end */
    uint64_t heard_ms;
    uint32_t heartbeat_ms;
    uint32_t space;
    uint32_t link; /* 0: unbound */
    struct chain of_space;
    struct chain of_link;
    struct chain of_dying;
    struct chain of_polls; /* while poll_due */
    struct chain_ends operations;
    struct chain_ends plain; /* operations of its own namespace, by gen */
    struct chain_ends notices;
    struct chain_ends parked;
    uint32_t live;        /* of its operations, those of its own namespace: see drain.c */
    uint64_t ban_number;  /* while dying: when that began: see tree.c */
    uint32_t drain_cause; /* while it is drained; 0: it is not */
    struct principal principal;
    struct chain_ends remembered; /* by request id */
    struct chain_ends passed; /* those that answered_below passed and that stay: see remembered.c */
    uint64_t notice_number_last;
    uint64_t answered_below;
    uint64_t remembered_bytes;
    uint32_t marks_count;
    uint32_t poll; /* parked, 0: none */
    uint32_t name_size;
    bool in_grace;
    bool dying;
    bool poll_due;
    uint8_t name[CLIENT_NAME_BYTES_MAX];
};

/* What is known of a request id: its answer, that it is parked, or (neither) that it is a read which
 * answered_below had passed before it was decided: it is evaluated again until `answered` names it. */
struct remembered {
    struct hash_link by_id;
    struct chain of_session; /* in remembered or passed */
    uint64_t request_id;
    uint64_t digest;
    uint32_t session;
    uint32_t parked;  /* while undecided */
    uint32_t charged; /* bytes */
    bool parked_once;
    bool marks; /* a read that was passed and decided: nothing but its id is kept */
    bool passed;
    bool gives_way;          /* passed after it was decided: kept while there is room */
    bool named;              /* in `answered`: the answer is gone, the id must not be done again */
    uint32_t held;           /* while the reply waits for the journal */
    uint64_t journal_number; /* that it waits for, or waited; 0: for none */
    struct kept_bytes reply;
};

struct parked {
    struct reply_to to;
    struct timer timer;
    struct chain of_holder; /* the session's, or the link's */
    uint64_t request_id;
    uint64_t session_number; /* echoed; 0 for none */
    uint64_t after;          /* poll: the number; watch: the revision */
    struct chain of_space;   /* watch: among the namespace's watchers */
    uint32_t space;          /* watch */
    uint32_t bulk;           /* cancel: that it waits for */
    uint32_t drain;          /* drain */
    uint64_t ticket;         /* history: what the port was given */
    uint32_t session;        /* 0: of the link */
    uint32_t link;           /* where session is 0 */
    uint32_t remembered;
    uint32_t ties; /* first, through tie.next_of_parked */
    uint32_t ties_unmet;
    enum op_kind kind;
    uint8_t level;  /* cancel: wanted */
    uint8_t until;  /* wait */
    uint8_t answer; /* cancel: REQUESTED or ALREADY_REQUESTED */
};

/* Between a parked request and one operation it is about, until the request is answered. */
struct tie {
    struct chain of_operation;
    uint64_t gen;
    uint32_t operation;
    uint32_t parked;
    uint32_t next_of_parked;
    uint8_t answer; /* cancel, of this gen */
    bool met;       /* what the request waits for has come for this operation */
};

struct link {
    struct hash_link by_address;
    uint64_t address;
    uint64_t paused_since_ms;
    struct chain_ends sessions;
    struct chain_ends parked;
    struct principal peer;
    bool paused;
    bool opened;
};

/* An answer that waits for the journal. */
struct held {
    struct chain of_held;
    uint64_t journal_number;
    struct reply_to to;
    uint32_t remembered;     /* 0: a repeat does not find it */
    uint64_t session_number; /* for the head of a refusal */
    uint64_t request_id;
    struct kept_bytes reply;
};

struct counters {
    uint64_t frames;
    uint64_t frames_refused;
    uint64_t replies_repeated;
    uint64_t ops[OP_END];
    uint64_t answers[ANSWER_END];
    uint64_t outcomes[OUTCOME_END];
    uint64_t cancels_delivered;
    uint64_t cancels_stopped;
    uint64_t armed_used;
    uint64_t armed_lapsed;
    uint64_t sessions_lost;
    uint64_t memory_dropped_early;
    uint64_t bulks;
    uint64_t bulk_steps;
    uint64_t bulk_steps_most; /* in one registry_advance() */
    uint64_t ban_steps;
    uint64_t adopted;
    uint64_t denied;
    uint64_t watch_gaps;
    uint64_t watch_events;
    uint64_t held;
    uint64_t held_refused;
    uint64_t limits_reached[LIMITS_COUNT];    /* by row of limits.h */
    uint64_t limits_reached_others;           /* gens_of_key, finished_memory, journal, ... */
    uint64_t delivered_ms[HISTOGRAM_BUCKETS]; /* REQUESTED to DELIVERED: see stats.c */
    uint64_t stopped_ms[HISTOGRAM_BUCKETS];   /* DELIVERED to STOPPED */
};

/* Events for watchers: see watch.c. */
struct watch_ring {
    struct region bytes;
    uint64_t head; /* offsets that only rise; in the ring modulo its size */
    uint64_t tail;
    uint64_t size;
    struct region
        places; /* of uint64_t: the offset of each event, at its revision modulo watch_events */
    uint64_t oldest; /* revision of the event at tail */
    uint64_t newest; /* revision of the last event given; begins at 1 */
    bool asked;      /* somebody has watched since the start: events are kept */
};

#endif
