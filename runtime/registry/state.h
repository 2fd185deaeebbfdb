/* SPDX-License-Identifier: MIT */
/* Inside the registry: the state of one, and what its files do for each other. Not for other layers.
 */
#ifndef CANCELD_REGISTRY_STATE_H
#define CANCELD_REGISTRY_STATE_H

#include "registry/direct.h"
#include "registry/record.h"

struct registry {
    struct limits limits;
    struct registry_port port;
    struct siphash_key table_key;
    struct region secret_key; /* a siphash_key; hidden, as the sessions are for their secrets */
    uint64_t secrets_made;
    uint64_t epoch;
    uint64_t epoch_first; /* of the start: watchers' */
    uint64_t gen_first;   /* of the start: a gen below is an earlier one */
    uint64_t started_ms;
    uint64_t recovery_end_ms; /* 0: there is none, or it is over */
    uint64_t rights_version;
    uint64_t journal_number; /* of the last record given */
    uint64_t journal_kept;   /* of the last record kept */
    uint64_t bulk_id;        /* of the last one */
    uint64_t ticket;         /* of the last history asked for */
    bool journal_failed;
    uint64_t counter_next;
    uint64_t gen_newest;
    uint64_t now_ms;
    uint64_t due_ms; /* the time of the advance that goes on */
    bool shut_down;

    struct slab spaces, keys, operations, causes, notices, armed, sessions, remembered, parked,
        ties, links, labels, label_uses, bulks, drains, recovered, held;
    struct hash_index spaces_by_name, adopted_by_gen, sessions_by_number, remembered_by_id,
        links_by_address, labels_by_name, recovered_by_gen, operations_by_parent, bulks_by_target;
    struct byte_heap bytes;       /* keys and meta */
    struct byte_heap cause_bytes; /* sized so that no cancel is refused for its text */
    struct byte_heap reply_bytes;
    struct byte_heap held_bytes;
    struct watch_ring watch;
    struct timer_heap timers;

    struct packed plain; /* of struct plain */
    struct line_map by_key;
    struct radix_tree
        by_number; /* every gen of this start, less gen_first; PLAIN_BIT: a plain one */
    struct wheel plain_timers;
    struct births births;
    struct region
        plain_values;        /* of struct direct_value, beside the records; empty: there are none */
    size_t plain_values_end; /* bytes of the values that may hold memory */
    uint32_t plain_keys;
    uint32_t adopted_count; /* operations of an earlier gen */

    struct chain_ends memory;  /* ended operations, first ended first; PLAIN_BIT: a plain one */
    struct chain_ends settle;  /* operations whose ties have to be looked at */
    struct chain_ends polls;   /* sessions whose poll can be answered */
    struct chain_ends dying;   /* sessions whose operations have to go */
    struct chain_ends bans;    /* operations whose children have to be looked at */
    struct chain_ends running; /* bulks that walk: BULKS_AT_ONCE at the most */
    struct chain_ends bulks_waiting;  /* and those that will, where one of the others is done */
    struct chain_ends bulks_all;      /* of BULK_DAEMON */
    struct chain_ends drains_waiting; /* drains that are waited for */
    struct chain_ends watched;        /* namespaces whose watchers can be answered */
    struct chain_ends unacknowledged; /* cancels, in the order of their cancel */
    struct chain_ends holding;        /* answers, in order */
    struct chain_ends untold;         /* notices that wait for the journal, in order */
    uint32_t covers_count;            /* bulks that are lasting */
    uint32_t recovered_finished;      /* of recovered: those that are finished */
    uint32_t drain_cause;             /* while the daemon is drained; 0: it is not */
    bool drains_due;                  /* one of them may be over */
    uint32_t drains_left;             /* those at the front that have to be looked at */
    uint64_t ban_number;              /* the last one given: see tree.c */
    uint64_t whole_number;            /* likewise: see bulk_run.c */
    uint64_t adoption_number;         /* likewise: see tree_parent_gen() */
    uint32_t bans_walk_left;          /* detach: ancestors that this frame may still look at */

