/* SPDX-License-Identifier: MIT */
/* canceld: reads the command line, starts the daemon, waits for a signal, stops the daemon. The only
 * place that decides how the process ends. */
#include "server/daemon.h"
#include "server/descriptors.h"
#include "server/notify.h"
#include "server/options.h"
#include "server/signals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int refusal_report(const struct refusal *refusal)
{
    if (refusal->text[0] != '\0') {
        (void) fprintf(stderr, "canceld: %s (%s)\n", refusal->text, refusal_name(refusal->code));
    }
    return refusal_exit_code(refusal->code);
}

static void manager_tell(struct log *log, const char *state)
{
    enum status status = notify_send(getenv("NOTIFY_SOCKET"), state);

    if (status != STATUS_OK) {
        log_write(log, LOG_LEVEL_WARN, "the service manager was not told %.9s: %s", state,
                  status == STATUS_SYSTEM ? strerror(errno) : "NOTIFY_SOCKET is no address");
    }
}

static void ready_tell(const struct daemon *daemon, struct log *log)
{
    char state[4096];

    (void) snprintf(state, sizeof state, "READY=1\nSTATUS=%s", daemon_ready_line(daemon));
    manager_tell(log, state);
    /* Whoever started us may have gone, or have closed its end: we serve all the same. */
    if (printf("%s\n", daemon_ready_line(daemon)) < 0 || fflush(stdout) != 0) {
        log_write(log, LOG_LEVEL_WARN, "standard output does not take the ready line: %s",
                  strerror(errno));
    }
}

static int serve(const struct options *options)
{
    struct log log;
    struct refusal refusal = {.code = REFUSAL_NONE};
    struct daemon *daemon;
    int number;

    log_init(&log, STDERR_FILENO, options->log_level, options->log_format, &clock_system);
    if (!daemon_start(options, &log, &daemon, &refusal)) {
        return refusal_report(&refusal);
    }
    ready_tell(daemon, &log);
    number = signals_wait();
    signals_arm();
    log_write(&log, LOG_LEVEL_INFO, "%s: the end, nothing is cancelled by it",
              signals_name(number));
    manager_tell(&log, "STOPPING=1");
    daemon_stop(daemon);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    /* Too big for the stack of a function that is called often; this one is called once. */
    static struct options options;
    const struct environment environment = environment_read();
    struct refusal refusal = {.code = REFUSAL_NONE};

    if (!descriptors_fill_standard()) {
        return EXIT_CANNOT_START;
    }
    signals_block();
    switch (options_parse(argc, argv, &environment, &options, &refusal)) {
    case OPTIONS_RUN:
        return serve(&options);
    case OPTIONS_DONE:
        return EXIT_SUCCESS;
    case OPTIONS_REFUSED:
        break;
    }
    return refusal_report(&refusal);
}
