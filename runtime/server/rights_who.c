/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"
#include "server/rights.h"
#include "server/setting.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

/* The highest of them is no user: it means "none" to the system. */
#define UID_END UINT32_MAX

static const char *uid_resolve(const char *rest, char who_out[RIGHTS_WHO_BYTES])
{
    uint64_t uid;

    if (!number_read(rest, &uid) || uid >= UID_END) {
        return "a uid is a number below 4294967295";
    }
    (void) snprintf(who_out, RIGHTS_WHO_BYTES, "uid:%" PRIu64, uid);
    return NULL;
}

static const char *user_resolve(const char *rest, char who_out[RIGHTS_WHO_BYTES])
{
    const struct passwd *user = getpwnam(rest);

    if (user == NULL) {
        return "there is no such user";
    }
    (void) snprintf(who_out, RIGHTS_WHO_BYTES, "uid:%ju", (uintmax_t) user->pw_uid);
    return NULL;
}

static const char *token_resolve(const char *rest, char who_out[RIGHTS_WHO_BYTES])
{
    if (!token_name_is_good(rest)) {
        return "a token's name has 1 to 58 letters, digits, and . _ @ -";
    }
    (void) snprintf(who_out, RIGHTS_WHO_BYTES, "token:%s", rest);
    return NULL;
}

/* As the endpoint prints it, so that "::0001" is found as "::1". */
static const char *tcp_resolve(const char *rest, char who_out[RIGHTS_WHO_BYTES])
{
    uint8_t address[sizeof(struct in6_addr)];
    char printed[INET6_ADDRSTRLEN];
    int family = strchr(rest, ':') == NULL ? AF_INET : AF_INET6;

    if (inet_pton(family, rest, address) != 1) {
        return "a TCP peer is an address in numbers, as in tcp:192.0.2.7, without a port";
    }
    (void) snprintf(who_out, RIGHTS_WHO_BYTES, "tcp:%s",
                    inet_ntop(family, address, printed, sizeof printed));
    return NULL;
}

static const char *tls_resolve(const char *rest, char who_out[RIGHTS_WHO_BYTES])
{
    size_t room = CAUSE_PEER_BYTES_MAX - strlen("tls:");

    if (*rest == '\0' || strlen(rest) > room || !utf8_is_text(bytes_of_string(rest))) {
        return "a certificate's name has 1 to 60 bytes of text";
    }
    (void) snprintf(who_out, RIGHTS_WHO_BYTES, "tls:%s", rest);
    return NULL;
}

static const struct {
    const char *prefix;
    bool has_all; /* PREFIX* is somebody */
    const char *(*resolve)(const char *rest, char who_out[RIGHTS_WHO_BYTES]);
} kinds[] = {
    {"uid:", true, uid_resolve}, {"user:", false, user_resolve}, {"token:", true, token_resolve},
    {"tcp:", true, tcp_resolve}, {"tls:", true, tls_resolve},
};

const char *rights_who_resolve(const char *text, char who_out[RIGHTS_WHO_BYTES])
{
    if (strcmp(text, "*") == 0) {
        (void) snprintf(who_out, RIGHTS_WHO_BYTES, "*");
        return NULL;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t size = strlen(kinds[i].prefix);

        if (strncmp(text, kinds[i].prefix, size) != 0) {
            continue;
        }
        if (kinds[i].has_all && strcmp(text + size, "*") == 0) {
            (void) snprintf(who_out, RIGHTS_WHO_BYTES, "%s*", kinds[i].prefix);
            return NULL;
        }
        return kinds[i].resolve(text + size, who_out);
    }
    return "it is none of *, uid:N, user:NAME, token:NAME, tcp:ADDRESS, tls:NAME";
}

bool role_parse(const char *text, uint32_t *role_out)
{
    static const struct {
        const char *text;
        enum role role;
    } roles[] = {{"owner", ROLE_OWNER},
                 {"canceller", ROLE_CANCELLER},
                 {"reader", ROLE_READER},
                 {"admin", ROLE_ADMIN}};

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (strcmp(text, roles[i].text) == 0) {
            *role_out = (uint32_t) roles[i].role;
            return true;
        }
    }
    return false;
}
