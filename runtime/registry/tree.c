/* SPDX-License-Identifier: MIT */
/* Parents and children.
 *
 * A cancel is decided for the one operation that it names; its descendants follow in steps. An
 * operation whose children have to be looked at is `banning`: it stands in registry.bans, and one
 * child looked at is one step. A child that is LIVE is cancelled, which makes it ban in its turn, so
 * nothing here goes down a tree on the C stack. An operation that ended bans too while it has
 * children, to cut their ties: its record stays until that is done.
 *
 * Who is a descendant must not depend on how far the steps have come. Between a cancel and the step
 * that reaches its grandchild, the child between them may end uncancelled; the grandchild was under
 * the cancel, and it stays so. Where the child had ended before the cancel, its own children were
 * roots by then, though their ties may not be cut yet. So each cancel, and each end of an operation
 * with children, takes a number (ban_number), and a ban passes through an ended child only where
 * that one's number is higher than the ban's own. For this an ended child that bans stays tied to
 * its parent.
 *
 * bans is in the order of these numbers: a new one goes to the end, and what a ban hands down keeps
 * its number and goes to the front. So by the time that an ended operation's turn comes, every
 * cancel that came before its end is through. An operation that is found with a higher number than
 * that of the ban which finds it takes the lower one and begins anew.
 *
 * A dying session's operations have ended, but it is not written down yet: their number is that of
 * the session's death.
 *
 * After a restart a child may be adopted before its parent. It waits in operations_by_parent: the
 * first of those that wait for one gen is in the table, the others are chained behind it. */
#include "registry/state.h"

#define OF_PARENT(r) CHAIN(r, operations, operation, of_parent)
#define OF_BAN(r) CHAIN(r, operations, operation, of_ban)

/* ---- children that wait for their parent ---- */

static uint32_t space_of(const struct registry *r, uint32_t index)
{
    return key_at(r, operation_at(r, index)->key)->space;
}

static uint64_t waiting_hash(const struct registry *r, uint32_t space, uint64_t gen)
{
    uint64_t words[] = {space, gen};
    return siphash13(&r->table_key, bytes_of(words, sizeof words));
}

/* A parent is of its child's namespace. */
static uint32_t first_waiting(const struct registry *r, uint32_t space, uint64_t gen)
{
    uint32_t i = hash_index_first(&r->operations_by_parent, waiting_hash(r, space, gen));
    while (i != 0 && (operation_at(r, i)->parent_gen != gen || space_of(r, i) != space)) {
        i = hash_index_next(&r->operations_by_parent, i);
    }
    return i;
}

static bool is_awaited(const struct registry *r, uint32_t index)
{
    return first_waiting(r, space_of(r, index), operation_at(r, index)->gen) != 0;
}

static void waiting_insert(struct registry *r, uint32_t index)
{
    hash_index_insert(&r->operations_by_parent, index,
                      waiting_hash(r, space_of(r, index), operation_at(r, index)->parent_gen));
}

static void await(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    uint32_t first = first_waiting(r, space_of(r, index), operation->parent_gen);
    operation->awaiting = true;
    if (first == 0) {
        waiting_insert(r, index);
        return;
    }
    struct chain *chain = &operation_at(r, first)->of_parent;
    operation->of_parent = (struct chain){.next = chain->next, .previous = first};
    if (chain->next != 0) {
        operation_at(r, chain->next)->of_parent.previous = index;
    }
    chain->next = index;
}

static void await_no_more(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    struct chain chain = operation->of_parent;
    if (!operation->awaiting) {
        return;
    }
    if (chain.next != 0) {
        operation_at(r, chain.next)->of_parent.previous = chain.previous;
    }
    if (chain.previous != 0) {
        operation_at(r, chain.previous)->of_parent.next = chain.next;
    } else {
        hash_index_remove(&r->operations_by_parent, index);
        if (chain.next != 0) {
            waiting_insert(r, chain.next);
        }
    }
    operation->of_parent = (struct chain){0};
    operation->awaiting = false;
}

