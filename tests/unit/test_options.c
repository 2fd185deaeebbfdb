/* SPDX-License-Identifier: MIT */
#include "server/options.h"
#include "testing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ARGUMENTS_MAX 40

static const struct environment user = {.runtime_dir = "/run/user/1000", .uid = 1000};

static struct options options;
static struct refusal refusal;

/* Parses "canceld" and the words of `line`, which are apart by one space. */
static enum options_end parse_as(const struct environment *environment, const char *line)
{
    static char text[1024]; /* what is parsed points into it */
    char *arguments[ARGUMENTS_MAX] = {(char[]){"canceld"}};
    int count = 1;
    char *rest = NULL;

    (void) snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        CHECK_LT(count, ARGUMENTS_MAX - 1);
        arguments[count++] = word;
    }
    arguments[count] = NULL;
    memset(&options, 0xee, sizeof options);
    memset(&refusal, 0, sizeof refusal);
    return options_parse(count, arguments, environment, &options, &refusal);
}

static void check_runs(const char *line)
{
    if (parse_as(&user, line) != OPTIONS_RUN) {
        (void) fprintf(stderr, "%s: %s\n", line, refusal.text);
        CHECK(false);
    }
}

/* The refusal has this code and its sentence names `word`. */
static void check_refused(const char *line, enum refusal_code code, const char *word)
{
    enum options_end end = parse_as(&user, line);

    if (end != OPTIONS_REFUSED || refusal.code != code || strstr(refusal.text, word) == NULL) {
        (void) fprintf(stderr, "%s: end %d, %s: %s\n", line, (int) end, refusal_name(refusal.code),
                       refusal.text);
        CHECK(false);
    }
}

/* ---- what stands where nothing is said ---- */

static void no_flags_give_the_defaults(void)
{
    const struct limits limits = limits_default();

    check_runs("");
    CHECK_EQ(options.addresses_count, 1);
    CHECK_STR_EQ(options.addresses[0].url, "ipc:///run/user/1000/canceld.sock");
    CHECK_EQ(options.access.mode, 0600);
    CHECK(!options.access.has_group);
    CHECK(options.state_dir == NULL);
    CHECK(!options.ephemeral);
    CHECK(!options.sync_power);
    CHECK_EQ(options.recovery_ms, 5000);
    CHECK_EQ(options.history_age_ms, UINT64_C(7) * 24 * 3600 * 1000);
    CHECK_EQ(options.history_bytes, UINT64_C(256) << 20);
    CHECK(options.tls.cert == NULL && options.tokens == NULL && options.config == NULL);
    CHECK_EQ(options.log_level, LOG_LEVEL_INFO);
    CHECK_EQ(options.log_format, LOG_FORMAT_TEXT);
    CHECK_EQ(options.seccomp, SANDBOX_KILL);
    CHECK(!options.dumpable);
    CHECK_BYTES_EQ(&options.limits, sizeof limits, &limits, sizeof limits);
}

static void each_flag_sets_its_field(void)
{
    check_runs("--listen ipc:///tmp/a --listen tcp://127.0.0.1:0 --ipc-mode 0640 --state-dir /s "
               "--log-level=debug --log-format=json --seccomp=off --dumpable");
    CHECK_EQ(options.addresses_count, 2);
    CHECK_EQ(options.addresses[0].kind, ADDRESS_IPC);
    CHECK_STR_EQ(address_path(&options.addresses[0]), "/tmp/a");
    CHECK_EQ(options.addresses[0].directory, ADDRESS_DIRECTORY_THEIRS);
    CHECK_EQ(options.addresses[1].kind, ADDRESS_TCP);
    CHECK_STR_EQ(options.addresses[1].url, "tcp://127.0.0.1:0");
    CHECK_EQ(options.access.mode, 0640);
    CHECK_STR_EQ(options.state_dir, "/s");
    CHECK_EQ(options.log_level, LOG_LEVEL_DEBUG);
    CHECK_EQ(options.log_format, LOG_FORMAT_JSON);
    CHECK_EQ(options.seccomp, SANDBOX_OFF);
    CHECK(options.dumpable);
    check_runs("--ephemeral");
    CHECK(options.ephemeral);
}

