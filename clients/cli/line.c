/* SPDX-License-Identifier: MIT */
#include "line.h"

#include "exit_code.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

__attribute__((noreturn)) static void no_memory(void)
{
    (void) fputs("cancelctl: memory could not be had\n", stderr);
    exit(EXIT_CODE_OTHER);
}

void line_begin(struct line *line, FILE *out, bool is_json)
{
    *line = (struct line){.out = out, .is_json = is_json};
    line->text = open_memstream(&line->bytes, &line->bytes_count);
    if (line->text == NULL) {
        no_memory();
    }
    if (is_json) {
        (void) fputc('{', line->text);
    }
}

/* It is written before the stream is closed: closing allocates again, and where that fails the text is gone, without
 * an error. */
void line_end(struct line *line)
{
    (void) fputs(line->is_json ? "}\n" : "\n", line->text);
    if (fflush(line->text) != 0 || line->bytes_count == 0 ||
        line->bytes[line->bytes_count - 1] != '\n') {
        no_memory();
    }
    (void) fwrite(line->bytes, 1, line->bytes_count, line->out);
    (void) fflush(line->out);
    (void) fclose(line->text);
    free(line->bytes);
}

/* What stands before a value. `suffix` is for JSON names alone. */
static void name_put(struct line *line, const char *name, const char *suffix)
{
    if (line->is_begun) {
        (void) fputc(line->is_json ? ',' : ' ', line->text);
    }
    line->is_begun = true;
    if (name == NULL) {
        return;
    }
    if (line->is_json) {
        (void) fprintf(line->text, "\"%s%s\":", name, suffix);
    } else {
        (void) fprintf(line->text, "%s=", name);
    }
}

void line_word(struct line *line, const char *name, const char *word)
{
    name_put(line, line->is_json ? name : NULL, "");
    (void) fprintf(line->text, line->is_json ? "\"%s\"" : "%s", word);
}

void line_named(struct line *line, const char *name, const char *word)
{
    name_put(line, name, "");
    (void) fprintf(line->text, line->is_json ? "\"%s\"" : "%s", word);
}

void line_number(struct line *line, const char *name, uint64_t number)
{
    name_put(line, name, "");
    (void) fprintf(line->text, "%" PRIu64, number);
}

void line_gen(struct line *line, const char *name, uint64_t number)
{
    name_put(line, name, "");
    (void) fprintf(line->text, line->is_json ? "\"%" PRIu64 "\"" : "%" PRIu64, number);
}

void line_time(struct line *line, const char *name, uint64_t unix_ms)
{
    time_t seconds = (time_t) (unix_ms / 1000);
    char text[32] = "";
    struct tm tm;

    name_put(line, line->is_json ? name : NULL, "");
    if (gmtime_r(&seconds, &tm) != NULL) {
        (void) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    }
    (void) fprintf(line->text, line->is_json ? "\"%s.%03uZ\"" : "%s.%03uZ", text,
                   (unsigned) (unix_ms % 1000));
}

void line_duration(struct line *line, const char *name, uint64_t ms)
{
    name_put(line, name, "_ms");
    if (line->is_json) {
        (void) fprintf(line->text, "%" PRIu64, ms);
    } else if (ms < 1000) {
        (void) fprintf(line->text, "%" PRIu64 "ms", ms);
    } else {
        (void) fprintf(line->text, "%" PRIu64 ".%" PRIu64 "s", ms / 1000, ms % 1000 / 100);
    }
}

void line_flag(struct line *line, const char *name, bool holds)
{
    if (line->is_json) {
        name_put(line, name, "");
        (void) fputs(holds ? "true" : "false", line->text);
    } else if (holds) {
        name_put(line, NULL, "");
        (void) fputs(name, line->text);
    }
}

static void bytes_put(struct line *line, const char *name, struct canceld_bytes bytes)
{
    if (!line->is_json) {
        name_put(line, name, "");
        text_put_escaped(line->text, bytes);
    } else if (text_is_utf8(bytes)) {
        name_put(line, name, "");
        text_put_json(line->text, bytes);
    } else {
        name_put(line, name, "_b64");
        text_put_base64(line->text, bytes);
    }
}

void line_key(struct line *line, struct canceld_bytes key)
{
    bytes_put(line, line->is_json ? "key" : NULL, key);
}

void line_bytes(struct line *line, const char *name, struct canceld_bytes bytes)
{
    if (bytes.size > 0) {
        bytes_put(line, name, bytes);
    }
}

void line_text(struct line *line, const char *name, const char *text)
{
    if (text != NULL) {
        line_bytes(line, name, canceld_string(text));
    }
}

void line_remark(struct line *line, const char *text)
{
    if (line->is_json) {
        line_text(line, "text", text);
    } else {
        name_put(line, NULL, "");
        (void) fprintf(line->text, "(%s)", text);
    }
}

void line_cause(struct line *line, const struct canceld_cause *cause)
{
    if (cause->code == CANCELD_CAUSE_UNSET) {
        return;
    }
    if (line->is_json) {
        line_open(line, "cause", '{');
        line_named(line, "code", canceld_cause_code_name(cause->code));
    } else {
        line_named(line, "cause", canceld_cause_code_name(cause->code));
    }
    line_bytes(line, line->is_json ? "text" : "reason", cause->text);
    line_bytes(line, "actor", cause->actor);
    line_bytes(line, "peer", cause->peer);
    if (line->is_json) {
        line_close(line, '}');
    }
}

void line_element(struct line *line, struct canceld_bytes bytes)
{
    name_put(line, NULL, "");
    if (text_is_utf8(bytes)) {
        text_put_json(line->text, bytes);
    } else {
        text_put_base64(line->text, bytes);
    }
}

void line_open(struct line *line, const char *name, char bracket)
{
    name_put(line, name, "");
    (void) fputc(bracket, line->text);
    line->is_begun = false;
}

void line_close(struct line *line, char bracket)
{
    (void) fputc(bracket, line->text);
    line->is_begun = true;
}
