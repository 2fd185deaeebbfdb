/* SPDX-License-Identifier: MIT */
#include "server/rights.h"
#include "testing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static struct rights_rule rules[RULES_MAX];
static size_t rules_count;

static void rule_add(const char *who, const char *space, uint32_t roles)
{
    struct rights_rule *rule = &rules[rules_count++];
    const char *reason = rights_who_resolve(who, rule->who);

    if (reason != NULL) {
        (void) fprintf(stderr, "%s: %s\n", who, reason);
        CHECK(false);
    }
    rule->space = space;
    rule->roles = roles;
}

/* The file; NULL: there is none. */
static const char *tokens_text =
    "\nci 0000000000000000000000000000000000000000000000000000000000000001\n"
    "c 0000000000000000000000000000000000000000000000000000000000000002\n"
    "cid 0000000000000000000000000000000000000000000000000000000000000003\n";

static void file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL);
    CHECK_EQ(fwrite(text, 1, strlen(text), file), strlen(text));
    CHECK_EQ(fclose(file), 0);
    CHECK_EQ(chmod(path, 0600), 0);
}

static struct tokens *tokens_here(void)
{
    struct refusal refusal;
    struct tokens *tokens = NULL;
    char path[512];
    char key_path[600];

    if (tokens_text == NULL) {
        return NULL;
    }
    (void) snprintf(path, sizeof path, "%s/tokens", test_directory());
    (void) snprintf(key_path, sizeof key_path, "%s.key", path);
    file_write(path, tokens_text);
    file_write(key_path, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b\n");
    CHECK(tokens_load(path, NULL, &tokens, &refusal));
    return tokens;
}

static struct rights *rights_make(void)
{
    const struct rights_config config = {
        .rules = rules, .rules_count = rules_count, .tokens = tokens_here()};
    struct rights *rights = rights_new(&config);

    CHECK(rights != NULL);
    return rights;
}

static uint32_t roles_of(const struct rights *rights, const char *who, const char *space)
{
    return rights_roles(rights, rights_principal(rights, bytes_of_string(who)),
                        bytes_of_string(space));
}

/* ---- what a rule is for, told a second time and without any cleverness ---- */

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool applies_to(const struct rights_rule *rule, const char *who)
{
    size_t size = strlen(rule->who);

    if (strcmp(rule->who, "*") == 0 || strcmp(rule->who, who) == 0) {
        return true;
    }
    if (rule->who[size - 1] == '*') {
        return strncmp(rule->who, who, size - 1) == 0;
    }
    return strcmp(rule->who, "tls:verified") == 0 && begins_with(who, "tls:") &&
           strcmp(who, "tls:anonymous") != 0;
}

static bool token_has_line(const char *who)
{
    char line[80];

    (void) snprintf(line, sizeof line, "\n%s ", who + strlen("token:"));
    return tokens_text != NULL && strstr(tokens_text, line) != NULL;
}

static uint32_t expected_roles(const char *who, const char *space)
{
    uint32_t roles = 0;

    if (rules_count > 0 && begins_with(who, "token:") && !token_has_line(who)) {
        return 0;
    }
    for (size_t i = 0; i < rules_count; i++) {
        if (applies_to(&rules[i], who) &&
            (strcmp(rules[i].space, "*") == 0 || strcmp(rules[i].space, space) == 0)) {
            roles |= rules[i].roles;
        }
    }
    return rules_count == 0 || (roles & ROLE_ADMIN) != 0 ? ROLES_ALL : roles;
}

static const char *const names[] = {
    "uid:0",
    "uid:1",
    "uid:10",
    "uid:11",
    "token:ci",
    "token:c",
    "token:cid",
    "tcp:127.0.0.1",
    "tcp:::1",
    "tls:anonymous",
    "tls:verified",
    "tls:alice",
    "tls:bob",
    "",
    "unix:nothing",
    "uid",
    "averyveryverylongprefix:x",
};

static const char *const spaces[] = {"a", "b", "ab", "builds", "*", "\xc3\xa9"};

static void check_all(const struct rights *rights, const char *what)
{
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        for (size_t j = 0; j < COUNT_OF(spaces); j++) {
            uint32_t got = roles_of(rights, names[i], spaces[j]);
            uint32_t expected = expected_roles(names[i], spaces[j]);

            if (got != expected) {
                (void) fprintf(stderr, "%s: %s in %s: %u, not %u\n", what, names[i], spaces[j],
                               (unsigned) got, (unsigned) expected);
                CHECK(false);
            }
        }
    }
}

/* ---- the cases ---- */