static void each_flag_of_the_whole_contract_sets_its_field(void)
{
    check_runs("--sync power --recovery 0 --history-age 1000 --history-bytes=1048576 --tokens /t "
               "--tokens-key /k --check-config --make-token ci");
    CHECK(options.sync_power);
    CHECK_EQ(options.recovery_ms, 0);
    CHECK_EQ(options.history_age_ms, 1000);
    CHECK_EQ(options.history_bytes, 1048576);
    CHECK_STR_EQ(options.tokens, "/t");
    CHECK_STR_EQ(options.tokens_key, "/k");
    CHECK(options.check_config);
    CHECK_STR_EQ(options.make_token, "ci");
    check_runs("--listen tls+tcp://0.0.0.0:0 --tls-cert /c --tls-key /k --tls-ca /a "
               "--tls-require-client-cert");
    CHECK_EQ(options.addresses[0].kind, ADDRESS_TLS);
    CHECK_STR_EQ(options.tls.cert, "/c");
    CHECK_STR_EQ(options.tls.key, "/k");
    CHECK_STR_EQ(options.tls.ca, "/a");
    CHECK(options.tls.require_client_cert);
    check_runs("--sync power --sync process");
    CHECK(!options.sync_power);
}

static void a_group_opens_the_socket_to_it_unless_a_mode_is_given(void)
{
    check_runs("--ipc-group root");
    CHECK(options.access.has_group);
    CHECK_EQ(options.access.group, 0);
    CHECK_EQ(options.access.mode, 0660);
    check_runs("--ipc-mode 0600 --ipc-group 12345");
    CHECK_EQ(options.access.group, 12345);
    CHECK_EQ(options.access.mode, 0600);
}

/* ---- limits ---- */

static void limit_flag(size_t i, const char *value, char *line, size_t room)
{
    (void) snprintf(line, room, "--limit-%s=%s", limit_rows[i].name, value);
    for (; *line != '='; line++) {
        *line = *line == '_' ? '-' : *line;
    }
}

static void check_limit(size_t i, uint64_t number, bool is_good)
{
    char value[32];
    char line[128];
    char name[128];

    (void) snprintf(value, sizeof value, "%" PRIu64, number);
    limit_flag(i, value, line, sizeof line);
    if (!is_good) {
        (void) snprintf(name, sizeof name, "%.*s ", (int) strcspn(line, "="), line);
        check_refused(line, REFUSAL_OPTION, name);
        return;
    }
    check_runs(line);
    for (size_t other = 0; other < limit_rows_count; other++) {
        uint64_t expected = other == i ? number : limit_rows[other].default_value;

        CHECK_EQ(*limits_field(&options.limits, &limit_rows[other]), expected);
    }
}

static void each_limit_has_a_flag_with_checked_ends(void)
{
    for (size_t i = 0; i < limit_rows_count; i++) {
        check_limit(i, limit_rows[i].lowest, true);
        check_limit(i, limit_rows[i].highest, true);
        check_limit(i, limit_rows[i].lowest - 1, false);
        check_limit(i, limit_rows[i].highest + 1, false);
    }
}

static void a_limit_is_digits_and_nothing_else(void)
{
    static const char *const values[] = {"-1",  "+5",  "1e3", "0x10",
                                         "10k", "ten", "1.5", "18446744073709551617"};

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char line[128];

        limit_flag(0, values[i], line, sizeof line);
        check_refused(line, REFUSAL_OPTION, "--limit-operations");
    }
    check_refused("--limit-operations=", REFUSAL_OPTION, "--limit-operations");
}

/* ---- what is refused ---- */

