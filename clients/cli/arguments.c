/* SPDX-License-Identifier: MIT */
/* argp reads the command line twice: up to the command, with the options that every command takes,
 * then what follows, with those of the command as well. The rows that argp needs are made from one
 * table here, and a command names the options it takes by their bits. Every value is looked at by
 * the function of its row, which ends the process through argp_error() where it is wrong. */
#include "arguments.h"

#include "command.h"
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

#define TTL_MS_MIN 100U
#define KEY_BYTES_MAX 256
#define META_BYTES_MAX 1024
#define REASON_BYTES_MAX 256
#define ACTOR_BYTES_MAX 64
/* What a stop takes longer than the grace: the daemon gives up on it only after both. */
#define GRACE_MS_MAX (VALUE_DAY_MS - 2 * VALUE_SECOND_MS)
#define GRACE_DEFAULT_MS 5000U

static const struct value_word policy_words[] = {{"reject", CANCELD_POLICY_REJECT},
                                                 {"supersede", CANCELD_POLICY_SUPERSEDE},
                                                 {"join", CANCELD_POLICY_JOIN},
                                                 {0}};
static const struct value_word ack_words[] = {{"recorded", CANCELD_LEVEL_RECORDED},
                                              {"delivered", CANCELD_LEVEL_DELIVERED},
                                              {"stopped", CANCELD_LEVEL_STOPPED},
                                              {0}};
static const struct value_word outcome_words[] = {{"completed", CANCELD_OUTCOME_COMPLETED},
                                                  {"failed", CANCELD_OUTCOME_FAILED},
                                                  {"cancelled", CANCELD_OUTCOME_CANCELLED},
                                                  {0}};
static const struct value_word until_words[] = {
    {"cancelling", CANCELD_UNTIL_CANCELLING}, {"ended", CANCELD_UNTIL_ENDED}, {0}};
static const struct value_word state_words[] = {{"live", CANCELD_STATE_LIVE},
                                                {"cancelling", CANCELD_STATE_CANCELLING},
                                                {"ended", CANCELD_STATE_ENDED},
                                                {0}};
static const struct value_word no_daemon_words[] = {
    {"fail", NO_DAEMON_FAIL}, {"run", NO_DAEMON_RUN}, {0}};

/* ---- the options ---- */

/* How a value is read, and what kind of field it goes to. */
enum kind {
    KIND_FLAG,      /* bool; takes no value */
    KIND_DURATION,  /* uint32_t, milliseconds of lowest to highest */
    KIND_NUMBER,    /* uint64_t above 0 */
    KIND_WORD,      /* an enum: one of words */
    KIND_TEXT,      /* const char *, highest bytes at most */
    KIND_KEY,       /* the key */
    KIND_URL,       /* const char * */
    KIND_NAMESPACE, /* const char * */
    KIND_SIGNAL     /* int */
};

struct row {
    const char *name;
    const char *value_name;
    const char *doc;
    enum kind kind;
    size_t offset; /* of the field in struct arguments */
    uint64_t lowest;
    uint64_t highest;
    const struct value_word *words;
    const char *wire_field; /* the field of canceld.proto that it sets, where the daemon looks at
                             * the value too */
};

#define FIELD(name) offsetof(struct arguments, name)

