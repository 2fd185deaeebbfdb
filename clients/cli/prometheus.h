/* SPDX-License-Identifier: MIT */
/* stats in Prometheus' text exposition format, version 0.0.4. */
#ifndef CANCELD_CLI_PROMETHEUS_H
#define CANCELD_CLI_PROMETHEUS_H

#include <canceld/client.h>

#include <stdio.h>

/* Each row becomes a sample of a metric of its own, or of a family with a label: the ops by `op`, the
 * answers by `answer`, the ends by `outcome`, the limits by `limit`. The rows of a histogram become its
 * cumulative buckets; it has no _sum, for nobody knows it. A row that is not known here, of a newer
 * daemon, is untyped. A failure stays in the error flag of `out`. */
void prometheus_put(FILE *out, const struct canceld_result *stats);

#endif