    uint32_t direct_session;      /* 0: there is none */
    uint64_t memory_gap_until_ms; /* until then an arm could poison: see cancel.c */
    uint64_t remembered_bytes;
    uint32_t marks_count;
    uint32_t operations_counted;
    uint32_t links_opened;
    uint32_t states[STATE_END];
    struct counters counters;

    uint8_t reply[FRAME_BYTES_MAX];      /* of the frame being applied */
    uint8_t late_reply[FRAME_BYTES_MAX]; /* of a parked request, maybe meanwhile */
    uint8_t refusal[256];                /* of an answer that the journal did not keep */
    struct gen_result gens[KEY_GENS_MAX];
    struct notice notice_items[NOTICES_MAX];
    struct operation_info info_items[PAGE_ITEMS_MAX];
    struct armed_key armed_items[PAGE_ITEMS_MAX];
    struct event event_items[PAGE_ITEMS_MAX];
    struct stat_row stat_items[STATS_MAX];
};

/* ---- look-ups of records (inline: they are everywhere) ---- */

#define RECORD_AT(type, name, table)                                                               \
    static inline struct type *name(const struct registry *r, uint32_t index)                      \
    {                                                                                              \
        return slab_at(&r->table, index);                                                          \
    }
RECORD_AT(space, space_at, spaces)
RECORD_AT(key, key_at, keys)
RECORD_AT(operation, operation_at, operations)
RECORD_AT(kept_cause, cause_at, causes)
RECORD_AT(notice_record, notice_at, notices)
RECORD_AT(armed, armed_at, armed)
RECORD_AT(session, session_at, sessions)
RECORD_AT(remembered, remembered_at, remembered)
RECORD_AT(parked, parked_at, parked)
RECORD_AT(tie, tie_at, ties)
RECORD_AT(link, link_at, links)
RECORD_AT(label, label_at, labels)
RECORD_AT(label_use, label_use_at, label_uses)
RECORD_AT(bulk, bulk_at, bulks)
RECORD_AT(drain, drain_at, drains)
RECORD_AT(recovered, recovered_at, recovered)
RECORD_AT(held, held_at, held)
#undef RECORD_AT

/* Time never goes back here, though registry_advance() may be 1 ms behind. */
static inline void note_time(struct registry *r, uint64_t now_ms)
{
    r->now_ms = now_ms > r->now_ms ? now_ms : r->now_ms;
}

/* The chain of the named member, for the chain_* functions of chain.c. */
struct chain_of {
    const struct slab *slab;
    size_t offset;
};

#define CHAIN(r, table, type, member)                                                              \
    ((struct chain_of){&(r)->table, offsetof(struct type, member)})

void chain_append(struct chain_of of, struct chain_ends *ends, uint32_t index);
void chain_prepend(struct chain_of of, struct chain_ends *ends, uint32_t index);
void chain_insert_after(struct chain_of of, struct chain_ends *ends, uint32_t after,
                        uint32_t index); /* after 0: at the front */
uint32_t chain_previous(struct chain_of of, uint32_t index);
void chain_remove(struct chain_of of, struct chain_ends *ends, uint32_t index);
void chain_check(struct chain_of of, const struct chain_ends *ends);

/* ---- the frame being applied ---- */

struct request {
    struct registry *r;
    const struct reply_to *from;
    const struct frame *frame;
    uint32_t link;
    uint32_t session;    /* 0: none */
    uint32_t remembered; /* of this very id: a read that is evaluated again; 0: none */
    uint32_t space;      /* of the op at hand, 0 where it does not exist yet */
    struct bytes space_name;
    size_t used; /* of r->reply */
    size_t room;
    size_t ops_left;   /* after the one at hand */
    bool exhausted;    /* no room for a result: this op and all later ones are not applied */
    bool parked;       /* the answer comes later */
    bool closing;      /* a close was among the ops */
    bool tells_newest; /* an answer waits for the newest record there is then */
    bool op_told;      /* the op at hand has said by request_told() what it tells of */
    uint64_t told;     /* else: for this one */
    uint64_t walked;   /* operations that counts have looked at */
    struct principal principal; /* open: whose session it is to be */
    struct result *direct;      /* a direct op: where its result goes, unencoded; NULL: a frame's */
    struct direct_value value;  /* of a direct store */
    size_t hashed_from;         /* ops of the frame whose keys are hashed: see plain_prefetch() */
    size_t hashed_end;
    uint64_t hashes[PLAIN_BATCH];
};

