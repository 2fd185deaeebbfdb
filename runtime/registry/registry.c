/* SPDX-License-Identifier: MIT */
/* The registry's beginning, its clockwork and its end. See registry.h for what it promises and
 * state.h for how it is built. */
#include "registry/state.h"

#include <stdlib.h>

/* Frames, answers and notices never hold more causes than operations and arms do. */
#define CAUSES_MAX(n) (2 * (n).operations + (n).armed + (n).bulks + (n).recovered + 1)

struct sizes {
    uint32_t operations; /* records: live, remembered, and those that a request still waits for */
    uint32_t armed;
    uint32_t parked;
    uint32_t sessions;
    uint32_t bulks;
    uint32_t recovered;
};

/* Plain records that a sweep moves together. */
#define MOVES_OF_SWEEP 64

/* For each answer that waits for the journal, on top of its bytes. */
#define HELD_BYTES_EXTRA 64

static struct sizes sizes_of(const struct limits *limits)
{
    return (struct sizes){
        .operations = (uint32_t) (limits->operations + limits->finished + limits->parked_gens + 1),
        .armed = (uint32_t) limits->armed,
        .parked = (uint32_t) limits->parked,
        .sessions = (uint32_t) limits->sessions,
        .bulks = (uint32_t) (limits->bulks + limits->covers),
        .recovered = (uint32_t) limits->recovered,
    };
}

static uint32_t held_max(const struct registry *r)
{
    return r->port.journal == NULL ? 1 : (uint32_t) (r->limits.journal_bytes / HELD_BYTES_EXTRA);
}

static bool tables_init(struct registry *r, struct sizes n)
{
    uint32_t spaces = (uint32_t) r->limits.namespaces;
    uint32_t links = (uint32_t) r->limits.connections;
    /* Those with an answer are charged; parked reads and passed ones have bounds of their own. */
    uint32_t remembered =
        (uint32_t) (r->limits.replies_bytes / REMEMBERED_BYTES_EXTRA) + n.parked + PASSED_READS_MAX;
    return slab_init(&r->spaces, sizeof(struct space), spaces) &&
           slab_init(&r->keys, sizeof(struct key), n.operations + n.armed + n.bulks) &&
           slab_init(&r->operations, sizeof(struct operation), n.operations) &&
           slab_init(&r->causes, sizeof(struct kept_cause), CAUSES_MAX(n)) &&
           slab_init(&r->notices, sizeof(struct notice_record), 2 * n.operations) &&
           slab_init(&r->armed, sizeof(struct armed), n.armed) &&
           slab_init(&r->sessions, sizeof(struct session), n.sessions) &&
           slab_init(&r->remembered, sizeof(struct remembered), remembered) &&
           slab_init(&r->parked, sizeof(struct parked), n.parked) &&
           slab_init(&r->ties, sizeof(struct tie), (uint32_t) r->limits.parked_gens) &&
           slab_init(&r->links, sizeof(struct link), links) &&
           slab_init(&r->labels, sizeof(struct label), (uint32_t) r->limits.labels) &&
           slab_init(&r->label_uses, sizeof(struct label_use), (uint32_t) r->limits.label_uses) &&
           slab_init(&r->bulks, sizeof(struct bulk), n.bulks) &&
           slab_init(&r->drains, sizeof(struct drain), (uint32_t) r->limits.drains) &&
           slab_init(&r->recovered, sizeof(struct recovered), n.recovered) &&
           slab_init(&r->held, sizeof(struct held), held_max(r));
}

static bool indexes_init(struct registry *r)
{
    return hash_index_init(&r->spaces_by_name, &r->spaces, offsetof(struct space, by_name),
                           r->spaces.capacity) &&
           hash_index_init(&r->adopted_by_gen, &r->operations, offsetof(struct operation, by_gen),
                           r->operations.capacity) &&
           hash_index_init(&r->sessions_by_number, &r->sessions,
                           offsetof(struct session, by_number), r->sessions.capacity) &&
           hash_index_init(&r->remembered_by_id, &r->remembered, offsetof(struct remembered, by_id),
                           r->remembered.capacity) &&
           hash_index_init(&r->links_by_address, &r->links, offsetof(struct link, by_address),
                           r->links.capacity) &&
           hash_index_init(&r->labels_by_name, &r->labels, offsetof(struct label, by_name),
                           r->labels.capacity) &&
           hash_index_init(&r->bulks_by_target, &r->bulks, offsetof(struct bulk, by_target),
                           r->bulks.capacity) &&
           hash_index_init(&r->recovered_by_gen, &r->recovered, offsetof(struct recovered, by_gen),
                           r->recovered.capacity) &&
           hash_index_init(&r->operations_by_parent, &r->operations,
                           offsetof(struct operation, by_parent), r->operations.capacity);
}

