/* SPDX-License-Identifier: MIT */
#include "option.h"

#include "arguments.h"
#include "value.h"

#include <stdio.h>
#include <string.h>

#define TTL_MS_MIN 100U
#define KEY_BYTES_MAX 256
#define META_BYTES_MAX 1024
#define REASON_BYTES_MAX 256
#define ACTOR_BYTES_MAX 64
#define LABEL_BYTES_MAX 64
#define LIMIT_MAX 1000000
#define INTERVAL_MS_MIN 100U
#define INTERVAL_MS_MAX (60 * VALUE_SECOND_MS)
#define TIMEOUT_MS_MIN 1U
/* What a stop takes longer than the grace: the daemon gives up on it only after both. */
#define GRACE_MS_MAX (VALUE_DAY_MS - 2 * VALUE_SECOND_MS)

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

#define FIELD(name) offsetof(struct arguments, name)

/* clang-format off */
const struct option_row option_rows[OPTION_COUNT] = {
    [OPTION_SERVER] = {"server", "URL", "Where the daemon listens (default: see cancelctl --help)",
                       OPTION_KIND_URL, FIELD(server_url), 0, 0, NULL, NULL},
    [OPTION_NAMESPACE] = {"namespace", "NS", "The namespace of the key", OPTION_KIND_NAMESPACE,
                          FIELD(name_space), 0, 0, NULL, "namespace"},
    [OPTION_JSON] = {"json", NULL, "Print JSON objects, one a line", OPTION_KIND_FLAG, FIELD(json),
                     0, 0, NULL, NULL},
    [OPTION_TOKEN_FILE] = {"token-file", "FILE", "The token that says who you are, alone in this file "
                           "(default: the file that CANCELD_TOKEN_FILE names)", OPTION_KIND_FILE,
                           FIELD(token_file), 0, 0, NULL, NULL},
    [OPTION_TLS_CA] = {"tls-ca", "FILE", "tls+tcp: who may have signed the daemon's certificate (PEM)",
                       OPTION_KIND_FILE, FIELD(tls_ca), 0, 0, NULL, NULL},
    [OPTION_TLS_CERT] = {"tls-cert", "FILE", "tls+tcp: your own certificate (PEM)", OPTION_KIND_FILE,
                         FIELD(tls_cert), 0, 0, NULL, NULL},
    [OPTION_TLS_KEY] = {"tls-key", "FILE", "tls+tcp: its key (default: in the file of --tls-cert)",
                        OPTION_KIND_FILE, FIELD(tls_key), 0, 0, NULL, NULL},
    [OPTION_KEY] = {"key", "KEY", "The key of the operation", OPTION_KIND_KEY, 0, 0, 0, NULL, NULL},
    [OPTION_TTL] = {"ttl", "TIME", "How long it lives; of run: its time limit, at which it is "
                    "cancelled (default: none)", OPTION_KIND_DURATION, FIELD(ttl_ms), TTL_MS_MIN,
                    VALUE_DAY_MS, NULL, "ttl_ms"},
    [OPTION_POLICY] = {"policy", "POLICY", "What to do where the key has a live operation: reject "
                       "(default), supersede or join", OPTION_KIND_WORD, FIELD(policy), 0, 0, policy_words,
                       "policy"},
    [OPTION_META] = {"meta", "TEXT", "Kept with the operation and printed by get and list",
                     OPTION_KIND_TEXT, FIELD(meta), 0, META_BYTES_MAX, NULL, "meta"},
    [OPTION_GEN] = {"gen", "GEN", "This generation alone", OPTION_KIND_NUMBER, FIELD(gen), 0, 0, NULL,
                    "gen"},
    [OPTION_AFTER_GEN] = {"after-gen", "GEN", "Only generations above this one, which was seen to "
                          "end", OPTION_KIND_NUMBER, FIELD(after_gen), 0, 0, NULL, "after_gen"},
    [OPTION_REASON] = {"reason", "TEXT", "Why: told to the owner, and to all who ask", OPTION_KIND_TEXT,
                       FIELD(reason), 0, REASON_BYTES_MAX, NULL, "text"},
    [OPTION_ACTOR] = {"actor", "TEXT", "Who asks for it, in your own words", OPTION_KIND_TEXT,
                      FIELD(actor), 0, ACTOR_BYTES_MAX, NULL, "actor"},
    [OPTION_ACK] = {"ack", "LEVEL", "What to wait for: recorded (default), delivered or stopped",
                    OPTION_KIND_WORD, FIELD(level), 0, 0, ack_words, "level"},
    [OPTION_DEADLINE] = {"deadline", "TIME", "How long to wait, 24h at most (default of cancel: "
                         "5s, of drain: 30s)", OPTION_KIND_DURATION, FIELD(deadline_ms), 0, VALUE_DAY_MS, NULL,
                         "deadline_ms"},
    [OPTION_ARM] = {"arm", "TIME", "Where there is nothing to cancel: let the key's next operation "
                    "be born cancelled, if it is stored within this time", OPTION_KIND_DURATION,
                    FIELD(arm_ms), 1, VALUE_DAY_MS, NULL, "arm_ttl_ms"},
    [OPTION_OUTCOME] = {"outcome", "OUTCOME", "completed (default), failed or cancelled",
                        OPTION_KIND_WORD, FIELD(outcome), 0, 0, outcome_words, "outcome"},
    [OPTION_UNTIL] = {"until", "STATE", "cancelling (or ended), or ended (default)", OPTION_KIND_WORD,
                      FIELD(until), 0, 0, until_words, "until"},
    [OPTION_STATE] = {"state", "STATE", "live, cancelling or ended (default: live and cancelling)",
                      OPTION_KIND_WORD, FIELD(state), 0, 0, state_words, "state"},
    [OPTION_OWNER] = {"owner", "SESSION", "Only those that this session owns", OPTION_KIND_NUMBER,
                      FIELD(owner), 0, 0, NULL, "owner"},
    [OPTION_GRACE] = {"grace", "TIME", "Time between the signal and SIGKILL (default 5s)",
                      OPTION_KIND_DURATION, FIELD(grace_ms), 0, GRACE_MS_MAX, NULL, "stop_grace_ms"},
    [OPTION_SIGNAL] = {"signal", "SIGNAL", "What to send on a cancel (default TERM)", OPTION_KIND_SIGNAL,
                       FIELD(signal_number), 0, 0, NULL, NULL},
    [OPTION_NO_DAEMON] = {"no-daemon", "WHAT", "Where no daemon is there: fail (default), or run, "
                          "so that nobody can cancel it", OPTION_KIND_WORD, FIELD(no_daemon), 0, 0,
                          no_daemon_words, NULL},
    [OPTION_LABEL] = {"label", "LABEL", "A label of the operation, or those that have it; up to 8 of "
                      "them, then those that have all (cancel: one)", OPTION_KIND_LABEL, 0, 0,
                      LABEL_BYTES_MAX, NULL, "labels"},
    [OPTION_PARENT] = {"parent", "GEN", "The operation that this one is a part of: who cancels that one "
                       "cancels this one too", OPTION_KIND_NUMBER, FIELD(parent), 0, 0, NULL, "parent"},
    [OPTION_ADOPT] = {"adopt", "GEN", "Take this operation of the key over instead of storing one",
                      OPTION_KIND_NUMBER, FIELD(adopt), 0, 0, NULL, "gen"},
    [OPTION_SESSION] = {"session", "SESSION", "All operations of this session", OPTION_KIND_NUMBER,
                        FIELD(session), 0, 0, NULL, "owner"},
    [OPTION_ALL] = {"all", NULL, "All operations of the namespace", OPTION_KIND_FLAG,
                    FIELD(whole_namespace), 0, 0, NULL, "whole_namespace"},
    [OPTION_DAEMON] = {"daemon", NULL, "The whole daemon, every namespace of it", OPTION_KIND_FLAG,
                       FIELD(daemon), 0, 0, NULL, "daemon"},
    [OPTION_OLDEST] = {"oldest", NULL, "The oldest first, no more than one page of them",
                       OPTION_KIND_FLAG, FIELD(oldest), 0, 0, NULL, "order"},
    [OPTION_UNACKNOWLEDGED] = {"unacknowledged", NULL, "Those whose owner has not acknowledged their "
                               "cancel, the oldest cancel first, no more than one page of them",
                               OPTION_KIND_FLAG, FIELD(unacknowledged), 0, 0, NULL, "order"},
    [OPTION_LIMIT] = {"limit", "N", "No more than so many lines (default of history: 100)",
                      OPTION_KIND_NUMBER, FIELD(limit), 0, LIMIT_MAX, NULL, "page_size"},
    [OPTION_NO_SNAPSHOT] = {"no-snapshot", NULL, "Print what changes alone, not what is there already",
                            OPTION_KIND_FLAG, FIELD(no_snapshot), 0, 0, NULL, NULL},
    [OPTION_EVENT_COUNT] = {"count", "N", "End after so many events", OPTION_KIND_NUMBER,
                            FIELD(event_count), 0, 0, NULL, NULL},
    [OPTION_TIMEOUT] = {"timeout", "TIME", "End after this time", OPTION_KIND_DURATION,
                        FIELD(timeout_ms), TIMEOUT_MS_MIN, VALUE_DAY_MS, NULL, NULL},
    [OPTION_PROMETHEUS] = {"prometheus", NULL, "In the text format of Prometheus", OPTION_KIND_FLAG,
                           FIELD(prometheus), 0, 0, NULL, NULL},
    [OPTION_ONCE] = {"once", NULL, "Print one picture as plain text, and end", OPTION_KIND_FLAG,
                     FIELD(once), 0, 0, NULL, NULL},
    [OPTION_INTERVAL] = {"interval", "TIME", "How often to ask, 100ms to 60s (default 1s)",
                         OPTION_KIND_DURATION, FIELD(interval_ms), INTERVAL_MS_MIN, INTERVAL_MS_MAX,
                         NULL, NULL},
};
/* clang-format on */

