/* SPDX-License-Identifier: MIT */
#include "server/config_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the file ---- */

struct text_file {
    const char *path;
    size_t size_max;
    mode_t forbidden;
    int fd;
};

/* What to do about a mode that is too open. */
static const char *mode_advice(mode_t forbidden)
{
    return forbidden == TEXT_FILE_SECRET ? "0600" : forbidden == TEXT_FILE_SHARED ? "o-rwx" : "o-w";
}

static bool size_find(const struct text_file *file, size_t *size_out, struct refusal *refusal)
{
    struct stat found;

    if (fstat(file->fd, &found) != 0) {
        return refuse(refusal, REFUSAL_FILE, "cannot look at %s: %s", file->path, strerror(errno));
    }
    if (!S_ISREG(found.st_mode)) {
        return refuse(refusal, REFUSAL_FILE, "%s is no regular file", file->path);
    }
    if ((uintmax_t) found.st_size > file->size_max) {
        return refuse(refusal, REFUSAL_FILE, "%s has %ju bytes: %zu at most", file->path,
                      (uintmax_t) found.st_size, file->size_max);
    }
    if ((found.st_mode & file->forbidden) != 0) {
        return refuse(refusal, REFUSAL_FILE, "%s has mode %04o, which opens it to others: chmod %s",
                      file->path, (unsigned) (found.st_mode & 07777), mode_advice(file->forbidden));
    }
    *size_out = (size_t) found.st_size;
    return true;
}

/* A file that shrinks meanwhile is as long as it is then; what is appended meanwhile is not seen. */
static bool bytes_read(const struct text_file *file, char *text, size_t *size,
                       struct refusal *refusal)
{
    size_t done = 0;

    while (done < *size) {
        ssize_t got = read(file->fd, text + done, *size - done);

        if (got < 0 && errno != EINTR) {
            return refuse(refusal, REFUSAL_FILE, "cannot read %s: %s", file->path, strerror(errno));
        }
        if (got == 0) {
            break;
        }
        done += got > 0 ? (size_t) got : 0;
    }
    *size = done;
    text[done] = '\0';
    return strlen(text) == done || refuse(refusal, REFUSAL_FILE, "%s holds a NUL byte", file->path);
}

bool text_file_read(const char *path, size_t size_max, mode_t forbidden, char **text_out,
                    struct refusal *refusal)
{
    struct text_file file = {.path = path, .size_max = size_max, .forbidden = forbidden};
    char *text = NULL;
    size_t size = 0;
    bool is_read = false;

    /* O_NONBLOCK: to open a FIFO would wait for its writer. */
    file.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file.fd < 0) {
        return refuse(refusal, REFUSAL_FILE, "cannot open %s: %s", path, strerror(errno));
    }
    if (size_find(&file, &size, refusal)) {
        text = malloc(size + 1);
        is_read = text != NULL ? bytes_read(&file, text, &size, refusal)
                               : refuse(refusal, REFUSAL_MEMORY, "there is no memory for %s", path);
    }
    (void) close(file.fd);
    if (!is_read) {
        if (text != NULL) {
            explicit_bzero(text, size + 1); /* it may be a key with a fault */
        }
        free(text);
        return false;
    }
    *text_out = text;
    return true;
}

/* ---- the look ---- */

static const char digits[] = "0123456789";
static const char hex_digits[] = "0123456789abcdefABCDEF";
static const char word_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789_.*-+";

struct scan {
    const char *at;
    unsigned line;
    const char *path;
    struct refusal *refusal;
};

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static void scan_skip(struct scan *scan, size_t size)
{
    for (; size > 0 && *scan->at != '\0'; size--) {
        scan->line += *scan->at == '\n' ? 1 : 0;
        scan->at++;
    }
}

static void scan_block_comment(struct scan *scan)
{
    const char *end = strstr(scan->at + 2, "*/");

    scan_skip(scan, end == NULL ? strlen(scan->at) : (size_t) (end - scan->at) + 2);
}

static bool scan_string(struct scan *scan)
{
    unsigned line = scan->line;

    scan_skip(scan, 1);
    while (*scan->at != '"') {
        if (*scan->at == '\0') {
            return refuse(scan->refusal, REFUSAL_OPTION, "%s:%u: a text has no closing quote",
                          scan->path, line);
        }
        if (begins_with(scan->at, "\\x00")) {
            return refuse(scan->refusal, REFUSAL_OPTION, "%s:%u: a text holds a NUL", scan->path,
                          scan->line);
        }
        scan_skip(scan, *scan->at == '\\' ? 2 : 1);
    }
    scan_skip(scan, 1);
    return true;
}

/* A number of digits of this base, up to `highest`. */
static bool magnitude_fits(const char *text, size_t size, unsigned base, uint64_t highest)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++) {
        unsigned digit = (unsigned) (strchr(hex_digits, text[i]) - hex_digits);

        digit -= digit > 15 ? 6 : 0;
        if (value > (highest - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    return true;
}

/* A word that begins with a digit. What is no integer (1.5, 1e3) is left to libconfig, which gives it
 * its type. */
static bool number_check(const struct scan *scan, const char *word, size_t size)
{
    bool is_hex = size > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
    const char *first = is_hex ? word + 2 : word;
    size_t count = strspn(first, is_hex ? hex_digits : digits);
    size_t rest = size - (size_t) (first - word) - count;
    bool is_long = rest > 0 && strspn(first + count, "L") == rest;

    if (rest > 0 && !is_long) {
        return true;
    }
    if (magnitude_fits(first, count, is_hex ? 16 : 10, is_long ? INT64_MAX : INT32_MAX)) {
        return true;
    }
    return refuse(scan->refusal, REFUSAL_OPTION,
                  is_long
                      ? "%s:%u: the number %.*s is too large"
                      : "%s:%u: the number %.*s needs an L behind it, as all above 2147483647 do",
                  scan->path, scan->line, (int) (size < 40 ? size : 40), word);
}

static bool scan_word(struct scan *scan)
{
    const char *word = scan->at + strspn(scan->at, "+-");
    size_t size = strspn(scan->at, word_characters);
    bool is_good = true;

    if (word < scan->at + size && strchr(digits, *word) != NULL) {
        is_good = number_check(scan, word, size - (size_t) (word - scan->at));
    }
    scan_skip(scan, size);
    return is_good;
}

bool config_text_check(const char *path, const char *text, struct refusal *refusal)
{
    struct scan scan = {.at = text, .line = 1, .path = path, .refusal = refusal};
    bool is_good = true;

    while (is_good && *scan.at != '\0') {
        if (*scan.at == '#' || begins_with(scan.at, "//")) {
            scan_skip(&scan, strcspn(scan.at, "\n"));
        } else if (begins_with(scan.at, "/*")) {
            scan_block_comment(&scan);
        } else if (*scan.at == '"') {
            is_good = scan_string(&scan);
        } else if (*scan.at == '@') {
            is_good =
                refuse(refusal, REFUSAL_OPTION,
                       "%s:%u: the configuration is one file, without @include", path, scan.line);
        } else if (strchr(word_characters, *scan.at) != NULL) {
            is_good = scan_word(&scan);
        } else {
            scan_skip(&scan, 1);
        }
    }
    return is_good;
}
