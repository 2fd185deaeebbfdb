/* SPDX-License-Identifier: MIT */
#include "server/config_node.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct place node_place(const struct node *node)
{
    return (struct place){.file = node->path, .line = config_setting_source_line(node->setting)};
}

bool node_refuse(const struct node *node, const char *format, ...)
{
    char sentence[sizeof node->refusal->text];
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return refuse(node->refusal, REFUSAL_OPTION, "%s:%u: %s: %s", node->path,
                  (unsigned) config_setting_source_line(node->setting), node->name, sentence);
}

size_t node_children_count(const struct node *node)
{
    return (size_t) config_setting_length(node->setting);
}

struct node node_child(const struct node *node, size_t i)
{
    struct node child = {
        .path = node->path,
        .refusal = node->refusal,
        .setting = config_setting_get_elem(node->setting, (unsigned) i),
    };
    const char *name = config_setting_name(child.setting);

    if (name == NULL) {
        (void) snprintf(child.name, sizeof child.name, "%.100s[%zu]", node->name, i);
    } else {
        (void) snprintf(child.name, sizeof child.name, "%.100s%s%.80s", node->name,
                        node->name[0] == '\0' ? "" : ".", name);
    }
    return child;
}

const char *node_own_name(const struct node *node)
{
    const char *name = config_setting_name(node->setting);

    return name == NULL ? "" : name;
}

bool node_text(const struct node *node, const char **text_out)
{
    if (config_setting_type(node->setting) != CONFIG_TYPE_STRING) {
        return node_refuse(node, "a text in quotes is needed");
    }
    *text_out = config_setting_get_string(node->setting);
    return true;
}

bool node_number(const struct node *node, uint64_t *number_out)
{
    int type = config_setting_type(node->setting);
    long long number = -1;

    if (type == CONFIG_TYPE_INT) {
        number = config_setting_get_int(node->setting);
    } else if (type == CONFIG_TYPE_INT64) {
        number = config_setting_get_int64(node->setting);
    }
    if (number < 0) {
        return node_refuse(node, "a whole number, not below 0, is needed");
    }
    *number_out = (uint64_t) number;
    return true;
}

bool node_switch(const struct node *node, bool *value_out)
{
    if (config_setting_type(node->setting) != CONFIG_TYPE_BOOL) {
        return node_refuse(node, "true or false is needed, without quotes");
    }
    *value_out = config_setting_get_bool(node->setting) != 0;
    return true;
}

bool node_is_list(const struct node *node)
{
    /* [] can only hold values of one simple type: it is fine where it is empty. */
    return config_setting_is_list(node->setting) ||
           (config_setting_is_array(node->setting) && node_children_count(node) == 0) ||
           node_refuse(node, "a list of groups is needed, as in ( { ... }, { ... } )");
}

bool node_is_group(const struct node *node)
{
    return config_setting_is_group(node->setting) ||
           node_refuse(node, "a group is needed, as in { name = value; }");
}

static bool one_text(const struct node *node, void *context,
                     bool (*take)(void *context, const struct node *node, const char *text))
{
    const char *text = NULL;

    return node_text(node, &text) && take(context, node, text);
}

bool node_each_text(const struct node *node, void *context,
                    bool (*take)(void *context, const struct node *node, const char *text))
{
    size_t count = node_children_count(node);

    if (!config_setting_is_array(node->setting) && !config_setting_is_list(node->setting)) {
        return one_text(node, context, take);
    }
    if (count == 0) {
        return node_refuse(node, "it is empty");
    }
    for (size_t i = 0; i < count; i++) {
        const struct node child = node_child(node, i);

        if (!one_text(&child, context, take)) {
            return false;
        }
    }
    return true;
}
