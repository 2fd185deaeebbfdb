/* SPDX-License-Identifier: MIT */
#include "server/options.h"

#include <argp.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIMITS_COUNT_ONE(name, default_, lowest, highest, reason) +1
#define LIMITS_COUNT (0 LIMITS_TABLE(LIMITS_COUNT_ONE))

/* Keys that are no characters make flags without a short form. */
#define KEY_FLAGS 1000
#define KEY_LIMITS 2000

/* What the parser ends with when --help or --version ended it. */
#define ENDED_BY_PRINTING ECANCELED

struct parse {
    const struct environment *environment;
    struct options options;
    struct refusal *refusal;
    const char *listen[OPTIONS_ADDRESSES_MAX];
    size_t listen_count;
    bool insecure_tcp;
    bool mode_given;
};

/* ---- the flags ---- */

static bool listen_take(struct parse *parse, const char *value)
{
    for (size_t i = 0; i < parse->listen_count; i++) {
        if (strcmp(parse->listen[i], value) == 0) {
            return refuse(parse->refusal, REFUSAL_OPTION, "--listen %s is given twice", value);
        }
    }
    if (parse->listen_count == OPTIONS_ADDRESSES_MAX) {
        return refuse(parse->refusal, REFUSAL_OPTION, "--listen: %d addresses at most",
                      OPTIONS_ADDRESSES_MAX);
    }
    parse->listen[parse->listen_count++] = value;
    return true;
}

static bool insecure_tcp_take(struct parse *parse, const char *value)
{
    (void) value;
    parse->insecure_tcp = true;
    return true;
}

static bool ipc_mode_take(struct parse *parse, const char *value)
{
    mode_t mode = 0;
    size_t size = strlen(value);

    if (size < 3 || size > 4 || strspn(value, "01234567") != size || (size == 4 && *value != '0')) {
        return refuse(parse->refusal, REFUSAL_OPTION,
                      "--ipc-mode %s: a mode is octal, 000 to 0777, as in 0660", value);
    }
    for (; *value != '\0'; value++) {
        mode = mode * 8 + (mode_t) (*value - '0');
    }
    parse->options.access.mode = mode;
    parse->mode_given = true;
    return true;
}

/* Digits alone, without sign, space or overflow: what strtoull would wave through is refused. */
static bool number_read(const char *text, uint64_t *value_out)
{
    uint64_t value = 0;

    if (*text == '\0' || strspn(text, "0123456789") != strlen(text)) {
        return false;
    }
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t) (*text - '0');

        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *value_out = value;
    return true;
}

static bool ipc_group_take(struct parse *parse, const char *value)
{
    const struct group *group = getgrnam(value);
    uint64_t number;

    if (group != NULL) {
        parse->options.access.group = group->gr_gid;
    } else if (number_read(value, &number) && number < (gid_t) -1) {
        parse->options.access.group = (gid_t) number;
    } else {
        return refuse(parse->refusal, REFUSAL_OPTION, "--ipc-group %s: there is no such group",
                      value);
    }
    parse->options.access.has_group = true;
    return true;
}

static bool state_dir_take(struct parse *parse, const char *value)
{
    if (value[0] == '\0') {
        return refuse(parse->refusal, REFUSAL_OPTION, "--state-dir is empty");
    }
    parse->options.state_dir = value;
    return true;
}

static bool ephemeral_take(struct parse *parse, const char *value)
{
    (void) value;
    parse->options.ephemeral = true;
    return true;
}

static bool log_level_take(struct parse *parse, const char *value)
{
    return log_level_parse(value, &parse->options.log_level) ||
           refuse(parse->refusal, REFUSAL_OPTION,
                  "--log-level %s: a level is error, warn, info or debug", value);
}

static bool log_format_take(struct parse *parse, const char *value)
{
    return log_format_parse(value, &parse->options.log_format) ||
           refuse(parse->refusal, REFUSAL_OPTION, "--log-format %s: a format is text or json",
                  value);
}

struct flag {
    const char *name;
    const char *value_name; /* NULL: it takes none */
    const char *doc;
    bool (*take)(struct parse *parse, const char *value);
};

static const struct flag flags[] = {
    {"listen", "URL",
     "Listen on ipc:///path/to/socket or tcp://HOST:PORT (port 0: any free one); may be repeated",
     listen_take},
    {"insecure-tcp", NULL,
     "Let --listen name a TCP address that other machines can reach: without encryption, and with "
     "no check of who connects",
     insecure_tcp_take},
    {"ipc-mode", "MODE", "Mode of the ipc sockets (default 0600, or 0660 with --ipc-group)",
     ipc_mode_take},
    {"ipc-group", "GROUP", "Group of the ipc sockets", ipc_group_take},
    {"state-dir", "DIR",
     "Where the epoch is kept, so that generations never come again (default: see below)",
     state_dir_take},
    {"ephemeral", NULL,
     "Keep no state: the epoch is the minutes since 2026-01-01. A clock that is set back may then "
     "bring generations again, and an old Stop could hit new work",
     ephemeral_take},
    {"log-level", "LEVEL", "error, warn, info (default) or debug", log_level_take},
    {"log-format", "FORMAT", "text (default) or json, one object a line; to standard error",
     log_format_take},
};

