/* SPDX-License-Identifier: MIT */
/* Bytes as people and JSON can read them. Each writes to `out`; a failure stays in its error flag. */
#ifndef CANCELD_CLI_TEXT_H
#define CANCELD_CLI_TEXT_H

#include <canceld/client.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Whether the bytes are well-formed UTF-8: no overlong forms, no surrogates, nothing above
 * U+10FFFF. Control characters are fine. */
bool text_is_utf8(struct canceld_bytes bytes);

/* How many bytes the sequence has that begins at `p`, with its code point in *point_out; 0 where it is
 * ill-formed or longer than what is left. At least one byte is left. */
size_t text_sequence(const uint8_t *p, size_t left, uint32_t *point_out);

/* With C escapes: control characters, bytes that are not UTF-8, the backslash and the double quote;
 * numbers are octal, three digits, so that what follows cannot be taken for a part of them. In
 * double quotes where a space or an equals sign is in it, or nothing. */
void text_put_escaped(FILE *out, struct canceld_bytes bytes);

/* A JSON string, its quotes included. The bytes must be UTF-8. */
void text_put_json(FILE *out, struct canceld_bytes bytes);

/* A JSON string of base64, its quotes included. */
void text_put_base64(FILE *out, struct canceld_bytes bytes);

#endif
