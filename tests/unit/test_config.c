/* SPDX-License-Identifier: MIT */
/* The configuration file as the command line reads it. */
#include "server/options.h"
#include "server/rights_load.h"
#include "server/setting.h"
#include "testing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGUMENTS_MAX 16

/* libconfig does not free a text that a syntax error stands right behind: once a file that is refused,
 * and not ours to mend. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so\n";
}

static const struct environment user = {.runtime_dir = "/run/user/1000", .uid = 1000};

static struct options options;
static struct refusal refusal;
static char path[512];

static void file_write_bytes(const char *text, size_t size)
{
    FILE *file;

    (void) snprintf(path, sizeof path, "%s/canceld.conf", test_directory());
    file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK_EQ(fwrite(text, 1, size, file), size);
    CHECK_EQ(fclose(file), 0);
}

/* Parses "canceld --config FILE" and the words of `flags`, which are apart by one space. */
static enum options_end parse_with(const char *flags)
{
    static char text[1024]; /* what is parsed points into it */
    char *arguments[ARGUMENTS_MAX] = {(char[]){"canceld"}, (char[]){"--config"}, path};
    int count = 3;
    char *rest = NULL;

    (void) snprintf(text, sizeof text, "%s", flags);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        CHECK_LT(count, ARGUMENTS_MAX - 1);
        arguments[count++] = word;
    }
    arguments[count] = NULL;
    memset(&refusal, 0, sizeof refusal);
    return options_parse(count, arguments, &user, &options, &refusal);
}

static enum options_end parse(const char *text, const char *flags)
{
    file_write_bytes(text, strlen(text));
    return parse_with(flags);
}

static void check_runs_with(const char *text, const char *flags)
{
    if (parse(text, flags) != OPTIONS_RUN) {
        (void) fprintf(stderr, "%s: %s\n", text, refusal.text);
        CHECK(false);
    }
}

static void check_runs(const char *text)
{
    check_runs_with(text, "");
}

/* The sentence says the file, this line and this word. */
static void check_refused(const char *text, unsigned line, const char *word)
{
    char place[600];
    enum options_end end = parse(text, "");

    (void) snprintf(place, sizeof place, "%s:%u: ", path, line);
    if (end != OPTIONS_REFUSED || strstr(refusal.text, place) == NULL ||
        strstr(refusal.text, word) == NULL || refusal_exit_code(refusal.code) != 2) {
        (void) fprintf(stderr, "%s\nend %d, %s: %s\n", text, (int) end, refusal_name(refusal.code),
                       refusal.text);
        CHECK(false);
    }
}

/* ---- what it can say ---- */

static void an_empty_file_gives_the_defaults(void)
{
    static const char *const texts[] = {"", "\n", "# nothing\n", "// nothing", "/* nothing */"};
    const struct limits limits = limits_default();

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        check_runs(texts[i]);
        CHECK_STR_EQ(options.addresses[0].url, "ipc:///run/user/1000/canceld.sock");
        CHECK_EQ(options.recovery_ms, 5000);
        CHECK_BYTES_EQ(&options.limits, sizeof limits, &limits, sizeof limits);
        options_fini(&options);
    }
}

static const char everything[] = "listen = [\"ipc:///tmp/a\", \"tcp://0.0.0.0:1\"];\n"
                                 "insecure_tcp = true;\n"
                                 "ipc_mode = \"0640\";\n"
                                 "ipc_group = \"12345\";\n"
                                 "tls_cert = \"/c\"; tls_key = \"/k\"; tls_ca = \"/a\";\n"
                                 "tls_require_client_cert = true;\n"
                                 "state_dir = \"/s\";\n"
                                 "ephemeral = false;\n"
                                 "sync = \"power\";\n"
                                 "recovery = 7;\n"
                                 "history_age = 315360000000L;\n"
                                 "history_bytes = 0x100000;\n"
                                 "tokens = \"/t\"; tokens_key = \"/tk\";\n"
                                 "log_level = \"debug\"; log_format = \"json\";\n"
                                 "seccomp = \"log\"; dumpable = true;\n"
                                 "limits = { operations = 5; };\n";

