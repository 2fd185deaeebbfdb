/* SPDX-License-Identifier: MIT */
/* The signals that end the daemon. They are blocked in every thread and waited for by main, so that no
 * handler ever runs. */
#ifndef CANCELD_SERVER_SIGNALS_H
#define CANCELD_SERVER_SIGNALS_H

/* Blocks SIGTERM, SIGINT and, unless it is ignored as under nohup(1), SIGHUP in the calling thread and
 * in all that it starts later; a write to a pipe that nobody reads fails instead of killing. To be
 * called before the first thread is started. */
void signals_block(void);

/* Waits for one of them; gives its number. */
int signals_wait(void);

/* From here on the next one ends the process at once, as if nobody had ever blocked it. */
void signals_arm(void);

/* "SIGTERM", ...: static storage. */
const char *signals_name(int number);

#endif
