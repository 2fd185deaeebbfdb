/* SPDX-License-Identifier: MIT */
/* The quick way out: a reply's head, and results as nearly all are, written straight into the reply.
 * Errors, bounds named, and what answers open, armed, stats, watch and history go through protobuf-c
 * (codec_general.h); so does what may not fit, for which has to be said exactly whether it does. The
 * bytes are those that protobuf-c would have written. */
#ifndef CANCELD_WIRE_RESULT_WRITER_H
#define CANCELD_WIRE_RESULT_WRITER_H

#include "base/check.h"
#include "registry/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True: *size_out bytes were written. False: it is not for here; `out` may have been written to. */
MUST_CHECK bool result_write_head(const struct reply_head *head, uint8_t *out, size_t room,
                                  size_t *size_out);
MUST_CHECK bool result_write(const struct result *result, uint8_t *out, size_t room,
                             size_t *size_out);

#endif
