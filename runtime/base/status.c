/* SPDX-License-Identifier: MIT */
#include "base/status.h"

#include "base/check.h"

static const struct {
    const char *name;
    const char *text;
} rows[] = {

#define STATUS_ROW(name, text) {#name, text},
    STATUS_TABLE(STATUS_ROW)
#undef STATUS_ROW
};

const char *status_name(enum status status)
{
    ASSERT((unsigned) status < sizeof rows / sizeof rows[0]);
    return rows[status].name;
}

const char *status_text(enum status status)
{
    ASSERT((unsigned) status < sizeof rows / sizeof rows[0]);
    return rows[status].text;
}
