/* SPDX-License-Identifier: MIT */
/* A journal record as a run of bytes: what the owner copies into its buffer, and what a row's seal
 * is made of. Only what is not zero takes room. The bytes stay within one process and one run (the
 * seal's hash of them does not: see row.h), so they are in the machine's order. */
#ifndef CANCELD_JOURNAL_RECORD_PACK_H
#define CANCELD_JOURNAL_RECORD_PACK_H

#include "registry/journal_record.h"

#include <stddef.h>
#include <stdint.h>

/* Of a record whose texts are within their bounds, which is an ASSERT. */
#define RECORD_PACK_BYTES_MAX ((size_t) 1024)

/* Writes the record at `out` and returns the bytes written. */
size_t record_pack(const struct journal_record *record, uint8_t out[RECORD_PACK_BYTES_MAX]);

/* What record_pack() wrote; the texts are borrowed from `in`. Returns the bytes read. */
size_t record_unpack(const uint8_t *in, struct journal_record *record_out);

#endif
