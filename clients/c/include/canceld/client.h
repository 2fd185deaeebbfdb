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
 * THE DAEMON AWAY. When the connection is lost the client is *degraded*: it connects again, at once,
 * and then, while nobody answers, after a growing pause (5 ms to 1 s), which is about a quarter of
 * the time tried so far; up to a half of it is left out by chance, so that many clients do not keep
 * step. A daemon that takes the connection and ends it at once is asked after pauses that double.
 * While the session may live no pause is longer than an eighth of its grace. An attempt that hangs
 * (a dial without an answer, or a daemon that takes the connection and is silent) is given up after
 * a quarter of the grace, but not before 250 ms, the next after twice that time, and so on up to
 * 5 s: a packet that is lost while the connection is made does not cost the session. Before the
 * first connection each attempt has 5 s. A connection is given up that is silent for 3 heartbeats,
 * or over which bytes come and, for a quarter of the grace longer, no whole answer.
 * Connected, the client resumes its session, and sends unanswered requests again under their old
 * ids, so nothing is done twice. Operations go on meanwhile; cancels recorded meanwhile are given
 * once the session is resumed. Degraded longer than the session's grace, by this process'
 * own clock, each operation is given LOST_POSSIBLE once: the daemon may have ended it as
 * OWNER_LOST. What the application does about it is its choice: on_lost below. Then one of three
 * things comes to pass:
 *
 * - The session is there still (EVENT_RESUMED). Nothing was lost.
 * - The daemon ran on and gave the session up (EVENT_SESSION_LOST). The client opens another one,
 *   asks for each of its gens, and gives each operation one LOST, with the cause if a cancel had
 *   been recorded.
 * - The daemon was restarted (EVENT_NEW_EPOCH). The client opens another session, and in it *adopts*
 *   each operation that it holds and that has not ended: under its old gen, with everything that
 *   it was stored with (the ttl begins anew, as it was stored or last touched), and with its cause
 *   if it was told one. Every other request of the application waits until that is done. An
 *   operation that was adopted goes on as if nothing had been; if the daemon knows of a cancel, it
 *   is told now. One that the daemon does not let it have (it ended, another owns it, there is no
 *   room or no right) is given LOST, with the outcome and the cause if the daemon knows them. Once
 *   each operation was adopted or given LOST: EVENT_ADOPTED. A daemon that is restarted meanwhile
 *   is simply adopted from again. Operations that were forgotten are not adopted.
 *
 * When the session is resumed, and when an operation is adopted, its LOST_POSSIBLE is over:
 * canceld_operation_notice() no longer says so. A flag that it has set stays set.
 *
 * Requests that were sent to a session now lost: reads, and those that name a gen, are sent again
 * in the new one. So a finish on its way is neither lost nor done twice: its operation is adopted
 * first, also where its call has timed out, and ended then. Of the rest (store, disarm, drain,
 * undrain, and a cancel that names no gen) nobody can say what happened, and they end as
 * CANCELD_UNKNOWN. (An adopt names a gen: see canceld_adopt.)
 *
 * A daemon that has just been restarted answers RECOVERING about what its owners may yet adopt:
 * nothing was done. The client asks again, as often as the daemon says, for as long as the call's
 * own deadline is; meanwhile what the request lets the daemon wait (wait_ms) does not run. After
 * that the call ends with CANCELD_OK and ANSWER_RECOVERING (where a sending before the restart may
 * have been done: CANCELD_TIMED_OUT). A request that is asked again may be overtaken by later ones.
 *
 * A daemon that cannot write its journal has done what was asked, and told the owners, but after a
 * restart it may know nothing of it (ERROR_JOURNAL). The client asks again under the same id, with
 * a growing pause (50 ms to 1 s), until the journal has it; when the call's deadline comes first
 * the call ends as CANCELD_UNKNOWN, and result.error says CANCELD_ERROR_JOURNAL. Without a session
 * there is no such id: a request that is no read ends so at once. */
#ifndef CANCELD_CLIENT_H
#define CANCELD_CLIENT_H

