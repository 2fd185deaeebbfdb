/* SPDX-License-Identifier: MIT */
/* libcanceld-client: cancellable operations, kept by the canceld daemon.
 *
 * An owner stores an operation under a key before it begins the work, watches the operation while
 * it works, and finishes it with an outcome. A canceller names the key (and best the gen) and is
 * told what really happened. Cancellation is co-operative: nothing here stops work by force.
 *
 *     struct canceld_options options = {.url = "ipc:///run/canceld/canceld.sock"};
 *     struct canceld_client *client;
 *     enum canceld_status status = canceld_connect(&options, 0, &client);
 *
 *     struct canceld_store_request store = {.key = canceld_string("chat-42")};
 *     struct canceld_operation *operation;
 *     struct canceld_result result;
 *     status = canceld_store(client, &store, 0, &operation, &result);
 *     if (status == CANCELD_OK && operation != NULL)
 *         while (!canceld_operation_should_stop(operation) && work_a_little())
 *             ;
 *
 * STATUS AND ANSWER. A call ends with a canceld_status, which says whether there is an answer at
 * all. Only with CANCELD_OK is there one: result.answer, which is the daemon's word. An unknown
 * key, say, is CANCELD_OK with CANCELD_ANSWER_NOT_FOUND. With any other status the result is empty.
 *
 * DEADLINES are in milliseconds on CLOCK_MONOTONIC; 0 means CANCELD_DEADLINE_DEFAULT_MS. What a
 * request asks the daemon to wait (wait_ms of cancel and wait) comes on top: the deadline of the
 * call only bounds the rest, so that the daemon's own "timed out" answer still arrives.
 *
 * THREADS. A client and its operations may be used from any number of threads at once; one mutex
 * for each client guards both, and no system call is made while it is held but those that wake
 * threads. A client has two threads of its own: one for I/O, which also sends the heartbeats, and
 * one on which all callbacks run, one after the other. A callback that hangs stops the other
 * callbacks of its client and nothing else: heartbeats go on, blocking calls of other threads go
 * on. Callbacks may call anything here but canceld_close().
 *
 * FORK. Nothing of a client survives fork(): in the child each call with a client or operation of
 * the parent answers CANCELD_FORKED (or does nothing, where it has no status), and once the parent
 * has connected, canceld_connect() in the child answers so too. Fork before the first connect, or
 * exec. Before the first canceld_connect() the library makes no thread and touches no descriptor.
 *
 * THE DAEMON AWAY. When the connection is lost the client is *degraded*: it connects again with a
 * growing pause (10 ms to 1 s), resumes its session, and sends unanswered requests again under
 * their old ids, so nothing is done twice. Operations go on meanwhile; cancels recorded meanwhile
 * are given once the session is resumed. Degraded longer than the session's grace, by this process'
 * own clock, each operation is given LOST_POSSIBLE once: the daemon may have ended it as
 * OWNER_LOST. If the session is indeed lost, the client opens another one, asks for each of its
 * gens, and gives each operation one LOST, with the cause if a cancel had been recorded. If the
 * daemon was restarted (a new epoch), the operations stay LOST_POSSIBLE. What the application does
 * about either is its choice: on_lost below. Requests that were sent to a session now lost: reads,
 * and those that name a gen, are sent again in the new one; of the rest nobody can say what
 * happened, and they end as CANCELD_UNKNOWN. */
#ifndef CANCELD_CLIENT_H
#define CANCELD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CANCELD_API __attribute__((visibility("default")))
#define CANCELD_MUST_CHECK __attribute__((warn_unused_result))

#define CANCELD_DEADLINE_DEFAULT_MS 10000U
#define CANCELD_HEARTBEAT_DEFAULT_MS 2000U
#define CANCELD_HEARTBEAT_NONE UINT32_MAX /* the connection alone says that we are there */
#define CANCELD_REQUESTS_MAX_DEFAULT 65536U

/* ---- Words --------------------------------------------------------------------------------------
 */

