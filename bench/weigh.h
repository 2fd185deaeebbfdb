/* SPDX-License-Identifier: MIT */
/* Memory: what an entry takes, and what is kept when 99 of 100 are deleted, in no order. In a process of
 * its own; what malloc keeps for later is given back before it is looked at. */
#ifndef CANCELD_BENCH_WEIGH_H
#define CANCELD_BENCH_WEIGH_H

#include "map.h"

struct weighed {
    double bytes_entry;
    double kept_percent;
};

/* `live` entries with a ttl. False: the process failed. */
MUST_CHECK bool weigh(const struct map_design *design, uint32_t live, uint64_t seed,
                      struct weighed *weighed);

#endif
