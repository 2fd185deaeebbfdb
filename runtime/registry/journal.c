/* SPDX-License-Identifier: MIT */
/* Records for the journal, and the answers that wait for them.
 *
 * What is decided here is told to owners at once (but for what an arm has done: see notice.c) and
 * given to the journal in the same call. An answer that tells of a cancel is held back until the
 * journal has kept every record given before it: so whatever a canceller was answered is found again
 * after a crash. Answers that tell of no cancel wait for nothing. The bytes of both, records and
 * answers, have one bound; at it, and while the journal fails, nothing is accepted that would need
 * it. */
#include "registry/state.h"

#define OF_HELD(r) CHAIN(r, held, held, of_held)

static void give(struct registry *r, const struct journal_record *record)
{
    if (r->port.journal != NULL) {
        r->journal_number++;
        r->port.journal(r->port.context, record);
    }
}

/* One that answers wait for: whoever tells of the cause. */
static void give_of(struct registry *r, uint32_t cause, const struct journal_record *record)
{
    give(r, record);
    cause_at(r, cause)->journal_number = r->journal_number;
}

bool journal_is_there(const struct registry *r)
{
    return r->port.journal != NULL;
}

bool journal_is_behind(const struct registry *r)
{
    return r->port.journal != NULL && !r->journal_failed &&
           r->port.journal_pending(r->port.context) >= r->limits.journal_bytes;
}

bool journal_is_full(const struct registry *r)
{
    if (r->port.journal == NULL) {
        return false;
    }
    return r->journal_failed || journal_is_behind(r) || r->held.count == r->held.capacity ||
           !byte_heap_has_room(&r->held_bytes, FRAME_BYTES_MAX);
}

/* ---- records ---- */

void journal_cancel(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    if (operation->journaled || r->port.journal == NULL) {
        return;
    }
    operation->journaled = true;
    give_of(r, operation->cause,
            &(struct journal_record){.kind = JOURNAL_CANCEL,
                                     .space = space_name(r, key_at(r, operation->key)->space),
                                     .key = key_name(r, operation->key),
                                     .gen = operation->gen,
                                     .cause = cause_get(r, operation->cause)});
}

void journal_end(struct registry *r, uint32_t index, bool by_owner)
{
    const struct operation *operation = operation_at(r, index);
    if (!operation->journaled) {
        return;
    }
    struct journal_record record = {.kind = JOURNAL_END,
                                    .space = space_name(r, key_at(r, operation->key)->space),
                                    .key = key_name(r, operation->key),
                                    .gen = operation->gen,
                                    .outcome = (enum outcome) operation->outcome,
                                    .by_owner = by_owner,
                                    .delivered = operation->level >= LEVEL_DELIVERED &&
                                                 operation->delivered_ms >= operation->cancelled_ms,
                                    .ended_after_ms = r->now_ms - operation->cancelled_ms};
    if (record.delivered) {
        record.delivered_after_ms = operation->delivered_ms - operation->cancelled_ms;
    }
    give(r, &record);
}

static struct journal_record of_arm(const struct registry *r, uint32_t index,
                                    enum journal_kind kind)
{
    const struct armed *armed = armed_at(r, index);
    return (struct journal_record){.kind = kind,
                                   .space = space_name(r, key_at(r, armed->key)->space),
                                   .key = key_name(r, armed->key),
                                   .cause = cause_get(r, armed->cause)};
}

void journal_arm(struct registry *r, uint32_t index, uint64_t ttl_ms)
{
    struct journal_record record = of_arm(r, index, JOURNAL_ARM);
    record.ttl_ms = ttl_ms;
    give_of(r, armed_at(r, index)->cause, &record);
}

void journal_arm_used(struct registry *r, uint32_t index, uint32_t operation)
{
    struct journal_record record = of_arm(r, index, JOURNAL_ARM_USED);
    record.gen = operation_at(r, operation)->gen;
    operation_at(r, operation)->journaled = r->port.journal != NULL;
    give_of(r, armed_at(r, index)->cause, &record);
    cause_at(r, armed_at(r, index)->cause)->told_after = r->journal_number;
}

void journal_arm_gone(struct registry *r, uint32_t index)
{
    struct journal_record record = of_arm(r, index, JOURNAL_ARM_GONE);
    give(r, &record);
}

void journal_bulk(struct registry *r, uint32_t index)
{
    const struct bulk *bulk = bulk_at(r, index);
    give_of(r, bulk->cause,
            &(struct journal_record){
                .kind = JOURNAL_BULK,
                .space = bulk->key != 0 ? space_name(r, key_at(r, bulk->key)->space)
                                        : space_name(r, bulk->space),
                .key = bulk->key == 0 ? (struct bytes){0} : key_name(r, bulk->key),
                .label = bulk->label == 0 ? (struct bytes){0} : label_name(r, bulk->label),
                .bulk = bulk->id,
                .scope = bulk->scope,
                .owner = bulk->owner,
                .fence = bulk->fence,
                .after_gen = bulk->after_gen,
                .cause = cause_get(r, bulk->cause)});
}

void journal_bulk_done(struct registry *r, uint32_t index)
{
    const struct bulk *bulk = bulk_at(r, index);
    give(r, &(struct journal_record){
                .kind = JOURNAL_BULK_DONE, .bulk = bulk->id, .requested = bulk->requested});
}

void journal_bulk_settled(struct registry *r, uint32_t index)
{
    give(r, &(struct journal_record){.kind = JOURNAL_BULK_SETTLED, .bulk = bulk_at(r, index)->id});
}

/* ---- answers ---- */

