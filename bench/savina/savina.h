/* SPDX-License-Identifier: MIT */
/* Programs of the Savina suite (S. Imam, V. Sarkar: "Savina - An Actor Benchmark Suite", AGERE 2014)
 * and asks, on our actor runtime. The same programs for CAF, Erlang and Go stand in bench/peers/, with
 * the same sizes, the same keys and the same counting:
 *
 *   count     one actor sends 1,000,000 messages to another; ns a message
 *   pingpong  two actors send one message back and forth, 40,000 (300,000) rounds of two; ns a message
 *   cdict-20  20 workers ask a dictionary 10,000 times each, the next when the answer is there, 10 %
 *             of them writes, keys of 32 bytes out of 65,536; ns an ask
 *   banking   a teller has 50,000 amounts moved between 1,000 accounts: teller to source, source asks
 *             destination and takes nothing else meanwhile, source answers the teller; ns a transaction
 *   ask       one actor asks another, one at a time; ns an ask
 *   ask-deadline  the same with a deadline of 5 s, which never comes */
#ifndef CANCELD_BENCH_SAVINA_H
#define CANCELD_BENCH_SAVINA_H

#include "actor/actor.h"

#include "../harness.h"

#define DICTIONARY_KEYS 65536
#define DICTIONARY_KEY_BYTES 32

/* One actor system with one loop or two, each with a thread, and how to wait for the end of a run. */
struct stage {
    struct actor_system *system;
    struct actor_loop *loops[2]; /* the same one twice where there is one */
    uint32_t loops_count;
    struct wake_up *ended;
};

/* What a program needs and says. Its run spawns actors on a stage whose loops do not run yet, calls
 * stage_play(), and frees what it had. The last actor to be done calls stage_end(). */
struct program {
    const char *row;
    const char *unit;
    uint64_t size;
    uint64_t size_2_loops; /* less, where a step takes a way between two processors */
    void (*run)(struct stage *stage, uint64_t size, uint64_t seed);
    uint64_t (*ops)(uint64_t size); /* what a run counts as */
};

/* Starts the loops, waits for stage_end(), stops them. The time between is the run's. */
void stage_play(struct stage *stage);
void stage_end(struct stage *stage);

/* Spawns, or ends the process. */
struct actor *stage_spawn(struct stage *stage, uint32_t loop, const struct actor_class *class,
                          void *state);

extern const struct program program_count;
extern const struct program program_pingpong;
extern const struct program program_pingpong_long;
extern const struct program program_cdict;
extern const struct program program_banking;
extern const struct program program_ask;
extern const struct program program_ask_deadline;

#endif
