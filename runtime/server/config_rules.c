/* SPDX-License-Identifier: MIT */
#include "server/config_rules.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A member of a group of the file, by its name. */
struct member {
    const char *name;
    bool is_needed;
    bool (*take)(void *context, const struct node *node);
};

/* Each of the group's members by its row; an unknown one is refused, and a needed one that is not
 * there. */
static bool members_read(const struct node *group, const struct member *members, size_t count,
                         void *context)
{
    unsigned seen = 0;

    for (size_t i = 0; i < node_children_count(group); i++) {
        const struct node child = node_child(group, i);
        size_t row = 0;

        while (row < count && strcmp(members[row].name, node_own_name(&child)) != 0) {
            row++;
        }
        if (row == count) {
            return node_refuse(&child, "there is no such setting");
        }
        if (!members[row].take(context, &child)) {
            return false;
        }
        seen |= 1u << row;
    }
    for (size_t row = 0; row < count; row++) {
        if (members[row].is_needed && (seen >> row & 1) == 0) {
            return node_refuse(group, "its %s is missing", members[row].name);
        }
    }
    return true;
}

static bool space_check(const struct node *node, const char *space)
{
    size_t size = strlen(space);

    return (size >= 1 && size <= NAMESPACE_BYTES_MAX && utf8_is_text(bytes_of_string(space))) ||
           node_refuse(node, "a namespace has 1 to %d bytes of text", NAMESPACE_BYTES_MAX);
}

/* ---- rules ---- */

struct rule_reading {
    struct rights_config *config;
    char who[RIGHTS_WHO_BYTES];
    uint32_t roles;
    struct node spaces; /* the rule's member: it waits until the others are known */
};

static bool who_take(void *context, const struct node *node)
{
    struct rule_reading *rule = context;
    const char *text;
    const char *reason;

    if (!node_text(node, &text)) {
        return false;
    }
    reason = rights_who_resolve(text, rule->who);
    return reason == NULL || node_refuse(node, "%.80s: %s", text, reason);
}

static bool role_add(void *context, const struct node *node, const char *text)
{
    struct rule_reading *rule = context;
    uint32_t role;

    if (!role_parse(text, &role)) {
        return node_refuse(node, "%.80s: a role is owner, canceller, reader or admin", text);
    }
    rule->roles |= role;
    return true;
}

static bool roles_take(void *context, const struct node *node)
{
    return node_each_text(node, context, role_add);
}

static bool spaces_take(void *context, const struct node *node)
{
    struct rule_reading *rule = context;

    rule->spaces = *node;
    return true;
}

static bool rule_add(void *context, const struct node *node, const char *text)
{
    const struct rule_reading *reading = context;
    struct rights_config *config = reading->config;
    struct rights_rule *rule;

    if (!space_check(node, text)) {
        return false;
    }
    if (config->rules_count == RULES_MAX) {
        return node_refuse(node, "%d rules at most, counted once for each namespace", RULES_MAX);
    }
    rule = &config->rules[config->rules_count++];
    *rule = (struct rights_rule){.space = text, .roles = reading->roles};
    memcpy(rule->who, reading->who, sizeof rule->who);
    return true;
}

static const struct member rule_members[] = {
    {"who", true, who_take}, {"namespace", true, spaces_take}, {"roles", true, roles_take}};

bool config_rules_read(const struct node *list, struct rights_config *config)
{
    if (!node_is_list(list)) {
        return false;
    }
    config->rules = calloc(RULES_MAX, sizeof *config->rules);
    if (config->rules == NULL) {
        return refuse(list->refusal, REFUSAL_MEMORY, "there is no memory for the rules");
    }
    for (size_t i = 0; i < node_children_count(list); i++) {
        const struct node group = node_child(list, i);
        struct rule_reading reading = {.config = config};

        if (!node_is_group(&group) ||
            !members_read(&group, rule_members, sizeof rule_members / sizeof rule_members[0],
                          &reading) ||
            !node_each_text(&reading.spaces, &reading, rule_add)) {
            return false;
        }
    }
    return true;
}

/* ---- the bounds of namespaces ---- */

static bool name_take(void *context, const struct node *node)
{
    struct rights_space *space = context;

    space->line = node_place(node).line;
    return node_text(node, &space->space) && space_check(node, space->space);
}

static bool bound_take(const struct node *node, uint64_t *bound_out)
{
    const struct limit_row *row = &limit_rows[0];
    uint64_t bound;

    /* The same range as that of operations in all. */
    ASSERT(strcmp(row->name, "operations") == 0);
    if (!node_number(node, &bound)) {
        return false;
    }
    if (bound < row->lowest || bound > row->highest) {
        return node_refuse(node,
                           "%" PRIu64 ": a whole number of %" PRIu64 " to %" PRIu64 " is needed",
                           bound, row->lowest, row->highest);
    }
    *bound_out = bound;
    return true;
}

static bool operations_take(void *context, const struct node *node)
{
    struct rights_space *space = context;

    return bound_take(node, &space->limits.operations);
}

static bool operations_session_take(void *context, const struct node *node)
{
    struct rights_space *space = context;

    return bound_take(node, &space->limits.operations_session);
}

static const struct member space_members[] = {
    {"name", true, name_take},
    {"operations", false, operations_take},
    {"operations_session", false, operations_session_take}};

static int space_order(const void *a, const void *b)
{
    const struct rights_space *one = a;
    const struct rights_space *other = b;
    int order = strcmp(one->space, other->space);

    return order != 0 ? order : one->line < other->line ? -1 : 1;
}

static bool spaces_check_twice(const struct node *list, struct rights_config *config)
{
    if (config->spaces_count > 0) {
        qsort(config->spaces, config->spaces_count, sizeof config->spaces[0], space_order);
    }
    for (size_t i = 1; i < config->spaces_count; i++) {
        const struct rights_space *space = &config->spaces[i];

        if (strcmp(space[-1].space, space->space) == 0) {
            return refuse(list->refusal, REFUSAL_OPTION,
                          "%s:%u: namespaces: %s is there already, in line %u", list->path,
                          space->line, space->space, space[-1].line);
        }
    }
    return true;
}

bool config_spaces_read(const struct node *list, struct rights_config *config)
{
    size_t count;

    if (!node_is_list(list)) {
        return false;
    }
    count = node_children_count(list);
    if (count > SPACES_MAX) {
        return node_refuse(list, "%d namespaces at most", SPACES_MAX);
    }
    config->spaces = calloc(count + 1, sizeof *config->spaces);
    if (config->spaces == NULL) {
        return refuse(list->refusal, REFUSAL_MEMORY, "there is no memory for the namespaces");
    }
    for (size_t i = 0; i < count; i++) {
        const struct node group = node_child(list, i);
        struct rights_space *space = &config->spaces[i];

        space->limits = (struct space_limits){UINT64_MAX, UINT64_MAX};
        if (!node_is_group(&group) ||
            !members_read(&group, space_members, sizeof space_members / sizeof space_members[0],
                          space)) {
            return false;
        }
        config->spaces_count++;
    }
    return spaces_check_twice(list, config);
}

void config_rules_fini(struct rights_config *config)
{
    free(config->rules);
    free(config->spaces);
    *config = (struct rights_config){.rules = NULL};
}