#include <canceld/words.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CANCELD_DEADLINE_DEFAULT_MS 10000U
#define CANCELD_HEARTBEAT_DEFAULT_MS 2000U
#define CANCELD_HEARTBEAT_NONE UINT32_MAX /* the connection alone says that we are there */
#define CANCELD_REQUESTS_MAX_DEFAULT 65536U

/* The version of the library, as in "0.1.0". */
CANCELD_API const char *canceld_client_version(void);

/* Gives back what the result holds and empties it. NULL and an empty result are fine. Any thread.
 */
CANCELD_API void canceld_result_clear(struct canceld_result *result);

struct canceld_operation;

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
    CANCELD_EVENT_ADOPTED = 7, /* after NEW_EPOCH: every operation was adopted, or given LOST */
};

/* What LOST and LOST_POSSIBLE do to the flag of an operation. They are told to on_notice in any
 * case, and a LOST with a cause is a cancel: it sets CANCELD_STOP_CANCEL in any case. */
enum canceld_on_lost {
    CANCELD_ON_LOST_GO_ON = 0, /* nothing: the work goes on */
    CANCELD_ON_LOST_STOP = 1,  /* they set CANCELD_STOP_LOST */
};

/* For tls+tcp://. The files are PEM and are read by canceld_connect(); one that cannot be read or
 * understood is INVALID. */
struct canceld_tls {
    const char *ca_file;   /* who may have signed the daemon's certificate; required */
    const char *cert_file; /* our own certificate; NULL: none */
    const char *key_file;  /* its key; NULL: it is in cert_file too */
    const char
        *server_name; /* that the daemon's certificate must have; NULL: the url's host. Needed
                              * where that is an address: certificates are checked for names. */
};

/* All zero but the url is a good choice. on_event may be called before canceld_connect() returns. */
struct canceld_options {
    const char *url;         /* ipc:///path, tcp://host:port or tls+tcp://host:port; required */
    const char *name_space;  /* for requests that name none; NULL: "default" */
    const char *client_name; /* up to 64 bytes of UTF-8, shown to others; NULL: none */
    uint32_t heartbeat_ms;   /* 100 to 86400000; 0: the default; or CANCELD_HEARTBEAT_NONE */
    uint32_t requests_max;   /* requests outstanding or waiting here; 0: the default */
    bool sessionless;        /* no session: a canceller that owns nothing (a Stop handler). It has
                              * all but store, adopt, delete, touch and detach. */
    bool await_daemon;       /* canceld_connect: try until the deadline; false: the first
                              * attempt decides */
    enum canceld_on_lost on_lost;
    void (*on_event)(struct canceld_client *client, enum canceld_event event, void *arg);
    void *on_event_arg;
    struct canceld_bytes token; /* who we are, where the daemon cannot tell by our uid: up to 256
                                 * bytes, sent when a session is opened. Not with sessionless. */
    struct canceld_tls tls;
};

/* Connects, opens a session, and starts the client's two threads. Blocks for up to `deadline_ms`.
 * OK: *client_out is the caller's to close. UNAVAILABLE: nobody listens there, or no session was
 * had in time. REFUSED: whoever listens there is no canceld, or will not have us (a token that is
 * nobody's, no right to open). Else INVALID,
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
    uint64_t parent;           /* a gen in the same namespace, as by canceld_operation_gen(): its
                                * cancel is this one's too; 0: none */
    /* Each 1 to 64 bytes of UTF-8 without control characters, none twice. */
    struct canceld_bytes labels[CANCELD_LABELS_MAX];
    size_t labels_count;
    /* As by canceld_operation_on_notice(), but without a moment in between: it may be called before
     * canceld_store() or canceld_adopt() returns, never before on_done of canceld_submit() has. */
    void (*on_notice)(struct canceld_operation *operation, void *arg);
    void *on_notice_arg;
};

