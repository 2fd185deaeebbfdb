/* SPDX-License-Identifier: MIT */
#include "wire/endpoint_socket.h"

#include "wire/endpoint_kind.h"

#include <errno.h>
#include <nng/nng.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE_DEFAULT 0600u
#define MODE_BITS 0777u

static enum status system_fail(const struct endpoint_url *url, const char *what,
                               char error[ENDPOINT_ERROR_BYTES])
{
    return endpoint_fail(error, STATUS_SYSTEM, "%s: %s: %s", url->text, what, strerror(errno));
}

enum status endpoint_socket_clear(const struct endpoint_url *url,
                                  const struct endpoint_options *options,
                                  char error[ENDPOINT_ERROR_BYTES])
{
    struct stat file;
    if (url->transport != ENDPOINT_IPC || lstat(url->rest, &file) != 0) {
        return STATUS_OK; /* Whatever is wrong with the path, listening will say so. */
    }
    if (!S_ISSOCK(file.st_mode)) {
        return endpoint_fail(error, STATUS_IN_USE, "%s: there is a file that is no socket",
                             url->text);
    }
    if (options->unlink_stale && unlink(url->rest) != 0) {
        return system_fail(url, "the old socket cannot be removed", error);
    }
    return STATUS_OK;
}

static mode_t wanted_mode(const struct endpoint_options *options)
{
    return (mode_t) ((options->ipc_mode != 0 ? options->ipc_mode : MODE_DEFAULT) & MODE_BITS);
}

int endpoint_socket_mode(const struct endpoint_options *options)
{
    return (int) (options->ipc_gid >= 0 ? MODE_DEFAULT : wanted_mode(options));
}

enum status endpoint_socket_grant(const struct endpoint_url *url,
                                  const struct endpoint_options *options,
                                  char error[ENDPOINT_ERROR_BYTES])
{
    if (url->transport != ENDPOINT_IPC || options->ipc_gid < 0) {
        return STATUS_OK;
    }
    if (lchown(url->rest, (uid_t) -1, (gid_t) options->ipc_gid) != 0) {
        return system_fail(url, "the group of the socket cannot be set", error);
    }
    if (chmod(url->rest, wanted_mode(options)) != 0) {
        return system_fail(url, "the mode of the socket cannot be set", error);
    }
    return STATUS_OK;
}

struct failure {
    int nng;
    enum status status;
    const char *text;
};

static const struct failure failures[] = {
    {NNG_EADDRINUSE, STATUS_IN_USE, "somebody listens there already"},
    {NNG_EADDRINVAL, STATUS_INVALID, "no address to listen at"},
    {NNG_ENOMEM, STATUS_NO_MEMORY, "no memory"},
    {NNG_ENOTSUP, STATUS_UNSUPPORTED, "not supported by the NNG in use"},
    {NNG_EPERM, STATUS_SYSTEM, "permission denied"},
    {NNG_ENOENT, STATUS_SYSTEM, "the directory does not exist"},
};

enum status endpoint_nng_fail(const struct endpoint_url *url, int failure,
                              char error[ENDPOINT_ERROR_BYTES])
{
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        if (failures[i].nng == failure) {
            return endpoint_fail(error, failures[i].status, "%s: %s", url->text, failures[i].text);
        }
    }
    return endpoint_fail(error, STATUS_SYSTEM, "%s: %s", url->text, nng_strerror(failure));
}
