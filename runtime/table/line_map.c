/* SPDX-License-Identifier: MIT */
/* How full. A bucket is split where there are more than 8.5 ids a bucket. Linear hashing splits bucket
 * after bucket, so those not split yet carry up to twice what the others do, and some overflow: at 8.5
 * the index takes 8.2 to 8.9 bytes an id, overflow lines included, and a look-up that finds nothing
 * reads 1.06 to 1.27 lines, as the cycle goes. (Larson's partial expansions would make that 8.2 to 8.5
 * bytes and 1.15 lines at worst, and every split ask for twice to three times as many hashes.) Two are
 * merged where there are fewer than 6.5: between the two, a load that comes and goes moves nothing.
 *
 * What a call may cost. An insert splits one bucket at most and a remove merges two at most. A split
 * asks the hash of each id of its bucket, which is a record that the caller has to read; which bucket is
 * next, and when, is known, so its line is fetched two inserts before, and its records one before.
 * A merge asks none, for all of one bucket go to the other.
 *
 * What may fail. A split and a merge reuse the lines of what they take apart: of n lines with full
 * ones behind the first, two buckets never need more overflow lines than were there. A merge may need
 * one more, and is left undone where that cannot be had; so is a split without memory for its bucket:
 * the table stays denser, which is no error. */
#include "table/line_map.h"

#define BUCKETS_MIN UINT32_C(64)
/* Ids for two buckets. */
#define SPLIT_LOAD UINT64_C(17)
#define MERGE_LOAD UINT64_C(13)
/* After a split or a merge that could not be had, so many inserts or removes pass before the next try. */
#define RETRY_AFTER UINT32_C(64)
/* Overflow lines that one remove may move. */
#define LINES_MOVED_MAX 2
/* Overflow lines that an insert takes at most: of a split its two buckets, and its own. */
#define LINES_OF_INSERT 8
#define CHUNK_BYTES_MAX ((size_t) 1048576)

static struct line *head_at(const struct line_map *map, uint32_t bucket)
{
    return (struct line *) map->lines.base + bucket;
}

static struct line *behind(const struct line_map *map, const struct line *line)
{
    return line_behind(&map->overflows, line);
}

static uint32_t bucket_of(const struct line_map *map, uint64_t hash)
{
    uint32_t bucket = (uint32_t) hash & (2 * map->base - 1);
    return bucket < map->buckets_count ? bucket : bucket - map->base;
}

static uint8_t tag_of(uint64_t hash)
{
    return (uint8_t) (hash >> 56);
}

/* ---- memory ---- */

/* How much may be committed for nothing where so many bytes are used. */
static size_t chunk_bytes(size_t used)
{
    size_t bytes = (used / 16 + REGION_GRAIN) & ~(REGION_GRAIN - 1);
    return bytes < CHUNK_BYTES_MAX ? bytes : CHUNK_BYTES_MAX;
}

static bool have_lines(struct line_map *map, uint32_t lines)
{
    size_t used = (size_t) lines * sizeof(struct line);
    if (used <= map->committed) {
        return true;
    }
    size_t bytes = chunk_bytes(used);
    if (bytes > map->lines.size - map->committed) {
        bytes = map->lines.size - map->committed;
    }
    if (!region_commit(&map->lines, map->committed, bytes)) {
        bytes = REGION_GRAIN;
        if (!region_commit(&map->lines, map->committed, bytes)) {
            return false;
        }
    }
    map->committed += bytes;
    return true;
}

/* Hands back what is above the last bucket but for a chunk, which a load that breathes around a
 * boundary would pay for each time. */
static void trim_lines(struct line_map *map)
{
    size_t used = (size_t) map->buckets_count * sizeof(struct line);
    size_t chunk = chunk_bytes(used);
    if (map->committed < used + 2 * chunk) {
        return;
    }
    size_t kept = (used + chunk + REGION_GRAIN - 1) & ~(REGION_GRAIN - 1);
    size_t bytes = map->committed - kept;
    map->committed = kept;
    region_decommit(&map->lines, kept, bytes);
}

/* ---- growing and shrinking ---- */

static void note_lines(struct line_map *map, const struct line *head)
{
    uint32_t lines = line_count(&map->overflows, head);
    if (lines > map->lines_most) {
        map->lines_most = lines;
    }
}

