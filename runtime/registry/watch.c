/* SPDX-License-Identifier: MIT */
/* Watch: what happens in a namespace, event by event.
 *
 * Every event of every namespace goes into one ring of bytes, the oldest dropped for the newest, and
 * has a revision, which is its number among all of them. (Until the first watch events are only
 * counted.) A watcher brings the revision that it has
 * come to. Where the events behind it are still there it is given those of its namespace; else it
 * is told so, by a snapshot of the operations that are live, in pages, and the revision to go on
 * from. So it may be slow, or never read at all: what is kept for it is the same.
 *
 * A watcher that has seen everything is parked at its namespace, which knows the revision of its
 * last event: nothing is looked through as long as there is no news. The first event that comes
 * puts the namespace on registry.watched, and its watchers are answered in steps. All of them have
 * seen what came before that event (watch_news), however long ago they were parked.
 *
 * An event lies in one piece, so that it can be lent to the port: where the end of the ring is too
 * near, the rest is left out (an entry of size 0). It says the name of its namespace, whose record
 * may be gone when it is read. */
#include "registry/state.h"

#include <stdalign.h>

#define OF_SPACE(r) CHAIN(r, parked, parked, of_space)
#define OF_WATCHED(r) CHAIN(r, spaces, space, of_watched)

/* Bytes of a reply that an event takes on top of its texts, at most; and those around them all. */
#define EVENT_BYTES_EXTRA 64
#define ANSWER_BYTES_EXTRA 64

/* Where so much of the ring is free, the bound on the number of events is what it is held to. */
#define HEAD_BYTES_AHEAD (8 * REGION_GRAIN)

/* So many events looked at are one step. */
#define LOOKS_OF_STEP 64

/* In the ring, followed by the five texts. */
struct entry {
    uint32_t
        bytes; /* with the texts, a multiple of its alignment; 0: the rest of the ring is empty */
    uint16_t sizes[5];
    uint8_t state;
    uint8_t outcome;
    uint8_t cause;
    uint64_t revision;
    uint64_t gen;
};

enum text { TEXT_SPACE, TEXT_KEY, TEXT_CAUSE, TEXT_ACTOR, TEXT_PEER };

#define ENTRY_BYTES_MAX                                                                            \
    (sizeof(struct entry) + NAMESPACE_BYTES_MAX + KEY_BYTES_MAX + CAUSE_TEXT_BYTES_MAX +           \
     CAUSE_ACTOR_BYTES_MAX + CAUSE_PEER_BYTES_MAX + alignof(struct entry))

/* ---- the ring ---- */

bool watch_init(struct registry *r)
{
    struct watch_ring *ring = &r->watch;
    ring->size = r->limits.watch_bytes / alignof(struct entry) * alignof(struct entry);
    ASSERT(ring->size > 2 * ENTRY_BYTES_MAX);
    ring->newest = 1;
    ring->oldest = 2; /* the next one */
    return region_init(&ring->bytes, (size_t) ring->size) &&
           region_init(&ring->places, (size_t) r->limits.watch_events * sizeof(uint64_t));
}

void watch_fini(struct registry *r)
{
    region_fini(&r->watch.bytes);
    region_fini(&r->watch.places);
}

static struct entry *entry_at(const struct watch_ring *ring, uint64_t offset)
{
    return (struct entry *) (void *) ((uint8_t *) ring->bytes.base + offset % ring->size);
}

static uint64_t *place_of(const struct registry *r, uint64_t revision)
{
    return (uint64_t *) r->watch.places.base + revision % r->limits.watch_events;
}

static const struct entry *entry_of(const struct registry *r, uint64_t revision)
{
    return entry_at(&r->watch, *place_of(r, revision));
}

static uint64_t count_kept(const struct watch_ring *ring)
{
    return ring->newest + 1 - ring->oldest;
}

static struct bytes text_of(const struct entry *entry, enum text which)
{
    const uint8_t *at = (const uint8_t *) (entry + 1);
    for (unsigned i = 0; i < which; i++) {
        at += entry->sizes[i];
    }
    return bytes_of(at, entry->sizes[which]);
}