/* clang-format off */
static const struct row rows[OPTION_COUNT] = {
    [OPTION_SERVER] = {"server", "URL", "Where the daemon listens (default: see cancelctl --help)",
                       KIND_URL, FIELD(server_url), 0, 0, NULL, NULL},
    [OPTION_NAMESPACE] = {"namespace", "NS", "The namespace of the key", KIND_NAMESPACE,
                          FIELD(name_space), 0, 0, NULL, "namespace"},
    [OPTION_JSON] = {"json", NULL, "Print JSON objects, one a line", KIND_FLAG, FIELD(json),
                     0, 0, NULL, NULL},
    [OPTION_KEY] = {"key", "KEY", "The key of the operation", KIND_KEY, 0, 0, 0, NULL, NULL},
    [OPTION_TTL] = {"ttl", "TIME", "How long it lives; of run: its time limit, at which it is "
                    "cancelled (default: none)", KIND_DURATION, FIELD(ttl_ms), TTL_MS_MIN,
                    VALUE_DAY_MS, NULL, "ttl_ms"},
    [OPTION_POLICY] = {"policy", "POLICY", "What to do where the key has a live operation: reject "
                       "(default), supersede or join", KIND_WORD, FIELD(policy), 0, 0, policy_words,
                       "policy"},
    [OPTION_META] = {"meta", "TEXT", "Kept with the operation and printed by get and list",
                     KIND_TEXT, FIELD(meta), 0, META_BYTES_MAX, NULL, "meta"},
    [OPTION_GEN] = {"gen", "GEN", "This generation alone", KIND_NUMBER, FIELD(gen), 0, 0, NULL,
                    "gen"},
    [OPTION_AFTER_GEN] = {"after-gen", "GEN", "Only generations above this one, which was seen to "
                          "end", KIND_NUMBER, FIELD(after_gen), 0, 0, NULL, "after_gen"},
    [OPTION_REASON] = {"reason", "TEXT", "Why: told to the owner, and to all who ask", KIND_TEXT,
                       FIELD(reason), 0, REASON_BYTES_MAX, NULL, "text"},
    [OPTION_ACTOR] = {"actor", "TEXT", "Who asks for it, in your own words", KIND_TEXT,
                      FIELD(actor), 0, ACTOR_BYTES_MAX, NULL, "actor"},
    [OPTION_ACK] = {"ack", "LEVEL", "What to wait for: recorded (default), delivered or stopped",
                    KIND_WORD, FIELD(level), 0, 0, ack_words, "level"},
    [OPTION_DEADLINE] = {"deadline", "TIME", "How long to wait, 24h at most (default of cancel: "
                         "5s)", KIND_DURATION, FIELD(deadline_ms), 0, VALUE_DAY_MS, NULL,
                         "deadline_ms"},
    [OPTION_ARM] = {"arm", "TIME", "Where there is nothing to cancel: let the key's next operation "
                    "be born cancelled, if it is stored within this time", KIND_DURATION,
                    FIELD(arm_ms), 1, VALUE_DAY_MS, NULL, "arm_ttl_ms"},
    [OPTION_OUTCOME] = {"outcome", "OUTCOME", "completed (default), failed or cancelled",
                        KIND_WORD, FIELD(outcome), 0, 0, outcome_words, "outcome"},
    [OPTION_UNTIL] = {"until", "STATE", "cancelling (or ended), or ended (default)", KIND_WORD,
                      FIELD(until), 0, 0, until_words, "until"},
    [OPTION_STATE] = {"state", "STATE", "live, cancelling or ended (default: live and cancelling)",
                      KIND_WORD, FIELD(state), 0, 0, state_words, "state"},
    [OPTION_OWNER] = {"owner", "SESSION", "Only those that this session owns", KIND_NUMBER,
                      FIELD(owner), 0, 0, NULL, "owner"},
    [OPTION_GRACE] = {"grace", "TIME", "Time between the signal and SIGKILL (default 5s)",
                      KIND_DURATION, FIELD(grace_ms), 0, GRACE_MS_MAX, NULL, "stop_grace_ms"},
    [OPTION_SIGNAL] = {"signal", "SIGNAL", "What to send on a cancel (default TERM)", KIND_SIGNAL,
                       FIELD(signal_number), 0, 0, NULL, NULL},
    [OPTION_NO_DAEMON] = {"no-daemon", "WHAT", "Where no daemon is there: fail (default), or run, "
                          "so that nobody can cancel it", KIND_WORD, FIELD(no_daemon), 0, 0,
                          no_daemon_words, NULL},
};
/* clang-format on */