static void each_setting_sets_its_field(void)
{
    check_runs(everything);
    CHECK_EQ(options.addresses_count, 2);
    CHECK_STR_EQ(options.addresses[1].url, "tcp://0.0.0.0:1");
    CHECK_EQ(options.access.mode, 0640);
    CHECK(options.access.has_group);
    CHECK_EQ(options.access.group, 12345);
    CHECK_STR_EQ(options.tls.cert, "/c");
    CHECK_STR_EQ(options.tls.key, "/k");
    CHECK_STR_EQ(options.tls.ca, "/a");
    CHECK(options.tls.require_client_cert);
    CHECK_STR_EQ(options.state_dir, "/s");
    CHECK(!options.ephemeral);
    CHECK(options.sync_power);
    CHECK_EQ(options.recovery_ms, 7);
    CHECK_EQ(options.history_age_ms, UINT64_C(315360000000));
    CHECK_EQ(options.history_bytes, 1048576);
    CHECK_STR_EQ(options.tokens, "/t");
    CHECK_STR_EQ(options.tokens_key, "/tk");
    CHECK_EQ(options.log_level, LOG_LEVEL_DEBUG);
    CHECK_EQ(options.log_format, LOG_FORMAT_JSON);
    CHECK_EQ(options.seccomp, SANDBOX_LOG);
    CHECK(options.dumpable);
    CHECK_EQ(options.limits.operations, 5);
    options_fini(&options);
}

/* So that nobody adds a flag that the file cannot say. */
static void everything_above_names_every_setting(void)
{
    for (size_t i = 0; i < settings_count; i++) {
        char name[SETTING_NAME_BYTES];

        (void) snprintf(name, sizeof name, "%s", settings[i].name);
        for (char *at = name; *at != '\0'; at++) {
            *at = *at == '-' ? '_' : *at;
        }
        CHECK_EQ(strstr(everything, name) != NULL, settings[i].scope != SETTING_COMMAND);
    }
}

static void one_address_needs_no_list(void)
{
    check_runs("listen = \"ipc:///a\";");
    CHECK_EQ(options.addresses_count, 1);
    CHECK_STR_EQ(address_path(&options.addresses[0]), "/a");
    options_fini(&options);
}

static void a_flag_counts_more_than_the_file(void)
{
    check_runs_with(everything, "--listen ipc:///b --recovery 9 --log-level=warn --sync process "
                                "--limit-operations 6 --state-dir /other");
    CHECK_EQ(options.addresses_count, 1);
    CHECK_STR_EQ(address_path(&options.addresses[0]), "/b");
    CHECK_EQ(options.recovery_ms, 9);
    CHECK_EQ(options.log_level, LOG_LEVEL_WARN);
    CHECK(!options.sync_power);
    CHECK_EQ(options.limits.operations, 6);
    CHECK_STR_EQ(options.state_dir, "/other");
    CHECK_EQ(options.history_bytes, 1048576);
    options_fini(&options);
}

static void each_limit_has_a_setting_with_checked_ends(void)
{
    for (size_t i = 0; i < limit_rows_count; i++) {
        const struct limit_row *row = &limit_rows[i];
        char text[256];

        (void) snprintf(text, sizeof text, "limits = { %s = %" PRIu64 "L; };", row->name,
                        row->highest);
        check_runs(text);
        CHECK_EQ(*limits_field(&options.limits, row), row->highest);
        options_fini(&options);
        (void) snprintf(text, sizeof text, "limits = {\n%s = %" PRIu64 "L; };", row->name,
                        row->highest + 1);
        check_refused(text, 2, row->name);
        (void) snprintf(text, sizeof text, "limits = {\n%s = %" PRIu64 "L; };", row->name,
                        row->lowest - 1);
        check_refused(text, 2, row->name);
    }
}

/* ---- what is refused ---- */

