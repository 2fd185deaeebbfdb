/* SPDX-License-Identifier: MIT */
/* How a call inside the daemon can end. This one table makes the enum, the names and the texts.
 * What the registry answers to a request is another matter: see registry/answer.h. */
#ifndef CANCELD_BASE_STATUS_H
#define CANCELD_BASE_STATUS_H

#define STATUS_TABLE(X)                                                                            \
    X(OK, "done")                                                                                  \
    X(FULL, "a bound was reached")                                                                 \
    X(DEAD, "the receiver is gone")                                                                \
    X(TIMED_OUT, "the deadline passed")                                                            \
    X(CANCELLED, "given up by the caller")                                                         \
    X(NO_MEMORY, "memory could not be had")                                                        \
    X(INVALID, "an argument is out of its range")                                                  \
    X(IN_USE, "the address is in use")                                                             \
    X(UNSUPPORTED, "not supported by the library in use")                                          \
    X(SYSTEM, "a system call failed")

enum status {

#define STATUS_ENUM(name, text) STATUS_##name,
    STATUS_TABLE(STATUS_ENUM)
#undef STATUS_ENUM
};

/* "OK", "FULL", ...: static storage. */
const char *status_name(enum status status);

/* One clause for people, without a full stop: static storage. */
const char *status_text(enum status status);

#endif