/* Gives back the memory that the tail has left, where the head is not about to come to it. */
static void hand_back(struct watch_ring *ring, uint64_t left)
{
    uint64_t grain = left % ring->size / REGION_GRAIN;
    uint64_t free = ring->size - (ring->head - ring->tail);
    if (grain != ring->tail % ring->size / REGION_GRAIN &&
        grain != ring->head % ring->size / REGION_GRAIN && free > HEAD_BYTES_AHEAD) {
        region_hand_back(&ring->bytes, (size_t) grain * REGION_GRAIN, REGION_GRAIN);
    }
}

static void drop_oldest(struct watch_ring *ring)
{
    uint64_t left = ring->tail;
    uint32_t bytes = entry_at(ring, left)->bytes;
    ring->tail += bytes != 0 ? bytes : ring->size - left % ring->size;
    ring->oldest += bytes != 0;
    hand_back(ring, left);
}

/* Room for one more of `bytes`, in one piece, at the head. */
static struct entry *make_room(struct registry *r, uint32_t bytes)
{
    struct watch_ring *ring = &r->watch;
    uint64_t rest = ring->size - ring->head % ring->size;
    uint64_t skipped = rest < bytes ? rest : 0;
    while (ring->head + skipped + bytes - ring->tail > ring->size) {
        drop_oldest(ring);
    }
    while (count_kept(ring) == r->limits.watch_events) {
        drop_oldest(ring);
    }
    if (skipped > 0) {
        entry_at(ring, ring->head)->bytes = 0;
        ring->head += skipped;
    }
    return entry_at(ring, ring->head);
}

/* What has become of an operation. */
struct change {
    uint32_t space;
    struct bytes key;
    uint64_t gen;
    enum state state;
    enum outcome outcome;
    struct cause cause;
};

static void write_event(struct registry *r, const struct change *change)
{
    const struct cause *cause = &change->cause;
    struct bytes texts[] = {
        [TEXT_SPACE] = space_name(r, change->space),
        [TEXT_KEY] = change->key,
        [TEXT_CAUSE] = cause->text,
        [TEXT_ACTOR] = cause->actor,
        [TEXT_PEER] = cause->peer,
    };
    enum { TEXTS = sizeof texts / sizeof texts[0] };

    size_t bytes = sizeof(struct entry);
    for (unsigned i = 0; i < TEXTS; i++) {
        bytes += texts[i].size;
    }
    bytes = (bytes + alignof(struct entry) - 1) / alignof(struct entry) * alignof(struct entry);
    struct entry *entry = make_room(r, (uint32_t) bytes);
    *entry = (struct entry){.bytes = (uint32_t) bytes,
                            .state = (uint8_t) change->state,
                            .outcome = (uint8_t) change->outcome,
                            .cause = (uint8_t) cause->code,
                            .revision = ++r->watch.newest,
                            .gen = change->gen};
    uint8_t *at = (uint8_t *) (entry + 1);
    for (unsigned i = 0; i < TEXTS; i++) {
        entry->sizes[i] = (uint16_t) texts[i].size;
        if (texts[i].size > 0) {
            memcpy(at, texts[i].data, texts[i].size);
        }
        at += texts[i].size;
    }
    *place_of(r, r->watch.newest) = r->watch.head;
    r->watch.head += bytes;
}

/* As long as nobody has ever asked, there is nobody who could have come to some revision. */
static bool only_counts(struct registry *r, uint32_t space)
{
    if (r->watch.asked) {
        return false;
    }
    r->watch.newest++;
    r->watch.oldest = r->watch.newest + 1;
    r->counters.watch_events++;
    space_at(r, space)->revision = r->watch.newest;
    return true;
}

static void note(struct registry *r, const struct change *change)
{
    struct space *space = space_at(r, change->space);
    write_event(r, change);
    r->counters.watch_events++;
    space->revision = r->watch.newest;
    if (space->watchers.count == 0) {
        return;
    }
    if (!space->watch_due) {
        space->watch_due = true;
        space->watch_news = space->revision;
        chain_append(OF_WATCHED(r), &r->watched, change->space);
    }
    space->watch_at = space->watchers.first;
}

