/* SPDX-License-Identifier: MIT */
/* The tokens that clients may show in `open`, as a file of names and keyed hashes:
 *
 *     # a comment
 *     ci      9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
 *
 * The hash is HMAC-SHA-256 of the token, under a key that stands in a file of its own: 64 hex digits,
 * which nobody but its owner may read. Who reads the first file alone learns no token, and cannot
 * even try one. A name may stand on TOKENS_NAME_MAX lines, so that a token is replaced without a gap:
 * make the new one, hand it out, take the old line away.
 *
 * A token shown is hashed and compared with every line, each in the same time, so that the time it
 * takes tells nothing. Immutable once loaded: any one thread at a time. */
#ifndef CANCELD_SERVER_TOKENS_H
#define CANCELD_SERVER_TOKENS_H

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "server/refusal.h"

#include <stdbool.h>

struct tokens;

/* The random bytes of a token, and how it is written: in hex. */
#define TOKEN_RANDOM_BYTES 16
#define TOKEN_TEXT_BYTES (2 * TOKEN_RANDOM_BYTES)

/* `key_path` NULL: `path` with ".key" behind it. Refused whole for one bad line, by its number. */
MUST_CHECK bool tokens_load(const char *path, const char *key_path, struct tokens **tokens_out,
                            struct refusal *refusal);

/* Takes NULL. */
void tokens_free(struct tokens *tokens);

size_t tokens_count(const struct tokens *tokens);

/* Whether the file may get one more line, for this name. */
bool tokens_have_room(const struct tokens *tokens, const char *name);

/* Whose token it is: writes "token:NAME" and returns its size; 0: nobody's. Takes NULL, which has
 * none. No allocation. */
size_t tokens_find(const struct tokens *tokens, struct bytes token,
                   uint8_t name_out[CAUSE_PEER_BYTES_MAX]);

/* Whether a token of this name, "token:NAME", stands in the file: somebody who was let in by one may be
 * here longer than its line. Takes NULL, which has none. */
bool tokens_have(const struct tokens *tokens, struct bytes name);

/* Whether it is a "token:...": who is called so has shown a token. */
bool token_is_name(struct bytes name);

/* Makes a token for `name`, writes it, with a terminator, and adds its hash to the file, durably. Both
 * files are made, of mode 0600, where they are not there. On refusal nothing is added. Two at once take
 * turns. */
MUST_CHECK bool tokens_make(const char *path, const char *key_path, const char *name,
                            char text_out[TOKEN_TEXT_BYTES + 1], struct refusal *refusal);

/* Whether a token may be called so: 1 to TOKEN_NAME_BYTES_MAX letters, digits, and . _ @ - */
MUST_CHECK bool token_name_is_good(const char *name);

#endif
