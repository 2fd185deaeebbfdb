/* SPDX-License-Identifier: MIT */
#include "sim/daemon_state.h"

#include <stdlib.h>

bool daemon_is_up(const struct world *world)
{
    return daemon_of(world)->registry != NULL;
}

uint64_t daemon_epoch(const struct world *world)
{
    return daemon_of(world)->epoch;
}

uint64_t daemon_outputs(const struct world *world)
{
    return daemon_of(world)->outputs_count;
}

uint64_t daemon_ends(const struct world *world)
{
    return daemon_of(world)->ends_count;
}

uint64_t daemon_slack_ns(const struct world *world)
{
    return daemon_of(world)->slack_ns;
}
static struct limits limits_of(const struct world *world)
{
    const bool is_tight = world->flavour.is_tight;
    struct limits limits = limits_default();
    limits.operations = is_tight ? 7 : 200;
    limits.operations_namespace = limits.operations;
    limits.operations_session = limits.operations;
    limits.bytes = 65536;
    limits.namespaces = 4;
    limits.connections = 64;
    limits.sessions = 200;
    limits.parked_session = is_tight ? 4 : 64;
    limits.parked = 256;
    limits.parked_gens = 256;
    limits.armed = is_tight ? 2 : 32;
    limits.labels = 16;
    limits.label_uses = 2048;
    limits.bulks = 128;
    limits.covers = 128;
    limits.drains = 16;
    limits.watch_events = 16;
    limits.watch_bytes = 65536;
    limits.recovered = 768;
    limits.journal_bytes = 131072;
    limits.finished = 128;
    limits.finished_ms = world->flavour.finished_ms;
    limits.grace_ms = world->flavour.grace_ms;
    limits.replies_session_bytes = 65536;
    limits.replies_bytes = 262144;
    return limits;
}
static bool take(void *context, const struct journal_record *record)
{
    static const enum sometimes which[] = {[JOURNAL_CANCEL] = SOMETIMES_RECOVERED,
                                           [JOURNAL_BULK] = SOMETIMES_BULK_RECOVERED,
                                           [JOURNAL_ARM] = SOMETIMES_ARM_RECOVERED};
    struct daemon *daemon = context;
    world_sometimes(daemon->world, which[record->kind]);
    return registry_recover(daemon->registry, record);
}

static struct siphash_key key_of(struct world *world)
{
    struct siphash_key key;
    const uint64_t words[2] = {chance_next(&world->life_chance), chance_next(&world->life_chance)};
    _Static_assert(sizeof key == sizeof words, "a key is two words");
    memcpy(&key, words, sizeof key);
    return key;
}

void daemon_start(struct world *world)
{
    struct daemon *daemon = daemon_of(world);
    const bool has_journal = world->flavour.has_journal;
    world_wake(world, SLOT_LIFE, AT_NEVER);
    daemon->epoch += 1 + chance_below(&world->life_chance, 2) * (daemon->epoch > 0);
    struct registry_config config = {.limits = limits_of(world),
                                     .epoch = daemon->epoch,
                                     .counter_first = COUNTER_FIRST,
                                     .recovery_ms = daemon->ends_count == 0 || daemon->was_clean
                                                        ? 0
                                                        : world->flavour.recovery_ms};
    config.table_key = key_of(world);
    config.secret_key = key_of(world);
    const bool has_clock = lease_clock_init(&daemon->lease_clock, daemon_clock_ns(daemon),
                                            (uint32_t) config.limits.connections);
    config.now_ms = lease_clock_start_ms(&daemon->lease_clock);
    const struct registry_port port = daemon_port(daemon);
    daemon->registry = registry_new(&config, &port);
    ASSERT(has_clock && daemon->registry != NULL);
    disk_open(world, &daemon->disk, daemon->epoch);
    if (has_journal && !disk_load(&daemon->disk, take, daemon)) {
        world_violated(world, "the registry does not take back what it gave to the journal");
    }
    WORLD_TRACE(world, "daemon: starts in epoch %llu", (unsigned long long) daemon->epoch);
    world->figures->restarts += daemon->ends_count > 0;
    world_wake(world, SLOT_DAEMON, world->now_ns);
}

