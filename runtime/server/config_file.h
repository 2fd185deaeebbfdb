/* SPDX-License-Identifier: MIT */
/* The configuration file, in the format of libconfig: every setting and limit that is a flag too, and
 * the rules, which are none. docs/canceld.conf.example shows and explains all of it.
 *
 * A file is taken whole or not at all: an unknown name, a value of another type or out of its range
 * is refused with file, line and name. Main thread. */
#ifndef CANCELD_SERVER_CONFIG_FILE_H
#define CANCELD_SERVER_CONFIG_FILE_H

#include "base/check.h"
#include "server/rights.h"
#include "server/setting.h"

#include <stdbool.h>
#include <stddef.h>

struct config_file;

/* Reads the file and puts what it says into the draft. On refusal the draft is half done, and of no
 * use. The texts in the draft's options are borrowed from the file, and `path` by it. */
MUST_CHECK bool config_file_read(const char *path, struct draft *draft,
                                 struct config_file **file_out);

/* The rules and the bounds of namespaces that it holds: the file's own, good for rights_new(), without
 * tokens. */
const struct rights_config *config_file_rights(const struct config_file *file);

/* Takes NULL. */
void config_file_free(struct config_file *file);

#endif
