/* SPDX-License-Identifier: MIT */
/* What the daemon does to the file system and says to the outside before and while it serves. */
#include "server/clean_stop.h"
#include "server/descriptors.h"
#include "server/directory.h"
#include "server/notify.h"
#include "server/socket_file.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct refusal refusal;

static struct address address_of(const char *path)
{
    struct address address;
    char url[700];

    (void) snprintf(url, sizeof url, "ipc://%s", path);
    CHECK(address_parse(url, false, &address, &refusal));
    return address;
}

/* A listening socket of anybody's; -1 closes nothing. */
static int listen_at(const char *path, int type)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type, 0);

    CHECK_GE(fd, 0);
    CHECK_LT(strlen(path), sizeof name.sun_path);
    memcpy(name.sun_path, path, strlen(path) + 1);
    CHECK_EQ(bind(fd, (const struct sockaddr *) (const void *) &name, sizeof name), 0);
    if (type == SOCK_STREAM) {
        CHECK_EQ(listen(fd, 4), 0);
    }
    return fd;
}

static void touch(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    CHECK_GE(fd, 0);
    (void) close(fd);
}

static mode_t mode_of(const char *path)
{
    struct stat found;

    CHECK_EQ(lstat(path, &found), 0);
    return found.st_mode & 07777;
}

static bool is_there(const char *path)
{
    struct stat found;

    return lstat(path, &found) == 0;
}

static void check_refused(bool is_good, enum refusal_code code, const char *word)
{
    CHECK(!is_good);
    CHECK_STR_EQ(refusal_name(refusal.code), refusal_name(code));
    if (strstr(refusal.text, word) == NULL) {
        (void) fprintf(stderr, "%s\n", refusal.text);
        CHECK(false);
    }
}

/* ---- socket files ---- */

static void a_second_claim_is_refused_and_disturbs_nothing(void)
{
    struct address address = address_of(test_path("s"));
    struct socket_file first;
    struct socket_file second;
    char process[32];
    int fd;

    CHECK(socket_file_claim(&first, &address, &refusal));
    fd = listen_at(test_path("s"), SOCK_STREAM);
    (void) snprintf(process, sizeof process, "process %jd", (intmax_t) getpid());
    check_refused(socket_file_claim(&second, &address, &refusal), REFUSAL_ADDRESS_IN_USE, process);
    CHECK(is_there(test_path("s")));
    CHECK_EQ(mode_of(test_path("s.lock")), 0600);
    socket_file_made(&first);
    socket_file_release(&first);
    CHECK(!is_there(test_path("s")));
    (void) close(fd);
    CHECK(socket_file_claim(&second, &address, &refusal));
    socket_file_release(&second);
}