static void bad_values_are_refused_by_name(void)
{
    static const struct {
        const char *line;
        const char *word;
    } rows[] = {
        {"--ipc-mode 8", "--ipc-mode"},
        {"--ipc-mode 0999", "--ipc-mode"},
        {"--ipc-mode 1777", "--ipc-mode"},
        {"--ipc-mode 00600", "--ipc-mode"},
        {"--ipc-mode rw", "--ipc-mode"},
        {"--ipc-group no-such-group-anywhere", "--ipc-group"},
        {"--ipc-group 4294967295", "--ipc-group"},
        {"--state-dir=", "--state-dir"},
        {"--ephemeral --state-dir /s", "--ephemeral and --state-dir"},
        {"--log-level loud", "--log-level"},
        {"--log-level INFO", "--log-level"},
        {"--log-format xml", "--log-format"},
        {"--seccomp maybe", "--seccomp"},
        {"--sync disk", "--sync disk"},
        {"--recovery 3600001", "--recovery 3600001"},
        {"--recovery -1", "--recovery"},
        {"--history-age 999", "--history-age"},
        {"--history-age 315360000001", "--history-age"},
        {"--history-bytes 1048575", "--history-bytes"},
        {"--history-bytes 1099511627777", "--history-bytes"},
        {"--tokens=", "--tokens"},
        {"--tokens-key /k", "--tokens-key is of no use without --tokens"},
        {"--make-token ci", "--make-token needs --tokens"},
        {"--listen tls+tcp://127.0.0.1:1", "--tls-cert"},
        {"--listen tls+tcp://127.0.0.1:1 --tls-cert /c", "--tls-key"},
        {"--tls-require-client-cert", "--tls-ca"},
        {"--listen ipc:///a --listen ipc:///a", "--listen ipc:///a is given twice"},
        {"stray", "stray"},
        {"--ephemeral -- stray", "stray"},
        /* getopt itself says what is wrong with these */
        {"--no-such-flag", ""},
        {"--listen", ""},
        {"--ephemeral=yes", ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_refused(rows[i].line, REFUSAL_OPTION, rows[i].word);
    }
    CHECK_EQ(refusal_exit_code(REFUSAL_OPTION), 2);
}

static void addresses_are_counted(void)
{
    char line[1024] = "";

    for (size_t i = 0; i <= OPTIONS_ADDRESSES_MAX; i++) {
        size_t size = strlen(line);

        if (i == OPTIONS_ADDRESSES_MAX) {
            check_runs(line);
            CHECK_EQ(options.addresses_count, OPTIONS_ADDRESSES_MAX);
        }
        (void) snprintf(line + size, sizeof line - size, " --listen ipc:///a%zu", i);
    }
    check_refused(line, REFUSAL_OPTION, "--listen");
}

static void bad_addresses_have_their_own_codes(void)
{
    static const struct {
        const char *line;
        enum refusal_code code;
    } rows[] = {
        {"--listen http://x", REFUSAL_ADDRESS_SCHEME},
        {"--listen inproc://x", REFUSAL_ADDRESS_SCHEME},
        {"--listen rep+inproc://x", REFUSAL_ADDRESS_SCHEME},
        {"--listen rep+ipc://x", REFUSAL_ADDRESS_MALFORMED},
        {"--listen rep+tcp://0.0.0.0:1", REFUSAL_ADDRESS_NOT_LOOPBACK},
        {"--listen ipc:///\xff", REFUSAL_ADDRESS_MALFORMED},
        {"--listen /tmp/a", REFUSAL_ADDRESS_SCHEME},
        {"--listen rep+tls+tcp://127.0.0.1:1", REFUSAL_ADDRESS_SCHEME},
        {"--listen ipc://", REFUSAL_ADDRESS_MALFORMED},
        {"--listen ipc://relative", REFUSAL_ADDRESS_MALFORMED},
        {"--listen ipc:///tmp/", REFUSAL_ADDRESS_MALFORMED},
        {"--listen ipc:///tmp/a\nb", REFUSAL_ADDRESS_MALFORMED},
        {"--listen tcp://127.0.0.1", REFUSAL_ADDRESS_MALFORMED},
        {"--listen tcp://127.0.0.1:", REFUSAL_ADDRESS_MALFORMED},
        {"--listen tcp://127.0.0.1:65536", REFUSAL_ADDRESS_MALFORMED},
        {"--listen tcp://127.0.0.1:80/", REFUSAL_ADDRESS_MALFORMED},
        {"--listen tcp://127.0.0.1:http", REFUSAL_ADDRESS_MALFORMED},
        {"--listen tcp://::1:80", REFUSAL_ADDRESS_MALFORMED},
        {"--listen tcp://[::1:80", REFUSAL_ADDRESS_MALFORMED},
        {"--listen tcp://0.0.0.0:80", REFUSAL_ADDRESS_NOT_LOOPBACK},
        {"--listen tcp://:80", REFUSAL_ADDRESS_NOT_LOOPBACK},
        {"--listen tcp://*:80", REFUSAL_ADDRESS_NOT_LOOPBACK},
        {"--listen tcp://[::]:80", REFUSAL_ADDRESS_NOT_LOOPBACK},
        {"--listen tcp://192.0.2.1:80", REFUSAL_ADDRESS_NOT_LOOPBACK},
        {"--listen tcp://[2001:db8::1]:80", REFUSAL_ADDRESS_NOT_LOOPBACK},
        {"--listen tcp://[::ffff:192.0.2.1]:80", REFUSAL_ADDRESS_NOT_LOOPBACK},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_refused(rows[i].line, rows[i].code, "--listen");
    }
}

static void loopback_needs_no_leave_and_the_rest_needs_it(void)
{
    check_runs(
        "--listen tcp://127.255.0.3:1 --listen tcp://[::1]:65535 --listen tcp://127.0.0.1:0");
    CHECK_EQ(options.addresses_count, 3);
    check_runs("--listen tcp://0.0.0.0:80 --insecure-tcp");
    CHECK_STR_EQ(options.addresses[0].url, "tcp://0.0.0.0:80");
    check_runs("--insecure-tcp --listen tcp://[::]:80");
    check_runs("--listen rep+tcp://127.0.0.1:0 --listen rep+ipc:///a");
    CHECK_STR_EQ(options.addresses[0].url, "rep+tcp://127.0.0.1:0");
    CHECK_STR_EQ(address_path(&options.addresses[1]), "/a");
}

static void a_path_has_107_bytes_at_most(void)
{
    char path[128];
    char line[256];

    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[107] = '\0';
    (void) snprintf(line, sizeof line, "--listen ipc://%s", path);
    check_runs(line);
    CHECK_STR_EQ(address_path(&options.addresses[0]), path);
    path[107] = 'a';
    path[108] = '\0';
    (void) snprintf(line, sizeof line, "--listen ipc://%s", path);
    check_refused(line, REFUSAL_ADDRESS_TOO_LONG, "107 bytes at most, this one has 108");
    memset(path, '1', sizeof path);
    path[127] = '\0';
    (void) snprintf(line, sizeof line, "--insecure-tcp --listen tcp://%s%.30s:80", path, path);
    check_refused(line, REFUSAL_ADDRESS_TOO_LONG, "--listen");
}

/* ---- where it listens without --listen ---- */

static void the_default_address_follows_the_environment(void)
{
    static const struct {
        struct environment environment;
        const char *url;
        enum address_directory directory;
    } rows[] = {
        {{.uid = 0}, "ipc:///run/canceld/canceld.sock", ADDRESS_DIRECTORY_SYSTEM},
        {{.uid = 0, .runtime_dir = "/run/user/0", .tmp_dir = "/t"},
         "ipc:///run/canceld/canceld.sock",
         ADDRESS_DIRECTORY_SYSTEM},
        {{.uid = 7, .runtime_dir = "/r", .tmp_dir = "/t"},
         "ipc:///r/canceld.sock",
         ADDRESS_DIRECTORY_THEIRS},
        {{.uid = 7, .tmp_dir = "/t"}, "ipc:///t/canceld-7/canceld.sock", ADDRESS_DIRECTORY_PRIVATE},
        {{.uid = 7}, "ipc:///tmp/canceld-7/canceld.sock", ADDRESS_DIRECTORY_PRIVATE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(parse_as(&rows[i].environment, ""), OPTIONS_RUN);
        CHECK_STR_EQ(options.addresses[0].url, rows[i].url);
        CHECK_EQ(options.addresses[0].directory, rows[i].directory);
    }
}

static void a_default_address_that_is_too_long_is_refused(void)
{
    char runtime_dir[5000];
    struct environment environment = {.uid = 7, .runtime_dir = runtime_dir};

    memset(runtime_dir, 'r', sizeof runtime_dir);
    runtime_dir[0] = '/';
    runtime_dir[sizeof runtime_dir - 1] = '\0';
    CHECK_EQ(parse_as(&environment, ""), OPTIONS_REFUSED);
    CHECK_EQ(refusal.code, REFUSAL_ADDRESS_TOO_LONG);
    /* an address of one's own does without the default */
    CHECK_EQ(parse_as(&environment, "--listen ipc:///a"), OPTIONS_RUN);
}

static void the_state_directory_follows_the_environment(void)
{
    static const struct {
        struct environment environment;
        const char *path; /* NULL: refused */
    } rows[] = {
        {{.uid = 0, .state_home = "/s", .home = "/root"}, "/var/lib/canceld"},
        {{.uid = 7, .state_home = "/s", .home = "/h"}, "/s/canceld"},
        {{.uid = 7, .home = "/h"}, "/h/.local/state/canceld"},
        {{.uid = 7}, NULL},
    };

    char path[64];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_found = environment_state_dir(&rows[i].environment, path, sizeof path, &refusal);

        CHECK_EQ(is_found, rows[i].path != NULL);
        if (is_found) {
            CHECK_STR_EQ(path, rows[i].path);
        } else {
            CHECK_EQ(refusal.code, REFUSAL_DIRECTORY);
        }
    }
}

/* ---- what is printed ---- */

static void help_names_every_limit_with_its_range_and_the_dangers(void)
{
    static char text[65536];
    FILE *out = tmpfile();
    FILE *before = stdout;
    char word[128];

    CHECK(out != NULL);
    stdout = out;
    CHECK_EQ(parse_as(&user, "--help"), OPTIONS_DONE);
    stdout = before;
    rewind(out);
    text[fread(text, 1, sizeof text - 1, out)] = '\0';
    (void) fclose(out);
    for (size_t i = 0; i < limit_rows_count; i++) {
        limit_flag(i, "N", word, sizeof word);
        CHECK(strstr(text, word) != NULL);
        (void) snprintf(word, sizeof word, "%" PRIu64, limit_rows[i].default_value);
        CHECK(strstr(text, word) != NULL);
    }
    CHECK(strstr(text, "--listen=URL") != NULL);
    CHECK(strstr(text, "clock that is set back") != NULL);
    CHECK(strstr(text, "Exit status") != NULL);
}

static void version_prints_and_ends(void)
{
    CHECK_EQ(parse_as(&user, "--version"), OPTIONS_DONE);
    CHECK_EQ(parse_as(&user, "-V --no-such-flag"), OPTIONS_DONE);
    CHECK_EQ(parse_as(&user, "--usage"), OPTIONS_DONE);
}

static const struct test_case cases[] = {
    {"no flags give the defaults", no_flags_give_the_defaults, 0},
    {"each flag sets its field", each_flag_sets_its_field, 0},
    {"each flag of the whole contract sets its field",
     each_flag_of_the_whole_contract_sets_its_field, 0},
    {"a group opens the socket to it unless a mode is given",
     a_group_opens_the_socket_to_it_unless_a_mode_is_given, 0},
    {"each limit has a flag with checked ends", each_limit_has_a_flag_with_checked_ends, 0},
    {"a limit is digits and nothing else", a_limit_is_digits_and_nothing_else, 0},
    {"bad values are refused by name", bad_values_are_refused_by_name, 0},
    {"addresses are counted", addresses_are_counted, 0},
    {"bad addresses have their own codes", bad_addresses_have_their_own_codes, 0},
    {"loopback needs no leave and the rest needs it", loopback_needs_no_leave_and_the_rest_needs_it,
     0},
    {"a path has 107 bytes at most", a_path_has_107_bytes_at_most, 0},
    {"the default address follows the environment", the_default_address_follows_the_environment, 0},
    {"a default address that is too long is refused", a_default_address_that_is_too_long_is_refused,
     0},
    {"the state directory follows the environment", the_state_directory_follows_the_environment, 0},
    {"help names every limit with its range and the dangers",
     help_names_every_limit_with_its_range_and_the_dangers, 0},
    {"version prints and ends", version_prints_and_ends, 0},
};

TEST_MAIN(cases)
