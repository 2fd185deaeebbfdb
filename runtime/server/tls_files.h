/* SPDX-License-Identifier: MIT */
/* What the options name for TLS, read. The key is wiped when it is given back. */
#ifndef CANCELD_SERVER_TLS_FILES_H
#define CANCELD_SERVER_TLS_FILES_H

#include "base/check.h"
#include "server/options.h"
#include "wire/endpoint.h"

#include <stdbool.h>

struct tls_files {
    char *cert;
    char *key;
    char *ca;
    struct endpoint_tls tls; /* of these */
};

/* Reads the files and has the endpoint look at them. Those that are not named are left out; without a
 * certificate there is nothing to look at. On refusal nothing is held. */
MUST_CHECK bool tls_files_read(const struct options_tls *options, struct tls_files *files_out,
                               struct refusal *refusal);

/* What the endpoint is to be given; NULL where there is no certificate. */
const struct endpoint_tls *tls_files_endpoint(const struct tls_files *files);

/* Takes one that is all zero. */
void tls_files_fini(struct tls_files *files);

#endif