static bool heaps_init(struct registry *r, struct sizes n)
{
    uint64_t causes = CAUSES_MAX(n);
    uint64_t cause_bytes =
        causes * (CAUSE_TEXT_BYTES_MAX + CAUSE_ACTOR_BYTES_MAX + CAUSE_PEER_BYTES_MAX);
    uint32_t strings = 2 * (n.operations + n.armed) + n.bulks + r->labels.capacity;
    return byte_heap_init(&r->bytes, r->limits.bytes, strings) &&
           byte_heap_init(&r->cause_bytes, cause_bytes, (uint32_t) (3 * causes)) &&
           byte_heap_init(&r->reply_bytes, r->limits.replies_bytes, r->remembered.capacity) &&
           byte_heap_init(&r->held_bytes, r->limits.journal_bytes, r->held.capacity) &&
           watch_init(r) &&
           timer_heap_init(&r->timers, n.operations + n.armed + n.parked + n.sessions);
}

/* What lets somebody speak for a session is in no core file. */
static bool secrets_init(struct registry *r, const struct siphash_key *key)
{
    if (!region_init(&r->secret_key, sizeof *key)) {
        return false;
    }
    region_hide(&r->secret_key);
    region_hide(&r->sessions.records);
    memcpy(r->secret_key.base, key, sizeof *key);
    return true;
}

struct registry *registry_new(const struct registry_config *config,
                              const struct registry_port *port)
{
    ASSERT(config->epoch >= 1 && config->epoch <= GEN_EPOCH_MAX);
    ASSERT(config->counter_first >= 1 && config->counter_first <= GEN_COUNTER_MAX);
    struct registry *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->limits = config->limits;
    r->port = *port;
    r->table_key = config->table_key;
    r->epoch = config->epoch;
    r->counter_next = config->counter_first;
    r->gen_newest = (config->epoch << GEN_COUNTER_BITS | config->counter_first) - 1;
    r->now_ms = config->now_ms;
    r->started_ms = config->now_ms;
    r->epoch_first = config->epoch;
    r->gen_first = r->gen_newest + 1;
    r->recovery_end_ms =
        config->recovery_ms == 0 ? 0 : time_after(config->now_ms, config->recovery_ms);
    r->rights_version = 1;
    struct sizes n = sizes_of(&r->limits);
    if (!tables_init(r, n) || !indexes_init(r) || !heaps_init(r, n) ||
        !plain_init(r, n.operations, r->keys.capacity) || !secrets_init(r, &config->secret_key)) {
        registry_free(r);
        return NULL;
    }
    return r;
}

void registry_free(struct registry *r)
{
    if (r == NULL) {
        return;
    }
    struct slab *slabs[] = {&r->spaces,    &r->keys,     &r->operations, &r->causes, &r->notices,
                            &r->armed,     &r->sessions, &r->remembered, &r->parked, &r->ties,
                            &r->links,     &r->labels,   &r->label_uses, &r->bulks,  &r->drains,
                            &r->recovered, &r->held};
    struct hash_index *indexes[] = {
        &r->spaces_by_name,   &r->adopted_by_gen,   &r->sessions_by_number,
        &r->remembered_by_id, &r->links_by_address, &r->labels_by_name,
        &r->bulks_by_target,  &r->recovered_by_gen, &r->operations_by_parent};
    for (size_t i = 0; i < sizeof slabs / sizeof slabs[0]; i++) {
        slab_fini(slabs[i]);
    }
    for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++) {
        hash_index_fini(indexes[i]);
    }
    byte_heap_fini(&r->bytes);
    byte_heap_fini(&r->cause_bytes);
    byte_heap_fini(&r->reply_bytes);
    byte_heap_fini(&r->held_bytes);
    watch_fini(r);
    plain_fini(r);
    timer_heap_fini(&r->timers);
    region_fini(&r->secret_key);
    free(r);
}

