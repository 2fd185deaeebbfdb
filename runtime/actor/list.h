/* SPDX-License-Identifier: MIT */
/* An intrusive two-way list: a head is a link that list_init() closed upon itself, and a link that
 * is all zero is in no list. The list owns nothing. Not thread-safe: one owner. */
#ifndef CANCELD_ACTOR_LIST_H
#define CANCELD_ACTOR_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_link {
    struct list_link *next;
    struct list_link *previous;
};

/* The struct of type `type` whose member `member` the link is. */
#define LIST_OWNER(link, type, member) ((type *) (void *) ((char *) (link) -offsetof(type, member)))

static inline void list_init(struct list_link *head)
{
    *head = (struct list_link){.next = head, .previous = head};
}

static inline bool list_is_linked(const struct list_link *link)
{
    return link->next != NULL;
}

/* NULL where the list is empty. */
static inline struct list_link *list_first(const struct list_link *head)
{
    return head->next == head ? NULL : head->next;
}

static inline struct list_link *list_last(const struct list_link *head)
{
    return head->previous == head ? NULL : head->previous;
}

/* NULL after the last one. */
static inline struct list_link *list_after(const struct list_link *head,
                                           const struct list_link *link)
{
    return link->next == head ? NULL : link->next;
}

/* `link` must be in no list. */
static inline void list_append(struct list_link *head, struct list_link *link)
{
    *link = (struct list_link){.next = head, .previous = head->previous};
    head->previous->next = link;
    head->previous = link;
}

/* Does nothing where the link is in no list. */
static inline void list_remove(struct list_link *link)
{
    if (list_is_linked(link)) {
        link->previous->next = link->next;
        link->next->previous = link->previous;
        *link = (struct list_link){0};
    }
}

#endif
