/* SPDX-License-Identifier: MIT */
/* Runs each program on one loop ("ours") and on two ("ours-2-loops"), alternately, a few runs to warm
 * up and then those that count. The best run is the figure, as it is for the peers; the median stands
 * in the note. */
#include "savina.h"

#include <pthread.h>
#include <stdio.h>

#define SPIN_US 50
#define WARM_RUNS 2

/* A design that has had so much time for a row gets no more runs: on a machine that others use two loops
 * wait for their processors more than for each other. */
#define QUICK_BUDGET_NS UINT64_C(800000000)
#define FULL_BUDGET_NS UINT64_C(6000000000)

struct wake_up {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool ended;
    uint64_t begin_ns;
    uint64_t end_ns;
    uint64_t cpu_begin_ns;
};

void stage_end(struct stage *stage)
{
    struct wake_up *ended = stage->ended;
    ended->end_ns = slice_now_ns();
    (void) pthread_mutex_lock(&ended->mutex);
    ended->ended = true;
    (void) pthread_cond_signal(&ended->changed);
    (void) pthread_mutex_unlock(&ended->mutex);
}

void stage_play(struct stage *stage)
{
    struct wake_up *ended = stage->ended;
    ended->begin_ns = slice_now_ns();
    for (uint32_t i = 0; i < stage->loops_count; i++) {
        if (actor_loop_start(stage->loops[i]) != STATUS_OK) {
            harness_fail("no thread for a loop");
        }
    }
    (void) pthread_mutex_lock(&ended->mutex);
    while (!ended->ended) {
        (void) pthread_cond_wait(&ended->changed, &ended->mutex);
    }
    (void) pthread_mutex_unlock(&ended->mutex);
    for (uint32_t i = 0; i < stage->loops_count; i++) {
        actor_loop_stop(stage->loops[i], true);
    }
}

struct actor *stage_spawn(struct stage *stage, uint32_t loop, const struct actor_class *class,
                          void *state)
{
    struct actor *actor;
    if (actor_spawn(stage->loops[loop], class, state, &actor) != STATUS_OK) {
        harness_fail("no room for an actor");
    }
    return actor;
}

static double run_once(const struct program *program, uint32_t loops_count, uint64_t size,
                       uint64_t seed)
{
    const struct actor_options options = {.actors_max = 2000,
                                          .mailbox_max = 1024,
                                          .asks_max = 131072,
                                          .spin_us = loops_count > 1 ? SPIN_US : 0};
    struct wake_up ended = {.ended = false};
    (void) pthread_mutex_init(&ended.mutex, NULL);
    (void) pthread_cond_init(&ended.changed, NULL);
    struct stage stage = {.system = actor_system_new(&options), .loops_count = loops_count};
    ASSERT(stage.system != NULL);
    stage.ended = &ended;
    for (uint32_t i = 0; i < 2; i++) {
        stage.loops[i] = i < loops_count ? actor_loop_new(stage.system, "savina") : stage.loops[0];
        ASSERT(stage.loops[i] != NULL);
    }
    program->run(&stage, size, seed);
    actor_system_free(stage.system);
    (void) pthread_cond_destroy(&ended.changed);
    (void) pthread_mutex_destroy(&ended.mutex);
    return (double) (ended.end_ns - ended.begin_ns) / (double) program->ops(size);
}

struct design {
    const char *peer;
    uint32_t loops_count;
    struct samples samples;
    uint64_t spent_ns;
};

static void print(const struct harness *harness, const struct program *program,
                  struct design *design)
{
    char note[128];
    const double best = samples_p5(&design->samples);
    (void) snprintf(note, sizeof note, "best of %zu runs, median %.1f", design->samples.count,
                    samples_median(&design->samples));
    const struct harness_row row = {.row = program->row,
                                    .peer = design->peer,
                                    .unit = program->unit,
                                    .value = best,
                                    .note = note};
    harness_row(harness, &row);
}

/* One run; the first two that a design has warm it up, unless they took all of its time. */
static void measure_once(const struct harness *harness, const struct program *program,
                         struct design *design, uint32_t run)
{
    const uint64_t budget_ns = harness_pick(harness, QUICK_BUDGET_NS, FULL_BUDGET_NS);
    if (design->spent_ns > budget_ns && design->samples.count > 0) {
        return;
    }
    const uint64_t size = design->loops_count > 1 ? program->size_2_loops : program->size;
    const uint64_t begin_ns = slice_now_ns();
    const double ns = run_once(program, design->loops_count, size, harness->seed + run);
    design->spent_ns += slice_now_ns() - begin_ns;
    if (run >= WARM_RUNS || design->spent_ns > budget_ns) {
        samples_add(&design->samples, ns);
    }
}

static void measure(const struct harness *harness, const struct program *program)
{
    const uint32_t runs = (uint32_t) harness_pick(harness, 5, 15);
    struct design designs[] = {{.peer = "ours", .loops_count = 1},
                               {.peer = "ours-2-loops", .loops_count = 2}};
    for (uint32_t run = 0; run < WARM_RUNS + runs; run++) {
        for (uint32_t i = 0; i < 2; i++) {
            if (harness_wants_peer(harness, designs[i].peer)) {
                measure_once(harness, program, &designs[i], run);
            }
        }
    }
    for (uint32_t i = 0; i < 2; i++) {
        if (designs[i].samples.count > 0) {
            print(harness, program, &designs[i]);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct program *const programs[] = {
        &program_count,   &program_pingpong, &program_pingpong_long, &program_cdict,
        &program_banking, &program_ask,      &program_ask_deadline};
    struct harness harness;
    harness_init(&harness, argc, argv, "actor");
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        if (harness_wants(&harness, programs[i]->row)) {
            harness_progress("%s", programs[i]->row);
            measure(&harness, programs[i]);
        }
    }
    return harness_fini(&harness);
}