/* ---- time ---- */

static uint32_t record_of(const struct slab *slab, const void *record)
{
    size_t offset = (size_t) ((const char *) record - (const char *) slab->records.base);
    size_t chunk = offset / slab->chunk_bytes;
    return (uint32_t) (chunk * slab->chunk_records +
                       offset % slab->chunk_bytes / slab->record_bytes);
}

static void fire(struct registry *r, struct timer *timer, uint64_t now_ms)
{
    switch ((enum timer_kind) timer->kind) {
    case TIMER_OPERATION:
        operation_expire(r, record_of(&r->operations, timer));
        break;
    case TIMER_SESSION:
        session_expire(r, record_of(&r->sessions, timer), now_ms);
        break;
    case TIMER_PARKED:
        parked_expire(r, record_of(&r->parked, timer));
        break;
    case TIMER_ARMED:
        r->counters.armed_lapsed++;
        journal_arm_gone(r, record_of(&r->armed, timer));
        armed_free(r, record_of(&r->armed, timer));
        break;
    }
}

static void timers_expire(struct registry *r, uint32_t *budget)
{
    while (*budget > 0) {
        struct timer *timer = timer_heap_first(&r->timers);
        if (timer == NULL || timer->deadline > r->due_ms) {
            return;
        }
        (*budget)--;
        timer_heap_clear(&r->timers, timer);
        fire(r, timer, r->due_ms);
    }
}

static bool has_queued(const struct registry *r)
{
    bool rests = journal_is_behind(r);
    return r->settle.first != 0 || r->polls.first != 0 || r->watched.first != 0 ||
           (!rests && (r->dying.first != 0 || r->bans.first != 0 || r->running.first != 0)) ||
           ((r->drains_due || r->drains_left > 0) && r->drains_waiting.first != 0);
}

uint64_t registry_next_ms(const struct registry *r)
{
    if (has_queued(r)) {
        return 0;
    }
    const struct timer *timer = timer_heap_first(&r->timers);
    uint64_t next = memory_next_ms(r);
    uint64_t plain = wheel_next_ms(&r->plain_timers);
    next = timer != NULL && timer->deadline < next ? timer->deadline : next;
    next = plain < next ? plain : next;
    return r->recovery_end_ms != 0 && r->recovery_end_ms < next ? r->recovery_end_ms : next;
}

/* Each has half of what is left, and one step in any case, so that none of them starves another. */
static void share(struct registry *r, uint32_t *budget,
                  void (*step)(struct registry *r, uint32_t *budget))
{
    uint32_t part = *budget > 2 ? (*budget + 1) / 2 : 1;
    uint32_t left = part;
    step(r, &left);
    uint32_t used = part - left;
    *budget -= used < *budget ? used : *budget;
}

bool registry_advance(struct registry *r, uint64_t now_ms, uint32_t budget)
{
    uint32_t answers = SETTLE_BUDGET;
    note_time(r, now_ms);
    r->due_ms = now_ms;
    parked_settle(r, &answers);
    polls_answer(r, &answers);
    watchers_answer(r, &answers);
    recovery_expire(r, now_ms);
    share(r, &budget, timers_expire);
    share(r, &budget, plain_expire);
    share(r, &budget, memory_expire);
    if (!journal_is_behind(r)) { /* else each step would add to what it has to write */
        share(r, &budget, sessions_bury);
        share(r, &budget, tree_step);
        share(r, &budget, bulks_step);
    }
    drains_answer(r, &answers);
    plain_compact(r, MOVES_OF_SWEEP);
    return registry_next_ms(r) <= now_ms;
}

void registry_shut_down(struct registry *r, uint64_t now_ms)
{
    note_time(r, now_ms);
    r->shut_down = true;
    uint32_t end = slab_end(&r->parked);
    for (uint32_t i = 1; i < end; i++) {
        if (slab_is_live(&r->parked, i)) {
            parked_answer(r, i, &(struct result){.answer = ANSWER_SHUTTING_DOWN});
        }
    }
}
