/* SPDX-License-Identifier: MIT */
/* Rules are sorted by who and namespace; those of one `who` are a principal, with a range of the
 * array of grants behind it. A principal has a wider one above it ("uid:7", "uid:*", "*"), whose
 * grants are its own too: so nothing is copied, and what a look-up walks is at most four long.
 *
 * Principal 0 is everybody, "*", and is always there. Who is named by no rule is the narrowest
 * principal that takes him in, so that the numbers are few and known from the start. Who came by a
 * token whose name has no line any more is nobody: nothing applies to him, not even "*". */
#include "server/rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERYBODY 0
#define NOBODY UINT32_MAX

static const char verified[] = "tls:verified";

struct principal {
    struct bytes name;
    uint32_t above; /* the next wider principal; EVERYBODY is above itself */
    uint32_t everywhere;
    uint32_t grants_first;
    uint32_t grants_count;
};

/* Roles in one namespace. */
struct grant {
    struct bytes space;
    uint32_t roles;
};

struct space {
    struct bytes name;
    struct space_limits limits;
};

struct rights {
    size_t rules_count;
    struct principal *principals; /* from the second on: sorted by name */
    uint32_t principals_count;
    struct grant *grants; /* sorted within each principal */
    uint32_t grants_count;
    struct space *spaces; /* sorted */
    size_t spaces_count;
    struct tokens *tokens;
    uint8_t *texts; /* what all of these point into */
    size_t texts_size;
};

static bool is_star(struct bytes name)
{
    return name.size == 1 && name.data[0] == '*';
}

static int bytes_compare(struct bytes a, struct bytes b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);

    if (order != 0) {
        return order;
    }
    return a.size < b.size ? -1 : a.size > b.size ? 1 : 0;
}

/* ---- looking up ---- */

/* The rows of an array begin with their name: struct principal, struct grant and struct space. */
static int row_compare(const void *name, const void *row)
{
    return bytes_compare(*(const struct bytes *) name, *(const struct bytes *) row);
}

_Static_assert(offsetof(struct principal, name) == 0, "a row begins with its name");
_Static_assert(offsetof(struct grant, space) == 0, "a row begins with its name");
_Static_assert(offsetof(struct space, name) == 0, "a row begins with its name");

/* EVERYBODY where no rule names it. */
static uint32_t principal_find(const struct rights *rights, struct bytes name)
{
    const struct principal *found = bsearch(
        &name, rights->principals + 1, rights->principals_count - 1, sizeof *found, row_compare);

    return found == NULL ? EVERYBODY : (uint32_t) (found - rights->principals);
}

/* Whoever shows a certificate has its name, or is "verified"; who shows none is "anonymous". */
static bool is_verified(struct bytes name)
{
    return name.size > 4 && memcmp(name.data, verified, 4) == 0 &&
           !bytes_equal(name, bytes_of_string("tls:anonymous")) &&
           !bytes_equal(name, bytes_of_string("tls:*"));
}

/* The narrowest principal that takes in whoever is called so, and is not that name itself. */
static uint32_t principal_above(const struct rights *rights, struct bytes name)
{
    const struct bytes of_verified = bytes_of_string(verified);
    const uint8_t *colon = name.size == 0 ? NULL : memchr(name.data, ':', name.size);
    uint8_t wide[8];
    size_t prefix_size = colon == NULL ? 0 : (size_t) (colon - name.data) + 1;
    struct bytes all = bytes_of(wide, prefix_size + 1);
    uint32_t found = EVERYBODY;

    if (is_verified(name) && !bytes_equal(name, of_verified)) {
        found = principal_find(rights, of_verified);
    }
    if (found == EVERYBODY && prefix_size > 0 && prefix_size < sizeof wide) {
        memcpy(wide, name.data, prefix_size);
        wide[prefix_size] = '*';
        found = bytes_equal(name, all) ? EVERYBODY : principal_find(rights, all);
    }
    return found;
}

uint32_t rights_principal(const struct rights *rights, struct bytes name)
{
    uint32_t found;

    if (token_is_name(name) && !tokens_have(rights->tokens, name)) {
        return NOBODY;
    }
    found = principal_find(rights, name);
    return found != EVERYBODY ? found : principal_above(rights, name);
}

static uint32_t roles_in(const struct rights *rights, const struct principal *principal,
                         struct bytes space)
{
    const struct grant *found = bsearch(&space, rights->grants + principal->grants_first,
                                        principal->grants_count, sizeof *found, row_compare);

    return found == NULL ? 0 : found->roles;
}

uint32_t rights_roles(const struct rights *rights, uint32_t principal, struct bytes space)
{
    bool is_everywhere = is_star(space);
    uint32_t roles = 0;
    uint32_t narrower;

    ASSERT(principal < rights->principals_count || principal == NOBODY);
    if (rights_are_off(rights)) {
        return ROLES_ALL;
    }
    if (principal == NOBODY) {
        return 0;
    }
    do {
        const struct principal *at = &rights->principals[principal];

        roles |= at->everywhere;
        roles |= is_everywhere ? 0 : roles_in(rights, at, space);
        narrower = principal;
        principal = at->above;
    } while (narrower != EVERYBODY);
    return (roles & ROLE_ADMIN) != 0 ? ROLES_ALL : roles;
}

size_t rights_token(const struct rights *rights, struct bytes token,
                    uint8_t name_out[CAUSE_PEER_BYTES_MAX])
{
    return tokens_find(rights->tokens, token, name_out);
}

void rights_space_limits(const struct rights *rights, struct bytes space,
                         struct space_limits *limits)
{
    const struct space *found =
        bsearch(&space, rights->spaces, rights->spaces_count, sizeof *found, row_compare);

