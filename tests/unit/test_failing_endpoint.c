/* SPDX-License-Identifier: MIT */
/* An endpoint that is opened where the system fails it, at each call in turn: it says why, leaves no socket behind, and
 * the next try works. */
#include "failing_calls.h"
#include "testing.h"
#include "wire/endpoint.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct actor_system *rig_system;
static struct actor_loop *loop;
static struct limits limits;
static char error[ENDPOINT_ERROR_BYTES];
static char url[ENDPOINT_URL_BYTES];

static bool refuse(void *context, uint64_t link, struct bytes peer)
{
    (void) context;
    (void) link;
    (void) peer;
    return false;
}

static const struct endpoint_handler handler = {.link_up = refuse};

static void begin(void)
{
    const struct actor_options options = {.actors_max = 10, .mailbox_max = 10};

    rig_system = actor_system_new(&options);
    CHECK(rig_system != NULL);
    loop = actor_loop_new(rig_system, "owner");
    CHECK(loop != NULL);
    limits = limits_default();
    error[0] = '\0';
}

static void end(void)
{
    actor_loop_stop(loop, false);
    actor_system_free(rig_system);
}

static const char *path(void)
{
    return url + strlen("ipc://");
}

/* What a daemon that was killed leaves. */
static void make_stale(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    CHECK_GE(fd, 0);
    CHECK_LT(strlen(path()), sizeof address.sun_path);
    memcpy(address.sun_path, path(), strlen(path()) + 1);
    CHECK_EQ(bind(fd, (const struct sockaddr *) &address, sizeof address), 0);
    (void) close(fd);
}

/* Opens it and ends it again. */
static enum status open_once(int64_t gid)
{
    const struct endpoint_options options = {
        .url = url, .ipc_gid = gid, .ipc_mode = 0640, .limits = &limits};
    struct endpoint *endpoint = NULL;
    enum status status;

    begin();
    status = endpoint_open(loop, &options, &handler, &endpoint, error);
    (void) failing_disarm();
    CHECK_EQ(status == STATUS_OK, endpoint != NULL);
    end();
    endpoint_free(endpoint);
    return status;
}

/* How often it was refused. */
static unsigned fail_each(bool is_ipc)
{
    unsigned refused = 0;

    for (int call = 0; call < FAILING_CALL_END; call++) {
        bool has_failed = true;

        for (uint32_t nth = 1; has_failed; nth++) {
            enum status status;

            if (is_ipc) {
                make_stale();
            }
            failing_arm((enum failing_call) call, nth);
            status = open_once((int64_t) getegid());
            has_failed = failing_disarm();
            CHECK(status == STATUS_OK || has_failed);
            CHECK_EQ(status == STATUS_OK, error[0] == '\0');
            CHECK_NE(status, STATUS_INVALID); /* nothing is wrong with the address */
            refused += status == STATUS_OK ? 0 : 1;
            if (is_ipc) {
                (void) unlink(path()); /* a stale one may be what could not be removed */
            }
            CHECK_EQ(open_once((int64_t) getegid()), STATUS_OK);
            CHECK(!is_ipc || access(path(), F_OK) != 0);
        }
    }
    return refused;
}

static void a_local_socket(void)
{
    (void) snprintf(url, sizeof url, "ipc://%s/s", test_directory());
    CHECK_GT(fail_each(true), 4);
}

static void a_port(void)
{
    (void) snprintf(url, sizeof url, "tcp://127.0.0.1:0");
    CHECK_GT(fail_each(false), 2);
}

static void a_port_in_brackets(void)
{
    (void) snprintf(url, sizeof url, "tcp://[::1]:0");
    if (open_once(-1) != STATUS_OK) {
        (void) printf("  left out: %s\n", error); /* a machine without IPv6 */
        return;
    }
    CHECK_GT(fail_each(false), 2);
}

static const struct test_case cases[] = {
    {"a local socket that cannot be had leaves nothing behind", a_local_socket, 0},
    {"a port that cannot be had leaves nothing behind", a_port, 0},
    {"nor does one of IPv6", a_port_in_brackets, 0},
};

TEST_MAIN(cases)
