/* SPDX-License-Identifier: MIT */
#include "server/setting.h"

#include <grp.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How much of a value stands in a sentence about it. */
#define VALUE_SHOWN 150

bool said_refuse(const struct said *said, struct refusal *refusal, enum refusal_code code,
                 const char *format, ...)
{
    char sentence[sizeof refusal->text];
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    if (said->place.file == NULL) {
        return refuse(refusal, code, "--%s %.*s: %s", said->name, VALUE_SHOWN, said->value,
                      sentence);
    }
    return refuse(refusal, code, "%.*s:%u: %s %.*s: %s", VALUE_SHOWN, said->place.file,
                  said->place.line, said->name, VALUE_SHOWN, said->value, sentence);
}

bool number_read(const char *text, uint64_t *value_out)
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

/* ---- settings that are a field ---- */

static void *field_of(const struct setting *setting, struct options *options)
{
    return (char *) options + setting->offset;
}

static const void *field_in(const struct setting *setting, const struct options *options)
{
    return (const char *) options + setting->offset;
}

static bool number_check(const struct said *said, uint64_t lowest, uint64_t highest,
                         uint64_t *number_out, struct refusal *refusal)
{
    uint64_t number;

    if (!number_read(said->value, &number) || number < lowest || number > highest) {
        return said_refuse(said, refusal, REFUSAL_OPTION,
                           "a whole number of %" PRIu64 " to %" PRIu64 " is needed", lowest,
                           highest);
    }
    *number_out = number;
    return true;
}

static bool number_take(const struct setting *setting, struct draft *draft, const struct said *said)
{
    uint64_t *field = field_of(setting, draft->options);

    return number_check(said, setting->lowest, setting->highest, field, draft->refusal);
}

static bool number_differs(const struct setting *setting, const struct options *a,
                           const struct options *b)
{
    return memcmp(field_in(setting, a), field_in(setting, b), sizeof(uint64_t)) != 0;
}

static bool text_take(const struct setting *setting, struct draft *draft, const struct said *said)
{
    const char **field = field_of(setting, draft->options);

    if (said->value[0] == '\0') {
        return said_refuse(said, draft->refusal, REFUSAL_OPTION, "it is empty");
    }
    *field = said->value;
    return true;
}

static bool text_differs(const struct setting *setting, const struct options *a,
                         const struct options *b)
{
    const char *const *in_a = field_in(setting, a);
    const char *const *in_b = field_in(setting, b);

    if (*in_a == NULL || *in_b == NULL) {
        return *in_a != *in_b;
    }
    return strcmp(*in_a, *in_b) != 0;
}

static bool switch_take(const struct setting *setting, struct draft *draft, const struct said *said)
{
    bool *field = field_of(setting, draft->options);

    *field = strcmp(said->value, "true") == 0;
    return true;
}

static bool switch_differs(const struct setting *setting, const struct options *a,
                           const struct options *b)
{
    return memcmp(field_in(setting, a), field_in(setting, b), sizeof(bool)) != 0;
}

/* ---- settings with a way of their own ---- */

static bool listen_take(const struct setting *setting, struct draft *draft, const struct said *said)
{
    (void) setting;
    if (said->place.file == NULL && draft->listen_count > 0 &&
        draft->listen[0].place.file != NULL) {
        draft->listen_count = 0;
    }
    for (size_t i = 0; i < draft->listen_count; i++) {
        if (strcmp(draft->listen[i].url, said->value) == 0) {
            return refuse(draft->refusal, REFUSAL_OPTION, "--listen %s is given twice",
                          said->value);
        }
    }
    if (draft->listen_count == OPTIONS_ADDRESSES_MAX) {
        return said_refuse(said, draft->refusal, REFUSAL_OPTION, "%d addresses at most",
                           OPTIONS_ADDRESSES_MAX);
    }
    draft->listen[draft->listen_count].url = said->value;
    draft->listen[draft->listen_count].place = said->place;
    draft->listen_count++;
    return true;
}

static bool listen_differs(const struct setting *setting, const struct options *a,
                           const struct options *b)
{
    (void) setting;
    if (a->addresses_count != b->addresses_count) {
        return true;
    }
    for (size_t i = 0; i < a->addresses_count; i++) {
        if (strcmp(a->addresses[i].url, b->addresses[i].url) != 0) {
            return true;
        }
    }
    return false;
}