/* One op of a frame, or a direct one: checks it, and does it. */
void request_serve(struct request *q, const struct op *op);

/* Encodes a result; false where it does not fit: then nothing may be applied. */
MUST_CHECK bool request_put(struct request *q, const struct result *result);

/* The same where nothing is to be applied: reads and refusals. */
void request_tell(struct request *q, const struct result *result);

/* The same for answers that need no more than their name, or a limit's. */
MUST_CHECK bool request_answer(struct request *q, enum answer answer);
void request_full(struct request *q, const char *limit);
void request_field_error(struct request *q, const char *field, const char *text);
void request_refuse(struct request *q, const struct error *error); /* this op alone */

/* The op at hand tells of this cause, and of no other that is not said so: its answer waits for the
 * cause's record. An op that tells of a cancel and does not say of which waits for the newest record.
 */
void request_told(struct request *q, uint32_t cause);
void request_waits(struct request *q, uint64_t journal_number); /* at the least for that record */
/* Whether a result of so many bytes fits; where not, nothing may be applied. For what has to be applied
 * before its answer is known. */
MUST_CHECK bool request_has_room(struct request *q, size_t bytes);

/* ---- the files, one block each ---- */

/* space.c */
struct bytes space_name(const struct registry *r, uint32_t space);
uint32_t space_find(const struct registry *r, struct bytes name);
uint32_t space_take(struct registry *r,
                    struct bytes name); /* finds or makes, +1 reference; 0: full */
void space_give(struct registry *r, uint32_t space);
struct space_limits space_limits_of(const struct registry *r, uint32_t space, struct bytes name);

/* key.c */
uint64_t key_hash(const struct registry *r, uint32_t space, struct bytes name);
uint64_t key_hash_in(uint32_t space, uint64_t hash); /* of the name alone */
struct bytes key_name(const struct registry *r, uint32_t key);
uint32_t key_find(struct registry *r, uint32_t space,
                  struct bytes name); /* plain operations of it become whole ones */
uint32_t key_look(const struct registry *r, uint32_t space, struct bytes name); /* they do not */
uint32_t key_make(struct registry *r, struct bytes space, struct bytes name); /* room was checked */
uint32_t key_make_in(struct registry *r, uint32_t space,
                     struct bytes name); /* one that is not there */
uint32_t key_make_of(struct registry *r, uint32_t space, struct kept_bytes name,
                     uint64_t hash); /* the same; the name is the key's from now on */
void key_release(struct registry *r, uint32_t key);           /* frees it where nothing holds it */
bool key_takes_plain(const struct registry *r, uint32_t key); /* see plain.h */
void key_add_ended(struct registry *r, uint32_t key, uint32_t operation);
void key_remove_ended(struct registry *r, uint32_t key, uint32_t operation);
uint32_t key_newest_ended(const struct registry *r, uint32_t key);
uint64_t key_highest_gen(const struct registry *r, uint32_t key);
const char *key_full(const struct registry *r, struct bytes space, struct bytes name,
                     size_t more_bytes); /* the limit that making it would pass; NULL: none */

/* cause.c */
uint32_t cause_keep(struct registry *r, const struct cause *cause); /* one reference */
uint32_t cause_share(struct registry *r, uint32_t cause); /* one reference more; 0 stays 0 */
void cause_give(struct registry *r, uint32_t cause);
struct cause cause_get(const struct registry *r, uint32_t cause); /* 0: an unset one */

/* operation.c */
uint32_t operation_promoted(struct registry *r, uint32_t key, const struct operation *from);
/* The id of a gen: of a whole operation, or of a plain one with PLAIN_BIT; 0: it is not there. Of
 * earlier gens: the first, and the next with the same gen. */