/* How a call ended. X(name, text) */
#define CANCELD_STATUS_TABLE(X)                                                                    \
    X(OK, "there is an answer")                                                                    \
    X(TIMED_OUT,                                                                                   \
      "no answer within the deadline; it may or may not have been done, or be done yet")           \
    X(UNAVAILABLE, "the daemon could not be reached; the request was never sent")                  \
    X(UNKNOWN, "the request was sent and its answer is lost for good; it may have been done")      \
    X(FULL, "too many requests are outstanding here; nothing was sent")                            \
    X(INVALID, "an argument is missing or does not fit; nothing was sent")                         \
    X(REFUSED, "the daemon refused the frame or the session; nothing was done")                    \
    X(CLOSED, "the client is closed; the request may or may not have been done")                   \
    X(FORKED, "a client, or the library, was used in a child after fork()")                        \
    X(NO_MEMORY, "memory could not be had")                                                        \
    X(SYSTEM, "a system call failed; see errno")

enum canceld_status {

#define CANCELD_STATUS_ENUM(name, text) CANCELD_##name,
    CANCELD_STATUS_TABLE(CANCELD_STATUS_ENUM)
#undef CANCELD_STATUS_ENUM
};

/* What the daemon answered: the numbers and the meaning are those of canceld.proto. A newer daemon
 * may send others. X(name, number) */
#define CANCELD_ANSWER_TABLE(X)                                                                    \
    X(UNSET, 0)                                                                                    \
    X(ERROR, 1)       /* result.error: nothing was applied */                                      \
    X(NOT_APPLIED, 2) /* never seen here: the library sends again */                               \
    X(FULL, 3)        /* result.limit names the bound */                                           \
    X(STALE_EPOCH, 4) /* the gen is above the newest given out */                                  \
    X(NOT_FOUND, 5)                                                                                \
    X(STALE_GEN, 6)     /* gen: a higher one of the key */                                         \
    X(SHUTTING_DOWN, 7) /* the daemon stopped while the request was parked */                      \
    X(OPENED, 10)                                                                                  \
    X(SESSION_LOST, 11)                                                                            \
    X(CLOSED, 12)                                                                                  \
    X(PONG, 13)                                                                                    \
    X(STORED, 20)            /* gen */                                                             \
    X(BORN_CANCELLED, 21)    /* gen, cause: it exists, CANCELLING; its owner finishes it */        \
    X(EXISTS, 22)            /* gen, state: of the current one */                                  \
    X(REQUESTED, 30)         /* level, gens */                                                     \
    X(ALREADY_REQUESTED, 31) /* level, gens */                                                     \
    X(ARMED, 32)                                                                                   \
    X(FINISHED, 33)   /* gen, outcome; cause, if a cancel was recorded before the end */           \
    X(OWNER_LOST, 34) /* gen; cause, likewise */                                                   \
    X(DELETED, 40)    /* cancelled, cause, by_owner */                                             \
    X(TOUCHED, 41)    /* by_owner */                                                               \
    X(CANCELLING, 42) /* gen, cause */                                                             \
    X(ENDED, 43)      /* gen, outcome; cause, if a cancel was recorded */                          \
    X(TIMED_OUT, 44)  /* wait: gen, state, and cause if CANCELLING */                              \
    X(NOTICES, 50)                                                                                 \
    X(FOUND, 51)      /* operations[0] */                                                          \
    X(PAGE, 52)       /* operations, next_cursor */                                                \
    X(COUNTED, 53)    /* count */                                                                  \
    X(ARMED_KEYS, 54) /* armed, next_cursor */                                                     \
    X(DISARMED, 55)                                                                                \
    X(STATS, 56) /* stats */

enum canceld_answer {

#define CANCELD_ANSWER_ENUM(name, number) CANCELD_ANSWER_##name = number,
    CANCELD_ANSWER_TABLE(CANCELD_ANSWER_ENUM)
#undef CANCELD_ANSWER_ENUM
};

enum canceld_state {
    CANCELD_STATE_UNSET = 0,
    CANCELD_STATE_LIVE = 1,
    CANCELD_STATE_CANCELLING = 2,
    CANCELD_STATE_ENDED = 3,
};

enum canceld_outcome {
    CANCELD_OUTCOME_UNSET = 0,
    CANCELD_OUTCOME_COMPLETED = 1,
    CANCELD_OUTCOME_FAILED = 2,
    CANCELD_OUTCOME_CANCELLED = 3,
    CANCELD_OUTCOME_EXPIRED = 4,    /* the daemon's */
    CANCELD_OUTCOME_OWNER_LOST = 5, /* the daemon's */
};

enum canceld_level {
    CANCELD_LEVEL_NONE = 0,
    CANCELD_LEVEL_RECORDED = 1,  /* the daemon has the cancel */
    CANCELD_LEVEL_DELIVERED = 2, /* its owner's flag was set, or its owner's callback returned */
    CANCELD_LEVEL_STOPPED = 3,   /* its owner finished it */
};