/* ---- ties ---- */

/* A parent is of its child's namespace; and once it is one, it is plain no more. */
static uint32_t find(const struct registry *r, uint32_t space, uint64_t gen)
{
    return operation_look(r, space, gen);
}

/* Whether it will be OWNER_LOST when its turn comes. */
static bool is_lost(const struct registry *r, uint32_t index)
{
    const struct operation *operation = operation_at(r, index);
    return operation->owner != 0 && operation->state != STATE_ENDED &&
           operation->on_owner_loss == ON_OWNER_LOSS_REAP && session_at(r, operation->owner)->dying;
}

/* The same, for whoever needs its state: an owner's death is looked at first, which may forget it. */
static uint32_t find_parent(struct registry *r, uint32_t space, uint64_t gen)
{
    uint32_t index = operation_in_space(r, space, gen);
    if (index == 0 || operation_at(r, index)->owner == 0 ||
        !session_at(r, operation_at(r, index)->owner)->dying) {
        return index;
    }
    operation_take_turn(r, index);
    return find(r, space, gen);
}

static void tie(struct registry *r, uint32_t index, uint32_t to)
{
    struct operation *parent = operation_at(r, to);
    ASSERT(operation_at(r, index)->gen > parent->gen);
    operation_at(r, index)->parent = to;
    chain_append(OF_PARENT(r), &parent->children, index);
    if (parent->banning && parent->ban_at == 0) {
        parent->ban_at = index;
    }
}

static void untie(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    if (operation->parent == 0) {
        return;
    }
    struct operation *parent = operation_at(r, operation->parent);
    if (parent->banning && parent->ban_at == index) {
        parent->ban_at = operation->of_parent.next;
    }
    chain_remove(OF_PARENT(r), &parent->children, index);
    operation->parent = 0;
}

/* Where the parent that it waits for has come back, it is tied now. */
static void tie_awaiting(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    uint32_t parent = operation->awaiting ? find(r, space_of(r, index), operation->parent_gen) : 0;
    if (parent != 0) {
        await_no_more(r, index);
        tie(r, index, parent);
    }
}

/* ---- bans ---- */

enum place { PLACE_FIRST, PLACE_LAST };

static void ban(struct registry *r, uint32_t index, uint64_t number, enum place place)
{
    struct operation *operation = operation_at(r, index);
    if (operation->banning) {
        chain_remove(OF_BAN(r), &r->bans, index);
    }
    operation->banning = true;
    operation->ban_number = number;
    operation->ban_at = operation->children.first;
    if (place == PLACE_FIRST) {
        chain_prepend(OF_BAN(r), &r->bans, index);
    } else {
        chain_append(OF_BAN(r), &r->bans, index);
    }
}

/* Whether its children have to be cancelled. With a cause of its own they have, and where a ban
 * passed through it after its end. */
static bool bans_cancel(const struct operation *operation)
{
    return operation->cause != 0 || operation->ban_cause != 0;
}

/* One reference. */
static uint32_t keep_for_child(struct registry *r, uint32_t of_parent)
{
    struct cause cause = cause_get(r, of_parent);
    if (cause.code == CAUSE_PARENT) {
        return cause_share(r, of_parent);
    }
    cause.code = CAUSE_PARENT;
    uint32_t own = cause_keep(r, &cause);
    cause_at(r, own)->told_after = cause_at(r, of_parent)->told_after;
    return own;
}

/* What its ban cancels with; the reference stays with it. */
static uint32_t cause_of(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    if (operation->ban_cause == 0) {
        operation->ban_cause = keep_for_child(r, operation->cause);
    }
    return operation->ban_cause;
}

