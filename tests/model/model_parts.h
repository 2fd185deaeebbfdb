/* SPDX-License-Identifier: MIT */
/* What the files of the model need of each other, and whoever has to look into it: the script, that aims at what
 * is there, and the round, that compares. */
#ifndef CANCELD_TESTS_MODEL_MODEL_PARTS_H
#define CANCELD_TESTS_MODEL_MODEL_PARTS_H

#include "model/model.h"

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

/* Its owner, if it has one, has a notice of it: at once, or when op->told_after is kept. */
void model_notice_add(struct model *model, struct model_op *op, enum notice_kind kind);
void model_notice_drop(struct model *model, struct model_op *op, enum notice_kind kind);

/* Whose it is: of those that ended, only one that waits for an ack is still anybody's. */
uint64_t model_op_owner(const struct model_op *op);

/* Makes it CANCELLING, and its descendants wait for their turn; false where it was so before (the first cause
 * stays). `record`: of the journal. */
bool model_cancel(struct model *model, struct model_op *op, const struct cause *cause,
                  uint64_t record);

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

/* Whether its grace ends in this moment; of several such, which goes first is open. */
bool model_session_is_dying(const struct model *model, uint64_t number);

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

/* ---- model_tree.c ---- */

/* Those that wait for the cancelled op's sake. */
void model_mark_descendants(struct model *model, const struct model_op *op);
void model_cancel_pending(struct model *model, struct model_op *op); /* its turn has come */

/* The end of a parent: its children are roots; those that wait for an ancestor's sake go on waiting. */
void model_part_children(struct model *model, const struct model_op *parent);

struct model_op *model_find_gen(const struct model *model, uint64_t gen);

/* The cause that a child has from a parent with this one. */
struct cause model_cause_of_parent(const struct cause *cause);

/* ---- model_watch.c ---- */

void model_event(struct model *model, const struct model_op *op);
uint64_t model_revision(const struct model *model);

/* The end of an operation whose time is over by now, if that is what was observed. */
bool model_due_as_observed(struct model *model);

/* What the real registry did next in this step, NULL where that is not known. */
const struct model_event *model_observed(const struct model *model);

/* What the watcher is told now, or false where it has to wait. */
bool model_watch_result(struct model *model, const struct model_parked *watch, bool may_wait,
                        struct result *result);

/* ---- model_group.c ---- */

bool model_bulk_covers(const struct model_bulk *bulk, const struct model_op *op);
struct model_bulk *model_find_bulk(const struct model *model, uint64_t number);

/* The live op that a bulk cancel has to reach yet, for the event; NULL for none. */
struct model_bulk *model_bulk_for(const struct model *model, const struct model_event *event,
                                  struct model_target **target_out);
bool model_bulk_is_done(const struct model *model, const struct model_bulk *bulk);
bool model_bulk_result(struct model *model, const struct model_parked *parked,
                       struct result *result);
/* A drain that is still at work cancels it where it is adopted, before it comes to it by itself. */
void model_bulk_note_drained(struct model *model, const struct model_op *op,
                             const struct cause *cause);
void model_bulk_note_change(struct model *model, const struct model_op *op);

/* Whether there are too many, or, where the real registry said so, may be. */
bool model_bulks_are_full(struct model *model, bool was_seen);
struct model_bulk *model_add_bulk(struct model *model, const struct model_bulk *wanted);

/* Which of the targets that it shares with another it reached: as the real registry says. */
void model_bulk_follow(const struct model *model, struct model_bulk *bulk,
                       const struct result *seen);

/* All that it covers was reached. */
void model_bulk_finish(struct model *model, struct model_bulk *bulk);

/* Reaches a target. */
void model_bulk_reach(struct model *model, struct model_bulk *bulk, struct model_target *target);
bool model_cancel_bulk(struct model *model, struct model_request *request, const struct op *op,
                       struct result *result);

/* The drain that stops a store, or that an adopted op falls under; NULL for none. */
const struct model_drain *model_drain_of(const struct model *model, struct bytes space,
                                         uint64_t session, enum bulk_scope scope);
bool model_is_drained(const struct model *model, struct bytes space, uint64_t session);

/* What a drain is answered; false where it has to wait. */
bool model_drain_result(struct model *model, const struct model_parked *parked, bool is_late,
                        struct result *result);

/* ---- model_adopt.c ---- */

bool model_is_recovering(const struct model *model);

/* RECOVERING, for a gen of before this start that is neither live nor remembered. */
bool model_may_come(const struct model *model, uint64_t gen);
bool model_recovering(const struct model *model, struct result *result);