enum canceld_cause_code {
    CANCELD_CAUSE_UNSET = 0, /* in a request: USER */
    CANCELD_CAUSE_USER = 1,
    CANCELD_CAUSE_POLICY = 2,
    CANCELD_CAUSE_SHUTDOWN = 3,
    CANCELD_CAUSE_DEADLINE = 4,
    CANCELD_CAUSE_SUPERSEDED = 5, /* the daemon's */
    CANCELD_CAUSE_PARENT = 6,     /* the daemon's */
};

enum canceld_policy {
    CANCELD_POLICY_REJECT = 0,    /* a live gen of the key: EXISTS */
    CANCELD_POLICY_SUPERSEDE = 1, /* every LIVE gen of the key is cancelled with SUPERSEDED */
    CANCELD_POLICY_JOIN = 2,      /* several live gens under one key */
};

enum canceld_on_expiry {
    CANCELD_ON_EXPIRY_CANCEL = 0, /* cancelled with DEADLINE; EXPIRED stop_grace_ms later */
    CANCELD_ON_EXPIRY_REAP = 1,   /* EXPIRED at once */
};

enum canceld_on_owner_loss {
    CANCELD_ON_OWNER_LOSS_REAP = 0, /* ends as OWNER_LOST */
    CANCELD_ON_OWNER_LOSS_KEEP = 1, /* stays until its ttl, which must be above 0 */
};

enum canceld_until {
    CANCELD_UNTIL_UNSET = 0,
    CANCELD_UNTIL_CANCELLING = 1, /* CANCELLING or ended */
    CANCELD_UNTIL_ENDED = 2,
};

/* "OK", "NOT_FOUND", ...; "?" for a number that has no name here. Static storage, any thread. */
CANCELD_API const char *canceld_status_name(enum canceld_status status);
CANCELD_API const char *canceld_answer_name(enum canceld_answer answer);
CANCELD_API const char *canceld_state_name(enum canceld_state state);
CANCELD_API const char *canceld_outcome_name(enum canceld_outcome outcome);
CANCELD_API const char *canceld_level_name(enum canceld_level level);
CANCELD_API const char *canceld_cause_code_name(enum canceld_cause_code code);
/* One clause for people. Static storage, any thread. */
CANCELD_API const char *canceld_status_text(enum canceld_status status);
/* The version of the library, as in "0.1.0". */
CANCELD_API const char *canceld_client_version(void);

/* A run of bytes, not terminated. Keys, meta and every text of the wire are such. data may be NULL
 * when size is 0. In a request the library copies what it needs before the call returns. */
struct canceld_bytes {
    const void *data;
    size_t size;
};

/* The bytes of a C string, without its terminator; NULL is the empty run. */
static inline struct canceld_bytes canceld_string(const char *text)
{
    struct canceld_bytes bytes = {text, text == NULL ? 0 : strlen(text)};
    return bytes;
}

/* Why an operation is cancelled. In a request: text up to 256 bytes and actor up to 64, both UTF-8
 * without control characters; peer must be empty, it is the daemon's word for who called. */
struct canceld_cause {
    enum canceld_cause_code code;
    struct canceld_bytes text;
    struct canceld_bytes actor;
    struct canceld_bytes peer;
};

/* ---- Results ------------------------------------------------------------------------------------
 */

struct canceld_operation;

/* One gen that a cancel concerned. */
struct canceld_gen_result {
    uint64_t gen;
    enum canceld_answer answer; /* REQUESTED, ALREADY_REQUESTED, FINISHED or OWNER_LOST */
    enum canceld_level level;
    enum canceld_outcome outcome; /* if it ended */
};

/* What get and list tell of an operation. */
struct canceld_operation_info {
    struct canceld_bytes name_space; /* `namespace` is a word of C++ */
    struct canceld_bytes key;
    uint64_t gen;
    enum canceld_state state;
    enum canceld_outcome outcome; /* ENDED */
    uint64_t age_ms;
    uint64_t ttl_left_ms; /* 0: no ttl */
    uint64_t owner;       /* a session; 0: none */
    struct canceld_bytes owner_name;
    struct canceld_bytes meta;
    struct canceld_cause cause;
    enum canceld_level level; /* reached by its cancel */
};

