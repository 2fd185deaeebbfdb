/* SPDX-License-Identifier: MIT */
/* The command line. The table of setting.c and the table of base/limits.h make the parser and --help;
 * --help is the manual. */
#ifndef CANCELD_SERVER_OPTIONS_H
#define CANCELD_SERVER_OPTIONS_H

#include "base/check.h"
#include "base/limits.h"
#include "server/address.h"
#include "server/environment.h"
#include "server/log.h"
#include "server/refusal.h"
#include "server/sandbox.h"

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

/* Paths of PEM files; NULL where not given. */
struct options_tls {
    const char *cert;
    const char *key;
    const char *ca; /* of the clients' certificates */
    bool require_client_cert;
};

struct config_file;

/* Texts are borrowed from argv, and from `file`. */
struct options {
    struct address addresses[OPTIONS_ADDRESSES_MAX];
    size_t addresses_count; /* 1 at least */
    struct socket_access access;
    const char *state_dir; /* NULL where it was not given */
    bool ephemeral;
    struct limits limits;
    enum log_level log_level;
    enum log_format log_format;
    uint64_t recovery_ms; /* 0: nobody comes back from an earlier run */
    bool sync_power;      /* what is answered survives a loss of power; else a kill alone */
    uint64_t history_age_ms;
    uint64_t history_bytes;
    struct options_tls tls;
    enum sandbox_mode seccomp;
    bool dumpable;            /* core files and debuggers may have the memory */
    const char *tokens;       /* the file of keyed hashes; NULL: there is none */
    const char *tokens_key;   /* NULL: beside it, with ".key" behind its name */
    const char *config;       /* the configuration file; NULL: there is none */
    const char *make_token;   /* whose token to make, instead of serving; NULL: nobody's */
    bool check_config;        /* look at everything and end, instead of serving */
    struct config_file *file; /* what `config` holds; the options', see options_fini() */
};

enum options_end {
    OPTIONS_RUN,    /* *options_out is set */
    OPTIONS_DONE,   /* --help or --version was asked for, and printed */
    OPTIONS_REFUSED /* *refusal is set; its text is empty where the sentence was printed already */
};

/* Reads the command line and, where it names one, the configuration file; a flag counts more than the
 * file. May look up a group and a host. Not thread-safe, as getopt is not. It may be called again with
 * the same words, to see what the file says by now. */
MUST_CHECK enum options_end options_parse(int argc, char **argv,
                                          const struct environment *environment,
                                          struct options *options_out, struct refusal *refusal);

/* Gives back what options_parse() made for OPTIONS_RUN; texts of the file are void then. */
void options_fini(struct options *options);

#endif
