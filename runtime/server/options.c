/* SPDX-License-Identifier: MIT */
#include "server/options.h"

#include "server/config_file.h"
#include "server/setting.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIMITS_COUNT_ONE(name, default_, lowest, highest, reason) +1
#define LIMITS_COUNT (0 LIMITS_TABLE(LIMITS_COUNT_ONE))

/* Keys that are no characters make flags without a short form. */
#define KEY_FLAGS 1000
#define KEY_LIMITS 2000

/* More than setting.c has. */
#define SETTINGS_MAX 64

/* What the parser ends with when --help or --version ended it. */
#define ENDED_BY_PRINTING ECANCELED

/* The words are read twice: first for --config alone, then, with what that file says in place, for
 * all the rest. */
enum pass { PASS_CONFIG, PASS_ALL };

struct parse {
    struct draft draft;
    enum pass pass;
};

static const char doc_before[] =
    "Keeps the operations in flight that may be cancelled, and tells the truth about each cancel."
    "\v"
    "Without --listen: ipc:///run/canceld/canceld.sock for root, else "
    "ipc://$XDG_RUNTIME_DIR/canceld.sock, else ipc://$TMPDIR/canceld-UID/canceld.sock.\n"
    "Without --state-dir: /var/lib/canceld for root, else $XDG_STATE_HOME/canceld, else "
    "$HOME/.local/state/canceld.\n\n"
    "Once it serves, it writes one line `ready URL...` to standard output, and tells the service "
    "manager if NOTIFY_SOCKET is set. SIGTERM and SIGINT end it within 2 seconds and cancel "
    "nothing; a second one ends it at once.\n\n"
    "Exit status: 0 ended as asked, 1 cannot start, 2 the command line is wrong.";

/* ---- the rows of argp ---- */

/* argp reads these while it parses; nothing of them is kept. */
struct rows {
    struct argp_option options[SETTINGS_MAX + LIMITS_COUNT + 5];
    char limit_names[LIMITS_COUNT][SETTING_NAME_BYTES];
    char limit_docs[LIMITS_COUNT][256];
    size_t count;
};

static void rows_add(struct rows *rows, struct argp_option option)
{
    ASSERT(rows->count < sizeof rows->options / sizeof rows->options[0]);
    rows->options[rows->count++] = option;
}

static void rows_add_limit(struct rows *rows, size_t i)
{
    const struct limit_row *row = &limit_rows[i];

    limit_flag_name(row, rows->limit_names[i]);
    (void) snprintf(rows->limit_docs[i], sizeof rows->limit_docs[i],
                    "%s (%" PRIu64 " to %" PRIu64 ", default %" PRIu64 ")", row->reason,
                    row->lowest, row->highest, row->default_value);
    rows_add(rows, (struct argp_option){.name = rows->limit_names[i],
                                        .key = KEY_LIMITS + (int) i,
                                        .arg = "N",
                                        .doc = rows->limit_docs[i],
                                        .group = 2});
}

static void rows_fill(struct rows *rows)
{
    rows->count = 0;
    for (size_t i = 0; i < settings_count; i++) {
        rows_add(rows, (struct argp_option){.name = settings[i].name,
                                            .key = KEY_FLAGS + (int) i,
                                            .arg = settings[i].value_name,
                                            .doc = settings[i].doc,
                                            .group = 1});
    }
    rows_add(rows,
             (struct argp_option){.doc = "Limits, each shown by `cancelctl stats`:", .group = 2});
    for (size_t i = 0; i < limit_rows_count; i++) {
        rows_add_limit(rows, i);
    }
    rows_add(rows,
             (struct argp_option){.name = "help", .key = '?', .doc = "Print this", .group = 3});
    rows_add(rows, (struct argp_option){
                       .name = "version", .key = 'V', .doc = "Print the version", .group = 3});
    rows_add(rows, (struct argp_option){.name = "usage",
                                        .key = KEY_LIMITS + LIMITS_COUNT,
                                        .doc = "Print the flags in short",
                                        .group = 3});
    rows_add(rows, (struct argp_option){0});
}

