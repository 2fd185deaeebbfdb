/* SPDX-License-Identifier: MIT */
/* What the two sent in one step must be the same, in any order. And what people see when it is not. */
#include "model/round.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

static bool find_equal(struct round *round, const struct sent *ours)
{
    struct bytes wanted = outbox_bytes(&round->ours, ours);
    for (size_t i = 0; i < round->theirs.sent.count; i++) {
        struct sent *theirs = outbox_at(&round->theirs, i);
        if (!theirs->matched && reply_to_equal(&theirs->to, &ours->to) &&
            bytes_equal(outbox_bytes(&round->theirs, theirs), wanted)) {
            theirs->matched = true;
            return true;
        }
    }
    return false;
}

static void print_sent(struct round *round, const struct outbox *outbox, const struct sent *sent,
                       const char *who)
{
    struct reply reply;
    reply_read(&reply, outbox_bytes(outbox, sent), &round->arena);
    (void) fprintf(stderr, "  %s, to link %" PRIu64 " route %u%s, %zu bytes:\n", who,
                   sent->to.link, sent->to.route[0], sent->optional ? " (optional)" : "",
                   sent->size);
    reply_print(stderr, &reply);
}

static void complain(struct round *round)
{
    if (!round->failed) {
        (void) fprintf(stderr, "disagreement at step %" PRIu64 " of seed %" PRIu64 " (%s)\n",
                       round->step, round->config->seed, round->config->mode->name);
    }
    round->failed = true;
    for (size_t i = 0; i < round->theirs.sent.count; i++) {
        if (!outbox_at(&round->theirs, i)->matched) {
            print_sent(round, &round->theirs, outbox_at(&round->theirs, i),
                       "the registry answered");
        }
    }
    for (size_t i = 0; i < round->ours.sent.count; i++) {
        if (!outbox_at(&round->ours, i)->matched) {
            print_sent(round, &round->ours, outbox_at(&round->ours, i), "the contract says");
        }
    }
}

static void trace_replies(struct round *round)
{
    for (size_t i = 0; i < round->theirs.sent.count && round->step >= round->config->trace_from;
         i++) {
        print_sent(round, &round->theirs, outbox_at(&round->theirs, i), "answer");
    }
}

void round_compare(struct round *round)
{
    bool equal = true;
    trace_replies(round);
    for (size_t i = 0; i < round->ours.sent.count; i++) {
        struct sent *ours = outbox_at(&round->ours, i);
        ours->matched = find_equal(round, ours);
        equal = equal && (ours->matched || ours->optional);
    }
    for (size_t i = 0; i < round->theirs.sent.count; i++) {
        equal = equal && outbox_at(&round->theirs, i)->matched;
    }
    if (!equal) {
        complain(round);
    }
    outbox_clear(&round->theirs);
    outbox_clear(&round->ours);
}

/* ---- borrowed copies ---- */

static struct bytes borrowed(struct round *round, struct bytes bytes)
{
    return bytes_of(arena_copy(&round->borrowed, bytes.data, bytes.size), bytes.size);
}

static void borrow_op(struct round *round, struct op *op)
{
    op->space = borrowed(round, op->space);
    op->key = borrowed(round, op->key);
    switch (op->kind) {
    case OP_OPEN:
        op->as.open.client_name = borrowed(round, op->as.open.client_name);
        op->as.open.resume_secret = borrowed(round, op->as.open.resume_secret);
        break;
    case OP_STORE:
        op->as.store.meta = borrowed(round, op->as.store.meta);
        break;
    case OP_CANCEL:
        op->as.cancel.cause.text = borrowed(round, op->as.cancel.cause.text);
        op->as.cancel.cause.actor = borrowed(round, op->as.cancel.cause.actor);
        op->as.cancel.cause.peer = borrowed(round, op->as.cancel.cause.peer);
        break;
    case OP_POLL:
        op->as.poll.acks = arena_copy(&round->borrowed, op->as.poll.acks,
                                      op->as.poll.acks_count * sizeof *op->as.poll.acks);
        break;
    default:
        break;
    }
}