/* Of an operation that has a gen already: see canceld_adopt(). */
struct canceld_adopt_request {
    struct canceld_store_request store; /* as it was stored; ttl_ms counts from now */
    uint64_t gen;                       /* required */
    struct canceld_cause cause; /* the first one that its former owner knew, with any code and its
                                 * peer; code UNSET: it knew of none */
    uint64_t previous_session;  /* that owned it: a cancel of that session covers it still; 0: not
                                 * known */
};

struct canceld_history_request {
    struct canceld_bytes name_space;
    struct canceld_bytes key; /* empty: any */
    uint64_t cursor;          /* 0: from the newest; else next_cursor of the page before */
    uint32_t page_size;       /* 0: 100; at most 1000 */
};

/* Any one of them, for canceld_submit(). */
struct canceld_request {
    enum canceld_op op;

    union {
        struct canceld_store_request store;
        struct canceld_adopt_request adopt;
        struct canceld_cancel_request cancel;
        struct canceld_delete_request delete_; /* `delete` is a word of C++ */
        struct canceld_touch_request touch;
        struct canceld_wait_request wait;
        struct canceld_get_request get;   /* GET, DISARM */
        struct canceld_list_request list; /* LIST, COUNT, ARMED */
        struct canceld_detach_request detach;
        struct canceld_drain_request drain; /* DRAIN, UNDRAIN */
        struct canceld_watch_request watch;
        struct canceld_history_request history;
    } of;
};

/* ---- Blocking calls -----------------------------------------------------------------------------
 * *
 *
 * Each blocks until there is an answer, or for `deadline_ms` (and the request's wait_ms). While the
 * daemon is away they wait for it: UNAVAILABLE where the deadline passed before the request could
 * be sent, TIMED_OUT where it was sent and not answered. *result_out is written in any case, empty
 * unless OK (with REFUSED, and UNKNOWN by the journal, it holds the error); clear it. result_out may be NULL where the answer
 * does not matter but then OK is all one knows. Fine on any thread, callbacks included. */

/* Stores an operation. With STORED and BORN_CANCELLED *operation_out is the caller's to finish or
 * free, else NULL. operation_out may be NULL: then the operation is forgotten at once, as by
 * canceld_operation_forget(). Where the deadline passes and the operation is stored later, it is
 * deleted as FAILED, unless operation_out was NULL. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_store(struct canceld_client *client, const struct canceld_store_request *request,
              uint32_t deadline_ms, struct canceld_operation **operation_out,
              struct canceld_result *result_out);

/* Takes over an operation under the gen that it has: a kept one (ON_OWNER_LOSS_KEEP) whose owner was
 * lost or has closed, or one of before the daemon's restart whose owner was an earlier process. What
 * this client holds itself it adopts by itself. Answers ADOPTED (with the state, and with the cause
 * where it is CANCELLING: the operation is told of it as with BORN_CANCELLED), EXISTS (another
 * session owns it), ENDED, STALE_GEN, NOT_FOUND, STALE_EPOCH, FULL or DENIED; under a drain it is
 * ADOPTED, CANCELLING. The cause given here is told to whoever cancels it later, unless the daemon
 * knows of an earlier one.
 *
 * With ADOPTED *operation_out is the caller's to finish or free, else NULL; from then on it is as if
 * it had been stored here: flag, callback, descriptor, and adoption after a restart of the daemon.
 * operation_out is required. Of a kept operation the daemon takes ttl_ms (0: it stays), on_expiry,
 * stop_grace_ms and on_owner_loss from here, and leaves labels, meta and parent as they are; but a
 * daemon that was restarted, now or later, has all of it from here alone: canceld_get() tells them.
 *
 * To adopt twice does no harm. Where the session is lost, or the daemon restarted, before the answer,
 * it is sent again in the new session; an earlier sending that was applied is not in the way: with
 * the lost session the operation has lost that owner too, so the answer is never EXISTS by our own
 * doing. It is ADOPTED again, or, without ON_OWNER_LOSS_KEEP, ENDED with OWNER_LOST. Where the
 * deadline passes and it is adopted later, it is left as it is: our session's, as if it had been
 * forgotten. Adopt it again to hold it; the answer is ADOPTED.
 *
 * INVALID also for a gen that this client holds, or is adopting, already: nothing is sent. One that
 * was given LOST but is kept can be adopted again: canceld_operation_forget() it first. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_adopt(struct canceld_client *client, const struct canceld_adopt_request *request,
              uint32_t deadline_ms, struct canceld_operation **operation_out,
              struct canceld_result *result_out);

/* Asks for a cancel. Answers REQUESTED, ALREADY_REQUESTED, ARMED, FINISHED, NOT_FOUND, STALE_GEN,
 * OWNER_LOST, STALE_EPOCH or FULL; see result.level for what was reached. A bulk one answers after
 * the last of what it covers: REQUESTED where any was LIVE, ALREADY_REQUESTED where all were
 * CANCELLING, NOT_FOUND where there was none, with requested, already_requested and the first 100
 * gens. */
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

