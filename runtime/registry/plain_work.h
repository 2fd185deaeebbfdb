/* SPDX-License-Identifier: MIT */
/* Inside the registry: what plain.c, plain_promote.c and plain_serve.c do for the other files (plain.h says
 * what plain operations are). state.h includes this. */
#ifndef CANCELD_REGISTRY_PLAIN_WORK_H
#define CANCELD_REGISTRY_PLAIN_WORK_H

#include "registry/state.h"

static inline struct plain *plain_at(const struct registry *r, uint32_t index)
{
    return packed_at(&r->plain, index);
}
/* The record that an id of by_key names, to be prefetched. (A function that did nothing but that would be
 * taken for one without effect, and left out.) */
static inline const void *by_key_record(const struct registry *r, uint32_t id)
{
    return (id & WHOLE_BIT) != 0 ? slab_at(&r->keys, id & ~WHOLE_BIT) : packed_at(&r->plain, id);
}
static inline uint64_t plain_number(const struct plain *plain)
{
    return (uint64_t) plain->number_high << 32 | plain->number_low;
}
static inline enum outcome plain_outcome(const struct plain *plain)
{
    return (enum outcome)(plain->flags >> PLAIN_OUTCOME_SHIFT & 7);
}
static inline bool plain_is_live(const struct plain *plain)
{
    return (plain->flags & PLAIN_ENDED) == 0;
}
/* Live, or the newest of its key that ended. */
static inline bool plain_is_by_key(const struct plain *plain)
{
    return plain_is_live(plain) || (plain->flags & PLAIN_NEWEST) != 0;
}
/* All that a session owns. */
static inline uint32_t session_operations(const struct registry *r, uint32_t session)
{
    return session_at(r, session)->operations.count + session_at(r, session)->plain.count;
}
MUST_CHECK bool plain_init(struct registry *r, uint32_t capacity, uint32_t keys_max);
void plain_fini(struct registry *r);
struct bytes plain_name(const struct registry *r, const struct plain *plain);
uint32_t plain_space(const struct registry *r, const struct plain *plain);
uint64_t plain_ended_ms(const struct registry *r, const struct plain *plain);
uint8_t plain_flags(uint32_t policy, uint32_t on_expiry, uint32_t on_owner_loss);
uint64_t plain_deadline_ms(const struct registry *r, const struct plain *plain); /* 0: no ttl */
uint64_t plain_ttl_left_ms(const struct registry *r, const struct plain *plain);
uint64_t plain_age_ms(const struct registry *r, const struct plain *plain);
struct direct_value plain_value(const struct registry *r, uint32_t index);
struct plain_found plain_find(const struct registry *r, uint32_t space, struct bytes key,
                              uint64_t hash, uint64_t gen);
/* The plain operation of this key and gen, which the key's table may not have; 0: none. */
uint32_t plain_of_gen(const struct registry *r, uint32_t space, struct bytes key, uint64_t gen);
/* The bytes of a key go from its plain records to its whole one; and back, where any plain ones are left
 * when that goes (false: none are, and the name is still the caller's). */
struct kept_bytes plain_take_name(struct registry *r, uint32_t index);
MUST_CHECK bool plain_takes_over(struct registry *r, uint32_t space, uint64_t hash,
                                 struct kept_bytes *name);
/* The next gen, which gen_next() has given, as a plain operation; 0: memory cannot be had. Undone by
 * plain_unmake() before anything else is done; else plain_made() makes it count. */
uint32_t plain_make(struct registry *r, const struct plain_op *store,
                    const struct plain_found *others, uint64_t gen); /* others: of its key */
void plain_unmake(struct registry *r, uint32_t index, uint64_t hash);
void plain_made(struct registry *r, uint32_t index);
void plain_touch(struct registry *r, uint32_t index, uint32_t ttl_ms);
/* The live one of a key with that hash; `older`: the newest of it that ended before. */
void plain_end(struct registry *r, uint32_t index, uint32_t older, uint64_t hash,
               enum outcome outcome);
void plain_forget(struct registry *r, uint32_t index);      /* an ended one, out of the memory */
void plain_fetch(const struct registry *r, uint32_t index); /* what plain_forget() will touch */
void plain_compact(struct registry *r, uint32_t moves_max);
struct operation_info plain_describe(const struct registry *r, uint32_t index);
/* Another gen speaks for the key from now on, instead of this one that had ended last. */
void plain_succeed(struct registry *r, uint32_t older, uint64_t hash);
void plain_disown(struct registry *r, uint32_t index); /* out of its owner's chain and the wheel */
uint32_t plain_promote(struct registry *r, uint32_t index); /* with its key; the whole operation */
/* The whole key of this name, made so where it is plain; 0: it is not there. */
uint32_t plain_promote_key(struct registry *r, uint32_t space, struct bytes name);
/* The operation of a whole key, made whole where it is remembered as a plain one; 0: it is not there. */
uint32_t plain_promote_of(struct registry *r, uint32_t key, uint64_t gen);
void plain_lose_owner(struct registry *r, uint32_t index);
void plain_expire(struct registry *r, uint32_t *budget);
/* What the op will answer; UNSET: it is not for plain operations. Then it is applied, or, where the answer
 * has no room, a STORED one is undone by plain_unmake(). */
enum answer plain_plan(struct registry *r, const struct plain_op *op, struct plain_answer *answer);
void plain_apply(struct registry *r, const struct plain_op *op, enum answer planned,
                 const struct plain_answer *answer);
/* Hashes the keys of the frame's next ops, and has the processor fetch all that they will look at. */
void plain_prefetch(struct request *q, size_t from);
bool plain_serve(struct request *q, const struct op *op); /* false: it is not for plain ones */
size_t plain_bytes(const struct registry *r); /* that the tables of plain operations hold */
void check_plain(const struct registry *r);

#endif
