/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

/* The bytes of the sequence that begins at p, its code point in *point_out; 0 where it is
 * ill-formed. */
static size_t sequence(const uint8_t *p, size_t left, uint32_t *point_out)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = p[0] < 0x80         ? 1
                  : (p[0] >> 5) == 6  ? 2
                  : (p[0] >> 4) == 14 ? 3
                  : (p[0] >> 3) == 30 ? 4
                                      : 0;
    if (size == 0 || size > left) {
        return 0;
    }
    uint32_t point = size == 1 ? p[0] : p[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (p[i] & 0x3f);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    if (point < lowest[size] || point > 0x10ffff || surrogate) {
        return 0;
    }
    *point_out = point;
    return size;
}

bool utf8_is_text(struct bytes text)
{
    for (size_t i = 0; i < text.size;) {
        uint32_t point;
        size_t size = sequence(text.data + i, text.size - i, &point);
        if (size == 0 || point < 0x20 || (point >= 0x7f && point < 0xa0)) {
            return false;
        }
        i += size;
    }
    return true;
}
