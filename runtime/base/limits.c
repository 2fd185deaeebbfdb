/* SPDX-License-Identifier: MIT */
#include "base/limits.h"

const struct limit_row limit_rows[] = {
#define LIMITS_ROW(name, default_, lowest, highest, reason)                                        \
    {#name, reason, default_, lowest, highest, offsetof(struct limits, name)},
    LIMITS_TABLE(LIMITS_ROW)
#undef LIMITS_ROW
};
const size_t limit_rows_count = sizeof limit_rows / sizeof limit_rows[0];

struct limits limits_default(void)
{
    return (struct limits){
#define LIMITS_DEFAULT(name, default_, lowest, highest, reason) .name = default_,
        LIMITS_TABLE(LIMITS_DEFAULT)
#undef LIMITS_DEFAULT
    };
}