static void without_a_rule_all_may_do_all(void)
{
    struct rights *rights = rights_make();

    CHECK(rights_are_off(rights));
    check_all(rights, "no rule");
    CHECK_EQ(roles_of(rights, "uid:1", "a"), ROLES_ALL);
    CHECK_EQ(roles_of(rights, "", "*"), ROLES_ALL);
    rights_free(rights);
}

static void one_rule_denies_the_rest(void)
{
    struct rights *rights;

    rule_add("uid:1", "a", ROLE_OWNER);
    rights = rights_make();
    CHECK(!rights_are_off(rights));
    CHECK_EQ(roles_of(rights, "uid:1", "a"), ROLE_OWNER);
    CHECK_EQ(roles_of(rights, "uid:1", "b"), 0);
    CHECK_EQ(roles_of(rights, "uid:1", "*"), 0);
    CHECK_EQ(roles_of(rights, "uid:10", "a"), 0);
    CHECK_EQ(roles_of(rights, "", "a"), 0);
    rights_free(rights);
}

/* Even a rule that gives nothing: it is there, so rights are on. */
static void every_set_of_roles_for_everybody_in_every_namespace(void)
{
    static const char *const whos[] = {"*",         "uid:1", "uid:*",         "token:ci",
                                       "token:*",   "tcp:*", "tcp:127.0.0.1", "tls:verified",
                                       "tls:alice", "tls:*", "tls:anonymous"};
    unsigned cells = 0;

    for (size_t who = 0; who < COUNT_OF(whos); who++) {
        for (size_t space = 0; space < COUNT_OF(spaces); space++) {
            for (uint32_t roles = 0; roles <= ROLES_ALL; roles++) {
                struct rights *rights;

                rules_count = 0;
                rule_add(whos[who], spaces[space], roles);
                rights = rights_make();
                check_all(rights, whos[who]);
                rights_free(rights);
                cells += (unsigned) (COUNT_OF(names) * COUNT_OF(spaces));
            }
        }
    }
    (void) fprintf(stderr, "%u cells\n", cells);
    CHECK_GE(cells, 100000);
}

/* Whoever was let in by it keeps the name for as long as the session lives, but nothing with it. */
static void a_token_without_a_line_has_no_role(void)
{
    struct rights *rights;

    tokens_text = NULL;
    rights = rights_make();
    check_all(rights, "rights are off");
    CHECK_EQ(roles_of(rights, "token:ci", "a"), ROLES_ALL);
    rights_free(rights);
    rule_add("token:ci", "*", ROLE_ADMIN);
    rule_add("token:*", "a", ROLE_OWNER);
    rule_add("*", "*", ROLE_READER);
    rights = rights_make();
    check_all(rights, "no file");
    CHECK_EQ(roles_of(rights, "token:ci", "a"), 0);
    rights_free(rights);
    tokens_text = "\ncid 0000000000000000000000000000000000000000000000000000000000000001\n";
    rights = rights_make();
    check_all(rights, "of another name");
    CHECK_EQ(roles_of(rights, "token:ci", "a"), 0);
    CHECK_EQ(roles_of(rights, "token:", "a"), 0);
    CHECK_EQ(roles_of(rights, "token:cid", "a"), ROLE_OWNER | ROLE_READER);
    CHECK_EQ(roles_of(rights, "uid:1", "a"), ROLE_READER);
    rights_free(rights);
    tokens_text = "\nci 0000000000000000000000000000000000000000000000000000000000000001\n"
                  "ci 0000000000000000000000000000000000000000000000000000000000000002\n";
    rights = rights_make();
    check_all(rights, "two lines");
    CHECK_EQ(roles_of(rights, "token:ci", "a"), ROLES_ALL);
    CHECK_EQ(roles_of(rights, "token:cid", "a"), 0);
    rights_free(rights);
}

static void what_applies_to_somebody_adds_up(void)
{
    struct rights *rights;

    rule_add("tls:alice", "a", ROLE_OWNER);
    rule_add("tls:verified", "a", ROLE_CANCELLER);
    rule_add("tls:*", "*", ROLE_READER);
    rule_add("*", "b", ROLE_OWNER);
    rights = rights_make();
    check_all(rights, "sum");
    CHECK_EQ(roles_of(rights, "tls:alice", "a"), ROLE_OWNER | ROLE_CANCELLER | ROLE_READER);
    CHECK_EQ(roles_of(rights, "tls:bob", "a"), ROLE_CANCELLER | ROLE_READER);
    CHECK_EQ(roles_of(rights, "tls:anonymous", "a"), ROLE_READER);
    CHECK_EQ(roles_of(rights, "tls:alice", "b"), ROLE_OWNER | ROLE_READER);
    CHECK_EQ(roles_of(rights, "uid:0", "b"), ROLE_OWNER);
    rights_free(rights);
}

