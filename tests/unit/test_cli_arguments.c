/* SPDX-License-Identifier: MIT */
/* The command line, where it is right; what is wrong with one is shown in tests/e2e/test_cli.py. And
 * the file that holds a token. */
#include "arguments.h"
#include "command.h"
#include "connection.h"
#include "testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 40

/* Reads `words` as the command line. What the arguments point to lives until the next call. */
static struct arguments parsed(const char *const *words)
{
    static char bytes[WORDS_MAX][64];
    static char *argv[WORDS_MAX + 1];
    struct arguments arguments;
    int argc = 0;

    CHECK_EQ(unsetenv("CANCELD_TOKEN_FILE"), 0);
    CHECK_EQ(setenv("CANCELD_SERVER", "ipc:///nowhere", 1), 0);
    for (; words[argc] != NULL; argc++) {
        CHECK(argc < WORDS_MAX);
        CHECK(snprintf(bytes[argc], sizeof bytes[argc], "%s", words[argc]) < 64);
        argv[argc] = bytes[argc];
    }
    argv[argc] = NULL;
    arguments_parse(&arguments, argc, argv);
    return arguments;
}

#define PARSED(...) parsed((const char *const[]){"cancelctl", __VA_ARGS__, NULL})

static void check_text(struct canceld_bytes bytes, const char *text)
{
    CHECK_BYTES_EQ(bytes.data, bytes.size, text, strlen(text));
}

static void labels_are_repeated_up_to_eight(void)
{
    struct arguments arguments =
        PARSED("store", "k", "--ttl", "1s", "--label", "1", "--label", "2", "--label", "3",
               "--label", "4", "--label=5", "--label", "6", "--label", "7", "--label", "8",
               "--parent", "18446744073709551615");

    CHECK_EQ(arguments.labels_count, 8);
    check_text(arguments.labels[0], "1");
    check_text(arguments.labels[4], "5");
    check_text(arguments.labels[7], "8");
    CHECK(arguments.parent == UINT64_MAX);
    arguments_fini(&arguments);
}

static void a_run_may_take_an_operation_over(void)
{
    struct arguments arguments =
        PARSED("run", "--key", "k", "--adopt", "18446744073709551615", "--", "true");

    CHECK(arguments.adopt == UINT64_MAX);
    arguments_fini(&arguments);
}

static void a_cancel_names_its_target(void)
{
    struct arguments arguments = PARSED("cancel", "--label", "l", "--reason", "r");

    CHECK_EQ(arguments.key.size, 0);
    check_text(arguments.labels[0], "l");
    arguments_fini(&arguments);
    arguments = PARSED("cancel", "--session", "7");
    CHECK_EQ(arguments.session, 7);
    arguments_fini(&arguments);
    arguments = PARSED("cancel", "--all");
    CHECK(arguments.whole_namespace);
    arguments_fini(&arguments);
    arguments = PARSED("cancel", "k");
    check_text(arguments.key, "k");
    CHECK(!arguments.whole_namespace);
    arguments_fini(&arguments);
}

static void each_command_takes_its_options(void)
{
    struct arguments arguments =
        PARSED("watch", "--no-snapshot", "--count", "3", "--timeout", "2s");

    CHECK(arguments.no_snapshot);
    CHECK_EQ(arguments.event_count, 3);
    CHECK_EQ(arguments.timeout_ms, 2000);
    arguments_fini(&arguments);
    arguments = PARSED("drain", "--daemon", "--deadline", "1m", "--reason", "r", "--actor", "a");
    CHECK(arguments.daemon);
    CHECK_EQ(arguments.deadline_ms, 60000);
    arguments_fini(&arguments);
    arguments = PARSED("history", "k", "--limit", "1000000");
    check_text(arguments.key, "k");
    CHECK_EQ(arguments.limit, 1000000);
    arguments_fini(&arguments);
    arguments = PARSED("history");
    CHECK_EQ(arguments.key.size, 0);
    arguments_fini(&arguments);
    arguments = PARSED("top", "--once", "--interval", "60s");
    CHECK(arguments.once);
    CHECK_EQ(arguments.interval_ms, 60000);
    arguments_fini(&arguments);
    arguments = PARSED("top");
    CHECK_EQ(arguments.interval_ms, 1000);
    arguments_fini(&arguments);
}

