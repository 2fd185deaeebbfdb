/* SPDX-License-Identifier: MIT */
#include "alarm.h"

#include <limits.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)

bool alarm_init(struct alarm *alarm)
{
    alarm->asleep = false;
    alarm->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return alarm->fd >= 0;
}

void alarm_fini(struct alarm *alarm)
{
    if (alarm->fd >= 0)
        (void) close(alarm->fd);
    alarm->fd = -1;
}

void alarm_ring(struct alarm *alarm)
{
    const uint64_t one = 1;
    ssize_t written = 0;

    if (!alarm->asleep)
        return;
    alarm->asleep = false;
    written = write(alarm->fd, &one, sizeof one);
    ASSERT(written ==
           (ssize_t) sizeof one); /* it is read before the next ring, so it cannot be full */
}

static int timeout_ms(uint64_t now_ns, uint64_t until_ns)
{
    uint64_t ms = 0;

    if (until_ns == UINT64_MAX)
        return -1;
    if (until_ns > now_ns)
        ms = (until_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
    return ms < INT_MAX ? (int) ms : INT_MAX;
}

void alarm_wait(struct alarm *alarm, pthread_mutex_t *mutex, uint64_t now_ns, uint64_t until_ns,
                struct pollfd *ready)
{
    struct pollfd fds[2] = {{.fd = alarm->fd, .events = POLLIN}, *ready};
    uint64_t rings = 0;

    alarm->asleep = true;
    (void) pthread_mutex_unlock(mutex);
    /* An error is a signal, or none that waiting would mend: the caller looks at everything and comes again. */
    if (poll(fds, 2, timeout_ms(now_ns, until_ns)) <= 0)
        fds[1].revents = 0;
    (void) pthread_mutex_lock(mutex);
    ready->revents = fds[1].revents;
    if (!alarm->asleep)
        (void) !read(alarm->fd, &rings, sizeof rings);
    alarm->asleep = false;
}
