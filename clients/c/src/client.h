/* SPDX-License-Identifier: MIT */
/* The shell around the engine: a mutex, two threads, one stream.
 *
 *   callers        submit under the mutex, send (on a socket of our own, where nobody does) or wake the I/O
 *                  thread, wait for their call. Who sends does so for all who have submitted meanwhile, so that
 *                  one caller alone wakes nobody, and many share frames.
 *   I/O thread     moves bytes between the stream and the engine, keeps the engine's time, and after each
 *                  step hands out what came of it: wakes callers, makes descriptors readable, and queues
 *                  callbacks. It never runs code of the application, so heartbeats do not hang on it.
 *   callback       runs the callbacks one by one, without the mutex. Notices go first, then events, then
 *   thread         the answers of pipelined calls, so that a flood of those does not hold up a cancel.
 *
 * The mutex guards everything but what is marked. A client is freed when it is closed and the application has
 * let go of its last operation. */
#ifndef CANCELD_CLIENT_CLIENT_H
#define CANCELD_CLIENT_CLIENT_H

#include "alarm.h"
#include "engine.h"
#include "stream.h"

#include <pthread.h>
#include <sys/types.h>

struct canceld_client {
    /* Never changed after canceld_connect(). */
    pid_t pid;
    pthread_t io_thread;
    pthread_t callback_thread;
    char *texts; /* of the config */
    size_t texts_size;
    uint32_t requests_max;
    void (*on_event)(struct canceld_client *client, enum canceld_event event, void *arg);
    void *on_event_arg;

    pthread_mutex_t mutex;
    struct alarm io_alarm;
    uint64_t io_until_ns; /* when the I/O thread wakes by itself, where it sleeps */
    pthread_cond_t callback_wake;
    pthread_cond_t
        changed; /* the engine's phase, a callback that returned: for connect, close, finish */
    struct engine engine;
    struct link callback_operations;
    struct link callback_calls;
    enum canceld_event callback_events[ENGINE_EVENTS_MAX];
    size_t callback_events_count;
    struct canceld_operation *callback_running; /* whose on_notice runs now */
    uint32_t calls_count;                       /* pipelined, their on_done not begun */
    uint32_t handles_count;                     /* operations in the application's hands */
    bool io_stop;
    bool callback_stop;
    bool closed;

    /* The I/O thread's, but for sending: whoever has claimed stream.send has `output`. */
    struct stream stream;
    struct buffer output;
    size_t output_offset;
    bool link_up;
    bool link_ending;
    bool giving_up; /* NNG was asked to let go of the dial or the link */
};

/* CLOCK_MONOTONIC. Any thread. */
uint64_t client_now_ns(void);

/* FORKED in a child. Any thread, without the mutex. */
MUST_CHECK enum canceld_status client_enter(const struct canceld_client *client);

void client_lock(struct canceld_client *client);
void client_unlock(struct canceld_client *client);

/* Hands out what came of the engine's last step. With the mutex. */
void client_drain(struct canceld_client *client);

/* Something was submitted: has it sent. With the mutex, which may be let go of meanwhile. */
void client_submitted(struct canceld_client *client);

/* Queues the operation's on_notice if there is anything to tell. With the mutex. */
void client_tell(struct canceld_client *client, struct canceld_operation *operation);

/* The bodies of the two threads. */
void *client_io_run(void *client);
void *client_callback_run(void *client);

/* Submits and waits for the answer; `submission` without its call. Writes *result_out, which may be NULL, and
 * *operation_out, likewise, in any case. Without the mutex. */
MUST_CHECK enum canceld_status client_call(struct canceld_client *client,
                                           struct submission *submission,
                                           struct canceld_operation **operation_out,
                                           struct canceld_result *result_out);

/* The application has let go of an operation, or of the client. Unlocks the mutex, and frees the client after
 * the last of them. */
void client_release(struct canceld_client *client);

#endif
