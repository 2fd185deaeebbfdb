/* SPDX-License-Identifier: MIT */
/* Labels: a record for each different one of a namespace, as long as an operation or a bulk cancel
 * names it, and a use for each operation that has it. The uses of live operations are in the
 * label's chain, those that were adopted in front, the others in the order of their births, which is
 * that of their gens: what a bulk cancel walks. An operation keeps its labels until it is forgotten. */
#include "registry/state.h"

#define OF_LABEL(r) CHAIN(r, label_uses, label_use, of_label)

static uint64_t label_hash(const struct registry *r, uint32_t space, struct bytes name)
{
    struct siphash_key of_space = r->table_key;
    of_space.k1 ^= space;
    return siphash13(&of_space, name);
}

struct bytes label_name(const struct registry *r, uint32_t label)
{
    return byte_heap_get(&r->bytes, label_at(r, label)->name);
}

uint32_t label_find(const struct registry *r, uint32_t space, struct bytes name)
{
    if (space == 0) {
        return 0;
    }
    uint32_t label = hash_index_first(&r->labels_by_name, label_hash(r, space, name));
    while (label != 0 &&
           (label_at(r, label)->space != space || !bytes_equal(label_name(r, label), name))) {
        label = hash_index_next(&r->labels_by_name, label);
    }
    return label;
}

uint32_t label_take(struct registry *r, struct bytes space_name_, struct bytes name)
{
    uint32_t label = label_find(r, space_find(r, space_name_), name);
    if (label == 0) {
        uint32_t space = space_take(r, space_name_);
        label = slab_take(&r->labels);
        ASSERT(space != 0 && label != 0); /* room was checked */
        label_at(r, label)->space = space;
        bool kept = byte_heap_keep(&r->bytes, name, &label_at(r, label)->name);
        ASSERT(kept);
        hash_index_insert(&r->labels_by_name, label, label_hash(r, space, name));
    }
    label_at(r, label)->references++;
    return label;
}

void label_give(struct registry *r, uint32_t index)
{
    struct label *label = label_at(r, index);
    ASSERT(label->references > 0);
    if (--label->references > 0) {
        return;
    }
    ASSERT(label->live.count == 0);
    hash_index_remove(&r->labels_by_name, index);
    byte_heap_drop(&r->bytes, &label->name);
    space_give(r, label->space);
    slab_give(&r->labels, index);
}

/* ---- room ---- */

const char *labels_full(const struct registry *r, struct bytes space, struct labels labels)
{
    uint32_t known = space_find(r, space);
    size_t fresh = 0;
    for (size_t i = 0; i < labels.count; i++) {
        fresh += label_find(r, known, labels.items[i]) == 0;
    }
    if (r->labels.capacity - r->labels.count < fresh) {
        return "labels";
    }
    return r->label_uses.capacity - r->label_uses.count < labels.count ? "label_uses" : NULL;
}

size_t labels_bytes(const struct registry *r, struct bytes space, struct labels labels)
{
    uint32_t known = space_find(r, space);
    size_t bytes = 0;
    for (size_t i = 0; i < labels.count; i++) {
        bytes += label_find(r, known, labels.items[i]) == 0 ? labels.items[i].size : 0;
    }
    return bytes;
}

/* ---- of an operation ---- */

static bool is_live(enum state state)
{
    return state == STATE_LIVE || state == STATE_CANCELLING;
}

static uint32_t use_make(struct registry *r, uint32_t operation, struct bytes name)
{
    struct bytes space = space_name(r, key_at(r, operation_at(r, operation)->key)->space);
    uint32_t index = slab_take(&r->label_uses);
    ASSERT(index != 0); /* labels_full() has looked */
    struct label_use *use = label_use_at(r, index);
    use->operation = operation;
    use->label = label_take(r, space, name);
    struct label *label = label_at(r, use->label);
    label->states[operation_at(r, operation)->state]++;
    if (is_earlier(r, operation_at(r, operation)->gen)) {
        chain_prepend(OF_LABEL(r), &label->live, index);
    } else {
        chain_append(OF_LABEL(r), &label->live, index);
    }
    return index;
}

