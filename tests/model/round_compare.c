/* SPDX-License-Identifier: MIT */
/* What the two sent in one step must be the same, in any order. And what people see when it is not. */
#include "model/round.h"

#include "base/check.h"

#include <inttypes.h>
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

/* Without the results that the other side's reply to the same request has as well, if there is one. */
static void print_sent(struct round *round, const struct outbox *outbox, const struct sent *sent,
                       const char *who)
{
    struct reply reply;
    struct reply other;
    const struct outbox *others = outbox == &round->theirs ? &round->ours : &round->theirs;
    const struct sent *twin = sent->matched ? NULL : outbox_find(others, &sent->to);
    reply_read(&reply, outbox_bytes(outbox, sent), &round->arena);
    if (twin != NULL) {
        reply_read(&other, outbox_bytes(others, twin), &round->arena);
    }
    (void) fprintf(stderr, "  %s, to link %" PRIu64 " route %u%s, %zu bytes:\n", who, sent->to.link,
                   sent->to.route[0], sent->optional ? " (optional)" : "", sent->size);
    reply_print(stderr, &reply, twin == NULL ? NULL : &other);
}

/* What the model holds, a line for each operation. */
static void print_operations(const struct model *model)
{
    (void) fprintf(stderr, "  the model at %" PRIu64 " ms, memory short until %" PRIu64 ":\n",
                   model->now_ms, model->dropped_until_ms);
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *op = model_op_at(model, i);
        (void) fprintf(stderr,
                       "    gen %" PRIu64 " state %d outcome %d level %d parent %" PRIu64
                       " owner %" PRIx64 " ttl end %" PRId64 " ended %" PRIu64 " as number %" PRIu64
                       "%s ",
                       op->gen, (int) op->state, (int) op->outcome, (int) op->level, op->parent,
                       op->owner, (int64_t) op->ttl_end_ms, op->ended_ms, op->ended_order,
                       model_op_is_pinned(op) ? " pinned" : "");
        print_bytes(stderr, op->space);
        print_bytes(stderr, op->key);
        for (size_t j = 0; j < op->labels_count; j++) {
            print_bytes(stderr, op->labels[j]);
        }
        (void) fputc('\n', stderr);
    }
}

static void print_sessions(const struct model *model)
{
    for (size_t i = 0; i < model->sessions.count; i++) {
        const struct model_session *session = list_at(&model->sessions, i);
        size_t bytes = 0;
        for (size_t j = 0; j < session->answers.count; j++) {
            bytes += ((struct model_answer *) list_at(&session->answers, j))->size;
        }
        (void) fprintf(stderr,
                       "    session %" PRIx64 " link %" PRIu64 " silent at %" PRId64
                       " lost at %" PRId64 " below %" PRIu64 " answers %zu of %zu bytes\n",
                       session->number, session->link, (int64_t) session->silence_end_ms,
                       (int64_t) session->grace_end_ms, session->below, session->answers.count,
                       bytes);
    }
    (void) fprintf(stderr, "    parked %zu, armed %zu\n", model->parked.count, model->armed.count);
}

static void complain(struct round *round)
{
    if (!round->failed) {
        (void) fprintf(stderr, "disagreement at step %" PRIu64 " of seed %" PRIu64 " (%s)\n",
                       round->step, round->config->seed, round->config->mode->name);
    }
    if (round->step >= round->config->trace_from) {
        print_operations(round->model);
        print_sessions(round->model);
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
        struct sent sent = *outbox_at(&round->theirs, i);
        sent.matched = true; /* to be printed whole */
        print_sent(round, &round->theirs, &sent, "answer");
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

static struct cause borrowed_cause(struct round *round, struct cause cause)
{
    cause.text = borrowed(round, cause.text);
    cause.actor = borrowed(round, cause.actor);
    cause.peer = borrowed(round, cause.peer);
    return cause;
}

static struct labels borrowed_labels(struct round *round, struct labels labels)
{
    struct bytes *items = arena_copy(&round->borrowed, labels.items, labels.count * sizeof *items);
    for (size_t i = 0; i < labels.count; i++) {
        items[i] = borrowed(round, items[i]);
    }
    return (struct labels){.items = items, .count = labels.count};
}

static void borrow_op(struct round *round, struct op *op)
{
    op->space = borrowed(round, op->space);
    op->key = borrowed(round, op->key);
    switch (op->kind) {
    case OP_OPEN:
        op->as.open.client_name = borrowed(round, op->as.open.client_name);
        op->as.open.resume_secret = borrowed(round, op->as.open.resume_secret);
        op->as.open.token = borrowed(round, op->as.open.token);
        break;
    case OP_STORE:
    case OP_ADOPT:
        op->as.store.meta = borrowed(round, op->as.store.meta);
        op->as.store.labels = borrowed_labels(round, op->as.store.labels);
        op->as.store.cause = borrowed_cause(round, op->as.store.cause);
        break;
    case OP_LIST:
    case OP_COUNT:
        op->as.list.labels = borrowed_labels(round, op->as.list.labels);
        break;
    case OP_DRAIN:
        op->as.drain.cause = borrowed_cause(round, op->as.drain.cause);
        break;
    case OP_CANCEL:
        op->as.cancel.cause = borrowed_cause(round, op->as.cancel.cause);
        op->as.cancel.label = borrowed(round, op->as.cancel.label);
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
    copy.secret = borrowed(round, frame->secret);
    copy.answered = arena_copy(&round->borrowed, frame->answered,
                               frame->answered_count * sizeof *frame->answered);
    return copy;
}