struct canceld_armed_key {
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    struct canceld_cause cause;
    uint64_t ttl_left_ms;
};

struct canceld_stat {
    const char *name;
    uint64_t value;
};

/* One answer. Everything a pointer in it leads to belongs to the result and lives until
 * canceld_result_clear(). Fields that the answer does not speak of are 0. */
struct canceld_result {
    enum canceld_answer answer;
    uint64_t gen;
    enum canceld_state state;
    enum canceld_outcome outcome;
    struct canceld_cause cause;
    enum canceld_level level; /* cancel: the highest reached; of several gens, the lowest */
    bool no_owner;            /* cancel: a kept operation without an owner */
    bool cancelled;           /* DELETED: a cancel was recorded first */
    bool by_owner;            /* DELETED, TOUCHED */
    const struct canceld_gen_result *gens;
    size_t gens_count;

    struct {
        uint32_t code;     /* ErrorCode of canceld.proto; 0: no error */
        const char *field; /* the field to blame, or "" */
        const char *text;  /* a sentence for people */
    } error;               /* ANSWER_ERROR, and with CANCELD_REFUSED */

    const char *limit; /* FULL: the bound's name; else "" */
    const struct canceld_operation_info *operations;
    size_t operations_count;
    uint64_t next_cursor; /* PAGE, ARMED_KEYS: 0: that was the last page */
    uint64_t count;
    const struct canceld_armed_key *armed;
    size_t armed_count;
    const struct canceld_stat *stats;
    size_t stats_count;
    void *memory; /* the library's */
};

/* Gives back what the result holds and empties it. NULL and an empty result are fine. Any thread.
 */
CANCELD_API void canceld_result_clear(struct canceld_result *result);

/* ---- Connections --------------------------------------------------------------------------------
 */

struct canceld_client;

/* What happens to a client, told by options.on_event on the callback thread. Events of one kind
 * that come faster than the callback returns may be told once. */
enum canceld_event {
    CANCELD_EVENT_CONNECTED = 1,     /* connected; the session is open */
    CANCELD_EVENT_DEGRADED = 2,      /* the connection is lost, or silent for 3 heartbeats */
    CANCELD_EVENT_RESUMED = 3,       /* connected again, in the same session: nothing was lost */
    CANCELD_EVENT_LOST_POSSIBLE = 4, /* degraded longer than the grace */
    CANCELD_EVENT_SESSION_LOST = 5,  /* connected again in a new session of the same daemon */
    CANCELD_EVENT_NEW_EPOCH = 6,     /* connected again in a new session of a restarted daemon */
};

/* What LOST and LOST_POSSIBLE do to the flag of an operation. They are told to on_notice in any
 * case, and a LOST with a cause is a cancel: it sets CANCELD_STOP_CANCEL in any case. */
enum canceld_on_lost {
    CANCELD_ON_LOST_GO_ON = 0, /* nothing: the work goes on */
    CANCELD_ON_LOST_STOP = 1,  /* they set CANCELD_STOP_LOST */
};

/* All zero but the url is a good choice. on_event may be called before canceld_connect() returns. */
struct canceld_options {
    const char *url;         /* ipc:///path or tcp://host:port; required */
    const char *name_space;  /* for requests that name none; NULL: "default" */
    const char *client_name; /* up to 64 bytes of UTF-8, shown to others; NULL: none */
    uint32_t heartbeat_ms;   /* 100 to 86400000; 0: the default; or CANCELD_HEARTBEAT_NONE */
    uint32_t requests_max;   /* requests outstanding or waiting here; 0: the default */
    bool sessionless;        /* no session: a canceller that owns nothing (a Stop handler). It has
                              * cancel, get, wait, list, count, armed, disarm, ping and stats. */
    bool await_daemon;       /* canceld_connect: try until the deadline; false: the first
                              * attempt decides */
    enum canceld_on_lost on_lost;
    void (*on_event)(struct canceld_client *client, enum canceld_event event, void *arg);
    void *on_event_arg;
};

