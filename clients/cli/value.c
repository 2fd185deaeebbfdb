/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <signal.h>
#include <string.h>

#define NAMESPACE_BYTES_MAX 64

static const char digits[] = "0123456789";

/* The number that `text` begins with; gives how many digits it has, 0 where it has none or is too
 * large. */
static size_t number_begin(const char *text, uint64_t *number_out)
{
    size_t size = strspn(text, digits);
    uint64_t number = 0;

    for (size_t i = 0; i < size; i++) {
        uint64_t digit = (uint64_t) (text[i] - '0');

        if (number > (UINT64_MAX - digit) / 10) {
            return 0;
        }
        number = number * 10 + digit;
    }
    *number_out = number;
    return size;
}

bool value_number(const char *text, uint64_t *number_out)
{
    uint64_t number;
    size_t size = number_begin(text, &number);

    if (size == 0 || text[size] != '\0') {
        return false;
    }
    *number_out = number;
    return true;
}

bool value_duration(const char *text, uint64_t *ms_out)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {
        {"ms", 1}, {"s", VALUE_SECOND_MS}, {"m", 60 * VALUE_SECOND_MS}, {"h", VALUE_HOUR_MS}};
    uint64_t number;
    size_t size = number_begin(text, &number);

    if (size == 0) {
        return false;
    }
    if (number == 0 && text[size] == '\0') {
        *ms_out = 0;
        return true;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + size, units[i].name) == 0 && number <= UINT64_MAX / units[i].ms) {
            *ms_out = number * units[i].ms;
            return true;
        }
    }
    return false;
}

bool value_one_of(const struct value_word *words, const char *text, int *number_out)
{
    for (; words->word != NULL; words++) {
        if (strcmp(words->word, text) == 0) {
            *number_out = words->number;
            return true;
        }
    }
    return false;
}

bool value_signal(const char *text, int *signal_out)
{
    const char *name = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;
    uint64_t number;

    if (value_number(text, &number)) {
        if (number < 1 || number > (uint64_t) SIGRTMAX) {
            return false;
        }
        *signal_out = (int) number;
        return true;
    }
    for (int i = 1; i < NSIG; i++) {
        const char *known = sigabbrev_np(i);

        if (known != NULL && strcmp(known, name) == 0) {
            *signal_out = i;
            return true;
        }
    }
    return false;
}

bool value_is_namespace(const char *text)
{
    size_t size = strlen(text);

    return size >= 1 && size <= NAMESPACE_BYTES_MAX &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
               size;
}

bool value_is_tls_url(const char *url)
{
    return strncmp(url, "tls+", 4) == 0;
}

bool value_is_url(const char *text)
{
    const char *tcp = value_is_tls_url(text) ? text + 4 : text;

    return (strncmp(text, "ipc:///", 7) == 0 && text[7] != '\0') ||
           (strncmp(tcp, "tcp://", 6) == 0 && strchr(tcp + 6, ':') != NULL);
}