const char *option_of_field(uint64_t options, const char *field)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((options & UINT64_C(1) << i) != 0 && option_rows[i].wire_field != NULL &&
            strcmp(option_rows[i].wire_field, field) == 0) {
            return option_rows[i].name;
        }
    }
    return NULL;
}

/* ---- values ---- */

void option_key_take(struct argp_state *state, const char *what, const char *value)
{
    struct arguments *arguments = state->input;

    if (value[0] == '\0' || strlen(value) > KEY_BYTES_MAX) {
        argp_error(state, "%s: a key has 1 to %d bytes, this one has %zu", what, KEY_BYTES_MAX,
                   strlen(value));
    }
    arguments->key = canceld_string(value);
}

static void duration_take(struct argp_state *state, const struct option_row *row, const char *value,
                          uint32_t *field)
{
    uint64_t ms = 0;

    if (!value_duration(value, &ms)) {
        argp_error(state,
                   "--%s %s: a time is a whole number and its unit, as in 500ms, 5s, 10m or 1h",
                   row->name, value);
    }
    if (ms < row->lowest || ms > row->highest) {
        bool is_short = row->highest < GRACE_MS_MAX;

        argp_error(state, "--%s %s: it has to be %u ms at least and %u%s at most", row->name, value,
                   (unsigned) row->lowest, is_short ? (unsigned) row->highest : 24U,
                   is_short ? " ms" : "h");
    }
    *field = (uint32_t) ms;
}