static bool insecure_tcp_take(const struct setting *setting, struct draft *draft,
                              const struct said *said)
{
    (void) setting;
    draft->insecure_tcp = strcmp(said->value, "true") == 0;
    return true;
}

/* It only lets addresses in, and those are compared themselves. */
static bool never_differs(const struct setting *setting, const struct options *a,
                          const struct options *b)
{
    (void) setting;
    (void) a;
    (void) b;
    return false;
}

static bool ipc_mode_take(const struct setting *setting, struct draft *draft,
                          const struct said *said)
{
    const char *value = said->value;
    size_t size = strlen(value);
    mode_t mode = 0;

    (void) setting;
    if (size < 3 || size > 4 || strspn(value, "01234567") != size || (size == 4 && *value != '0')) {
        return said_refuse(said, draft->refusal, REFUSAL_OPTION,
                           "a mode is octal, 000 to 0777, as in 0660");
    }
    for (; *value != '\0'; value++) {
        mode = mode * 8 + (mode_t) (*value - '0');
    }
    draft->options->access.mode = mode;
    draft->mode_given = true;
    return true;
}

static bool ipc_mode_differs(const struct setting *setting, const struct options *a,
                             const struct options *b)
{
    (void) setting;
    return a->access.mode != b->access.mode;
}

static bool ipc_group_take(const struct setting *setting, struct draft *draft,
                           const struct said *said)
{
    const struct group *group = getgrnam(said->value);
    uint64_t number;

    (void) setting;
    if (group != NULL) {
        draft->options->access.group = group->gr_gid;
    } else if (number_read(said->value, &number) && number < (gid_t) -1) {
        draft->options->access.group = (gid_t) number;
    } else {
        return said_refuse(said, draft->refusal, REFUSAL_OPTION, "there is no such group");
    }
    draft->options->access.has_group = true;
    return true;
}

static bool ipc_group_differs(const struct setting *setting, const struct options *a,
                              const struct options *b)
{
    (void) setting;
    return a->access.has_group != b->access.has_group ||
           (a->access.has_group && a->access.group != b->access.group);
}

static bool sync_take(const struct setting *setting, struct draft *draft, const struct said *said)
{
    (void) setting;
    draft->options->sync_power = strcmp(said->value, "power") == 0;
    return draft->options->sync_power || strcmp(said->value, "process") == 0 ||
           said_refuse(said, draft->refusal, REFUSAL_OPTION, "it is process or power");
}

static bool log_level_take(const struct setting *setting, struct draft *draft,
                           const struct said *said)
{
    (void) setting;
    return log_level_parse(said->value, &draft->options->log_level) ||
           said_refuse(said, draft->refusal, REFUSAL_OPTION,
                       "a level is error, warn, info or debug");
}

static bool log_level_differs(const struct setting *setting, const struct options *a,
                              const struct options *b)
{
    (void) setting;
    return a->log_level != b->log_level;
}

static bool log_format_take(const struct setting *setting, struct draft *draft,
                            const struct said *said)
{
    (void) setting;
    return log_format_parse(said->value, &draft->options->log_format) ||
           said_refuse(said, draft->refusal, REFUSAL_OPTION, "a format is text or json");
}

static bool seccomp_take(const struct setting *setting, struct draft *draft,
                         const struct said *said)
{
    (void) setting;
    return sandbox_mode_parse(said->value, &draft->options->seccomp) ||
           said_refuse(said, draft->refusal, REFUSAL_OPTION, "it is kill, log or off");
}

static bool seccomp_differs(const struct setting *setting, const struct options *a,
                            const struct options *b)
{
    (void) setting;
    return a->seccomp != b->seccomp;
}

static bool log_format_differs(const struct setting *setting, const struct options *a,
                               const struct options *b)
{
    (void) setting;
    return a->log_format != b->log_format;
}

/* ---- the table ---- */

#define FIELD(name) offsetof(struct options, name)
#define TEXT(scope, field) SETTING_TEXT, scope, text_take, text_differs, FIELD(field), 0, 0
#define SWITCH(scope, field) SETTING_SWITCH, scope, switch_take, switch_differs, FIELD(field), 0, 0
#define NUMBER(scope, field, lowest, highest)                                                      \
    SETTING_NUMBER, scope, number_take, number_differs, FIELD(field), lowest, highest
