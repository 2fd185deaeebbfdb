/* SPDX-License-Identifier: MIT */
#include "server/config_file.h"

#include "server/config_node.h"
#include "server/config_rules.h"
#include "server/config_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct config_file {
    config_t config;
    struct rights_config rights;
};

/* What is being read, and into what. */
struct reading {
    struct config_file *file;
    struct draft *draft;
};

/* A setting's name in the file: that of the flag with underscores. */
static bool is_called(const char *flag, const char *name)
{
    for (; *flag != '\0' && *name != '\0'; flag++, name++) {
        if (*name != (*flag == '-' ? '_' : *flag)) {
            return false;
        }
    }
    return *flag == *name;
}

/* ---- settings that are flags too ---- */

struct taking {
    struct draft *draft;
    const struct setting *setting;
};

static bool value_take(void *context, const struct node *node, const char *value)
{
    const struct taking *taking = context;
    const struct said said = {.place = node_place(node), .name = node->name, .value = value};

    return setting_take(taking->setting, taking->draft, &said);
}

static bool text_take(struct taking *taking, const struct node *node)
{
    const char *text;

    return node_text(node, &text) && value_take(taking, node, text);
}

static bool texts_take(struct taking *taking, const struct node *node)
{
    return node_each_text(node, taking, value_take);
}

static bool number_take(struct taking *taking, const struct node *node)
{
    char text[24];
    uint64_t number;

    if (!node_number(node, &number)) {
        return false;
    }
    (void) snprintf(text, sizeof text, "%" PRIu64, number);
    return value_take(taking, node, text);
}

static bool switch_take(struct taking *taking, const struct node *node)
{
    bool value;

    return node_switch(node, &value) && value_take(taking, node, value ? "true" : "false");
}

static bool setting_read(struct draft *draft, const struct setting *setting,
                         const struct node *node)
{
    static bool (*const takes[])(struct taking * taking, const struct node *node) = {
        [SETTING_TEXT] = text_take,
        [SETTING_TEXTS] = texts_take,
        [SETTING_NUMBER] = number_take,
        [SETTING_SWITCH] = switch_take,
    };
    struct taking taking = {.draft = draft, .setting = setting};

    if (setting->scope == SETTING_COMMAND) {
        return node_refuse(node, "that is said on the command line alone");
    }
    return takes[setting->form](&taking, node);
}

/* ---- limits ---- */

static bool limit_read(struct draft *draft, const struct node *node)
{
    char text[24];
    const struct said said = {.place = node_place(node), .name = node->name, .value = text};
    uint64_t number;

    for (size_t i = 0; i < limit_rows_count; i++) {
        if (strcmp(limit_rows[i].name, node_own_name(node)) != 0) {
            continue;
        }
        if (!node_number(node, &number)) {
            return false;
        }
        (void) snprintf(text, sizeof text, "%" PRIu64, number);
        return limit_take(&limit_rows[i], draft, &said);
    }
    return node_refuse(node, "there is no such limit");
}

static bool limits_read(struct reading *reading, const struct node *node)
{
    if (!node_is_group(node)) {
        return false;
    }
    for (size_t i = 0; i < node_children_count(node); i++) {
        const struct node child = node_child(node, i);

        if (!limit_read(reading->draft, &child)) {
            return false;
        }
    }
    return true;
}

/* ---- the whole ---- */

static bool rules_read(struct reading *reading, const struct node *node)
{
    return config_rules_read(node, &reading->file->rights);
}

static bool spaces_read(struct reading *reading, const struct node *node)
{
    return config_spaces_read(node, &reading->file->rights);
}

static const struct {
    const char *name;
    bool (*read)(struct reading *reading, const struct node *node);
} sections[] = {{"limits", limits_read}, {"namespaces", spaces_read}, {"rules", rules_read}};

static bool root_child_read(struct reading *reading, const struct node *node)
{
    const char *name = node_own_name(node);

    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (strcmp(sections[i].name, name) == 0) {
            return sections[i].read(reading, node);
        }
    }
    for (size_t i = 0; i < settings_count; i++) {
        if (is_called(settings[i].name, name)) {
            return setting_read(reading->draft, &settings[i], node);
        }
    }
    return node_refuse(node, "there is no such setting");
}

static bool root_read(struct reading *reading, const char *path)
{
    const struct node root = {
        .path = path,
        .refusal = reading->draft->refusal,
        .setting = config_root_setting(&reading->file->config),
    };

    for (size_t i = 0; i < node_children_count(&root); i++) {
        const struct node child = node_child(&root, i);

        if (!root_child_read(reading, &child)) {
            return false;
        }
    }
    return true;
}

/* To libconfig 1.5 a comment is none that the file's end ends. */
static bool line_end(char **text, const char *path, struct refusal *refusal)
{
    size_t size = strlen(*text);
    char *longer = realloc(*text, size + 2);

    if (longer == NULL) {
        return refuse(refusal, REFUSAL_MEMORY, "there is no memory for %s", path);
    }
    longer[size] = '\n';
    longer[size + 1] = '\0';
    *text = longer;
    return true;
}

static bool text_parse(struct config_file *file, const char *path, struct refusal *refusal)
{
    char *text;
    bool is_good;

    if (!text_file_read(path, CONFIG_BYTES_MAX, TEXT_FILE_PUBLIC, &text, refusal)) {
        return false;
    }
    is_good = line_end(&text, path, refusal) && config_text_check(path, text, refusal);
    if (is_good && config_read_string(&file->config, text) != CONFIG_TRUE) {
        is_good = refuse(refusal, REFUSAL_OPTION, "%s:%d: %s", path,
                         config_error_line(&file->config), config_error_text(&file->config));
    }
    free(text);
    return is_good;
}

bool config_file_read(const char *path, struct draft *draft, struct config_file **file_out)
{
    struct config_file *file = calloc(1, sizeof *file);
    struct reading reading = {.file = file, .draft = draft};

    if (file == NULL) {
        return refuse(draft->refusal, REFUSAL_MEMORY, "there is no memory for %s", path);
    }
    config_init(&file->config);
    if (!text_parse(file, path, draft->refusal) || !root_read(&reading, path)) {
        config_file_free(file);
        return false;
    }
    *file_out = file;
    return true;
}

const struct rights_config *config_file_rights(const struct config_file *file)
{
    return &file->rights;
}

void config_file_free(struct config_file *file)
{
    if (file != NULL) {
        config_rules_fini(&file->rights);
        config_destroy(&file->config);
        free(file);
    }
}