/* Those whose very name tells of a cancel. */
static bool answer_tells(enum answer answer)
{
    switch (answer) {
    case ANSWER_REQUESTED:
    case ANSWER_ALREADY_REQUESTED:
    case ANSWER_ARMED:
    case ANSWER_DISARMED:
    case ANSWER_BORN_CANCELLED:
    case ANSWER_DRAINED:
    case ANSWER_ARMED_KEYS:
        return true;
    default:
        return false;
    }
}

bool result_tells(const struct result *result)
{
    if (result->answer == ANSWER_NOTICES || result->answer == ANSWER_ADOPTED) {
        return false; /* owners are told at once, but see request_waits(), and bring it again */
    }
    if (answer_tells(result->answer) || result->journaled || result->cause.code != CAUSE_UNSET) {
        return true;
    }
    for (size_t i = 0; i < result->operations_count; i++) {
        if (result->operations[i].cause.code != CAUSE_UNSET) {
            return true;
        }
    }
    for (size_t i = 0; i < result->events_count; i++) {
        if (result->events[i].cause.code != CAUSE_UNSET) {
            return true;
        }
    }
    return result->answer == ANSWER_TIMED_OUT && result->gens_count > 0;
}

static void refuse(struct registry *r, const struct reply_to *to, struct reply_head head)
{
    head.error = (struct error){.code = ERROR_JOURNAL,
                                .text = "done, but the journal could not keep it: after a restart "
                                        "it may be forgotten"};
    size_t size = r->port.head(r->port.context, &head, r->refusal, sizeof r->refusal);
    ASSERT(size > 0);
    r->counters.held_refused++;
    r->port.send(r->port.context, to, bytes_of(r->refusal, size));
}

static void hold(struct registry *r, const struct outgoing *out)
{
    uint32_t index = slab_take(&r->held);
    ASSERT(index != 0);
    struct held *held = held_at(r, index);
    /* They go out in order: a repeat of an older one stands behind those that came before it. */
    uint64_t last = r->holding.last == 0 ? 0 : held_at(r, r->holding.last)->journal_number;
    held->journal_number = out->journal_number > last ? out->journal_number : last;
    held->to = *out->to;
    held->session_number = out->head.session;
    held->request_id = out->head.request_id;
    held->remembered = out->remembered;
    bool kept = byte_heap_keep(&r->held_bytes, out->reply, &held->reply);
    ASSERT(kept);
    chain_append(OF_HELD(r), &r->holding, index);
    if (out->remembered != 0) {
        /* To its client it is undecided, as one that is parked. */
        remembered_at(r, out->remembered)->held = index;
        remembered_at(r, out->remembered)->parked_once = true;
    }
    r->counters.held++;
}

void reply_send(struct registry *r, const struct outgoing *out)
{
    if (r->journal_kept >= out->journal_number) {
        r->port.send(r->port.context, out->to, out->reply);
    } else if (r->journal_failed || r->held.count == r->held.capacity ||
               !byte_heap_has_room(&r->held_bytes, out->reply.size)) {
        refuse(r, out->to, out->head);
    } else {
        hold(r, out);
    }
}

static void held_free(struct registry *r, uint32_t index)
{
    uint32_t remembered = held_at(r, index)->remembered;
    if (remembered != 0) {
        remembered_at(r, remembered)->held = 0;
        remembered_at(r, remembered)->gives_way = remembered_at(r, remembered)->passed;
    }
    chain_remove(OF_HELD(r), &r->holding, index);
    byte_heap_drop(&r->held_bytes, &held_at(r, index)->reply);
    slab_give(&r->held, index);
}

void registry_journal_kept(struct registry *r, uint64_t number, uint64_t now_ms)
{
    ASSERT(number <= r->journal_number);
    note_time(r, now_ms);
    r->journal_failed = false;
    r->journal_kept = number > r->journal_kept ? number : r->journal_kept;
    notices_journaled(r);
    while (r->holding.first != 0 &&
           held_at(r, r->holding.first)->journal_number <= r->journal_kept) {
        const struct held *held = held_at(r, r->holding.first);
        struct reply_to to = held->to;
        r->port.send(r->port.context, &to, byte_heap_get(&r->held_bytes, held->reply));
        held_free(r, r->holding.first);
    }
}

void registry_journal_failed(struct registry *r, uint64_t now_ms)
{
    note_time(r, now_ms);
    r->journal_failed = true;
    while (r->holding.first != 0) {
        const struct held *held = held_at(r, r->holding.first);
        struct reply_to to = held->to;
        struct reply_head head = {.session = held->session_number, .request_id = held->request_id};
        refuse(r, &to, head);
        held_free(r, r->holding.first);
    }
}

bool registry_is_idle(const struct registry *r)
{
    if (r->states[STATE_LIVE] + r->states[STATE_CANCELLING] > 0 || r->armed.count > 0 ||
        r->recovered.count > r->recovered_finished) {
        return false;
    }
    uint32_t end = slab_end(&r->bulks);
    for (uint32_t i = 1; i < end; i++) {
        if (slab_is_live(&r->bulks, i) && bulk_at(r, i)->lasting) {
            return false;
        }
    }
    return true;
}

void check_held(const struct registry *r)
{
    ASSERT(r->journal_kept <= r->journal_number);
    ASSERT(r->holding.count == r->held.count);
    ASSERT(!r->journal_failed || r->holding.count == 0);
    chain_check(OF_HELD(r), &r->holding);
    uint64_t number = r->journal_kept;
    for (uint32_t i = r->holding.first; i != 0; i = held_at(r, i)->of_held.next) {
        const struct held *held = held_at(r, i);
        ASSERT(held->journal_number >= number && held->journal_number <= r->journal_number);
        ASSERT(held->journal_number > r->journal_kept);
        ASSERT(held->remembered == 0 || remembered_at(r, held->remembered)->held == i);
        number = held->journal_number;
    }
}
