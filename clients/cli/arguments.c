/* SPDX-License-Identifier: MIT */
/* argp reads the command line twice: up to the command, with the options that every command takes,
 * then what follows, with those of the command as well. The rows that argp needs are made from the
 * table of option.c, and a command names the options it takes by their bits. What is wrong ends the
 * process through argp_error(). */
#include "arguments.h"

#include "command.h"
#include "option.h"
#include "server_address.h"
#include "value.h"

#include <argp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys that are no characters make options without a short form. */
#define KEY_OPTIONS 1000

#define GRACE_DEFAULT_MS 5000U
#define INTERVAL_DEFAULT_MS 1000U

/* ---- operands ---- */

static void operand_take(struct argp_state *state, char *value)
{
    struct arguments *arguments = state->input;

    if (arguments->command == NULL) {
        arguments->command = command_find(value);
        if (arguments->command == NULL) {
            argp_error(state, "%s is no command: see cancelctl --help", value);
        }
        arguments->command_index = state->next - 1;
        state->next = state->argc;
    } else if (arguments->command->operands == OPERANDS_COMMAND) {
        arguments->run_argv = &state->argv[state->next - 1];
        state->next = state->argc;
    } else if (arguments->command->operands != OPERANDS_NONE && arguments->key.size == 0) {
        option_key_take(state, "KEY", value);
    } else {
        argp_error(state, "%s is one operand too many", value);
    }
}

/* Options that exclude each other wherever a command takes both. */
static const struct {
    enum option_index option;
    uint64_t not_with;
} exclusions[] = {
    {OPTION_GEN, OPTION_BIT(ARM) | OPTION_BIT(AFTER_GEN)},
    {OPTION_LABEL, OPTION_BIT(SESSION) | OPTION_BIT(ALL) | OPTION_BIT(GEN) | OPTION_BIT(AFTER_GEN) |
                       OPTION_BIT(ACK) | OPTION_BIT(ARM)},
    {OPTION_SESSION, OPTION_BIT(ALL) | OPTION_BIT(DAEMON) | OPTION_BIT(GEN) |
                         OPTION_BIT(AFTER_GEN) | OPTION_BIT(ACK) | OPTION_BIT(ARM)},
    {OPTION_ALL, OPTION_BIT(GEN) | OPTION_BIT(AFTER_GEN) | OPTION_BIT(ACK) | OPTION_BIT(ARM)},
    {OPTION_DAEMON, OPTION_BIT(NAMESPACE)},
    {OPTION_OLDEST, OPTION_BIT(UNACKNOWLEDGED)},
    {OPTION_PROMETHEUS, OPTION_BIT(JSON)},
};

static void exclusions_check(struct argp_state *state, uint64_t given)
{
    for (size_t i = 0; i < sizeof exclusions / sizeof exclusions[0]; i++) {
        if ((given & UINT64_C(1) << exclusions[i].option) == 0) {
            continue;
        }
        for (size_t other = 0; other < OPTION_COUNT; other++) {
            if ((given & exclusions[i].not_with & UINT64_C(1) << other) != 0) {
                argp_error(state, "--%s has no place beside --%s", option_rows[other].name,
                           option_rows[exclusions[i].option].name);
            }
        }
    }
}

/* What is to be cancelled has to be said, and once: nobody cancels a namespace by leaving out a key. */
static void target_check(struct argp_state *state, const struct arguments *arguments)
{
    uint64_t bulk =
        arguments->options_given & (OPTION_BIT(LABEL) | OPTION_BIT(SESSION) | OPTION_BIT(ALL));

    if (arguments->key.size == 0 && bulk == 0) {
        argp_error(state, "KEY is needed, or one of --label, --session and --all");
    }
    if (arguments->key.size > 0 && bulk != 0) {
        argp_error(state, "--label, --session and --all have no place beside KEY");
    }
    if (arguments->labels_count > 1) {
        argp_error(state, "--label: a cancel takes one label");
    }
}

