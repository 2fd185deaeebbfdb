/* SPDX-License-Identifier: MIT */
#include "server/notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum status notify_send(const char *socket_name, const char *state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t size;
    socklen_t name_size;
    ssize_t sent;
    int saved;
    int fd;

    if (socket_name == NULL || socket_name[0] == '\0') {
        return STATUS_OK;
    }
    size = strlen(socket_name);
    if ((socket_name[0] != '/' && socket_name[0] != '@') || size >= sizeof name.sun_path) {
        return STATUS_INVALID;
    }
    memcpy(name.sun_path, socket_name, size);
    if (socket_name[0] == '@') {
        name.sun_path[0] = '\0'; /* an abstract name begins with a zero and has no terminator */
    }
    name_size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + size);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return STATUS_SYSTEM;
    }
    sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                  (const struct sockaddr *) (const void *) &name, name_size);
    saved = errno;
    (void) close(fd);
    errno = saved;
    return sent < 0 ? STATUS_SYSTEM : STATUS_OK;
}
