/* SPDX-License-Identifier: MIT */
/* The insides of `cancelctl run`: its state, and what it says on standard error. */
#ifndef CANCELD_CLI_RUN_H
#define CANCELD_CLI_RUN_H

#include "arguments.h"
#include "child.h"
#include "exit_code.h"
#include "signals.h"

#include <canceld/client.h>

#include <stdbool.h>
#include <stdint.h>

struct run {
    const struct arguments *arguments;
    struct canceld_client *client;       /* NULL: nobody can cancel it */
    struct canceld_operation *operation; /* likewise */
    struct signals signals;
    struct child child;
    bool is_cancelled;      /* it was sent the signal before it ended */
    bool is_given_up;       /* SIGKILL did not end all of the group */
    uint64_t kill_at_ms;    /* 0: not yet cancelled, or SIGKILL was sent */
    uint64_t give_up_at_ms; /* 0: SIGKILL was not sent */
    uint64_t limit_at_ms;   /* 0: none */
    bool is_lost;           /* nobody can cancel it any more; the callback thread's alone */
};

/* A thing that happens to a run, told on standard error: for people `cancelctl: WORD KEY ...`, in
 * JSON an object with "event". Any thread. */
struct run_event {
    const char *word;
    uint64_t gen;                      /* 0: not told */
    const struct canceld_cause *cause; /* NULL: not told */
    const char *remark;                /* NULL: none */
};

void run_tell(const struct arguments *arguments, struct run_event event);

/* The same in JSON alone: people are not told that all goes well. */
void run_tell_json(const struct arguments *arguments, struct run_event event);

/* It was not started, because of this answer. */
void run_tell_answer(const struct arguments *arguments, const struct canceld_result *result);

/* How it ended, and how the daemon took it. `status` other than OK: it could not be told. */
struct run_end {
    enum canceld_outcome outcome;
    int exit_code;
    enum canceld_status status;
    const struct canceld_result *result;
};

void run_tell_end(const struct run *run, const struct run_end *end);

/* options.on_event of the client, and on_notice of the operation; arg is the struct run. */
void run_on_event(struct canceld_client *client, enum canceld_event event, void *arg);
void run_on_notice(struct canceld_operation *operation, void *arg);

#endif
