/* SPDX-License-Identifier: MIT */
/* Whether the two ways of decoding a frame agree: for the test and for the fuzzer. */
#ifndef CANCELD_TESTS_CODEC_EQUAL_H
#define CANCELD_TESTS_CODEC_EQUAL_H

#include "wire/codec_general.h"

/* One codec for each way, with the same key. */
struct codec_pair {
    struct codec *quick;
    struct codec *general;
};

void codec_pair_init(struct codec_pair *pair);
void codec_pair_fini(struct codec_pair *pair);

/* Decodes both ways, and fails the case where they do not agree. True: the quick way took it, and
 * *frame_out is what it made of it. */
bool codec_pair_agree(const struct codec_pair *pair, struct bytes body, struct frame *frame_out);

#endif