/* Cuts the tie to the parent: its cancel is no longer this one's. Answers DETACHED (also where there
 * was no parent), CANCELLING where the operation is so (under a CANCELLING parent it is cancelled
 * first), ENDED, STALE_GEN, NOT_FOUND or STALE_EPOCH. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_detach(struct canceld_client *client, const struct canceld_detach_request *request,
               uint32_t deadline_ms, struct canceld_result *result_out);

/* Closes a namespace, a session's stores or the daemon for new operations, and cancels all live ones
 * with CAUSE_SHUTDOWN. Answers DRAINED when none is left, or TIMED_OUT with what is left. Stays in
 * force until canceld_undrain() or the daemon's end. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_drain(struct canceld_client *client, const struct canceld_drain_request *request,
              uint32_t deadline_ms, struct canceld_result *result_out);

/* Answers UNDRAINED, or NOT_FOUND where there was no drain. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_undrain(struct canceld_client *client, const struct canceld_drain_request *request,
                uint32_t deadline_ms, struct canceld_result *result_out);

/* One answer of a watch: EVENTS, those after the revision (none where wait_ms passed without any);
 * or SNAPSHOT, one page of the operations that are live, where the revision is 0, too old or of
 * another epoch. See the watcher below, which does the bookkeeping. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_watch(struct canceld_client *client, const struct canceld_watch_request *request,
              uint32_t deadline_ms, struct canceld_result *result_out);

/* One page of the audit trail, the newest first: who cancelled what, why, and how long it took to
 * stop. Go on with cursor = result.next_cursor until that is 0. Answers HISTORY, or ERROR with
 * CANCELD_ERROR_NO_JOURNAL. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_history(struct canceld_client *client, const struct canceld_history_request *request,
                uint32_t deadline_ms, struct canceld_result *result_out);

/* ---- Watching a namespace -----------------------------------------------------------------------
 *
 * A watcher follows a namespace, item by item: a snapshot first, then what changes. To know what is
 * live, apply each item to what you have: after a GAP nothing of it holds, SNAPSHOT adds one
 * operation, an EVENT stores one, changes its state or takes it away.
 *
 *     while (canceld_watcher_next(watcher, 25000, 0, &item) == CANCELD_OK)
 *         switch (item.kind) ...
 *
 * The daemon keeps nothing for a watcher: whoever is slow, or away while the daemon is restarted,
 * is told a GAP. A watcher belongs to one thread at a time. */

enum canceld_watch_kind {
    CANCELD_WATCH_NOTHING = 0,  /* wait_ms passed without an event */
    CANCELD_WATCH_SNAPSHOT = 1, /* operation: it is live */
    CANCELD_WATCH_CURRENT = 2,  /* the snapshot is whole: events follow */
    CANCELD_WATCH_EVENT = 3,    /* event */
    CANCELD_WATCH_GAP = 4,    /* events were missed: forget everything, another snapshot follows */
    CANCELD_WATCH_ANSWER = 5, /* the daemon will not: see result (DENIED, ERROR, FULL, ...). The
                                 * next call asks again. */
};

