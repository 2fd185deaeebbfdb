/* SPDX-License-Identifier: MIT */
/* What the world does to a registry, made up from a seed: clients that open, store, cancel, lose their
 * connection, send again what they got no answer to, and now and then send nonsense.
 *
 * Where two things fall due in the same millisecond, their order is nobody's promise. So each kind of
 * deadline gets a place of its own in every 64 ms: all that sets a timer comes at a multiple of 64,
 * and a duration is a multiple of 64 and a little more, by its kind. */
#ifndef CANCELD_TESTS_MODEL_SCRIPT_H
#define CANCELD_TESTS_MODEL_SCRIPT_H

#include "model/list.h"
#include "model/model_parts.h"

#define SCRIPT_GRAIN_MS 64

/* How a round is played. */
struct script_mode {
    const char *name;
    struct limits limits; /* 0: as in every mode */
    uint64_t counter_first;
    unsigned keys_count;
    unsigned spaces_count;
    unsigned clients_max;
    unsigned burst_percent; /* of frames: hundreds of ops */
    unsigned burst_ops;     /* at most, and 40 */
    unsigned store_percent; /* of ops: stores beyond the usual */
    unsigned plain_percent; /* of stores: made plain, where most are whole by what they come with */
    unsigned bulk_percent;  /* of cancels, with groups: no key is their target; 0: the usual */
    unsigned answered_percent; /* of frames: say which answers may be forgotten */
    unsigned steps_percent;    /* of a round's usual steps; 0: all */
    bool one_client_a_link;    /* so that no two sessions ever end in the same millisecond */
    bool long_strings;
    bool trees;    /* parents */
    bool groups;   /* labels, bulk cancels, drains */
    bool watchers; /* of events */
    bool
        observed; /* somebody watches all the time, so that the order of what is done in steps is known */
    bool journal;
    bool is_slow; /* the journal: answers wait for it, and it fails */
    bool restarts;
    bool rights;
};

extern const struct script_mode script_modes[];
extern const size_t script_modes_count;

/* All the limits of a round of this mode. */
struct limits script_limits(const struct script_mode *mode);

struct script_link {
    uint64_t link;
    bool paused;
};

/* A frame that a client sent, or meant to send. */
struct script_sent {
    uint64_t id;
    uint64_t digest;
    struct op *ops; /* with their acks behind them */
    size_t ops_count;
    bool replied;
    bool named; /* the registry was told that it may forget the answer */
    bool mutating;
};

struct script_client {
    uint64_t number;
    uint8_t secret[SECRET_BYTES];
    unsigned slot;
    struct op open; /* as it was opened */
    uint64_t next_id;
    uint64_t notice_last;
    struct list sent; /* the last few */
};

struct script {
    const struct script_mode *mode;
    struct limits limits;
    struct model *model; /* read for what is there to aim at; never written */
    uint64_t random;
    uint64_t now_ms;
    bool is_bursting; /* so many stores that their ttls would meet: none gets one */
    uint64_t links_given;
    uint64_t digests_given;
    uint64_t routes_given;
    struct op probe;
    struct list links;
    struct list clients;
    struct list survivors;    /* of struct model_op: who may come back after the last restart */
    uint64_t snapshot_cursor; /* of the last snapshot that was not done */
    uint64_t snapshot_revision;
    struct bytes snapshot_space;
    struct arena arena;        /* of the event at hand */
    struct arena arena_before; /* of the one before */
};

struct script_request {
    struct reply_to from;
    struct frame frame;
    bool lost; /* it never arrives */
};

void script_init(struct script *script, const struct script_mode *mode, struct model *model,
                 uint64_t seed, uint64_t now_ms);
void script_fini(struct script *script);

/* A number below `below`. */
uint64_t script_below(struct script *script, uint64_t below);
bool script_percent(struct script *script, unsigned percent);

/* Makes up the next frame; false where there is no link to send one on. It lives until the next call. */
bool script_next_request(struct script *script, struct script_request *request);

/* A request about one key, by nobody in particular; false where there is no link for it. It lives until the
 * next call. */
bool script_probe(struct script *script, struct script_request *request);

/* The whole life of a link, as the script decided it. */
uint64_t script_link_added(struct script *script);
void script_link_removed(struct script *script, uint64_t link);
struct script_link *script_any_link(struct script *script);

/* Whether a session is bound to the link. */
bool script_link_carries_client(const struct script *script, uint64_t link);

/* A number that no client has: its heartbeat's place among the 64 ms. */
unsigned script_free_slot(const struct script *script);

/* Whether this link may go down now without two sessions ending in the same millisecond. */
bool script_may_go_down(const struct script *script, uint64_t link);

/* When the next moment is: small steps, jumps to, before and after the next deadline. */
uint64_t script_next_time(struct script *script);

/* Whether timers may be set at this time. */
bool script_is_aligned(const struct script *script);

/* A reply has arrived. */
void script_note_reply(struct script *script, const struct reply *reply);

/* Forgets clients whose sessions are gone, and takes over those that were opened. */
void script_sync(struct script *script);

struct bytes script_space(struct script *script, unsigned number);
struct reply_to script_route(struct script *script, uint64_t link, enum op_kind kind);

/* An op of any kind, for `client` (NULL: without a session). */
void script_op(struct script *script, const struct script_client *client, bool alone,
               struct op *op);

/* Whether each ttl that the ops would set ends in a millisecond of its own. */
bool script_ttls_are_apart(const struct script *script, const struct op *ops, size_t ops_count);

/* ---- script_group.c ---- */

struct labels script_labels(struct script *script);
struct labels script_selection(struct script *script);
struct labels script_bad_labels(struct script *script);
struct bytes script_label(struct script *script);
uint64_t script_parent(struct script *script, struct op *op);
void script_make_bulk(struct script *script, const struct script_client *client, struct op *op);

#define SCRIPT_MAKER(name)                                                                         \
    void script_make_##name(struct script *script, const struct script_client *client,             \
                            struct op *op)
SCRIPT_MAKER(drain);
SCRIPT_MAKER(watch);
SCRIPT_MAKER(adopt);
SCRIPT_MAKER(history);

/* The daemon starts again: links and clients are gone, the model is another. */
void script_restart(struct script *script, struct model *model);

/* A read of little effect, to fill a long frame with. */
void script_filler(struct script *script, struct op *op);

/* Whether a slow journal takes nothing now. What a reply says is not known while it is kept back: then nothing in
 * it may be open, as it is here. */
bool script_journal_refuses(const struct script *script);

/* Aims the op at a key and gen that there are, were, or never will be. */
void script_aim(struct script *script, struct op *op);

/* Makes one field of the op wrong. */
void script_spoil(struct script *script, struct op *op);

#endif
