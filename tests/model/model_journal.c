/* SPDX-License-Identifier: MIT */
/* The journal: which record says what, and which answers wait for it; and history, which asks it. */
#include "base/check.h"
#include "model/model_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- records ---- */

static bool cause_equal(const struct cause *a, const struct cause *b)
{
    return a->code == b->code && bytes_equal(a->text, b->text) && bytes_equal(a->actor, b->actor) &&
           bytes_equal(a->peer, b->peer);
}

static bool is_key_equal(const struct journal_record *a, const struct journal_record *b)
{
    return bytes_equal(a->space, b->space) && bytes_equal(a->key, b->key);
}

static bool is_bulk_equal(const struct journal_record *a, const struct journal_record *b)
{
    return a->scope == b->scope && bytes_equal(a->space, b->space) && bytes_equal(a->key, b->key) &&
           bytes_equal(a->label, b->label) && a->owner == b->owner && a->fence == b->fence &&
           a->after_gen == b->after_gen && cause_equal(&a->cause, &b->cause) && a->bulk != 0;
}

/* Whether the record says what is wanted. */
static bool says(const struct journal_record *record, const struct journal_record *wanted)
{
    if (record->kind != wanted->kind) {
        return false;
    }
    switch (wanted->kind) {
    case JOURNAL_CANCEL:
    case JOURNAL_ARM_USED:
        return record->gen == wanted->gen && is_key_equal(record, wanted) &&
               cause_equal(&record->cause, &wanted->cause);
    case JOURNAL_END:
        return record->gen == wanted->gen && record->outcome == wanted->outcome &&
               record->by_owner == wanted->by_owner;
    case JOURNAL_BULK:
        return is_bulk_equal(record, wanted);
    case JOURNAL_BULK_DONE:
        return record->requested == wanted->requested;
    case JOURNAL_ARM:
        return is_key_equal(record, wanted) && cause_equal(&record->cause, &wanted->cause) &&
               record->ttl_ms >= wanted->ttl_ms;
    case JOURNAL_ARM_GONE:
        return is_key_equal(record, wanted);
    default:
        return false;
    }
}

static const char *const complaints[JOURNAL_KIND_END] = {
    [JOURNAL_CANCEL] = "the journal was not told of a cancel",
    [JOURNAL_END] = "the journal was not told of an end",
    [JOURNAL_BULK] = "the journal was not told of a bulk cancel",
    [JOURNAL_BULK_DONE] = "the journal was not told that a bulk cancel is done",
    [JOURNAL_ARM] = "the journal was not told of an arm",
    [JOURNAL_ARM_USED] = "the journal was not told that an arm was used",
    [JOURNAL_ARM_GONE] = "the journal was not told that an arm is gone",
};

uint64_t model_record(struct model *model, const struct journal_record *wanted, bool must)
{
    for (size_t i = 0; model->port.has_journal && i < model->records->count; i++) {
        struct model_record *record = list_at(model->records, i);
        if (!record->is_explained && says(&record->record, wanted)) {
            record->is_explained = true;
            return record->number;
        }
    }
    bool is_excused = wanted->kind == JOURNAL_CANCEL && wanted->cause.code >= CAUSE_DEADLINE &&
                      (model->journal_has_failed || model->journal_is_full);
    if (must && model->port.has_journal && !is_excused) {
        model->complaint = complaints[wanted->kind];
    }
    return 0;
}

uint64_t model_record_cancel(struct model *model, const struct model_op *op,
                             const struct cause *cause, bool must)
{
    struct journal_record wanted = {.kind = JOURNAL_CANCEL,
                                    .space = op->space,
                                    .key = op->key,
                                    .gen = op->gen,
                                    .cause = *cause};
    uint64_t number = model_record(model, &wanted, must);
    if (number != 0) {
        ((struct model_op *) (uintptr_t) op)->is_recorded = true;
    }
    return number;
}

