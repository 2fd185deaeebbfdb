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
};

struct model_link {
    uint64_t link;
    struct bytes peer;
    bool opened;
    bool paused;
};

/* An operation, live or remembered. */
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
    uint64_t notice_cancel; /* its number; 0: none, or acknowledged */
    uint64_t notice_ended;
};

struct model_armed {
    struct bytes space;
    struct bytes key;
    struct cause cause;
    uint64_t end_ms;
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
    struct list answers;
};

/* One gen of a parked cancel, as it last stood. */
struct model_target {
    struct gen_result result;
    bool no_owner;
    bool settled;
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
    uint64_t after;     /* poll */
    enum answer answer; /* cancel */
    enum level level;
    struct list targets;
};

struct model {
    struct registry_config config;
    struct model_port port;
    struct list links;
    struct list sessions;
    struct list ops; /* by rising gen */
    struct list armed;
    struct list parked;
    struct list numbers; /* every session number ever given */
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
void model_link_down(struct model *model, uint64_t link, uint64_t now_ms);
void model_link_paused(struct model *model, uint64_t link, bool paused, uint64_t now_ms);
bool model_link_opened(const struct model *model, uint64_t link);
void model_frame(struct model *model, const struct reply_to *from, const struct frame *frame,
                 uint64_t now_ms);

/* When something is due that somebody can see; TIME_NEVER for nothing. */
uint64_t model_next_ms(const struct model *model);

/* Does all that is due at now_ms, in the order of its time. */
void model_advance(struct model *model, uint64_t now_ms);

void model_shut_down(struct model *model);

/* ---- between the files of the model ---- */

struct model_link *model_find_link(const struct model *model, uint64_t link);
struct model_session *model_find_session(const struct model *model, uint64_t number);
struct model_op *model_find_op(const struct model *model, struct bytes space, struct bytes key,
                               uint64_t gen);
struct model_op *model_op_at(const struct model *model, size_t index);
bool model_op_is_live(const struct model_op *op);
bool model_op_is_of(const struct model_op *op, struct bytes space, struct bytes key);

/* The current gen of a key, or NULL. */
struct model_op *model_current(const struct model *model, struct bytes space, struct bytes key);

/* The newest remembered gen of a key above `above`, or NULL. */
struct model_op *model_newest_ended(const struct model *model, struct bytes space, struct bytes key,
                                    uint64_t above);

/* Whether it waits for the ack of its ENDED notice. */
bool model_op_is_pinned(const struct model_op *op);

/* Whose it is: of those that ended, only one that waits for an ack is still anybody's. */
uint64_t model_op_owner(const struct model_op *op);

/* Makes it CANCELLING; false where it was so before (the first cause stays). */
bool model_cancel(struct model *model, struct model_op *op, const struct cause *cause);

/* Ends it, answers who waits for that, and drops what memory has no room for: *op is stale then. */
void model_end(struct model *model, struct model_op *op, enum outcome outcome, bool by_owner);

/* Binds the session to the link: its grace is over, its silence begins anew. */
void model_bind_session(struct model *model, struct model_session *session, uint64_t link);

/* Ends a session: its operations go by on_owner_loss, its parked requests answer SESSION_LOST. */
void model_session_end(struct model *model, uint64_t number);

/* Drops what is too old, or too much, to be remembered. */
void model_memory_trim(struct model *model);

struct model_armed *model_find_armed(const struct model *model, struct bytes space,
                                     struct bytes key);

/* Answers each parked request that is decided: once a frame, or an event of time, is done with. So what
 * came and went within one frame wakes nobody, and a wait tells how things stand at its end. */
void model_settle(struct model *model);

/* Lets those who wait for the operation take down how it ended, before memory may lose it. */
void model_note_end(struct model *model, const struct model_op *op);

/* Brings the targets of a cancel up to date; true where none is left to wait for. */
bool model_targets_update(const struct model *model, struct model_parked *parked);

/* What a cancel answers as its targets now stand. */
void model_cancel_result(struct model *model, const struct model_parked *parked,
                         struct result *result);

/* The notices of a session above `after`, at most what the real registry sent of them. */
void model_notices(struct model *model, uint64_t session, uint64_t after, const struct reply *seen,
                   struct result *result);

/* What a wait answers now, or false where it has to go on. */
bool model_wait_result(const struct model *model, const struct model_parked *wait,
                       struct result *result);

/* The answer of a parked request that has no more time. */
void model_timed_out(struct model *model, size_t parked_index);

/* Answers the parked requests of a session that is no more; with `only_as_seen` leaves alone those that the
 * real registry answered otherwise. */
void model_lose_parked(struct model *model, uint64_t session, bool only_as_seen);

void model_parked_remove(struct model *model, size_t index);
size_t model_parked_count(const struct model *model, uint64_t session, uint64_t link);

/* One op of a frame. */
struct model_request {
    const struct reply_to *from;
    const struct frame *frame;
    uint64_t session; /* 0: none */
    uint64_t closed;  /* the session, once it was closed: it ends with the frame */
    struct bytes space;
    struct bytes peer;
    const struct reply *seen; /* the real registry's reply to the frame; NULL for none */
    size_t index;             /* of the op */
};

/* Applies one op; false where it was parked. */
bool model_apply(struct model *model, struct model_request *request, const struct op *op,
                 struct result *result);

/* The handlers of single ops, as in model_apply(). */
#define MODEL_HANDLER(name)                                                                        \
    bool model_handle_##name(struct model *model, struct model_request *request,                   \
                             const struct op *op, struct result *result)
MODEL_HANDLER(store);
MODEL_HANDLER(cancel);
MODEL_HANDLER(list);
MODEL_HANDLER(count);
MODEL_HANDLER(armed);
MODEL_HANDLER(disarm);

/* Sets the answer, or FULL of that bound; true, for a handler to return. */
bool model_answered(struct result *result, enum answer answer);
bool model_full(struct result *result, const char *limit);

/* The namespace that the op means. */
struct bytes model_space(const struct model_request *request, const struct op *op);

/* What the real registry answered to this op, or NULL. */
const struct result *model_seen(const struct model_request *request);

/* The bound of bytes or of namespaces, where the real registry saw one and could; NULL for none. Both can be
 * counted in more than one way. */
const char *model_full_as_seen(const struct model *model, const struct model_request *request,
                               struct bytes space);

/* The bound of parked requests that one more would break, NULL for none. */
const char *model_parked_full(const struct model *model, const struct model_request *request);

/* And that of the gens that parked requests wait for, where there are to be `more`. */
const char *model_gens_full(const struct model *model, const struct model_request *request,
                            size_t more);

struct model_parked model_parked_of(const struct model *model, const struct model_request *request,
                                    const struct op *op, uint64_t wait_ms);

/* Parks it; false, for a handler to return. */
bool model_park(struct model *model, const struct model_parked *parked);

/* The live operation of that gen; else NULL, and what there is to say: ENDED with its end, STALE_GEN,
 * NOT_FOUND or STALE_EPOCH. */
struct model_op *model_by_gen(const struct model *model, const struct model_request *request,
                              const struct op *op, struct result *result);

/* All that can be said of an operation. */
struct operation_info model_info(const struct model *model, const struct model_op *op);

bool model_op_must_be_alone(const struct op *op);
bool model_op_is_mutating(const struct op *op);

/* The name of the first field that is out of its range, NULL for none. */
const char *model_bad_field(const struct model *model, const struct op *op);

/* Sends a reply and, where its session may ask for it again, remembers it. */
void model_reply(struct model *model, const struct reply_to *to, const struct reply *reply);

#endif
