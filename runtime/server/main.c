/* SPDX-License-Identifier: MIT */
/* canceld: reads the command line, starts the daemon, waits for a signal, stops the daemon. The only
 * place that decides how the process ends. Two flags have it do something else than serve. */
#include "server/daemon.h"
#include "server/descriptors.h"
#include "server/guard.h"
#include "server/notify.h"
#include "server/options.h"
#include "server/reload.h"
#include "server/rights_load.h"
#include "server/signals.h"
#include "server/tls_files.h"
#include "server/tokens.h"

#include <errno.h>
#include <signal.h>
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

/* Until a signal comes that ends the daemon: its number. */
static int signals_serve(const struct reload *again)
{
    bool hangup_reloads = reload_is_possible(again->running);
    int value;
    int number = signals_wait(hangup_reloads, &value);

    while (number == SIGNALS_TOLD || (hangup_reloads && number == SIGHUP)) {
        if (number == SIGNALS_TOLD) {
            daemon_told(again->daemon, value);
        } else {
            reload(again);
        }
        number = signals_wait(hangup_reloads, &value);
    }
    signals_arm(hangup_reloads);
    return number;
}

static int serve(struct reload *again)
{
    const struct options *options = again->running;
    struct log log;
    struct refusal refusal = {.code = REFUSAL_NONE};
    struct daemon *daemon;
    int number;

    signals_block(reload_is_possible(options));
    log_init(&log, STDERR_FILENO, options->log_level, options->log_format, &clock_system);
    if (!daemon_start(options, &log, &daemon, &refusal)) {
        return refusal_report(&refusal);
    }
    ready_tell(daemon, &log);
    again->daemon = daemon;
    again->log = &log;
    number = signals_serve(again);
    log_write(&log, LOG_LEVEL_INFO, "%s: the end, nothing is cancelled by it",
              signals_name(number));
    manager_tell(&log, "STOPPING=1");
    daemon_stop(daemon);
    return EXIT_SUCCESS;
}

static int config_check(const struct options *options)
{
    char text[RIGHTS_TEXT_BYTES];
    struct refusal refusal = {.code = REFUSAL_NONE};
    struct rights *rights;
    struct tls_files files;

    if (!rights_load(options, &rights, &refusal)) {
        return refusal_report(&refusal);
    }
    rights_describe(rights, text);
    rights_free(rights);
    if (!tls_files_read(&options->tls, &files, &refusal)) {
        return refusal_report(&refusal);
    }
    tls_files_fini(&files);
    (void) printf("good: %zu address%s, %s\n", options->addresses_count,
                  options->addresses_count == 1 ? "" : "es", text);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_CANNOT_START;
}

static int token_make(const struct options *options)
{
    char token[TOKEN_TEXT_BYTES + 1];
    struct refusal refusal = {.code = REFUSAL_NONE};
    bool is_printed;

    if (!tokens_make(options->tokens, options->tokens_key, options->make_token, token, &refusal)) {
        return refusal_report(&refusal);
    }
    is_printed = printf("%s\n", token) > 0 && fflush(stdout) == 0;
    explicit_bzero(token, sizeof token);
    if (!is_printed) {
        (void) fprintf(stderr, "canceld: the token could not be printed: take its line out of %s\n",
                       options->tokens);
    }
    return is_printed ? EXIT_SUCCESS : EXIT_CANNOT_START;
}

static int options_obey(struct reload *again)
{
    const struct options *options = again->running;

    if (options->check_config) {
        return config_check(options);
    }
    if (options->make_token != NULL) {
        return token_make(options);
    }
    return serve(again);
}

int main(int argc, char **argv)
{
    /* Too big for the stack of a function that is called often; this one is called once. */
    static struct options options;
    const struct environment environment = environment_read();
    struct refusal refusal = {.code = REFUSAL_NONE};
    struct reload again = {
        .argc = argc, .argv = argv, .environment = &environment, .running = &options};
    int code;

    if (!guard_raise()) {
        (void) fputs("canceld: the kernel does not guard the memory of a process\n", stderr);
        return EXIT_CANNOT_START;
    }
    if (!descriptors_fill_standard()) {
        (void) fputs("canceld: /dev/null cannot be opened\n", stderr); /* if there is one */
        return EXIT_CANNOT_START;
    }
    signals_block(false);
    switch (options_parse(argc, argv, &environment, &options, &refusal)) {
    case OPTIONS_RUN:
        guard_settle(options.dumpable);
        code = options_obey(&again);
        options_fini(&options);
        return code;
    case OPTIONS_DONE:
        return EXIT_SUCCESS;
    case OPTIONS_REFUSED:
        break;
    }
    return refusal_report(&refusal);
}
