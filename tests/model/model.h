/* SPDX-License-Identifier: MIT */
/* A second registry, written from the contract alone and as plainly as it can be: arrays, linear scans,
 * no bound on memory. It is the judge of the real one: both are given the same events and must give
 * the same answers.
 *
 * Where the contract leaves a choice open (session numbers and secrets, how many operations fit a
 * page, where a reply has no more room, which of several bounds is named), the model asks
 * model_port.seen() what the real registry answered, checks that the choice was one it had, and
 * follows it. Where it was none, the model answers by its own lights and the replies differ.
 *
 * Byte strings of events are borrowed for good: a script keeps them as long as the model lives. */
#ifndef CANCELD_TESTS_MODEL_MODEL_H
#define CANCELD_TESTS_MODEL_MODEL_H

#include "model/list.h"
#include "model/reply.h"
#include "registry/registry.h"

struct model_port {
    void *context;

    /* A reply. `optional`: it goes to a place that its session has left, so it may also be kept back. */
    void (*send)(void *context, const struct reply_to *to, struct bytes encoded, bool optional);

    /* What the real registry answered to the same request in this step, NULL for nothing. */
    const struct reply *(*seen)(void *context, const struct reply_to *to);

    /* As in struct registry_port. */
    bool (*next_epoch)(void *context, uint64_t *epoch_out);

    /* Rights; NULL, all three: everybody may do everything. */
    struct bytes (*token)(void *context, struct bytes token); /* a name; empty: nobody's */
    uint32_t (*roles)(void *context, struct bytes name, struct bytes space);
    void (*space_limits)(void *context, struct bytes space, struct space_limits *limits);

    bool has_journal;
};

/* One change, as watchers see it. */
struct model_event {
    struct bytes space;
    struct event event;
};

/* A record that the real registry gave to its journal, and whether the model had it explained. */
struct model_record {
    uint64_t number;
    struct journal_record record;
    bool is_explained;
};

struct model_link {
    uint64_t link;
    struct bytes peer;
    bool opened;
    bool paused;
};

/* An operation, live or remembered. */
#define NOTICE_UNTOLD UINT64_MAX

/* A notice that waits for the journal. */
struct model_untold {
    struct bytes space;
    struct bytes key;
    uint64_t gen;
    enum notice_kind kind;
    uint64_t after;
};

struct model_op {
    struct bytes space;
    struct bytes key;
    uint64_t gen;
    enum state state;
    enum outcome outcome;
    struct cause cause;
    enum level level;
    uint64_t owner; /* a session; 0: none (any more) */
    struct bytes owner_name;
    struct bytes meta;
    uint64_t stored_ms;
    uint64_t ttl_end_ms; /* TIME_NEVER: no ttl */
    uint64_t stop_grace_ms;
    enum on_expiry on_expiry;
    enum on_owner_loss on_owner_loss;
    uint64_t ended_ms;
    uint64_t ended_order;
    bool is_out_of_memory;  /* too old, or one too many: only the want of an ack keeps it */
    uint64_t notice_cancel; /* its number; 0: none, or acknowledged; or NOTICE_UNTOLD */
    uint64_t notice_ended;
    uint64_t
        told_after; /* its owner hears of its cancel when that record is kept: of an arm's use */
    enum policy policy;
    uint64_t parent; /* 0: none (any more) */
    struct bytes labels[LABELS_MAX];
    size_t labels_count;
    uint64_t cancelled_ms;
    uint64_t cancelled_revision;
    uint64_t previous_session;
    uint64_t last_owner; /* of one that nobody owns */
    bool is_pending;     /* LIVE, under an ancestor that was cancelled: its turn will come */
    struct cause pending_cause;
    uint64_t pending_record;
    uint64_t pending_told_after;
    uint64_t record;  /* of the journal, that tells of its cancel; 0: none */
    bool is_recorded; /* in a record of its own */
    bool is_told;     /* somebody was told of its cancel by a cancel */
};

/* A cancel of many: a bulk cancel, a drain, or a cancel of the recovery time, that covers what is adopted. */
struct model_bulk {
    uint64_t number;
    enum bulk_scope scope;
    struct bytes space;
    struct bytes key;
    struct bytes label;
    uint64_t owner;
    uint64_t fence;
    uint64_t after_gen;
    struct cause cause;
    uint64_t record;
    uint64_t name; /* the registry's word for it, in the journal */
    bool is_drain;
    bool is_covering;  /* what is adopted later, too */
    bool is_recovered; /* of an earlier run */
    bool is_working;
    struct list targets; /* of struct model_target */
};

/* A cancel of an earlier run, that waits for its operation's owner. */
struct model_recovered {
    struct bytes space;
    struct bytes key;
    uint64_t gen;
    struct cause cause;
    bool is_finished; /* its owner ended it, and may end it again */
    bool is_adopted;
};

/* A namespace, a session or the daemon that takes no stores. */
struct model_drain {
    enum bulk_scope scope; /* SPACE, OWNER or DAEMON */
    struct bytes space;
    uint64_t owner;
    struct cause cause;
};

struct model_armed {
    struct bytes space;
    struct bytes key;
    struct cause cause;
    uint64_t end_ms;
    uint64_t record;
};

/* The record that the journal has to keep before a reply is given: which one is known within bounds. */
struct model_needs {
    uint64_t least;
    uint64_t most;
};

