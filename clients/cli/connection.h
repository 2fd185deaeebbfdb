/* SPDX-License-Identifier: MIT */
/* The way to the daemon: what the command line says of it, as options of the client library. */
#ifndef CANCELD_CLI_CONNECTION_H
#define CANCELD_CLI_CONNECTION_H

#include "arguments.h"
#include "exit_code.h"

#include <canceld/client.h>

#include <stdbool.h>

#define CONNECTION_TOKEN_BYTES_MAX 256

struct connection {
    struct canceld_options options; /* for canceld_connect(); its strings are the arguments' */
    char token[CONNECTION_TOKEN_BYTES_MAX];
};

/* Reads the token, where there is one: without a session it could not be shown, so there is one then
 * even where the command needs none. Else (the file cannot be read, or holds no token) it has said why,
 * and gives the exit code. The rest of the options are as canceld.h has them, or for the caller. */
enum exit_code connection_init(struct connection *connection, const struct arguments *arguments,
                               bool needs_session);

/* Forgets the token. Once the client is connected it has its own. */
void connection_fini(struct connection *connection);

/* Reads what stands in the file, without the line's end. Its size, or 0 with a clause for people in
 * *reason_out. */
size_t connection_token_read(const char *path, char token_out[CONNECTION_TOKEN_BYTES_MAX],
                             const char **reason_out);

#endif