const char *arguments_option_of_field(const char *field)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (rows[i].wire_field != NULL && strcmp(rows[i].wire_field, field) == 0) {
            return rows[i].name;
        }
    }
    return NULL;
}

/* ---- values ---- */

static void key_take(struct argp_state *state, const char *what, const char *value)
{
    struct arguments *arguments = state->input;

    if (value[0] == '\0' || strlen(value) > KEY_BYTES_MAX) {
        argp_error(state, "%s: a key has 1 to %d bytes, this one has %zu", what, KEY_BYTES_MAX,
                   strlen(value));
    }
    arguments->key = canceld_string(value);
}

static void duration_take(struct argp_state *state, const struct row *row, const char *value,
                          uint32_t *field)
{
    uint64_t ms = 0;

    if (!value_duration(value, &ms)) {
        argp_error(state,
                   "--%s %s: a time is a whole number and its unit, as in 500ms, 5s, 10m or 1h",
                   row->name, value);
    }
    if (ms < row->lowest || ms > row->highest) {
        argp_error(state, "--%s %s: it has to be %u ms at least and 24h at most", row->name, value,
                   (unsigned) row->lowest);
    }
    *field = (uint32_t) ms;
}

static void word_take(struct argp_state *state, const struct row *row, const char *value,
                      int *field)
{
    char known[128] = "";
    size_t size = 0;

    if (value_one_of(row->words, value, field)) {
        return;
    }
    for (const struct value_word *word = row->words; word->word != NULL; word++) {
        int more = snprintf(known + size, sizeof known - size, "%s%s",
                            word == row->words ? "" : ", ", word->word);

        size += more > 0 ? (size_t) more : 0;
    }
    argp_error(state, "--%s %s: it has to be one of %s", row->name, value, known);
}

static void text_take(struct argp_state *state, const struct row *row, const char *value,
                      const char **field)
{
    if (strlen(value) > row->highest) {
        argp_error(state, "--%s: it has %zu bytes, %u are the most", row->name, strlen(value),
                   (unsigned) row->highest);
    }
    *field = value;
}

/* The values that have a form of their own. */
static void form_check(struct argp_state *state, const struct row *row, const char *value)
{
    if (row->kind == KIND_URL && !value_is_url(value)) {
        argp_error(state, "--%s %s: an address is ipc:///path/to/socket or tcp://HOST:PORT",
                   row->name, value);
    }
    if (row->kind == KIND_NAMESPACE && !value_is_namespace(value)) {
        argp_error(state, "--%s %s: a namespace is 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'",
                   row->name, value);
    }
}

static void value_take(struct argp_state *state, const struct row *row, const char *value)
{
    void *field = (char *) state->input + row->offset;

    switch (row->kind) {
    case KIND_FLAG:
        *(bool *) field = true;
        break;
    case KIND_DURATION:
        duration_take(state, row, value, field);
        break;
    case KIND_NUMBER:
        if (!value_number(value, field) || *(uint64_t *) field == 0) {
            argp_error(state, "--%s %s: it has to be a whole number above 0", row->name, value);
        }
        break;
    case KIND_WORD:
        word_take(state, row, value, field);
        break;
    case KIND_TEXT:
        text_take(state, row, value, field);
        break;
    case KIND_KEY:
        key_take(state, "--key", value);
        break;
    case KIND_URL:
    case KIND_NAMESPACE:
        form_check(state, row, value);
        *(const char **) field = value;
        break;
    case KIND_SIGNAL:
        if (!value_signal(value, field)) {
            argp_error(state, "--%s %s: a signal is a name as TERM or SIGTERM, or its number",
                       row->name, value);
        }
        break;
    }
}

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
    } else if (arguments->command->operands == OPERANDS_KEY && arguments->key.size == 0) {
        key_take(state, "KEY", value);
    } else {
        argp_error(state, "%s is one operand too many", value);
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
            argp_error(state, "--%s is needed", rows[i].name);
        }
    }
    if (command->operands == OPERANDS_KEY && arguments->key.size == 0) {
        argp_error(state, "KEY is needed");
    }
    if (command->operands == OPERANDS_COMMAND && arguments->run_argv == NULL) {
        argp_error(state, "COMMAND is needed, after --");
    }
    if ((given & OPTION_BIT(GEN)) != 0 && (given & (OPTION_BIT(ARM) | OPTION_BIT(AFTER_GEN))) != 0) {
        argp_error(state, "--gen names one generation: --%s has no place beside it",
                   (given & OPTION_BIT(ARM)) != 0 ? "arm" : "after-gen");
    }
}