/* What can only be said when all is read. */
static void end_check(struct argp_state *state)
{
    const struct arguments *arguments = state->input;
    const struct command *command = arguments->command;
    uint64_t given = arguments->options_given;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((command->required & ~given & UINT64_C(1) << i) != 0) {
            argp_error(state, "--%s is needed", option_rows[i].name);
        }
    }
    if (command->operands == OPERANDS_KEY && arguments->key.size == 0) {
        argp_error(state, "KEY is needed");
    }
    if (command->operands == OPERANDS_COMMAND && arguments->run_argv == NULL) {
        argp_error(state, "COMMAND is needed, after --");
    }
    exclusions_check(state, given);
    if ((command->options & OPTION_BIT(ALL)) != 0) {
        target_check(state, arguments);
    }
}

static error_t argument_parse(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;

    if (key >= KEY_OPTIONS && key < KEY_OPTIONS + OPTION_COUNT) {
        option_take(state, &option_rows[key - KEY_OPTIONS], value);
        arguments->options_given |= UINT64_C(1) << (key - KEY_OPTIONS);
    } else if (key == ARGP_KEY_ARG) {
        operand_take(state, value);
    } else if (key == ARGP_KEY_END && arguments->command == NULL) {
        argp_error(state, "a command is needed: see cancelctl --help");
    } else if (key == ARGP_KEY_END && arguments->program_name != NULL) {
        end_check(state);
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* ---- the two readings ---- */

#define COMMANDS_MAX 32
#define USAGE_BYTES_MAX 64

/* argp reads these while it parses; nothing of them is kept. */
struct argp_rows {
    struct argp_option options[OPTION_COUNT + COMMANDS_MAX + 2];
    char usages[COMMANDS_MAX][USAGE_BYTES_MAX];
    size_t count;
};

static void options_add(struct argp_rows *argp_rows, uint64_t options, int group)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((options & UINT64_C(1) << i) != 0) {
            argp_rows->options[argp_rows->count++] = (struct argp_option){
                .name = option_rows[i].name,
                .key = KEY_OPTIONS + (int) i,
                .arg = option_rows[i].value_name,
                .doc = option_rows[i].doc,
                .group = group,
            };
        }
    }
}

static void commands_add(struct argp_rows *argp_rows)
{
    argp_rows->options[argp_rows->count++] =
        (struct argp_option){.doc = "Commands (each has its own --help):", .group = 1};
    for (size_t i = 0; i < commands_count && i < COMMANDS_MAX; i++) {
        (void) snprintf(argp_rows->usages[i], USAGE_BYTES_MAX, "%s %s", commands[i].name,
                        commands[i].usage);
        argp_rows->options[argp_rows->count++] = (struct argp_option){
            .name = argp_rows->usages[i],
            .flags = OPTION_DOC | OPTION_NO_USAGE,
            .doc = commands[i].summary,
            .group = 1,
        };
    }
}

static const char doc_top[] =
    "Cancels operations that canceld keeps, asks for them, and runs commands as such."
    "\v"
    "URL is " VALUE_URL_FORMS
    ". Without --server: the address in CANCELD_SERVER, else ipc:///run/canceld/canceld.sock for "
    "root, else ipc://$XDG_RUNTIME_DIR/canceld.sock, else "
    "ipc://$TMPDIR/canceld-UID/canceld.sock.\n\n"
    "TIME is a whole number and its unit: 500ms, 5s, 10m, 1h. Keys are printed with C escapes; in "
    "JSON they are `key`, or `key_b64` where they are not UTF-8, and generations are strings.\n\n"
    "A token stands in a file, for everybody can read a command line. Where there is one, each "
    "command opens a session of its own to show it.\n\n"
    "Exit status:\n"
#define EXIT_CODE_LINE(name, number, text) "  " #number "\t" text "\n"
    EXIT_CODE_TABLE(EXIT_CODE_LINE)
#undef EXIT_CODE_LINE
        "Else that of run is the command's own, or 128 + n where signal n ended it.";

static _Noreturn void memory_exit(void)
{
    (void) fputs("cancelctl: memory could not be had\n", stderr);
    exit(EXIT_CODE_OTHER);
}

/* Whatever is wrong with the words themselves ends the process; without memory argp reads none of them. */
static void words_parse(const struct argp *argp, int argc, char **argv, unsigned flags,
                        struct arguments *arguments)
{
    if (argp_parse(argp, argc, argv, flags, NULL, arguments) != 0) {
        memory_exit();
    }
}

