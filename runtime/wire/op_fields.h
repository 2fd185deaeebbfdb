/* SPDX-License-Identifier: MIT */
/* Where the fields of an op's message stand in struct op: what canceld.proto says, as a table. */
#ifndef CANCELD_WIRE_OP_FIELDS_H
#define CANCELD_WIRE_OP_FIELDS_H

#include "registry/frame.h"

#include <stdint.h>

enum field_form {
    FIELD_NONE, /* there is no such field */
    FIELD_U32,  /* an enum too */
    FIELD_U64,
    FIELD_BOOL,
    FIELD_BYTES,  /* struct bytes */
    FIELD_LABELS, /* struct labels */
    FIELD_CAUSE,  /* a cause_code, and behind it a struct cause */
    FIELD_ACKS,   /* the acks of as.poll */
};

struct field_row {
    uint8_t tag;    /* as it stands on the wire: every number is below 16 */
    uint8_t form;   /* enum field_form */
    uint8_t offset; /* in the struct that is filled */
};

/* A message's rows, by the numbers of its fields. */
#define OP_FIELDS_MAX 16

struct message_fields {
    struct field_row rows[OP_FIELDS_MAX];
};

/* By enum op_kind, whose values are the numbers of message Op. */
extern const struct message_fields op_fields[OP_END];
extern const struct message_fields cause_fields; /* from the cause_code on */
extern const struct message_fields ack_fields;   /* of struct notice_ack */

#endif
