/* SPDX-License-Identifier: MIT */
/* All interleavings of up to so many events in the small world (world.h), on the real registry.
 *
 *     small_world --depth 6 [--seconds 40] [--heal-one-of 1]
 *
 * A line of JSON for each figure on stdout. The exit code is 0 only where nothing was violated, where each
 * kind of event happened, and where canonical states were compared and none was found to lie. */
#include "search.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print(const char *figure, uint64_t value, const char *note)
{
    (void) printf("{\"part\": \"exhaustive\", \"figure\": \"%s\", \"value\": %" PRIu64
                  ", \"note\": \"%s\"}\n",
                  figure, value, note);
}

static bool report(const struct search_options *options, const struct search_count *counts)
{
    char name[64];
    bool good = counts->unequal == 0 && (counts->compared > 0 || options->depth < 4);
    for (uint32_t depth = 0; depth <= options->depth; depth++) {
        (void) snprintf(name, sizeof name, "states of depth %" PRIu32, depth);
        print(name, counts->states_of[depth],
              depth <= counts->depth_whole ? "all of this depth" : "not all: the time was over");
    }
    print("depth gone through whole", counts->depth_whole, "all interleavings of so many events");
    print("states", counts->states, "distinct, canonical");
    print("transitions", counts->transitions, "each with every invariant of the registry checked");
    print("states healed", counts->healed, "followed until everything had settled");
    print("pairs of ways compared", counts->compared, "two ways to one state lead to the same");
    print("pairs of ways that differ", counts->unequal, "must be 0");
    print("picture bytes", counts->picture_bytes, "of one state of the registry");
    for (uint32_t kind = 0; kind < EVENT_KINDS; kind++) {
        (void) snprintf(name, sizeof name, "events: %s", event_kind_name((enum event_kind) kind));
        print(name, counts->of_kind[kind], "");
        if (counts->of_kind[kind] == 0 && options->depth >= 4 && event_is_in_scope(kind)) {
            (void) fprintf(stderr, "exhaustive: no event of kind %s happened\n",
                           event_kind_name((enum event_kind) kind));
            good = false;
        }
    }
    return good;
}

int main(int argc, char **argv)
{
    struct search_options options = {.depth = 4, .heal_one_of = 1};
    for (int i = 1; i + 1 < argc; i += 2) {
        const uint64_t value = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--depth") == 0) {
            options.depth = (uint32_t) value;
        } else if (strcmp(argv[i], "--seconds") == 0) {
            options.seconds = value;
        } else if (strcmp(argv[i], "--heal-one-of") == 0) {
            options.heal_one_of = (uint32_t) value;
        } else if (strcmp(argv[i], "--scope") == 0) {
            options.scope = strcmp(argv[i + 1], "wide") == 0 ? SCOPE_WIDE : SCOPE_CORE;
        } else {
            options.depth = 0;
        }
    }
    if (argc % 2 == 0 || options.depth == 0 || options.depth > DEPTH_MAX ||
        options.heal_one_of == 0) {
        (void) fprintf(stderr, "usage: small_world --depth N --seconds N --heal-one-of N\n");
        return 2;
    }
    const struct search_count counts = search_run(&options);
    return report(&options, &counts) ? EXIT_SUCCESS : EXIT_FAILURE;
}
