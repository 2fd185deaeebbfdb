/* SPDX-License-Identifier: MIT */
#include "base/timer_heap.h"

static struct timer **slots(const struct timer_heap *heap)
{
    return (struct timer **) heap->region.base;
}

static void place(struct timer_heap *heap, uint32_t index, struct timer *timer)
{
    slots(heap)[index] = timer;
    timer->position = index + 1;
}

static void sift_up(struct timer_heap *heap, uint32_t index, struct timer *timer)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (slots(heap)[parent]->deadline <= timer->deadline) {
            break;
        }
        place(heap, index, slots(heap)[parent]);
        index = parent;
    }
    place(heap, index, timer);
}

static void sift_down(struct timer_heap *heap, uint32_t index, struct timer *timer)
{
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count &&
            slots(heap)[child + 1]->deadline < slots(heap)[child]->deadline) {
            child++;
        }
        if (timer->deadline <= slots(heap)[child]->deadline) {
            break;
        }
        place(heap, index, slots(heap)[child]);
        index = child;
    }
    place(heap, index, timer);
}

bool timer_heap_init(struct timer_heap *heap, uint32_t capacity)
{
    *heap = (struct timer_heap){.capacity = capacity};
    return region_init(&heap->region, (size_t) capacity * sizeof(struct timer *));
}

void timer_heap_fini(struct timer_heap *heap)
{
    region_fini(&heap->region);
    *heap = (struct timer_heap){0};
}

void timer_heap_set(struct timer_heap *heap, struct timer *timer, uint64_t deadline)
{
    if (!timer_is_set(timer)) {
        ASSERT(heap->count < heap->capacity);
        timer->deadline = deadline;
        sift_up(heap, heap->count++, timer);
        return;
    }
    uint32_t index = timer->position - 1;
    ASSERT(index < heap->count && slots(heap)[index] == timer);
    bool earlier = deadline < timer->deadline;
    timer->deadline = deadline;
    if (earlier) {
        sift_up(heap, index, timer);
    } else {
        sift_down(heap, index, timer);
    }
}

void timer_heap_clear(struct timer_heap *heap, struct timer *timer)
{
    if (!timer_is_set(timer)) {
        return;
    }
    uint32_t index = timer->position - 1;
    ASSERT(index < heap->count && slots(heap)[index] == timer);
    timer->position = 0;
    struct timer *last = slots(heap)[--heap->count];
    if (last == timer) {
        return;
    }
    /* The last one fills the hole; it may belong above or below it. */
    if (index > 0 && last->deadline < slots(heap)[(index - 1) / 2]->deadline) {
        sift_up(heap, index, last);
    } else {
        sift_down(heap, index, last);
    }
}

struct timer *timer_heap_first(const struct timer_heap *heap)
{
    return heap->count == 0 ? NULL : slots(heap)[0];
}

void timer_heap_check(const struct timer_heap *heap)
{
    ASSERT(heap->count <= heap->capacity);
    for (uint32_t i = 0; i < heap->count; i++) {
        ASSERT(slots(heap)[i]->position == i + 1);
        ASSERT(i == 0 || slots(heap)[(i - 1) / 2]->deadline <= slots(heap)[i]->deadline);
    }
}
