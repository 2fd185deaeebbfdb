/* SPDX-License-Identifier: MIT */
#include "server/tls_files.h"

#include "server/config_text.h"

#include <stdlib.h>
#include <string.h>

#define PEM_BYTES_MAX ((size_t) 1048576)

static bool pem_read(const char *path, mode_t forbidden, char **pem_out, struct refusal *refusal)
{
    return path == NULL || text_file_read(path, PEM_BYTES_MAX, forbidden, pem_out, refusal);
}

static bool files_check(const struct tls_files *files, struct refusal *refusal)
{
    char error[ENDPOINT_ERROR_BYTES] = "";

    return files->cert == NULL || files->key == NULL ||
           endpoint_tls_check(&files->tls, error) == STATUS_OK ||
           refuse(refusal, REFUSAL_FILE, "%s", error);
}

bool tls_files_read(const struct options_tls *options, struct tls_files *files_out,
                    struct refusal *refusal)
{
    struct tls_files files = {.cert = NULL};
    bool is_good = pem_read(options->cert, TEXT_FILE_PUBLIC, &files.cert, refusal) &&
                   pem_read(options->key, TEXT_FILE_SHARED, &files.key, refusal) &&
                   pem_read(options->ca, TEXT_FILE_PUBLIC, &files.ca, refusal);

    files.tls = (struct endpoint_tls){.cert = files.cert,
                                      .key = files.key,
                                      .ca = files.ca,
                                      .require_client_cert = options->require_client_cert};
    if (!is_good || !files_check(&files, refusal)) {
        tls_files_fini(&files);
        return false;
    }
    *files_out = files;
    return true;
}

const struct endpoint_tls *tls_files_endpoint(const struct tls_files *files)
{
    return files->cert == NULL || files->key == NULL ? NULL : &files->tls;
}

void tls_files_fini(struct tls_files *files)
{
    if (files->key != NULL) {
        explicit_bzero(files->key, strlen(files->key));
    }
    free(files->cert);
    free(files->key);
    free(files->ca);
    *files = (struct tls_files){.cert = NULL};
}
