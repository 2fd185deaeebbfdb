/* SPDX-License-Identifier: MIT */
/* For libFuzzer: any bytes mean the same on the quick way of decoding as on the general one. */
#include "codec_equal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct codec_pair pair;
    struct frame frame;
    if (pair.quick == NULL) {
        codec_pair_init(&pair);
    }
    (void) codec_pair_agree(&pair, bytes_of(data, size), &frame);
    return 0;
}
