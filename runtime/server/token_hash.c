/* SPDX-License-Identifier: MIT */
#include "server/token_hash.h"

#include "server/config_text.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_TEXT_BYTES (2 * TOKEN_KEY_BYTES)

/* With its line feed, and what an editor may leave behind it. */
#define KEY_FILE_BYTES_MAX (KEY_TEXT_BYTES + 2)

_Static_assert(TOKEN_HASH_BYTES == TOKEN_KEY_BYTES, "one reader for both");

void token_hash_make(const struct token_key *key, struct bytes token, struct token_hash *hash_out)
{
    const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    int failure = mbedtls_md_hmac(sha256, key->bytes, sizeof key->bytes, token.data, token.size,
                                  hash_out->bytes);

    /* It fails for arguments that are none, and for want of a few hundred bytes. */
    ASSERT(failure == 0);
}

bool token_hash_equal(const struct token_hash *a, const struct token_hash *b)
{
    unsigned difference = 0;

    for (size_t i = 0; i < TOKEN_HASH_BYTES; i++) {
        /* Through volatile, so that no compiler ends the loop at the first that differs. */
        volatile uint8_t one = a->bytes[i];
        volatile uint8_t other = b->bytes[i];

        difference |= (unsigned) one ^ (unsigned) other;
    }
    /* 1 where it is 0, without a branch. */
    return ((difference - 1) >> 31 & 1) != 0;
}

/* ---- hex ---- */

static bool digit_read(char digit, unsigned *value_out)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *found = digit == '\0' ? NULL : strchr(digits, digit);

    if (found == NULL) {
        return false;
    }
    *value_out = (unsigned) (found - digits);
    *value_out -= *value_out > 15 ? 6 : 0;
    return true;
}

bool token_hash_parse(const char *text, struct token_hash *hash_out)
{
    struct token_hash hash;

    if (strlen(text) != TOKEN_HASH_TEXT_BYTES) {
        return false;
    }
    for (size_t i = 0; i < TOKEN_HASH_BYTES; i++) {
        unsigned high;
        unsigned low;

        if (!digit_read(text[2 * i], &high) || !digit_read(text[2 * i + 1], &low)) {
            return false;
        }
        hash.bytes[i] = (uint8_t) (high << 4 | low);
    }
    *hash_out = hash;
    return true;
}

void hex_write(const uint8_t *bytes, size_t size, char *text_out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        text_out[2 * i] = digits[bytes[i] >> 4];
        text_out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

/* ---- the key's file ---- */

bool token_key_path(const char *tokens_path, const char *key_path,
                    char path_out[TOKEN_KEY_PATH_BYTES], struct refusal *refusal)
{
    int length =
        snprintf(path_out, TOKEN_KEY_PATH_BYTES, "%s%s", key_path != NULL ? key_path : tokens_path,
                 key_path != NULL ? "" : ".key");

    return (length > 0 && length < TOKEN_KEY_PATH_BYTES) ||
           refuse(refusal, REFUSAL_FILE, "the path of the tokens' key is too long");
}

static bool owner_check(const char *path, struct refusal *refusal)
{
    struct stat found;

    if (stat(path, &found) == 0 && found.st_uid != geteuid() && found.st_uid != 0) {
        return refuse(refusal, REFUSAL_FILE, "%s belongs to uid %ju, who could read it", path,
                      (uintmax_t) found.st_uid);
    }
    return true;
}

bool token_key_load(const char *tokens_path, const char *key_path, struct token_key *key_out,
                    struct refusal *refusal)
{
    char path[TOKEN_KEY_PATH_BYTES];
    struct token_hash key;
    char *text;
    size_t size;
    bool is_good;

    if (!token_key_path(tokens_path, key_path, path, refusal) || !owner_check(path, refusal) ||
        !text_file_read(path, KEY_FILE_BYTES_MAX, TEXT_FILE_SECRET, &text, refusal)) {
        return false;
    }
    size = strlen(text);
    text[strcspn(text, "\n")] = '\0';
    is_good = token_hash_parse(text, &key) ||
              refuse(refusal, REFUSAL_FILE, "%s: a key is 64 hex digits on one line", path);
    explicit_bzero(text, size);
    free(text);
    if (is_good) {
        memcpy(key_out->bytes, key.bytes, sizeof key_out->bytes);
    }
    explicit_bzero(&key, sizeof key);
    return is_good;
}

static bool key_write(int fd, const char *path, struct refusal *refusal)
{
    struct token_key key;
    char text[KEY_TEXT_BYTES + 1];
    bool is_written;

    if (getrandom(&key, sizeof key, 0) != (ssize_t) sizeof key) {
        return refuse(refusal, REFUSAL_SYSTEM, "the system gives no random bytes: %s",
                      strerror(errno));
    }
    hex_write(key.bytes, sizeof key.bytes, text);
    text[KEY_TEXT_BYTES] = '\n';
    is_written = write(fd, text, sizeof text) == (ssize_t) sizeof text && fsync(fd) == 0;
    explicit_bzero(&key, sizeof key);
    explicit_bzero(text, sizeof text);
    return is_written ||
           refuse(refusal, REFUSAL_FILE, "cannot write %s: %s", path, strerror(errno));
}

bool token_key_make(const char *tokens_path, const char *key_path, struct refusal *refusal)
{
    char path[TOKEN_KEY_PATH_BYTES];
    bool is_written;
    int fd;

    if (!token_key_path(tokens_path, key_path, path, refusal)) {
        return false;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno == EEXIST ||
               refuse(refusal, REFUSAL_FILE, "cannot make %s: %s", path, strerror(errno));
    }
    is_written = key_write(fd, path, refusal);
    (void) close(fd);
    if (!is_written) {
        /* Half a key would be in the way of the next try. */
        (void) unlink(path);
    }
    return is_written;
}
