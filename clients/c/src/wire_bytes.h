/* SPDX-License-Identifier: MIT */
/* Bytes of the application, as protobuf-c takes them: writable, though it only reads them. */
#ifndef CANCELD_CLIENT_WIRE_BYTES_H
#define CANCELD_CLIENT_WIRE_BYTES_H

#include <canceld/client.h>
#include <protobuf-c/protobuf-c.h>

static inline ProtobufCBinaryData wire_bytes(struct canceld_bytes bytes)
{
    union {
        const void *from;
        uint8_t *to;
    } data = {.from = bytes.data};

    return (ProtobufCBinaryData){.len = bytes.size, .data = data.to};
}

#endif
