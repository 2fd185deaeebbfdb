/* SPDX-License-Identifier: MIT */
#include "deadlines.h"

static void place(struct deadlines *deadlines, size_t index, struct request *request)
{
    deadlines->heap[index] = request;
    request->deadline_index = index + 1;
}

static void sift_up(struct deadlines *deadlines, size_t index)
{
    struct request *request = deadlines->heap[index];

    while (index > 0 && request->deadline_ns < deadlines->heap[(index - 1) / 2]->deadline_ns) {
        place(deadlines, index, deadlines->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    place(deadlines, index, request);
}

static void sift_down(struct deadlines *deadlines, size_t index)
{
    struct request *request = deadlines->heap[index];

    for (size_t child = 2 * index + 1; child < deadlines->count; child = 2 * index + 1) {
        if (child + 1 < deadlines->count &&
            deadlines->heap[child + 1]->deadline_ns < deadlines->heap[child]->deadline_ns)
            child++;
        if (request->deadline_ns <= deadlines->heap[child]->deadline_ns)
            break;
        place(deadlines, index, deadlines->heap[child]);
        index = child;
    }
    place(deadlines, index, request);
}

void deadlines_fini(struct deadlines *deadlines)
{
    ASSERT(deadlines->count == 0);
    free(deadlines->heap);
    *deadlines = (struct deadlines){0};
}

bool deadlines_add(struct deadlines *deadlines, struct request *request)
{
    ASSERT(request->deadline_index == 0);
    if (deadlines->count == deadlines->capacity) {
        size_t capacity = deadlines->capacity == 0 ? 64 : deadlines->capacity * 2;
        struct request **heap = realloc(deadlines->heap, capacity * sizeof(struct request *));

        if (heap == NULL)
            return false;
        deadlines->heap = heap;
        deadlines->capacity = capacity;
    }
    deadlines->heap[deadlines->count++] = request;
    sift_up(deadlines, deadlines->count - 1);
    return true;
}

void deadlines_remove(struct deadlines *deadlines, struct request *request)
{
    size_t index = 0;
    struct request *last = NULL;

    if (request->deadline_index == 0)
        return;
    index = request->deadline_index - 1;
    request->deadline_index = 0;
    last = deadlines->heap[--deadlines->count];
    if (last == request)
        return;
    place(deadlines, index, last);
    sift_up(deadlines, index);
    sift_down(deadlines, last->deadline_index - 1);
}

struct request *deadlines_first(const struct deadlines *deadlines)
{
    return deadlines->count == 0 ? NULL : deadlines->heap[0];
}
