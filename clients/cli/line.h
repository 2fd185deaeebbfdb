/* SPDX-License-Identifier: MIT */
/* One line of output, for people (ANSWER KEY name=value ...) or as a JSON object, from the same
 * calls. It is written as a whole at its end, so that lines of several writers do not mix. */
#ifndef CANCELD_CLI_LINE_H
#define CANCELD_CLI_LINE_H

#include <canceld/client.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct line {
    FILE *out;
    FILE *text; /* what is there of the line */
    char *bytes;
    size_t bytes_count;
    bool is_json;
    bool is_begun; /* a field stands before the next one */
};

/* Each line_begin has its line_end, which writes to `out` and flushes it. A failed write stays in
 * the error flag of `out`; without memory the process ends. */
void line_begin(struct line *line, FILE *out, bool is_json);
void line_end(struct line *line);

/* A word of ours: people read the value alone. */
void line_word(struct line *line, const char *name, const char *word);
/* A word of ours with its name. */
void line_named(struct line *line, const char *name, const char *word);
void line_number(struct line *line, const char *name, uint64_t number);
/* A time of day, as in 2026-11-22T01:02:03.004Z: people read the value alone. */
void line_time(struct line *line, const char *name, uint64_t unix_ms);
/* Gens and sessions are strings in JSON: they do not fit into a double. */
void line_gen(struct line *line, const char *name, uint64_t number);
/* `name`_ms: in JSON so many milliseconds, for people 1.5s or 250ms. */
void line_duration(struct line *line, const char *name, uint64_t ms);
/* In JSON true or false; people read of it only where it holds. */
void line_flag(struct line *line, const char *name, bool holds);
/* A key: people read the value alone; `key` in JSON, or `key_b64` where it is not UTF-8. */
void line_key(struct line *line, struct canceld_bytes key);
/* Bytes of others; left out when empty; `name`, or `name`_b64 where they are not UTF-8. */
void line_bytes(struct line *line, const char *name, struct canceld_bytes bytes);
void line_text(struct line *line, const char *name, const char *text);
/* A remark at the line's end: `text` in JSON, in brackets for people. */
void line_remark(struct line *line, const char *text);
/* Left out where there is no cause. In JSON an object. */
void line_cause(struct line *line, const struct canceld_cause *cause);

/* JSON alone: an element of an array of texts; what is not UTF-8 is in base64. */
void line_element(struct line *line, struct canceld_bytes bytes);

/* JSON alone: values in an object or an array. Without a name for the elements of an array. */
void line_open(struct line *line, const char *name, char bracket);
void line_close(struct line *line, char bracket);

#endif
