/* SPDX-License-Identifier: MIT */
/* From a state that was reached: the journal keeps everything, connections come back, what was lost is
 * asked again, owners bring back what they have and poll. Then each cancel that somebody was answered has
 * been told to its owner, or its operation has ended; and after some time nobody waits any more. */
#include "world.h"

#define POLLS 2 /* one to see, one to acknowledge */
#define STEPS 5 /* longer than every deadline, one after the other */

static void do_all(enum event_kind kind)
{
    for (uint32_t i = 0; i < events_count; i++) {
        if (events[i].kind == kind && event_is_possible(&events[i])) {
            event_apply(&events[i]);
        }
    }
}

static void check_told(void)
{
    for (uint32_t i = 0; i < world.gens_count; i++) {
        const struct gen *gen = &world.gens[i];
        if (gen->state != STATE_CANCELLING || !gen->owned) {
            continue;
        }
        EXPECT(gen->level == LEVEL_DELIVERED,
               "gen %u was cancelled, and nobody has acknowledged it", i);
        EXPECT(gen->told[NOTICE_CANCEL] == 1, "gen %u was cancelled, and its owner told %u times",
               i, gen->told[NOTICE_CANCEL]);
    }
    for (uint32_t i = 0; i < world.gens_count; i++) {
        const struct gen *gen = &world.gens[i];
        EXPECT(!gen->promised || !gen->known || gen->finished || gen->told[NOTICE_CANCEL] == 1 ||
                   gen->state == STATE_ENDED || gen->state == STATE_UNSET,
               "gen %u was promised to be cancelled, and it lives", i);
    }
}

void heal(void)
{
    world.lose_next = false;
    world.loss_used = true;
    do_all(EVENT_KEPT);
    do_all(EVENT_RESUME);
    do_all(EVENT_RETRY);
    do_all(EVENT_ADOPT);
    do_all(EVENT_ADOPT);
    do_all(EVENT_KEPT);
    for (int i = 0; i < POLLS; i++) {
        do_all(EVENT_POLL);
    }
    do_all(EVENT_KEPT);
    check_told();
    answers_compare_list();
    for (int i = 0; i < STEPS; i++) {
        do_all(EVENT_TIME);
        do_all(EVENT_KEPT);
        do_all(EVENT_POLL);
        do_all(EVENT_KEPT);
    }
    for (uint32_t i = 0; i < world.asks_count; i++) {
        EXPECT(world.asks[i].event == EVENT_POLL, "actor %u waits for ever", world.asks[i].actor);
    }
    answers_compare_list();
    registry_check(world.registry);
}
