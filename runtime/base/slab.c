/* SPDX-License-Identifier: MIT */
/* A chunk's free records form a list through their own first word; records that were never taken
 * lie above `fresh` and are not on the list, so a new chunk costs nothing until it is used. A live
 * bit for each record would cost a line more a look-up; slab_is_live() uses a bitmap beside the
 * chunk instead, written on take and give alone. */
#include "base/slab.h"

#include <string.h>

#define SLAB_CHUNK_BYTES_MIN ((uint32_t) 65536)
#define SLAB_CHUNK_RECORDS_MAX ((uint32_t) 4096)

struct slab_chunk {
    uint32_t live;       /* records taken */
    uint32_t fresh;      /* records ever taken since the chunk got its memory */
    uint32_t free_first; /* 1 + record number in the chunk, 0 for none */
    uint32_t unused;
    uint64_t live_bits[SLAB_CHUNK_RECORDS_MAX / 64];
};

static struct slab_chunk *chunk_at(const struct slab *slab, uint32_t number)
{
    return (struct slab_chunk *) slab->chunks.base + number;
}

static void *record_at(const struct slab *slab, uint32_t chunk, uint32_t record)
{
    return slab_at(slab, chunk * slab->chunk_records + record);
}

static uint64_t *open_word(const struct slab *slab, uint32_t chunk)
{
    return (uint64_t *) slab->open.base + chunk / 64;
}

static uint64_t chunk_bit(uint32_t chunk)
{
    return UINT64_C(1) << (chunk % 64);
}

bool slab_init(struct slab *slab, size_t record_bytes, uint32_t capacity)
{
    *slab = (struct slab){0};
    ASSERT(record_bytes > 0 && record_bytes <= 4 * SLAB_CHUNK_BYTES_MIN);
    slab->record_bytes = (uint32_t) ((record_bytes + 7) & ~(size_t) 7);
    slab->chunk_bytes = slab->record_bytes > SLAB_CHUNK_BYTES_MIN / 4 ? 4 * SLAB_CHUNK_BYTES_MIN
                                                                      : SLAB_CHUNK_BYTES_MIN;
    while ((UINT32_C(2) << slab->chunk_shift) * slab->record_bytes <= slab->chunk_bytes &&
           (UINT32_C(2) << slab->chunk_shift) <= SLAB_CHUNK_RECORDS_MAX) {
        slab->chunk_shift++;
    }
    slab->chunk_records = UINT32_C(1) << slab->chunk_shift;
    slab->capacity = capacity;
    /* One record more, for index 0 is none. */
    slab->chunks_count = capacity / slab->chunk_records + 1;
    if (!region_init(&slab->records, (size_t) slab->chunks_count * slab->chunk_bytes)) {
        return false;
    }
    if (!region_init(&slab->chunks, (size_t) slab->chunks_count * sizeof(struct slab_chunk))) {
        region_fini(&slab->records);
        return false;
    }
    size_t words = (slab->chunks_count + 63) / 64;
    if (!region_init(&slab->open, words * sizeof(uint64_t))) {
        slab_fini(slab);
        return false;
    }
    for (uint32_t number = 0; number < slab->chunks_count; number++) {
        *open_word(slab, number) |= chunk_bit(number);
    }
    chunk_at(slab, 0)->fresh = 1;
    return true;
}

void slab_fini(struct slab *slab)
{
    region_fini(&slab->records);
    region_fini(&slab->chunks);
    region_fini(&slab->open);
    *slab = (struct slab){0};
}

static bool chunk_has_room(const struct slab *slab, uint32_t number)
{
    const struct slab_chunk *chunk = chunk_at(slab, number);
    return chunk->free_first != 0 || chunk->fresh < slab->chunk_records;
}

/* The lowest chunk with room. There is one: the capacity was looked at. */
static uint32_t chunk_open(struct slab *slab)
{
    const uint64_t *words = slab->open.base;
    while (words[slab->open_hint] == 0) {
        slab->open_hint++;
        ASSERT(slab->open_hint * 64 < slab->chunks_count);
    }
    return slab->open_hint * 64 + (uint32_t) __builtin_ctzll(words[slab->open_hint]);
}

