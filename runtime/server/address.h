/* SPDX-License-Identifier: MIT */
/* Where the daemon listens: the URLs of --listen, checked before anything is opened. */
#ifndef CANCELD_SERVER_ADDRESS_H
#define CANCELD_SERVER_ADDRESS_H

#include "base/check.h"
#include "server/environment.h"
#include "server/refusal.h"

#include <stdbool.h>
#include <stddef.h>

/* What fits into a struct sockaddr_un beside its terminator. */
#define ADDRESS_PATH_BYTES_MAX 107
#define ADDRESS_URL_BYTES_MAX 159

enum address_kind { ADDRESS_IPC, ADDRESS_TCP, ADDRESS_TLS };

/* Who has to make the directory of a socket. */
enum address_directory {
    ADDRESS_DIRECTORY_THEIRS, /* whoever chose the path */
    ADDRESS_DIRECTORY_SYSTEM, /* the daemon, as root: mode 0755 */
    ADDRESS_DIRECTORY_PRIVATE /* the daemon, as a user, in the temporary directory: mode 0700 */
};

struct address {
    enum address_kind kind;
    enum address_directory directory;
    char url[ADDRESS_URL_BYTES_MAX + 1];
    size_t rest; /* where in url the path begins, or host and port */
};

/* ipc:///absolute/path or tcp://host:port, either with rep+ before it (see wire/endpoint.h), or
 * tls+tcp://host:port. Without TLS any host but a loopback one is refused unless `insecure_tcp`; a
 * host that is a name is looked up for that, which may take the resolver's time. The sentence of a
 * refusal does not repeat the URL. */
MUST_CHECK bool address_parse(const char *url, bool insecure_tcp, struct address *address_out,
                              struct refusal *refusal);

/* Where to listen without --listen: /run/canceld/canceld.sock for root, else
 * $XDG_RUNTIME_DIR/canceld.sock, else canceld-UID/canceld.sock in the temporary directory. */
MUST_CHECK bool address_default(const struct environment *environment, struct address *address_out,
                                struct refusal *refusal);

/* The path of an ADDRESS_IPC. */
const char *address_path(const struct address *address);

#endif
