/* SPDX-License-Identifier: MIT */
/* The values of options, read strictly: what is not wholly a value is none. On false nothing was
 * written. */
#ifndef CANCELD_CLI_VALUE_H
#define CANCELD_CLI_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_SECOND_MS UINT64_C(1000)
#define VALUE_HOUR_MS (3600 * VALUE_SECOND_MS)
#define VALUE_DAY_MS (24 * VALUE_HOUR_MS)

/* Decimal digits alone. */
bool value_number(const char *text, uint64_t *number_out);

/* 500ms 5s 10m 1h, or 0: a whole number and its unit. */
bool value_duration(const char *text, uint64_t *ms_out);

/* A word that stands for a number. */
struct value_word {
    const char *word;
    int number;
};

/* `words` ends with a row without a word. */
bool value_one_of(const struct value_word *words, const char *text, int *number_out);

/* TERM, SIGTERM or 15. */
bool value_signal(const char *text, int *signal_out);

/* 1 to 64 bytes of [A-Za-z0-9._-]. */
bool value_is_namespace(const char *text);

/* What value_is_url() takes, for people. */
#define VALUE_URL_FORMS "ipc:///path/to/socket, tcp://HOST:PORT or tls+tcp://HOST:PORT"

/* One of these, by its beginning; the client library looks at the rest. */
bool value_is_url(const char *text);

/* Whether such an address asks for TLS. */
bool value_is_tls_url(const char *url);

#endif
