/* SPDX-License-Identifier: MIT */
/* The invariants of plain operations (plain.h). */
#include "registry/state.h"

static void check_record(const struct registry *r, uint32_t index)
{
    const struct plain *plain = plain_at(r, index);
    struct bytes key = plain_name(r, plain);
    uint32_t space = plain_space(r, plain);
    bool live = plain_is_live(plain);
    ASSERT(key.size > 0 && key.size <= KEY_BYTES_MAX);
    ASSERT(radix_tree_get(&r->by_number, plain_number(plain)) == (index | PLAIN_BIT));
    ASSERT(r->gen_first + plain_number(plain) <= r->gen_newest);
    ASSERT(live ? slab_is_live(&r->sessions, plain->holder)
                : slab_is_live(&r->spaces, plain->holder));
    ASSERT(live == (plain_outcome(plain) == OUTCOME_UNSET));
    uint64_t gen = r->gen_first + plain_number(plain);
    struct plain_found found = plain_find(r, space, key, key_hash(r, space, key), gen);
    if (!plain_is_by_key(plain)) { /* one that ended later speaks for the key */
        uint64_t whole = found.whole == 0 ? 0 : key_highest_gen(r, found.whole);
        ASSERT(whole > gen || plain_number(plain_at(r, found.ended)) > plain_number(plain));
        return;
    }
    ASSERT(found.wanted == index);
    ASSERT(found.whole == 0 || key_highest_gen(r, found.whole) < gen);
    ASSERT(!live || found.whole == 0 || key_takes_plain(r, found.whole));
    ASSERT((live ? found.live : found.ended) == index);
    ASSERT(found.live == 0 || found.ended == 0 ||
           plain_number(plain_at(r, found.live)) > plain_number(plain_at(r, found.ended)));
}

static uint32_t check_owned(const struct registry *r, uint32_t session)
{
    const struct chain_ends *ends = &session_at(r, session)->plain;
    uint32_t count = 0;
    uint32_t previous = 0;
    for (uint32_t i = ends->first; i != 0; i = plain_at(r, i)->of_owner.next) {
        const struct plain *plain = plain_at(r, i);
        ASSERT(plain_is_live(plain) && plain->holder == session);
        ASSERT(plain->of_owner.previous == previous);
        ASSERT(previous == 0 || plain_number(plain_at(r, previous)) < plain_number(plain));
        previous = i;
        count++;
    }
    ASSERT(ends->last == previous && ends->count == count);
    return count;
}

static void check_spaces(const struct registry *r)
{
    for (uint32_t i = 1; i < slab_end(&r->spaces); i++) {
        uint32_t count = 0;
        uint32_t session = slab_is_live(&r->spaces, i) ? space_at(r, i)->sessions.first : 0;
        for (; session != 0; session = session_at(r, session)->of_space.next) {
            ASSERT(session_at(r, session)->space == i);
            count += check_owned(r, session);
        }
        ASSERT(!slab_is_live(&r->spaces, i) || space_at(r, i)->plain == count);
    }
}

void check_plain(const struct registry *r)
{
    packed_check(&r->plain);
    line_map_check(&r->by_key);
    radix_tree_check(&r->by_number);
    if (r->plain_timers.count >
        0) { /* it has many slots, and this is asked after each step of a test */
        wheel_check(&r->plain_timers);
    }
    ASSERT(r->by_number.count == r->plain.count + r->operations.count - r->adopted_count);
    uint32_t set = 0;
    uint32_t by_key = r->keys.count;
    for (uint32_t i = 1; i < r->plain.end; i++) {
        if (packed_is_live(&r->plain, i)) {
            const struct plain *plain = plain_at(r, i);
            check_record(r, i);
            by_key += plain_is_by_key(plain);
            set += plain_is_live(plain) && wheel_is_set(&plain->timer);
        }
    }
    ASSERT(set == r->plain_timers.count);
    ASSERT(by_key == r->by_key.count);
    check_spaces(r);
}