#define OWN(form, name) form, SETTING_START, name##_take, name##_differs, 0, 0, 0

/* clang-format off */
const struct setting settings[] = {
    {"config", "FILE", "Read settings from this file; flags count more. See canceld.conf.example",
     TEXT(SETTING_COMMAND, config)},
    {"check-config", NULL, "Look at flags, configuration file, rules and tokens, and end",
     SWITCH(SETTING_COMMAND, check_config)},
    {"listen", "URL",
     "Listen on ipc:///path/to/socket, tcp://HOST:PORT or tls+tcp://HOST:PORT (port 0: any free one); "
     "may be repeated",
     OWN(SETTING_TEXTS, listen)},
    {"insecure-tcp", NULL,
     "Let --listen name a tcp:// address that other machines can reach: without encryption, and with "
     "no check of who connects",
     SETTING_SWITCH, SETTING_START, insecure_tcp_take, never_differs, 0, 0, 0},
    {"ipc-mode", "MODE", "Mode of the ipc sockets (default 0600, or 0660 with --ipc-group)",
     OWN(SETTING_TEXT, ipc_mode)},
    {"ipc-group", "GROUP", "Group of the ipc sockets", OWN(SETTING_TEXT, ipc_group)},
    {"tls-cert", "FILE", "Certificate of the tls+tcp addresses, and those that signed it: PEM",
     TEXT(SETTING_START, tls.cert)},
    {"tls-key", "FILE", "Its private key: PEM; nobody but its owner and its group may read it",
     TEXT(SETTING_START, tls.key)},
    {"tls-ca", "FILE", "Clients may show a certificate that one of these signed: PEM",
     TEXT(SETTING_START, tls.ca)},
    {"tls-require-client-cert", NULL, "Refuse clients that do not show one",
     SWITCH(SETTING_START, tls.require_client_cert)},
    {"state-dir", "DIR",
     "Where the epoch is kept, so that generations never come again (default: see below), and, if it "
     "is named, the journal, so that no cancel is lost",
     TEXT(SETTING_START, state_dir)},
    {"ephemeral", NULL,
     "Keep no state: the epoch is the minutes since 2026-01-01. A clock that is set back may then "
     "bring generations again, and an old Stop could hit new work",
     SWITCH(SETTING_START, ephemeral)},
    {"sync", "WHAT",
     "What a cancel that was answered survives: process (default), a kill of the daemon; power, a "
     "loss of power too, which costs a flush of the disk for each batch",
     SETTING_TEXT, SETTING_START, sync_take, switch_differs, FIELD(sync_power), 0, 0},
    {"recovery", "MS",
     "How long after a restart the owners of before may come back, in ms (0 to 3600000, default 5000; "
     "0: not at all)",
     NUMBER(SETTING_START, recovery_ms, 0, RECOVERY_MS_MAX)},
    {"history-age", "MS",
     "How long the journal keeps the history of cancels, in ms (1000 to 315360000000, default "
     "604800000: 7 days)",
     NUMBER(SETTING_START, history_age_ms, HISTORY_AGE_MS_MIN, HISTORY_AGE_MS_MAX)},
    {"history-bytes", "N",
     "How large the history may grow (1048576 to 1099511627776, default 268435456)",
     NUMBER(SETTING_START, history_bytes, HISTORY_BYTES_MIN, HISTORY_BYTES_MAX)},
    {"tokens", "FILE", "The tokens that clients may show: a name and a keyed hash a line",
     TEXT(SETTING_RELOAD, tokens)},
    {"tokens-key", "FILE",
     "The key of those hashes, which nobody but its owner may read (default: FILE.key of --tokens)",
     TEXT(SETTING_RELOAD, tokens_key)},
    {"make-token", "NAME",
     "Make a token for NAME, print it once, add its hash to the file of --tokens, and end",
     TEXT(SETTING_COMMAND, make_token)},
    {"seccomp", "MODE",
     "What becomes of a system call that the daemon never makes by itself: kill (default), the end of "
     "the process; log, it is made and the kernel's audit log tells of it; off, it is made",
     OWN(SETTING_TEXT, seccomp)},
    {"dumpable", NULL,
     "Let core files and debuggers have the daemon's memory, with the tokens, keys and reasons in it",
     SWITCH(SETTING_START, dumpable)},
    {"log-level", "LEVEL", "error, warn, info (default) or debug",
     SETTING_TEXT, SETTING_RELOAD, log_level_take, log_level_differs, 0, 0, 0},
    {"log-format", "FORMAT", "text (default) or json, one object a line; to standard error",
     OWN(SETTING_TEXT, log_format)},
};
/* clang-format on */