/* A record that nothing called for, but that is true. */
static bool is_true(struct model *model, const struct model_record *record)
{
    struct model_op *op = model_find_gen(model, record->record.gen);
    switch (record->record.kind) {
    case JOURNAL_CANCEL:
        if (op == NULL || !cause_equal(&op->cause, &record->record.cause)) {
            return false;
        }
        op->is_recorded = true;
        return true;
    case JOURNAL_END:
        return op != NULL && op->is_recorded && !model_op_is_live(op) &&
               op->outcome == record->record.outcome;
    case JOURNAL_BULK:
    case JOURNAL_BULK_DONE:
    case JOURNAL_BULK_SETTLED:
        return record->record.bulk != 0;
    default:
        return false;
    }
}

void model_records_done(struct model *model)
{
    for (size_t i = 0; model->port.has_journal && i < model->records->count; i++) {
        const struct model_record *record = list_at(model->records, i);
        if (!record->is_explained && !is_true(model, record)) {
            model->complaint = "the journal was told what is not so";
        }
    }
}

/* ---- answers that wait ---- */

static void note_op(const struct model *model, uint64_t gen, uint64_t *needs)
{
    const struct model_op *op = model_find_gen(model, gen);
    if (op != NULL && op->record > *needs) {
        *needs = op->record;
    }
}

static bool tells_of(enum answer answer)
{
    return answer == ANSWER_REQUESTED || answer == ANSWER_ALREADY_REQUESTED ||
           answer == ANSWER_ARMED || answer == ANSWER_DRAINED || answer == ANSWER_TIMED_OUT ||
           answer == ANSWER_DISARMED || answer == ANSWER_HISTORY;
}

/* Whether the result speaks of a cancel, and which record it then needs at the least. */
static bool tells(const struct model *model, const struct result *result, uint64_t *needs)
{
    bool told = result->cause.code != CAUSE_UNSET || tells_of(result->answer);
    if (result->cause.code != CAUSE_UNSET) {
        note_op(model, result->gen, needs);
    }
    for (size_t i = 0; i < result->gens_count; i++) {
        note_op(model, result->gens[i].gen, needs);
        told = true;
    }
    for (size_t i = 0; i < result->operations_count; i++) {
        if (result->operations[i].cause.code != CAUSE_UNSET) {
            note_op(model, result->operations[i].gen, needs);
            told = true;
        }
    }
    for (size_t i = 0; i < result->events_count; i++) {
        if (result->events[i].cause.code != CAUSE_UNSET) {
            note_op(model, result->events[i].gen, needs);
            told = true;
        }
    }
    return told || result->armed_count > 0;
}

static bool reply_tells(const struct model *model, const struct reply *reply, uint64_t *needs)
{
    bool told = false;
    for (size_t i = 0; i < reply->results_count; i++) {
        told = tells(model, &reply->results[i], needs) || told;
    }
    return told;
}

static void send_refusal(struct model *model, const struct reply_to *to,
                         const struct reply_head *head, bool optional)
{
    uint8_t out[64];
    struct reply_head refusal = *head;
    refusal.error = (struct error){.code = ERROR_JOURNAL, .text = "(a sentence)"};
    size_t size = reply_write_head(&refusal, out, sizeof out);
    ASSERT(size > 0);
    model->port.send(model->port.context, to, bytes_of(out, size), optional);
}

static void hold(struct model *model, const struct reply_to *to, const struct reply_head *head,
                 struct bytes encoded, const struct model_needs *needs)
{
    model_answer_parked(model, head, false);
    uint8_t *copy = malloc(encoded.size);
    ASSERT(copy != NULL);
    memcpy(copy, encoded.data, encoded.size);
    *(struct model_held *) list_push(&model->held) = (struct model_held){
        .to = *to, .head = *head, .encoded = bytes_of(copy, encoded.size), .needs = *needs};
}

/* Whether it tells of gens that are lost in this moment, one after the other, one session's after
 * another's. */
