/* SPDX-License-Identifier: MIT */
/* What a reload compares: each setting differs where its own value does, and nowhere else. */
#include "server/setting.h"
#include "testing.h"

#include <stdio.h>
#include <string.h>

#define ARGUMENTS_MAX 16
#define TEXT_BYTES 256

static const struct environment user = {.runtime_dir = "/run/user/1000", .uid = 1000};

/* Options and the words that they point to. */
struct said_options {
    char text[TEXT_BYTES];
    struct options options;
};

static void parse(struct said_options *said, const char *line)
{
    char *arguments[ARGUMENTS_MAX] = {(char[]){"canceld"}};
    int count = 1;
    char *rest = NULL;
    struct refusal refusal = {.code = REFUSAL_NONE};

    (void) snprintf(said->text, sizeof said->text, "%s", line);
    for (char *word = strtok_r(said->text, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        CHECK_LT(count, ARGUMENTS_MAX - 1);
        arguments[count++] = word;
    }
    if (options_parse(count, arguments, &user, &said->options, &refusal) != OPTIONS_RUN) {
        (void) fprintf(stderr, "%s: %s\n", line, refusal.text);
        CHECK(false);
    }
}

/* Those that differ, each once, with a space before it. */
static void differences(const struct options *a, const struct options *b, char *names, size_t room)
{
    names[0] = '\0';
    for (size_t i = 0; i < settings_count; i++) {
        const size_t size = strlen(names);

        CHECK_EQ(settings[i].differs(&settings[i], a, b), settings[i].differs(&settings[i], b, a));
        CHECK(!settings[i].differs(&settings[i], a, a));
        if (settings[i].differs(&settings[i], a, b)) {
            (void) snprintf(names + size, room - size, " %s", settings[i].name);
        }
    }
}

static void each_setting_differs_by_itself(void)
{
    static const struct {
        const char *a;
        const char *b;
        const char *names;
    } rows[] = {
        {"", "", ""},
        {"--listen ipc:///a", "--listen ipc:///a", ""},
        {"--listen ipc:///a", "--listen ipc:///b", " listen"},
        {"--listen ipc:///a", "--listen ipc:///a --listen ipc:///b", " listen"},
        {"--listen tcp://127.0.0.1:0 --insecure-tcp", "--listen tcp://127.0.0.1:0", ""},
        {"--ipc-mode 0600", "--ipc-mode 640", " ipc-mode"},
        {"--ipc-mode 0600 --ipc-group 1", "--ipc-mode 0600", " ipc-group"},
        {"--ipc-group 1", "--ipc-group 2", " ipc-group"},
        {"--ipc-group 1", "--ipc-group 1", ""},
        {"--state-dir /a", "--state-dir /b", " state-dir"},
        {"--state-dir /a", "--state-dir /a", ""},
        {"--state-dir /a", "", " state-dir"},
        {"--state-dir /a --sync power", "--state-dir /a --sync process", " sync"},
        {"--recovery 1", "--recovery 2", " recovery"},
        {"--tokens /t", "--tokens /u", " tokens"},
        {"--log-level info", "--log-level debug", " log-level"},
        {"--log-format text", "--log-format json", " log-format"},
    };
    static struct said_options a;
    static struct said_options b;
    char names[TEXT_BYTES];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        parse(&a, rows[i].a);
        parse(&b, rows[i].b);
        differences(&a.options, &b.options, names, sizeof names);
        if (strcmp(names, rows[i].names) != 0) {
            (void) fprintf(stderr, "[%s] and [%s]: [%s]\n", rows[i].a, rows[i].b, names);
            CHECK_STR_EQ(names, rows[i].names);
        }
    }
}

static void a_value_that_is_none_says_what_there_is(void)
{
    static const struct {
        const char *line;
        const char *words;
    } rows[] = {
        {"--sync=never", "process or power"},
        {"--log-level=loud", "error, warn, info or debug"},
        {"--log-format=xml", "text or json"},
        {"--ipc-mode=1777", "a mode is octal"},
        {"--ipc-mode=77", "a mode is octal"},
        {"--ipc-mode=06600", "a mode is octal"},
        {"--ipc-mode=0888", "a mode is octal"},
        {"--ipc-group=no-such-group", "no such group"},
        {"--ipc-group=4294967295", "no such group"},
        {"--state-dir=", "empty"},
        {"--recovery=", "a whole number"},
        {"--recovery=3600001", "a whole number"},
        {"--listen=tls+tcp://127.0.0.1:0", "--tls-cert and --tls-key"},
        {"--tls-require-client-cert", "--tls-ca"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[TEXT_BYTES];
        char *arguments[] = {(char[]){"canceld"}, line, NULL};
        struct options options;
        struct refusal refusal = {.code = REFUSAL_NONE};

        (void) snprintf(line, sizeof line, "%s", rows[i].line);
        CHECK_EQ(options_parse(2, arguments, &user, &options, &refusal), OPTIONS_REFUSED);
        if (strstr(refusal.text, rows[i].words) == NULL) {
            (void) fprintf(stderr, "%s: %s\n", rows[i].line, refusal.text);
            CHECK(false);
        }
        CHECK_EQ(refusal_exit_code(refusal.code), EXIT_USAGE);
    }
}

static const struct test_case cases[] = {
    {"each setting differs where its own value does", each_setting_differs_by_itself, 0},
    {"a value that is none is refused with what there is", a_value_that_is_none_says_what_there_is,
     0},
};

TEST_MAIN(cases)