static void bad_settings_are_refused_by_line_and_name(void)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *word;
    } rows[] = {
        {"\nnonsense = 1;", 2, "nonsense: there is no such setting"},
        {"log-level = \"info\";", 1, "log-level: there is no such setting"},
        {"recovery_ms = 1;", 1, "recovery_ms: there is no such setting"},
        {"log_level = \"loud\";", 1, "log_level loud"},
        {"\n\nlog_level = 3;", 3, "log_level: a text in quotes"},
        {"recovery = \"5\";", 1, "recovery: a whole number"},
        {"recovery = -5;", 1, "recovery: a whole number"},
        {"recovery = 5.5;", 1, "recovery: a whole number"},
        {"recovery = 1e3;", 1, "recovery: a whole number"},
        {"recovery = true;", 1, "recovery: a whole number"},
        {"recovery = 3600001;", 1, "recovery 3600001: a whole number of 0 to 3600000"},
        {"history_bytes = 5000000000;", 1, "5000000000 needs an L"},
        {"history_bytes = 0x1ffffffff;", 1, "needs an L"},
        {"history_bytes = 4294967296;", 1, "needs an L"},
        {"history_bytes = 99999999999999999999L;", 1, "too large"},
        {"recovery = -4294967295;", 1, "needs an L"},
        {"ephemeral = \"true\";", 1, "ephemeral: true or false"},
        {"ephemeral = 1;", 1, "ephemeral: true or false"},
        {"ipc_mode = \"0999\";", 1, "ipc_mode 0999"},
        {"ipc_mode = 0660;", 1, "ipc_mode: a text in quotes"},
        {"state_dir = \"\";", 1, "state_dir : it is empty"},
        {"sync = \"disk\";", 1, "sync disk"},
        {"listen = [];", 1, "listen: it is empty"},
        {"listen = [1];", 1, "listen[0]: a text"},
        {"listen = {a = 1;};", 1, "listen: a text"},
        {"listen = [\n\"ipc:///a\",\n\"http://x\"];", 3, "listen http://x: the address has to"},
        {"listen = \"tcp://0.0.0.0:1\";", 1, "listen tcp://0.0.0.0:1"},
        {"config = \"/x\";", 1, "config: that is said on the command line"},
        {"check_config = true;", 1, "check_config: that is said on"},
        {"make_token = \"ci\";", 1, "make_token: that is said on"},
        {"limits = 5;", 1, "limits: a group"},
        {"limits = {\n nothing = 5; };", 2, "limits.nothing: there is no such limit"},
        {"limits = {\n operations = \"5\"; };", 2, "limits.operations: a whole number"},
        {"log_level = \"info\"\nlog_level = \"info\";", 2, "duplicate"},
        {"log_level =\n \"info\\\"", 2, "no closing quote"},
        {"a b c", 1, "syntax error"},
        {"\xff\xfe", 1, "syntax error"},
        {"@include \"/etc/passwd\"", 1, "without @include"},
        {"# @include\n/* @include */\n x = \"@include\";\n@include \"/\"", 4, "without @include"},
        {"tokens = \"a\\x00b\";", 1, "NUL"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_refused(rows[i].text, rows[i].line, rows[i].word);
    }
}

static void what_excludes_each_other_does_so_from_file_to_flag(void)
{
    CHECK_EQ(parse("ephemeral = true;", "--state-dir /s"), OPTIONS_REFUSED);
    CHECK(strstr(refusal.text, "--ephemeral and --state-dir") != NULL);
}

static void numbers_in_texts_and_comments_are_no_numbers(void)
{
    check_runs(
        "# 5000000000\n// 5000000000\n/* 5000000000\n@ */ tokens = \"5000000000 \\\" @\";\n");
    CHECK_STR_EQ(options.tokens, "5000000000 \" @");
    options_fini(&options);
}

static void check_file_refused(const char *word)
{
    CHECK_EQ(parse_with(""), OPTIONS_REFUSED);
    CHECK_EQ(refusal.code, REFUSAL_FILE);
    CHECK_EQ(refusal_exit_code(refusal.code), 2);
    if (strstr(refusal.text, word) == NULL || strstr(refusal.text, path) == NULL) {
        (void) fprintf(stderr, "%s\n", refusal.text);
        CHECK(false);
    }
}