static void note_moves(struct line_map *map, uint32_t moves)
{
    if (moves > map->moves_most) {
        map->moves_most = moves;
    }
}

static void set_thresholds(struct line_map *map)
{
    uint64_t split_at = map->buckets_count * SPLIT_LOAD / 2;
    uint64_t merge_at = map->buckets_count * MERGE_LOAD / 2;
    map->split_at = split_at < map->capacity ? (uint32_t) split_at : map->capacity;
    map->merge_at = map->buckets_count > BUCKETS_MIN ? (uint32_t) merge_at : 0;
}

static void prefetch_records(const struct line_map *map, const struct line *line)
{
    uint32_t taken = map->prefetch == NULL ? 0 : line_taken(line);
    for (uint32_t slot = 0; slot < taken; slot++) {
        map->prefetch(map->context, line->ids[slot]);
    }
}

/* A split is near: has fetched what it will read. */
static void prefetch_split(const struct line_map *map)
{
    const struct line *head = head_at(map, map->split);
    if (map->count < map->split_at) {
        __builtin_prefetch(head);
        return;
    }
    prefetch_records(map, head);
    const struct line *overflow = behind(map, head);
    if (overflow != NULL) {
        __builtin_prefetch(overflow);
    }
}

/* Shares out what stood in a line. Lines are not missing; see the note at the head. */
static void share_out(struct line_map *map, const struct line *part, struct line *const targets[2],
                      uint32_t *stash)
{
    uint32_t taken = line_taken(part);
    prefetch_records(map, part);
    for (uint32_t slot = 0; slot < taken; slot++) {
        uint64_t hash = map->hash_of(map->context, part->ids[slot]);
        struct line *target = targets[(hash & map->base) != 0];
        struct line *line = line_with_room(&map->overflows, target, stash);
        ASSERT(line != NULL);
        line_put(line, part->tags[slot], part->ids[slot]);
    }
}

static void split_bucket(struct line_map *map)
{
    if (!have_lines(map, map->buckets_count + 1)) {
        map->split_at = map->count + RETRY_AFTER;
        return;
    }
    struct line *targets[2] = {head_at(map, map->split), head_at(map, map->buckets_count)};
    struct line part = *targets[0];
    *targets[0] = (struct line){0};
    *targets[1] = (struct line){0};
    uint32_t stash = 0;
    uint32_t moves = line_taken(&part);
    share_out(map, &part, targets, &stash);
    for (uint32_t index = line_overflow(&part); index != 0; index = line_overflow(&part)) {
        part = *(const struct line *) packed_at(&map->overflows, index);
        line_stash(&map->overflows, index, &stash);
        moves += line_taken(&part);
        share_out(map, &part, targets, &stash);
    }
    line_stash_give(&map->overflows, stash);
    note_moves(map, moves);
    map->buckets_count++;
    map->splits++;
    if (++map->split == map->base) {
        map->base *= 2;
        map->split = 0;
    }
    set_thresholds(map);
}

static void join(struct line_map *map, struct line *head, const struct line *part, uint32_t *stash)
{
    uint32_t taken = line_taken(part);
    for (uint32_t slot = 0; slot < taken; slot++) {
        struct line *line = line_with_room(&map->overflows, head, stash);
        ASSERT(line != NULL);
        line_put(line, part->tags[slot], part->ids[slot]);
    }
}

static void merge_buckets(struct line_map *map)
{
    uint32_t base = map->split == 0 ? map->base / 2 : map->base;
    uint32_t last = map->buckets_count - 1;
    struct line part = *head_at(map, last);
    struct line *head = head_at(map, last - base);
    uint32_t stash = 0;
    if (line_taken(&part) + line_taken(head) > LINE_SLOTS) {
        stash = packed_take(&map->overflows);
        if (stash == 0) {
            map->merge_at -= map->merge_at < RETRY_AFTER ? map->merge_at : RETRY_AFTER;
            return;
        }
    }
    join(map, head, &part, &stash);
    for (uint32_t index = line_overflow(&part); index != 0; index = line_overflow(&part)) {
        part = *(const struct line *) packed_at(&map->overflows, index);
        line_stash(&map->overflows, index, &stash);
        join(map, head, &part, &stash);
    }
    line_stash_give(&map->overflows, stash);
    note_lines(map, head);
    map->base = base;
    map->split = last - base;
    map->buckets_count = last;
    map->merges++;
    set_thresholds(map);
    trim_lines(map);
}