uint32_t operation_id(const struct registry *r, uint64_t gen);
uint32_t operation_id_next(const struct registry *r, uint32_t id);
uint32_t operation_make(struct registry *r, uint32_t key, uint32_t owner);
uint32_t operation_find(const struct registry *r, uint32_t key, uint64_t gen);
uint32_t operation_in_space(struct registry *r, uint32_t space, uint64_t gen);   /* made whole */
uint32_t operation_look(const struct registry *r, uint32_t space, uint64_t gen); /* whole, or 0 */
void operation_cancel(struct registry *r, uint32_t operation, uint32_t cause);
void operation_end(struct registry *r, uint32_t operation, enum outcome outcome, bool by_owner);
void operation_lose_owner(struct registry *r, uint32_t operation);
void operation_take_turn(struct registry *r, uint32_t operation); /* where its owner is dying */
void operation_delivered(struct registry *r, uint32_t operation);
void operation_release(struct registry *r,
                       uint32_t operation); /* frees it where nothing holds it */
void operation_ttl_set(struct registry *r, uint32_t operation, uint64_t ttl_ms);
void operation_ttl_replan(struct registry *r, uint32_t operation); /* on_expiry or grace is new */
void operation_expire(struct registry *r, uint32_t operation);
struct operation_info operation_describe(const struct registry *r, uint32_t operation);
void operation_own(struct registry *r, uint32_t operation,
                   uint32_t session); /* of one without an owner */
uint32_t operation_make_of(struct registry *r, uint32_t key, uint32_t owner,
                           uint64_t gen); /* under a gen of an earlier start */
uint64_t gen_next(struct registry *r);    /* 0: no epoch to be had */

/* The registry's answer to "by key and gen": see the contract. */
struct found {
    uint32_t key;       /* 0: unknown */
    uint32_t operation; /* live or remembered; 0: see answer */
    enum answer answer; /* STALE_EPOCH, STALE_GEN, NOT_FOUND or RECOVERING where operation is 0 */
    uint64_t gen;       /* STALE_GEN */
};
struct found find_by_gen(struct request *q, const struct op *op);
struct found find_known(struct request *q, const struct op *op); /* the same, never RECOVERING */
void request_tell_found(struct request *q, const struct found *found); /* where operation is 0 */
uint32_t find_live(struct request *q,
                   const struct op *op); /* finish.c: where it is not live, 0, and it is answered */
struct found find_newest(struct request *q,
                         const struct op *op); /* current, else newest remembered */
struct found find_key(struct request *q,
                      const struct op *op); /* those whose owner died are ended */

/* notice.c */
void notice_add(struct registry *r, uint32_t operation, enum notice_kind kind);
void notice_drop(struct registry *r, uint32_t operation, enum notice_kind kind);
void notice_acknowledge(struct registry *r, uint32_t session, const struct notice_ack *ack);
void notices_journaled(struct registry *r); /* those that waited for what is kept by now go out */
void serve_poll(struct request *q, const struct op *op);
void polls_answer(struct registry *r, uint32_t *budget);
void poll_answer_empty(struct registry *r, uint32_t parked);

/* memory.c: the finished memory. An id is an operation, or with PLAIN_BIT a plain one. */
void memory_add(struct registry *r, uint32_t id);
void memory_replace(struct registry *r, uint32_t from_id, uint32_t to_id);
void memory_moved(struct registry *r, uint32_t id); /* the record is at this place now */
void memory_dropped_early(struct registry *r,
                          uint64_t over_ms); /* it would have been kept so long */
void check_memory(const struct registry *r);
void memory_expire(struct registry *r, uint32_t *budget);
uint64_t memory_next_ms(const struct registry *r);

/* armed.c */
uint32_t armed_make(struct registry *r, uint32_t key, uint32_t cause, uint64_t ttl_ms);
void armed_free(struct registry *r, uint32_t armed);
void serve_armed(struct request *q, const struct op *op);
void serve_disarm(struct request *q, const struct op *op);

/* parked.c */
/* answer_bytes: what the answer may need that has to be remembered; 0 for a read. */
uint32_t park(struct request *q, enum op_kind kind, uint64_t deadline_ms, size_t answer_bytes);
bool park_has_room(struct request *q, size_t ties_count, size_t answer_bytes); /* else: answered */
void park_tie(struct registry *r, uint32_t parked, uint32_t operation, enum answer answer);
void parked_free(struct registry *r, uint32_t parked);
void parked_refuse(struct registry *r, uint32_t parked, enum error_code code);
void parked_answer(struct registry *r, uint32_t parked, const struct result *result);
void parked_expire(struct registry *r, uint32_t parked);
void parked_settle(struct registry *r, uint32_t *budget);
void operation_settle(struct registry *r, uint32_t operation); /* puts it on the queue */

