/* SPDX-License-Identifier: MIT */
/* Inputs that are text, so that a corpus can be read and written by hand; and files that are no files. */
#ifndef CANCELD_TESTS_FUZZ_TEXT_H
#define CANCELD_TESTS_FUZZ_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZ_TEXT_BYTES_MAX ((size_t) 16384)

/* The input as a string of its own, with a terminator behind it, in one static room; it is cut off at
 * FUZZ_TEXT_BYTES_MAX. */
char *fuzz_text_of(const uint8_t *data, size_t size);

/* Takes the first line off *text and ends it with a terminator; NULL where nothing is left. */
char *fuzz_text_line(char **text);

/* Takes the lines up to the first empty one. The sections of an input are apart by empty lines. Returns how
 * many there are, at most `lines_max`: those beyond are passed over. */
size_t fuzz_text_section(char **text, char **lines, size_t lines_max);

/* What text_file_read() finds, which is wrapped: a file called "FUZZ" holds this text, any other one is the
 * key of a tokens file. */
void fuzz_text_file(const char *text);

#endif
