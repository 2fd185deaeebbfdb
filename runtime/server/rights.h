/* SPDX-License-Identifier: MIT */
/* Who may do what in which namespace, what namespaces are bounded by, and the tokens: all that a
 * reload exchanges, as one thing that never changes once it is made.
 *
 * A rule gives somebody roles in one namespace, or in all of them. Somebody is:
 *
 *     *                everybody
 *     uid:1000  uid:*  by the system's word for the peer of an ipc socket; user:NAME is its uid
 *     token:ci  token:*
 *     tcp:192.0.2.7  tcp:*
 *     tls:NAME         by the name in a client's certificate, where this NNG can tell it
 *     tls:verified     any client with a certificate that our CA signed
 *     tls:*            anybody by TLS, with a certificate or without: tls:anonymous
 *
 * What applies to somebody adds up: "tls:NAME", "tls:verified", "tls:*" and "*" all give their roles.
 * There is no rule that takes away, but one way out: to whoever came by a token whose name stands on
 * no line any more, no rule applies. Without any rule rights are off: all may do all.
 *
 * To be asked for each op: no allocation, one search by name for a principal, one by namespace for
 * each of the at most four groups of rules that apply. Any thread, one at a time. */
#ifndef CANCELD_SERVER_RIGHTS_H
#define CANCELD_SERVER_RIGHTS_H

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "registry/registry.h"
#include "server/refusal.h"
#include "server/tokens.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rights;

/* Longest text of a `who`, terminator included. */
#define RIGHTS_WHO_BYTES (CAUSE_PEER_BYTES_MAX + 1)

struct rights_rule {
    char who[RIGHTS_WHO_BYTES]; /* as rights_who_resolve() writes it */
    const char *space;          /* a namespace, or "*"; borrowed */
    uint32_t roles;             /* a set of enum role */
};

struct rights_space {
    const char *space;          /* borrowed */
    unsigned line;              /* where it was said, for sentences */
    struct space_limits limits; /* UINT64_MAX: as everywhere else */
};

/* The arrays are sorted, and borrowed for the call. */
struct rights_config {
    struct rights_rule *rules;
    size_t rules_count;
    struct rights_space *spaces; /* none twice */
    size_t spaces_count;
    struct tokens *tokens; /* the rights' own from then on; NULL: there are none */
};

/* NULL where there is no memory; the tokens are the caller's then. */
struct rights *rights_new(const struct rights_config *config);

/* Takes NULL. */
void rights_free(struct rights *rights);

/* Brings a `who` into the form in which peers are named: "user:alice" is "uid:1000". NULL, or why it is
 * none: a clause, in static storage. May look up a user; main thread. */
MUST_CHECK const char *rights_who_resolve(const char *text, char who_out[RIGHTS_WHO_BYTES]);

/* "owner" gives ROLE_OWNER. */
MUST_CHECK bool role_parse(const char *text, uint32_t *role_out);

bool rights_are_off(const struct rights *rights);

/* "3 rules, 1 bounded namespace, 2 tokens", for people. */
#define RIGHTS_TEXT_BYTES 128
void rights_describe(const struct rights *rights, char text_out[RIGHTS_TEXT_BYTES]);

/* ---- as struct registry_port has them ---- */

/* A number for whoever has this name, also where no rule names it; good for this struct rights. */
uint32_t rights_principal(const struct rights *rights, struct bytes name);

/* The set of roles; ROLES_ALL where ROLE_ADMIN is among them. `space` "*": what rules of "*" give. */
uint32_t rights_roles(const struct rights *rights, uint32_t principal, struct bytes space);

size_t rights_token(const struct rights *rights, struct bytes token,
                    uint8_t name_out[CAUSE_PEER_BYTES_MAX]);

/* Puts the bounds that this namespace has of its own in place of those in *limits. */
void rights_space_limits(const struct rights *rights, struct bytes space,
                         struct space_limits *limits);

#endif
