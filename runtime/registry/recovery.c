/* SPDX-License-Identifier: MIT */
/* After a restart: what an earlier run had recorded, held for the owners that come back, and the
 * time in which an unknown gen may just not have come back yet. */
#include "registry/state.h"

#define RETRY_MS_MAX 200

bool is_recovering(const struct registry *r)
{
    return r->recovery_end_ms != 0;
}

bool is_earlier(const struct registry *r, uint64_t gen)
{
    return gen < r->gen_first;
}

uint32_t recovery_retry_ms(const struct registry *r)
{
    uint64_t left = r->recovery_end_ms > r->now_ms ? r->recovery_end_ms - r->now_ms : 1;
    return left < RETRY_MS_MAX ? (uint32_t) left : RETRY_MS_MAX;
}

void request_recovering(struct request *q)
{
    request_tell(
        q, &(struct result){.answer = ANSWER_RECOVERING, .retry_ms = recovery_retry_ms(q->r)});
}

void recovery_expire(struct registry *r, uint64_t now_ms)
{
    if (r->recovery_end_ms != 0 && r->recovery_end_ms <= now_ms) {
        r->recovery_end_ms = 0;
        r->drains_due = true;
    }
}

/* ---- cancels of one gen ---- */

/* By its whole name: an adopter's word for a gen must not lead to what was said of another's operation.
 */
static uint32_t find_hashed(const struct registry *r, uint64_t space_hash, uint64_t key_hash,
                            uint64_t gen)
{
    uint32_t i = hash_index_first(&r->recovered_by_gen, gen);
    while (i != 0 && (recovered_at(r, i)->space_hash != space_hash ||
                      recovered_at(r, i)->key_hash != key_hash)) {
        i = hash_index_next(&r->recovered_by_gen, i);
    }
    return i;
}

static uint32_t find(const struct registry *r, struct bytes space, struct bytes key, uint64_t gen)
{
    return find_hashed(r, siphash13(&r->table_key, space), siphash13(&r->table_key, key), gen);
}

static uint32_t find_of(const struct registry *r, uint32_t operation)
{
    uint32_t key = operation_at(r, operation)->key;
    return find(r, space_name(r, key_at(r, key)->space), key_name(r, key),
                operation_at(r, operation)->gen);
}

uint32_t recovered_cause(const struct registry *r, uint32_t operation)
{
    uint32_t index = find_of(r, operation);
    return index == 0 ? 0 : recovered_at(r, index)->cause;
}

uint32_t recovered_cause_in(const struct registry *r, struct bytes space, uint64_t gen)
{
    uint64_t space_hash = siphash13(&r->table_key, space);
    uint32_t i = hash_index_first(&r->recovered_by_gen, gen);
    while (i != 0 && recovered_at(r, i)->space_hash != space_hash) {
        i = hash_index_next(&r->recovered_by_gen, i);
    }
    return i == 0 ? 0 : recovered_at(r, i)->cause;
}

void recovered_take(struct registry *r, uint32_t operation)
{
    uint32_t index = find_of(r, operation);
    if (index == 0) {
        return;
    }
    r->recovered_finished -= recovered_at(r, index)->finished ? 1 : 0;
    hash_index_remove(&r->recovered_by_gen, index);
    cause_give(r, recovered_at(r, index)->cause);
    slab_give(&r->recovered, index);
}

static bool recover_cancel(struct registry *r, const struct journal_record *record)
{
    const uint64_t space_hash = siphash13(&r->table_key, record->space);
    const uint64_t key_hash = siphash13(&r->table_key, record->key);
    if (find_hashed(r, space_hash, key_hash, record->gen) != 0) {
        return true;
    }
    uint32_t index = slab_take(&r->recovered);
    if (index == 0) {
        return false;
    }
    struct recovered *recovered = recovered_at(r, index);
    recovered->gen = record->gen;
    recovered->space_hash = space_hash;
    recovered->key_hash = key_hash;
    recovered->cause = cause_keep(r, &record->cause);
    recovered->finished = record->by_owner;
    r->recovered_finished += recovered->finished ? 1 : 0;
    hash_index_insert(&r->recovered_by_gen, index, record->gen);
    return true;
}

static bool recover_arm(struct registry *r, const struct journal_record *record)
{
    uint32_t key = key_find(r, space_find(r, record->space), record->key);
    if (key != 0 && key_at(r, key)->armed != 0) {
        return true;
    }
    if (r->armed.count == r->armed.capacity || key_full(r, record->space, record->key, 0) != NULL) {
        return false;
    }
    key = key_make(r, record->space, record->key);
    uint32_t cause = cause_keep(r, &record->cause);
    (void) armed_make(r, key, cause, record->ttl_ms);
    cause_give(r, cause);
    return true;
}

bool registry_recover(struct registry *r, const struct journal_record *record)
{
    ASSERT(r->counters.frames == 0);
    switch (record->kind) {
    case JOURNAL_CANCEL:
        return recover_cancel(r, record);
    case JOURNAL_BULK:
        return bulk_recover(r, record);
    case JOURNAL_ARM:
        return recover_arm(r, record);
    default:
        return false; /* nobody waits for any other */
    }
}
