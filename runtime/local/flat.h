/* SPDX-License-Identifier: MIT */
/* A result of the registry, copied into the memory that an ask brought for it, as its asker will have it. */
#ifndef CANCELD_LOCAL_FLAT_H
#define CANCELD_LOCAL_FLAT_H

#include "local/ask.h"

struct local_figures;

/* Bytes that an answer may take: of ops that answer with a page, and of all others. */
#define FLAT_PAGE_BYTES ((size_t) 524288)
#define FLAT_BYTES ((size_t) 65536)

/* Forgets what was written so far. */
void flat_begin(struct ask *ask);

void flat_write(struct ask *ask, const struct result *result);
void flat_error(struct ask *ask, const struct error *error);

/* The registry's rows, and those of the owner. */
void flat_stats(struct ask *ask, const struct stat_row *rows, size_t count,
                const struct local_figures *figures);

#endif