static void files_that_cannot_be_read_are_refused(void)
{
    static char large[CONFIG_BYTES_MAX + 1];

    (void) snprintf(path, sizeof path, "%s/none", test_directory());
    check_file_refused("No such file");
    (void) snprintf(path, sizeof path, "%s", test_directory());
    check_file_refused("no regular file");
    (void) snprintf(path, sizeof path, "%s/fifo", test_directory());
    CHECK_EQ(mkfifo(path, 0600), 0);
    check_file_refused("no regular file");
    file_write_bytes("a\0b", 3);
    check_file_refused("NUL");
    memset(large, '\n', sizeof large);
    file_write_bytes(large, CONFIG_BYTES_MAX);
    CHECK_EQ(parse_with(""), OPTIONS_RUN);
    options_fini(&options);
    file_write_bytes(large, CONFIG_BYTES_MAX + 1);
    check_file_refused("at most");
    file_write_bytes("", 0);
    CHECK_EQ(chmod(path, 0666), 0);
    check_file_refused("0666");
}

/* ---- rules and namespaces ---- */

#define RULE "rules = ( {\n who = \"uid:1\"; namespace = \"a\"; roles = \"owner\"; } );"

static struct rights *rights_of(const char *text)
{
    struct rights *rights;

    check_runs(text);
    CHECK(rights_load(&options, &rights, &refusal));
    options_fini(&options);
    return rights;
}

static uint32_t roles_of(const struct rights *rights, const char *who, const char *space)
{
    return rights_roles(rights, rights_principal(rights, bytes_of_string(who)),
                        bytes_of_string(space));
}

static void rules_become_rights(void)
{
    struct rights *rights =
        rights_of("rules = ( { who = \"uid:1\"; namespace = [\"a\", \"b\"]; roles = [\"owner\", "
                  "\"reader\"]; }, { roles = (\"admin\"); namespace = \"*\"; who = \"tcp:::1\"; },"
                  "{ who = \"user:root\"; namespace = \"c\"; roles = \"canceller\"; } );");
    char text[RIGHTS_TEXT_BYTES];

    CHECK_EQ(roles_of(rights, "uid:1", "a"), ROLE_OWNER | ROLE_READER);
    CHECK_EQ(roles_of(rights, "uid:1", "b"), ROLE_OWNER | ROLE_READER);
    CHECK_EQ(roles_of(rights, "uid:1", "c"), 0);
    CHECK_EQ(roles_of(rights, "uid:0", "c"), ROLE_CANCELLER);
    CHECK_EQ(roles_of(rights, "tcp:::1", "anything"), ROLES_ALL);
    rights_describe(rights, text);
    CHECK_STR_EQ(text, "4 rules, 0 bounded namespaces, 0 tokens");
    rights_free(rights);
    rights = rights_of("rules = ();");
    CHECK(rights_are_off(rights));
    rights_free(rights);
}

static void namespaces_have_bounds_of_their_own(void)
{
    struct rights *rights = rights_of(
        "namespaces = ( { name = \"b\"; operations = 7; }, { name = \"a\"; operations = 5;"
        " operations_session = 2; } );");
    struct space_limits limits = {100, 50};

    rights_space_limits(rights, bytes_of_string("c"), &limits);
    CHECK_EQ(limits.operations, 100);
    rights_space_limits(rights, bytes_of_string("b"), &limits);
    CHECK_EQ(limits.operations, 7);
    CHECK_EQ(limits.operations_session, 50);
    rights_space_limits(rights, bytes_of_string("a"), &limits);
    CHECK_EQ(limits.operations, 5);
    CHECK_EQ(limits.operations_session, 2);
    rights_free(rights);
}

