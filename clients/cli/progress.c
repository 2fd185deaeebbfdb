/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include "line.h"

#include <inttypes.h>

/* Back to the line's beginning, and nothing behind it. */
#define LINE_CLEAR "\r\033[K"

void progress_init(struct progress *progress, FILE *out, bool is_json, bool is_terminal)
{
    *progress =
        (struct progress){.out = out, .is_json = is_json, .is_terminal = is_terminal && !is_json};
}

void progress_tell(struct progress *progress, uint64_t left, uint64_t after_ms)
{
    struct line line;

    if (progress->is_terminal) {
        (void) fprintf(progress->out,
                       LINE_CLEAR "draining: %" PRIu64 " left, %" PRIu64 ".%" PRIu64 "s", left,
                       after_ms / 1000, after_ms % 1000 / 100);
        (void) fflush(progress->out);
    } else if (!progress->is_told || left != progress->left) {
        line_begin(&line, progress->out, progress->is_json);
        line_word(&line, "event", "DRAINING");
        line_number(&line, "left", left);
        line_duration(&line, "after", after_ms);
        line_end(&line);
    }
    progress->is_told = true;
    progress->left = left;
}

void progress_end(struct progress *progress)
{
    if (progress->is_terminal && progress->is_told) {
        (void) fputs(LINE_CLEAR, progress->out);
        (void) fflush(progress->out);
    }
    progress->is_told = false;
}
