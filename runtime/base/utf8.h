/* SPDX-License-Identifier: MIT */
#ifndef CANCELD_BASE_UTF8_H
#define CANCELD_BASE_UTF8_H

#include "base/bytes.h"

/* Whether the bytes are well-formed UTF-8 (no overlong forms, no surrogates, nothing above
 * U+10FFFF) without control characters (C0, DEL, C1). */
bool utf8_is_text(struct bytes text);

#endif