static void top_parse(struct arguments *arguments, int argc, char **argv)
{
    struct argp_rows argp_rows = {.count = 0};
    const struct argp argp = {.options = argp_rows.options,
                              .parser = argument_parse,
                              .args_doc = "COMMAND ...",
                              .doc = doc_top};

    commands_add(&argp_rows);
    options_add(&argp_rows, OPTION_BITS_EVERYWHERE, 2);
    words_parse(&argp, argc, argv, ARGP_IN_ORDER, arguments);
}

static void command_parse(struct arguments *arguments, int argc, char **argv)
{
    static const char *const args_docs[] = {[OPERANDS_NONE] = NULL,
                                            [OPERANDS_KEY] = "KEY",
                                            [OPERANDS_MAY_BE_KEY] = "[KEY]",
                                            [OPERANDS_COMMAND] = "-- COMMAND..."};
    const struct command *command = arguments->command;
    struct argp_rows argp_rows = {.count = 0};
    const struct argp argp = {.options = argp_rows.options,
                              .parser = argument_parse,
                              .args_doc = args_docs[command->operands],
                              .doc = command->doc};
    char program_name[32];

    (void) snprintf(program_name, sizeof program_name, "cancelctl %s", command->name);
    argv[0] = program_name;
    arguments->program_name = program_name;
    options_add(&argp_rows, command->options, 1);
    options_add(&argp_rows, OPTION_BITS_EVERYWHERE, 2);
    words_parse(&argp, argc, argv, command->operands == OPERANDS_COMMAND ? ARGP_IN_ORDER : 0,
                arguments);
    arguments->program_name = NULL;
}

static void server_find(struct arguments *arguments)
{
    const struct server_address_source source = server_address_source_read();

    if (arguments->server_url != NULL) {
        return;
    }
    arguments->server_memory = server_address_default(&source);
    if (arguments->server_memory == NULL) {
        memory_exit();
    }
    if (!value_is_url(arguments->server_memory)) {
        (void) fprintf(stderr, "cancelctl: CANCELD_SERVER=%s: an address is " VALUE_URL_FORMS "\n",
                       arguments->server_memory);
        exit(EXIT_CODE_USAGE);
    }
    arguments->server_url = arguments->server_memory;
}

/* What the way to the daemon needs beside its address. */
static void credentials_find(struct arguments *arguments)
{
    const char *token_file = getenv("CANCELD_TOKEN_FILE");

    if (arguments->token_file == NULL && token_file != NULL && token_file[0] != '\0') {
        arguments->token_file = token_file;
    }
    if (value_is_tls_url(arguments->server_url) && arguments->tls_ca == NULL) {
        (void) fprintf(stderr, "cancelctl: %s: --tls-ca is needed, to know whose daemon to trust\n",
                       arguments->server_url);
        exit(EXIT_CODE_USAGE);
    }
    if (arguments->tls_key != NULL && arguments->tls_cert == NULL) {
        (void) fputs("cancelctl: --tls-key is of no use without --tls-cert\n", stderr);
        exit(EXIT_CODE_USAGE);
    }
}

void arguments_parse(struct arguments *arguments, int argc, char **argv)
{
    *arguments = (struct arguments){
        .level = CANCELD_LEVEL_RECORDED,
        .outcome = CANCELD_OUTCOME_COMPLETED,
        .until = CANCELD_UNTIL_ENDED,
        .grace_ms = GRACE_DEFAULT_MS,
        .signal_number = SIGTERM,
        .interval_ms = INTERVAL_DEFAULT_MS,
    };
    argp_err_exit_status = EXIT_CODE_USAGE;
    argp_program_version = "cancelctl " CANCELD_VERSION;
    top_parse(arguments, argc, argv);
    command_parse(arguments, argc - arguments->command_index, argv + arguments->command_index);
    server_find(arguments);
    credentials_find(arguments);
}

void arguments_fini(struct arguments *arguments)
{
    free(arguments->server_memory);
    arguments->server_memory = NULL;
}