const size_t settings_count = sizeof settings / sizeof settings[0];

bool setting_take(const struct setting *setting, struct draft *draft, const struct said *said)
{
    return setting->take(setting, draft, said);
}

/* ---- limits ---- */

void limit_flag_name(const struct limit_row *row, char name[SETTING_NAME_BYTES])
{
    int length = snprintf(name, SETTING_NAME_BYTES, "limit-%s", row->name);

    ASSERT(length > 0 && length < SETTING_NAME_BYTES);
    for (; *name != '\0'; name++) {
        *name = *name == '_' ? '-' : *name;
    }
}

bool limit_take(const struct limit_row *row, struct draft *draft, const struct said *said)
{
    return number_check(said, row->lowest, row->highest, limits_field(&draft->options->limits, row),
                        draft->refusal);
}

/* ---- the beginning and the end ---- */

void draft_init(struct draft *draft, const struct environment *environment,
                struct options *options_out, struct refusal *refusal)
{
    *draft = (struct draft){.environment = environment, .options = options_out, .refusal = refusal};
    *options_out = (struct options){
        .access = {.mode = 0600},
        .limits = limits_default(),
        .log_level = LOG_LEVEL_INFO,
        .log_format = LOG_FORMAT_TEXT,
        .seccomp = SANDBOX_KILL,
        .recovery_ms = RECOVERY_MS_DEFAULT,
        .history_age_ms = HISTORY_AGE_MS_DEFAULT,
        .history_bytes = HISTORY_BYTES_DEFAULT,
    };
}

static bool addresses_finish(struct draft *draft)
{
    struct options *options = draft->options;

    for (size_t i = 0; i < draft->listen_count; i++) {
        const struct said said = {
            .place = draft->listen[i].place, .name = "listen", .value = draft->listen[i].url};
        struct refusal reason;

        if (!address_parse(said.value, draft->insecure_tcp, &options->addresses[i], &reason)) {
            return said_refuse(&said, draft->refusal, reason.code, "%s", reason.text);
        }
    }
    options->addresses_count = draft->listen_count;
    if (draft->listen_count == 0) {
        options->addresses_count = 1;
        return address_default(draft->environment, &options->addresses[0], draft->refusal);
    }
    return true;
}

static bool tls_finish(const struct draft *draft)
{
    const struct options_tls *tls = &draft->options->tls;
    bool is_wanted = false;

    for (size_t i = 0; i < draft->options->addresses_count; i++) {
        is_wanted = is_wanted || draft->options->addresses[i].kind == ADDRESS_TLS;
    }
    if (is_wanted && (tls->cert == NULL || tls->key == NULL)) {
        return refuse(draft->refusal, REFUSAL_OPTION,
                      "a tls+tcp address needs --tls-cert and --tls-key");
    }
    if (tls->require_client_cert && tls->ca == NULL) {
        return refuse(draft->refusal, REFUSAL_OPTION,
                      "--tls-require-client-cert needs --tls-ca, to know whose to take");
    }
    return true;
}

bool draft_finish(struct draft *draft)
{
    struct options *options = draft->options;

    if (options->ephemeral && options->state_dir != NULL) {
        return refuse(draft->refusal, REFUSAL_OPTION,
                      "--ephemeral and --state-dir exclude each other");
    }
    if (options->make_token != NULL && options->tokens == NULL) {
        return refuse(draft->refusal, REFUSAL_OPTION,
                      "--make-token needs --tokens, the file where its hash is kept");
    }
    if (options->tokens_key != NULL && options->tokens == NULL) {
        return refuse(draft->refusal, REFUSAL_OPTION, "--tokens-key is of no use without --tokens");
    }
    if (options->access.has_group && !draft->mode_given) {
        options->access.mode = 0660;
    }
    return addresses_finish(draft) && tls_finish(draft);
}
