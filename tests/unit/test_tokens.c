/* SPDX-License-Identifier: MIT */
#include "server/token_hash.h"
#include "server/tokens.h"
#include "testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct refusal refusal;
static char path[512];
static char key_path[600];

static void paths_set(void)
{
    (void) snprintf(path, sizeof path, "%s/tokens", test_directory());
    (void) snprintf(key_path, sizeof key_path, "%s.key", path);
}

static void file_write(const char *at, const char *text, mode_t mode)
{
    FILE *file = fopen(at, "w");

    CHECK(file != NULL);
    CHECK_EQ(fwrite(text, 1, strlen(text), file), strlen(text));
    CHECK_EQ(fclose(file), 0);
    CHECK_EQ(chmod(at, mode), 0);
}

static void file_read(const char *at, char *text, size_t room)
{
    FILE *file = fopen(at, "r");

    CHECK(file != NULL);
    text[fread(text, 1, room - 1, file)] = '\0';
    (void) fclose(file);
}

/* The key of RFC 4231's first case, padded: 20 bytes of 0x0b, then zeros, which HMAC pads with too. */
static const char key_text[] = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b000000000000000000000000\n";
/* Its answer for "Hi There". */
static const char hi_there[] = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";

static struct tokens *tokens_of(const char *text)
{
    struct tokens *tokens = NULL;

    file_write(key_path, key_text, 0600);
    file_write(path, text, 0644);
    if (!tokens_load(path, NULL, &tokens, &refusal)) {
        (void) fprintf(stderr, "%s\n", refusal.text);
        CHECK(false);
    }
    return tokens;
}

static void check_refused(const char *text, const char *word)
{
    struct tokens *tokens;

    memset(&refusal, 0, sizeof refusal);
    file_write(path, text, 0644);
    CHECK(!tokens_load(path, NULL, &tokens, &refusal));
    if (strstr(refusal.text, word) == NULL || refusal_exit_code(refusal.code) != 2) {
        (void) fprintf(stderr, "%s: %s\n", text, refusal.text);
        CHECK(false);
    }
}

static void check_whose(const struct tokens *tokens, const char *token, const char *name)
{
    uint8_t found[CAUSE_PEER_BYTES_MAX];
    size_t size = tokens_find(tokens, bytes_of_string(token), found);

    CHECK_BYTES_EQ(found, size, name, strlen(name));
}

/* ---- reading ---- */

static void a_token_is_known_by_its_keyed_hash(void)
{
    char text[256];
    struct tokens *tokens;

    paths_set();
    (void) snprintf(text, sizeof text, "# who\n\n \t# more\n  ci \t %s \n", hi_there);
    tokens = tokens_of(text);
    CHECK_EQ(tokens_count(tokens), 1);
    check_whose(tokens, "Hi There", "token:ci");
    check_whose(tokens, "Hi Ther", "");
    check_whose(tokens, "hi there", "");
    check_whose(tokens, hi_there, "");
    check_whose(tokens, "", "");
    check_whose(NULL, "Hi There", "");
    tokens_free(tokens);
    (void) snprintf(text, sizeof text, "ci %s", hi_there); /* no line feed at its end */
    tokens = tokens_of(text);
    check_whose(tokens, "Hi There", "token:ci");
    tokens_free(tokens);
    tokens = tokens_of("");
    CHECK_EQ(tokens_count(tokens), 0);
    check_whose(tokens, "Hi There", "");
    tokens_free(tokens);
}

/* `count` lines; line i has a hash that ends in i. */
static char *lines_make(size_t count, size_t names)
{
    char *text = malloc(count * 128 + 1);
    size_t size = 0;

    CHECK(text != NULL);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size += (size_t) snprintf(text + size, 128, "name%zu %.56s%08zx\n", i % names, hi_there, i);
    }
    return text;
}