static bool is_of_the_dying(const struct model *model, const struct reply *reply)
{
    for (size_t i = 0; reply->results_count == 1 && i < reply->results[0].gens_count; i++) {
        const struct model_op *op = model_find_gen(model, reply->results[0].gens[i].gen);
        bool is_lost = op != NULL && op->outcome == OUTCOME_OWNER_LOST;
        if (op != NULL && ((is_lost && op->ended_ms == model->now_ms) ||
                           model_session_is_dying(model, op->owner))) {
            return true;
        }
    }
    return false;
}

/* Tells it as it was seen, where that was open. */
static void close_open(struct model *model, struct model_held *held, const struct reply *seen)
{
    size_t mark = model->arena.used;
    struct bytes theirs = model_encode(model, seen);
    if (held->is_open && theirs.size == held->encoded.size) {
        memcpy((void *) (uintptr_t) held->encoded.data, theirs.data, theirs.size);
    }
    model->arena.used = mark;
}

bool model_hold(struct model *model, const struct reply_to *to, const struct reply *reply,
                struct bytes encoded)
{
    struct model_needs needs = {.least = model->needs, .most = model->records_given};
    if (!model->port.has_journal || reply->head.error.code != ERROR_UNSET ||
        (!reply_tells(model, reply, &needs.least) && needs.least == 0)) {
        return false;
    }
    const struct reply *seen = model->port.seen(model->port.context, to);
    if (model->journal_has_failed && seen != NULL && seen->head.error.code == ERROR_JOURNAL &&
        model->records_given > model->records_kept) {
        model_answer_keep(model, &reply->head, encoded, &needs);
        send_refusal(model, to, &reply->head, false);
        return true;
    }
    if ((seen != NULL ? needs.least : needs.most) <= model->records_kept) {
        /* It may have waited for what was kept at once. */
        if (model->records->count > 0) {
            model_answer_parked(model, &reply->head, true);
        }
        return false;
    }
    hold(model, to, &reply->head, encoded, &needs);
    ((struct model_held *) list_at(&model->held, model->held.count - 1))->is_open =
        is_of_the_dying(model, reply);
    return true;
}

bool model_hold_again(struct model *model, const struct reply_to *to, const struct frame *frame,
                      struct model_answer *answer)
{
    const struct reply *seen = model->port.seen(model->port.context, to);
    struct reply_head head = {.session = frame->session, .request_id = frame->request_id};
    if (!answer->is_refused || answer->needs.most <= model->records_kept) {
        answer->is_refused = false;
        return false;
    }
    if (seen != NULL && seen->head.error.code == ERROR_JOURNAL) {
        send_refusal(model, to, &head, false);
        return true;
    }
    answer->is_refused = false;
    if (seen != NULL && answer->needs.least <= model->records_kept) {
        return false;
    }
    answer->is_decided = false;
    struct model_needs needs = answer->needs;
    needs.most = model->records_given; /* it waits behind those that wait now */
    hold(model, to, &head, bytes_of(answer->data, answer->size), &needs);
    return true;
}

static void held_remove(struct model *model, size_t index)
{
    struct model_held *held = list_at(&model->held, index);
    free((void *) (uintptr_t) held->encoded.data);
    list_remove(&model->held, index);
}

void model_held_forget(struct model *model, uint64_t session)
{
    for (size_t i = 0; i < model->held.count; i++) {
        struct model_held *held = list_at(&model->held, i);
        held->is_lost = held->is_lost || held->head.session == session;
    }
}

static struct model_held *find_held(const struct model *model, const struct frame *frame)
{
    for (size_t i = 0; i < model->held.count; i++) {
        struct model_held *held = list_at(&model->held, i);
        if (held->head.session == frame->session && held->head.request_id == frame->request_id &&
            !held->is_lost) {
            return held;
        }
    }
    return NULL;
}

