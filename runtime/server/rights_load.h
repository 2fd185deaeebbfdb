/* SPDX-License-Identifier: MIT */
/* The rights as options and files have them now. */
#ifndef CANCELD_SERVER_RIGHTS_LOAD_H
#define CANCELD_SERVER_RIGHTS_LOAD_H

#include "base/check.h"
#include "server/options.h"
#include "server/rights.h"
#include "wire/service.h"

/* Reads the files that the options name. Main thread. */
MUST_CHECK bool rights_load(const struct options *options, struct rights **rights_out,
                            struct refusal *refusal);

/* The rights as the service asks them; they are its own then. */
struct service_rights rights_port(struct rights *rights);

#endif
