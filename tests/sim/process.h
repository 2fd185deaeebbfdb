/* SPDX-License-Identifier: MIT */
/* The simulated processes: each has a client, which is the real engine of libcanceld-client under a shell that moves
 * its bytes, keeps its time and calls back; and an application, which stores, cancels, waits and finishes as it
 * likes. A process can be killed, stalled, and born anew. */
#ifndef CANCELD_TESTS_SIM_PROCESS_H
#define CANCELD_TESTS_SIM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct world;
struct process;

struct process *process_new(unsigned number);
void process_free(struct process *process);

/* ---- what happens ---- */

void process_birth(struct world *world, unsigned number);
void process_io(struct world *world, unsigned number);
void process_act(struct world *world, unsigned number);
void process_callback(struct world *world, unsigned number);
void process_arrive(struct world *world, unsigned link);

/* kill -9. */
void process_kill(struct world *world, unsigned number);
void process_stall(struct world *world, unsigned number, uint64_t until_ns);
void process_jump(struct world *world, unsigned number, uint64_t ns);
bool process_is_alive(const struct world *world, unsigned number);

/* The link of the process that it uses; LINKS_MAX: none. */
unsigned process_link(const struct world *world, unsigned number);

/* A fault of the world touches its lease: its session may be lost from now on. */
void process_disturb(struct world *world, unsigned number);

/* ---- healing ---- */

/* It makes no request any more of its own accord. */
void process_heal(struct world *world, unsigned number);

/* Every operation that it holds knows of its cancel, if anybody was answered so. */
bool process_knows(struct world *world, unsigned number);

/* Finishes what it holds. */
void process_finish_all(struct world *world, unsigned number);

/* Nothing is held, and no call is on its way. */
bool process_is_settled(const struct world *world, unsigned number);

/* Asks how many operations there are. */
void process_count(struct world *world, unsigned number);

/* Its answer, once it is there. */
bool process_counted(const struct world *world, unsigned number, uint64_t *count_out);

/* Ends its session, and whether that is done. */
void process_close(struct world *world, unsigned number);
bool process_is_closed(const struct world *world, unsigned number);

/* The world is over. */
void process_end(struct world *world, unsigned number);

#endif
