/* SPDX-License-Identifier: MIT */
#include "server/tokens.h"

#include "base/region.h"
#include "server/config_text.h"
#include "server/token_hash.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS_FILE_BYTES_MAX ((size_t) 1048576)

struct token {
    char name[TOKEN_NAME_BYTES_MAX + 1];
    struct token_hash hash;
};

struct tokens {
    struct region memory; /* its own; hidden, for it holds the key */
    struct token_key key;
    size_t count;
    struct token rows[]; /* TOKENS_MAX of them */
};

static const char name_prefix[] = "token:";

_Static_assert(sizeof name_prefix - 1 + TOKEN_NAME_BYTES_MAX <= CAUSE_PEER_BYTES_MAX,
               "a token's name is a cause's peer");

bool token_name_is_good(const char *name)
{
    static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789._@-";
    size_t size = strlen(name);

    return size > 0 && size <= TOKEN_NAME_BYTES_MAX && strspn(name, characters) == size;
}

/* ---- the file ---- */

struct tokens_file {
    const char *path;
    unsigned line;
    struct refusal *refusal;
};

static bool line_refuse(const struct tokens_file *file, const char *sentence)
{
    return refuse(file->refusal, REFUSAL_FILE, "%s:%u: %s", file->path, file->line, sentence);
}

static size_t tokens_count_of(const struct tokens *tokens, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < tokens->count; i++) {
        count += strcmp(tokens->rows[i].name, name) == 0 ? 1 : 0;
    }
    return count;
}

static bool row_add(struct tokens *tokens, const struct token *row, const struct tokens_file *file)
{
    if (tokens->count == TOKENS_MAX) {
        return refuse(file->refusal, REFUSAL_FILE, "%s:%u: %d tokens at most", file->path,
                      file->line, TOKENS_MAX);
    }
    for (size_t i = 0; i < tokens->count; i++) {
        if (token_hash_equal(&tokens->rows[i].hash, &row->hash)) {
            return line_refuse(file, "the same hash stands on an earlier line");
        }
    }
    if (tokens_count_of(tokens, row->name) == TOKENS_NAME_MAX) {
        return refuse(file->refusal, REFUSAL_FILE, "%s:%u: %s: %d tokens of one name at most",
                      file->path, file->line, row->name, TOKENS_NAME_MAX);
    }
    tokens->rows[tokens->count++] = *row;
    return true;
}

/* One line without its end: nothing, a comment, or a name, blanks and a hash. */
static bool line_read(char *line, struct tokens *tokens, const struct tokens_file *file)
{
    static const char blanks[] = " \t";
    struct token row = {.name = ""};
    char *name = line + strspn(line, blanks);
    size_t name_size = strcspn(name, blanks);
    char *hash = name + name_size + strspn(name + name_size, blanks);

    if (*name == '\0' || *name == '#') {
        return true;
    }
    if (strchr(line, '\r') != NULL) {
        return line_refuse(file, "there is a carriage return: lines end in a line feed alone");
    }
    name[name_size] = '\0';
    if (!token_name_is_good(name)) {
        return line_refuse(file, "a name has 1 to 58 letters, digits, and . _ @ -");
    }
    hash[strcspn(hash, blanks)] = '\0';
    if (!token_hash_parse(hash, &row.hash)) {
        return line_refuse(file, "a name, blanks, and a hash of 64 hex digits are needed");
    }
    memcpy(row.name, name, name_size + 1);
    return row_add(tokens, &row, file);
}

static bool lines_read(char *text, const char *path, struct tokens *tokens, struct refusal *refusal)
{
    struct tokens_file file = {.path = path, .refusal = refusal};

    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        bool is_last = text[size] == '\0';

        text[size] = '\0';
        file.line++;
        if (!line_read(text, tokens, &file)) {
            return false;
        }
        text += size + (is_last ? 0 : 1);
    }
    return true;
}

static struct tokens *tokens_new(void)
{
    struct region memory;
    struct tokens *tokens;

    if (!region_init(&memory, sizeof *tokens + TOKENS_MAX * sizeof tokens->rows[0])) {
        return NULL;
    }
    region_hide(&memory);
    tokens = memory.base;
    tokens->memory = memory;
    return tokens;
}

bool tokens_load(const char *path, const char *key_path, struct tokens **tokens_out,
                 struct refusal *refusal)
{
    struct tokens *tokens = tokens_new();
    char *text;
    bool is_read;

    if (tokens == NULL) {
        return refuse(refusal, REFUSAL_MEMORY, "there is no memory for the tokens");
    }
    if (!token_key_load(path, key_path, &tokens->key, refusal) ||
        !text_file_read(path, TOKENS_FILE_BYTES_MAX, TEXT_FILE_PUBLIC, &text, refusal)) {
        tokens_free(tokens);
        return false;
    }
    is_read = lines_read(text, path, tokens, refusal);
    free(text);
    if (!is_read) {
        tokens_free(tokens);
        return false;
    }
    *tokens_out = tokens;
    return true;
}

void tokens_free(struct tokens *tokens)
{
    struct region memory;

    if (tokens != NULL) {
        memory = tokens->memory;
        explicit_bzero(&tokens->key, sizeof tokens->key);
        region_fini(&memory);
    }
}

size_t tokens_count(const struct tokens *tokens)
{
    return tokens->count;
}

bool tokens_have_room(const struct tokens *tokens, const char *name)
{
    return tokens->count < TOKENS_MAX && tokens_count_of(tokens, name) < TOKENS_NAME_MAX;
}

bool token_is_name(struct bytes name)
{
    return name.size >= sizeof name_prefix - 1 &&
           memcmp(name.data, name_prefix, sizeof name_prefix - 1) == 0;
}

bool tokens_have(const struct tokens *tokens, struct bytes name)
{
    struct bytes bare;

    if (tokens == NULL || !token_is_name(name)) {
        return false;
    }
    bare = bytes_of(name.data + sizeof name_prefix - 1, name.size - (sizeof name_prefix - 1));
    for (size_t i = 0; i < tokens->count; i++) {
        if (bytes_equal(bytes_of_string(tokens->rows[i].name), bare)) {
            return true;
        }
    }
    return false;
}

size_t tokens_find(const struct tokens *tokens, struct bytes token,
                   uint8_t name_out[CAUSE_PEER_BYTES_MAX])
{
    struct token_hash hash;
    size_t found = TOKENS_MAX; /* none */
    size_t size;

    if (tokens == NULL || token.size == 0) {
        return 0;
    }
    token_hash_make(&tokens->key, token, &hash);
    for (size_t i = 0; i < tokens->count; i++) {
        /* No branch: as much is done for a line that fits as for one that does not. */
        size_t mask = (size_t) 0 - (size_t) token_hash_equal(&tokens->rows[i].hash, &hash);

        found = (found & ~mask) | (i & mask);
    }
    explicit_bzero(&hash, sizeof hash);
    if (found == TOKENS_MAX) {
        return 0;
    }
    size = strlen(tokens->rows[found].name);
    memcpy(name_out, name_prefix, sizeof name_prefix - 1);
    memcpy(name_out + sizeof name_prefix - 1, tokens->rows[found].name, size);
    return sizeof name_prefix - 1 + size;
}
