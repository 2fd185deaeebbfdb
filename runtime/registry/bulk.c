/* SPDX-License-Identifier: MIT */
/* Bulk cancels: of a label, a session's operations in a namespace, a whole namespace; and, for drains,
 * of the whole daemon. How one walks is in bulk_run.c; here is what it is before and after.
 *
 * One record of the journal stands for all that it cancels, so it stays until each of these is
 * forgotten: they share its cause, and the last that lets go of it settles it. One that was accepted
 * in the recovery time, or recovered from an earlier run, is `lasting`: it covers what is adopted
 * later, up to its fence, and stays to the daemon's end. While it runs or lasts it is found by its
 * target, so that an adopt looks at few, however many there are. */
#include "registry/state.h"

#define OF_HOLDER(r) CHAIN(r, bulks, bulk, of_holder)

/* ---- by target ---- */

/* What it covers, within its scope: a label, a session's number, a key, or nothing more. */
static uint64_t which_of(const struct bulk *bulk)
{
    switch (bulk->scope) {
    case BULK_LABEL:
        return bulk->label;
    case BULK_OWNER:
        return bulk->owner;
    case BULK_KEY:
        return bulk->key;
    default:
        return 0;
    }
}

static uint64_t target_hash(const struct registry *r, enum bulk_scope scope, uint32_t space,
                            uint64_t which)
{
    uint64_t words[] = {scope, space, which};
    return siphash13(&r->table_key, bytes_of(words, sizeof words));
}

static uint32_t target_first(const struct registry *r, enum bulk_scope scope, uint32_t space,
                             uint64_t which)
{
    return hash_index_first(&r->bulks_by_target, target_hash(r, scope, space, which));
}

static bool is_target(const struct bulk *bulk, enum bulk_scope scope, uint32_t space,
                      uint64_t which)
{
    return bulk->scope == scope && bulk->space == space && which_of(bulk) == which;
}

/* ---- its life ---- */

static struct chain_ends *holder_of(struct registry *r, const struct bulk *bulk)
{
    if (bulk->scope == BULK_DAEMON) {
        return &r->bulks_all;
    }
    return bulk->scope == BULK_KEY ? &key_at(r, bulk->key)->bulks
                                   : &space_at(r, bulk->space)->bulks;
}

/* Room was checked; the cause's reference becomes its own. */
static uint32_t make(struct registry *r, const struct journal_record *selector, uint32_t cause)
{
    uint32_t index = slab_take(&r->bulks);
    ASSERT(index != 0);
    struct bulk *bulk = bulk_at(r, index);
    bulk->id = ++r->bulk_id;
    bulk->scope = selector->scope;
    bulk->fence = selector->fence;
    bulk->after_gen = selector->after_gen;
    bulk->owner = selector->owner;
    bulk->cause = cause;
    if (bulk->scope != BULK_DAEMON) {
        bulk->space = space_take(r, selector->space);
        ASSERT(bulk->space != 0);
    }
    if (bulk->scope == BULK_LABEL) {
        bulk->label = label_take(r, selector->space, selector->label);
    }
    if (bulk->scope == BULK_KEY) {
        bulk->key = key_make(r, selector->space, selector->key);
    } else {
        cause_at(r, cause)->bulk = index;
    }
    chain_append(OF_HOLDER(r), holder_of(r, bulk), index);
    hash_index_insert(&r->bulks_by_target, index,
                      target_hash(r, bulk->scope, bulk->space, which_of(bulk)));
    return index;
}

/* Only of those that settle: they are of no key, and not found by their target any more. */
static void bulk_free(struct registry *r, uint32_t index)
{
    struct bulk *bulk = bulk_at(r, index);
    ASSERT(bulk->scope != BULK_KEY);
    chain_remove(OF_HOLDER(r), holder_of(r, bulk), index);
    if (bulk->label != 0) {
        label_give(r, bulk->label);
    }
    uint32_t cause = bulk->cause;
    uint32_t space = bulk->space;
    slab_give(&r->bulks, index);
    cause_at(r, cause)->bulk = 0;
    cause_give(r, cause);
    if (space != 0) {
        space_give(r, space);
    }
}

static void settle(struct registry *r, uint32_t index)
{
    const struct bulk *bulk = bulk_at(r, index);
    if (bulk->running || bulk->lasting || bulk->stands_in ||
        cause_at(r, bulk->cause)->references > 1) {
        return;
    }
    ASSERT(bulk->parked == 0); /* whoever waits for its end has been answered */
    journal_bulk_settled(r, index);
    bulk_free(r, index);
}

void bulk_cause_gone(struct registry *r, uint32_t index)
{
    settle(r, index);
}