/* The ban of `from` comes to one child of it, or would, were it not detached now. */
static void ban_reaches(struct registry *r, uint32_t index, uint32_t from)
{
    struct operation *operation = operation_at(r, index);
    uint64_t number = operation_at(r, from)->ban_number;
    uint32_t cause = cause_of(r, from);
    if (operation->state == STATE_LIVE) {
        operation_take_turn(r, index); /* losing an owner is not a cancel */
    }
    if (operation->state == STATE_LIVE) {
        operation_cancel(r, index, cause);
    }
    if (!operation->banning || operation->ban_number <= number) {
        return;
    }
    /* Those below were under this cancel before they were under any other. */
    cause_give(r, operation->ban_cause);
    operation->ban_cause = cause_share(r, cause);
    operation->ban_is_of_ancestor = operation->cause != cause;
    ban(r, index, number, PLACE_FIRST);
}

static void ban_ends(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    operation->banning = false;
    chain_remove(OF_BAN(r), &r->bans, index);
    if (operation->state == STATE_ENDED) {
        ASSERT(operation->children.count == 0);
        untie(r, index);
        operation_release(r, index);
    }
}

static void ban_step(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    uint32_t child = operation->ban_at;
    if (child != 0) {
        operation->ban_at = operation_at(r, child)->of_parent.next;
        if (bans_cancel(operation)) {
            ban_reaches(r, child, index);
        }
        if (operation->state == STATE_ENDED && operation_at(r, child)->parent == index) {
            untie(r, child);
            operation_at(r, child)->parent_gen = 0; /* whoever is adopted under it is another */
        }
        return;
    }
    child = first_waiting(r, space_of(r, index), operation->gen);
    if (child == 0) {
        ban_ends(r, index);
    } else if (operation_at(r, child)->state == STATE_ENDED) {
        await_no_more(r, child);
        operation_at(r, child)->adoption = r->adoption_number; /* this is the parent that it had */
    } else {
        tie_awaiting(r, child);
    }
}

void tree_step(struct registry *r, uint32_t *budget)
{
    while (*budget > 0 && r->bans.first != 0) {
        (*budget)--;
        r->counters.ban_steps++;
        ban_step(r, r->bans.first);
    }
}

/* ---- what happens to an operation ---- */

void tree_cancelled(struct registry *r, uint32_t index)
{
    if (operation_at(r, index)->children.count > 0 || is_awaited(r, index)) {
        ban(r, index, ++r->ban_number, PLACE_LAST);
    }
}

void tree_adopted(struct registry *r, uint32_t index)
{
    operation_at(r, index)->adoption = ++r->adoption_number;
    if (is_awaited(r, index) && !operation_at(r, index)->banning) {
        ban(r, index, ++r->ban_number, PLACE_LAST);
    }
}

void tree_ended(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    tie_awaiting(r, index);
    operation->adoption = operation->awaiting ? UINT64_MAX : r->adoption_number;
    if (operation->children.count == 0 && !operation->banning) {
        untie(r, index);
    } else if (operation->banning && operation->cause != 0) {
        operation->ban_at = operation->children.first; /* those that it passed have to be cut */
    } else {
        bool lost = operation->owner != 0 && session_at(r, operation->owner)->dying;
        uint64_t number = lost ? session_at(r, operation->owner)->ban_number : ++r->ban_number;
        ban(r, index, number, PLACE_LAST);
    }
}

void tree_free(struct registry *r, uint32_t index)
{
    struct operation *operation = operation_at(r, index);
    ASSERT(!operation->banning && operation->parent == 0 && operation->children.count == 0);
    await_no_more(r, index);
    cause_give(r, operation->ban_cause);
}

bool tree_holds(const struct registry *r, uint32_t index)
{
    return operation_at(r, index)->banning;
}

/* Its parent while that has not ended. An operation that ended is in no chain of its parent, which may
 * end, be forgotten, and be adopted once more meanwhile: that later one is not its parent. One that is
 * still awaited is, whenever it comes. */