    if (found == NULL) {
        return;
    }
    if (found->limits.operations != UINT64_MAX) {
        limits->operations = found->limits.operations;
    }
    if (found->limits.operations_session != UINT64_MAX) {
        limits->operations_session = found->limits.operations_session;
    }
}

bool rights_are_off(const struct rights *rights)
{
    return rights->rules_count == 0;
}

void rights_describe(const struct rights *rights, char text_out[RIGHTS_TEXT_BYTES])
{
    size_t tokens = rights->tokens == NULL ? 0 : tokens_count(rights->tokens);

    (void) snprintf(
        text_out, RIGHTS_TEXT_BYTES, "%zu rule%s%s, %zu bounded namespace%s, %zu token%s",
        rights->rules_count, rights->rules_count == 1 ? "" : "s",
        rights_are_off(rights) ? " (everybody may do everything)" : "", rights->spaces_count,
        rights->spaces_count == 1 ? "" : "s", tokens, tokens == 1 ? "" : "s");
}

/* ---- making ---- */

static int rule_order(const void *a, const void *b)
{
    const struct rights_rule *one = a;
    const struct rights_rule *other = b;
    int order = bytes_compare(bytes_of_string(one->who), bytes_of_string(other->who));

    return order != 0 ? order
                      : bytes_compare(bytes_of_string(one->space), bytes_of_string(other->space));
}

static int space_order(const void *a, const void *b)
{
    const struct rights_space *one = a;
    const struct rights_space *other = b;

    return bytes_compare(bytes_of_string(one->space), bytes_of_string(other->space));
}

static struct bytes text_keep(struct rights *rights, const char *text)
{
    struct bytes kept = bytes_of(rights->texts + rights->texts_size, strlen(text));

    memcpy(rights->texts + rights->texts_size, text, kept.size);
    rights->texts_size += kept.size;
    return kept;
}

static struct principal *principal_of_rule(struct rights *rights, const struct rights_rule *rule)
{
    struct principal *last = &rights->principals[rights->principals_count - 1];

    if (strcmp(rule->who, "*") == 0) {
        return &rights->principals[EVERYBODY];
    }
    if (bytes_equal(last->name, bytes_of_string(rule->who))) {
        return last;
    }
    last++;
    rights->principals_count++;
    *last = (struct principal){.name = text_keep(rights, rule->who)};
    return last;
}

/* In the order of the rules, so that one namespace's rules for somebody follow each other. */
static void rule_add(struct rights *rights, const struct rights_rule *rule)
{
    struct principal *principal = principal_of_rule(rights, rule);
    struct bytes space = bytes_of_string(rule->space);
    struct grant *last = &rights->grants[rights->grants_count];

    if (is_star(space)) {
        principal->everywhere |= rule->roles;
        return;
    }
    if (principal->grants_count == 0) {
        principal->grants_first = rights->grants_count;
    } else if (bytes_equal(last[-1].space, space)) {
        last[-1].roles |= rule->roles;
        return;
    }
    *last = (struct grant){.space = text_keep(rights, rule->space), .roles = rule->roles};
    rights->grants_count++;
    principal->grants_count++;
}

static size_t texts_size(const struct rights_config *config)
{
    size_t size = 1;

    for (size_t i = 0; i < config->rules_count; i++) {
        size += strlen(config->rules[i].who) + strlen(config->rules[i].space);
    }
    for (size_t i = 0; i < config->spaces_count; i++) {
        size += strlen(config->spaces[i].space);
    }
    return size;
}

static void rights_fill(struct rights *rights, const struct rights_config *config)
{
    rights->principals[EVERYBODY].name = bytes_of_string("*");
    rights->principals_count = 1;
    for (size_t i = 0; i < config->rules_count; i++) {
        rule_add(rights, &config->rules[i]);
    }
    for (uint32_t i = 1; i < rights->principals_count; i++) {
        rights->principals[i].above = principal_above(rights, rights->principals[i].name);
    }
    for (size_t i = 0; i < config->spaces_count; i++) {
        rights->spaces[i] = (struct space){.name = text_keep(rights, config->spaces[i].space),
                                           .limits = config->spaces[i].limits};
    }
    rights->spaces_count = config->spaces_count;
}

struct rights *rights_new(const struct rights_config *config)
{
    struct rights *rights = calloc(1, sizeof *rights);

    if (rights == NULL) {
        return NULL;
    }
    rights->rules_count = config->rules_count;
    rights->principals = calloc(config->rules_count + 1, sizeof *rights->principals);
    rights->grants = calloc(config->rules_count + 1, sizeof *rights->grants);
    rights->spaces = calloc(config->spaces_count + 1, sizeof *rights->spaces);
    rights->texts = malloc(texts_size(config));
    if (rights->principals == NULL || rights->grants == NULL || rights->spaces == NULL ||
        rights->texts == NULL) {
        rights_free(rights);
        return NULL;
    }
    if (config->rules_count > 0) {
        qsort(config->rules, config->rules_count, sizeof *config->rules, rule_order);
    }
    if (config->spaces_count > 0) {
        qsort(config->spaces, config->spaces_count, sizeof *config->spaces, space_order);
    }
    rights_fill(rights, config);
    rights->tokens = config->tokens;
    return rights;
}

void rights_free(struct rights *rights)
{
    if (rights == NULL) {
        return;
    }
    tokens_free(rights->tokens);
    free(rights->principals);
    free(rights->grants);
    free(rights->spaces);
    free(rights->texts);
    free(rights);
}
