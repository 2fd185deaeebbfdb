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

void round_print_record(const struct model_record *record)
{
    static const char *const kinds[JOURNAL_KIND_END] = {
        "CANCEL", "END", "BULK", "BULK_DONE", "BULK_SETTLED", "ARM", "ARM_USED", "ARM_GONE"};
    const struct journal_record *said = &record->record;
    (void) fprintf(stderr,
                   "  record %" PRIu64 " %s gen %" PRIu64 " bulk %" PRIu64
                   " scope %d owner %" PRIx64 " fence %" PRIu64 " after %" PRIu64
                   " requested %" PRIu64 " cause %d outcome %d by_owner %d ttl %" PRIu64 "%s ",
                   record->number, kinds[said->kind], said->gen, said->bulk, (int) said->scope,
                   said->owner, said->fence, said->after_gen, said->requested,
                   (int) said->cause.code, (int) said->outcome, said->by_owner, said->ttl_ms,
                   record->is_explained ? "" : " (not explained)");
    print_bytes(stderr, said->space);
    print_bytes(stderr, said->key);
    print_bytes(stderr, said->label);
    (void) fputc('\n', stderr);
}

void round_trace_record(const struct round *round, const struct model_record *record)
{
    if (round->step >= round->config->trace_from) {
        round_print_record(record);
    }
}

static void trace_labels(const struct labels *labels)
{
    (void) fprintf(stderr, " labels %zu", labels->count);
    for (size_t i = 0; i < labels->count; i++) {
        print_bytes(stderr, labels->items[i]);
    }
}

static void trace_store(const struct op *op)
{
    (void) fprintf(stderr,
                   " policy %u ttl %u on_expiry %u stop_grace %u on_owner_loss %u parent %" PRIu64
                   " code %u previous %" PRIx64,
                   op->as.store.policy, op->as.store.ttl_ms, op->as.store.on_expiry,
                   op->as.store.stop_grace_ms, op->as.store.on_owner_loss, op->as.store.parent,
                   op->as.store.cause_code, op->as.store.previous_session);
    trace_labels(&op->as.store.labels);
}

static void trace_cancel(const struct op *op)
{
    (void) fprintf(stderr, " code %u level %u deadline %u arm %u after %" PRIu64,
                   op->as.cancel.cause_code, op->as.cancel.level, op->as.cancel.deadline_ms,
                   op->as.cancel.arm_ttl_ms, op->as.cancel.after_gen);
    if (op->key.size == 0) {
        (void) fprintf(stderr, " owner %" PRIx64 " all %d label ", op->as.cancel.owner,
                       op->as.cancel.whole_namespace);
        print_bytes(stderr, op->as.cancel.label);
    }
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
    (void) fprintf(stderr, " order %u", op->as.list.order);
    trace_labels(&op->as.list.labels);
}

static void trace_watch(const struct op *op)
{
    (void) fprintf(stderr, " epoch %" PRIu64 " revision %" PRIu64 " cursor %" PRIx64 " wait %u",
                   op->as.watch.epoch, op->as.watch.revision, op->as.watch.cursor,
                   op->as.watch.wait_ms);
}

static void trace_drain(const struct op *op)
{
    (void) fprintf(stderr, " owner %" PRIx64 " daemon %d deadline %u", op->as.drain.owner,
                   op->as.drain.daemon, op->as.drain.deadline_ms);
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
        [OP_ADOPT] = {"adopt", trace_store},
        [OP_DETACH] = {"detach", NULL},
        [OP_WATCH] = {"watch", trace_watch},
        [OP_DRAIN] = {"drain", trace_drain},
        [OP_UNDRAIN] = {"undrain", trace_drain},
        [OP_HISTORY] = {"history", trace_list},
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