/* A cancel, a bulk cancel or an arm of an earlier run. */
void model_recover(struct model *model, const struct journal_record *record);

/* Whether the gen was adopted in this run and is forgotten by now. */
bool model_was_adopted(const struct model *model, uint64_t gen);

/* Its operation came back and has ended: nobody waits for it any more. */
void model_recovered_ended(struct model *model, const struct model_op *op);

/* The first cause of an earlier run for such an operation, NULL for none. */
const struct cause *model_recovered_cause(const struct model *model, const struct model_op *op);
bool model_is_idle(const struct model *model, bool *is_open_out);

/* ---- model_journal.c ---- */

/* The number of the record of this step that says so, which is explained with that; 0 for none, which is a
 * complaint where `must`. */
uint64_t model_record(struct model *model, const struct journal_record *wanted, bool must);
uint64_t model_record_cancel(struct model *model, const struct model_op *op,
                             const struct cause *cause, bool must);
void model_journal_kept(struct model *model, uint64_t number);
void model_journal_failed(struct model *model);

/* Whether the reply was kept back, or refused, for the journal's sake. */
bool model_hold(struct model *model, const struct reply_to *to, const struct reply *reply,
                struct bytes encoded);

/* After a step: complains of records that nothing explains. */
void model_records_done(struct model *model);
void model_held_forget(struct model *model, uint64_t session);

/* The answer of an id that was refused for the journal's sake is asked for again; false: it is to be given. */
bool model_hold_again(struct model *model, const struct reply_to *to, const struct frame *frame,
                      struct model_answer *answer);

/* Whether it was answered, or refused for the journal's sake, while nobody saw it: it is asked for again, and
 * that is the answer. */
bool model_held_repeat(struct model *model, const struct frame *frame, const struct reply_to *to);
void model_held_move(struct model *model, const struct frame *frame, const struct reply_to *to);

/* The name of the bound, where the journal takes no record now and the op needs one, or where the real one
 * said so and might; NULL: go on. */
const char *model_journal_limit(const struct model *model, const struct model_request *request,
                                bool needs_record);

/* A page of the history came. */
void model_history(struct model *model, uint64_t ticket, const struct history_entry *entries,
                   size_t entries_count, uint64_t next_cursor, bool failed);

/* ---- model_frame.c ---- */

/* In the model's arena. */
struct bytes model_encode(struct model *model, const struct reply *reply);

/* The id's answer has to wait, or, with `maybe`, may have waited. */
void model_answer_parked(struct model *model, const struct reply_head *head, bool maybe);

/* The id's answer is decided, and given; with `refused`, for the want of which records it was not. */
void model_answer_keep(struct model *model, const struct reply_head *head, struct bytes encoded,
                       const struct model_needs *refused);

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
MODEL_HANDLER(detach);
MODEL_HANDLER(watch);
MODEL_HANDLER(drain);
MODEL_HANDLER(undrain);
MODEL_HANDLER(adopt);
MODEL_HANDLER(history);

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

/* What list and count select. */
bool model_is_listed(const struct model_op *op, struct bytes space, const struct op *request);

/* The bound that a store or an adopt meets, NULL for none. */
const char *model_store_limit(const struct model *model, const struct model_request *request,
                              const struct op *op);

/* An operation of that gen, in its place among the others. */
struct model_op *model_add_op(struct model *model, const struct model_request *request,
                              const struct op *op, uint64_t gen);

/* Takes the arm of the op's key, if there is one: its cause, and true. `is_first`: it is what cancels the op. */
bool model_use_arm(struct model *model, const struct model_op *op, bool is_first,
                   struct cause *cause_out, uint64_t *record_out);

/* Whether the op may do it: by its namespace and who asks. */
bool model_is_allowed(const struct model *model, const struct model_request *request,
                      const struct op *op);

/* The cause that a caller's op brings, with the caller's peer. */
struct cause model_cause_of(const struct model_request *request, uint32_t code,
                            const struct cause *words);

bool model_is_text(struct bytes text, size_t size_max);

bool model_op_must_be_alone(const struct op *op);
bool model_op_is_mutating(const struct op *op);

/* The name of the first field that is out of its range, NULL for none. */
const char *model_bad_field(const struct model *model, const struct op *op);

/* That name, or another that the real registry may blame as well. */
const char *model_field_as_seen(const struct model *model, const struct op *op,
                                const struct result *seen, const char *field);

/* Sends a reply and, where its session may ask for it again, remembers it. */
void model_reply(struct model *model, const struct reply_to *to, const struct reply *reply);

#endif
