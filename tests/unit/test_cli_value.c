/* SPDX-License-Identifier: MIT */
#include "server_address.h"
#include "testing.h"
#include "value.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void durations_are_a_whole_number_and_a_unit(void)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {
        {"0", 0},          {"0s", 0},       {"500ms", 500},
        {"5s", 5000},      {"10m", 600000}, {"1h", 3600000},
        {"24h", 86400000}, {"007s", 7000},  {"18446744073709551615ms", UINT64_MAX},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t ms = 1;

        CHECK(value_duration(rows[i].text, &ms));
        CHECK(ms == rows[i].ms);
    }
}

static void what_is_no_duration_is_refused(void)
{
    static const char *const texts[] = {
        "",
        "5",
        "s",
        "ms",
        "-5s",
        "+5s",
        " 5s",
        "5s ",
        "5 s",
        "1.5s",
        "5S",
        "5d",
        "5sec",
        "5ss",
        "0x5s",
        "1h30m",
        "18446744073709551616ms",
        "18446744073709552s",
        "5124095576031h",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint64_t ms = 42;

        CHECK(!value_duration(texts[i], &ms));
        CHECK_EQ(ms, 42);
    }
}

static void numbers_are_digits_alone(void)
{
    static const char *const texts[] = {"",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1a",
                                        "0x1",
                                        "1e3",
                                        "18446744073709551616",
                                        "99999999999999999999"};
    uint64_t number = 42;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CHECK(!value_number(texts[i], &number));
        CHECK_EQ(number, 42);
    }
    CHECK(value_number("18446744073709551615", &number));
    CHECK(number == UINT64_MAX);
    CHECK(value_number("0", &number));
    CHECK_EQ(number, 0);
}

static void words_are_matched_whole(void)
{
    static const struct value_word words[] = {{"reject", 0}, {"join", 2}, {0}};
    int number = 42;

    CHECK(value_one_of(words, "join", &number));
    CHECK_EQ(number, 2);
    CHECK(!value_one_of(words, "joi", &number));
    CHECK(!value_one_of(words, "JOIN", &number));
    CHECK(!value_one_of(words, "", &number));
    CHECK_EQ(number, 2);
}

static void signals_go_by_name_and_number(void)
{
    static const char *const texts[] = {"", "SIG", "term", "0", "65", "-9", "NOPE", "SIGSIGTERM"};
    int number = 0;

    CHECK(value_signal("TERM", &number));
    CHECK_EQ(number, SIGTERM);
    CHECK(value_signal("SIGUSR1", &number));
    CHECK_EQ(number, SIGUSR1);
    CHECK(value_signal("9", &number));
    CHECK_EQ(number, SIGKILL);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CHECK(!value_signal(texts[i], &number));
    }
}

static void namespaces_and_addresses_are_looked_at(void)
{
    static const char longest[] =
        "0123456789012345678901234567890123456789012345678901234567890123";

    CHECK(value_is_namespace("a"));
    CHECK(value_is_namespace("Team-1.chat_x"));
    CHECK(value_is_namespace(longest));
    CHECK(!value_is_namespace("01234567890123456789012345678901234567890123456789012345678901234"));
    CHECK(!value_is_namespace(""));
    CHECK(!value_is_namespace("a b"));
    CHECK(!value_is_namespace("a/b"));
    CHECK(value_is_url("ipc:///run/s"));
    CHECK(value_is_url("tcp://127.0.0.1:1"));
    CHECK(!value_is_url("ipc://s"));
    CHECK(!value_is_url("ipc:///"));
    CHECK(!value_is_url("tcp://host"));
    CHECK(!value_is_url("http://host:1"));
    CHECK(!value_is_url(""));
}

static void the_daemon_is_looked_for_where_it_listens_by_default(void)
{
    static const struct {
        struct server_address_source source;
        const char *url;
    } rows[] = {
        {{"tcp://h:1", "/run/user/7", "/tmp", 0}, "tcp://h:1"},
        {{NULL, "/run/user/0", NULL, 0}, "ipc:///run/canceld/canceld.sock"},
        {{"", "/run/user/7", NULL, 7}, "ipc:///run/user/7/canceld.sock"},
        {{NULL, "relative", "/var/tmp", 7}, "ipc:///var/tmp/canceld-7/canceld.sock"},
        {{NULL, NULL, "relative", 7}, "ipc:///tmp/canceld-7/canceld.sock"},
        {{NULL, NULL, NULL, 1234}, "ipc:///tmp/canceld-1234/canceld.sock"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *url = server_address_default(&rows[i].source);

        CHECK_STR_EQ(url, rows[i].url);
        free(url);
    }
}

static const struct test_case cases[] = {
    {"durations are a whole number and a unit", durations_are_a_whole_number_and_a_unit},
    {"what is no duration is refused", what_is_no_duration_is_refused},
    {"numbers are digits alone", numbers_are_digits_alone},
    {"words are matched whole", words_are_matched_whole},
    {"signals go by name and number", signals_go_by_name_and_number},
    {"namespaces and addresses are looked at", namespaces_and_addresses_are_looked_at},
    {"the daemon is looked for where it listens by default",
     the_daemon_is_looked_for_where_it_listens_by_default},
};
TEST_MAIN(cases)
