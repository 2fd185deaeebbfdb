/* SPDX-License-Identifier: MIT */
/* What SIGHUP does: the command line's words and the files that they name are read again. Rules,
 * bounds of namespaces, tokens and the log level are taken over; every other setting that is different
 * by now is named, for it needs a restart. A file that is refused changes nothing. The log tells all of
 * it. Main thread. */
#ifndef CANCELD_SERVER_RELOAD_H
#define CANCELD_SERVER_RELOAD_H

#include "server/daemon.h"
#include "server/environment.h"
#include "server/log.h"
#include "server/options.h"

struct reload {
    int argc;
    char **argv;
    const struct environment *environment;
    const struct options *running; /* what the daemon was started with */
    struct daemon *daemon;
    struct log *log;
};

void reload(const struct reload *reload);

/* Whether there is anything that a reload could find changed. */
bool reload_is_possible(const struct options *running);

#endif
