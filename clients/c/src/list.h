/* SPDX-License-Identifier: MIT */
/* A doubly linked list through its members. A list and each member is a struct link; a member that is in
 * no list points at itself, so taking it out twice is harmless. Nothing is allocated. */
#ifndef CANCELD_CLIENT_LIST_H
#define CANCELD_CLIENT_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *prev;
    struct link *next;
};

/* The struct of which `link` is the member `field`. */
#define LINK_OWNER(link, type, field) ((type *) (void *) ((char *) (link) -offsetof(type, field)))

static inline void link_init(struct link *link)
{
    link->prev = link;
    link->next = link;
}

/* Of a member: it is in no list. Of a list: it is empty. */
static inline bool link_is_alone(const struct link *link)
{
    return link->next == link;
}

static inline void link_insert_before(struct link *link, struct link *place)
{
    link->prev = place->prev;
    link->next = place;
    place->prev->next = link;
    place->prev = link;
}

static inline void list_append(struct link *list, struct link *link)
{
    link_insert_before(link, list);
}

static inline void list_prepend(struct link *list, struct link *link)
{
    link_insert_before(link, list->next);
}

static inline void link_remove(struct link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link_init(link);
}

/* The first member, taken out; NULL from an empty list. */
static inline struct link *list_take(struct link *list)
{
    struct link *first = list->next;

    if (first == list)
        return NULL;
    link_remove(first);
    return first;
}

/* Moves every member of `from` to the front of `list`, in their order. */
static inline void list_prepend_all(struct link *list, struct link *from)
{
    if (link_is_alone(from))
        return;
    from->prev->next = list->next;
    list->next->prev = from->prev;
    from->next->prev = list;
    list->next = from->next;
    link_init(from);
}

#endif
