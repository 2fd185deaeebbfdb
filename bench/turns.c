/* SPDX-License-Identifier: MIT */
#include "turns.h"

#include <stdio.h>

struct turns turns_usual(const struct harness *harness)
{
    return (struct turns){.rounds = (uint32_t) harness_pick(harness, 3, 12),
                          .slice_ms = (uint32_t) harness_pick(harness, 60, 400),
                          .warm_ms = (uint32_t) harness_pick(harness, 40, 100),
                          .latency_rounds = (uint32_t) harness_pick(harness, 1, 3),
                          .tries = (uint32_t) harness_pick(harness, 2, 3)};
}

static void forget(struct contender *contender)
{
    samples_init(&contender->ns);
    samples_init(&contender->core_ns);
}

/* Slices that were not quiet count until the first that was: where none was, they are all there is. */
static void keep(struct contender *contender, const struct slice *slice, const struct turn *turn)
{
    if (turn->ops == 0) {
        return;
    }
    if (slice->quiet && !contender->was_quiet) {
        uint32_t thrown = contender->ns.thrown;
        forget(contender);
        contender->ns.thrown = thrown;
        contender->was_quiet = true;
    }
    if (!slice->quiet) {
        contender->ns.thrown++;
    }
    if (slice->quiet || !contender->was_quiet) {
        double ops = (double) turn->ops;
        uint64_t cpu_ns = turn->cpu_ns > 0 ? turn->cpu_ns : slice->cpu_ns;
        samples_add(&contender->ns, (double) turn->wall_ns / ops);
        samples_add(&contender->core_ns, (double) cpu_ns / ops);
    }
}

/* Whether the slice was quiet. */
static bool one_slice(const struct turns *turns, bool timed, struct contender *one)
{
    struct turn turn = {0};
    struct slice slice;
    struct histogram latency;
    histogram_init(&latency);
    slice_begin(&slice, one->pids, one->pids_count);
    one->slice(one->context, turns->slice_ms, timed ? &latency : NULL, &turn);
    slice_end(&slice);
    if (!timed) {
        one->slices++;
        keep(one, &slice, &turn);
        return slice.quiet;
    }
    if (slice.quiet && !one->was_quiet_timed) {
        histogram_init(&one->latency);
        one->was_quiet_timed = true;
    }
    if (slice.quiet || !one->was_quiet_timed) {
        histogram_merge(&one->latency, &latency);
    }
    return slice.quiet;
}

/* What the others did meanwhile has thrown its memory out of the caches: nobody's daily life. */
static void warm_up(const struct turns *turns, struct contender *one)
{
    struct turn unused = {0};
    if (turns->warm_ms > 0) {
        one->slice(one->context, turns->warm_ms, NULL, &unused);
    }
}

/* A slice that was loud is taken again, but not for ever. */
static void round_of(const struct turns *turns, bool timed, struct contender *contenders,
                     size_t contenders_count)
{
    for (size_t i = 0; i < contenders_count; i++) {
        warm_up(turns, &contenders[i]);
        for (uint32_t tries = 0; tries < turns->tries && !one_slice(turns, timed, &contenders[i]);
             tries++) {
        }
    }
}

static void print(const struct harness *harness, const char *row, struct contender *one)
{
    if (one->ns.count == 0) {
        harness_missing(harness, row, one->peer, "not one op was done in the time");
        return;
    }
    bool loud = !one->was_quiet;
    char note[512];
    snprintf(note, sizeof note, "%s%s%s", one->note != NULL ? one->note : "",
             one->note != NULL && loud ? "; " : "",
             loud ? "no slice was quiet: a median of loud ones" : "");
    harness_row(harness, &(struct harness_row){
                             .row = row,
                             .peer = one->peer,
                             .unit = "ns/op",
                             .value = samples_median(&one->ns),
                             .core_ns = samples_median(&one->core_ns),
                             .p50_ns = (double) histogram_at(&one->latency, 0.5),
                             .p99_ns = (double) histogram_at(&one->latency, 0.99),
                             .p999_ns = (double) histogram_at(&one->latency, 0.999),
                             .worst_ns = (double) one->latency.worst,
                             .note = note[0] != '\0' ? note : NULL,
                             .slices = one->slices,
                             .slices_thrown = one->ns.thrown,
                         });
}

void turns_run(const struct harness *harness, const struct turns *turns, const char *row,
               struct contender *contenders, size_t contenders_count)
{
    for (size_t i = 0; i < contenders_count; i++) {
        forget(&contenders[i]);
        histogram_init(&contenders[i].latency);
    }
    for (uint32_t i = 0; i < turns->rounds; i++) {
        round_of(turns, false, contenders, contenders_count);
    }
    for (uint32_t i = 0; i < turns->latency_rounds; i++) {
        round_of(turns, true, contenders, contenders_count);
    }
    for (size_t i = 0; i < contenders_count; i++) {
        print(harness, row, &contenders[i]);
    }
}
