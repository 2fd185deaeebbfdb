/* SPDX-License-Identifier: MIT */
/* The command line. One table of flags in options.c and the table of base/limits.h make the parser
 * and
 * --help; --help is the manual. */
#ifndef CANCELD_SERVER_OPTIONS_H
#define CANCELD_SERVER_OPTIONS_H

#include "base/check.h"
#include "base/limits.h"
#include "server/address.h"
#include "server/environment.h"
#include "server/log.h"
#include "server/refusal.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define OPTIONS_ADDRESSES_MAX 16

/* Who may connect to the ipc sockets, beside the owner of the daemon. */
struct socket_access {
    mode_t mode;
    bool has_group;
    gid_t group;
};

struct options {
    struct address addresses[OPTIONS_ADDRESSES_MAX];
    size_t addresses_count; /* 1 at least */
    struct socket_access access;
    const char *state_dir; /* the flag's, borrowed from argv; NULL where it was not given */
    bool ephemeral;
    struct limits limits;
    enum log_level log_level;
    enum log_format log_format;
};

enum options_end {
    OPTIONS_RUN,    /* *options_out is set */
    OPTIONS_DONE,   /* --help or --version was asked for, and printed */
    OPTIONS_REFUSED /* *refusal is set; its text is empty where the sentence was printed already */
};

/* Reads the command line. May look up a group and a host. Not thread-safe, as getopt is not. */
MUST_CHECK enum options_end options_parse(int argc, char **argv,
                                          const struct environment *environment,
                                          struct options *options_out, struct refusal *refusal);

#endif
