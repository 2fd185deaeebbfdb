/* SPDX-License-Identifier: MIT */
/* Between the bytes of canceld.proto and the registry's frames and results. Nothing else in the
 * daemon knows protobuf.
 *
 * Decoding uses one block of memory that the codec owns, and of it no more than a frame may cost;
 * no frame of the contract comes near that bound. Encoding uses the stack. Nothing is allocated
 * after codec_new(). Not thread-safe: one owner. */
#ifndef CANCELD_WIRE_CODEC_H
#define CANCELD_WIRE_CODEC_H

#include "base/check.h"
#include "base/siphash.h"
#include "registry/frame.h"

struct codec;

/* The key, which should be random, is that of every frame's ops_digest. NULL where memory cannot be
 * had. */
struct codec *codec_new(const struct siphash_key *digest_key);
void codec_free(struct codec *codec);

/* Decodes the body of a request. ERROR_UNSET: *frame_out is the frame, and its bytes are borrowed
 * from `body`, and from the codec until the next codec_decode(). Otherwise the frame
 * is refused for ERROR_MALFORMED    it is not the bytes of a Frame; ERROR_OP_COUNT     more than
 * FRAME_OPS_MAX ops; ERROR_ANSWERED     more than FRAME_ANSWERED_MAX `answered`; ERROR_TOO_COMPLEX
 * it would cost more memory than a frame may, and *frame_out holds version, session and request id
 * as far as they could be read, and no ops.
 *
 * A frame of another version comes out without its ops, whose meaning is not ours to guess: the
 * registry refuses it for its version. So does an empty body, which is version 0. An op of no known
 * kind is OP_UNKNOWN. Where one op was given twice in one place the last counts, whole. Of a list
 * of acks or labels that is too long, one more than POLL_ACKS_MAX or LABELS_MAX are given: enough
 * to be refused. */
MUST_CHECK enum error_code codec_decode(struct codec *codec, struct bytes body,
                                        struct frame *frame_out);

/* Overwrites the codec's own copies of what was decoded last: for frames that hold a secret. */
void codec_forget(struct codec *codec);

/* The head() and result() of a registry_port: see there. The context is not used. */
size_t codec_head(void *context, const struct reply_head *head, uint8_t *out, size_t room);
size_t codec_result(void *context, const struct result *result, uint8_t *out, size_t room);

/* The whole reply to a frame that codec_decode() refused, in at most CODEC_REFUSAL_BYTES_MAX bytes;
 * returns the bytes written. */
#define CODEC_REFUSAL_BYTES_MAX ((size_t) 256)
size_t codec_refuse(const struct frame *frame, enum error_code code, uint8_t *out, size_t room);

/* Asserts that what is written by hand here has the numbers of canceld.proto. */
void codec_check(void);

#endif