/* An overflow line moves; the line before it, in the bucket of any of its ids, has to follow. */
static void move_overflow(struct line_map *map, uint32_t from, uint32_t to)
{
    const struct line *line = packed_at(&map->overflows, from);
    uint64_t hash = map->hash_of(map->context, line->ids[0]);
    struct line *before = head_at(map, bucket_of(map, hash));
    while (line_overflow(before) != from) {
        before = behind(map, before);
        ASSERT(before != NULL);
    }
    packed_move(&map->overflows, from, to);
    line_set_overflow(before, to);
}

static void compact(struct line_map *map)
{
    uint32_t from;
    uint32_t to;
    uint32_t moves = 0;
    while (moves < LINES_MOVED_MAX && packed_next_move(&map->overflows, &from, &to)) {
        move_overflow(map, from, to);
        moves++;
    }
    note_moves(map, moves);
}

/* ---- the interface ---- */

bool line_map_init(struct line_map *map, uint32_t capacity,
                   uint64_t (*hash_of)(const void *context, uint32_t id),
                   void (*prefetch)(const void *context, uint32_t id), const void *context)
{
    *map = (struct line_map){.hash_of = hash_of,
                             .prefetch = prefetch,
                             .context = context,
                             .capacity = capacity,
                             .base = BUCKETS_MIN,
                             .buckets_count = BUCKETS_MIN,
                             .lines_most = 1};
    ASSERT(capacity <= UINT32_C(1) << 31);
    /* A bucket more than the load asks for; twelve ids an overflow line at least, and one for a merge. */
    uint64_t buckets = capacity * UINT64_C(2) / SPLIT_LOAD + 2;
    if (buckets < BUCKETS_MIN) {
        buckets = BUCKETS_MIN;
    }
    uint32_t overflows = capacity / LINE_SLOTS + 1;
    if (region_reserve(&map->lines, (size_t) buckets * sizeof(struct line)) &&
        packed_init(&map->overflows, sizeof(struct line), overflows) &&
        have_lines(map, BUCKETS_MIN)) {
        set_thresholds(map);
        return true;
    }
    line_map_fini(map);
    return false;
}

void line_map_fini(struct line_map *map)
{
    region_fini(&map->lines);
    packed_fini(&map->overflows);
    *map = (struct line_map){0};
}

bool line_map_reserve(struct line_map *map)
{
    return map->count < map->capacity && packed_reserve(&map->overflows, LINES_OF_INSERT);
}

bool line_map_insert(struct line_map *map, uint64_t hash, uint32_t id)
{
    ASSERT(id != 0);
    if (map->count == map->capacity) {
        return false;
    }
    if (map->count >= map->split_at) {
        split_bucket(map);
    }
    struct line *head = head_at(map, bucket_of(map, hash));
    uint32_t overflow = line_overflow(head);
    uint32_t stash = 0;
    struct line *line = line_with_room(&map->overflows, head, &stash);
    if (line == NULL) {
        return false;
    }
    line_put(line, tag_of(hash), id);
    if (line_overflow(head) != overflow) {
        note_lines(map, head);
    }
    map->count++;
    if (map->split_at - map->count <= 1) {
        prefetch_split(map);
    }
    return true;
}

/* The line and the slot of an id that is in the map. */
static struct line *find(const struct line_map *map, uint64_t hash, uint32_t id, uint32_t *slot_out)
{
    struct line *line = head_at(map, bucket_of(map, hash));
    while (true) {
        uint32_t matches = line_match(line, tag_of(hash));
        for (; matches != 0; matches &= matches - 1) {
            uint32_t slot = (uint32_t) __builtin_ctz(matches);
            if (line->ids[slot] == id) {
                *slot_out = slot;
                return line;
            }
        }
        line = behind(map, line);
        ASSERT(line != NULL);
    }
}

