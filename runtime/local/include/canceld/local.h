/* SPDX-License-Identifier: MIT */
/* libcanceld-local: the registry of cancellable operations, in your own process.
 *
 * What a program does with a mutex and a map from key to cancel function, without the mutex: a registry
 * belongs to one thread, which alone touches its map; the other threads ask it. The verbs and answers
 * are those of the daemon (canceld/client.h). There may be any number of registries; nothing is global.
 *
 *     struct canceld_local *local;
 *     struct canceld_local_answer answer;
 *     enum canceld_status status = canceld_local_start(NULL, &local);
 *
 *     struct canceld_local_request store = {.op = CANCELD_OP_STORE,
 *                                           .key = canceld_string("chat-42"),
 *                                           .on_cancel = stop_generation, .arg = generation};
 *     status = canceld_local_ask(local, &store, 0, &answer);  // answer.answer, answer.gen
 *
 *     struct canceld_local_request cancel = {.op = CANCELD_OP_CANCEL, .key = canceld_string("chat-42")};
 *     status = canceld_local_ask(local, &cancel, 0, &answer); // REQUESTED; stop_generation(generation)
 *                                                             // runs on the callback thread
 *
 * STATUS AND ANSWER. A call ends with a canceld_status, which says whether there is an answer at all;
 * only with CANCELD_OK is there one. TIMED_OUT: the deadline passed; the op may have been done, or be
 * done yet. FULL: a bound of the way there was reached; nothing was done. INVALID: an argument is
 * missing or does not fit; nothing was done. CLOSED: the registry is stopping or stopped; nothing was
 * done.
 *
 * THREE WAYS TO ASK, all with the same verbs:
 * - canceld_local_ask(): any thread, no preparation: through the owner's mailbox.
 * - a lane (canceld_lane_attach()): for a thread that asks often. One at a time it saves some hundred ns;
 *   pipelined (submit many, collect their answers) an op costs a fraction of a contended mutex.
 * - INLINE mode: no thread at all: every call does its work at once, on the one thread that uses the
 *   registry, as in an event loop.
 *
 * DEADLINES are in milliseconds of CLOCK_MONOTONIC; 0 means none. They are never early, and late by
 * what the system takes to wake a thread.
 *
 * CALLBACKS. on_cancel is called exactly once for each cancelled gen; and once more, with `ended`, where
 * the gen then ends by its ttl. It runs where options.callbacks says, and nowhere else: never on the
 * owner's thread, never within a call that asks. So it may do anything, ask this registry included; it
 * delays other callbacks and nothing else. When it has returned, the cancel is DELIVERED.
 *
 * WHOSE IS `arg`? A delete ends an operation, and decides:
 * - DELETED and not `cancelled`: on_cancel was not called and never will be. Free arg.
 * - any other answer about an end (DELETED and cancelled; ENDED): on_cancel was, is or will be called;
 *   answer.callback_pending says that it may not have returned yet.
 * In a registry with its own callback thread canceld_local_ask() and canceld_lane_ask() wait for it
 * before a delete returns: then callback_pending is false, no callback of that gen runs or begins any
 * more, and arg may be freed. (They do not where they are called from within a callback, nor while the
 * registry is being stopped, which waits for all of them itself; and no longer than deadline_ms, counted
 * anew.) Who pipelines deletes, or runs the callbacks himself, looks at callback_pending, and waits by
 * canceld_local_callback_wait() before he frees. Or he lets the callback free arg where there was a
 * cancel: exactly one of the two owns it. As with any such hand-over: do not hold a lock that a callback
 * takes while you wait for one.
 *
 * FORK. Nothing of a registry survives fork(). */
#ifndef CANCELD_LOCAL_H
#define CANCELD_LOCAL_H

#include <canceld/words.h>

