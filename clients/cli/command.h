/* SPDX-License-Identifier: MIT */
/* The commands of cancelctl: a row each, and what runs them. */
#ifndef CANCELD_CLI_COMMAND_H
#define CANCELD_CLI_COMMAND_H

#include "arguments.h"
#include "exit_code.h"
#include "option.h"

#include <stddef.h>

enum operands {
    OPERANDS_NONE,
    OPERANDS_KEY,        /* KEY */
    OPERANDS_MAY_BE_KEY, /* [KEY] */
    OPERANDS_COMMAND     /* -- COMMAND [ARGUMENT...] */
};

struct command {
    const char *name;
    const char *usage;   /* operands and options that have to be there, for the list of commands */
    const char *summary; /* for that list */
    const char *doc;     /* for its own --help: what it does and says */
    enum operands operands;
    uint64_t options;  /* OPTION_BIT of those it takes, beside OPTION_BITS_EVERYWHERE */
    uint64_t required; /* and of those it does not do without */
    enum exit_code (*run)(const struct arguments *arguments);
};

extern const struct command commands[];
extern const size_t commands_count;

/* NULL where there is no such command. */
const struct command *command_find(const char *name);

/* command_operation.c */
enum exit_code command_store(const struct arguments *arguments);
enum exit_code command_delete(const struct arguments *arguments);
enum exit_code command_touch(const struct arguments *arguments);
enum exit_code command_detach(const struct arguments *arguments);
/* command_cancel.c */
enum exit_code command_cancel(const struct arguments *arguments);
enum exit_code command_armed(const struct arguments *arguments);
enum exit_code command_disarm(const struct arguments *arguments);
/* command_query.c */
enum exit_code command_get(const struct arguments *arguments);
enum exit_code command_list(const struct arguments *arguments);
enum exit_code command_count(const struct arguments *arguments);
enum exit_code command_wait(const struct arguments *arguments);
/* command_daemon.c */
enum exit_code command_ping(const struct arguments *arguments);
enum exit_code command_stats(const struct arguments *arguments);
/* command_watch.c */
enum exit_code command_watch(const struct arguments *arguments);
/* command_drain.c */
enum exit_code command_drain(const struct arguments *arguments);
enum exit_code command_undrain(const struct arguments *arguments);
/* command_history.c */
enum exit_code command_history(const struct arguments *arguments);
/* command_top.c */
enum exit_code command_top(const struct arguments *arguments);
/* command_run.c */
enum exit_code command_run(const struct arguments *arguments);

#endif
