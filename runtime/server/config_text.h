/* SPDX-License-Identifier: MIT */
/* The bytes of the configuration file, and a look at them before libconfig has its own.
 *
 * That look is for what libconfig 1.5 does silently or with exit(): an integer that is too large is
 * cut to other digits, an @include may name a directory, a NUL ends the text, a text that nothing ends
 * is never freed. All of these are refused, with the line. */
#ifndef CANCELD_SERVER_CONFIG_TEXT_H
#define CANCELD_SERVER_CONFIG_TEXT_H

#include "base/check.h"
#include "server/refusal.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads a whole file of at most `size_max` bytes, which has to be a regular one, to hold no NUL, and
 * none of the bits of `forbidden` in its mode: *text_out is for free(), with a terminator behind its
 * last byte. Takes what the disk takes, but
 * never waits for somebody, as a FIFO would. */
MUST_CHECK bool text_file_read(const char *path, size_t size_max, mode_t forbidden, char **text_out,
                               struct refusal *refusal);

#define TEXT_FILE_PUBLIC ((mode_t) 0002) /* anybody may read it, not anybody may write it */
#define TEXT_FILE_SHARED ((mode_t) 0007) /* with a group */
#define TEXT_FILE_SECRET ((mode_t) 0077)

/* Whether libconfig may have it. `path` is for the sentence. */
MUST_CHECK bool config_text_check(const char *path, const char *text, struct refusal *refusal);

#endif
