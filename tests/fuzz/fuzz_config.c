/* SPDX-License-Identifier: MIT */
/* For libFuzzer: the daemon's command line, a word on each line, and behind an empty line its configuration
 * file. Either is refused with a sentence, or all that came of it is within its bounds. No name is looked up:
 * the system's answers are made up. */
#include "fuzz_text.h"
#include "server/config_file.h"
#include "server/options.h"
#include "server/rights_load.h"
#include "testing.h"

#include <argp.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libconfig does not free a text that a syntax error stands right behind: not ours to mend. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so\n";
}

/* ---- the system ---- */

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found_out);
void __wrap_freeaddrinfo(struct addrinfo *found);
struct group *__wrap_getgrnam(const char *name);
struct passwd *__wrap_getpwnam(const char *name);
void __wrap_argp_state_help(const struct argp_state *state, FILE *stream, unsigned flags);

/* By its first character. */
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found_out)
{
    static struct sockaddr_in address = {.sin_family = AF_INET};
    static struct addrinfo info;
    (void) service;
    (void) hints;
    if (host[0] == 'x') {
        return EAI_NONAME;
    }
    address.sin_addr.s_addr = htonl(host[0] == 'r' ? 0xc0000201 : INADDR_LOOPBACK);
    info = (struct addrinfo){.ai_family = AF_INET,
                             .ai_addrlen = sizeof address,
                             .ai_addr = (struct sockaddr *) (void *) &address};
    *found_out = &info;
    return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *found)
{
    CHECK(found != NULL);
}

struct group *__wrap_getgrnam(const char *name)
{
    static struct group group = {.gr_gid = 100};
    return name[0] == 'x' ? NULL : &group;
}

struct passwd *__wrap_getpwnam(const char *name)
{
    static struct passwd user = {.pw_uid = 1000};
    return name[0] == 'x' ? NULL : &user;
}

void __wrap_argp_state_help(const struct argp_state *state, FILE *stream, unsigned flags)
{
    (void) state;
    (void) stream;
    (void) flags;
}

/* ---- what came of it ---- */

static void check_options(const struct options *options)
{
    CHECK(options->addresses_count >= 1 && options->addresses_count <= OPTIONS_ADDRESSES_MAX);
    for (size_t i = 0; i < options->addresses_count; i++) {
        CHECK_LE(strlen(options->addresses[i].url), ADDRESS_URL_BYTES_MAX);
        CHECK_LT(options->addresses[i].rest, strlen(options->addresses[i].url));
    }
    struct limits limits = options->limits;
    for (size_t i = 0; i < limit_rows_count; i++) {
        const uint64_t value = *limits_field(&limits, &limit_rows[i]);
        CHECK(value >= limit_rows[i].lowest && value <= limit_rows[i].highest);
    }
    CHECK_LE(options->recovery_ms, RECOVERY_MS_MAX);
    CHECK_LE(options->access.mode, 0777);
}

static void check_rights(const struct options *options)
{
    static const char *const names[] = {"uid:1000", "token:ci", "tls:a", "tcp:127.0.0.1", ""};
    static const char *const spaces[] = {"a", "builds", "*"};
    struct rights *rights = NULL;
    struct refusal refusal = {.code = REFUSAL_NONE};
    if (!rights_load(options, &rights, &refusal)) {
        CHECK(refusal.code != REFUSAL_NONE && refusal.text[0] != '\0');
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const uint32_t principal = rights_principal(rights, bytes_of_string(names[i]));
        for (size_t j = 0; j < sizeof spaces / sizeof spaces[0]; j++) {
            const struct bytes space = bytes_of_string(spaces[j]);
            struct space_limits limits = {.operations = 1, .operations_session = 1};
            const uint32_t roles = rights_roles(rights, principal, space);
            CHECK_EQ(roles & ~(uint32_t) ROLES_ALL, 0);
            CHECK(!rights_are_off(rights) || roles == ROLES_ALL);
            rights_space_limits(rights, space, &limits);
        }
    }
    rights_free(rights);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct environment environment = {.runtime_dir = "/run/user/1000", .uid = 1000};
    static char program[] = "canceld";
    static char config_flag[] = "--config";
    static char config_path[] = "FUZZ";
    char *words[WORDS_MAX + 4] = {program, config_flag, config_path};
    char *text = fuzz_text_of(data, size);
    struct options options;
    struct refusal refusal = {.code = REFUSAL_NONE};
    const int count = 3 + (int) fuzz_text_section(&text, words + 3, WORDS_MAX);
    fuzz_text_file(text);
    const enum options_end end = options_parse(count, words, &environment, &options, &refusal);
    CHECK_EQ(end == OPTIONS_REFUSED, refusal.code != REFUSAL_NONE);
    if (end == OPTIONS_RUN) {
        check_options(&options);
        check_rights(&options);
        options_fini(&options);
    }
    return 0;
}
