/* SPDX-License-Identifier: MIT */
#include "fuzz_message.h"

#include "testing.h"

#include <stdlib.h>
#include <string.h>

#define GRAIN ((size_t) 16)
#define BYTES_MAX ((size_t) 1200)

void fuzz_memory_begin(struct fuzz_memory *memory)
{
    if (memory->base == NULL) {
        memory->base = malloc(FUZZ_MEMORY_BYTES);
        CHECK(memory->base != NULL);
    }
    memory->used = 0;
}

void *fuzz_memory_take(struct fuzz_memory *memory, size_t size)
{
    size = (size + GRAIN - 1) & ~(GRAIN - 1);
    CHECK_LE(size, FUZZ_MEMORY_BYTES - memory->used);
    void *room = memory->base + memory->used;
    memory->used += size;
    memset(room, 0, size);
    return room;
}

/* Whether a message more may be made. */
static bool has_room(const struct fuzz_memory *memory)
{
    return memory->used < FUZZ_MEMORY_BYTES - 65536;
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_UINT64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    default:
        return sizeof(uint32_t);
    }
}

static char *make_string(struct fuzz_cursor *cursor, struct fuzz_memory *memory)
{
    const struct bytes bytes = fuzz_bytes(cursor, 64);
    char *text = fuzz_memory_take(memory, bytes.size + 1);
    for (size_t i = 0; i < bytes.size; i++) {
        text[i] = (char) (bytes.data[i] % 0x5f + 0x20); /* protobuf's strings are UTF-8 */
    }
    return text;
}

/* One value at `place`. */
static void set_value(struct fuzz_cursor *cursor, struct fuzz_memory *memory,
                      const ProtobufCFieldDescriptor *field, void *place)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT64:
        *(uint64_t *) place = fuzz_number(cursor);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *) place = fuzz_bool(cursor);
        break;
    case PROTOBUF_C_TYPE_BYTES: {
        const struct bytes bytes = fuzz_bytes(cursor, BYTES_MAX);
        *(ProtobufCBinaryData *) place =
            (ProtobufCBinaryData){.len = bytes.size, .data = (uint8_t *) (uintptr_t) bytes.data};
        break;
    }
    case PROTOBUF_C_TYPE_STRING:
        *(char **) place = make_string(cursor, memory);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        *(void **) place = fuzz_message(cursor, memory, field->descriptor);
        break;
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_UINT32:
        *(uint32_t *) place = (uint32_t) fuzz_number(cursor) & INT32_MAX;
        break;
    default:
        test_failed(__FILE__, __LINE__, "a type that canceld.proto does not use");
    }
}

static void add_element(struct fuzz_cursor *cursor, struct fuzz_memory *memory,
                        const ProtobufCFieldDescriptor *field, char *message)
{
    size_t *count = (size_t *) (void *) (message + field->quantifier_offset);
    char **list = (char **) (void *) (message + field->offset);
    const size_t size = size_of(field->type);
    if (*list == NULL) {
        *list = fuzz_memory_take(memory, size * FUZZ_LIST_MAX);
    }
    if (*count < FUZZ_LIST_MAX) {
        set_value(cursor, memory, field, *list + size * *count);
        ++*count;
    }
}

static void set_field(struct fuzz_cursor *cursor, struct fuzz_memory *memory,
                      const ProtobufCFieldDescriptor *field, char *message)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        add_element(cursor, memory, field, message);
        return;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        *(uint32_t *) (void *) (message + field->quantifier_offset) = field->id;
    }
    set_value(cursor, memory, field, message + field->offset);
}

void *fuzz_message(struct fuzz_cursor *cursor, struct fuzz_memory *memory,
                   const ProtobufCMessageDescriptor *descriptor)
{
    char *message = fuzz_memory_take(memory, descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, message);
    uint8_t named = fuzz_byte(cursor);
    while (named != 0 && descriptor->n_fields > 0 && has_room(memory)) {
        set_field(cursor, memory, &descriptor->fields[(named - 1U) % descriptor->n_fields],
                  message);
        named = fuzz_byte(cursor);
    }
    return message;
}