void labels_keep(struct registry *r, uint32_t index, struct labels labels)
{
    ASSERT(is_live((enum state) operation_at(r, index)->state));
    uint32_t *link = &operation_at(r, index)->labels;
    for (size_t i = 0; i < labels.count; i++) {
        *link = use_make(r, index, labels.items[i]);
        link = &label_use_at(r, *link)->next_of_operation;
    }
}

void labels_state(struct registry *r, uint32_t index, enum state from, enum state to)
{
    for (uint32_t i = operation_at(r, index)->labels; i != 0;
         i = label_use_at(r, i)->next_of_operation) {
        struct label *label = label_at(r, label_use_at(r, i)->label);
        ASSERT(label->states[from] > 0);
        label->states[from]--;
        if (to != STATE_UNSET) {
            label->states[to]++;
        }
        if (is_live(from) && !is_live(to)) {
            bulk_use_passes(r, i);
            chain_remove(OF_LABEL(r), &label->live, i);
        }
    }
}

void labels_free(struct registry *r, uint32_t index)
{
    uint32_t next;
    for (uint32_t i = operation_at(r, index)->labels; i != 0; i = next) {
        next = label_use_at(r, i)->next_of_operation;
        label_give(r, label_use_at(r, i)->label);
        slab_give(&r->label_uses, i);
    }
    operation_at(r, index)->labels = 0;
}

static bool has_label(const struct registry *r, uint32_t index, struct bytes name)
{
    for (uint32_t i = operation_at(r, index)->labels; i != 0;
         i = label_use_at(r, i)->next_of_operation) {
        if (bytes_equal(label_name(r, label_use_at(r, i)->label), name)) {
            return true;
        }
    }
    return false;
}

bool labels_match(const struct registry *r, uint32_t index, struct labels labels)
{
    for (size_t i = 0; i < labels.count; i++) {
        if (!has_label(r, index, labels.items[i])) {
            return false;
        }
    }
    return true;
}

/* ---- invariants ---- */

/* Its chain: adopted ones, then by gen. */
static void check_chain(const struct registry *r, uint32_t index, struct label *sums)
{
    const struct label *label = label_at(r, index);
    chain_check(OF_LABEL(r), &label->live);
    uint64_t last = 0;
    for (uint32_t i = label->live.first; i != 0; i = label_use_at(r, i)->of_label.next) {
        const struct operation *operation = operation_at(r, label_use_at(r, i)->operation);
        ASSERT(label_use_at(r, i)->label == index && is_live((enum state) operation->state));
        ASSERT(is_earlier(r, operation->gen) ? last == 0 : operation->gen > last);
        last = is_earlier(r, operation->gen) ? 0 : operation->gen;
        sums->states[operation->state]++;
    }
}

static void check_label(const struct registry *r, uint32_t index, struct label *total)
{
    const struct label *label = label_at(r, index);
    ASSERT(label_find(r, label->space, label_name(r, index)) == index);
    ASSERT(label->references >= label->live.count + label->states[STATE_ENDED]);
    struct label sums = {0};
    check_chain(r, index, &sums);
    ASSERT(label->states[STATE_LIVE] == sums.states[STATE_LIVE]);
    ASSERT(label->states[STATE_CANCELLING] == sums.states[STATE_CANCELLING]);
    total->references += label->references;
    total->live.count += label->live.count;
    total->states[STATE_ENDED] += label->states[STATE_ENDED];
}

void check_labels(const struct registry *r)
{
    struct label total = {0};
    uint32_t end = slab_end(&r->labels);
    for (uint32_t i = 1; i < end; i++) {
        if (slab_is_live(&r->labels, i)) {
            check_label(r, i, &total);
        }
    }
    uint32_t uses = 0;
    end = slab_end(&r->operations);
    for (uint32_t i = 1; i < end; i++) {
        uint32_t use = slab_is_live(&r->operations, i) ? operation_at(r, i)->labels : 0;
        for (; use != 0; use = label_use_at(r, use)->next_of_operation, uses++) {
            ASSERT(label_use_at(r, use)->operation == i);
        }
    }
    ASSERT(uses == r->label_uses.count);
    ASSERT(total.live.count + total.states[STATE_ENDED] == uses);
    uint32_t bulks = 0;
    end = slab_end(&r->bulks);
    for (uint32_t i = 1; i < end; i++) {
        bulks += slab_is_live(&r->bulks, i) && bulk_at(r, i)->label != 0;
    }
    ASSERT(total.references == uses + bulks);
}
