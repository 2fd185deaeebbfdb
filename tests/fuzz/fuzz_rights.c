/* SPDX-License-Identifier: MIT */
/* For libFuzzer: rules ("who namespace role,role" on a line), behind an empty line the tokens file, its empty
 * lines left out, and behind another one questions ("who namespace"). What the rights answer is what the rules
 * say, told a second time without any cleverness. */
#include "fuzz_text.h"
#include "server/rights.h"
#include "server/tokens.h"
#include "testing.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct passwd *__wrap_getpwnam(const char *name);

struct passwd *__wrap_getpwnam(const char *name)
{
    static struct passwd user = {.pw_uid = 1000};
    return name[0] == 'x' ? NULL : &user;
}

/* ---- rules ---- */

static struct rights_rule rules[LINES_MAX]; /* as they were said: the rights sort their own */
static size_t rules_count;

/* Takes a word off the front of a line. */
static char *word_of(char **line)
{
    char *word = *line;
    const size_t size = strcspn(word, " ");
    *line = word + size + (word[size] == ' ' ? 1 : 0);
    word[size] = '\0';
    return word;
}

static uint32_t roles_of(char *words)
{
    static const char letters[] = "ocra";
    static const char *const names[] = {"owner", "canceller", "reader", "admin"};
    uint32_t roles = 0;
    uint32_t role;
    for (; *words != '\0'; words++) {
        const char *letter = strchr(letters, *words);
        if (letter != NULL) {
            CHECK(role_parse(names[letter - letters], &role));
            roles |= role;
        }
    }
    return roles;
}

static void rule_add(char *line)
{
    struct rights_rule *rule = &rules[rules_count];
    const char *who = word_of(&line);
    const char *reason = rights_who_resolve(who, rule->who);
    rule->space = word_of(&line);
    rule->roles = roles_of(line);
    if (reason == NULL) {
        CHECK_LT(strlen(rule->who), RIGHTS_WHO_BYTES);
        rules_count++;
    }
}

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool applies_to(const struct rights_rule *rule, const char *who)
{
    const char *colon = strchr(rule->who, ':');
    if (strcmp(rule->who, "*") == 0 || strcmp(rule->who, who) == 0) {
        return true;
    }
    if (colon != NULL && strcmp(colon, ":*") == 0) {
        return strncmp(rule->who, who, (size_t) (colon - rule->who) + 1) == 0;
    }
    return strcmp(rule->who, "tls:verified") == 0 && begins_with(who, "tls:") &&
           strcmp(who, "tls:anonymous") != 0;
}

static uint32_t expected_roles(const char *who, const char *space, const struct tokens *tokens)
{
    uint32_t roles = 0;
    if (rules_count == 0) {
        return ROLES_ALL;
    }
    if (begins_with(who, "token:") && !tokens_have(tokens, bytes_of_string(who))) {
        return 0;
    }
    for (size_t i = 0; i < rules_count; i++) {
        if (applies_to(&rules[i], who) &&
            (strcmp(rules[i].space, "*") == 0 || strcmp(rules[i].space, space) == 0)) {
            roles |= rules[i].roles;
        }
    }
    return (roles & ROLE_ADMIN) != 0 ? ROLES_ALL : roles;
}

/* ---- tokens ---- */

/* The lines again as a file. NULL: it was refused, or there is none. */
static struct tokens *tokens_of(char **lines, size_t count)
{
    static char text[FUZZ_TEXT_BYTES_MAX + LINES_MAX + 1];
    struct refusal refusal = {.code = REFUSAL_NONE};
    struct tokens *tokens = NULL;
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += (size_t) snprintf(text + size, sizeof text - size, "%s\n", lines[i]);
    }
    if (size == 0) {
        return NULL;
    }
    fuzz_text_file(text);
    if (!tokens_load("FUZZ", NULL, &tokens, &refusal)) {
        CHECK(refusal.code == REFUSAL_FILE && refusal.text[0] != '\0');
        return NULL;
    }
    CHECK_LE(tokens_count(tokens), count);
    return tokens;
}

static void check_token(const struct rights *rights, const struct tokens *tokens, const char *token)
{
    uint8_t name[CAUSE_PEER_BYTES_MAX];
    const size_t size = rights_token(rights, bytes_of_string(token), name);
    CHECK_LE(size, sizeof name);
    CHECK(size == 0 || tokens_have(tokens, bytes_of(name, size)));
}

static void ask(const struct rights *rights, const struct tokens *tokens, char *line)
{
    const char *who = word_of(&line);
    if (strchr(who, '*') != NULL || strcmp(who, "tls:") == 0) {
        return; /* the transport gives nobody such a name */
    }
    const uint32_t principal = rights_principal(rights, bytes_of_string(who));
    const uint32_t roles = rights_roles(rights, principal, bytes_of_string(line));
    CHECK_EQ(roles, expected_roles(who, line, tokens));
    check_token(rights, tokens, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text_of(data, size);
    char *lines[LINES_MAX];
    struct rights_rule sorted[LINES_MAX];
    rules_count = 0;
    const size_t rule_lines = fuzz_text_section(&text, lines, LINES_MAX);
    for (size_t i = 0; i < rule_lines; i++) {
        rule_add(lines[i]);
    }
    const size_t token_lines = fuzz_text_section(&text, lines, LINES_MAX);
    struct tokens *tokens = tokens_of(lines, token_lines);
    memcpy(sorted, rules, sizeof sorted);
    const struct rights_config config = {
        .rules = sorted, .rules_count = rules_count, .tokens = tokens};
    struct rights *rights = rights_new(&config);
    CHECK(rights != NULL);
    const size_t questions = fuzz_text_section(&text, lines, LINES_MAX);
    for (size_t i = 0; i < questions; i++) {
        ask(rights, tokens, lines[i]);
    }
    rights_free(rights);
    return 0;
}
