/* SPDX-License-Identifier: MIT */
/* The daemon's files where the system fails it, at each call in turn: it is refused with a sentence, nothing is left half
 * done, and the next try works. */
#include "failing_calls.h"
#include "server/clean_stop.h"
#include "server/descriptors.h"
#include "server/directory.h"
#include "server/epoch.h"
#include "server/socket_file.h"
#include "server/tokens.h"
#include "testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct refusal refusal;

/* A scenario: `begin` and `check` in peace, `run` with a call that fails; it tells whether it was refused. */
struct scenario {
    void (*begin)(void);
    bool (*run)(void); /* good */
    void (*check)(bool is_good);
};

/* Each call of each kind that the scenario makes, one after the other. */
static void fail_each(const struct scenario *scenario)
{
    unsigned failed = 0;
    unsigned refused = 0;

    for (int call = 0; call < FAILING_CALL_END; call++) {
        bool has_failed = true;

        for (uint32_t nth = 1; has_failed; nth++) {
            bool is_good;

            scenario->begin();
            refusal = (struct refusal){.code = REFUSAL_NONE};
            failing_arm((enum failing_call) call, nth);
            is_good = scenario->run();
            has_failed = failing_disarm();
            if (!is_good && !has_failed) {
                (void) fprintf(stderr, "refused in peace: %s\n", refusal.text);
            }
            CHECK(is_good || has_failed);
            failed += has_failed ? 1 : 0;
            refused += is_good ? 0 : 1;
            scenario->check(is_good);
        }
    }
    (void) printf("  %u calls failed, %u times it was refused\n", failed, refused);
    CHECK_GT(failed, 0);
    CHECK_GT(refused, 0);
}

static void check_said(bool is_good)
{
    CHECK_EQ(is_good, refusal.code == REFUSAL_NONE);
    CHECK_EQ(is_good, refusal.text[0] == '\0');
}

/* ---- tokens ---- */

#define TOKENS "tokens"

static char token[TOKEN_TEXT_BYTES + 1];
static char earlier[TOKEN_TEXT_BYTES + 1];

static void no_tokens(void)
{
    (void) unlink(test_path(TOKENS));
    (void) unlink(test_path(TOKENS ".key"));
}

static void one_token(void)
{
    no_tokens();
    CHECK(tokens_make(test_path(TOKENS), NULL, "earlier", earlier, &refusal));
}

static bool token_is_made(void)
{
    token[0] = '\0';
    return tokens_make(test_path(TOKENS), NULL, "ci", token, &refusal);
}

static size_t name_of(const struct tokens *tokens, const char *text)
{
    uint8_t name[CAUSE_PEER_BYTES_MAX];

    return tokens_find(tokens, bytes_of_string(text), name);
}

/* A token that was given is known, and the one before it is so whatever happened. */
static void check_tokens(bool is_good, bool has_earlier)
{
    struct tokens *tokens = NULL;

    check_said(is_good);
    CHECK_EQ(token[0] != '\0', is_good); /* nobody has one that is nobody's */
    if (is_good || has_earlier) {
        CHECK(tokens_load(test_path(TOKENS), NULL, &tokens, &refusal));
        CHECK_EQ(is_good, is_good && name_of(tokens, token) > 0);
        CHECK_EQ(has_earlier, has_earlier && name_of(tokens, earlier) > 0);
        tokens_free(tokens);
    }
    CHECK(tokens_make(test_path(TOKENS), NULL, "again", token, &refusal));
    CHECK(tokens_load(test_path(TOKENS), NULL, &tokens, &refusal));
    CHECK_GT(name_of(tokens, token), 0);
    tokens_free(tokens);
}

static void check_first_token(bool is_good)
{
    check_tokens(is_good, false);
}

static void check_next_token(bool is_good)
{
    check_tokens(is_good, true);
}

static void the_first_token(void)
{
    fail_each(&(struct scenario){no_tokens, token_is_made, check_first_token});
}

static void another_token(void)
{
    fail_each(&(struct scenario){one_token, token_is_made, check_next_token});
}

static struct tokens *loaded;

static bool tokens_are_loaded(void)
{
    loaded = NULL;
    return tokens_load(test_path(TOKENS), NULL, &loaded, &refusal);
}

static void check_loaded(bool is_good)
{
    check_said(is_good);
    CHECK(!is_good || name_of(loaded, earlier) > 0);
    tokens_free(is_good ? loaded : NULL);
}

static void a_reload_of_tokens(void)
{
    fail_each(&(struct scenario){one_token, tokens_are_loaded, check_loaded});
}

/* ---- directories ---- */

static void no_directories(void)
{
    (void) rmdir(test_path("a/b"));
    (void) rmdir(test_path("a"));
    (void) rmdir(test_path("own"));
}

static bool directories_are_made(void)
{
    return directory_make(test_path("a/b/"), &refusal) &&
           directory_make_owned(test_path("own"), 0755, geteuid(), &refusal) &&
           directory_make_owned(test_path("own"), 0755, geteuid(), &refusal);
}

static void check_directories(bool is_good)
{
    struct stat found;

    check_said(is_good);
    CHECK(!is_good || (stat(test_path("a/b"), &found) == 0 && stat(test_path("own"), &found) == 0));
    CHECK(directories_are_made());
    CHECK_EQ(stat(test_path("own"), &found), 0);
}

static void directories(void)
{
    fail_each(&(struct scenario){no_directories, directories_are_made, check_directories});
}

