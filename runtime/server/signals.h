/* SPDX-License-Identifier: MIT */
/* The signals that end the daemon, the one that may reload it, and one by which another thread tells
 * main something. They are blocked in every thread and waited for by main, so that no handler ever
 * runs. */
#ifndef CANCELD_SERVER_SIGNALS_H
#define CANCELD_SERVER_SIGNALS_H

#include <stdbool.h>

/* Blocks SIGTERM, SIGINT and SIGHUP in the calling thread and in all that it starts later; a write to a
 * pipe that nobody reads fails instead of killing. SIGHUP is left alone where it is ignored, as under
 * nohup(1), and is not what reloads. To be called before the first thread is started; may be called
 * again. */
void signals_block(bool hangup_reloads);

/* Waits for one of them; gives its number, or SIGNALS_TOLD with the value. */
#define SIGNALS_TOLD 0
int signals_wait(bool hangup_reloads, int *value_out);

/* Has main's signals_wait() give this value, in the order of the calls; the system queues it. For what is
 * rare, and may be lost where the queue is full. Any thread. */
void signals_tell(int value);

/* From here on the next one that ends the daemon ends the process at once, as if nobody had ever
 * blocked it. */
void signals_arm(bool hangup_reloads);

/* "SIGTERM", ...: static storage. */
const char *signals_name(int number);

#endif
