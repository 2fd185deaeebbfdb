/* SPDX-License-Identifier: MIT */
/* A value in the configuration file: where it stands, what it is called there, and which type it has.
 * The only header, with its .c, that knows libconfig beside config_file.c and config_rules.c. */
#ifndef CANCELD_SERVER_CONFIG_NODE_H
#define CANCELD_SERVER_CONFIG_NODE_H

#include "server/setting.h"

#include <libconfig.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODE_NAME_BYTES 192

struct node {
    const char *path; /* of the file */
    struct refusal *refusal;
    const config_setting_t *setting;
    char name[NODE_NAME_BYTES]; /* "rules[3].who" */
};

/* Refuses in the words "FILE:LINE: NAME: sentence". */
__attribute__((format(printf, 2, 3))) bool node_refuse(const struct node *node, const char *format,
                                                       ...);

struct place node_place(const struct node *node);

/* A member of a group, or an element of a list, by its number. */
struct node node_child(const struct node *node, size_t i);
size_t node_children_count(const struct node *node);

/* The last part of the name. */
const char *node_own_name(const struct node *node);

/* Refused where it has another type: a text in quotes; a whole number, not below 0; true or false; a
 * list of groups; a group. The text is the file's. */
MUST_CHECK bool node_text(const struct node *node, const char **text_out);
MUST_CHECK bool node_number(const struct node *node, uint64_t *number_out);
MUST_CHECK bool node_switch(const struct node *node, bool *value_out);
MUST_CHECK bool node_is_list(const struct node *node);
MUST_CHECK bool node_is_group(const struct node *node);

/* Calls `take` for a text, or for each of a list of them, one at least; false as soon as it is. */
MUST_CHECK bool node_each_text(const struct node *node, void *context,
                               bool (*take)(void *context, const struct node *node,
                                            const char *text));

#endif