void watch_note(struct registry *r, uint32_t index)
{
    const struct operation *operation = operation_at(r, index);
    uint32_t space = key_at(r, operation->key)->space;
    if (only_counts(r, space)) {
        return;
    }
    note(r, &(struct change){.space = space,
                             .key = key_name(r, operation->key),
                             .gen = operation->gen,
                             .state = (enum state) operation->state,
                             .outcome = (enum outcome) operation->outcome,
                             .cause = cause_get(r, operation->cause)});
}

void watch_note_plain(struct registry *r, uint32_t index)
{
    const struct plain *plain = plain_at(r, index);
    uint32_t space = plain_space(r, plain);
    if (only_counts(r, space)) {
        return;
    }
    note(r, &(struct change){.space = space,
                             .key = plain_name(r, plain),
                             .gen = r->gen_first + plain_number(plain),
                             .state = plain_is_live(plain) ? STATE_LIVE : STATE_ENDED,
                             .outcome = plain_outcome(plain)});
}

/* ---- answers ---- */

/* Who is answered: from which revision on, and how much the reply holds. */
struct reading {
    struct bytes space_name;
    uint32_t space;    /* 0: there is none of this name */
    uint64_t revision; /* come to */
    uint64_t last;     /* of the namespace's last event, or a higher one that was none of its own */
    size_t room;
    uint32_t looked; /* events, or records */
};

static bool is_kept(const struct registry *r, uint64_t epoch, uint64_t revision)
{
    return epoch == r->epoch_first && revision != 0 && revision <= r->watch.newest &&
           revision + 1 >= r->watch.oldest;
}

static struct event describe(const struct entry *entry)
{
    return (struct event){
        .revision = entry->revision,
        .key = text_of(entry, TEXT_KEY),
        .gen = entry->gen,
        .state = (enum state) entry->state,
        .outcome = (enum outcome) entry->outcome,
        .cause = {.code = (enum cause_code) entry->cause,
                  .text = text_of(entry, TEXT_CAUSE),
                  .actor = text_of(entry, TEXT_ACTOR),
                  .peer = text_of(entry, TEXT_PEER)},
    };
}

/* The events behind reading.revision, all of which are kept, as far as one answer goes. */
static void read_events(struct registry *r, struct reading *reading, struct result *result)
{
    *result =
        (struct result){.answer = ANSWER_EVENTS, .epoch = r->epoch_first, .events = r->event_items};
    size_t bytes = ANSWER_BYTES_EXTRA;
    while (reading->revision < reading->last && reading->looked < PAGE_SCAN_MAX) {
        const struct entry *entry = entry_of(r, reading->revision + 1);
        ASSERT(entry->revision == reading->revision + 1);
        reading->looked++;
        if (bytes_equal(text_of(entry, TEXT_SPACE), reading->space_name)) {
            bytes += EVENT_BYTES_EXTRA + entry->bytes;
            if (bytes > reading->room) {
                break;
            }
            ASSERT(result->events_count < PAGE_ITEMS_MAX); /* so many have no room in a frame */
            r->event_items[result->events_count++] = describe(entry);
        }
        reading->revision++;
    }
    result->more = reading->revision < reading->last;
    if (!result->more) {
        reading->revision = r->watch.newest; /* what comes behind is of others */
    }
    result->revision = reading->revision;
}

static bool is_live_here(const struct registry *r, uint32_t space, uint32_t id)
{
    if ((id & PLAIN_BIT) != 0) {
        const struct plain *plain = plain_at(r, id & ~PLAIN_BIT);
        return plain_is_live(plain) && plain_space(r, plain) == space;
    }
    return operation_at(r, id)->state != STATE_ENDED &&
           key_at(r, operation_at(r, id)->key)->space == space;
}

