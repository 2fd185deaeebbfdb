/* SPDX-License-Identifier: MIT */
/* The file of tokens is only ever appended to, with one write, so that a daemon that reads it meanwhile
 * finds whole lines, and its owner, its mode and its comments stay as they are. */
#include "server/token_hash.h"
#include "server/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES_MAX (1 + TOKEN_NAME_BYTES_MAX + 2 + TOKEN_HASH_TEXT_BYTES + 1)

struct tokens_end {
    const char *path;
    int fd;
    off_t size;
    bool is_whole_line; /* what stands there ends in a line feed, or is nothing */
};

static bool end_find(struct tokens_end *end, struct refusal *refusal)
{
    struct stat found;
    char last = '\n';

    if (fstat(end->fd, &found) != 0 || !S_ISREG(found.st_mode) ||
        (found.st_size > 0 && pread(end->fd, &last, 1, found.st_size - 1) != 1)) {
        return refuse(refusal, REFUSAL_FILE, "%s cannot be read, or is no regular file", end->path);
    }
    end->size = found.st_size;
    end->is_whole_line = last == '\n';
    return true;
}

/* The exclusive right to append; -1 with a refusal. Waits for another that is just making one. */
static int file_open(const char *path, struct refusal *refusal)
{
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);

    if (fd < 0) {
        (void) refuse(refusal, REFUSAL_FILE, "cannot open %s: %s", path, strerror(errno));
        return -1;
    }
    while (flock(fd, LOCK_EX) != 0) {
        if (errno != EINTR) {
            (void) refuse(refusal, REFUSAL_FILE, "cannot lock %s: %s", path, strerror(errno));
            (void) close(fd);
            return -1;
        }
    }
    return fd;
}

/* A new key beside hashes that were made with another one would make liars of all of them. */
static bool key_prepare(const struct tokens_end *end, const char *key_path, struct refusal *refusal)
{
    return end->size > 0 || token_key_make(end->path, key_path, refusal);
}

static bool line_append(const struct tokens_end *end, const char *name,
                        const struct token_hash *hash, struct refusal *refusal)
{
    char text[TOKEN_HASH_TEXT_BYTES + 1] = "";
    char line[LINE_BYTES_MAX + 1];
    int size;

    hex_write(hash->bytes, sizeof hash->bytes, text);
    size = snprintf(line, sizeof line, "%s%s  %s\n", end->is_whole_line ? "" : "\n", name, text);
    ASSERT(size > 0 && (size_t) size < sizeof line);
    if (write(end->fd, line, (size_t) size) != size || fsync(end->fd) != 0) {
        (void) refuse(refusal, REFUSAL_FILE, "cannot write %s: %s", end->path, strerror(errno));
        /* Half a line would refuse the whole file. */
        (void) !ftruncate(end->fd, end->size);
        return false;
    }
    return true;
}

/* `random` is the token; its text is what its holder has, so the text is what is hashed. */
static bool token_add(const struct tokens_end *end, const char *key_path, const char *name,
                      char text_out[TOKEN_TEXT_BYTES + 1], struct refusal *refusal)
{
    uint8_t random[TOKEN_RANDOM_BYTES];
    struct token_key key;
    struct token_hash hash;

    if (getrandom(random, sizeof random, 0) != (ssize_t) sizeof random) {
        return refuse(refusal, REFUSAL_SYSTEM, "the system gives no random bytes: %s",
                      strerror(errno));
    }
    if (!token_key_load(end->path, key_path, &key, refusal)) {
        return false;
    }
    hex_write(random, sizeof random, text_out);
    text_out[TOKEN_TEXT_BYTES] = '\0';
    token_hash_make(&key, bytes_of(text_out, TOKEN_TEXT_BYTES), &hash);
    explicit_bzero(random, sizeof random);
    explicit_bzero(&key, sizeof key);
    return line_append(end, name, &hash, refusal);
}

/* Whether one more line would be read. */
static bool room_check(const char *path, const char *key_path, const char *name,
                       struct refusal *refusal)
{
    struct tokens *tokens;
    bool has_room;

    if (!tokens_load(path, key_path, &tokens, refusal)) {
        return false;
    }
    has_room = tokens_have_room(tokens, name);
    if (!has_room) {
        (void) refuse(refusal, REFUSAL_FILE,
                      "%s: %d tokens at most, and %d of one name: take the line of an old one away",
                      path, TOKENS_MAX, TOKENS_NAME_MAX);
    }
    tokens_free(tokens);
    return has_room;
}

bool tokens_make(const char *path, const char *key_path, const char *name,
                 char text_out[TOKEN_TEXT_BYTES + 1], struct refusal *refusal)
{
    struct tokens_end end = {.path = path};
    bool is_made;

    if (!token_name_is_good(name)) {
        return refuse(refusal, REFUSAL_OPTION,
                      "--make-token %.100s: a name has 1 to %d letters, digits, and . _ @ -", name,
                      TOKEN_NAME_BYTES_MAX);
    }
    end.fd = file_open(path, refusal);
    if (end.fd < 0) {
        return false;
    }
    is_made = end_find(&end, refusal) && key_prepare(&end, key_path, refusal) &&
              room_check(path, key_path, name, refusal) &&
              token_add(&end, key_path, name, text_out, refusal);
    (void) close(end.fd);
    if (!is_made) {
        explicit_bzero(text_out, TOKEN_TEXT_BYTES + 1);
    }
    return is_made;
}