/* Connects, opens a session, and starts the client's two threads. Blocks for up to `deadline_ms`.
 * OK: *client_out is the caller's to close. UNAVAILABLE: nobody listens there, or no session was
 * had in time. REFUSED: whoever listens there is no canceld, or will not have us. Else INVALID,
 * FORKED, NO_MEMORY, SYSTEM. On failure nothing is left behind. `options` and its strings are
 * copied. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_connect(const struct canceld_options *options, uint32_t deadline_ms,
                struct canceld_client **client_out);

/* Ends the session (its operations go at once by their on_owner_loss: those of REAP as OWNER_LOST,
 * so finish them first), ends every outstanding request with CLOSED, waits for a running callback,
 * and stops both threads. Requests submitted before are sent first. Blocks for up to `deadline_ms`
 * for the daemon, and for as long as a running callback takes. Operations stay valid to free; their
 * calls then answer CLOSED. NULL is fine; in a child after fork() it does nothing. Never from a
 * callback, never while another thread is in a call with this client. */
CANCELD_API void canceld_close(struct canceld_client *client, uint32_t deadline_ms);

/* Whether the connection is lost, or silent for 3 heartbeats: cancels do not come through at
 * present. Does not block. */
CANCELD_API bool canceld_is_degraded(struct canceld_client *client);

struct canceld_info {
    bool degraded;
    bool lost_possible;   /* degraded for longer than the grace */
    uint64_t degraded_ms; /* for how long by now; 0: not degraded */
    uint64_t session;     /* 0: none */
    uint64_t epoch;       /* of the daemon last talked to; 0: not known (sessionless) */
    uint32_t grace_ms;
    uint32_t finished_ms;       /* for how long the daemon remembers ended operations */
    uint32_t requests_count;    /* outstanding or waiting here */
    uint64_t connections_count; /* made since canceld_connect() began */
};

/* Does not block. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status canceld_info(struct canceld_client *client,
                                                                struct canceld_info *info_out);

/* ---- Requests -----------------------------------------------------------------------------------
 * *
 *
 * In each: name_space empty means the client's. key is 1 to 256 bytes of anything. Fields have the
 * names, units and bounds of canceld.proto; the daemon checks them, and answers ANSWER_ERROR with
 * the field. */

struct canceld_store_request {
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    enum canceld_policy policy;
    uint32_t ttl_ms; /* 0: as long as the session; else 100 to 86400000, renewed by touch */
    enum canceld_on_expiry on_expiry;
    uint32_t stop_grace_ms; /* with ON_EXPIRY_CANCEL; 0: the session's grace */
    enum canceld_on_owner_loss on_owner_loss;
    struct canceld_bytes meta; /* up to 1024 bytes */
    /* As by canceld_operation_on_notice(), but without a moment in between: it may be called before
     * canceld_store() returns, never before on_done of canceld_submit() has. */
    void (*on_notice)(struct canceld_operation *operation, void *arg);
    void *on_notice_arg;
};

struct canceld_cancel_request {
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    uint64_t gen; /* 0: every live gen of the key. A request by gen survives a lost session. */
    struct canceld_cause cause;
    enum canceld_level level; /* NONE: RECORDED */
    uint32_t wait_ms;         /* how long the daemon waits for the level; 0: it answers at once */
    uint32_t arm_ttl_ms;      /* 0: do not arm. Not with gen. */
    uint64_t after_gen;       /* 0: none; else only gens above this one. Not with gen. */
};

struct canceld_delete_request {
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    uint64_t gen;                 /* required */
    enum canceld_outcome outcome; /* COMPLETED, FAILED or CANCELLED */
};

struct canceld_touch_request {
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    uint64_t gen;    /* required */
    uint32_t ttl_ms; /* from now; 100 to 86400000 */
};

struct canceld_wait_request {
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    uint64_t gen; /* 0: the current one, or with none live the newest remembered */
    enum canceld_until until;
    uint32_t wait_ms; /* how long the daemon waits; 0: it answers at once; at most 86400000 */
};

/* get and disarm (which takes no gen). */
struct canceld_get_request {
    struct canceld_bytes name_space;
    struct canceld_bytes key;
    uint64_t gen; /* 0: the current one, or with none live the newest remembered */
};

/* list, count (which takes no cursor and page_size) and armed (namespace and cursor alone). */
struct canceld_list_request {
    struct canceld_bytes name_space;
    enum canceld_state state; /* UNSET: LIVE and CANCELLING */
    uint64_t owner;           /* a session; 0: any */
    uint64_t cursor;          /* 0: from the start; else next_cursor of the page before */
    uint32_t page_size;       /* 0: what fits a reply; at most 1000 */
};

