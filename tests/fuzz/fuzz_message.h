/* SPDX-License-Identifier: MIT */
/* Messages of canceld.proto out of a fuzzer's bytes: whatever the bytes are, the message is well formed. By
 * protobuf-c's description of the message, so a new field is fuzzed from the day it is there. */
#ifndef CANCELD_TESTS_FUZZ_MESSAGE_H
#define CANCELD_TESTS_FUZZ_MESSAGE_H

#include "fuzz_cursor.h"

#include <protobuf-c/protobuf-c.h>

/* Where the messages of one input stand. */
#define FUZZ_MEMORY_BYTES ((size_t) 1 << 20)

struct fuzz_memory {
    uint8_t *base;
    size_t used;
};

/* Forgets what was there; the first time takes the memory, for good. */
void fuzz_memory_begin(struct fuzz_memory *memory);

/* Zeroed. There is room, or the input is too long: an abort. */
void *fuzz_memory_take(struct fuzz_memory *memory, size_t size);

/* Elements of one list at the most: some more than an op may have labels. */
#define FUZZ_LIST_MAX 80

/* A byte names a field, what follows is its value, and so on until a 0 byte: a list gets one element more
 * each time it is named. Byte strings are borrowed from the input. */
void *fuzz_message(struct fuzz_cursor *cursor, struct fuzz_memory *memory,
                   const ProtobufCMessageDescriptor *descriptor);

#endif
