/* SPDX-License-Identifier: MIT */
/* The two ways of the codec one by one, for those who compare them. The general way goes through
 * protobuf-c: it takes all there is, and its word counts. The quick one takes what is usual, and
 * gives the same: the same frame, or the same bytes. Each function is as its namesake in codec.h. */
#ifndef CANCELD_WIRE_CODEC_GENERAL_H
#define CANCELD_WIRE_CODEC_GENERAL_H

#include "wire/codec.h"

MUST_CHECK enum error_code codec_decode_general(struct codec *codec, struct bytes body,
                                                struct frame *frame_out);

/* False: it is not for the quick way. */
MUST_CHECK bool codec_decode_quick(struct codec *codec, struct bytes body, struct frame *frame_out);

size_t codec_head_general(void *context, const struct reply_head *head, uint8_t *out, size_t room);
size_t codec_result_general(void *context, const struct result *result, uint8_t *out, size_t room);

#endif