/* remembered.c: request ids */
uint32_t remembered_find(const struct registry *r, uint32_t session, uint64_t request_id);
uint32_t remembered_make(struct registry *r, uint32_t session, const struct frame *frame,
                         uint32_t charge);
bool remembered_grow(struct registry *r, uint32_t remembered,
                     uint32_t bytes); /* room for more of the answer; false where there is none */
void remembered_set(struct registry *r, uint32_t remembered, struct bytes reply);
void remembered_free(struct registry *r, uint32_t remembered);
void remembered_parked(struct registry *r, uint32_t remembered, uint32_t parked);
void remembered_decided(struct registry *r, uint32_t remembered); /* no longer parked */
void remembered_answered(struct registry *r, uint32_t session, const struct frame *frame);
bool remembered_give_way(struct registry *r, uint32_t session); /* whether there is more room now */
uint64_t remembered_room(const struct registry *r, uint32_t session);
const char *remembered_limit(const struct registry *r, uint32_t session);

/* session.c */
uint32_t session_find(const struct registry *r, uint64_t number);
void session_bind(struct registry *r, uint32_t session, uint32_t link);
bool session_secret_is(const struct session *session, struct bytes secret);
void session_heard(struct registry *r, uint32_t session);
void session_expire(struct registry *r, uint32_t session, uint64_t now_ms);
void session_die(struct registry *r, uint32_t session);
void sessions_bury(struct registry *r, uint32_t *budget);
void serve_open(struct request *q, const struct op *op);
void serve_close(struct request *q, const struct op *op);

/* session.c: links */
uint32_t link_find(const struct registry *r, uint64_t address);

/* label.c: the labels of an operation. Every change of its state tells them. */
const char *labels_full(const struct registry *r, struct bytes space, struct labels labels);
size_t labels_bytes(const struct registry *r, struct bytes space,
                    struct labels labels); /* that keeping them takes of `bytes` */
void labels_keep(struct registry *r, uint32_t operation, struct labels labels);
void labels_state(struct registry *r, uint32_t operation, enum state from, enum state to);
void labels_free(struct registry *r, uint32_t operation);
bool labels_match(const struct registry *r, uint32_t operation, struct labels labels);
uint32_t label_find(const struct registry *r, uint32_t space, struct bytes name);
struct bytes label_name(const struct registry *r, uint32_t label);
uint32_t label_take(struct registry *r, struct bytes space,
                    struct bytes name); /* finds or makes, +1 reference; room was checked */
void label_give(struct registry *r, uint32_t label);

/* bulk_serve.c: a cancel whose target is no key */
void serve_bulk(struct request *q, const struct op *op);
bool bulk_is(const struct op *op);                                  /* of a cancel */
struct result bulk_describe(struct registry *r, struct bulk *bulk); /* its gens: r->gens */

/* bulk.c */
uint32_t bulk_start(struct request *q, const struct journal_record *selector,
                    const struct cause *cause); /* room was checked */
uint32_t bulk_cover(struct request *q, uint32_t key, uint64_t after_gen,
                    uint32_t cause); /* a keyed cancel of the recovery time */
bool bulk_recover(struct registry *r, const struct journal_record *record);
/* The cause of the earliest bulk that covers an operation that is being adopted; 0: none. `earlier`: of those of an
 * earlier run, else of those of this one. */
uint32_t bulk_cause_for(const struct registry *r, uint32_t operation, uint64_t previous_session,
                        bool earlier);
/* It leaves the chain of its namespace (BULK_SPACE) or of its owner (BULK_OWNER): cursors go on. */
void bulk_passes(struct registry *r, uint32_t operation, enum bulk_scope chain);
void bulk_use_passes(struct registry *r, uint32_t label_use);
/* It became whole, and stands in its chains: a walk that would begin right behind it begins with it. */
void bulk_meets(struct registry *r, uint32_t operation);
void bulk_session_passes(struct registry *r, uint32_t session); /* out of its namespace's chain */
void bulk_records(struct registry *r, uint32_t bulk,
                  uint32_t operation); /* on its own, where the bulk's record would not find it */
