/* SPDX-License-Identifier: MIT */
#include "wire/op_fields.h"

#include <stddef.h>

#define WIRE_VARINT 0
#define WIRE_LENGTH 2

#define ROW(number, wire_type, form_, offset_)                                                     \
    [number] = {                                                                                   \
        .tag = (number) << 3 | (wire_type), .form = FIELD_##form_, .offset = (uint8_t) (offset_)}

#define NUMBER(number, form_, member) ROW(number, WIRE_VARINT, form_, offsetof(struct op, member))
#define RUN(number, form_, member) ROW(number, WIRE_LENGTH, form_, offsetof(struct op, member))

_Static_assert(sizeof(struct op) <= UINT8_MAX, "an offset is a byte");

/* Store and adopt have these in common. */
#define STORE_ROWS                                                                                 \
    RUN(1, BYTES, space), RUN(2, BYTES, key), NUMBER(3, U32, as.store.policy),                     \
        NUMBER(4, U32, as.store.ttl_ms), NUMBER(5, U32, as.store.on_expiry),                       \
        NUMBER(6, U32, as.store.stop_grace_ms), NUMBER(7, U32, as.store.on_owner_loss),            \
        RUN(8, BYTES, as.store.meta), NUMBER(9, U64, as.store.parent),                             \
        RUN(10, LABELS, as.store.labels)

#define TARGET_ROWS RUN(1, BYTES, space), RUN(2, BYTES, key), NUMBER(3, U64, gen)

const struct message_fields op_fields[OP_END] = {
    [OP_OPEN] = {{RUN(1, BYTES, space), RUN(2, BYTES, as.open.client_name),
                  NUMBER(3, U32, as.open.heartbeat_ms), NUMBER(4, U64, as.open.resume_session),
                  RUN(5, BYTES, as.open.resume_secret), RUN(6, BYTES, as.open.token)}},
    [OP_STORE] = {{STORE_ROWS}},
    [OP_CANCEL] = {{TARGET_ROWS, RUN(4, CAUSE, as.cancel.cause_code),
                    NUMBER(5, U32, as.cancel.level), NUMBER(6, U32, as.cancel.deadline_ms),
                    NUMBER(7, U32, as.cancel.arm_ttl_ms), NUMBER(8, U64, as.cancel.after_gen),
                    RUN(9, BYTES, as.cancel.label), NUMBER(10, U64, as.cancel.owner),
                    NUMBER(11, BOOL, as.cancel.whole_namespace)}},
    [OP_DELETE] = {{TARGET_ROWS, NUMBER(4, U32, as.delete.outcome)}},
    [OP_TOUCH] = {{TARGET_ROWS, NUMBER(4, U32, as.touch.ttl_ms)}},
    [OP_POLL] = {{RUN(1, ACKS, as.poll), NUMBER(2, U64, as.poll.after),
                  NUMBER(3, U32, as.poll.wait_ms)}},
    [OP_WAIT] = {{TARGET_ROWS, NUMBER(4, U32, as.wait.until), NUMBER(5, U32, as.wait.deadline_ms)}},
    [OP_GET] = {{TARGET_ROWS}},
    [OP_LIST] = {{RUN(1, BYTES, space), NUMBER(2, U32, as.list.state),
                  NUMBER(3, U64, as.list.owner), NUMBER(4, U64, as.list.cursor),
                  NUMBER(5, U32, as.list.page_size), RUN(6, LABELS, as.list.labels),
                  NUMBER(7, U32, as.list.order)}},
    [OP_COUNT] = {{RUN(1, BYTES, space), NUMBER(2, U32, as.list.state),
                   NUMBER(3, U64, as.list.owner), RUN(4, LABELS, as.list.labels)}},
    [OP_ARMED] = {{RUN(1, BYTES, space), NUMBER(2, U64, as.list.cursor)}},
    [OP_DISARM] = {{RUN(1, BYTES, space), RUN(2, BYTES, key)}},
    [OP_PING] = {{{0}}},
    [OP_STATS] = {{{0}}},
    [OP_CLOSE] = {{{0}}},
    [OP_ADOPT] = {{STORE_ROWS, NUMBER(11, U64, gen), RUN(12, CAUSE, as.store.cause_code),
                   NUMBER(13, U64, as.store.previous_session)}},
    [OP_DETACH] = {{TARGET_ROWS}},
    [OP_WATCH] = {{RUN(1, BYTES, space), NUMBER(2, U64, as.watch.epoch),
                   NUMBER(3, U64, as.watch.revision), NUMBER(4, U64, as.watch.cursor),
                   NUMBER(5, U32, as.watch.wait_ms)}},
    [OP_DRAIN] = {{RUN(1, BYTES, space), NUMBER(2, U64, as.drain.owner),
                   NUMBER(3, BOOL, as.drain.daemon), NUMBER(4, U32, as.drain.deadline_ms),
                   RUN(5, BYTES, as.drain.cause.text), RUN(6, BYTES, as.drain.cause.actor)}},
    [OP_UNDRAIN] = {{RUN(1, BYTES, space), NUMBER(2, U64, as.drain.owner),
                     NUMBER(3, BOOL, as.drain.daemon)}},
    [OP_HISTORY] = {{RUN(1, BYTES, space), RUN(2, BYTES, key), NUMBER(3, U64, as.list.cursor),
                     NUMBER(4, U32, as.list.page_size)}},
};

/* A cause stands behind its code alike wherever it stands. */
struct coded_cause {
    uint32_t code;
    struct cause cause;
};

_Static_assert(offsetof(struct op, as.cancel.cause) - offsetof(struct op, as.cancel.cause_code) ==
                   offsetof(struct coded_cause, cause),
               "a cancel's");
_Static_assert(offsetof(struct op, as.store.cause) - offsetof(struct op, as.store.cause_code) ==
                   offsetof(struct coded_cause, cause),
               "an adopt's");

const struct message_fields cause_fields = {
    {ROW(1, WIRE_VARINT, U32, offsetof(struct coded_cause, code)),
     ROW(2, WIRE_LENGTH, BYTES, offsetof(struct coded_cause, cause.text)),
     ROW(3, WIRE_LENGTH, BYTES, offsetof(struct coded_cause, cause.actor)),
     ROW(4, WIRE_LENGTH, BYTES, offsetof(struct coded_cause, cause.peer))}};

const struct message_fields ack_fields = {
    {ROW(1, WIRE_VARINT, U64, offsetof(struct notice_ack, gen)),
     ROW(2, WIRE_VARINT, U32, offsetof(struct notice_ack, kind))}};
