/* SPDX-License-Identifier: MIT */
/* The deadlines of the requests that somebody waits for: a binary heap. */
#ifndef CANCELD_CLIENT_DEADLINES_H
#define CANCELD_CLIENT_DEADLINES_H

#include "request.h"

struct deadlines {
    struct request **heap;
    size_t count;
    size_t capacity;
};

/* An empty heap is all zero. Holds no request at its end. */
void deadlines_fini(struct deadlines *deadlines);

/* False without memory. */
MUST_CHECK bool deadlines_add(struct deadlines *deadlines, struct request *request);

/* Does nothing where the request is not in the heap. */
void deadlines_remove(struct deadlines *deadlines, struct request *request);

/* The one with the nearest deadline; NULL where there is none. */
struct request *deadlines_first(const struct deadlines *deadlines);

#endif
