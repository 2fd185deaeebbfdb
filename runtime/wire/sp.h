/* SPDX-License-Identifier: MIT */
/* The SP wire of REQ and REP, for both of its ends: the handshake, and frames on IPC and TCP. Pure:
 * it does no I/O, keeps no bytes and allocates nothing, so the daemon and the client library share
 * it.
 *
 *   handshake  00 'S' 'P' 00 PP PP 00 00, sent by both ends at once; PP is the sender's protocol
 *   frame      01 on IPC alone, then the length of the rest (8 bytes, big endian), the route, the
 * payload route      words of 4 bytes, big endian; the first with its top bit set is the request id
 * and the last
 *
 * A reply carries the route of its request. Whoever reads keeps the bytes that were not consumed
 * and offers them again, with more behind them. */
#ifndef CANCELD_WIRE_SP_H
#define CANCELD_WIRE_SP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_HANDSHAKE_BYTES 8
#define SP_ROUTE_WORDS_MAX 8
#define SP_ROUTE_BYTES_MAX (4 * SP_ROUTE_WORDS_MAX)
/* The type, the length and the route. */
#define SP_HEAD_BYTES_MAX (1 + 8 + SP_ROUTE_BYTES_MAX)
#define SP_REQUEST_ID_BIT UINT32_C(0x80000000)

enum sp_role { SP_REQ, SP_REP };

enum sp_framing { SP_FRAMING_TCP, SP_FRAMING_IPC };

struct sp_route {
    uint32_t words[SP_ROUTE_WORDS_MAX];
    uint32_t words_count;
};

/* What breaks the rules; after any of them the connection has to be closed. */
#define SP_VIOLATION_TABLE(X)                                                                      \
    X(NONE, "none")                                                                                \
    X(NOT_SP, "the handshake is not SP")                                                           \
    X(PROTOCOL, "the handshake names another protocol")                                            \
    X(TYPE, "the frame is of an unknown type")                                                     \
    X(TOO_SHORT, "the frame has no room for a request id")                                         \
    X(TOO_LONG, "the frame is longer than allowed")                                                \
    X(NO_REQUEST_ID, "the frame ends before a request id")

enum sp_violation {

#define SP_VIOLATION_ENUM(name, text) SP_VIOLATION_##name,
    SP_VIOLATION_TABLE(SP_VIOLATION_ENUM)
#undef SP_VIOLATION_ENUM
};

/* One clause for people: static storage. */
const char *sp_violation_text(enum sp_violation violation);

/* ---- reading ---- */

struct sp_reader {
    enum sp_role role; /* the reader's own */
    enum sp_framing framing;
    size_t payload_max;
    bool open; /* the peer's handshake was read */
};

enum sp_found {
    SP_MORE,   /* nothing whole yet */
    SP_OPENED, /* the handshake */
    SP_FRAME,  /* a frame: route and payload */
    SP_IGNORE, /* a frame with more words in its route than SP knows: consumed, to be passed over */
    SP_BROKEN, /* a violation */
};

struct sp_step {
    enum sp_found found;
    enum sp_violation violation;
    size_t consumed; /* bytes that the caller may forget; 0 with SP_MORE and SP_BROKEN */
    size_t
        needed; /* with SP_MORE: bytes in all, from the same start, before there is more to say */
    struct sp_route route;
    const uint8_t *payload; /* within the bytes given */
    size_t payload_bytes;
};

/* For an end of this role; payloads above `payload_max` are a violation. */
void sp_reader_init(struct sp_reader *reader, enum sp_role role, enum sp_framing framing,
                    size_t payload_max);

/* Looks at what there is and takes one thing off its front. A violation is reported at the first
 * byte that shows it: a length before any payload, a wrong handshake before its end. */
struct sp_step sp_read(struct sp_reader *reader, const uint8_t *data, size_t size);

/* The longest frame that the reader takes, head and all: a buffer of this size always gets on. */
size_t sp_frame_bytes_max(const struct sp_reader *reader);

/* ---- writing ---- */

/* The handshake of an end of this role. */
void sp_write_handshake(enum sp_role role, uint8_t out[SP_HANDSHAKE_BYTES]);

/* The head of a frame with this route (1 to SP_ROUTE_WORDS_MAX words, the last one a request id),
 * to be followed by `payload_bytes` of payload. Returns the head's size. */
size_t sp_write_head(enum sp_framing framing, const struct sp_route *route, size_t payload_bytes,
                     uint8_t out[SP_HEAD_BYTES_MAX]);

#endif
