/* SPDX-License-Identifier: MIT */
/* One round: a registry and the model, given the same events, and their replies compared after each. */
#ifndef CANCELD_TESTS_MODEL_ROUND_H
#define CANCELD_TESTS_MODEL_ROUND_H

#include "model/coverage.h"
#include "model/lister.h"
#include "model/model_parts.h"
#include "model/script.h"

struct round_config {
    const struct script_mode *mode;
    uint64_t seed;
    uint64_t steps;
    uint64_t check_every; /* steps between two registry_check() */
    uint64_t trace_from;  /* the step from which events are printed; UINT64_MAX: none are */
};

struct round {
    const struct round_config *config;
    struct registry *registry;
    struct model *model;
    struct script script;
    struct lister lister;
    struct outbox theirs;  /* the real registry's replies of this step */
    struct outbox ours;    /* the model's */
    struct arena arena;    /* decoded replies of this step */
    struct arena borrowed; /* what the real registry may look at for the call alone */
    struct script_request probe;
    bool is_probed;
    struct list kept; /* of struct model_op: those that waited for an ack before this step */
    struct script_request mid; /* a frame that came in the middle of what an earlier one began */
    size_t mid_events;         /* what was observed before it */
    uint64_t mid_kept;         /* how many records the journal had before it */
    bool has_mid;
    bool may_have_mid;
    bool began_with_bulk; /* a frame's: its steps are small then, and something comes in between */
    uint64_t began_by_id; /* the request id, and the session, of the frame that began it */
    uint64_t began_by_session;

    /* the watcher of everything */
    struct list observed; /* of struct model_event: of this step */
    struct outbox observer;
    uint64_t observed_revision;
    bool is_observing;

    /* the journal */
    struct list records;  /* of struct model_record: of this step */
    struct list journal;  /* of struct model_record: all that a restart would find */
    struct list queries;  /* of struct round_query: asked, and not answered */
    struct arena forever; /* for what they borrow */
    uint64_t records_given;
    uint64_t records_kept;
    bool journal_is_full;
    bool history_is_refused;
    unsigned rights; /* rises when they change */
    struct coverage *coverage;
    uint64_t step;
    uint64_t epoch;
    uint64_t epoch_next;
    bool epoch_refused;
    bool failed;
};

/* Plays the round; false where the two disagreed, and then it has said so. */
bool round_play(const struct round_config *config, struct coverage *coverage, uint64_t *step_out);

/* ---- between the files of the round ---- */

__attribute__((format(printf, 2, 3))) void round_trace(const struct round *round,
                                                       const char *format, ...);
void round_trace_frame(const struct round *round, const struct script_request *request);

void round_trace_record(const struct round *round, const struct model_record *record);
void round_print_record(const struct model_record *record);

/* Compares what the two sent, and empties both outboxes. */
void round_compare(struct round *round);

__attribute__((format(printf, 2, 3))) void round_fail(struct round *round, const char *format, ...);

/* Gives the frame to the registry, which may look at it for the call alone. */
void round_their_frame(struct round *round, const struct script_request *request);

/* ---- round_check.c ---- */

void round_check_links(struct round *round);

/* Rows of `stats`, and whether it calls itself idle. */
void round_check_counts(struct round *round);

/* ---- round_watch.c ---- */

#define ROUND_OBSERVER_LINK UINT64_C(0xffffffffff)

void round_observer_up(struct round *round);

/* Takes down what watchers of every namespace are told by now. */
void round_observe(struct round *round);

/* Whether the model did the same; then the step's events and records are done with. */
void round_check_step(struct round *round);

/* ---- round_journal.c ---- */

struct round_query {
    uint64_t ticket;
    struct history_query query;
};

/* The registry's port for a journal and for rights, and the model's. */
void round_add_ports(struct round *round, struct registry_port *theirs, struct model_port *ours);

/* Tells the registry that all is kept, where the journal is a fast one. */
void round_keep_all(struct round *round);

/* An event of the journal's own: something is kept, or fails; a page of history comes. */
void round_journal_event(struct round *round);
void round_change_rights(struct round *round);
struct registry_config round_registry_config(const struct round *round, uint64_t epoch,
                                             uint64_t counter_first, uint64_t recovery_ms);
void round_new_pair(struct round *round, const struct registry_config *config);

/* ---- round_restart.c ---- */

/* kill -9, and a new start. */
void round_restart(struct round *round);

/* A copy of the frame that lives in round->borrowed, bytes and all. */
struct frame round_borrowed_frame(struct round *round, const struct frame *frame);

#endif
