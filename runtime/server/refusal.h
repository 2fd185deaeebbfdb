/* SPDX-License-Identifier: MIT */
/* Why the daemon does not start: a code for programs and a sentence for people. Functions that can
 * refuse return false with *refusal filled in; on true it is untouched. */
#ifndef CANCELD_SERVER_REFUSAL_H
#define CANCELD_SERVER_REFUSAL_H

#include "base/check.h"

#include <stdbool.h>

#define EXIT_CANNOT_START 1
#define EXIT_USAGE 2

/* X(NAME, exit code) */
#define REFUSAL_TABLE(X)                                                                           \
    X(OPTION, EXIT_USAGE)                                                                          \
    X(FILE, EXIT_USAGE)                                                                            \
    X(ADDRESS_MALFORMED, EXIT_USAGE)                                                               \
    X(ADDRESS_SCHEME, EXIT_USAGE)                                                                  \
    X(ADDRESS_TOO_LONG, EXIT_USAGE)                                                                \
    X(ADDRESS_NOT_LOOPBACK, EXIT_USAGE)                                                            \
    X(ADDRESS_UNKNOWN_HOST, EXIT_CANNOT_START)                                                     \
    X(ADDRESS_UNUSABLE, EXIT_CANNOT_START)                                                         \
    X(ADDRESS_IN_USE, EXIT_CANNOT_START)                                                           \
    X(DIRECTORY, EXIT_CANNOT_START)                                                                \
    X(EPOCH_DAMAGED, EXIT_CANNOT_START)                                                            \
    X(EPOCH_AT_END, EXIT_CANNOT_START)                                                             \
    X(EPOCH_LOCKED, EXIT_CANNOT_START)                                                             \
    X(EPOCH_NOT_DURABLE, EXIT_CANNOT_START)                                                        \
    X(JOURNAL_LOCKED, EXIT_CANNOT_START)                                                           \
    X(JOURNAL_DAMAGED, EXIT_CANNOT_START)                                                          \
    X(JOURNAL, EXIT_CANNOT_START)                                                                  \
    X(DESCRIPTORS, EXIT_CANNOT_START)                                                              \
    X(MEMORY, EXIT_CANNOT_START)                                                                   \
    X(SYSTEM, EXIT_CANNOT_START)

enum refusal_code {
    REFUSAL_NONE,

#define REFUSAL_ENUM(name, exit_code) REFUSAL_##name,
    REFUSAL_TABLE(REFUSAL_ENUM)
#undef REFUSAL_ENUM
};

struct refusal {
    enum refusal_code code;
    char text[512];
};

/* Fills *refusal in and returns false, so that a refusal is one return statement. */
__attribute__((format(printf, 3, 4))) bool refuse(struct refusal *refusal, enum refusal_code code,
                                                  const char *format, ...);

/* "ADDRESS_TOO_LONG", ...: static storage. */
const char *refusal_name(enum refusal_code code);

/* What main returns for it. */
int refusal_exit_code(enum refusal_code code);

#endif