void line_map_remove(struct line_map *map, uint64_t hash, uint32_t id)
{
    uint32_t slot;
    struct line *line = find(map, hash, id, &slot);
    line_drop(&map->overflows, head_at(map, bucket_of(map, hash)), line, slot);
    map->count--;
    if (map->count < map->merge_at) {
        merge_buckets(map);
    }
    compact(map);
}

void line_map_rename(struct line_map *map, uint64_t hash, uint32_t from, uint32_t to)
{
    ASSERT(to != 0);
    uint32_t slot;
    struct line *line = find(map, hash, from, &slot);
    line->ids[slot] = to;
}

static uint32_t next_match(struct line_walk *walk)
{
    uint32_t slot = (uint32_t) __builtin_ctz(walk->matches);
    walk->matches &= walk->matches - 1;
    return walk->line->ids[slot];
}

uint32_t line_map_first(const struct line_map *map, uint64_t hash, struct line_walk *walk)
{
    const struct line *head = head_at(map, bucket_of(map, hash));
    uint8_t tag = tag_of(hash);
    *walk = (struct line_walk){map, head, line_match(head, tag), tag};
    return line_map_next(walk);
}

uint32_t line_map_next(struct line_walk *walk)
{
    while (walk->matches == 0) {
        const struct line *line = behind(walk->map, walk->line);
        if (line == NULL) {
            return 0;
        }
        walk->line = line;
        walk->matches = line_match(line, walk->tag);
    }
    return next_match(walk);
}

void line_map_prefetch(const struct line_map *map, uint64_t hash)
{
    __builtin_prefetch(head_at(map, bucket_of(map, hash)));
}

size_t line_map_bytes(const struct line_map *map)
{
    return map->committed + packed_bytes(&map->overflows);
}

/* ---- the check ---- */

/* The id is of this bucket, under its tag, and stands nowhere behind this place. */
static void check_id(const struct line_map *map, const struct line *line, uint32_t slot,
                     uint32_t bucket)
{
    uint32_t id = line->ids[slot];
    uint64_t hash = map->hash_of(map->context, id);
    ASSERT(id != 0);
    ASSERT(bucket_of(map, hash) == bucket && line->tags[slot] == tag_of(hash));
    uint32_t next = slot + 1;
    for (; line != NULL; line = behind(map, line)) {
        for (; next < line_taken(line); next++) {
            ASSERT(line->ids[next] != id);
        }
        next = 0;
    }
}

/* Gives the ids of the bucket, and adds its overflow lines. */
static uint32_t check_bucket(const struct line_map *map, uint32_t bucket, uint32_t *lines)
{
    const struct line *head = head_at(map, bucket);
    const struct line *first = behind(map, head);
    uint32_t count = 0;
    for (const struct line *line = head; line != NULL; line = behind(map, line)) {
        uint32_t taken = line_taken(line);
        ASSERT(taken <= LINE_SLOTS && (line == head || taken > 0));
        ASSERT(taken == LINE_SLOTS || line == first || (line == head && first == NULL));
        ASSERT(line_overflow(line) == 0 || packed_is_live(&map->overflows, line_overflow(line)));
        for (uint32_t slot = 0; slot < taken; slot++) {
            check_id(map, line, slot, bucket);
        }
        for (uint32_t slot = taken; slot < LINE_SLOTS; slot++) {
            ASSERT(line->ids[slot] == 0);
        }
        count += taken;
        *lines += line != head;
    }
    return count;
}

void line_map_check(const struct line_map *map)
{
    uint32_t count = 0;
    uint32_t lines = 0;
    ASSERT((map->base & (map->base - 1)) == 0 && map->base >= BUCKETS_MIN);
    ASSERT(map->split < map->base && map->buckets_count == map->base + map->split);
    ASSERT((size_t) map->buckets_count * sizeof(struct line) <= map->committed);
    for (uint32_t bucket = 0; bucket < map->buckets_count; bucket++) {
        count += check_bucket(map, bucket, &lines);
    }
    ASSERT(count == map->count && count <= map->capacity);
    ASSERT(lines == map->overflows.count);
    ASSERT(map->splits - map->merges == map->buckets_count - BUCKETS_MIN);
    packed_check(&map->overflows);
}