static void the_way_to_the_daemon_is_taken_from_options(void)
{
    struct arguments arguments = PARSED("--server", "tls+tcp://host:1", "--tls-ca", "/dev/null",
                                        "ping", "--tls-cert", "/", "--tls-key", "/dev/zero");
    struct connection connection;

    CHECK_EQ(connection_init(&connection, &arguments, false), EXIT_CODE_DONE);
    CHECK_STR_EQ(connection.options.tls.ca_file, "/dev/null");
    CHECK_STR_EQ(connection.options.tls.cert_file, "/");
    CHECK_STR_EQ(connection.options.tls.key_file, "/dev/zero");
    CHECK(connection.options.sessionless);
    connection_fini(&connection);
    arguments_fini(&arguments);
    arguments = PARSED("ping", "--tls-ca", "ca");
    CHECK_EQ(connection_init(&connection, &arguments, true), EXIT_CODE_DONE);
    CHECK_STR_EQ(connection.options.tls.ca_file, NULL); /* of no use on ipc:// */
    CHECK(!connection.options.sessionless);
    arguments_fini(&arguments);
}

/* ---- tokens ---- */

static const char *file_of(const char *bytes, size_t size)
{
    static char path[256];
    int fd;

    (void) snprintf(path, sizeof path, "%s/token", test_directory());
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, bytes, size), (ssize_t) size);
    CHECK_EQ(close(fd), 0);
    return path;
}

static void a_token_is_one_line_of_a_file(void)
{
    char token[CONNECTION_TOKEN_BYTES_MAX];
    const char *reason = NULL;

    CHECK_EQ(connection_token_read(file_of("secret\n", 7), token, &reason), 6);
    CHECK_BYTES_EQ(token, 6, "secret", 6);
    CHECK_EQ(connection_token_read(file_of("secret", 6), token, &reason), 6);
    CHECK_EQ(connection_token_read(file_of("secret\r\n", 8), token, &reason), 6);
}

static void a_token_has_256_bytes_at_the_most(void)
{
    char token[CONNECTION_TOKEN_BYTES_MAX], bytes[1024];
    const char *reason = NULL;

    memset(bytes, 'x', sizeof bytes);
    CHECK_EQ(connection_token_read(file_of(bytes, 256), token, &reason), 256);
    CHECK_EQ(connection_token_read(file_of(bytes, 257), token, &reason), 0);
    CHECK_STR_EQ(reason, "it is too long to be a token");
    CHECK_EQ(connection_token_read(file_of(bytes, 1024), token, &reason), 0);
    bytes[256] = '\r';
    bytes[257] = '\n';
    CHECK_EQ(connection_token_read(file_of(bytes, 258), token, &reason), 256);
}

static void what_is_no_token_is_refused(void)
{
    char token[CONNECTION_TOKEN_BYTES_MAX];
    const char *reason = NULL;

    CHECK_EQ(connection_token_read(file_of("", 0), token, &reason), 0);
    CHECK(reason != NULL);
    CHECK_EQ(connection_token_read(file_of("\n", 1), token, &reason), 0);
    CHECK_EQ(connection_token_read(file_of("two lines\nof text\n", 18), token, &reason), 0);
    CHECK_EQ(connection_token_read(file_of("a\0b", 3), token, &reason), 0);
    CHECK_EQ(connection_token_read("/nowhere/at/all", token, &reason), 0);
    CHECK_STR_EQ(reason, "No such file or directory");
    CHECK_EQ(connection_token_read("/", token, &reason), 0);
}

static void a_token_needs_a_session(void)
{
    const char *path = file_of("secret\n", 7);
    struct arguments arguments = PARSED("ping", "--token-file", path);
    struct connection connection;

    CHECK_EQ(connection_init(&connection, &arguments, false), EXIT_CODE_DONE);
    CHECK(!connection.options.sessionless);
    check_text(connection.options.token, "secret");
    connection_fini(&connection);
    CHECK_EQ(connection.token[0], 0);
    arguments_fini(&arguments);
}

static void the_environment_names_a_token_file_too(void)
{
    char *argv[] = {(char[]){"cancelctl"}, (char[]){"ping"}, NULL};
    struct arguments arguments;

    CHECK_EQ(setenv("CANCELD_TOKEN_FILE", "/some/file", 1), 0);
    CHECK_EQ(setenv("CANCELD_SERVER", "ipc:///nowhere", 1), 0);
    arguments_parse(&arguments, 2, argv);
    CHECK_STR_EQ(arguments.token_file, "/some/file");
    arguments_fini(&arguments);
}

static const struct test_case cases[] = {
    {"labels are repeated, up to eight", labels_are_repeated_up_to_eight},
    {"a run may take an operation over", a_run_may_take_an_operation_over},
    {"a cancel names its target", a_cancel_names_its_target},
    {"each command takes its options", each_command_takes_its_options},
    {"the way to the daemon is taken from options", the_way_to_the_daemon_is_taken_from_options},
    {"a token is one line of a file", a_token_is_one_line_of_a_file},
    {"a token has 256 bytes at the most", a_token_has_256_bytes_at_the_most},
    {"what is no token is refused", what_is_no_token_is_refused},
    {"a token needs a session", a_token_needs_a_session},
    {"the environment names a token file too", the_environment_names_a_token_file_too},
};
TEST_MAIN(cases)
