/* SPDX-License-Identifier: MIT */
/* The command line, read and checked: what cancelctl is asked to do. */
#ifndef CANCELD_CLI_ARGUMENTS_H
#define CANCELD_CLI_ARGUMENTS_H

#include <canceld/client.h>

#include <stdbool.h>
#include <stdint.h>

struct command;

/* run: what to do where no daemon is there. */
enum no_daemon { NO_DAEMON_FAIL, NO_DAEMON_RUN };

/* Everything that an option or an operand can say. What the command does not take stays as
 * arguments_parse() set it up: 0, or the default named in --help. */
struct arguments {
    const struct command *command;
    const char *server_url;
    const char *name_space; /* NULL: the daemon's default */
    bool json;
    const char *token_file; /* NULL: no token */
    const char *tls_ca;
    const char *tls_cert;
    const char *tls_key;

    struct canceld_bytes key;
    uint64_t gen;
    uint64_t after_gen;
    uint64_t owner;
    uint64_t session;
    uint64_t parent;
    uint64_t adopt; /* a gen; 0: store */
    struct canceld_bytes labels[CANCELD_LABELS_MAX];
    size_t labels_count;
    bool whole_namespace;
    bool daemon;
    uint32_t ttl_ms;
    uint32_t deadline_ms;
    uint32_t arm_ms;
    uint32_t grace_ms;
    const char *meta;
    const char *reason;
    const char *actor;
    enum canceld_policy policy;
    enum canceld_level level;
    enum canceld_outcome outcome;
    enum canceld_until until;
    enum canceld_state state;
    enum no_daemon no_daemon;
    int signal_number;
    uint64_t limit; /* 0: none */
    bool oldest;
    bool unacknowledged;
    bool no_snapshot;
    uint64_t event_count; /* 0: no end */
    uint32_t timeout_ms;  /* 0: no end */
    bool prometheus;
    bool once;
    uint32_t interval_ms;
    char **run_argv; /* run: the command and its arguments, ended by NULL */

    uint64_t options_given;   /* OPTION_BIT of each: see option.h */
    char *server_memory;      /* what arguments_fini() frees */
    int command_index;        /* where in argv the command stands */
    const char *program_name; /* NULL unless its options are being read */
};

/* Reads the whole command line. What is wrong with it ends the process with EXIT_CODE_USAGE and a
 * sentence; --help and --version end it with 0. `arguments` keeps pointers into argv. */
void arguments_parse(struct arguments *arguments, int argc, char **argv);
void arguments_fini(struct arguments *arguments);

#endif
