/* SPDX-License-Identifier: MIT */
/* Everything that can be set, in one table: a row is a flag of the command line and, by the same
 * name with underscores, a setting of the configuration file. Limits have a table of their own in
 * base/limits.h. */
#ifndef CANCELD_SERVER_SETTING_H
#define CANCELD_SERVER_SETTING_H

#include "server/options.h"

#define SETTING_NAME_BYTES 64

/* Where a value stands. */
struct place {
    const char *file; /* NULL: on the command line */
    unsigned line;
};

/* What a value is in the configuration file. */
enum setting_form {
    SETTING_TEXT,
    SETTING_TEXTS, /* one, or a list of them */
    SETTING_NUMBER,
    SETTING_SWITCH, /* true or false; a flag without a value */
};

/* How it gets into the options, and when a changed one counts. */
enum setting_scope {
    SETTING_COMMAND, /* on the command line alone */
    SETTING_START,   /* a change needs a restart */
    SETTING_RELOAD,  /* a reload takes it over */
};

/* Options that are being put together. Zeroed but for the first three. */
struct draft {
    const struct environment *environment;
    struct options *options;
    struct refusal *refusal;
    struct {
        const char *url;
        struct place place;
    } listen[OPTIONS_ADDRESSES_MAX];
    size_t listen_count;
    bool insecure_tcp;
    bool mode_given;
};

/* A value and what it is called there, for sentences. */
struct said {
    struct place place;
    const char *name; /* as it stands there */
    const char *value;
};

struct setting {
    const char *name;       /* of the flag */
    const char *value_name; /* NULL: SETTING_SWITCH */
    const char *doc;
    enum setting_form form;
    enum setting_scope scope;
    bool (*take)(const struct setting *setting, struct draft *draft, const struct said *said);
    bool (*differs)(const struct setting *setting, const struct options *a,
                    const struct options *b);
    size_t offset; /* of its field in struct options; for the takes that are not its own */
    uint64_t lowest;
    uint64_t highest;
};

extern const struct setting settings[];
extern const size_t settings_count;

/* Every field at its default. */
void draft_init(struct draft *draft, const struct environment *environment,
                struct options *options_out, struct refusal *refusal);

/* Takes a value; a switch is "true" or "false". One from the command line takes the place of the
 * file's. The text stays borrowed. */
MUST_CHECK bool setting_take(const struct setting *setting, struct draft *draft,
                             const struct said *said);
MUST_CHECK bool limit_take(const struct limit_row *row, struct draft *draft,
                           const struct said *said);

/* Refuses in the words "WHERE NAME VALUE: sentence". */
__attribute__((format(printf, 4, 5))) bool said_refuse(const struct said *said,
                                                       struct refusal *refusal,
                                                       enum refusal_code code, const char *format,
                                                       ...);

/* What can only be said when every value is known: the addresses, and what excludes what. */
MUST_CHECK bool draft_finish(struct draft *draft);

/* Digits alone, without sign, space or overflow: what strtoull would wave through is refused. */
MUST_CHECK bool number_read(const char *text, uint64_t *value_out);

/* limit_rows[i].name with dashes, behind "limit-". */
void limit_flag_name(const struct limit_row *row, char name[SETTING_NAME_BYTES]);

#endif