void bulk_parked_gone(struct registry *r, uint32_t index)
{
    bulk_at(r, index)->parked = 0;
    settle(r, index);
}

static void lasts(struct registry *r, uint32_t index)
{
    bulk_at(r, index)->lasting = true;
    r->covers_count++;
}

/* Whether one of this recovery time covers the same: then another need not last. */
static bool is_covered(const struct registry *r, const struct bulk *bulk)
{
    uint32_t i = target_first(r, bulk->scope, bulk->space, which_of(bulk));
    for (; i != 0; i = hash_index_next(&r->bulks_by_target, i)) {
        const struct bulk *other = bulk_at(r, i);
        if (other->lasting && !other->recovered &&
            is_target(other, bulk->scope, bulk->space, which_of(bulk))) {
            return true;
        }
    }
    return false;
}

uint32_t bulk_start(struct request *q, const struct journal_record *selector,
                    const struct cause *cause)
{
    struct registry *r = q->r;
    uint32_t index = make(r, selector, cause_keep(r, cause));
    if (is_recovering(r) && !is_covered(r, bulk_at(r, index))) {
        lasts(r, index);
    }
    r->counters.bulks++;
    journal_bulk(r, index);
    bulk_run(r, index);
    return index;
}

uint32_t bulk_cover(struct request *q, uint32_t key, uint64_t after_gen, uint32_t cause)
{
    struct registry *r = q->r;
    if (covers_are_full(r)) {
        return 0;
    }
    struct journal_record selector = {.scope = BULK_KEY,
                                      .space = space_name(r, key_at(r, key)->space),
                                      .key = key_name(r, key),
                                      .fence = r->gen_newest,
                                      .after_gen = after_gen};
    cause_at(r, cause)->references++;
    uint32_t index = make(r, &selector, cause);
    lasts(r, index);
    journal_bulk(r, index);
    return index;
}

/* What naming its target would need. */
static const char *target_full(const struct registry *r, const struct journal_record *selector)
{
    if (selector->scope == BULK_DAEMON) {
        return NULL;
    }
    if (selector->scope == BULK_KEY) {
        return key_full(r, selector->space, selector->key, 0);
    }
    uint32_t space = space_find(r, selector->space);
    if (space == 0 && r->spaces.count == r->spaces.capacity) {
        return "namespaces";
    }
    if (selector->scope != BULK_LABEL || label_find(r, space, selector->label) != 0) {
        return NULL;
    }
    if (r->labels.count == r->labels.capacity) {
        return "labels";
    }
    return byte_heap_has_room(&r->bytes, selector->label.size) ? NULL : "bytes";
}

/* The others are bounded by limits.bulks: below its own bound there is a record for each. */
bool covers_are_full(const struct registry *r)
{
    return r->covers_count >= r->limits.covers;
}

const char *bulk_full(const struct registry *r, const struct journal_record *selector)
{
    if (r->bulks.count - r->covers_count >= r->limits.bulks ||
        r->bulks.count == r->bulks.capacity) {
        return "bulks";
    }
    return is_recovering(r) && covers_are_full(r) ? "covers" : target_full(r, selector);
}

/* At the bound, one of the same target takes it in: no cancel is forgotten, though for some gens the
 * cause may be the other's. */
static bool merge(struct registry *r, const struct journal_record *record)
{
    uint32_t end = slab_end(&r->bulks);
    for (uint32_t i = 1; i < end; i++) {
        struct bulk *bulk = bulk_at(r, i);
        ASSERT(slab_is_live(&r->bulks, i)); /* before the first frame none has settled */
        if (bulk->scope != record->scope || bulk->owner != record->owner ||
            !bytes_equal(space_name(r, bulk->space), record->space) ||
            (bulk->label != 0 && !bytes_equal(label_name(r, bulk->label), record->label)) ||
            (bulk->key != 0 && !bytes_equal(key_name(r, bulk->key), record->key))) {
            continue;
        }
        bulk->fence = record->fence > bulk->fence ? record->fence : bulk->fence;
        bulk->after_gen = record->after_gen < bulk->after_gen ? record->after_gen : bulk->after_gen;
        return true;
    }
    return false;
}

bool bulk_recover(struct registry *r, const struct journal_record *record)
{
    if (record->scope >= BULK_SCOPE_END) {
        return false;
    }
    if (r->bulks.count == r->bulks.capacity || target_full(r, record) != NULL) {
        return merge(r, record);
    }
    uint32_t index = make(r, record, cause_keep(r, &record->cause));
    lasts(r, index);
    bulk_at(r, index)->recovered = true;
    return true;
}