void daemon_stop(struct world *world)
{
    struct daemon *daemon = daemon_of(world);
    if (daemon->registry == NULL || world->now_ns < daemon->stalled_ns) {
        return;
    }
    WORLD_TRACE(world, "daemon: SIGTERM");
    registry_shut_down(daemon->registry, daemon_start_ms(daemon));
    if (daemon->is_dying) {
        daemon_die(daemon);
        return;
    }
    /* What is left is written, and what waited for it goes out, unless the disk fails. */
    if (!daemon->disk.is_failing) {
        disk_stop(&daemon->disk);
        registry_journal_kept(daemon->registry, daemon->disk.given, daemon_start_ms(daemon));
    }
    if (daemon->is_dying) {
        daemon_die(daemon);
        return;
    }
    daemon->was_clean = registry_is_idle(daemon->registry) && !daemon->disk.is_failing;
    daemon_flush(daemon);
    disk_crash(world, &daemon->disk);
    daemon_links_drop(daemon, false);
    daemon_leave(daemon);
}

/* One that is stalled is not stalled again: what waits for its end would not hear of an earlier one. */
void daemon_stall(struct world *world, uint64_t until_ns)
{
    struct daemon *daemon = daemon_of(world);
    if (world->now_ns < daemon->stalled_ns) {
        return;
    }
    WORLD_TRACE(world, "daemon: stalls for %llu ms",
                (unsigned long long) ((until_ns - world->now_ns) / MS));
    daemon->stalled_ns = until_ns;
}

void daemon_jump(struct world *world, uint64_t ns)
{
    struct daemon *daemon = daemon_of(world);
    WORLD_TRACE(world, "daemon: its clock jumps by %llu ms", (unsigned long long) (ns / MS));
    daemon->skew_ns += ns;
    daemon->slack_ns += ns < JUMP_UNSEEN_MS * MS ? ns : JUMP_UNSEEN_MS * MS;
    world_wake(world, SLOT_DAEMON, world->now_ns);
}

void daemon_heal(struct world *world)
{
    struct daemon *daemon = daemon_of(world);
    daemon->stalled_ns = 0;
    daemon->twin.is_there = false;
    world_wake(world, daemon->registry == NULL ? SLOT_LIFE : SLOT_DAEMON, world->now_ns);
}

struct daemon *daemon_new(void)
{
    struct daemon *daemon = calloc(1, sizeof *daemon);
    const struct siphash_key key = {0};
    ASSERT(daemon != NULL);
    daemon->codec = codec_new(&key);
    ASSERT(daemon->codec != NULL);
    return daemon;
}

void daemon_free(struct daemon *daemon)
{
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        free(daemon->ends[i].input);
        free(daemon->ends[i].output);
    }
    disk_fini(&daemon->disk);
    codec_free(daemon->codec);
    free(daemon);
}

void daemon_begin(struct world *world)
{
    struct daemon *daemon = daemon_of(world);
    daemon->world = world;
    daemon->epoch = 0;
    daemon->outputs_count = 0;
    daemon->ends_count = 0;
    daemon->skew_ns = 0;
    daemon->slack_ns = 0;
    daemon->stalled_ns = 0;
    daemon->is_dying = false;
    daemon->was_clean = false;
    daemon->twin.is_there = false;
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        daemon_end_clear(&daemon->ends[i]);
    }
    disk_begin(&daemon->disk);
    daemon_start(world);
}

void daemon_end(struct world *world)
{
    struct daemon *daemon = daemon_of(world);
    if (daemon->registry != NULL) {
        registry_check(daemon->registry);
        registry_free(daemon->registry);
        lease_clock_fini(&daemon->lease_clock);
        daemon->registry = NULL;
    }
}