/* A page of the operations that are live: one that stays is met just once, and what changes behind the
 * page has an event. */
static void read_snapshot(struct registry *r, const struct reading *reading, uint64_t cursor,
                          struct result *result)
{
    *result = (struct result){.answer = ANSWER_SNAPSHOT,
                              .epoch = r->epoch_first,
                              .revision = reading->revision,
                              .operations = r->info_items};
    const struct space *space = reading->space == 0 ? NULL : space_at(r, reading->space);
    bool none = space == NULL || space->live.count + space->plain == 0;
    size_t room = page_room(reading->room);
    for (uint32_t looks = 0; !none && looks < PAGE_SCAN_MAX; looks++) {
        uint32_t id;
        bool more = table_look(r, &cursor, &id);
        if (more && id != 0 && is_live_here(r, reading->space, id) &&
            !page_add(r, result, &room, id)) {
            return;
        }
        result->next_cursor = cursor;
        if (!more) {
            return;
        }
    }
}

/* ---- those that are parked ---- */

void watch_parked_gone(struct registry *r, uint32_t index)
{
    uint32_t number = parked_at(r, index)->space;
    struct space *space = space_at(r, number);
    if (space->watch_due && space->watch_at == index) {
        space->watch_at = parked_at(r, index)->of_space.next;
    }
    chain_remove(OF_SPACE(r), &space->watchers, index);
    parked_at(r, index)->space = 0;
    if (space->watch_due && space->watchers.count == 0) {
        space->watch_due = false;
        chain_remove(OF_WATCHED(r), &r->watched, number);
    }
    space_give(r, number);
}

/* What a parked one is told now; false where there is nothing. */
static bool read_news(struct registry *r, uint32_t index, struct result *result, uint32_t *looked)
{
    const struct parked *parked = parked_at(r, index);
    const struct space *space = space_at(r, parked->space);
    struct reading reading = {.space_name = space_name(r, parked->space),
                              .space = parked->space,
                              .revision = parked->after,
                              .last = space->revision,
                              .room = FRAME_BYTES_MAX - 64};
    *looked = 0;
    if (!space->watch_due || space->revision <= parked->after) {
        return false;
    }
    if (reading.revision < space->watch_news - 1) {
        reading.revision = space->watch_news - 1;
    }
    if (is_kept(r, r->epoch_first, reading.revision)) {
        read_events(r, &reading, result);
    } else {
        r->counters.watch_gaps++;
        reading.revision = r->watch.newest;
        reading.looked = PAGE_SCAN_MAX;
        read_snapshot(r, &reading, 0, result);
    }
    *looked = reading.looked;
    return true;
}

void watch_answer_empty(struct registry *r, uint32_t index)
{
    struct result result;
    uint32_t looked;
    if (!read_news(r, index, &result, &looked)) {
        result = (struct result){
            .answer = ANSWER_EVENTS, .epoch = r->epoch_first, .revision = r->watch.newest};
    }
    parked_answer(r, index, &result);
}

/* One watcher of the namespace; what it cost. */
static uint32_t answer_one(struct registry *r, struct space *space)
{
    uint32_t index = space->watch_at;
    struct result result;
    uint32_t looked;
    space->watch_at = parked_at(r, index)->of_space.next;
    if (read_news(r, index, &result, &looked)) {
        parked_answer(r, index, &result);
    }
    return 1 + looked / LOOKS_OF_STEP;
}

void watchers_answer(struct registry *r, uint32_t *budget)
{
    while (*budget > 0 && r->watched.first != 0) {
        uint32_t number = r->watched.first;
        struct space *space = space_at(r, number);
        chain_remove(OF_WATCHED(r), &r->watched, number);
        if (space->watch_at == 0) {
            space->watch_due = false;
            (*budget)--;
            continue;
        }
        chain_append(OF_WATCHED(r), &r->watched, number); /* one of each namespace in turn */
        uint32_t cost = answer_one(r, space);
        *budget -= cost < *budget ? cost : *budget;
    }
}

/* ---- the op ---- */