uint32_t slab_take(struct slab *slab)
{
    if (slab->count == slab->capacity) {
        return 0;
    }
    uint32_t number = chunk_open(slab);
    slab->chunks_touched = number < slab->chunks_touched ? slab->chunks_touched : number + 1;
    struct slab_chunk *chunk = chunk_at(slab, number);
    uint32_t record;
    if (chunk->free_first != 0) {
        record = chunk->free_first - 1;
        memcpy(&chunk->free_first, record_at(slab, number, record), sizeof chunk->free_first);
    } else {
        record = chunk->fresh++;
    }
    if (slab->spare == number + 1) {
        slab->spare = 0;
    }
    if (!chunk_has_room(slab, number)) {
        *open_word(slab, number) &= ~chunk_bit(number);
    }
    chunk->live++;
    chunk->live_bits[record / 64] |= UINT64_C(1) << (record % 64);
    slab->count++;
    memset(record_at(slab, number, record), 0, slab->record_bytes);
    return number * slab->chunk_records + record;
}

/* The chunk has no live record: it starts over, without its memory unless it becomes the spare. */
static void chunk_empty(struct slab *slab, uint32_t number)
{
    struct slab_chunk *chunk = chunk_at(slab, number);
    chunk->free_first = 0;
    chunk->fresh = number == 0 ? 1 : 0;
    if (slab->spare == 0) {
        slab->spare = number + 1;
        return;
    }
    region_hand_back(&slab->records, (size_t) number * slab->chunk_bytes, slab->chunk_bytes);
}

void slab_give(struct slab *slab, uint32_t index)
{
    ASSERT(slab_is_live(slab, index));
    uint32_t number = index >> slab->chunk_shift;
    uint32_t record = index & (slab->chunk_records - 1);
    struct slab_chunk *chunk = chunk_at(slab, number);
    memcpy(record_at(slab, number, record), &chunk->free_first, sizeof chunk->free_first);
    chunk->free_first = record + 1;
    chunk->live_bits[record / 64] &= ~(UINT64_C(1) << (record % 64));
    chunk->live--;
    slab->count--;
    *open_word(slab, number) |= chunk_bit(number);
    if (number / 64 < slab->open_hint) {
        slab->open_hint = number / 64;
    }
    if (chunk->live == 0) {
        chunk_empty(slab, number);
    }
}

uint32_t slab_end(const struct slab *slab)
{
    for (uint32_t number = slab->chunks_touched; number > 0; number--) {
        if (chunk_at(slab, number - 1)->live > 0) {
            return (number - 1) * slab->chunk_records + chunk_at(slab, number - 1)->fresh;
        }
    }
    return 1;
}

bool slab_is_live(const struct slab *slab, uint32_t index)
{
    uint32_t number = index >> slab->chunk_shift;
    uint32_t record = index & (slab->chunk_records - 1);
    return index != 0 && number < slab->chunks_count &&
           (chunk_at(slab, number)->live_bits[record / 64] >> (record % 64) & 1) != 0;
}

size_t slab_bytes(const struct slab *slab)
{
    size_t bytes = 0;
    for (uint32_t number = 0; number < slab->chunks_touched; number++) {
        if (chunk_at(slab, number)->live > 0 || slab->spare == number + 1) {
            bytes += slab->chunk_bytes;
        }
    }
    return bytes;
}

void slab_check(const struct slab *slab)
{
    uint32_t live = 0;
    for (uint32_t number = 0; number < slab->chunks_touched; number++) {
        const struct slab_chunk *chunk = chunk_at(slab, number);
        uint32_t free_count = 0;
        for (uint32_t next = chunk->free_first; next != 0; free_count++) {
            ASSERT(next <= chunk->fresh && free_count < chunk->fresh);
            ASSERT(!slab_is_live(slab, number * slab->chunk_records + next - 1));
            memcpy(&next, record_at(slab, number, next - 1), sizeof next);
        }
        ASSERT(chunk->live + free_count + (number == 0) == chunk->fresh || chunk->live == 0);
        bool open = (*open_word(slab, number) & chunk_bit(number)) != 0;
        ASSERT(open == chunk_has_room(slab, number));
        ASSERT(!open || number / 64 >= slab->open_hint);
        live += chunk->live;
    }
    ASSERT(live == slab->count && live <= slab->capacity);
}