struct frame round_borrowed_frame(struct round *round, const struct frame *frame)
{
    struct frame copy = *frame;
    struct op *ops =
        arena_copy(&round->borrowed, frame->ops, frame->ops_count * sizeof *frame->ops);
    for (size_t i = 0; i < frame->ops_count; i++) {
        borrow_op(round, &ops[i]);
    }
    copy.ops = ops;
    copy.answered = arena_copy(&round->borrowed, frame->answered,
                               frame->answered_count * sizeof *frame->answered);
    return copy;
}

/* ---- the trace ---- */

void round_trace(const struct round *round, const char *format, ...)
{
    va_list arguments;
    if (round->step < round->config->trace_from) {
        return;
    }
    (void) fprintf(stderr, "[%" PRIu64 "] ", round->step);
    va_start(arguments, format);
    (void) vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void) fputc('\n', stderr);
}

static void trace_op(const struct op *op)
{
    static const char *const names[OP_END] = {
        "(unknown)", "open", "store", "cancel", "delete", "touch", "poll",  "wait",
        "get",       "list", "count", "armed",  "disarm", "ping",  "stats", "close",
    };
    (void) fprintf(stderr, "    %s ", names[op->kind]);
    print_bytes(stderr, op->space);
    print_bytes(stderr, op->key);
    (void) fprintf(stderr, " gen %" PRIu64, op->gen);
    switch (op->kind) {
    case OP_OPEN:
        (void) fprintf(stderr, " heartbeat %u resume %" PRIx64, op->as.open.heartbeat_ms,
                       op->as.open.resume_session);
        break;
    case OP_STORE:
        (void) fprintf(stderr, " policy %u ttl %u on_expiry %u stop_grace %u on_owner_loss %u",
                       op->as.store.policy, op->as.store.ttl_ms, op->as.store.on_expiry,
                       op->as.store.stop_grace_ms, op->as.store.on_owner_loss);
        break;
    case OP_CANCEL:
        (void) fprintf(stderr, " code %u level %u deadline %u arm %u after %" PRIu64,
                       op->as.cancel.cause_code, op->as.cancel.level, op->as.cancel.deadline_ms,
                       op->as.cancel.arm_ttl_ms, op->as.cancel.after_gen);
        break;
    case OP_DELETE:
        (void) fprintf(stderr, " outcome %u", op->as.delete.outcome);
        break;
    case OP_TOUCH:
        (void) fprintf(stderr, " ttl %u", op->as.touch.ttl_ms);
        break;
    case OP_WAIT:
        (void) fprintf(stderr, " until %u deadline %u", op->as.wait.until,
                       op->as.wait.deadline_ms);
        break;
    case OP_POLL:
        (void) fprintf(stderr, " after %" PRIu64 " wait %u", op->as.poll.after,
                       op->as.poll.wait_ms);
        for (size_t i = 0; i < op->as.poll.acks_count; i++) {
            (void) fprintf(stderr, " ack %" PRIu64 "/%u", op->as.poll.acks[i].gen,
                           op->as.poll.acks[i].kind);
        }
        break;
    case OP_LIST:
    case OP_COUNT:
        (void) fprintf(stderr, " state %u owner %" PRIx64 " cursor %" PRIx64 " page %u",
                       op->as.list.state, op->as.list.owner, op->as.list.cursor,
                       op->as.list.page_size);
        break;
    default:
        break;
    }
    (void) fputc('\n', stderr);
}

void round_trace_frame(const struct round *round, const struct script_request *request)
{
    const struct frame *frame = &request->frame;
    if (round->step < round->config->trace_from) {
        return;
    }
    round_trace(round,
                "frame on link %" PRIu64 " route %u: session %" PRIx64 " id %" PRIu64
                " below %" PRIu64 " answered %zu ops %zu",
                request->from.link, request->from.route[0], frame->session, frame->request_id,
                frame->answered_below, frame->answered_count, frame->ops_count);
    for (size_t i = 0; i < frame->ops_count && i < 30; i++) {
        trace_op(&frame->ops[i]);
    }
}
