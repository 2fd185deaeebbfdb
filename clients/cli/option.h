/* SPDX-License-Identifier: MIT */
/* The options of all commands: a row each, and how their values are read. */
#ifndef CANCELD_CLI_OPTION_H
#define CANCELD_CLI_OPTION_H

#include <argp.h>
#include <stddef.h>
#include <stdint.h>

enum option_index {
    OPTION_SERVER,
    OPTION_NAMESPACE,
    OPTION_JSON,
    OPTION_TOKEN_FILE,
    OPTION_TLS_CA,
    OPTION_TLS_CERT,
    OPTION_TLS_KEY,
    OPTION_KEY,
    OPTION_TTL,
    OPTION_POLICY,
    OPTION_META,
    OPTION_GEN,
    OPTION_AFTER_GEN,
    OPTION_REASON,
    OPTION_ACTOR,
    OPTION_ACK,
    OPTION_DEADLINE,
    OPTION_ARM,
    OPTION_OUTCOME,
    OPTION_UNTIL,
    OPTION_STATE,
    OPTION_OWNER,
    OPTION_GRACE,
    OPTION_SIGNAL,
    OPTION_NO_DAEMON,
    OPTION_LABEL,
    OPTION_PARENT,
    OPTION_ADOPT,
    OPTION_SESSION,
    OPTION_ALL,
    OPTION_DAEMON,
    OPTION_OLDEST,
    OPTION_UNACKNOWLEDGED,
    OPTION_LIMIT,
    OPTION_NO_SNAPSHOT,
    OPTION_EVENT_COUNT,
    OPTION_TIMEOUT,
    OPTION_PROMETHEUS,
    OPTION_ONCE,
    OPTION_INTERVAL,
    OPTION_COUNT
};

#define OPTION_BIT(name) (UINT64_C(1) << OPTION_##name)
#define OPTION_BITS_EVERYWHERE                                                                     \
    (OPTION_BIT(SERVER) | OPTION_BIT(NAMESPACE) | OPTION_BIT(JSON) | OPTION_BIT(TOKEN_FILE) |      \
     OPTION_BIT(TLS_CA) | OPTION_BIT(TLS_CERT) | OPTION_BIT(TLS_KEY))

/* How a value is read, and what kind of field it goes to. */
enum option_kind {
    OPTION_KIND_FLAG,      /* bool; takes no value */
    OPTION_KIND_DURATION,  /* uint32_t, milliseconds of lowest to highest */
    OPTION_KIND_NUMBER,    /* uint64_t above 0, up to highest where there is one */
    OPTION_KIND_WORD,      /* an enum: one of words */
    OPTION_KIND_TEXT,      /* const char *, highest bytes at most */
    OPTION_KIND_KEY,       /* the key */
    OPTION_KIND_LABEL,     /* one more of the labels */
    OPTION_KIND_FILE,      /* const char *, a path */
    OPTION_KIND_URL,       /* const char * */
    OPTION_KIND_NAMESPACE, /* const char * */
    OPTION_KIND_SIGNAL     /* int */
};

struct value_word;

struct option_row {
    const char *name;
    const char *value_name;
    const char *doc;
    enum option_kind kind;
    size_t offset; /* of the field in struct arguments */
    uint64_t lowest;
    uint64_t highest;
    const struct value_word *words;
    const char *wire_field; /* the field of canceld.proto that it sets, or NULL */
};

extern const struct option_row option_rows[OPTION_COUNT];

/* Reads the value of an option into its field of state->input, a struct arguments. A wrong one ends
 * the process. */
void option_take(struct argp_state *state, const struct option_row *row, const char *value);

/* Reads a key; `what` is the option or operand that it comes from. */
void option_key_take(struct argp_state *state, const char *what, const char *value);

/* Which of these options, given by their bits, sets this field of canceld.proto: its name without the
 * dashes, or NULL. */
const char *option_of_field(uint64_t options, const char *field);

#endif
