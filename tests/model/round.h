/* SPDX-License-Identifier: MIT */
/* One round: a registry and the model, given the same events, and their replies compared after each. */
#ifndef CANCELD_TESTS_MODEL_ROUND_H
#define CANCELD_TESTS_MODEL_ROUND_H

#include "model/coverage.h"
#include "model/lister.h"
#include "model/model.h"
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
    struct coverage *coverage;
    uint64_t step;
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

/* Compares what the two sent, and empties both outboxes. */
void round_compare(struct round *round);

/* A copy of the frame that lives in round->borrowed, bytes and all. */
struct frame round_borrowed_frame(struct round *round, const struct frame *frame);

#endif