/* What is known of one request id. */
struct model_answer {
    uint64_t id;
    uint64_t digest;
    bool is_read;
    bool is_decided;
    bool is_passed; /* answered_below went past it while it was undecided */
    bool is_freed;  /* the client named it as answered */
    bool was_parked;
    bool is_crossed;  /* decided when answered_below went past it: the client may not have known */
    bool may_be_gone; /* so it is kept, unless its room was needed */
    bool is_open;     /* a list of many that was not seen: its order is not known */
    bool is_refused;  /* the journal failed: the reply is there, and was not given */
    struct model_needs needs; /* of one that is refused */
    size_t size;
    uint8_t *data; /* the encoded reply; NULL for none */
};

struct model_session {
    uint64_t number;
    uint8_t secret[SECRET_BYTES];
    struct bytes space;
    struct bytes name;
    uint64_t heartbeat_ms;
    uint64_t link; /* 0: not bound */
    uint64_t silence_end_ms;
    uint64_t silence_left_ms; /* while the link is paused */
    uint64_t grace_end_ms;
    uint64_t notices_last;
    uint64_t below;
    struct bytes peer; /* who opened it */
    struct list answers;
};

/* One gen of a parked cancel, as it last stood. */
struct model_target {
    struct gen_result result;
    bool no_owner;
    bool settled;
    bool was_without;    /* it had no owner for a while, and has one again */
    bool is_shared;      /* bulk: reached by this one, or by another at work with the same cause */
    bool was_reached;    /* bulk: it was LIVE, and its turn came */
    bool may_be_counted; /* bulk: it ended when it was CANCELLING: its turn may have come before */
    uint64_t record;
};

struct model_parked {
    enum op_kind kind;
    struct reply_to to;
    uint64_t session;
    uint64_t request_id;
    uint64_t deadline_ms;
    struct bytes space;
    struct bytes key;
    uint64_t gen;         /* wait */
    enum until until;     /* wait */
    enum outcome outcome; /* wait: of the gen, once it ended */
    struct cause cause;
    uint64_t after;     /* poll; watch: the revision */
    enum answer answer; /* cancel */
    enum level level;
    struct list targets;
    uint64_t bulk;         /* bulk cancel, drain: its number */
    enum bulk_scope scope; /* drain */
    uint64_t owner;        /* drain */
    bool has_time;         /* drain: it may be answered with the stragglers alone at the deadline */
    uint64_t ticket;       /* history */
    uint32_t items_max;
};

/* A reply that waits for the journal. */
struct model_held {
    struct reply_to to;
    struct reply_head head;
    struct bytes encoded; /* the heap's */
    struct model_needs needs;
    bool is_open; /* a session's operations were ending: how far it had come is not known yet */
    bool is_lost; /* its session has ended meanwhile */
};

struct model_request; /* one op of a frame: below */

struct model {
    struct registry_config config;
    struct model_port port;
    struct list links;
    struct list sessions;
    struct list ops; /* by rising gen */
    struct list armed;
    struct list parked;
    struct list numbers; /* every session number ever given */
    struct list bulks;
    struct list drains;
    struct list recovered;
    struct list adopted; /* gens, of an earlier run, that were ever adopted in this one */
    struct list events;  /* of struct model_event: all of this run */
    struct list held;
    struct list untold; /* in order */
    const struct list
        *observed;        /* of struct model_event: what the real one's watchers saw in this step */
    size_t observed_from; /* how many events there were before it */
    struct list *records; /* of struct model_record: those of this step */
    uint64_t records_given;
    uint64_t records_kept;
    uint64_t notices_kept; /* likewise, for notices that wait */
    bool arm_was_used;     /* by the last model_use_arm(), and not merely dropped */
    bool journal_has_failed;
    bool journal_is_full;
    uint64_t revision_base; /* of the events' numbers: as the real one counts */
    bool is_revision_known;
    bool is_watched;    /* somebody has asked: events are kept since */
    size_t unwatched;   /* the events before that */
    uint64_t gen_first; /* of this start */
    uint64_t recovery_end_ms;
    uint64_t bulks_given;
    uint64_t needs; /* the record that the reply at hand needs, beyond what its results say */
    uint64_t session_ending; /* its parked requests are decided, or refused, in any order */
    uint64_t history_ticket; /* that the real registry asked with in this step */
    bool history_is_refused;
    const char *complaint; /* what is wrong beyond the replies; NULL: nothing */
    uint64_t now_ms;
    uint64_t epoch;
    uint64_t counter;    /* the next gen's */
    uint64_t gen_newest; /* given out last */
    uint64_t ended_count;
    uint64_t dropped_until_ms; /* until then the memory is short of an entry */
    bool is_shut_down;
    struct arena arena;
};

struct model *model_new(const struct registry_config *config, const struct model_port *port);
void model_free(struct model *model);

bool model_link_up(struct model *model, uint64_t link, struct bytes peer);
/* Notices that waited for this record, or one before it, have their numbers now. */
void model_notices_journaled(struct model *model, uint64_t number);

void model_link_down(struct model *model, uint64_t link, uint64_t now_ms);
void model_link_paused(struct model *model, uint64_t link, bool paused, uint64_t now_ms);
bool model_link_opened(const struct model *model, uint64_t link);
void model_frame(struct model *model, const struct reply_to *from, const struct frame *frame,
                 uint64_t now_ms);

/* Does what a frame began and left to be done in steps, in the order in which the real registry did it, until so
 * many events of this step were; SIZE_MAX: all. Then answers who waited, if `settle`. */
void model_work(struct model *model, size_t events_max);

bool model_has_work(const struct model *model);

/* The next step of it, if that is what was observed. */
bool model_work_as_observed(struct model *model);

/* When something is due that somebody can see; TIME_NEVER for nothing. */
uint64_t model_next_ms(const struct model *model);

/* Does all that is due at now_ms, in the order of its time. */
void model_advance(struct model *model, uint64_t now_ms);

void model_shut_down(struct model *model);

#endif
