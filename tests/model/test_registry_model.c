/* SPDX-License-Identifier: MIT */
/* The registry against a naive model of the contract: made-up events, the same answers.
 *
 *     test_registry_model [seed [steps]]
 *
 * The seed is printed; the same one plays the same rounds. Where the two disagree, the round is played
 * again and its last events are printed. */
#include "base/check.h"
#include "model/round.h"
#include "support/testing.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS_DEFAULT ((uint64_t) 1000000)
#define STEPS_JUDGED ((uint64_t) 500000) /* fewer cannot be sure to reach every answer */
#define ROUND_STEPS ((uint64_t) 12500)
#define TRACE_STEPS 30

/* Says where we were when the registry found a bug in itself. */
static char where[160];

static void on_abort(int number)
{
    (void) number;
    (void) !write(STDERR_FILENO, where, strlen(where));
}

static bool play(const struct round_config *config, struct coverage *coverage)
{
    uint64_t step = 0;
    (void) snprintf(where, sizeof where, "aborted in a round of %s with seed %" PRIu64 "\n",
                    config->mode->name, config->seed);
    if (round_play(config, coverage, &step)) {
        return true;
    }
    struct round_config again = *config;
    struct coverage ignored = {0};
    again.trace_from = step > TRACE_STEPS ? step - TRACE_STEPS : 0;
    (void) fprintf(stderr, "---- the same round again, its last events:\n");
    (void) round_play(&again, &ignored, &step);
    return false;
}

/* The modes in turn; one that is slow for its many operations comes once in two turns. */
static const struct script_mode *mode_of(uint64_t number)
{
    const struct script_mode *mode = &script_modes[number % script_modes_count];
    bool is_due = mode->steps_percent == 0 || number / script_modes_count % 2 == 0;
    return is_due ? mode : &script_modes[0];
}

static bool play_all(uint64_t seed, uint64_t steps, struct coverage *coverage)
{
    uint64_t round_steps = steps / 16 < ROUND_STEPS ? steps / 16 + 1 : ROUND_STEPS;
    uint64_t number = 0;
    for (uint64_t done = 0; done < steps; number++) {
        const struct script_mode *mode = mode_of(number);
        uint64_t percent = mode->steps_percent == 0 ? 100 : mode->steps_percent;
        struct round_config config = {
            .mode = mode,
            .seed = seed + number,
            .steps = round_steps * percent / 100 + 1,
            .check_every = number % 8 == 0 ? 1 : 64,
            .trace_from = UINT64_MAX,
        };
        done += config.steps;
        if (!play(&config, coverage)) {
            return false;
        }
    }
    return true;
}

/* One round alone, from its own seed, its mode's number and the step to print from: for a round that
 * aborts. */
static int play_one(char **argv)
{
    struct coverage coverage = {0};
    struct round_config config = {
        .mode = &script_modes[strtoull(argv[3], NULL, 10) % script_modes_count],
        .seed = strtoull(argv[1], NULL, 10),
        .steps = strtoull(argv[2], NULL, 10),
        .check_every = 1,
        .trace_from = strtoull(argv[4], NULL, 10),
    };
    uint64_t step = 0;
    return round_play(&config, &coverage, &step) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : test_seed();
    uint64_t steps = argc > 2 ? strtoull(argv[2], NULL, 10) : TEST_SCALE(STEPS_DEFAULT);
    struct coverage coverage = {0};
    struct sigaction action = {.sa_handler = on_abort};
    (void) sigaction(SIGABRT, &action, NULL);
    if (argc > 4) {
        return play_one(argv);
    }
    (void) printf("seed %" PRIu64 ", %" PRIu64 " steps\n", seed, steps);
    (void) fflush(stdout);
    if (!play_all(seed, steps, &coverage)) {
        (void) printf("seed %" PRIu64 "\n", seed);
        return EXIT_FAILURE;
    }
    bool complete = coverage_report(&coverage, stdout);
    return complete || steps < STEPS_JUDGED ? EXIT_SUCCESS : EXIT_FAILURE;
}
