/* SPDX-License-Identifier: MIT */
/* The events of a round in words, for whoever has to find out why the two disagree. */
#include "model/round.h"

#include <inttypes.h>
#include <stdarg.h>

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

static void trace_store(const struct op *op)
{
    (void) fprintf(stderr, " policy %u ttl %u on_expiry %u stop_grace %u on_owner_loss %u",
                   op->as.store.policy, op->as.store.ttl_ms, op->as.store.on_expiry,
                   op->as.store.stop_grace_ms, op->as.store.on_owner_loss);
}

static void trace_cancel(const struct op *op)
{
    (void) fprintf(stderr, " code %u level %u deadline %u arm %u after %" PRIu64,
                   op->as.cancel.cause_code, op->as.cancel.level, op->as.cancel.deadline_ms,
                   op->as.cancel.arm_ttl_ms, op->as.cancel.after_gen);
}

static void trace_poll(const struct op *op)
{
    (void) fprintf(stderr, " after %" PRIu64 " wait %u", op->as.poll.after, op->as.poll.wait_ms);
    for (size_t i = 0; i < op->as.poll.acks_count; i++) {
        (void) fprintf(stderr, " ack %" PRIu64 "/%u", op->as.poll.acks[i].gen,
                       op->as.poll.acks[i].kind);
    }
}

static void trace_open(const struct op *op)
{
    (void) fprintf(stderr, " heartbeat %u resume %" PRIx64, op->as.open.heartbeat_ms,
                   op->as.open.resume_session);
}

static void trace_delete(const struct op *op)
{
    (void) fprintf(stderr, " outcome %u", op->as.delete.outcome);
}

static void trace_touch(const struct op *op)
{
    (void) fprintf(stderr, " ttl %u", op->as.touch.ttl_ms);
}

static void trace_wait(const struct op *op)
{
    (void) fprintf(stderr, " until %u deadline %u", op->as.wait.until, op->as.wait.deadline_ms);
}

static void trace_list(const struct op *op)
{
    (void) fprintf(stderr, " state %u owner %" PRIx64 " cursor %" PRIx64 " page %u",
                   op->as.list.state, op->as.list.owner, op->as.list.cursor, op->as.list.page_size);
}

static void trace_op(const struct op *op)
{
    static const struct {
        const char *name;
        void (*trace)(const struct op *op);
    } rows[OP_END] = {
        [OP_UNKNOWN] = {"(unknown)", NULL},
        [OP_OPEN] = {"open", trace_open},
        [OP_STORE] = {"store", trace_store},
        [OP_CANCEL] = {"cancel", trace_cancel},
        [OP_DELETE] = {"delete", trace_delete},
        [OP_TOUCH] = {"touch", trace_touch},
        [OP_POLL] = {"poll", trace_poll},
        [OP_WAIT] = {"wait", trace_wait},
        [OP_GET] = {"get", NULL},
        [OP_LIST] = {"list", trace_list},
        [OP_COUNT] = {"count", trace_list},
        [OP_ARMED] = {"armed", NULL},
        [OP_DISARM] = {"disarm", NULL},
        [OP_PING] = {"ping", NULL},
        [OP_STATS] = {"stats", NULL},
        [OP_CLOSE] = {"close", NULL},
    };
    (void) fprintf(stderr, "    %s ", rows[op->kind].name);
    print_bytes(stderr, op->space);
    print_bytes(stderr, op->key);
    (void) fprintf(stderr, " gen %" PRIu64, op->gen);
    if (rows[op->kind].trace != NULL) {
        rows[op->kind].trace(op);
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
                " below %" PRIu64 " answered %zu ops %zu secret %zu",
                request->from.link, request->from.route[0], frame->session, frame->request_id,
                frame->answered_below, frame->answered_count, frame->ops_count, frame->secret.size);
    for (size_t i = 0; i < frame->ops_count; i++) {
        trace_op(&frame->ops[i]);
    }
}