void bulk_counts(struct registry *r, uint32_t bulk,
                 uint32_t operation);                     /* cancelled with its cause */
void bulk_cause_gone(struct registry *r, uint32_t bulk);  /* no operation has its cause any more */
void bulk_parked_gone(struct registry *r, uint32_t bulk); /* nobody waits for it any more */
void bulks_step(struct registry *r, uint32_t *budget);
bool covers_are_full(const struct registry *r); /* no more may wait for what is adopted later */
const char *bulk_full(const struct registry *r, const struct journal_record *selector);

/* bulk_run.c */
void bulk_run(struct registry *r, uint32_t bulk);
void bulk_done(struct registry *r, uint32_t bulk); /* bulk.c: it has walked to its end */
void check_bulk_runs(const struct registry *r);

/* drain.c */
void serve_drain(struct request *q, const struct op *op);
void serve_undrain(struct request *q, const struct op *op);
uint32_t drain_cause_of(const struct registry *r, uint32_t space, uint32_t session); /* 0: none */
uint32_t drain_cause_of_session(const struct registry *r, uint32_t space,
                                uint32_t session);             /* of its own drain alone */
void drain_session_gone(struct registry *r, uint32_t session); /* it has no operation any more */
void drain_parked_gone(struct registry *r, uint32_t drain);
void drain_bulk_done(struct registry *r, uint32_t bulk);
void drain_describe(struct registry *r, uint32_t parked,
                    struct result *result); /* at the deadline */
void drains_answer(struct registry *r, uint32_t *budget);

/* tree.c: parents and children. */
enum answer tree_check(struct request *q, const struct op *op, struct result *result);
void tree_tie(struct registry *r, uint32_t operation, uint64_t parent_gen);
uint32_t tree_birth_cause(struct request *q, uint64_t parent_gen); /* a reference; 0: none */
void tree_adopted(struct registry *r, uint32_t operation);         /* children that wait for it */
void tree_cancelled(struct registry *r, uint32_t operation);
void tree_ended(struct registry *r, uint32_t operation);
void tree_free(struct registry *r, uint32_t operation); /* the operation goes */
bool tree_holds(const struct registry *r, uint32_t operation);
uint64_t tree_parent_gen(const struct registry *r, uint32_t operation); /* as it is shown */
void tree_step(struct registry *r, uint32_t *budget);
void serve_detach(struct request *q, const struct op *op);

/* watch.c */
bool watch_init(struct registry *r);
void watch_fini(struct registry *r);
void watch_note(struct registry *r, uint32_t operation); /* its state is new */
void watch_note_plain(struct registry *r, uint32_t index);
void watch_parked_gone(struct registry *r, uint32_t parked);
void watch_answer_empty(struct registry *r, uint32_t parked);
void watchers_answer(struct registry *r, uint32_t *budget);
void serve_watch(struct request *q, const struct op *op);

/* unacknowledged.c: cancels that their owner has not acknowledged, and how long it all takes. */
void unacknowledged_add(struct registry *r, uint32_t operation);
void unacknowledged_remove(struct registry *r, uint32_t operation);
void histogram_add(uint64_t buckets[HISTOGRAM_BUCKETS], uint64_t ms);

/* journal.c: records, and the answers that wait for them. */
void journal_cancel(struct registry *r, uint32_t operation); /* where it is not recorded yet */
void journal_end(struct registry *r, uint32_t operation, bool by_owner);
void journal_arm(struct registry *r, uint32_t armed, uint64_t ttl_ms);
void journal_arm_used(struct registry *r, uint32_t armed, uint32_t operation);
void journal_arm_gone(struct registry *r, uint32_t armed);
void journal_bulk(struct registry *r, uint32_t bulk);
void journal_bulk_done(struct registry *r, uint32_t bulk);
void journal_bulk_settled(struct registry *r, uint32_t bulk);
bool journal_is_full(const struct registry *r); /* nothing may be done that has to be recorded */
/* It cannot take more for the moment: work that gives records and may rest does so. */
bool journal_is_behind(const struct registry *r);
bool journal_is_there(const struct registry *r);
/* A reply on its way out. */
struct outgoing {
    const struct reply_to *to;
    struct reply_head head; /* its own, for a refusal in its place */
    struct bytes reply;
    uint64_t journal_number; /* the record that it has to wait for; 0: it tells of no cancel */
    uint32_t remembered;     /* where it is kept for a repeat; 0: nowhere */
};

