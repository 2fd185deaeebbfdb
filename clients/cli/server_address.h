/* SPDX-License-Identifier: MIT */
/* Where the daemon is looked for. */
#ifndef CANCELD_CLI_SERVER_ADDRESS_H
#define CANCELD_CLI_SERVER_ADDRESS_H

#include <stddef.h>

/* What the address comes from. An environment variable that is not set is NULL. */
struct server_address_source {
    const char *canceld_server; /* CANCELD_SERVER */
    const char *runtime_dir;    /* XDG_RUNTIME_DIR */
    const char *tmp_dir;        /* TMPDIR */
    unsigned uid;
};

struct server_address_source server_address_source_read(void);

/* Without --server: CANCELD_SERVER, else where a daemon of the same user listens by default
 * (`canceld --help` says it too): ipc:///run/canceld/canceld.sock for root, else
 * ipc://$XDG_RUNTIME_DIR/canceld.sock, else ipc://$TMPDIR/canceld-UID/canceld.sock. A directory
 * that is not an absolute path counts as not set. The caller's to free; NULL without memory. */
char *server_address_default(const struct server_address_source *source);

#endif