uint64_t tree_parent_gen(const struct registry *r, uint32_t index)
{
    const struct operation *operation = operation_at(r, index);
    uint64_t gen = operation->parent_gen;
    uint32_t found = gen == 0 ? 0 : find(r, space_of(r, index), gen);
    if (found == 0) {
        return operation->awaiting ? gen : 0;
    }
    const struct operation *parent = operation_at(r, found);
    bool another = operation->state == STATE_ENDED && parent->adoption > operation->adoption;
    return another || parent->state == STATE_ENDED || is_lost(r, found) ? 0 : gen;
}

/* ---- births ---- */

enum answer tree_check(struct request *q, const struct op *op, struct result *result)
{
    struct registry *r = q->r;
    uint64_t gen = op->as.store.parent;
    uint32_t parent = find_parent(r, q->space, gen);
    q->space = space_find(r, q->space_name); /* the parent may have been its last key */
    *result = (struct result){.answer = ANSWER_UNSET};
    if (parent == 0 && is_recovering(r) && is_earlier(r, gen)) {
        result->answer = ANSWER_RECOVERING;
        result->retry_ms = recovery_retry_ms(r);
    } else if (parent == 0) {
        result->answer = ANSWER_PARENT_NOT_FOUND;
    } else if (operation_at(r, parent)->state == STATE_ENDED &&
               operation_at(r, parent)->cause == 0) {
        result->answer = ANSWER_PARENT_ENDED;
        result->outcome = (enum outcome) operation_at(r, parent)->outcome;
    }
    return result->answer;
}

uint32_t tree_birth_cause(struct request *q, uint64_t parent_gen)
{
    struct registry *r = q->r;
    if (parent_gen == 0) {
        return 0;
    }
    uint32_t parent = find_parent(r, space_find(r, q->space_name), parent_gen);
    if (parent == 0) {
        uint32_t recovered = recovered_cause_in(r, q->space_name, parent_gen);
        return recovered == 0 ? 0 : keep_for_child(r, recovered);
    }
    uint32_t cause = operation_at(r, parent)->cause;
    if (cause == 0) {
        return 0;
    }
    return operation_at(r, parent)->ban_is_of_ancestor ? keep_for_child(r, cause)
                                                       : cause_share(r, cause_of(r, parent));
}

void tree_tie(struct registry *r, uint32_t index, uint64_t parent_gen)
{
    struct operation *operation = operation_at(r, index);
    ASSERT(parent_gen != 0 && parent_gen < operation->gen);
    uint32_t parent = find_parent(r, space_of(r, index), parent_gen);
    if (parent != 0 && operation_at(r, parent)->state != STATE_ENDED) {
        operation->parent_gen = parent_gen;
        tie(r, index, parent);
    } else if (parent == 0) {
        ASSERT(is_earlier(r, parent_gen)); /* one of this start was there just now: tree_check() */
        operation->parent_gen = parent_gen;
        await(r, index);
    }
}

/* ---- detach ---- */

/* The earliest cancel that covers the operation and has not come to it yet: the ancestor whose ban
 * will; 0: none. */
static uint32_t find_cover(struct registry *r, uint32_t index)
{
    uint32_t cover = 0;
    uint64_t below = UINT64_MAX; /* a ban with this number or a higher one does not cover it */
    for (;;) {
        tie_awaiting(r, index);
        index = operation_at(r, index)->parent;
        if (index == 0) {
            return cover;
        }
        r->bans_walk_left -= r->bans_walk_left > 0 ? 1 : 0;
        const struct operation *ancestor = operation_at(r, index);
        uint64_t number = ancestor->ban_number;
        if (bans_cancel(ancestor)) {
            if (!ancestor->banning) {
                return cover; /* what comes from above stops here, for it was here before */
            }
            cover = number < below ? index : cover;
        } else if (is_lost(r, index)) {
            number = session_at(r, ancestor->owner)->ban_number;
        } else if (ancestor->state != STATE_ENDED) {
            continue;
        }
        below = number < below ? number : below;
    }
}

static void detach(struct registry *r, uint32_t index, uint32_t cover)
{
    if (cover != 0) {
        ban_reaches(r, index, cover);
    }
    await_no_more(r, index);
    untie(r, index);
    operation_at(r, index)->parent_gen = 0;
}