static error_t argument_parse(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;

    if (key >= KEY_OPTIONS && key < KEY_OPTIONS + OPTION_COUNT) {
        value_take(state, &rows[key - KEY_OPTIONS], value);
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
                .name = rows[i].name,
                .key = KEY_OPTIONS + (int) i,
                .arg = rows[i].value_name,
                .doc = rows[i].doc,
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
    "Without --server: the address in CANCELD_SERVER, else ipc:///run/canceld/canceld.sock for "
    "root, else ipc://$XDG_RUNTIME_DIR/canceld.sock, else "
    "ipc://$TMPDIR/canceld-UID/canceld.sock.\n\n"
    "TIME is a whole number and its unit: 500ms, 5s, 10m, 1h. Keys are printed with C escapes; in "
    "JSON they are `key`, or `key_b64` where they are not UTF-8, and generations are strings.\n\n"
    "Exit status:\n"
#define EXIT_CODE_LINE(name, number, text) "  " #number "\t" text "\n"
    EXIT_CODE_TABLE(EXIT_CODE_LINE)
#undef EXIT_CODE_LINE
        "Else that of run is the command's own, or 128 + n where signal n ended it.";

static void top_parse(struct arguments *arguments, int argc, char **argv)
{
    struct argp_rows argp_rows = {.count = 0};
    const struct argp argp = {.options = argp_rows.options,
                              .parser = argument_parse,
                              .args_doc = "COMMAND ...",
                              .doc = doc_top};

    commands_add(&argp_rows);
    options_add(&argp_rows, OPTION_BITS_EVERYWHERE, 2);
    (void) argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, arguments);
}

static void command_parse(struct arguments *arguments, int argc, char **argv)
{
    static const char *const args_docs[] = {
        [OPERANDS_NONE] = NULL, [OPERANDS_KEY] = "KEY", [OPERANDS_COMMAND] = "-- COMMAND..."};
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
    (void) argp_parse(&argp, argc, argv,
                      command->operands == OPERANDS_COMMAND ? ARGP_IN_ORDER : 0, NULL, arguments);
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
        (void) fputs("cancelctl: memory could not be had\n", stderr);
        exit(EXIT_CODE_OTHER);
    }
    if (!value_is_url(arguments->server_memory)) {
        (void) fprintf(stderr,
                       "cancelctl: CANCELD_SERVER=%s: an address is ipc:///path/to/socket or "
                       "tcp://HOST:PORT\n",
                       arguments->server_memory);
        exit(EXIT_CODE_USAGE);
    }
    arguments->server_url = arguments->server_memory;
}

void arguments_parse(struct arguments *arguments, int argc, char **argv)
{
    *arguments = (struct arguments){
        .level = CANCELD_LEVEL_RECORDED,
        .outcome = CANCELD_OUTCOME_COMPLETED,
        .until = CANCELD_UNTIL_ENDED,
        .grace_ms = GRACE_DEFAULT_MS,
        .signal_number = SIGTERM,
    };
    argp_err_exit_status = EXIT_CODE_USAGE;
    argp_program_version = "cancelctl " CANCELD_VERSION;
    top_parse(arguments, argc, argv);
    command_parse(arguments, argc - arguments->command_index, argv + arguments->command_index);
    server_find(arguments);
}

void arguments_fini(struct arguments *arguments)
{
    free(arguments->server_memory);
    arguments->server_memory = NULL;
}