/* ---- the parser ---- */

static bool setting_parse(struct parse *parse, const struct setting *setting, const char *value)
{
    const struct said said = {.name = setting->name, .value = value == NULL ? "true" : value};
    bool is_config = strcmp(setting->name, "config") == 0;

    return is_config != (parse->pass == PASS_CONFIG) || setting_take(setting, &parse->draft, &said);
}

static bool limit_parse(struct parse *parse, const struct limit_row *row, const char *value)
{
    char name[SETTING_NAME_BYTES];
    const struct said said = {.name = name, .value = value};

    limit_flag_name(row, name);
    return parse->pass == PASS_CONFIG || limit_take(row, &parse->draft, &said);
}

static error_t flag_parse(int key, char *value, struct argp_state *state)
{
    struct parse *parse = state->input;
    bool is_good;

    if (key >= KEY_LIMITS && key < KEY_LIMITS + LIMITS_COUNT) {
        is_good = limit_parse(parse, &limit_rows[key - KEY_LIMITS], value);
    } else if (key >= KEY_FLAGS && key < KEY_FLAGS + (int) settings_count) {
        is_good = setting_parse(parse, &settings[key - KEY_FLAGS], value);
    } else if (key == ARGP_KEY_ARG) {
        is_good = refuse(parse->draft.refusal, REFUSAL_OPTION, "%s is no flag: see canceld --help",
                         value);
    } else if (key == 'V') {
        (void) fprintf(stdout, "canceld %s\n", CANCELD_VERSION);
        return ENDED_BY_PRINTING;
    } else if (key == '?' || key == KEY_LIMITS + LIMITS_COUNT) {
        argp_state_help(state, stdout,
                        key == '?' ? ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC
                                   : ARGP_HELP_USAGE);
        return ENDED_BY_PRINTING;
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return is_good ? 0 : EINVAL;
}

static enum options_end words_read(struct parse *parse, enum pass pass, int argc, char **argv)
{
    struct rows rows;
    const struct argp argp = {.options = rows.options, .parser = flag_parse, .doc = doc_before};
    error_t error;

    rows_fill(&rows);
    parse->pass = pass;
    error = argp_parse(&argp, argc, argv, ARGP_NO_EXIT | ARGP_NO_HELP, NULL, parse);
    if (error == ENDED_BY_PRINTING) {
        return OPTIONS_DONE;
    }
    if (error == ENOMEM) {
        (void) refuse(parse->draft.refusal, REFUSAL_MEMORY, "no memory to read the options");
    } else if (error != 0 && parse->draft.refusal->code == REFUSAL_NONE) {
        /* getopt refused it, and has said why. */
        (void) refuse(parse->draft.refusal, REFUSAL_OPTION, "%s", "");
    }
    return error == 0 ? OPTIONS_RUN : OPTIONS_REFUSED;
}

static enum options_end options_read(struct parse *parse, int argc, char **argv)
{
    struct options *options = parse->draft.options;
    enum options_end end = words_read(parse, PASS_CONFIG, argc, argv);

    if (end != OPTIONS_RUN) {
        return end;
    }
    if (options->config != NULL &&
        !config_file_read(options->config, &parse->draft, &options->file)) {
        return OPTIONS_REFUSED;
    }
    end = words_read(parse, PASS_ALL, argc, argv);
    if (end == OPTIONS_RUN && !draft_finish(&parse->draft)) {
        end = OPTIONS_REFUSED;
    }
    return end;
}

enum options_end options_parse(int argc, char **argv, const struct environment *environment,
                               struct options *options_out, struct refusal *refusal)
{
    struct options options;
    struct parse parse;
    enum options_end end;

    draft_init(&parse.draft, environment, &options, refusal);
    refusal->code = REFUSAL_NONE;
    end = options_read(&parse, argc, argv);
    if (end == OPTIONS_RUN) {
        *options_out = options;
    } else {
        options_fini(&options);
    }
    return end;
}

void options_fini(struct options *options)
{
    config_file_free(options->file);
    options->file = NULL;
}