enum canceld_op {
    CANCELD_OP_STORE = 1,
    CANCELD_OP_CANCEL,
    CANCELD_OP_DELETE,
    CANCELD_OP_TOUCH,
    CANCELD_OP_WAIT,
    CANCELD_OP_GET,
    CANCELD_OP_LIST,
    CANCELD_OP_COUNT,
    CANCELD_OP_ARMED,
    CANCELD_OP_DISARM,
    CANCELD_OP_PING,
    CANCELD_OP_STATS,
};

/* Any one of them, for canceld_submit(). */
struct canceld_request {
    enum canceld_op op;

    union {
        struct canceld_store_request store;
        struct canceld_cancel_request cancel;
        struct canceld_delete_request delete_; /* `delete` is a word of C++ */
        struct canceld_touch_request touch;
        struct canceld_wait_request wait;
        struct canceld_get_request get;   /* GET, DISARM */
        struct canceld_list_request list; /* LIST, COUNT, ARMED */
    } of;
};

/* ---- Blocking calls -----------------------------------------------------------------------------
 * *
 *
 * Each blocks until there is an answer, or for `deadline_ms` (and the request's wait_ms). While the
 * daemon is away they wait for it: UNAVAILABLE where the deadline passed before the request could
 * be sent, TIMED_OUT where it was sent and not answered. *result_out is written in any case, empty
 * unless OK (with REFUSED it holds the error); clear it. result_out may be NULL where the answer
 * does not matter but then OK is all one knows. Fine on any thread, callbacks included. */