#define FLAGS_COUNT (sizeof flags / sizeof flags[0])

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
    struct argp_option options[FLAGS_COUNT + LIMITS_COUNT + 5];
    char limit_names[LIMITS_COUNT][64];
    char limit_docs[LIMITS_COUNT][256];
    size_t count;
};

static void rows_add(struct rows *rows, struct argp_option option)
{
    ASSERT(rows->count < sizeof rows->options / sizeof rows->options[0]);
    rows->options[rows->count++] = option;
}

/* limit_rows[i].name with dashes, behind "limit-". */
static void limit_flag_name(size_t i, char *name, size_t room)
{
    int length = snprintf(name, room, "limit-%s", limit_rows[i].name);

    ASSERT(length > 0 && (size_t) length < room);
    for (; *name != '\0'; name++) {
        *name = *name == '_' ? '-' : *name;
    }
}

static void rows_add_limit(struct rows *rows, size_t i)
{
    const struct limit_row *row = &limit_rows[i];

    limit_flag_name(i, rows->limit_names[i], sizeof rows->limit_names[i]);
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
    for (size_t i = 0; i < FLAGS_COUNT; i++) {
        rows_add(rows, (struct argp_option){.name = flags[i].name,
                                            .key = KEY_FLAGS + (int) i,
                                            .arg = flags[i].value_name,
                                            .doc = flags[i].doc,
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

static bool limit_take(struct parse *parse, size_t i, const char *value)
{
    const struct limit_row *row = &limit_rows[i];
    char name[64];
    uint64_t number;

    limit_flag_name(i, name, sizeof name);
    if (!number_read(value, &number) || number < row->lowest || number > row->highest) {
        return refuse(parse->refusal, REFUSAL_OPTION,
                      "--%s %s: a whole number of %" PRIu64 " to %" PRIu64 " is needed", name,
                      value, row->lowest, row->highest);
    }
    *limits_field(&parse->options.limits, row) = number;
    return true;
}

/* What can only be said when every flag is known. */
static bool parse_finish(struct parse *parse)
{
    struct options *options = &parse->options;

    if (options->ephemeral && options->state_dir != NULL) {
        return refuse(parse->refusal, REFUSAL_OPTION,
                      "--ephemeral and --state-dir exclude each other");
    }
    if (options->access.has_group && !parse->mode_given) {
        options->access.mode = 0660;
    }
    for (size_t i = 0; i < parse->listen_count; i++) {
        if (!address_parse(parse->listen[i], parse->insecure_tcp, &options->addresses[i],
                           parse->refusal)) {
            return false;
        }
    }
    options->addresses_count = parse->listen_count;
    if (parse->listen_count == 0) {
        options->addresses_count = 1;
        return address_default(parse->environment, &options->addresses[0], parse->refusal);
    }
    return true;
}

static error_t flag_parse(int key, char *value, struct argp_state *state)
{
    struct parse *parse = state->input;
    bool is_good;

    if (key >= KEY_LIMITS && key < KEY_LIMITS + LIMITS_COUNT) {
        is_good = limit_take(parse, (size_t) (key - KEY_LIMITS), value);
    } else if (key >= KEY_FLAGS && key < KEY_FLAGS + (int) FLAGS_COUNT) {
        is_good = flags[key - KEY_FLAGS].take(parse, value);
    } else if (key == ARGP_KEY_ARG) {
        is_good =
            refuse(parse->refusal, REFUSAL_OPTION, "%s is no flag: see canceld --help", value);
    } else if (key == ARGP_KEY_END) {
        is_good = parse_finish(parse);
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

enum options_end options_parse(int argc, char **argv, const struct environment *environment,
                               struct options *options_out, struct refusal *refusal)
{
    struct rows rows;
    const struct argp argp = {.options = rows.options, .parser = flag_parse, .doc = doc_before};
    struct parse parse = {
        .environment = environment,
        .refusal = refusal,
        .options = {.access = {.mode = 0600},
                    .limits = limits_default(),
                    .log_level = LOG_LEVEL_INFO,
                    .log_format = LOG_FORMAT_TEXT},
    };
    error_t error;

    rows_fill(&rows);
    refusal->code = REFUSAL_NONE;
    error = argp_parse(&argp, argc, argv, ARGP_NO_EXIT | ARGP_NO_HELP, NULL, &parse);
    if (error == ENDED_BY_PRINTING) {
        return OPTIONS_DONE;
    }
    if (error != 0) {
        if (refusal->code == REFUSAL_NONE) {
            /* getopt refused it, and has said why. */
            (void) refuse(refusal, REFUSAL_OPTION, "%s", "");
        }
        return OPTIONS_REFUSED;
    }
    *options_out = parse.options;
    return OPTIONS_RUN;
}
