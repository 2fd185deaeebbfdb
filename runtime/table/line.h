/* SPDX-License-Identifier: MIT */
/* The lines of a line_map's buckets, a cache line each: 12 one-byte tags, 12 ids, and the index of the next
 * line of the bucket, which stands in a struct packed. The first line of a bucket is its head. A head
 * with lines behind it is full, and so is each of those but the first: so an id is added, and the gap of
 * one that went is filled, without a walk. */
#ifndef CANCELD_TABLE_LINE_H
#define CANCELD_TABLE_LINE_H

#include "table/packed.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* How tags are compared: by SSE2, which every x86-64 has, or by the arithmetic of two words. Both are exact
 * and give the same; LINE_MATCH_SCALAR says the second. */
#if defined(__SSE2__) && !defined(LINE_MATCH_SCALAR)
#define LINE_MATCH_SSE2 1
#include <emmintrin.h>
#else
#define LINE_MATCH_SSE2 0
#endif

#define LINE_SLOTS 12

struct line {
    uint8_t tags[LINE_SLOTS];
    uint32_t ids[LINE_SLOTS]; /* 0: free; the taken ones stand in front */
    uint32_t tail;            /* index of the next line << 4 (0: none) | slots taken */
};

static inline uint32_t line_taken(const struct line *line)
{
    return line->tail & 15;
}

/* The index of the next line, 0 for none. */
static inline uint32_t line_overflow(const struct line *line)
{
    return line->tail >> 4;
}

static inline void line_set_overflow(struct line *line, uint32_t overflow)
{
    line->tail = overflow << 4 | line_taken(line);
}

/* The next line, NULL for none. */
static inline struct line *line_behind(const struct packed *overflows, const struct line *line)
{
    uint32_t overflow = line_overflow(line);
    return overflow == 0 ? NULL : packed_at(overflows, overflow);
}

/* A bit for each byte of `tags` that is `tag`, the lowest for the byte that stands first in memory.
 * Exact: no carry goes from one byte to the next. */
static inline uint32_t line_match_word(uint64_t tags, uint8_t tag)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t differ = tags ^ (tag * UINT64_C(0x0101010101010101));
    uint64_t equal = ~(((differ & low) + low) | differ | low);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    equal = __builtin_bswap64(equal);
#endif
    return (uint32_t) (((equal >> 7) * UINT64_C(0x0102040810204080)) >> 56);
}

/* A bit for each slot whose byte it is, taken or not. */
static inline uint32_t line_match_words(const struct line *line, uint8_t tag)
{
    uint64_t words[2];
    memcpy(&words[0], line->tags, sizeof words[0]);
    memcpy(&words[1], line->tags + LINE_SLOTS - sizeof words[1], sizeof words[1]);
    return line_match_word(words[0], tag) | (line_match_word(words[1], tag) << 4);
}

#if LINE_MATCH_SSE2
/* The same, with four bits more, of the first id. */
static inline uint32_t line_match_sse2(const struct line *line, uint8_t tag)
{
    __m128i tags = _mm_loadu_si128((const __m128i *) (const void *) line);
    __m128i equal = _mm_cmpeq_epi8(tags, _mm_set1_epi8((char) tag));
    return (uint32_t) _mm_movemask_epi8(equal);
}
#endif

/* A bit for each taken slot whose tag it is. */
static inline uint32_t line_match(const struct line *line, uint8_t tag)
{
#if LINE_MATCH_SSE2
    uint32_t matches = line_match_sse2(line, tag);
#else
    uint32_t matches = line_match_words(line, tag);
#endif
    return matches & ((UINT32_C(1) << line_taken(line)) - 1);
}

/* Appends to a line that has a free slot. */
static inline void line_put(struct line *line, uint8_t tag, uint32_t id)
{
    uint32_t slot = line_taken(line);
    line->tags[slot] = tag;
    line->ids[slot] = id;
    line->tail++;
}

/* The bucket's line that has a free slot; where there is none, a new one behind the head: of the stash, else
 * of `overflows`. NULL: no memory. A stash is lines put aside, linked like a bucket; 0 is an empty one. */
MUST_CHECK struct line *line_with_room(struct packed *overflows, struct line *head,
                                       uint32_t *stash);
void line_stash(struct packed *overflows, uint32_t index, uint32_t *stash);
void line_stash_give(struct packed *overflows, uint32_t stash);

/* Takes an id out of one of the bucket's lines. */
void line_drop(struct packed *overflows, struct line *head, struct line *line, uint32_t slot);

/* How many lines the bucket has. */
uint32_t line_count(const struct packed *overflows, const struct line *head);

#endif
