/* SPDX-License-Identifier: MIT */
#include "server/refusal.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    int exit_code;
} refusals[] = {[REFUSAL_NONE] = {"NONE", 0},

#define REFUSAL_ROW(name, exit_code) [REFUSAL_##name] = {#name, exit_code},
                REFUSAL_TABLE(REFUSAL_ROW)
#undef REFUSAL_ROW
};

bool refuse(struct refusal *refusal, enum refusal_code code, const char *format, ...)
{
    va_list arguments;

    refusal->code = code;
    va_start(arguments, format);
    /* A sentence too long for the buffer is cut: it names the reason first. */
    (void) vsnprintf(refusal->text, sizeof refusal->text, format, arguments);
    va_end(arguments);
    return false;
}

const char *refusal_name(enum refusal_code code)
{
    ASSERT((size_t) code < sizeof refusals / sizeof refusals[0]);
    return refusals[code].name;
}

int refusal_exit_code(enum refusal_code code)
{
    ASSERT((size_t) code < sizeof refusals / sizeof refusals[0]);
    return refusals[code].exit_code;
}