/* Sends it, or holds it back until the journal has what it tells of. */
void reply_send(struct registry *r, const struct outgoing *out);
bool result_tells(const struct result *result);

/* history.c */
void serve_history(struct request *q, const struct op *op);
void history_late(struct result *result); /* the journal did not answer in time */

/* adopt.c and recovery.c */
void serve_adopt(struct request *q, const struct op *op);
bool is_recovering(const struct registry *r);
bool is_earlier(const struct registry *r, uint64_t gen);
void request_recovering(struct request *q);
uint32_t recovery_retry_ms(const struct registry *r);
/* The cause of an earlier run's cancel of that very operation, or 0; and it is here by now. */
uint32_t recovered_cause(const struct registry *r, uint32_t operation);
void recovered_take(struct registry *r, uint32_t operation);
/* The same of any operation of the namespace with that gen: a parent that is not here yet. */
uint32_t recovered_cause_in(const struct registry *r, struct bytes space, uint64_t gen);
void recovery_expire(struct registry *r, uint64_t now_ms);

/* right.c: who asks, and whether it may. */
void principal_set(struct principal *principal, struct bytes name);
struct bytes principal_name(const struct principal *principal);
bool request_may(struct request *q, const struct op *op);
struct bytes request_peer(const struct request *q); /* for the cause */

/* the other handlers */
void serve_store(struct request *q, const struct op *op);
/* What a store or an adopt says of the operation: how it ends; and what is kept with it, for which there
 * has to be room. */
void store_fields(struct registry *r, uint32_t operation, const struct op *op);
void store_belongings(struct registry *r, uint32_t operation, const struct op *op);
const char *store_full(struct request *q, const struct op *op, uint32_t key);
void serve_cancel(struct request *q, const struct op *op);
void serve_delete(struct request *q, const struct op *op);
void serve_touch(struct request *q, const struct op *op);
void serve_wait(struct request *q, const struct op *op);
void serve_get(struct request *q, const struct op *op);
void serve_list(struct request *q, const struct op *op);
/* query.c: pages. What of a reply's room the items of a page may take, and one more of them, in
 * r->info_items; false where it has no room. */
size_t page_room(size_t room);
bool page_add(struct registry *r, struct result *page, size_t *room, uint32_t id);
/* A walk over every operation, live or remembered, that may be left and taken up again: each call is one
 * look. *id_out: PLAIN_BIT is set for a plain one; 0: nothing there. False, and a cursor of 0, at the
 * end. One that stays is met just once, though records move and plain ones become whole. */
bool table_look(const struct registry *r, uint64_t *cursor, uint32_t *id_out);
void serve_count(struct request *q, const struct op *op);
void serve_ping(struct request *q, const struct op *op);
void serve_stats(struct request *q, const struct op *op);

/* cancel.c: what a parked cancel answers now */
void cancel_describe(struct registry *r, uint32_t parked, struct result *result);
/* The canceller's word, and ours for who it is. */
struct cause cancel_cause(const struct request *q, const struct op *op);
/* wait.c */
void wait_describe(const struct registry *r, uint32_t operation, enum until until,
                   struct result *result);

/* stats.c: a request met the bound of that name. */
void limit_reached(struct registry *r, const char *limit);

/* Every invariant of a file's own: registry_check() calls them. */
void check_labels(const struct registry *r);
void check_bulks(const struct registry *r);
void check_drains(const struct registry *r);
void check_unacknowledged(const struct registry *r);
void check_tree(const struct registry *r);
void check_watch(const struct registry *r);
void check_held(const struct registry *r);
void check_untold(const struct registry *r);

/* check_op.c: the fields of an op; an error with its field where one is out of range */
struct error op_check(const struct registry *r, const struct op *op);
struct error labels_check(struct labels labels);
bool op_ttl_is_good(uint32_t ttl_ms); /* one that is given: not 0 */

#include "registry/plain_work.h"

#endif