static void bad_lines_are_refused_by_number(void)
{
    static const struct {
        const char *text;
        const char *word;
    } rows[] = {
        {"ci\n", "tokens:1: a name, blanks"},
        {"\n\nci  \n", "tokens:3: a name, blanks"},
        {"ci b0344c\n", "tokens:1: a name, blanks"},
        {"ci b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cffg\n",
         "tokens:1: a name"},
        {"ci b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff70\n",
         "tokens:1: a name"},
        {"ci b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7\r\n",
         "carriage return"},
        {"# x\r\nci b0\r\n", "tokens:2: there is a carriage return"},
        {"c/i b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7\n",
         "letters, digits"},
        {"c\xc3\xa9 b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7\n", "letters"},
        {"12345678901234567890123456789012345678901234567890123456789 "
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7\n",
         "1 to 58 letters"},
        {"a b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7\n"
         "b B0344C61D8DB38535CA8AFCEAF0BF12B881DC200C9833DA726E9376C2E32CFF7\n",
         "tokens:2: the same hash"},
    };

    paths_set();
    file_write(key_path, key_text, 0600);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_refused(rows[i].text, rows[i].word);
    }
}

static void tokens_and_those_of_one_name_are_bounded(void)
{
    char *text;

    paths_set();
    text = lines_make(TOKENS_MAX, TOKENS_MAX / TOKENS_NAME_MAX);
    tokens_free(tokens_of(text));
    free(text);
    text = lines_make(TOKENS_MAX + 1, TOKENS_MAX);
    check_refused(text, "tokens:1001: 1000 tokens at most");
    free(text);
    text = lines_make(TOKENS_NAME_MAX + 1, 1);
    check_refused(text, "tokens:3: name0: 2 tokens of one name");
    free(text);
}

static void the_last_of_the_most_is_found(void)
{
    struct tokens *tokens;
    char *text = lines_make(TOKENS_MAX - 1, TOKENS_MAX);
    char *longer = malloc(strlen(text) + 256);

    paths_set();
    CHECK(longer != NULL);
    (void) snprintf(longer, strlen(text) + 256, "%slast %s\n", text, hi_there);
    tokens = tokens_of(longer);
    CHECK_EQ(tokens_count(tokens), TOKENS_MAX);
    check_whose(tokens, "Hi There", "token:last");
    tokens_free(tokens);
    (void) snprintf(longer, strlen(text) + 256, "first %s\n%s", hi_there, text);
    tokens = tokens_of(longer);
    check_whose(tokens, "Hi There", "token:first");
    tokens_free(tokens);
    free(text);
    free(longer);
}

static void check_key_refused(const char *text, mode_t mode, const char *word)
{
    file_write(key_path, text, mode);
    check_refused("", word);
}

static void a_key_that_is_bad_or_open_is_refused(void)
{
    paths_set();
    check_refused("", "cannot open");
    CHECK(strstr(refusal.text, "tokens.key") != NULL);
    check_key_refused(key_text, 0644, "mode 0644");
    check_key_refused(key_text, 0640, "mode 0640");
    check_key_refused(key_text, 0604, "chmod 0600");
    check_key_refused("", 0600, "64 hex digits");
    check_key_refused("0b0b\n", 0600, "64 hex digits");
    check_key_refused("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b00000000000000000000000g\n", 0600,
                      "64 hex digits");
    check_key_refused("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b000000000000000000000000\r\n", 0600,
                      "64 hex digits");
    check_key_refused("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0000000000000000000000000\n\n", 0600,
                      "bytes: 66 at most");
    file_write(key_path, key_text, 0400);
    tokens_free(tokens_of(""));
    CHECK(strstr(refusal.text, "0b0b0b") == NULL); /* no sentence ever shows it */
}

static void a_file_that_cannot_be_read_is_refused(void)
{
    struct tokens *tokens;

    paths_set();
    file_write(key_path, key_text, 0600);
    CHECK(!tokens_load(path, NULL, &tokens, &refusal));
    CHECK(strstr(refusal.text, "No such file") != NULL);
    CHECK(!tokens_load(test_directory(), key_path, &tokens, &refusal));
    CHECK(strstr(refusal.text, "no regular file") != NULL);
    file_write(path, "", 0646);
    CHECK(!tokens_load(path, NULL, &tokens, &refusal));
    CHECK(strstr(refusal.text, "mode 0646") != NULL);
}

