/* SPDX-License-Identifier: MIT */
/* The search through the small world: see search.c. */
#ifndef CANCELD_TESTS_EXHAUSTIVE_SEARCH_H
#define CANCELD_TESTS_EXHAUSTIVE_SEARCH_H

#include "world.h"

enum { DEPTH_MAX = 8 };

struct search_options {
    enum scope scope;
    uint32_t depth;       /* 1 to DEPTH_MAX */
    uint32_t heal_one_of; /* of so many new states one is followed until everything has settled */
    uint64_t seconds;     /* 0: as long as it takes */
};

struct search_count {
    uint64_t states;
    uint64_t states_of[DEPTH_MAX + 1]; /* first reached by so many events */
    uint64_t transitions;
    uint64_t of_kind[EVENT_KINDS];
    uint64_t healed;
    uint64_t compared; /* pairs of ways to one state */
    uint64_t unequal;  /* of them, that did not lead to the same states */
    uint64_t picture_bytes;
    uint64_t again;       /* the search began again, for the pictures were not whole */
    uint32_t depth_whole; /* every state up to this depth was gone through */
};

struct search_count search_run(const struct search_options *options);

#endif