/* A name that nobody uses is known while it is watched. That must not keep others from storing under
 * new names: the last tenth of them is not for watchers. */
static void watch_parked(struct request *q, const struct reading *reading, uint64_t wait_ms)
{
    struct registry *r = q->r;
    if (reading->space == 0 && r->spaces.capacity - r->spaces.count <= r->spaces.capacity / 10) {
        request_full(q, "namespaces");
        return;
    }
    if (!park_has_room(q, 0, 0)) {
        return;
    }
    uint32_t space = space_take(r, reading->space_name);
    uint32_t index = park(q, OP_WATCH, wait_ms, 0);
    parked_at(r, index)->after = reading->revision;
    parked_at(r, index)->space = space;
    chain_append(OF_SPACE(r), &space_at(r, space)->watchers, index);
}

static void watch_events(struct request *q, struct reading *reading, uint32_t wait_ms)
{
    struct result result;
    read_events(q->r, reading, &result);
    if (result.events_count > 0 || result.more || wait_ms == 0) {
        request_tell(q, &result);
    } else {
        watch_parked(q, reading, wait_ms < POLL_MS_MAX ? wait_ms : POLL_MS_MAX);
    }
}

void serve_watch(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    r->watch.asked = true;
    uint64_t revision = op->as.watch.revision;
    uint64_t cursor = op->as.watch.cursor;
    struct reading reading = {.space_name = q->space_name,
                              .space = q->space,
                              .revision = revision,
                              .last =
                                  q->space != 0 ? space_at(r, q->space)->revision : r->watch.newest,
                              .room = q->room - q->used};
    bool kept = is_kept(r, op->as.watch.epoch, revision);
    if (kept && cursor == 0) {
        watch_events(q, &reading, op->as.watch.wait_ms);
        return;
    }
    if (!kept) {
        r->counters.watch_gaps += revision != 0;
        reading.revision = r->watch.newest;
        cursor = 0;
    }
    struct result result;
    read_snapshot(r, &reading, cursor, &result);
    request_tell(q, &result);
}

/* ---- invariants ---- */

static void check_ring(const struct registry *r)
{
    const struct watch_ring *ring = &r->watch;
    ASSERT(count_kept(ring) <= r->limits.watch_events && ring->head - ring->tail <= ring->size);
    uint64_t offset = ring->tail;
    for (uint64_t revision = ring->oldest; revision <= ring->newest; revision++) {
        if (entry_at(ring, offset)->bytes == 0) {
            offset += ring->size - offset % ring->size;
        }
        const struct entry *entry = entry_at(ring, offset);
        ASSERT(entry->revision == revision && *place_of(r, revision) == offset);
        ASSERT(offset % ring->size + entry->bytes <= ring->size);
        offset += entry->bytes;
    }
    ASSERT(offset == ring->head);
}

static void check_space(const struct registry *r, uint32_t index)
{
    const struct space *space = space_at(r, index);
    ASSERT(space->revision <= r->watch.newest && space->revision != 0);
    ASSERT(!space->watch_due || space->watchers.count > 0);
    chain_check(OF_SPACE(r), &space->watchers);
    bool met = space->watch_at == 0;
    bool passed = true;
    for (uint32_t i = space->watchers.first; i != 0; i = parked_at(r, i)->of_space.next) {
        ASSERT(parked_at(r, i)->space == index && parked_at(r, i)->kind == OP_WATCH);
        met |= space->watch_at == i;
        passed = passed && space->watch_at != i;
        ASSERT(!space->watch_due || !passed || space->revision <= parked_at(r, i)->after);
    }
    ASSERT(!space->watch_due || met);
}

void check_watch(const struct registry *r)
{
    uint32_t due = 0;
    check_ring(r);
    for (uint32_t i = 1; i < slab_end(&r->spaces); i++) {
        if (slab_is_live(&r->spaces, i)) {
            check_space(r, i);
            due += space_at(r, i)->watch_due;
        }
    }
    chain_check(OF_WATCHED(r), &r->watched);
    ASSERT(due == r->watched.count);
}
