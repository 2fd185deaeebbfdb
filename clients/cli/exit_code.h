/* SPDX-License-Identifier: MIT */
/* What cancelctl ends with. The numbers are a promise to scripts; --help and this table say them in
 * the same words. */
#ifndef CANCELD_CLI_EXIT_CODE_H
#define CANCELD_CLI_EXIT_CODE_H

#include <canceld/client.h>

#include <stdbool.h>

/* X(name, number, text) */
#define EXIT_CODE_TABLE(X)                                                                         \
    X(DONE, 0, "done as asked")                                                                    \
    X(OTHER, 1, "anything else")                                                                   \
    X(USAGE, 2, "the command line, or a value in it, is wrong")                                    \
    X(ABSENT, 3, "NOT_FOUND or FINISHED (of delete and touch: ENDED)")                             \
    X(STALE, 4, "STALE_GEN")                                                                       \
    X(DEADLINE, 5, "the deadline passed, RECOVERING until then")                                   \
    X(TAKEN, 6, "EXISTS, FULL, DRAINING, PARENT_ENDED or PARENT_NOT_FOUND")                        \
    X(NO_DAEMON, 7, "no daemon there")                                                             \
    X(DENIED, 8, "DENIED: who asks has no right to it")                                            \
    X(NOT_STARTED, 125, "run: the command was not started")                                        \
    X(CANNOT_EXEC, 126, "run: the command was found and cannot be started")                        \
    X(NO_COMMAND, 127, "run: the command was not found")

enum exit_code {

#define EXIT_CODE_ENUM(name, number, text) EXIT_CODE_##name = number,
    EXIT_CODE_TABLE(EXIT_CODE_ENUM)
#undef EXIT_CODE_ENUM
};

/* Of a call without an answer. */
enum exit_code exit_code_of_status(enum canceld_status status);

/* What a request hoped for. */
struct exit_code_wish {
    enum canceld_level level; /* cancel: the level asked for */
    bool no_end;              /* ENDED says that the request came too late: delete, touch */
};

/* Of an answer. */
enum exit_code exit_code_of_result(const struct canceld_result *result, struct exit_code_wish wish);

#endif
