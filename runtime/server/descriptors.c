/* SPDX-License-Identifier: MIT */
#include "server/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

bool descriptors_fill_standard(void)
{
    int fd;

    /* open() gives the lowest number that is free, so the first above them says that all are taken. */
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    return fd >= 0 && close(fd) == 0;
}

bool descriptors_raise(uint64_t *descriptors_out, struct refusal *refusal)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return refuse(refusal, REFUSAL_SYSTEM, "cannot read the limit of descriptors: %s",
                      strerror(errno));
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return refuse(refusal, REFUSAL_SYSTEM, "cannot raise the limit of descriptors: %s",
                      strerror(errno));
    }
    *descriptors_out = limit.rlim_cur;
    return true;
}

bool descriptors_fit(uint64_t descriptors, uint64_t wanted, uint64_t *connections_out,
                     struct refusal *refusal)
{
    if (descriptors <= DESCRIPTORS_RESERVED) {
        return refuse(refusal, REFUSAL_DESCRIPTORS,
                      "the process may have %ju descriptors, which leaves none for connections: "
                      "more than %d are needed (ulimit -Hn)",
                      (uintmax_t) descriptors, DESCRIPTORS_RESERVED);
    }
    descriptors -= DESCRIPTORS_RESERVED;
    *connections_out = wanted < descriptors ? wanted : descriptors;
    return true;
}
