/* SPDX-License-Identifier: MIT */
#include "fuzz_text.h"

#include "server/config_text.h"

#include <stdlib.h>
#include <string.h>

static const char *file_text = "";

char *fuzz_text_of(const uint8_t *data, size_t size)
{
    static char room[FUZZ_TEXT_BYTES_MAX + 1];
    size = size < FUZZ_TEXT_BYTES_MAX ? size : FUZZ_TEXT_BYTES_MAX;
    if (size > 0) {
        memcpy(room, data, size);
    }
    room[size] = '\0';
    return room;
}

char *fuzz_text_line(char **text)
{
    char *line = *text;
    if (*line == '\0') {
        return NULL;
    }
    const size_t size = strcspn(line, "\n");
    *text = line + size + (line[size] == '\n' ? 1 : 0);
    line[size] = '\0';
    return line;
}

size_t fuzz_text_section(char **text, char **lines, size_t lines_max)
{
    size_t count = 0;
    char *line = fuzz_text_line(text);
    while (line != NULL && *line != '\0') {
        if (count < lines_max) {
            lines[count++] = line;
        }
        line = fuzz_text_line(text);
    }
    return count;
}

void fuzz_text_file(const char *text)
{
    file_text = text;
}

/* In place of text_file_read(): no file is opened, so that there are thousands of runs in a second. */
bool __wrap_text_file_read(const char *path, size_t size_max, mode_t forbidden, char **text_out,
                           struct refusal *refusal);

bool __wrap_text_file_read(const char *path, size_t size_max, mode_t forbidden, char **text_out,
                           struct refusal *refusal)
{
    static const char key[] = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b\n";
    const char *text = strcmp(path, "FUZZ") == 0 ? file_text : key;
    (void) forbidden;
    if (strlen(text) > size_max) {
        return refuse(refusal, REFUSAL_FILE, "%s is too long", path);
    }
    *text_out = strdup(text);
    return *text_out != NULL || refuse(refusal, REFUSAL_MEMORY, "there is no memory for %s", path);
}
