/* SPDX-License-Identifier: MIT */
/* A daemon played by the test, at the other end of an engine: it reads the engine's frames and answers them as the
 * case says. Time is the rig's own. After each step the engine's invariants are checked. */
#ifndef CANCELD_TESTS_CLIENT_RIG_H
#define CANCELD_TESTS_CLIENT_RIG_H

#include "engine.h"
#include "result.h"
#include "testing.h"

#ifndef RIG_FRAMES_MAX
#define RIG_FRAMES_MAX 2048
#endif
#define RIG_MS NS_PER_MS

/* A frame as the daemon got it. */
struct rig_frame {
    uint32_t word;
    Canceld__V1__Frame *frame; /* the rig's until the next rig_drop() */
};

struct rig {
    struct engine engine;
    uint64_t now_ns;
    struct sp_reader reader;
    struct buffer wire; /* from the engine, not parsed yet */
    struct rig_frame frames[RIG_FRAMES_MAX];
    size_t frames_count;
    size_t told_count;
    void (*on_told)(struct rig *rig, struct canceld_operation *operation); /* may be NULL */
    struct canceld_operation *told_last;
    enum canceld_event event_last;
    size_t events_count;
};

/* A call that the test waits for. */
struct rig_call {
    struct call call;
    size_t done_count;
};

#define RIG_SESSION 77
#define RIG_EPOCH 5
#define RIG_GRACE_MS 5000

/* Empty messages. The macros of those with texts cast a const away in the midst of our code. */
static inline Canceld__V1__Result rig_result(void)
{
    Canceld__V1__Result result;

    canceld__v1__result__init(&result);
    return result;
}

static inline Canceld__V1__Error rig_error(void)
{
    Canceld__V1__Error error;

    canceld__v1__error__init(&error);
    return error;
}

struct rig *rig_new(bool sessionless, bool stop_on_lost);
void rig_free(struct rig *rig);

/* Lets time pass in one step, and the engine act on it. */
void rig_pass(struct rig *rig, uint64_t ms);

/* The link comes up, as far as the engine's handshake, and as far as both. */
void rig_link_begin(struct rig *rig);
void rig_link_up(struct rig *rig);
void rig_link_down(struct rig *rig);

/* Lets the engine send, and takes what it tells. */
void rig_pump(struct rig *rig);

/* Link, handshake, open answered with this session and epoch; the first poll is left among the frames. */
void rig_ready(struct rig *rig, uint64_t session, uint64_t epoch, bool resumed);

/* The link is there, or comes back; the daemon knows session `before` no more, and opens the one above it. */
void rig_ready_anew(struct rig *rig, uint64_t before, uint64_t epoch);

/* The oldest frame with an op of this kind, taken out; it must be there. The frame's messages stay the rig's. */
struct rig_frame rig_take(struct rig *rig, Canceld__V1__Op__OpCase kind);
/* The oldest frame of all, taken out; false where there is none. */
bool rig_take_first(struct rig *rig, struct rig_frame *frame_out);
bool rig_has(const struct rig *rig, Canceld__V1__Op__OpCase kind);

/* Forgets what was sent. */
void rig_drop(struct rig *rig);
void rig_frame_free(struct rig_frame *frame);

/* Answers a frame and frees it. The results are in order; the reply carries the frame's id and session. */
void rig_answer(struct rig *rig, struct rig_frame *frame, Canceld__V1__Result **results,
                size_t results_count);
void rig_answer_one(struct rig *rig, struct rig_frame *frame, Canceld__V1__Answer answer,
                    uint64_t gen);
void rig_refuse(struct rig *rig, struct rig_frame *frame, Canceld__V1__ErrorCode code,
                const char *limit);
/* The same without freeing the frame, so that it can be answered twice. */
void rig_send_reply(struct rig *rig, const struct rig_frame *frame, Canceld__V1__Reply *reply);

/* One notice as the answer of a poll. */
void rig_notice(struct rig *rig, struct rig_frame *poll, uint64_t number, uint64_t gen,
                Canceld__V1__NoticeKind kind);

/* ---- calls ---- */

void rig_call_init(struct rig_call *call);
/* Submits; `deadline_ms` 0 is the default. */
void rig_submit(struct rig *rig, struct rig_call *call, const struct canceld_request *request,
                uint32_t deadline_ms);
void rig_get(struct rig *rig, struct rig_call *call, const char *key, uint64_t gen);
void rig_cancel(struct rig *rig, struct rig_call *call, const char *key, uint64_t gen);
/* A cancel that waits in the daemon until it is delivered. */
void rig_cancel_parked(struct rig *rig, struct rig_call *call, const char *key, uint32_t wait_ms);
void rig_store(struct rig *rig, struct rig_call *call, const char *key, uint32_t deadline_ms);

/* Stores and answers with this gen: the operation. */
struct canceld_operation *rig_stored(struct rig *rig, const char *key, uint64_t gen);
/* The owner's delete, as canceld_operation_finish() submits it, with a deadline of 100 ms. */
void rig_finish(struct rig *rig, struct rig_call *call, struct canceld_operation *operation);
/* The application lets go. */
void rig_let_go(struct rig *rig, struct canceld_operation *operation);

#endif