static void paths_that_are_none(void)
{
    char path[PATH_MAX + 10];

    memset(path, 'p', sizeof path);
    path[sizeof path - 1] = '\0';
    CHECK(!directory_make("", &refusal));
    CHECK_STR_EQ(refusal_name(refusal.code), "DIRECTORY");
    CHECK(!directory_make(path, &refusal));
    CHECK(strstr(refusal.text, "bytes") != NULL);
    CHECK(!tokens_make(path, NULL, "ci", token, &refusal));
    CHECK_STR_EQ(refusal_name(refusal.code), "FILE");
    CHECK_EQ(symlink("/", test_path("link")), 0);
    CHECK(!directory_make_owned(test_path("link"), 0700, geteuid(), &refusal));
    CHECK(strstr(refusal.text, "no directory") != NULL);
}

/* ---- the epoch ---- */

static uint64_t highest;

static void nothing(void)
{
}

static bool epoch_is_raised(void)
{
    struct epoch epoch;

    if (!epoch_open(&epoch, test_path("state"), &refusal)) {
        return false;
    }
    CHECK_GT(epoch.number, highest);
    highest = epoch.number;
    if (!epoch_raise(&epoch, &refusal)) {
        CHECK_EQ(epoch.number, highest);
        epoch_close(&epoch);
        return false;
    }
    CHECK_GT(epoch.number, highest);
    highest = epoch.number;
    epoch_close(&epoch);
    return true;
}

static void check_epoch(bool is_good)
{
    check_said(is_good);
    CHECK(epoch_is_raised());
}

static void the_epoch(void)
{
    CHECK(epoch_is_raised());
    fail_each(&(struct scenario){nothing, epoch_is_raised, check_epoch});
}

/* ---- the mark of a clean stop ---- */

static uint64_t stop_epoch = 1;
static int state_fd;

/* Leaves a mark, and takes it as the next start; that it is there is not promised, but it is never there twice. */
static bool stop_is_marked(void)
{
    struct clean_stop clean_stop;
    bool is_clean;

    (void) !clean_stop_take(&clean_stop, state_fd, stop_epoch, NULL, 0);
    clean_stop_leave(&clean_stop);
    clean_stop_close(&clean_stop);
    is_clean = clean_stop_take(&clean_stop, state_fd, stop_epoch + 1, NULL, 0);
    clean_stop_close(&clean_stop);
    return is_clean;
}

static void check_mark(bool is_good)
{
    struct clean_stop clean_stop;

    (void) is_good;
    /* A mark that outlived its start says nothing to a later one. */
    CHECK(!clean_stop_take(&clean_stop, state_fd, stop_epoch + 3, NULL, 0));
    clean_stop_close(&clean_stop);
    stop_epoch += 10;
    CHECK(stop_is_marked());
    stop_epoch += 10;
}

static void the_mark_of_a_clean_stop(void)
{
    state_fd = open(test_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_GE(state_fd, 0);
    fail_each(&(struct scenario){nothing, stop_is_marked, check_mark});
    (void) close(state_fd);
}

/* ---- sockets ---- */

static struct address address;
static struct socket_file file;

static void stale_socket(void)
{
    char url[700];

    (void) snprintf(url, sizeof url, "ipc://%s", test_path("s"));
    CHECK(address_parse(url, false, &address, &refusal));
    (void) unlink(test_path("s"));
    CHECK_EQ(mknod(test_path("s"), S_IFSOCK | 0600, 0), 0);
}

static bool socket_is_claimed(void)
{
    return socket_file_claim(&file, &address, &refusal);
}

static void check_socket(bool is_good)
{
    struct stat found;

    check_said(is_good);
    CHECK_EQ(lstat(test_path("s"), &found) != 0, is_good); /* a refusal leaves it alone */
    if (is_good) {
        socket_file_release(&file);
    }
    CHECK(socket_is_claimed()); /* it has let go of the lock */
    socket_file_release(&file);
}

static void a_stale_socket(void)
{
    fail_each(&(struct scenario){stale_socket, socket_is_claimed, check_socket});
}

/* ---- descriptors ---- */

static void descriptors(void)
{
    struct rlimit limit;
    uint64_t raised = 0;

    failing_arm(FAILING_getrlimit, 1);
    CHECK(!descriptors_raise(&raised, &refusal));
    CHECK(failing_disarm());
    CHECK_STR_EQ(refusal_name(refusal.code), "SYSTEM");
    CHECK_EQ(raised, 0);
    /* Where it may not be raised it is what it was, and that is told. */
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 100;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    failing_arm(FAILING_setrlimit, 1);
    CHECK(descriptors_raise(&raised, &refusal));
    CHECK(failing_disarm());
    CHECK_EQ(raised, 100);
    CHECK(descriptors_raise(&raised, &refusal));
    CHECK_EQ(raised, limit.rlim_max);
}

static const struct test_case cases[] = {
    {"the first token is made with its key, or neither is", the_first_token, 0},
    {"a token is added whole or not at all", another_token, 0},
    {"tokens are loaded whole or not at all", a_reload_of_tokens, 0},
    {"directories are made, or it is said why not", directories, 0},
    {"a path that is none is a refusal", paths_that_are_none, 0},
    {"no epoch comes twice", the_epoch, 0},
    {"the mark of a clean stop never says what was not", the_mark_of_a_clean_stop, 0},
    {"a stale socket is removed, or left alone", a_stale_socket, 0},
    {"a bound of descriptors that cannot be had is a refusal, or is lived with", descriptors, 0},
};

TEST_MAIN(cases)