static void word_take(struct argp_state *state, const struct option_row *row, const char *value,
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

static void text_take(struct argp_state *state, const struct option_row *row, const char *value,
                      const char **field)
{
    if (strlen(value) > row->highest) {
        argp_error(state, "--%s: it has %zu bytes, %u are the most", row->name, strlen(value),
                   (unsigned) row->highest);
    }
    *field = value;
}

static void number_take(struct argp_state *state, const struct option_row *row, const char *value,
                        uint64_t *field)
{
    uint64_t number = 0;

    if (!value_number(value, &number) || number == 0) {
        argp_error(state, "--%s %s: it has to be a whole number above 0", row->name, value);
    }
    if (row->highest > 0 && number > row->highest) {
        argp_error(state, "--%s %s: %u is the most", row->name, value, (unsigned) row->highest);
    }
    *field = number;
}

static void label_take(struct argp_state *state, const struct option_row *row, const char *value)
{
    struct arguments *arguments = state->input;

    if (value[0] == '\0' || strlen(value) > row->highest) {
        argp_error(state, "--%s: a label has 1 to %u bytes, this one has %zu", row->name,
                   (unsigned) row->highest, strlen(value));
    }
    for (size_t i = 0; i < arguments->labels_count; i++) {
        if (strcmp(arguments->labels[i].data, value) == 0) {
            argp_error(state, "--%s %s: it is given twice", row->name, value);
        }
    }
    if (arguments->labels_count == CANCELD_LABELS_MAX) {
        argp_error(state, "--%s %s: %d labels are the most", row->name, value, CANCELD_LABELS_MAX);
    } else {
        arguments->labels[arguments->labels_count++] = canceld_string(value);
    }
}

/* The values that have a form of their own. */
static void form_check(struct argp_state *state, const struct option_row *row, const char *value)
{
    if (row->kind == OPTION_KIND_URL && !value_is_url(value)) {
        argp_error(state, "--%s %s: an address is " VALUE_URL_FORMS, row->name, value);
    }
    if (row->kind == OPTION_KIND_NAMESPACE && !value_is_namespace(value)) {
        argp_error(state, "--%s %s: a namespace is 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'",
                   row->name, value);
    }
    if (row->kind == OPTION_KIND_FILE && value[0] == '\0') {
        argp_error(state, "--%s: the name of a file is needed", row->name);
    }
}

void option_take(struct argp_state *state, const struct option_row *row, const char *value)
{
    void *field = (char *) state->input + row->offset;

    switch (row->kind) {
    case OPTION_KIND_FLAG:
        *(bool *) field = true;
        break;
    case OPTION_KIND_DURATION:
        duration_take(state, row, value, field);
        break;
    case OPTION_KIND_NUMBER:
        number_take(state, row, value, field);
        break;
    case OPTION_KIND_WORD:
        word_take(state, row, value, field);
        break;
    case OPTION_KIND_TEXT:
        text_take(state, row, value, field);
        break;
    case OPTION_KIND_KEY:
        option_key_take(state, "--key", value);
        break;
    case OPTION_KIND_LABEL:
        label_take(state, row, value);
        break;
    case OPTION_KIND_FILE:
    case OPTION_KIND_URL:
    case OPTION_KIND_NAMESPACE:
        form_check(state, row, value);
        *(const char **) field = value;
        break;
    case OPTION_KIND_SIGNAL:
        if (!value_signal(value, field)) {
            argp_error(state, "--%s %s: a signal is a name as TERM or SIGTERM, or its number",
                       row->name, value);
        }
        break;
    }
}
