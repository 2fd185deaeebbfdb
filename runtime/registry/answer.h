/* SPDX-License-Identifier: MIT */
/* The words of the contract, as the registry speaks them. The numbers are those of canceld.proto
 * (the codec asserts it at compile time), so a word is translated by a cast and checked by its
 * range. */
#ifndef CANCELD_REGISTRY_ANSWER_H
#define CANCELD_REGISTRY_ANSWER_H

/* X(NAME, number): what happened to one op. */
#define ANSWER_TABLE(X)                                                                            \
    X(ERROR, 1)                                                                                    \
    X(NOT_APPLIED, 2)                                                                              \
    X(FULL, 3)                                                                                     \
    X(STALE_EPOCH, 4)                                                                              \
    X(NOT_FOUND, 5)                                                                                \
    X(STALE_GEN, 6)                                                                                \
    X(SHUTTING_DOWN, 7)                                                                            \
    X(DENIED, 8)                                                                                   \
    X(RECOVERING, 9)                                                                               \
    X(OPENED, 10)                                                                                  \
    X(SESSION_LOST, 11)                                                                            \
    X(CLOSED, 12)                                                                                  \
    X(PONG, 13)                                                                                    \
    X(STORED, 20)                                                                                  \
    X(BORN_CANCELLED, 21)                                                                          \
    X(EXISTS, 22)                                                                                  \
    X(DRAINING, 23)                                                                                \
    X(PARENT_ENDED, 24)                                                                            \
    X(PARENT_NOT_FOUND, 25)                                                                        \
    X(ADOPTED, 26)                                                                                 \
    X(REQUESTED, 30)                                                                               \
    X(ALREADY_REQUESTED, 31)                                                                       \
    X(ARMED, 32)                                                                                   \
    X(FINISHED, 33)                                                                                \
    X(OWNER_LOST, 34)                                                                              \
    X(DELETED, 40)                                                                                 \
    X(TOUCHED, 41)                                                                                 \
    X(CANCELLING, 42)                                                                              \
    X(ENDED, 43)                                                                                   \
    X(TIMED_OUT, 44)                                                                               \
    X(DETACHED, 45)                                                                                \
    X(DRAINED, 46)                                                                                 \
    X(UNDRAINED, 47)                                                                               \
    X(NOTICES, 50)                                                                                 \
    X(FOUND, 51)                                                                                   \
    X(PAGE, 52)                                                                                    \
    X(COUNTED, 53)                                                                                 \
    X(ARMED_KEYS, 54)                                                                              \
    X(DISARMED, 55)                                                                                \
    X(STATS, 56)                                                                                   \
    X(EVENTS, 57)                                                                                  \
    X(SNAPSHOT, 58)                                                                                \
    X(HISTORY, 59)

enum answer {
    ANSWER_UNSET = 0,

#define ANSWER_ENUM(name, number) ANSWER_##name = number,
    ANSWER_TABLE(ANSWER_ENUM)
#undef ANSWER_ENUM
        ANSWER_END
};

/* "STORED", ...; "?" for a number that is none. Static storage. */
const char *answer_name(enum answer answer);

/* X(NAME, number, frame): why something was refused; `frame`: the frame whole, not an op alone. */
#define ERROR_TABLE(X)                                                                             \
    X(MALFORMED, 1)                                                                                \
    X(TOO_COMPLEX, 2)                                                                              \
    X(VERSION, 3)                                                                                  \
    X(OP_COUNT, 4)                                                                                 \
    X(NOT_ALONE, 5)                                                                                \
    X(REQUEST_ID, 6)                                                                               \
    X(REQUEST_ID_REUSED, 7)                                                                        \
    X(TOO_OLD, 8)                                                                                  \
    X(SESSION_LOST, 9)                                                                             \
    X(NOT_BOUND, 10)                                                                               \
    X(ANSWERED, 11)                                                                                \
    X(FULL, 12)                                                                                    \
    X(SHUTTING_DOWN, 13)                                                                           \
    X(UNKNOWN_OP, 14)                                                                              \
    X(NEEDS_SESSION, 15)                                                                           \
    X(FIELD, 16)                                                                                   \
    X(JOURNAL, 17)                                                                                 \
    X(NO_JOURNAL, 18)

enum error_code {
    ERROR_UNSET = 0,

#define ERROR_ENUM(name, number) ERROR_##name = number,
    ERROR_TABLE(ERROR_ENUM)
#undef ERROR_ENUM
        ERROR_END
};

enum policy { POLICY_REJECT, POLICY_SUPERSEDE, POLICY_JOIN, POLICY_END };

enum on_expiry { ON_EXPIRY_CANCEL, ON_EXPIRY_REAP, ON_EXPIRY_END };

enum on_owner_loss { ON_OWNER_LOSS_REAP, ON_OWNER_LOSS_KEEP, ON_OWNER_LOSS_END };

enum state { STATE_UNSET, STATE_LIVE, STATE_CANCELLING, STATE_ENDED, STATE_END };

enum outcome {
    OUTCOME_UNSET,
    OUTCOME_COMPLETED,
    OUTCOME_FAILED,
    OUTCOME_CANCELLED,
    OUTCOME_EXPIRED,
    OUTCOME_OWNER_LOST,
    OUTCOME_END
};

enum level { LEVEL_NONE, LEVEL_RECORDED, LEVEL_DELIVERED, LEVEL_STOPPED, LEVEL_END };

enum cause_code {
    CAUSE_UNSET,
    CAUSE_USER,
    CAUSE_POLICY,
    CAUSE_SHUTDOWN,
    CAUSE_DEADLINE,
    CAUSE_SUPERSEDED,
    CAUSE_PARENT,
    CAUSE_END
};

enum notice_kind { NOTICE_UNSET, NOTICE_CANCEL, NOTICE_ENDED, NOTICE_END };

enum list_order { LIST_ORDER_NONE, LIST_ORDER_OLDEST, LIST_ORDER_UNACKNOWLEDGED, LIST_ORDER_END };

enum history_kind { HISTORY_UNSET, HISTORY_CANCEL, HISTORY_BULK, HISTORY_ARM, HISTORY_END };

enum until { UNTIL_UNSET, UNTIL_CANCELLING, UNTIL_ENDED, UNTIL_END };

#endif
