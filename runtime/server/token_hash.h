/* SPDX-License-Identifier: MIT */
/* The keyed hash of a token, HMAC-SHA-256 by Mbed TLS, and the file of its key. */
#ifndef CANCELD_SERVER_TOKEN_HASH_H
#define CANCELD_SERVER_TOKEN_HASH_H

#include "base/bytes.h"
#include "base/check.h"
#include "server/refusal.h"

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_HASH_BYTES 32
#define TOKEN_KEY_BYTES 32
#define TOKEN_HASH_TEXT_BYTES (2 * TOKEN_HASH_BYTES)

struct token_hash {
    uint8_t bytes[TOKEN_HASH_BYTES];
};

/* A secret: to be wiped with explicit_bzero(). */
struct token_key {
    uint8_t bytes[TOKEN_KEY_BYTES];
};

void token_hash_make(const struct token_key *key, struct bytes token, struct token_hash *hash_out);

/* In a time that does not depend on where they differ. */
bool token_hash_equal(const struct token_hash *a, const struct token_hash *b);

/* Exactly 64 hex digits, of either case. */
MUST_CHECK bool token_hash_parse(const char *text, struct token_hash *hash_out);

/* Two digits a byte, without a terminator. */
void hex_write(const uint8_t *bytes, size_t size, char *text_out);

/* Where the key stands: `key_path`, or `tokens_path` with ".key" behind it, in `path_out`. */
#define TOKEN_KEY_PATH_BYTES 4096
MUST_CHECK bool token_key_path(const char *tokens_path, const char *key_path,
                               char path_out[TOKEN_KEY_PATH_BYTES], struct refusal *refusal);

/* Refused where anybody but its owner may read the file, or where that is neither us nor root. */
MUST_CHECK bool token_key_load(const char *tokens_path, const char *key_path,
                               struct token_key *key_out, struct refusal *refusal);

/* Makes the file, of mode 0600 and with a random key, unless it is there. */
MUST_CHECK bool token_key_make(const char *tokens_path, const char *key_path,
                               struct refusal *refusal);

#endif
