/* SPDX-License-Identifier: MIT */
#include "server/reload.h"

#include "server/rights_load.h"
#include "server/setting.h"

#include <inttypes.h>

bool reload_is_possible(const struct options *running)
{
    return running->config != NULL || running->tokens != NULL;
}

static void restart_say(const struct reload *reload, const char *name)
{
    log_write(reload->log, LOG_LEVEL_WARN, "reload: --%s is another one now, which needs a restart",
              name);
}

static void differences_say(const struct reload *reload, struct options *options)
{
    struct limits running = reload->running->limits;

    for (size_t i = 0; i < settings_count; i++) {
        if (settings[i].scope == SETTING_START &&
            settings[i].differs(&settings[i], reload->running, options)) {
            restart_say(reload, settings[i].name);
        }
    }
    for (size_t i = 0; i < limit_rows_count; i++) {
        char name[SETTING_NAME_BYTES];

        if (*limits_field(&running, &limit_rows[i]) !=
            *limits_field(&options->limits, &limit_rows[i])) {
            limit_flag_name(&limit_rows[i], name);
            restart_say(reload, name);
        }
    }
}

static bool take_over(const struct reload *reload, struct options *options, struct refusal *refusal)
{
    char text[RIGHTS_TEXT_BYTES];
    struct rights *rights;

    if (!rights_load(options, &rights, refusal)) {
        return false;
    }
    rights_describe(rights, text);
    if (!daemon_rights_set(reload->daemon, rights, refusal)) {
        rights_free(rights);
        return false;
    }
    reload->log->level = options->log_level;
    differences_say(reload, options);
    log_write(reload->log, LOG_LEVEL_INFO, "reloaded: %s, log level %s", text,
              log_level_text(options->log_level));
    return true;
}

void reload(const struct reload *reload)
{
    /* Too big for the stack of a function that is called often; this one is not. */
    struct options options;
    struct refusal refusal = {.code = REFUSAL_NONE};

    if (options_parse(reload->argc, reload->argv, reload->environment, &options, &refusal) !=
        OPTIONS_RUN) {
        log_write(reload->log, LOG_LEVEL_ERROR, "nothing is reloaded: %s", refusal.text);
        return;
    }
    if (!take_over(reload, &options, &refusal)) {
        log_write(reload->log, LOG_LEVEL_ERROR, "nothing is reloaded: %s", refusal.text);
    }
    options_fini(&options);
}