#ifdef __cplusplus
extern "C" {
#endif

struct canceld_local;
struct canceld_lane;

/* ---- Start and stop ---- */

enum canceld_local_mode {
    CANCELD_LOCAL_THREADED = 0, /* the registry has a thread of its own, its owner */
    CANCELD_LOCAL_INLINE = 1, /* none: one thread makes every call, see canceld_local_run_once() */
};

enum canceld_local_callbacks {
    CANCELD_LOCAL_CALLBACKS_THREAD = 0, /* a thread of the registry's own runs them, one by one */
    CANCELD_LOCAL_CALLBACKS_POLLED =
        1, /* they run within canceld_local_run_callbacks() alone; always so
                                         * in INLINE mode */
};

#define CANCELD_LOCAL_SPIN_NONE UINT32_MAX
#define CANCELD_LOCAL_LANES_MAX 256
#define CANCELD_LANE_WINDOW_MAX 256

/* A bound of the registry: a name and a range as of the daemon's --limit-NAME (canceld --help). */
struct canceld_local_limit {
    const char *name; /* "operations", "finished_ms", ... */
    uint64_t value;
};

/* All zero is a good choice. */
struct canceld_local_options {
    enum canceld_local_mode mode;
    enum canceld_local_callbacks callbacks;
    uint32_t
        spin_us; /* how long an idle owner looks for work before it sleeps. 0: by itself, at the
                         * most 50, and less where nothing is to be expected;
                         * CANCELD_LOCAL_SPIN_NONE: it sleeps at once. Else up to 1,000,000. */
    uint32_t asks_max;  /* asks outstanding without a lane; 0: 256; up to 65536 */
    uint32_t lanes_max; /* attached at once; 0: 64; up to CANCELD_LOCAL_LANES_MAX */
    bool leave_live;    /* canceld_local_stop() does not cancel what is live */
    uint64_t now_ms;    /* INLINE: the time that it begins with */
    const struct canceld_local_limit *limits; /* those that differ from the defaults; copied */
    size_t limits_count;
};

/* Starts a registry and its threads. OK: *local_out is the caller's to stop and free. Else INVALID,
 * NO_MEMORY or SYSTEM, and nothing is left behind. NULL options are all zero. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_start(const struct canceld_local_options *options, struct canceld_local **local_out);

/* Refuses whatever is asked from now on (CLOSED), finishes what was asked before, ends asks that wait
 * (SHUTTING_DOWN), cancels every live operation with CANCELD_CAUSE_SHUTDOWN (unless leave_live), waits
 * until the callbacks of all cancels have returned, and ends the threads. POLLED: the callbacks run
 * within this call; nobody else may run them meanwhile. Any number of other threads may be in calls,
 * but not a second one in this. Never from a callback. A second call does nothing. */
CANCELD_API void canceld_local_stop(struct canceld_local *local);

/* Stops, where that was not done, and frees. Every lane is detached, and no thread is in a call with
 * it any more. NULL is fine. */
CANCELD_API void canceld_local_free(struct canceld_local *local);

/* ---- Requests and answers: the five quick verbs ---- */

/* What a callback is told. Valid until it returns. */
struct canceld_local_notice {
    uint64_t gen;
    bool ended; /* it ended, not by a delete: see outcome. Else: it is cancelled. */
    enum canceld_cause_code cause; /* of its cancel; UNSET: it was not cancelled */
    enum canceld_outcome outcome;  /* ended */
};

struct canceld_local_answer {
    enum canceld_answer answer;
    enum canceld_state state;      /* FOUND, EXISTS */
    enum canceld_outcome outcome;  /* FINISHED, ENDED, FOUND */
    enum canceld_level level;      /* of the operation's cancel */
    enum canceld_cause_code cause; /* likewise; its texts: canceld_local_get() */
    bool cancelled;                /* DELETED: a cancel was recorded first */
    bool callback_pending;         /* DELETED, ENDED: see "Whose is arg?" */
    uint32_t ttl_left_ms;          /* FOUND; 0: no ttl */
    uint64_t gen;                  /* of several: the newest */
    uint64_t age_ms;               /* FOUND */
    void *arg;                     /* FOUND, DELETED: as it was stored */
    const char *word; /* FULL: the bound's name. ERROR: the field that is out of its range.
                                    * Else NULL. Static storage. */
};

/* One op, as for the daemon. Whatever its op does not speak of is ignored. */
struct canceld_local_request {
    enum canceld_op op;         /* STORE, CANCEL, DELETE, TOUCH or GET; no other */
    struct canceld_bytes key;   /* 1 to 256 bytes; copied before the call returns */
    uint64_t gen;               /* DELETE, TOUCH: required. CANCEL: 0: every live gen of the key.
                               * GET: 0: the current one */
    uint32_t ttl_ms;            /* STORE: 0: none. STORE, TOUCH: 100 to 86400000 */
    uint32_t arm_ttl_ms;        /* CANCEL: 0: do not arm */
    enum canceld_policy policy; /* STORE */
    enum canceld_on_expiry on_expiry; /* STORE */
    enum canceld_outcome outcome;     /* DELETE: COMPLETED, FAILED or CANCELLED */
    enum canceld_cause_code cause;    /* CANCEL: UNSET: USER */

    /* STORE. NULL: nobody is told; look by GET. */
    void (*on_cancel)(void *arg, const struct canceld_local_notice *notice);
    void *arg;

    /* canceld_lane_submit(): called with the answer, on the lane's thread, within a call that collects.
     * NULL: the answer is collected. */
    void (*on_done)(void *done_arg, const struct canceld_local_answer *answer);
    void *done_arg;
};

/* Asks, and waits for the answer. Any thread, callbacks included. FULL: options.asks_max are
 * outstanding. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_ask(struct canceld_local *local, const struct canceld_local_request *request,
                  uint32_t deadline_ms, struct canceld_local_answer *answer_out);

/* ---- Lanes ----
 *
 * A lane belongs to one thread at a time. What is submitted is done, and answered, in its order;
 * between lanes, and lanes and the mailbox, there is none. In INLINE mode a lane is a batch: what was
 * submitted is done by the call that flushes. */

/* `window`: how many requests may be outstanding (submitted and not collected), 1 to
 * CANCELD_LANE_WINDOW_MAX. OK, INVALID, FULL (lanes_max), NO_MEMORY, SYSTEM or CLOSED. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_lane_attach(struct canceld_local *local, uint32_t window, struct canceld_lane **lane_out);

/* Gives the lane back. What was submitted is done; its answers are dropped, no on_done is called. Does not
 * wait for it, unless for a place to be free again. NULL is fine. Also after canceld_local_stop(),
 * never after canceld_local_free(). */
CANCELD_API void canceld_lane_detach(struct canceld_lane *lane);

/* Puts a request into the lane. It may stay unseen by the owner until canceld_lane_flush(), an ask, a
 * call that collects and finds nothing yet, or some more submits. Never blocks: FULL at once where `window` are outstanding. OK, FULL, INVALID,
 * CLOSED. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_lane_submit(struct canceld_lane *lane, const struct canceld_local_request *request);

/* Makes all that was submitted seen, and wakes the owner if it sleeps. */
CANCELD_API void canceld_lane_flush(struct canceld_lane *lane);

/* Submitted and not collected. */
CANCELD_API uint32_t canceld_lane_outstanding(const struct canceld_lane *lane);

/* Takes the next answer, in the order of submission; those with an on_done that stand before it are given
 * to that. Flushes where the next one is not there yet. try_: false where it has not come yet (or nothing is outstanding). The other waits:
 * OK; TIMED_OUT (nothing is lost, collect again); INVALID: nothing is outstanding any more but what
 * on_done was given. answer_out may be NULL. */
CANCELD_API CANCELD_MUST_CHECK bool
canceld_lane_try_collect(struct canceld_lane *lane, struct canceld_local_answer *answer_out);
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_lane_collect(struct canceld_lane *lane, uint32_t deadline_ms,
                     struct canceld_local_answer *answer_out);

/* Asks, and waits for this one answer: first spinning a little, then asleep. What was submitted before it
 * is done before it and stays to be collected. After TIMED_OUT the late answer is dropped by the lane;
 * until then it counts as outstanding. FULL as of submit. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_lane_ask(struct canceld_lane *lane, const struct canceld_local_request *request,
                 uint32_t deadline_ms, struct canceld_local_answer *answer_out);

/* ---- Callbacks ---- */

/* POLLED: runs callbacks that are due, `callbacks_max` at the most, on this thread; returns how many. One
 * thread at a time, not from a callback. Elsewhere it does nothing. */
CANCELD_API uint32_t canceld_local_run_callbacks(struct canceld_local *local,
                                                 uint32_t callbacks_max);

/* POLLED, not INLINE: a descriptor that is readable while callbacks are due: for poll, epoll, libuv. It is
 * the registry's: do not read it, do not close it. Else -1. */
CANCELD_API int canceld_local_fd(struct canceld_local *local);

/* Waits until no callback of the gen is due or running. (More than 1,024 may be due: then also for those
 * due before this call.) OK; TIMED_OUT; INVALID where it would be waiting for itself: in a callback, or
 * INLINE. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_callback_wait(struct canceld_local *local, uint64_t gen, uint32_t deadline_ms);

/* ---- INLINE: on your own event loop ---- */

/* Tells the time (ms of a clock that never goes back) and does what is due by then, a bounded share of it;
 * then runs the callbacks that are due. Returns whether more is left to do now. Each call in between
 * takes it to be the time last told. */
CANCELD_API CANCELD_MUST_CHECK bool canceld_local_run_once(struct canceld_local *local,
                                                           uint64_t now_ms);

/* When canceld_local_run_once() has something to do next; UINT64_MAX: nothing; the time last told: now. */
CANCELD_API uint64_t canceld_local_next_ms(const struct canceld_local *local);

/* ---- Every other verb, and the five in full ----
 *
 * Requests and results as of canceld/client.h, and through the mailbox; any thread. deadline_ms (0: none)
 * comes on top of the request's wait_ms. Clear the result by canceld_local_result_clear(); it is
 * written in any case, empty unless OK. There is one namespace, "default" (another may be named, and
 * holds nothing), and one owner: `by_owner` is always true. INLINE: nobody can wait: a wait_ms above 0 is
 * INVALID.
 *
 * Not here: sessions, adopt, rights and the journal (history answers ERROR_NO_JOURNAL). */

/* A store with everything. */
struct canceld_local_store_request {
    struct canceld_bytes key;
    enum canceld_policy policy;
    uint32_t ttl_ms;
    enum canceld_on_expiry on_expiry;
    uint32_t stop_grace_ms;
    struct canceld_bytes meta;
    uint64_t parent;
    struct canceld_bytes labels[CANCELD_LABELS_MAX];
    size_t labels_count;
    void (*on_cancel)(void *arg, const struct canceld_local_notice *notice);
    void *arg;
};

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_store(struct canceld_local *local, const struct canceld_local_store_request *request,
                    uint32_t deadline_ms, struct canceld_result *result_out);

/* Any level, with texts, by key, label or whole_namespace. */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_cancel(struct canceld_local *local, const struct canceld_cancel_request *request,
                     uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_wait(struct canceld_local *local, const struct canceld_wait_request *request,
                   uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_get(struct canceld_local *local, const struct canceld_get_request *request,
                  uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_list(struct canceld_local *local, const struct canceld_list_request *request,
                   uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_count(struct canceld_local *local, const struct canceld_list_request *request,
                    uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_armed(struct canceld_local *local, const struct canceld_list_request *request,
                    uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_disarm(struct canceld_local *local, const struct canceld_get_request *request,
                     uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_detach(struct canceld_local *local, const struct canceld_detach_request *request,
                     uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_drain(struct canceld_local *local, const struct canceld_drain_request *request,
                    uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_undrain(struct canceld_local *local, const struct canceld_drain_request *request,
                      uint32_t deadline_ms, struct canceld_result *result_out);

CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_watch(struct canceld_local *local, const struct canceld_watch_request *request,
                    uint32_t deadline_ms, struct canceld_result *result_out);

/* The registry's rows, and those of the owner: "local_sweeps", "local_batches", ... */
CANCELD_API CANCELD_MUST_CHECK enum canceld_status
canceld_local_stats(struct canceld_local *local, uint32_t deadline_ms,
                    struct canceld_result *result_out);

/* Gives back what the result holds and empties it. NULL and an empty result are fine. Any thread. */
CANCELD_API void canceld_local_result_clear(struct canceld_result *result);

#ifdef __cplusplus
}
#endif

#endif