void bulk_done(struct registry *r, uint32_t index)
{
    struct bulk *bulk = bulk_at(r, index);
    if (!bulk->lasting) {
        hash_index_remove(&r->bulks_by_target, index);
    }
    journal_bulk_done(r, index);
    if (bulk->drains) {
        drain_bulk_done(r, index);
    }
    if (bulk->parked != 0) {
        struct result result = bulk_describe(r, bulk);
        parked_answer(r, bulk->parked, &result); /* which settles it */
    } else {
        settle(r, index);
    }
}

/* ---- what is adopted ---- */

struct adopted {
    uint64_t gen;
    bool earlier;   /* asked of those of an earlier run */
    uint32_t first; /* of those that cover it, the earliest so far */
};

/* Of those that are found by their target: what does not run is lasting. */
static bool covers(const struct registry *r, const struct bulk *bulk, const struct adopted *adopted)
{
    return bulk->recovered == adopted->earlier && adopted->gen > bulk->after_gen &&
           adopted->gen <= bulk->fence && (bulk->running || is_earlier(r, adopted->gen));
}

static void look(const struct registry *r, struct adopted *adopted, enum bulk_scope scope,
                 uint32_t space, uint64_t which)
{
    uint32_t i = target_first(r, scope, space, which);
    for (; i != 0; i = hash_index_next(&r->bulks_by_target, i)) {
        const struct bulk *bulk = bulk_at(r, i);
        if (is_target(bulk, scope, space, which) && covers(r, bulk, adopted) &&
            (adopted->first == 0 || bulk->id < bulk_at(r, adopted->first)->id)) {
            adopted->first = i;
        }
    }
}

uint32_t bulk_cause_for(const struct registry *r, uint32_t index, uint64_t previous_session,
                        bool earlier)
{
    if (r->bulks_by_target.count == 0) {
        return 0;
    }
    const struct operation *operation = operation_at(r, index);
    struct adopted adopted = {.gen = operation->gen, .earlier = earlier};
    uint32_t space = key_at(r, operation->key)->space;
    look(r, &adopted, BULK_DAEMON, 0, 0);
    look(r, &adopted, BULK_SPACE, space, 0);
    look(r, &adopted, BULK_KEY, space, operation->key);
    if (previous_session != 0) {
        look(r, &adopted, BULK_OWNER, space, previous_session);
    }
    if (operation->owner != 0) {
        look(r, &adopted, BULK_OWNER, space, session_at(r, operation->owner)->number);
    }
    for (uint32_t i = operation->labels; i != 0; i = label_use_at(r, i)->next_of_operation) {
        look(r, &adopted, BULK_LABEL, space, label_use_at(r, i)->label);
    }
    return adopted.first == 0 ? 0 : bulk_at(r, adopted.first)->cause;
}

/* ---- invariants ---- */

static void check_bulk(const struct registry *r, uint32_t index)
{
    const struct bulk *bulk = bulk_at(r, index);
    bool bare = bulk->scope == BULK_KEY;
    ASSERT(slab_is_live(&r->causes, bulk->cause));
    ASSERT(cause_at(r, bulk->cause)->bulk == (bare ? 0 : index));
    ASSERT(bulk->running || bulk->lasting || bulk->stands_in ||
           cause_at(r, bulk->cause)->references > 1);
    ASSERT((bulk->scope == BULK_DAEMON) == (bulk->space == 0));
    ASSERT((bulk->scope == BULK_LABEL) == (bulk->label != 0) && bare == (bulk->key != 0));
    ASSERT(!bare || (bulk->lasting && !bulk->running));
    ASSERT(!bulk->recovered || (bulk->lasting && !bulk->running));
    ASSERT(bulk->parked == 0 || (bulk->running && parked_at(r, bulk->parked)->bulk == index));
    ASSERT(bulk->results_count <= BULK_RESULTS_MAX && bulk->results_max <= BULK_RESULTS_MAX);
}

void check_bulks(const struct registry *r)
{
    uint32_t findable = 0;
    uint32_t running = 0;
    uint32_t lasting = 0;
    uint32_t end = slab_end(&r->bulks);
    for (uint32_t i = 1; i < end; i++) {
        if (slab_is_live(&r->bulks, i)) {
            check_bulk(r, i);
            lasting += bulk_at(r, i)->lasting;
            findable += bulk_at(r, i)->running || bulk_at(r, i)->lasting;
            running += bulk_at(r, i)->running;
        }
    }
    ASSERT(lasting == r->covers_count);
    ASSERT(findable == r->bulks_by_target.count);
    ASSERT(running == r->running.count + r->bulks_waiting.count);
    hash_index_check(&r->bulks_by_target);
    chain_check(OF_HOLDER(r), &r->bulks_all);
    check_bulk_runs(r);
}
