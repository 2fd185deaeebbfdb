/* SPDX-License-Identifier: MIT */
/* What the parts of the engine are to each other. */
#ifndef CANCELD_CLIENT_ENGINE_PARTS_H
#define CANCELD_CLIENT_ENGINE_PARTS_H

#include "engine.h"

static inline struct request *request_of(struct link *link)
{
    return LINK_OWNER(link, struct request, link);
}

static inline struct frame *frame_of(struct link *link)
{
    return LINK_OWNER(link, struct frame, link);
}

/* ---- engine.c ---- */

/* When the next ping is due. */
uint64_t engine_ping_ns(const struct engine *engine);

/* Nothing waits to be sent, and every answer that comes at once has come. */
bool engine_is_drained(const struct engine *engine);

/* ---- engine_calls.c ---- */

/* Ends the request's call, if anybody still waits, without a result. */
void request_end(struct engine *engine, struct request *request, enum canceld_status status);

/* Ends its call with the answer, which is taken over, and frees it. It must be in no list. */
void request_answer(struct engine *engine, struct request *request, Canceld__V1__Result *wire);

/* Ends the call of a request that the daemon puts off: RECOVERING, if no sending of it can have been applied. */
void request_end_recovering(struct engine *engine, struct request *request);

/* Frees a request that is in no list, and the operation that it was to make. */
void request_drop(struct engine *engine, struct request *request);

/* The daemon may or may not have applied it, and will not tell: it goes to the end of `list` where doing it
 * twice is harmless, else it ends as UNKNOWN. It must be in no list. */
void request_repeat(struct engine *engine, struct request *request, struct link *list);

/* Ends the call of every request whose deadline has passed. */
void requests_expire(struct engine *engine, uint64_t now_ns);

/* ---- engine_frames.c ---- */

/* NULL where none is free. */
struct frame *frame_take(struct engine *engine, enum frame_kind kind);

/* The frame's first request, taken out of it; NULL when there is none left. */
struct request *frame_unpack(struct engine *engine, struct frame *frame);

/* Its requests must have been taken out. */
void frame_release(struct engine *engine, struct frame *frame);

/* The daemon has said that this sending of it did nothing. Earlier ones may have. */
void frame_not_applied(struct frame *frame);

/* To be sent again, under its id. */
void frame_retry(struct engine *engine, struct frame *frame);

/* Every frame that is no FRAME_CALLS is forgotten, for its link or its session is gone. */
void frames_release_own(struct engine *engine);

/* All frames of requests are forgotten; request_repeat() decides on what was in them. */
void frames_repeat_all(struct engine *engine, struct link *list);

/* Appends a Frame that holds this op alone. False without memory. */
MUST_CHECK bool own_pack(struct buffer *op_out, Canceld__V1__Op *op);

/* ---- engine_retry.c ---- */

/* Takes a request back that the daemon answered with RECOVERING. False where that is its answer: nobody is left
 * to ask again for, or there is no time. It must be in no list. */
MUST_CHECK bool request_put_off(struct engine *engine, struct request *request,
                                const Canceld__V1__Result *result, uint64_t now_ns);

/* Those whose time has come go to the front of the queue. */
void requests_take_up(struct engine *engine, uint64_t now_ns);

/* The frame was applied, but the daemon's journal does not have it. */
void frame_unjournaled(struct engine *engine, struct frame *frame, uint64_t now_ns);

/* Frames whose time has come are to be sent again, if anybody waits for them. */
void unjournaled_retry(struct engine *engine, uint64_t now_ns);

/* When either is due; NEVER where nothing waits. */
uint64_t engine_retry_ns(const struct engine *engine);

/* ---- engine_adopt.c ---- */

/* Requests of the application have to wait: not all operations are adopted. */
bool engine_is_adopting(const struct engine *engine);

/* The operation's session is lost, and the daemon a new one. */
void operation_stray_to_adopt(struct engine *engine, struct canceld_operation *operation);

/* Makes requests of those that wait to be adopted. */
void operations_adopt(struct engine *engine, uint64_t now_ns);

/* An adopt was answered, or (the other) is to be made anew. */
void operation_adopted(struct engine *engine, struct canceld_operation *operation,
                       const struct canceld_result *result);
void operation_not_adopted(struct engine *engine, struct canceld_operation *operation);

/* Tells the application once all are adopted. */
void adoption_check(struct engine *engine);

/* The owner's delete was answered, or given up: an orphan is freed. */
void operation_ended(struct canceld_operation *operation);

/* ---- engine_session.c ---- */

void open_answered(struct engine *engine, Canceld__V1__Reply *reply, uint64_t now_ns);

/* A frame was refused with SESSION_LOST. */
void session_losing(struct engine *engine, struct frame *frame);

/* Begins anew, once nothing is on its way any more. */
void session_losing_end(struct engine *engine);

/* READY without a session. */
void sessionless_ready(struct engine *engine);

void event_push(struct engine *engine, enum canceld_event event);

/* Tells every operation of the session that it may be lost. */
void operations_lost_possible(struct engine *engine);

/* ---- engine_notices.c ---- */

void operation_tell(struct engine *engine, struct canceld_operation *operation, uint8_t bits,
                    const struct canceld_notice *notice);

/* A stored or adopted operation is held from now on. */
void operation_attach(struct engine *engine, struct canceld_operation *operation, uint64_t gen);

/* All notices that are not acked are to be given again. */
void notices_recall(struct engine *engine);

/* Everything told about the old session's operations; see engine_notices.c. */
void operations_resumed(struct engine *engine);
void operations_strayed(struct engine *engine, bool epoch_is_new);

void poll_answered(struct engine *engine, const Canceld__V1__Reply *reply, uint64_t now_ns);

/* Asks what became of the operations of a lost session. */
void operations_ask(struct engine *engine, uint64_t now_ns);
void operation_asked(struct engine *engine, struct canceld_operation *operation,
                     const struct canceld_result *result);

/* The poll that is due now, packed as a Frame with that op alone. False where none is due. */
bool poll_is_due(const struct engine *engine, uint64_t now_ns);
bool poll_pack(struct engine *engine, struct buffer *op_out);

#endif