static void hashes_are_equal_or_not(void)
{
    struct token_hash a = {{0}};
    struct token_hash b = {{0}};

    CHECK(token_hash_equal(&a, &b));
    for (size_t i = 0; i < TOKEN_HASH_BYTES; i++) {
        for (int bit = 0; bit < 8; bit++) {
            b.bytes[i] = (uint8_t) (1 << bit);
            CHECK(!token_hash_equal(&a, &b));
        }
        b.bytes[i] = 0;
    }
}

/* ---- making ---- */

static void check_made(const char *name, char token[TOKEN_TEXT_BYTES + 1])
{
    if (!tokens_make(path, NULL, name, token, &refusal)) {
        (void) fprintf(stderr, "%s\n", refusal.text);
        CHECK(false);
    }
    CHECK_EQ(strlen(token), TOKEN_TEXT_BYTES);
    CHECK_EQ(strspn(token, "0123456789abcdef"), TOKEN_TEXT_BYTES);
}

static void a_token_that_is_made_is_known_and_not_written_down(void)
{
    char token[TOKEN_TEXT_BYTES + 1];
    char other[TOKEN_TEXT_BYTES + 1];
    char text[4096];
    struct tokens *tokens;
    struct stat found;

    paths_set();
    check_made("ci", token);
    check_made("ci", other);
    CHECK_NE(strcmp(token, other), 0);
    CHECK_EQ(stat(key_path, &found), 0);
    CHECK_EQ(found.st_mode & 07777, 0600);
    CHECK(tokens_load(path, NULL, &tokens, &refusal));
    check_whose(tokens, token, "token:ci");
    check_whose(tokens, other, "token:ci");
    tokens_free(tokens);
    file_read(path, text, sizeof text);
    CHECK(strstr(text, token) == NULL);
    /* two of one name at the most */
    CHECK(!tokens_make(path, NULL, "ci", other, &refusal));
    CHECK(strstr(refusal.text, "2 of one name") != NULL);
    check_made("cd", other);
}

static void what_stands_in_the_file_stays(void)
{
    char token[TOKEN_TEXT_BYTES + 1];
    char before[256];
    char text[4096];
    struct tokens *tokens;
    struct stat found;

    paths_set();
    (void) snprintf(before, sizeof before, "# ours\nci %s", hi_there); /* no line feed at the end */
    tokens_free(tokens_of(before));
    CHECK_EQ(chmod(path, 0640), 0);
    check_made("cd", token);
    file_read(path, text, sizeof text);
    CHECK_EQ(strncmp(text, before, strlen(before)), 0);
    CHECK_EQ(stat(path, &found), 0);
    CHECK_EQ(found.st_mode & 07777, 0640);
    CHECK(tokens_load(path, NULL, &tokens, &refusal));
    check_whose(tokens, "Hi There", "token:ci");
    check_whose(tokens, token, "token:cd");
    tokens_free(tokens);
}

static void a_bad_file_gets_no_token(void)
{
    char token[TOKEN_TEXT_BYTES + 1];
    char text[256];

    paths_set();
    CHECK(!tokens_make(path, NULL, "a b", token, &refusal));
    CHECK_EQ(access(path, F_OK), -1);
    /* hashes without their key: a new key would not fit them */
    file_write(path, "# x\n", 0600);
    CHECK(!tokens_make(path, NULL, "ci", token, &refusal));
    CHECK(strstr(refusal.text, "tokens.key") != NULL);
    CHECK_EQ(access(key_path, F_OK), -1);
    file_write(key_path, key_text, 0600);
    file_write(path, "damaged\n", 0600);
    CHECK(!tokens_make(path, NULL, "ci", token, &refusal));
    file_read(path, text, sizeof text);
    CHECK_STR_EQ(text, "damaged\n");
    CHECK_EQ(token[0], '\0');
}