/* Everything a pointer in it leads to belongs to the watcher and lives until its next call. */
struct canceld_watch_item {
    enum canceld_watch_kind kind;
    uint64_t epoch;                                 /* SNAPSHOT, CURRENT, EVENT: of the revision */
    uint64_t revision;                              /* that this item leads to */
    const struct canceld_operation_info *operation; /* SNAPSHOT; else NULL */
    const struct canceld_watch_event *event;        /* EVENT; else NULL */
    const struct canceld_result *result;            /* ANSWER; else NULL */
};

struct canceld_watcher;

/* Asks nothing yet. name_space empty means the client's. OK, INVALID, FORKED or NO_MEMORY. Free it
 * before the client is closed. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_watcher_new(struct canceld_client *client, struct canceld_bytes name_space,
                    struct canceld_watcher **watcher_out);

/* The next item. Blocks for up to wait_ms (at most 25000) for an event, and for up to deadline_ms
 * for the daemon. With a status that is not OK nothing was missed: call again. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_watcher_next(struct canceld_watcher *watcher, uint32_t wait_ms, uint32_t deadline_ms,
                     struct canceld_watch_item *item_out);

/* NULL is fine. */
CANCELD_API void canceld_watcher_free(struct canceld_watcher *watcher);

/* ---- Pipelined calls ----------------------------------------------------------------------------
 */

/* Hands a request over and returns at once. OK: on_done is called exactly once, on the callback
 * thread, with what the blocking call would have returned (CLOSED if the client is closed first);
 * `result` and what it holds are valid only until on_done returns, `operation` (STORED,
 * BORN_CANCELLED and ADOPTED, else NULL) is the receiver's to finish or free. Any other status: on_done is
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
    bool lost_possible; /* degraded longer than the grace, and neither resumed nor adopted since */
    bool lost;          /* its session was lost, and it was not adopted: nobody can cancel it
                         * through canceld now */
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

/* Its gen: give it to whoever may want to cancel this very operation, or to a store as its parent. It
 * stays the same for as long as the operation lives, also when it is adopted. */
CANCELD_API uint64_t canceld_operation_gen(const struct canceld_operation *operation);
/* Its key; lives as long as the operation. */
CANCELD_API struct canceld_bytes canceld_operation_key(const struct canceld_operation *operation);

/* Renews its ttl. Blocks. Answers TOUCHED, CANCELLING or ENDED. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_operation_touch(struct canceld_operation *operation, uint32_t ttl_ms, uint32_t deadline_ms,
                        struct canceld_result *result_out);

/* Ends it with COMPLETED, FAILED or CANCELLED, and frees it whatever the status. Blocks for the
 * answer: DELETED (result.cancelled says whether a cancel was recorded first) or ENDED{outcome}; of
 * an operation that was lost also NOT_FOUND, STALE_GEN or RECOVERING. Where it was done, and the
 * answer was lost with its session, the library asks again in the next one, and ENDED has the outcome
 * that was asked for, and the cause if a cancel was recorded first. With TIMED_OUT, UNAVAILABLE
 * and RECOVERING the delete is not given up: it is sent as soon as the daemon is back (where that
 * was restarted, the operation is adopted first), for as long as the client is open. result_out may
 * be NULL. After it returns no callback of the operation runs or begins: where one is running on
 * the callback thread it is waited for (unless this is that callback). Other threads must not use
 * the operation any more. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_operation_finish(struct canceld_operation *operation, enum canceld_outcome outcome,
                         uint32_t deadline_ms, struct canceld_result *result_out);

/* The drop guard: ends it as FAILED, in the background, and frees it. Blocks only for a running
 * callback, as finish does. NULL is fine. After canceld_close() it just frees; in a child after
 * fork() it does nothing. */
CANCELD_API void canceld_operation_free(struct canceld_operation *operation);

/* Frees it and leaves it in the registry, where it goes on by its ttl and its on_owner_loss: no
 * cancel of it reaches this process any more, and none of them counts as DELIVERED. A daemon that is
 * restarted does not know it any more. NULL is fine. */
CANCELD_API void canceld_operation_forget(struct canceld_operation *operation);

#ifdef __cplusplus
}
#endif

#endif
