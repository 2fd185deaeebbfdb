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
    OPTION_COUNT
};

#define OPTION_BIT(name) (UINT64_C(1) << OPTION_##name)
#define OPTION_BITS_EVERYWHERE (OPTION_BIT(SERVER) | OPTION_BIT(NAMESPACE) | OPTION_BIT(JSON))

/* How a value is read, and what kind of field it goes to. */
enum option_kind {
    OPTION_KIND_FLAG,      /* bool; takes no value */
    OPTION_KIND_DURATION,  /* uint32_t, milliseconds of lowest to highest */
    OPTION_KIND_NUMBER,    /* uint64_t above 0 */
    OPTION_KIND_WORD,      /* an enum: one of words */
    OPTION_KIND_TEXT,      /* const char *, highest bytes at most */
    OPTION_KIND_KEY,       /* the key */
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

/* The option that sets this field of canceld.proto, without its dashes, or NULL. */
const char *option_of_field(const char *field);

#endif
