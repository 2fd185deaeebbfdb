/* SPDX-License-Identifier: MIT */
/* One conversation with the daemon: connected, asked, told to the user, closed. */
#ifndef CANCELD_CLI_CALL_H
#define CANCELD_CLI_CALL_H

#include "arguments.h"
#include "exit_code.h"

#include <canceld/client.h>

#include <stdbool.h>

struct call {
    const struct arguments *arguments;
    struct canceld_client *client;
};

/* A command that is one request. */
struct question {
    bool needs_session; /* it changes what only sessions may change */
    struct exit_code_wish wish;
    enum canceld_status (*ask)(const struct call *call, struct canceld_result *result_out);
    /* Prints the answer, where one line does not do; NULL: one line does. */
    void (*tell)(const struct arguments *arguments, const struct canceld_result *result);
};

/* A command whose answers are pages of rows: asked from cursor 0 on until there is no next one. */
struct pages {
    enum canceld_answer answer; /* of a page */
    enum canceld_status (*ask)(const struct call *call, uint64_t cursor,
                               struct canceld_result *result_out);
    /* Prints the rows, `lines_max` of them at the most; gives how many it printed. */
    size_t (*tell)(const struct arguments *arguments, const struct canceld_result *result,
                   size_t lines_max);
    size_t lines_max; /* without --limit; 0: all there are */
};

/* Connects. Else it has said why, and gives the exit code. */
enum exit_code call_open(struct call *call, const struct arguments *arguments, bool needs_session);

/* The same, told of the connection's ends and beginnings: on another thread, until call_close() has returned. */
enum exit_code call_open_told(struct call *call, const struct arguments *arguments,
                              void (*on_event)(struct canceld_client *client,
                                               enum canceld_event event, void *arg),
                              void *arg);
void call_close(struct call *call);

/* A call without an answer: says so and gives the exit code. `result` may hold an error. */
enum exit_code call_failed(const struct arguments *arguments, enum canceld_status status,
                           const struct canceld_result *result);

/* An answer that is one line: prints it and gives the exit code. */
enum exit_code call_answered(const struct arguments *arguments, const struct canceld_result *result,
                             struct exit_code_wish wish);

/* All of it. An answer that is no page is one line. */
enum exit_code call_once(const struct arguments *arguments, const struct question *question);
enum exit_code call_pages(const struct arguments *arguments, const struct pages *pages);

#endif
