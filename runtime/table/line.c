/* SPDX-License-Identifier: MIT */
#include "table/line.h"

static uint32_t take_line(struct packed *overflows, uint32_t *stash)
{
    uint32_t index = *stash;
    if (index == 0) {
        return packed_take(overflows);
    }
    *stash = line_overflow(packed_at(overflows, index));
    return index;
}

struct line *line_with_room(struct packed *overflows, struct line *head, uint32_t *stash)
{
    if (line_taken(head) < LINE_SLOTS) {
        return head;
    }
    struct line *first = line_behind(overflows, head);
    if (first != NULL && line_taken(first) < LINE_SLOTS) {
        return first;
    }
    uint32_t index = take_line(overflows, stash);
    if (index == 0) {
        return NULL;
    }
    struct line *line = packed_at(overflows, index);
    *line = (struct line){.tail = line_overflow(head) << 4};
    line_set_overflow(head, index);
    return line;
}

void line_stash(struct packed *overflows, uint32_t index, uint32_t *stash)
{
    struct line *line = packed_at(overflows, index);
    line->tail = *stash << 4;
    *stash = index;
}

void line_stash_give(struct packed *overflows, uint32_t stash)
{
    while (stash != 0) {
        uint32_t index = stash;
        stash = line_overflow(packed_at(overflows, index));
        packed_give(overflows, index);
    }
}

/* Fills the gap with the last id of the line that need not be full, and gives that back if it is empty. */
void line_drop(struct packed *overflows, struct line *head, struct line *line, uint32_t slot)
{
    struct line *first = line_behind(overflows, head);
    struct line *open = first == NULL ? head : first;
    uint32_t last = line_taken(open) - 1;
    line->tags[slot] = open->tags[last];
    line->ids[slot] = open->ids[last];
    open->tags[last] = 0;
    open->ids[last] = 0;
    open->tail--;
    if (first != NULL && last == 0) {
        uint32_t index = line_overflow(head);
        line_set_overflow(head, line_overflow(first));
        packed_give(overflows, index);
    }
}

uint32_t line_count(const struct packed *overflows, const struct line *head)
{
    uint32_t count = 0;
    for (const struct line *line = head; line != NULL; line = line_behind(overflows, line)) {
        count++;
    }
    return count;
}