static void the_lock_of_a_dead_process_is_free_and_its_socket_is_removed(void)
{
    struct address address = address_of(test_path("s"));
    struct socket_file file;
    int status;
    pid_t child = fork();

    CHECK_GE(child, 0);
    if (child == 0) {
        CHECK(socket_file_claim(&file, &address, &refusal));
        (void) listen_at(test_path("s"), SOCK_STREAM);
        _exit(0); /* without a release, as after a kill -9 */
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK(is_there(test_path("s")));
    CHECK(socket_file_claim(&file, &address, &refusal));
    CHECK(!is_there(test_path("s")));
    socket_file_release(&file);
}

static void a_stranger_that_listens_is_left_alone(void)
{
    struct address address = address_of(test_path("s"));
    struct socket_file file;
    int fd = listen_at(test_path("s"), SOCK_STREAM);
    int again;

    check_refused(socket_file_claim(&file, &address, &refusal), REFUSAL_ADDRESS_IN_USE, "listens");
    CHECK(is_there(test_path("s")));
    (void) close(fd);
    /* the refused claim has let go of the lock */
    CHECK(socket_file_claim(&file, &address, &refusal));
    again = listen_at(test_path("s"), SOCK_DGRAM);
    socket_file_release(&file);
    check_refused(socket_file_claim(&file, &address, &refusal), REFUSAL_ADDRESS_IN_USE, "listens");
    (void) close(again);
}

static void what_is_no_socket_is_never_removed(void)
{
    struct address address = address_of(test_path("s"));
    struct socket_file file;

    touch(test_path("s"));
    check_refused(socket_file_claim(&file, &address, &refusal), REFUSAL_ADDRESS_IN_USE,
                  "no socket");
    CHECK(is_there(test_path("s")));
    CHECK_EQ(unlink(test_path("s")), 0);
    CHECK_EQ(symlink("/dev/null", test_path("s")), 0);
    check_refused(socket_file_claim(&file, &address, &refusal), REFUSAL_ADDRESS_IN_USE,
                  "no socket");
    CHECK(is_there(test_path("s")));
}

static void a_release_removes_our_socket_and_no_other(void)
{
    struct address address = address_of(test_path("s"));
    struct socket_file file;
    int ours;
    int theirs;

    CHECK(socket_file_claim(&file, &address, &refusal));
    ours = listen_at(test_path("s"), SOCK_STREAM);
    socket_file_made(&file);
    CHECK_EQ(rename(test_path("s"), test_path("moved")), 0);
    theirs = listen_at(test_path("s"), SOCK_STREAM);
    socket_file_release(&file);
    CHECK(is_there(test_path("s")));
    socket_file_release(&file); /* twice is once */
    (void) close(ours);
    (void) close(theirs);
}

static void a_lock_that_cannot_be_made_is_a_refusal(void)
{
    struct address address = address_of(test_path("no/such/s"));
    struct socket_file file;

    check_refused(socket_file_claim(&file, &address, &refusal), REFUSAL_SYSTEM, "no/such/s.lock");
    address = address_of(test_path("s"));
    CHECK_EQ(symlink(test_path("elsewhere"), test_path("s.lock")), 0);
    check_refused(socket_file_claim(&file, &address, &refusal), REFUSAL_SYSTEM, "s.lock");
    CHECK(!is_there(test_path("elsewhere")));
}

static void a_private_socket_gets_a_private_directory(void)
{
    struct address address = address_of(test_path("canceld-1/s"));
    struct socket_file file;

    address.directory = ADDRESS_DIRECTORY_PRIVATE;
    CHECK(socket_file_claim(&file, &address, &refusal));
    CHECK_EQ(mode_of(test_path("canceld-1")), 0700);
    socket_file_release(&file);
    CHECK(socket_file_claim(&file, &address, &refusal)); /* ours, so it is taken again */
    socket_file_release(&file);
    CHECK_EQ(chmod(test_path("canceld-1"), 0750), 0);
    check_refused(socket_file_claim(&file, &address, &refusal), REFUSAL_DIRECTORY, "0750");
    address = address_of(test_path("system/s"));
    address.directory = ADDRESS_DIRECTORY_SYSTEM;
    CHECK(socket_file_claim(&file, &address, &refusal));
    CHECK_EQ(mode_of(test_path("system")), 0755);
    socket_file_release(&file);
}

/* ---- directories ---- */

static void a_directory_of_another_owner_or_no_directory_is_refused(void)
{
    mode_t before = umask(077);

    CHECK(directory_make_owned(test_path("a"), 0755, geteuid(), &refusal));
    (void) umask(before);
    CHECK_EQ(mode_of(test_path("a")), 0755);
    check_refused(directory_make_owned(test_path("a"), 0755, geteuid() + 1, &refusal),
                  REFUSAL_DIRECTORY, "belongs to uid");
    CHECK_EQ(symlink(test_path("a"), test_path("link")), 0);
    check_refused(directory_make_owned(test_path("link"), 0755, geteuid(), &refusal),
                  REFUSAL_DIRECTORY, "no directory");
    touch(test_path("file"));
    check_refused(directory_make_owned(test_path("file"), 0755, geteuid(), &refusal),
                  REFUSAL_DIRECTORY, "no directory");
}

static void directories_are_made_all_the_way_down(void)
{
    CHECK(directory_make(test_path("a/b//c/"), &refusal));
    CHECK(is_there(test_path("a/b/c")));
    CHECK_EQ(mode_of(test_path("a/b")), 0700);
    CHECK(directory_make(test_path("a/b/c"), &refusal));
    CHECK(directory_make("/", &refusal));
    CHECK_EQ(chdir(test_directory()), 0);
    CHECK(directory_make("relative/path", &refusal));
    CHECK(is_there(test_path("relative/path")));
    touch(test_path("file"));
    check_refused(directory_make(test_path("file/below"), &refusal), REFUSAL_DIRECTORY, "file");
    check_refused(directory_make("", &refusal), REFUSAL_DIRECTORY, "0 bytes");
}

/* ---- descriptors ---- */

static void the_soft_limit_of_descriptors_becomes_the_hard_one(void)
{
    struct rlimit limit;
    uint64_t descriptors;

    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 100;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK(descriptors_raise(&descriptors, &refusal));
    CHECK_EQ(descriptors, limit.rlim_max);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_EQ(limit.rlim_cur, limit.rlim_max);
}

static void connections_fit_into_the_descriptors(void)
{
    uint64_t connections;

    CHECK(descriptors_fit(100000, 1024, &connections, &refusal));
    CHECK_EQ(connections, 1024);
    CHECK(descriptors_fit(DESCRIPTORS_RESERVED + 1024, 1024, &connections, &refusal));
    CHECK_EQ(connections, 1024);
    CHECK(descriptors_fit(DESCRIPTORS_RESERVED + 1, 1024, &connections, &refusal));
    CHECK_EQ(connections, 1);
    check_refused(descriptors_fit(DESCRIPTORS_RESERVED, 1024, &connections, &refusal),
                  REFUSAL_DESCRIPTORS, "ulimit");
}

/* ---- the service manager ---- */

static void check_received(int fd, const char *expected)
{
    char text[64];
    ssize_t size = recv(fd, text, sizeof text, MSG_DONTWAIT);

    CHECK_GE(size, 0);
    CHECK_BYTES_EQ(text, (size_t) size, expected, strlen(expected));
}

static void the_service_manager_is_told_on_a_path(void)
{
    int fd = listen_at(test_path("notify"), SOCK_DGRAM);

    CHECK_EQ(notify_send(test_path("notify"), "READY=1"), STATUS_OK);
    check_received(fd, "READY=1");
    (void) close(fd);
}

static void the_service_manager_is_told_on_an_abstract_name(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char text[64];
    int size = snprintf(text, sizeof text, "@canceld-test-%jd", (intmax_t) getpid());
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    memcpy(name.sun_path + 1, text + 1, (size_t) size - 1);
    CHECK_EQ(bind(fd, (const struct sockaddr *) (const void *) &name,
                  (socklen_t) (offsetof(struct sockaddr_un, sun_path) + (size_t) size)),
             0);
    CHECK_EQ(notify_send(text, "STOPPING=1"), STATUS_OK);
    check_received(fd, "STOPPING=1");
    (void) close(fd);
}

static void a_service_manager_that_is_not_there_does_no_harm(void)
{
    char path[200];

    CHECK_EQ(notify_send(NULL, "READY=1"), STATUS_OK);
    CHECK_EQ(notify_send("", "READY=1"), STATUS_OK);
    CHECK_EQ(notify_send("relative", "READY=1"), STATUS_INVALID);
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    CHECK_EQ(notify_send(path, "READY=1"), STATUS_INVALID);
    CHECK_EQ(notify_send(test_path("nobody"), "READY=1"), STATUS_SYSTEM);
    CHECK_EQ(errno, ENOENT);
}

/* ---- the mark of a clean stop ---- */

#define HERE "ipc:///run/here.sock"
#define THERE "ipc:///run/there.sock"

/* A run in the case's directory from its start to its end. */
static struct clean_stop run_begin(uint64_t epoch, const char *address, bool was_clean)
{
    struct address addresses[1] = {0};
    struct clean_stop run;
    int fd = open(test_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    CHECK_GE(fd, 0);
    (void) snprintf(addresses[0].url, sizeof addresses[0].url, "%s", address);
    CHECK_EQ(clean_stop_take(&run, fd, epoch, addresses, 1), was_clean);
    CHECK(!is_there(test_path("clean")));
    return run;
}

static void run_end(struct clean_stop *run, bool is_clean)
{
    if (is_clean) {
        clean_stop_leave(run);
    }
    (void) close(run->directory_fd);
    clean_stop_close(run);
}

static void a_clean_stop_counts_for_the_next_start_alone(void)
{
    struct clean_stop run = run_begin(1, HERE, false);

    run_end(&run, true);
    CHECK(is_there(test_path("clean")));
    CHECK_EQ(mode_of(test_path("clean")), 0600);
    run = run_begin(2, HERE, true);
    run_end(&run, false); /* killed */
    run = run_begin(3, HERE, false);
    run_end(&run, true);
    run = run_begin(5, HERE, false); /* somebody had epoch 4 */
    run_end(&run, true);
    touch(test_path("clean"));
    CHECK_EQ(truncate(test_path("clean"), 5), 0);
    run = run_begin(6, HERE, false);
    run_end(&run, false);
}

static void who_shares_the_directory_neither_trusts_nor_leaves_a_mark(void)
{
    struct clean_stop first = run_begin(1, HERE, false);
    struct clean_stop second = run_begin(2, HERE, false);

    clean_stop_leave(&second);
    CHECK(!is_there(test_path("clean")));
    run_end(&second, false);
    run_end(&first, true);
    first = run_begin(2, HERE, true);
    clean_stop_leave(&first); /* as if it were there while the first still runs */
    int fd = open(test_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct address addresses[1] = {{.url = HERE}};
    CHECK(!clean_stop_take(&second, fd, 3, addresses, 1));
    CHECK(is_there(test_path("clean"))); /* it is not the second one's to remove */
    run_end(&second, false);
    run_end(&first, false);
}

static void a_mark_of_other_addresses_says_nothing(void)
{
    struct clean_stop there = run_begin(1, THERE, false);

    run_end(&there, true); /* one that shares the directory, but not at the same time */
    struct clean_stop run = run_begin(2, HERE, false);
    run_end(&run, true);
    run = run_begin(3, HERE, true);
    run_end(&run, false);
}

static const struct test_case cases[] = {
    {"a second claim is refused and disturbs nothing",
     a_second_claim_is_refused_and_disturbs_nothing, 0},
    {"the lock of a dead process is free and its socket is removed",
     the_lock_of_a_dead_process_is_free_and_its_socket_is_removed, 0},
    {"a stranger that listens is left alone", a_stranger_that_listens_is_left_alone, 0},
    {"what is no socket is never removed", what_is_no_socket_is_never_removed, 0},
    {"a release removes our socket and no other", a_release_removes_our_socket_and_no_other, 0},
    {"a lock that cannot be made is a refusal", a_lock_that_cannot_be_made_is_a_refusal, 0},
    {"a private socket gets a private directory", a_private_socket_gets_a_private_directory, 0},
    {"a directory of another owner or no directory is refused",
     a_directory_of_another_owner_or_no_directory_is_refused, 0},
    {"directories are made all the way down", directories_are_made_all_the_way_down, 0},
    {"the soft limit of descriptors becomes the hard one",
     the_soft_limit_of_descriptors_becomes_the_hard_one, 0},
    {"connections fit into the descriptors", connections_fit_into_the_descriptors, 0},
    {"the service manager is told on a path", the_service_manager_is_told_on_a_path, 0},
    {"the service manager is told on an abstract name",
     the_service_manager_is_told_on_an_abstract_name, 0},
    {"a service manager that is not there does no harm",
     a_service_manager_that_is_not_there_does_no_harm, 0},
    {"a clean stop counts for the next start alone", a_clean_stop_counts_for_the_next_start_alone,
     0},
    {"who shares the directory neither trusts nor leaves a mark",
     who_shares_the_directory_neither_trusts_nor_leaves_a_mark, 0},
    {"a mark of other addresses says nothing", a_mark_of_other_addresses_says_nothing, 0},
};

TEST_MAIN(cases)
