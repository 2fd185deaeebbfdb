/* SPDX-License-Identifier: MIT */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *condition, const char *file, int line, const char *function)
{
    (void) fprintf(stderr, "canceld: bug: %s is false in %s (%s:%d)\n", condition, function, file,
                   line);
    abort();
}