static void the_most_of_them_can_be_made_and_not_one_more(void)
{
    char token[TOKEN_TEXT_BYTES + 1];
    char *text = lines_make(TOKENS_MAX - 1, TOKENS_MAX);

    paths_set();
    tokens_free(tokens_of(text));
    free(text);
    check_made("last", token);
    CHECK(!tokens_make(path, NULL, "more", token, &refusal));
    CHECK(strstr(refusal.text, "1000 tokens at most") != NULL);
}

/* All of one name: as many succeed as the name may have, and the files are whole. */
static void several_at_once_take_turns(void)
{
    struct tokens *tokens;
    pid_t pids[16];
    int gate[2];
    int made = 0;
    int ended;

    paths_set();
    CHECK_EQ(pipe(gate), 0);
    for (size_t i = 0; i < 16; i++) {
        pids[i] = fork();
        CHECK_GE(pids[i], 0);
        if (pids[i] == 0) {
            char token[TOKEN_TEXT_BYTES + 1];

            (void) close(gate[1]);
            (void) !read(gate[0], token, 1); /* until all of them are there */
            _exit(tokens_make(path, NULL, "ci", token, &refusal) ? 0 : 1);
        }
    }
    (void) close(gate[0]);
    (void) close(gate[1]);
    for (size_t i = 0; i < 16; i++) {
        CHECK_EQ(waitpid(pids[i], &ended, 0), pids[i]);
        made += ended == 0 ? 1 : 0;
    }
    CHECK_EQ(made, TOKENS_NAME_MAX);
    CHECK(tokens_load(path, NULL, &tokens, &refusal));
    CHECK_EQ(tokens_count(tokens), TOKENS_NAME_MAX);
    tokens_free(tokens);
}

/* Whether a process waits for a lock of a file: /proc/locks has "-> FLOCK ADVISORY WRITE PID". */
static bool is_waiting(pid_t pid)
{
    char text[16384];
    char word[64];

    file_read("/proc/locks", text, sizeof text);
    (void) snprintf(word, sizeof word, "-> FLOCK  ADVISORY  WRITE %d ", (int) pid);
    return strstr(text, word) != NULL;
}

static void one_waits_for_another(void)
{
    char token[TOKEN_TEXT_BYTES + 1];
    int ended = -1;
    pid_t pid;
    int fd;

    paths_set();
    check_made("ci", token);
    fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK_GE(fd, 0);
    CHECK_EQ(flock(fd, LOCK_EX), 0);
    pid = fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        (void) close(fd);
        _exit(tokens_make(path, NULL, "ci", token, &refusal) ? 0 : 1);
    }
    CHECK_EVENTUALLY(is_waiting(pid) || waitpid(pid, &ended, WNOHANG) == pid);
    CHECK_EQ(ended, -1);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(waitpid(pid, &ended, 0), pid);
    CHECK_EQ(ended, 0);
}

static const struct test_case cases[] = {
    {"a token is known by its keyed hash", a_token_is_known_by_its_keyed_hash, 0},
    {"bad lines are refused by number", bad_lines_are_refused_by_number, 0},
    {"tokens and those of one name are bounded", tokens_and_those_of_one_name_are_bounded, 0},
    {"the last of the most is found", the_last_of_the_most_is_found, 0},
    {"a key that is bad or open is refused", a_key_that_is_bad_or_open_is_refused, 0},
    {"a file that cannot be read is refused", a_file_that_cannot_be_read_is_refused, 0},
    {"hashes are equal or not", hashes_are_equal_or_not, 0},
    {"a token that is made is known and not written down",
     a_token_that_is_made_is_known_and_not_written_down, 0},
    {"what stands in the file stays", what_stands_in_the_file_stays, 0},
    {"a bad file gets no token", a_bad_file_gets_no_token, 0},
    {"the most of them can be made and not one more", the_most_of_them_can_be_made_and_not_one_more,
     0},
    {"several at once take turns", several_at_once_take_turns, 0},
    {"one waits for another", one_waits_for_another, 0},
};

TEST_MAIN(cases)