/* Stores an operation. With STORED and BORN_CANCELLED *operation_out is the caller's to finish or
 * free, else NULL. operation_out may be NULL: then the operation is forgotten at once, as by
 * canceld_operation_forget(). Where the deadline passes and the operation is stored later, it is
 * deleted as FAILED, unless operation_out was NULL. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_store(struct canceld_client *client, const struct canceld_store_request *request,
              uint32_t deadline_ms, struct canceld_operation **operation_out,
              struct canceld_result *result_out);

/* Asks for a cancel. Answers REQUESTED, ALREADY_REQUESTED, ARMED, FINISHED, NOT_FOUND, STALE_GEN,
 * OWNER_LOST, STALE_EPOCH or FULL; see result.level for what was reached. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_cancel(struct canceld_client *client, const struct canceld_cancel_request *request,
               uint32_t deadline_ms, struct canceld_result *result_out);

/* Ends an operation by name: for one that this process does not hold (see
 * canceld_operation_finish). */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_delete(struct canceld_client *client, const struct canceld_delete_request *request,
               uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_touch(struct canceld_client *client, const struct canceld_touch_request *request,
              uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_wait(struct canceld_client *client, const struct canceld_wait_request *request,
             uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_get(struct canceld_client *client, const struct canceld_get_request *request,
            uint32_t deadline_ms, struct canceld_result *result_out);

/* One page. Go on with cursor = result.next_cursor until that is 0. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_list(struct canceld_client *client, const struct canceld_list_request *request,
             uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_count(struct canceld_client *client, const struct canceld_list_request *request,
              uint32_t deadline_ms, struct canceld_result *result_out);

/* One page of the armed keys. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_armed(struct canceld_client *client, const struct canceld_list_request *request,
              uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_disarm(struct canceld_client *client, const struct canceld_get_request *request,
               uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status canceld_ping(struct canceld_client *client,
                                                                uint32_t deadline_ms,
                                                                struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status canceld_stats(struct canceld_client *client,
                                                                 uint32_t deadline_ms,
                                                                 struct canceld_result *result_out);

/* ---- Pipelined calls ----------------------------------------------------------------------------
 */

/* Hands a request over and returns at once. OK: on_done is called exactly once, on the callback
 * thread, with what the blocking call would have returned (CLOSED if the client is closed first);
 * `result` and what it holds are valid only until on_done returns, `operation` (STORED and
 * BORN_CANCELLED, else NULL) is the receiver's to finish or free. Any other status: on_done is
 * never called. FULL: options.requests_max are outstanding; wait for some on_done. Requests of one
 * thread are applied in the order of their submission, except that those which wait in the daemon
 * (wait, and cancel with a level above RECORDED) may be held back while too many of them wait there
 * already. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_submit(struct canceld_client *client, const struct canceld_request *request,
               uint32_t deadline_ms,
               void (*on_done)(enum canceld_status status, const struct canceld_result *result,
                               struct canceld_operation *operation, void *arg),
               void *arg);

/* ---- Operations: the owner's side ---------------------------------------------------------------
 * *
 *
 * An operation is told of its cancel three ways at once: its flag, its callback, its descriptor.
 * All three come exactly once for each thing told, however often the wire repeats it. The daemon is
 * told DELIVERED only after the flag is set, and where there is a callback, after that has
 * returned. */

/* Bits of the flag. Any of them: stop working. */
#define CANCELD_STOP_CANCEL 1U /* it is cancelled: see canceld_operation_notice() for the cause */
#define CANCELD_STOP_ENDED 2U  /* it ended, not by its owner: expired, or deleted by another */
#define CANCELD_STOP_LOST 4U   /* it is, or may be, lost, and options.on_lost is STOP */

/* The flag itself, for loops that want no call at all: read it with canceld_flag_load(). Valid
 * until the operation is finished, freed or forgotten. */
CANCELD_API const uint32_t *canceld_operation_flag(const struct canceld_operation *operation);

/* One load; acquire, so that the cause is there to be read once the flag says so. */
static inline uint32_t canceld_flag_load(const uint32_t *flag)
{
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static inline bool canceld_operation_should_stop(const struct canceld_operation *operation)
{
    return canceld_flag_load(canceld_operation_flag(operation)) != 0;
}

/* A descriptor that becomes readable, and stays so, when the flag is not 0: for poll, epoll, libuv.
 * Made by the first call. It is the operation's: do not read it, do not close it. -1 with errno
 * where none can be had, and with EBADF after fork(). */
CANCELD_API int canceld_operation_fd(struct canceld_operation *operation);

/* What the operation was told so far. */
struct canceld_notice {
    bool cancelled;     /* a cancel was recorded */
    bool ended;         /* it ended, not by its owner's finish: see outcome */
    bool lost_possible; /* degraded longer than the grace, or the daemon was restarted */
    bool lost;          /* its session was lost: nobody can cancel it through canceld now */
    enum canceld_outcome outcome; /* ended or lost: as remembered by the daemon, else UNSET */
    struct canceld_cause cause;   /* cancelled. Lives as long as the operation. */
};

/* Does not block. INVALID never; FORKED in a child. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_operation_notice(const struct canceld_operation *operation,
                         struct canceld_notice *notice_out);

/* on_notice is called on the callback thread each time canceld_operation_notice() would tell
 * something new: for a cancel, an end, LOST_POSSIBLE, LOST. What was told before the callback was
 * set is told at once. One callback an operation: a later one replaces it; NULL takes it away. It
 * may finish or free the operation. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_operation_on_notice(struct canceld_operation *operation,
                            void (*on_notice)(struct canceld_operation *operation, void *arg),
                            void *arg);

/* Its gen: give it to whoever may want to cancel this very operation. */
CANCELD_API uint64_t canceld_operation_gen(const struct canceld_operation *operation);
/* Its key; lives as long as the operation. */
CANCELD_API struct canceld_bytes canceld_operation_key(const struct canceld_operation *operation);

/* Renews its ttl. Blocks. Answers TOUCHED, CANCELLING or ENDED. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_operation_touch(struct canceld_operation *operation, uint32_t ttl_ms, uint32_t deadline_ms,
                        struct canceld_result *result_out);

/* Ends it with COMPLETED, FAILED or CANCELLED, and frees it whatever the status. Blocks for the
 * answer: DELETED (result.cancelled says whether a cancel was recorded first) or ENDED{outcome}.
 * With TIMED_OUT and UNAVAILABLE the delete is not given up: it is sent as soon as the daemon is
 * back, for as long as the client is open. result_out may be NULL. After it returns no callback of
 * the operation runs or begins: where one is running on the callback thread it is waited for
 * (unless this is that callback). Other threads must not use the operation any more. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_operation_finish(struct canceld_operation *operation, enum canceld_outcome outcome,
                         uint32_t deadline_ms, struct canceld_result *result_out);

/* The drop guard: ends it as FAILED, in the background, and frees it. Blocks only for a running
 * callback, as finish does. NULL is fine. After canceld_close() it just frees; in a child after
 * fork() it does nothing. */
CANCELD_API void canceld_operation_free(struct canceld_operation *operation);

/* Frees it and leaves it in the registry, where it goes on by its ttl and its on_owner_loss: no
 * cancel of it reaches this process any more, and none of them counts as DELIVERED. NULL is fine.
 */
CANCELD_API void canceld_operation_forget(struct canceld_operation *operation);

#ifdef __cplusplus
}
#endif

#endif