static void chance_agrees_with_a_plain_search(void)
{
    static const char *const whos[] = {
        "*",       "uid:*",        "uid:0",     "uid:1",         "uid:10",        "uid:99",
        "token:*", "token:ci",     "token:c",   "tcp:*",         "tcp:127.0.0.1", "tcp:::1",
        "tls:*",   "tls:verified", "tls:alice", "tls:anonymous", "user:root"};

    srandom(20261122);
    for (int round = 0; round < 3000; round++) {
        size_t count = (size_t) random() % 40 + 1;
        struct rights *rights;
        char what[64];

        rules_count = 0;
        for (size_t i = 0; i < count; i++) {
            rule_add(whos[(size_t) random() % COUNT_OF(whos)],
                     spaces[(size_t) random() % COUNT_OF(spaces)],
                     (uint32_t) random() & (random() % 4 == 0 ? 15u : 7u));
        }
        rights = rights_make();
        (void) snprintf(what, sizeof what, "seed 20261122, round %d", round);
        check_all(rights, what);
        rights_free(rights);
    }
}

static void names_are_brought_into_the_form_of_peers(void)
{
    static const struct {
        const char *text;
        const char *who; /* NULL: none */
    } rows[] = {
        {"*", "*"},
        {"uid:0", "uid:0"},
        {"uid:007", "uid:7"},
        {"uid:4294967294", "uid:4294967294"},
        {"uid:4294967295", NULL},
        {"uid:-1", NULL},
        {"uid:", NULL},
        {"user:root", "uid:0"},
        {"user:", NULL},
        {"token:ci-2_x.y@z", "token:ci-2_x.y@z"},
        {"token:a b", NULL},
        {"token:*", "token:*"},
        {"token:123456789012345678901234567890123456789012345678901234567x",
         "token:123456789012345678901234567890123456789012345678901234567x"},
        {"token:123456789012345678901234567890123456789012345678901234567xy", NULL},
        {"tcp:127.0.0.1", "tcp:127.0.0.1"},
        {"tcp:0:0::1", "tcp:::1"},
        {"tcp:[::1]", NULL},
        {"tcp:host", NULL},
        {"tls:verified", "tls:verified"},
        {"tls:CN of somebody", "tls:CN of somebody"},
        {"tls:a\nb", NULL},
        {"tls:123456789012345678901234567890123456789012345678901234567890",
         "tls:123456789012345678901234567890123456789012345678901234567890"},
        {"tls:1234567890123456789012345678901234567890123456789012345678901", NULL},
        {"ipc:*", NULL},
        {"", NULL},
        {"alice", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char who[RIGHTS_WHO_BYTES] = "";
        const char *reason = rights_who_resolve(rows[i].text, who);

        CHECK_EQ(reason == NULL, rows[i].who != NULL);
        if (reason == NULL) {
            CHECK_STR_EQ(who, rows[i].who);
        }
    }
}

static void the_most_rules_are_found_one_by_one(void)
{
    static char texts[RULES_MAX][16];
    struct rights *rights;

    for (size_t i = 0; i < RULES_MAX; i++) {
        char who[32];

        (void) snprintf(who, sizeof who, "uid:%zu", i % 100);
        (void) snprintf(texts[i], sizeof texts[i], "n%zu", i);
        rule_add(who, texts[i], (uint32_t) (i % 3 + 1));
    }
    rights = rights_make();
    for (size_t i = 0; i < RULES_MAX; i++) {
        char space[16];
        char who[32];
        char other[32];

        (void) snprintf(who, sizeof who, "uid:%zu", i % 100);
        (void) snprintf(other, sizeof other, "uid:%zu", (i + 1) % 100);
        (void) snprintf(space, sizeof space, "n%zu", i);
        CHECK_EQ(roles_of(rights, who, space), i % 3 + 1);
        CHECK_EQ(roles_of(rights, other, space), 0);
    }
    rights_free(rights);
}

static const struct test_case cases[] = {
    {"without a rule all may do all", without_a_rule_all_may_do_all, 0},
    {"one rule denies the rest", one_rule_denies_the_rest, 0},
    {"every set of roles for everybody in every namespace",
     every_set_of_roles_for_everybody_in_every_namespace, 0},
    {"a token whose name has no line any more has no role", a_token_without_a_line_has_no_role, 0},
    {"what applies to somebody adds up", what_applies_to_somebody_adds_up, 0},
    {"chance agrees with a plain search", chance_agrees_with_a_plain_search, 0},
    {"names are brought into the form of peers", names_are_brought_into_the_form_of_peers, 0},
    {"the most rules are found one by one", the_most_rules_are_found_one_by_one, 0},
};

TEST_MAIN(cases)