static void bad_rules_are_refused_by_line_and_name(void)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *word;
    } rows[] = {
        {"rules = 1;", 1, "rules: a list of groups"},
        {"rules = [1];", 1, "rules: a list of groups"},
        {"rules = ( 1 );", 1, "rules[0]: a group"},
        {"rules = ( { } );", 1, "rules[0]: its who is missing"},
        {"rules = ( { who = \"*\"; } );", 1, "rules[0]: its namespace is missing"},
        {"rules = ( { who = \"*\"; namespace = \"a\"; } );", 1, "rules[0]: its roles is missing"},
        {RULE "\nrules = ();", 3, "duplicate"},
        {"rules = ( { who = \"uid:1\";\n other = 1; } );", 2, "rules[0].other: there is no such"},
        {"rules = ( {\n who = 1; } );", 2, "rules[0].who: a text"},
        {"rules = ( {\n who = \"bob\"; } );", 2, "rules[0].who: bob: it is none of"},
        {"rules = ( {\n who = \"uid:x\"; } );", 2, "uid:x: a uid is a number"},
        {"rules = ( {\n who = \"uid:4294967295\"; } );", 2, "a uid is a number"},
        {"rules = ( {\n who = \"user:no-such-user\"; } );", 2, "there is no such user"},
        {"rules = ( {\n who = \"user:*\"; } );", 2, "there is no such user"},
        {"rules = ( {\n who = \"token:\"; } );", 2, "a token's name"},
        {"rules = ( {\n who = \"tcp:localhost\"; } );", 2, "an address in numbers"},
        {"rules = ( {\n who = \"tcp:127.0.0.1:80\"; } );", 2, "an address in numbers"},
        {"rules = ( {\n who = \"tls:\"; } );", 2, "a certificate's name"},
        {"rules = ( { who = \"*\"; namespace = \"\"; roles = \"owner\"; } );", 1,
         "rules[0].namespace: a namespace has 1 to 64"},
        {"rules = ( { who = \"*\"; namespace = (\"a\",\n \"a\\x01\"); roles = \"owner\"; } );", 2,
         "rules[0].namespace[1]: a namespace"},
        {"rules = ( { who = \"*\"; namespace = \"a\"; \n roles = \"king\"; } );", 2,
         "rules[0].roles: king: a role is"},
        {"rules = ( { who = \"*\"; namespace = \"a\"; \n roles = []; } );", 2,
         "rules[0].roles: it is empty"},
        {"namespaces = ( { } );", 1, "namespaces[0]: its name is missing"},
        {"namespaces = ( { name = \"a\";\n operations = 0; } );", 2,
         "namespaces[0].operations: 0: a whole number of 1 to"},
        {"namespaces = ( { name = \"a\";\n operations_session = 50000001; } );", 2,
         "namespaces[0].operations_session: 50000001"},
        {"namespaces = ( { name = \"a\";\n bytes = 1; } );", 2, "namespaces[0].bytes"},
        {"namespaces = ( { name = \"b\"; }, { name = \"a\"; },\n { name = \"b\"; } );", 2,
         "b is there already, in line 1"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_refused(rows[i].text, rows[i].line, rows[i].word);
    }
}

/* `count` namespaces in one rule, each with a name of its own. */
static char *many_spaces(size_t count, const char *before, const char *each, const char *behind,
                         const char *after)
{
    char *text = malloc(count * 64 + 256);
    size_t size;

    CHECK(text != NULL);
    size = (size_t) snprintf(text, 256, "%s", before);
    for (size_t i = 0; i < count; i++) {
        size += (size_t) snprintf(text + size, 64, "%s", i == 0 ? "" : ",\n");
        size += (size_t) snprintf(text + size, 60, "%s\"n%zu\"%s", each, i, behind);
    }
    (void) snprintf(text + size, 64, "%s", after);
    return text;
}

static void rules_and_namespaces_are_bounded(void)
{
    static const char rule[] = "rules = ( { who = \"*\"; roles = \"owner\"; namespace = [\n";
    char *good = many_spaces(RULES_MAX, rule, "", "", "]; } );");
    char *bad = many_spaces(RULES_MAX + 1, rule, "", "", "]; } );");
    struct rights *rights = rights_of(good);

    CHECK_EQ(roles_of(rights, "uid:5", "n0"), ROLE_OWNER);
    CHECK_EQ(roles_of(rights, "uid:5", "n9999"), ROLE_OWNER);
    CHECK_EQ(roles_of(rights, "uid:5", "n10000"), 0);
    rights_free(rights);
    check_refused(bad, RULES_MAX + 2, "10000 rules at most");
    free(good);
    free(bad);
    good = many_spaces(SPACES_MAX, "namespaces = (\n", "{ name = ", "; operations = 5; }", ");");
    bad = many_spaces(SPACES_MAX + 1, "namespaces = (\n", "{ name = ", "; }", ");");
    rights_free(rights_of(good));
    check_refused(bad, 1, "10000 namespaces at most");
    free(good);
    free(bad);
}