void serve_detach(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    uint32_t index = find_live(q, op);
    if (index == 0) {
        return;
    }
    const struct operation *operation = operation_at(r, index);
    uint32_t cover = 0;
    if (r->bans.first != 0 && operation->parent_gen != 0) {
        if (r->bans_walk_left == 0) {
            q->exhausted = true; /* this frame has walked enough */
            return;
        }
        cover = find_cover(r, index);
    }
    uint32_t cause = operation->cause;
    if (cause == 0 && cover != 0) {
        cause = cause_of(r, cover);
    }
    struct result result = {.answer = cause != 0 ? ANSWER_CANCELLING : ANSWER_DETACHED,
                            .gen = operation->gen,
                            .cause = cause_get(r, cause)};
    if (request_put(q, &result)) {
        detach(r, index, cover);
    }
}

/* ---- invariants ---- */

static void check_ties(const struct registry *r, uint32_t index)
{
    const struct operation *operation = operation_at(r, index);
    bool ended = operation->state == STATE_ENDED;
    if (operation->parent != 0) {
        ASSERT(slab_is_live(&r->operations, operation->parent) && !operation->awaiting);
        const struct operation *parent = operation_at(r, operation->parent);
        ASSERT(operation->parent_gen == parent->gen && parent->gen < operation->gen);
        ASSERT(space_of(r, index) == space_of(r, operation->parent));
        ASSERT(!ended || operation->banning);
    }
    ASSERT(!operation->awaiting || operation->parent_gen < operation->gen);
    ASSERT(!ended || operation->banning || operation->children.count == 0);
    ASSERT(operation->ban_cause == 0 || cause_at(r, operation->ban_cause)->code == CAUSE_PARENT);
    ASSERT(operation->ban_number <= r->ban_number);
}

/* No child of an operation whose ban is through, or has passed it, is LIVE. */
static void check_children(const struct registry *r, uint32_t index)
{
    const struct operation *operation = operation_at(r, index);
    bool passed = operation->cause != 0;
    bool met = operation->ban_at == 0;
    chain_check(OF_PARENT(r), &operation->children);
    for (uint32_t i = operation->children.first; i != 0; i = operation_at(r, i)->of_parent.next) {
        ASSERT(operation_at(r, i)->parent == index);
        if (operation->banning && operation->ban_at == i) {
            passed = false;
            met = true;
        }
        ASSERT(!passed || operation_at(r, i)->state != STATE_LIVE);
    }
    ASSERT(operation->banning ? met : !is_awaited(r, index));
}

static void check_waiting(const struct registry *r, uint32_t first)
{
    const struct operation *operation = operation_at(r, first);
    uint32_t previous = 0;
    for (uint32_t i = first; i != 0; i = operation_at(r, i)->of_parent.next) {
        ASSERT(operation_at(r, i)->awaiting && operation_at(r, i)->parent == 0);
        ASSERT(operation_at(r, i)->parent_gen == operation->parent_gen);
        ASSERT(operation_at(r, i)->of_parent.previous == previous);
        previous = i;
    }
}

void check_tree(const struct registry *r)
{
    uint32_t banning = 0;
    uint32_t first_ones = 0;
    uint32_t end = slab_end(&r->operations);
    for (uint32_t i = 1; i < end; i++) {
        if (!slab_is_live(&r->operations, i)) {
            continue;
        }
        const struct operation *operation = operation_at(r, i);
        check_ties(r, i);
        check_children(r, i);
        banning += operation->banning;
        if (operation->awaiting && operation->of_parent.previous == 0) {
            first_ones++;
            ASSERT(first_waiting(r, space_of(r, i), operation->parent_gen) == i);
            check_waiting(r, i);
        }
    }
    chain_check(OF_BAN(r), &r->bans);
    ASSERT(banning == r->bans.count);
    ASSERT(first_ones == r->operations_by_parent.count);
}
