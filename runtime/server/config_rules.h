/* SPDX-License-Identifier: MIT */
/* The part of the configuration that is no flag: the rules, and the bounds of namespaces. */
#ifndef CANCELD_SERVER_CONFIG_RULES_H
#define CANCELD_SERVER_CONFIG_RULES_H

#include "base/check.h"
#include "server/config_node.h"
#include "server/rights.h"

#include <stdbool.h>

/* Each reads one list into *config, whose array it makes: to be given back with
 * config_rules_fini(), whatever they return. The texts stay the node's. */
MUST_CHECK bool config_rules_read(const struct node *list, struct rights_config *config);
MUST_CHECK bool config_spaces_read(const struct node *list, struct rights_config *config);

/* Takes one that is all zero. */
void config_rules_fini(struct rights_config *config);

#endif