/* ---- the example ---- */

static void the_example_is_good_and_names_every_setting(void)
{
    static char text[65536];
    FILE *file = fopen(CANCELD_EXAMPLE, "r");
    struct rights *rights;

    CHECK(file != NULL);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void) fclose(file);
    rights = rights_of(text);
    CHECK(!rights_are_off(rights));
    CHECK_EQ(roles_of(rights, "uid:1000", "builds"), ROLE_OWNER | ROLE_CANCELLER | ROLE_READER);
    rights_free(rights);
    for (size_t i = 0; i < settings_count; i++) {
        char name[SETTING_NAME_BYTES + 8];
        size_t size = (size_t) snprintf(name, sizeof name, "\n%s =", settings[i].name);
        char commented[SETTING_NAME_BYTES + 16];

        for (size_t at = 0; at < size; at++) {
            name[at] = name[at] == '-' ? '_' : name[at];
        }
        (void) snprintf(commented, sizeof commented, "\n# %s", name + 1);
        CHECK_EQ(strstr(text, name) != NULL || strstr(text, commented) != NULL,
                 settings[i].scope != SETTING_COMMAND);
    }
}

/* Bytes of the example changed, cut and doubled at random: it is refused with a sentence or taken, and
 * nothing of ours or of libconfig falls over. */
static void no_damage_to_the_example_does_harm(void)
{
    static char whole[65536];
    static char text[65536];
    FILE *file = fopen(CANCELD_EXAMPLE, "r");
    size_t size;
    unsigned taken = 0;

    CHECK(file != NULL);
    size = fread(whole, 1, sizeof whole, file);
    (void) fclose(file);
    srandom(20261122);
    for (int round = 0; round < 2000; round++) {
        size_t changes = (size_t) random() % 4 + 1;
        size_t cut = (size_t) random() % 3 == 0 ? (size_t) random() % size : size;

        memcpy(text, whole, size);
        for (size_t i = 0; i < changes; i++) {
            text[(size_t) random() % size] = "\"{}()[];=,\\@#/*9L-\n\r\t x\x80"[random() % 24];
        }
        file_write_bytes(text, cut);
        if (parse_with("--listen ipc:///a") == OPTIONS_RUN) {
            options_fini(&options);
            taken++;
        } else {
            CHECK_NE(refusal.text[0], '\0');
        }
    }
    (void) fprintf(stderr, "seed 20261122: %u of 2000 taken\n", taken);
    CHECK_LT(taken, 2000);
}

static const struct test_case cases[] = {
    {"an empty file gives the defaults", an_empty_file_gives_the_defaults, 0},
    {"each setting sets its field", each_setting_sets_its_field, 0},
    {"everything above names every setting", everything_above_names_every_setting, 0},
    {"one address needs no list", one_address_needs_no_list, 0},
    {"a flag counts more than the file", a_flag_counts_more_than_the_file, 0},
    {"each limit has a setting with checked ends", each_limit_has_a_setting_with_checked_ends, 0},
    {"bad settings are refused by line and name", bad_settings_are_refused_by_line_and_name, 0},
    {"what excludes each other does so from file to flag",
     what_excludes_each_other_does_so_from_file_to_flag, 0},
    {"numbers in texts and comments are no numbers", numbers_in_texts_and_comments_are_no_numbers,
     0},
    {"files that cannot be read are refused", files_that_cannot_be_read_are_refused, 0},
    {"rules become rights", rules_become_rights, 0},
    {"namespaces have bounds of their own", namespaces_have_bounds_of_their_own, 0},
    {"bad rules are refused by line and name", bad_rules_are_refused_by_line_and_name, 0},
    {"rules and namespaces are bounded", rules_and_namespaces_are_bounded, 0},
    {"the example is good and names every setting", the_example_is_good_and_names_every_setting, 0},
    {"no damage to the example does harm", no_damage_to_the_example_does_harm, 0},
};

TEST_MAIN(cases)
