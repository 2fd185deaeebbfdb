/* SPDX-License-Identifier: MIT */
/* ASSERT(condition): a bug of this library. It stays on in release builds. */
#ifndef CANCELD_CLIENT_CHECK_H
#define CANCELD_CLIENT_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define MUST_CHECK __attribute__((warn_unused_result))

#define ASSERT(condition)                                                                          \
    ((condition) ? (void) 0                                                                        \
                 : (void) (fprintf(stderr, "libcanceld-client: %s:%d: %s: %s is false\n",          \
                                   __FILE__, __LINE__, __func__, #condition),                      \
                           abort()))

#endif