bool model_held_repeat(struct model *model, const struct frame *frame, const struct reply_to *to)
{
    const struct reply *seen = model->port.seen(model->port.context, to);
    struct model_held *held = seen == NULL ? NULL : find_held(model, frame);
    if (held == NULL) {
        return false;
    }
    if (seen->head.error.code == ERROR_JOURNAL && model->journal_has_failed) {
        model_answer_keep(model, &held->head, held->encoded, &held->needs);
        send_refusal(model, to, &held->head, false);
    } else if (seen->head.error.code == ERROR_UNSET && held->needs.least <= model->records_kept) {
        close_open(model, held, seen);
        model_answer_keep(model, &held->head, held->encoded, NULL);
        model->port.send(model->port.context, to, held->encoded, false);
    } else {
        return false;
    }
    held_remove(model, (size_t) (held - (struct model_held *) model->held.items));
    return true;
}

void model_held_move(struct model *model, const struct frame *frame, const struct reply_to *to)
{
    struct model_held *held = find_held(model, frame);
    if (held != NULL) {
        held->to = *to;
    }
}

void model_journal_kept(struct model *model, uint64_t number)
{
    model->records_kept = number;
    model->journal_has_failed = false;
    model_notices_journaled(model, number);
    for (size_t i = model->held.count; i > 0; i--) {
        struct model_held held = *(struct model_held *) list_at(&model->held, i - 1);
        const struct reply *reply = model->port.seen(model->port.context, &held.to);
        bool seen = reply != NULL;
        if (seen) {
            close_open(model, &held, reply);
        }
        if ((seen ? held.needs.least : held.needs.most) <= number) {
            const struct model_session *session = model_find_session(model, held.head.session);
            bool optional = held.is_lost || (session != NULL && session->link != held.to.link);
            model_answer_keep(model, &held.head, held.encoded, NULL);
            model->port.send(model->port.context, &held.to, held.encoded, optional);
            held_remove(model, i - 1);
        }
    }
}

void model_journal_failed(struct model *model)
{
    model->journal_has_failed = true;
    for (size_t i = model->held.count; i > 0; i--) {
        struct model_held held = *(struct model_held *) list_at(&model->held, i - 1);
        model_answer_keep(model, &held.head, held.encoded, &held.needs);
        send_refusal(model, &held.to, &held.head, held.is_lost);
        held_remove(model, i - 1);
    }
}

/* ---- refusals ---- */

const char *model_journal_limit(const struct model *model, const struct model_request *request,
                                bool needs_record)
{
    const struct result *seen = model_seen(request);
    bool refuses = model->journal_has_failed || model->journal_is_full;
    bool named = seen != NULL && seen->answer == ANSWER_FULL && seen->limit != NULL &&
                 strncmp(seen->limit, "journal", strlen("journal")) == 0;
    if (!model->port.has_journal || !refuses) {
        return NULL;
    }
    bool is_bytes = named && strcmp(seen->limit, "journal_bytes") == 0;
    const char *limit = is_bytes && model->journal_is_full ? "journal_bytes" : "journal";
    return needs_record || named ? limit : NULL;
}

/* ---- history ---- */

/* A journal that has not answered by then is as good as one that cannot. */
#define HISTORY_WAIT_MS 10000

bool model_handle_history(struct model *model, struct model_request *request, const struct op *op,
                          struct result *result)
{
    const struct result *seen = model_seen(request);
    if (!model->port.has_journal) {
        result->error = (struct error){.code = ERROR_NO_JOURNAL, .text = "(a sentence)"};
        return model_answered(result, ANSWER_ERROR);
    }
    if (seen != NULL && seen->answer == ANSWER_FULL) {
        const char *limit = model_parked_full(model, request);
        limit = limit == NULL && model->history_is_refused ? seen->limit : limit;
        if (limit != NULL) {
            return model_full(result, limit);
        }
    }
    if (model->history_is_refused && seen != NULL && seen->answer == ANSWER_ERROR) {
        result->error = (struct error){.code = seen->error.code, .text = "(a sentence)"};
        return model_answered(result, ANSWER_ERROR);
    }
    struct model_parked parked = model_parked_of(model, request, op, HISTORY_WAIT_MS);
    parked.ticket = model->history_ticket;
    parked.items_max = op->as.list.page_size == 0 ? 100 : op->as.list.page_size;
    return model_park(model, &parked);
}
