/* SPDX-License-Identifier: MIT */
/* The lists of a result, element by element, and our words lent to protobuf-c's structs: nothing is
 * copied, all that is lent has to outlive the packing. */
#ifndef CANCELD_WIRE_CODEC_LISTS_H
#define CANCELD_WIRE_CODEC_LISTS_H

#include "registry/frame.h"

#include "canceld.pb-c.h"

#include <stddef.h>
#include <stdint.h>

char *codec_lent_text(const char *text);
ProtobufCBinaryData codec_lent(struct bytes bytes);

/* Fills `room` and gives it; NULL where there is no cause. */
Canceld__V1__Cause *codec_lent_cause(const struct cause *cause, Canceld__V1__Cause *room);

/* Room for one element of any list. */
struct codec_element {
    union {
        ProtobufCMessage base;
        Canceld__V1__GenResult gen;
        Canceld__V1__Notice notice;
        Canceld__V1__Operation operation;
        Canceld__V1__ArmedKey armed;
        Canceld__V1__Stat stat;
        Canceld__V1__Event event;
        Canceld__V1__HistoryEntry history;
    } as;

    Canceld__V1__Cause cause;
    ProtobufCBinaryData labels[LABELS_MAX];
};

/* A list, with its name and its number in message Result. */
struct codec_list {
    const char *name;
    uint32_t number;
    size_t count_offset; /* of the size_t in struct result */
    /* Fills *element with the element `i`. */
    void (*lend)(const struct result *result, size_t i, struct codec_element *element);
};

#define CODEC_LISTS_COUNT ((size_t) 7)
extern const struct codec_list codec_lists[CODEC_LISTS_COUNT];

#endif
