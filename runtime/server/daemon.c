/* SPDX-License-Identifier: MIT */
#include "server/daemon.h"

#include "server/clean_stop.h"
#include "server/descriptors.h"
#include "server/epoch.h"
#include "server/rights_load.h"
#include "server/sandbox.h"
#include "server/signals.h"
#include "server/socket_file.h"
#include "server/tls_files.h"
#include "wire/service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

_Static_assert(EPOCH_MAX == GEN_EPOCH_MAX, "a generation has room for every epoch");
_Static_assert(OPTIONS_ADDRESSES_MAX <= SERVICE_ENDPOINTS_MAX, "each address is an endpoint");

/* Beside one for each connection: the endpoints, the service, the registry. */
#define ACTORS_RESERVED (OPTIONS_ADDRESSES_MAX + 8)

/* For messages from other threads than the owner's that are not bounded otherwise: few. */
#define MAILBOX_MAX 4096
/* About what it costs to wake a processor that sleeps: see actor/source.c. */
#define SOURCE_SPIN_US 50

#define READY_LINE_BYTES (6 + OPTIONS_ADDRESSES_MAX * (ENDPOINT_URL_BYTES + 1))

struct daemon {
    const struct options *options;
    struct log *log;
    struct limits limits; /* the options', fitted to the machine */
    struct socket_file files[OPTIONS_ADDRESSES_MAX];
    size_t files_count;
    struct epoch epoch;
    struct clean_stop clean_stop;
    struct rights *rights; /* until the service has them */
    bool has_rules;        /* those that are in place */
    struct actor_system *system;
    struct actor_loop *loop;
    struct journal *journal; /* NULL: none */
    struct service *service;
    uint64_t recovery_ms;
    char ready_line[READY_LINE_BYTES];
};

/* ---- what the machine gives ---- */

static bool connections_fit(struct daemon *daemon, struct refusal *refusal)
{
    uint64_t wanted = daemon->limits.connections;
    uint64_t descriptors;

    if (!descriptors_raise(&descriptors, refusal) ||
        !descriptors_fit(descriptors, wanted, &daemon->limits.connections, refusal)) {
        return false;
    }
    if (daemon->limits.connections < wanted) {
        log_write(daemon->log, LOG_LEVEL_WARN,
                  "--limit-connections %" PRIu64 " is lowered to %" PRIu64
                  ": the process may have %" PRIu64 " descriptors (ulimit -Hn)",
                  wanted, daemon->limits.connections, descriptors);
    }
    return true;
}

static bool key_make(struct siphash_key *key_out, struct refusal *refusal)
{
    if (getrandom(key_out, sizeof *key_out, 0) != (ssize_t) sizeof *key_out) {
        return refuse(refusal, REFUSAL_SYSTEM, "the system gives no random bytes: %s",
                      strerror(errno));
    }
    return true;
}

/* ---- the socket files ---- */

static bool files_claim(struct daemon *daemon, struct refusal *refusal)
{
    for (size_t i = 0; i < daemon->options->addresses_count; i++) {
        const struct address *address = &daemon->options->addresses[i];

        if (address->kind != ADDRESS_IPC) {
            continue;
        }
        if (!socket_file_claim(&daemon->files[daemon->files_count], address, refusal)) {
            return false;
        }
        daemon->files_count++;
    }
    return true;
}

static void files_made(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->files_count; i++) {
        socket_file_made(&daemon->files[i]);
    }
}

static void files_release(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->files_count; i++) {
        socket_file_release(&daemon->files[i]);
    }
    daemon->files_count = 0;
}

static bool has_journal(const struct daemon *daemon)
{
    return daemon->options->state_dir != NULL && !daemon->options->ephemeral;
}

/* ---- the epoch ---- */

static bool epoch_start(struct daemon *daemon, struct refusal *refusal)
{
    const struct environment environment = environment_read();
    char found[PATH_MAX];
    const char *directory = daemon->options->state_dir;

    if (daemon->options->ephemeral) {
        return epoch_open_ephemeral(&daemon->epoch, epoch_wall_ms, refusal);
    }
    if (directory == NULL) {
        if (!environment_state_dir(&environment, found, sizeof found, refusal)) {
            return false;
        }
        directory = found;
    }
    return epoch_open(&daemon->epoch, directory, refusal);
}

/* Nobody can come back to a first epoch, and nobody does after a stop with nothing live. A directory
 * that was named is one daemon's, wherever it listens; of the default one the addresses tell whose stop
 * it was. */
static bool recovery_find(struct daemon *daemon, struct refusal *refusal)
{
    const struct epoch *epoch = &daemon->epoch;
    size_t addresses_count = has_journal(daemon) ? 0 : daemon->options->addresses_count;
    bool is_clean = epoch->directory_fd >= 0 &&
                    clean_stop_take(&daemon->clean_stop, epoch->directory_fd, epoch->number,
                                    daemon->options->addresses, addresses_count);

    (void) refusal;
    daemon->recovery_ms = is_clean || epoch->number == 1 ? 0 : daemon->options->recovery_ms;
    return true;
}

/* On the owner thread, which does not log: a refusal shows as FULL{generations}. */
static bool next_epoch(void *context, uint64_t *epoch_out)
{
    struct epoch *epoch = context;
    struct refusal refusal;

    if (!epoch_raise(epoch, &refusal)) {
        return false;
    }
    *epoch_out = epoch->number;
    return true;
}

/* ---- the journal ---- */

static bool journal_refuse(enum status status, const char *error, struct refusal *refusal)
{
    enum refusal_code code = status == STATUS_IN_USE      ? REFUSAL_JOURNAL_LOCKED
                             : status == STATUS_INVALID   ? REFUSAL_JOURNAL_DAMAGED
                             : status == STATUS_NO_MEMORY ? REFUSAL_MEMORY
                                                          : REFUSAL_JOURNAL;

    return refuse(refusal, code, "%s", error);
}

/* Before the epoch is raised: a supervisor that starts a second daemon again and again shall not use the
 * epochs up. */
static bool journal_probe(struct daemon *daemon, struct refusal *refusal)
{
    char error[JOURNAL_ERROR_BYTES] = "";
    enum status status =
        has_journal(daemon) ? journal_file_probe(daemon->options->state_dir, error) : STATUS_OK;

    return status == STATUS_OK || journal_refuse(status, error, refusal);
}

/* Only where the directory was named: the default one may be shared, and then the epoch alone is
 * kept there. */
static bool journal_make(struct daemon *daemon, struct refusal *refusal)
{
    const struct options *options = daemon->options;
    const struct journal_options journal = {
        .file = {.directory = options->state_dir,
                 .sync_power = options->sync_power,
                 .epoch = daemon->epoch.number,
                 .history_age_ms = options->history_age_ms,
                 .history_bytes = options->history_bytes},
        .bytes_max = daemon->limits.journal_bytes,
        .wall_ms = epoch_wall_ms,
    };
    char error[JOURNAL_ERROR_BYTES] = "";
    enum status status;

    if (!has_journal(daemon)) {
        return true;
    }
    status = journal_open(daemon->system, &journal, &daemon->journal, error);
    return status == STATUS_OK || journal_refuse(status, error, refusal);
}

/* On the owner thread: main has the log. */
static void journal_changed(void *context, int trouble)
{
    (void) context;
    signals_tell(trouble);
}

void daemon_told(struct daemon *daemon, int value)
{
    if (value == 0) {
        log_write(daemon->log, LOG_LEVEL_WARN, "the journal keeps again what it is given");
    } else {
        log_write(daemon->log, LOG_LEVEL_ERROR,
                  "the journal cannot keep what it is given, and no cancel is accepted: %s (%d)",
                  journal_trouble_text(value), value);
    }
}

static bool journal_recover(struct daemon *daemon, struct refusal *refusal)
{
    char error[JOURNAL_ERROR_BYTES] = "";
    enum status status = service_recover(daemon->service, error);

    return status == STATUS_OK || journal_refuse(status, error, refusal);
}

static bool journal_run(struct daemon *daemon, struct refusal *refusal)
{
    enum status status = daemon->journal == NULL ? STATUS_OK : journal_start(daemon->journal);

    return status == STATUS_OK ||
           refuse(refusal, REFUSAL_SYSTEM, "the journal's thread cannot be started: %s",
                  status_text(status));
}

/* Keeps what is left, now that the owner's loop has ended. */
static bool journal_finish(struct daemon *daemon)
{
    char error[JOURNAL_ERROR_BYTES] = "";

    if (daemon->journal == NULL || journal_stop(daemon->journal, error)) {
        return true;
    }
    log_write(daemon->log, LOG_LEVEL_ERROR, "%s", error);
    return false;
}

/* ---- the rights ---- */

static bool rights_read(struct daemon *daemon, struct refusal *refusal)
{
    bool is_open = false;

    if (!rights_load(daemon->options, &daemon->rights, refusal)) {
        return false;
    }
    daemon->has_rules = !rights_are_off(daemon->rights);
    for (size_t i = 0; i < daemon->options->addresses_count; i++) {
        is_open = is_open || daemon->options->addresses[i].kind == ADDRESS_TLS;
    }
    if (is_open && !daemon->has_rules) {
        log_write(daemon->log, LOG_LEVEL_WARN,
                  "there is no rule: everybody who connects by TLS may do everything");
    }
    return true;
}

bool daemon_rights_set(struct daemon *daemon, struct rights *rights, struct refusal *refusal)
{
    bool has_rules = !rights_are_off(rights);
    enum status status;

    if (daemon->has_rules && !has_rules) {
        return refuse(refusal, REFUSAL_FILE,
                      "there is no rule left, and without rules everybody might do everything: "
                      "that needs a restart");
    }
    status = service_rights_set(daemon->service, rights);
    if (status != STATUS_OK) {
        return refuse(refusal, REFUSAL_SYSTEM, "the owner does not take new rights: %s",
                      status_text(status));
    }
    daemon->has_rules = has_rules;
    return true;
}

/* ---- the service ---- */

/* Its syntax was checked long before: an address that the endpoint calls invalid is one that this
 * machine does not have. */
static bool service_refuse(enum status status, const char *error, struct refusal *refusal)
{
    enum refusal_code code = status == STATUS_IN_USE      ? REFUSAL_ADDRESS_IN_USE
                             : status == STATUS_NO_MEMORY ? REFUSAL_MEMORY
                                                          : REFUSAL_ADDRESS_UNUSABLE;

    return refuse(refusal, code, "%s", error);
}

static bool service_make(struct daemon *daemon, struct refusal *refusal)
{
    struct service_config config = {
        .limits = daemon->limits,
        .epoch = daemon->epoch.number,
        .counter_first = daemon->epoch.counter_first,
        .recovery_ms = daemon->recovery_ms,
        .journal = daemon->journal,
        .journal_changed = journal_changed,
        .next_epoch = next_epoch,
        .next_epoch_context = &daemon->epoch,
        .rights = rights_port(daemon->rights),
    };
    enum status status;

    if (!key_make(&config.table_key, refusal) || !key_make(&config.secret_key, refusal) ||
        !key_make(&config.digest_key, refusal)) {
        return false;
    }
    status = service_new(daemon->loop, &config, &daemon->service);
    explicit_bzero(&config.secret_key, sizeof config.secret_key);
    daemon->rights = status == STATUS_OK ? NULL : daemon->rights;
    return status == STATUS_OK ||
           refuse(refusal, REFUSAL_MEMORY,
                  "the tables cannot be had (%s): lower --limit-operations or --limit-bytes",
                  status_text(status));
}

static bool service_listen_all(struct daemon *daemon, const struct endpoint_tls *tls,
                               struct refusal *refusal)
{
    const struct socket_access *access = &daemon->options->access;
    char error[ENDPOINT_ERROR_BYTES] = "";

    for (size_t i = 0; i < daemon->options->addresses_count; i++) {
        const struct endpoint_options endpoint = {
            .url = daemon->options->addresses[i].url,
            .tls = tls,
            .ipc_mode = access->mode,
            .ipc_gid = access->has_group ? (int64_t) access->group : -1,
            .unlink_stale = true,
        };
        enum status status = service_listen(daemon->service, &endpoint, error);

        if (status != STATUS_OK) {
            return service_refuse(status, error, refusal);
        }
    }
    return true;
}

static bool service_open(struct daemon *daemon, struct refusal *refusal)
{
    struct tls_files files;
    bool is_open;

    if (!tls_files_read(&daemon->options->tls, &files, refusal)) {
        return false;
    }
    is_open = service_listen_all(daemon, tls_files_endpoint(&files), refusal);
    tls_files_fini(&files);
    return is_open;
}

static bool loop_make(struct daemon *daemon, struct refusal *refusal)
{
    const struct actor_options options = {
        .actors_max = (uint32_t) daemon->limits.connections + ACTORS_RESERVED,
        .mailbox_max = MAILBOX_MAX,
        .source_spin_us = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SOURCE_SPIN_US : 0,
    };

    daemon->system = actor_system_new(&options);
    if (daemon->system != NULL) {
        daemon->loop = actor_loop_new(daemon->system, "owner");
    }
    return daemon->loop != NULL ||
           refuse(refusal, REFUSAL_MEMORY, "there is no memory for the owner's loop");
}

static bool loop_start(struct daemon *daemon, struct refusal *refusal)
{
    enum status status = actor_loop_start(daemon->loop);

    return status == STATUS_OK ||
           refuse(refusal, REFUSAL_SYSTEM, "the owner's thread cannot be started: %s",
                  status_text(status));
}

/* ---- the sandbox ---- */

/* A loop's thread takes it over from the one that starts it; NNG's, which are there, get it too. */
static bool sandbox_close(struct daemon *daemon, struct refusal *refusal)
{
    if (daemon->options->config != NULL) {
        sandbox_prepare();
    }
    return sandbox_enter(daemon->options->seccomp, refusal);
}

/* ---- start and stop ---- */

static void ready_line_write(struct daemon *daemon)
{
    char *line = daemon->ready_line;
    size_t size = (size_t) snprintf(line, READY_LINE_BYTES, "ready");

    for (size_t i = 0; i < daemon->options->addresses_count; i++) {
        size += (size_t) snprintf(line + size, READY_LINE_BYTES - size, " %s",
                                  service_url(daemon->service, i));
        ASSERT(size < READY_LINE_BYTES);
    }
}

/* In this order, as the header says; each step refuses for itself. */
static bool (*const steps[])(struct daemon *daemon, struct refusal *refusal) = {
    rights_read,   connections_fit, files_claim,  journal_probe, epoch_start,
    recovery_find, loop_make,       journal_make, service_make,  journal_recover,
    service_open,  sandbox_close,   journal_run,  loop_start,
};

/* Takes a daemon that stands at any step. */
static void daemon_give_back(struct daemon *daemon)
{
    if (daemon->loop != NULL) {
        actor_loop_stop(daemon->loop, false);
    }
    journal_close(daemon->journal);
    service_free(daemon->service);
    actor_system_free(daemon->system);
    files_release(daemon);
    clean_stop_close(&daemon->clean_stop);
    epoch_close(&daemon->epoch);
    rights_free(daemon->rights);
    free(daemon);
}

bool daemon_start(const struct options *options, struct log *log, struct daemon **daemon_out,
                  struct refusal *refusal)
{
    struct daemon *daemon = calloc(1, sizeof *daemon);

    if (daemon == NULL) {
        return refuse(refusal, REFUSAL_MEMORY, "there is no memory to start with");
    }
    daemon->options = options;
    daemon->log = log;
    daemon->limits = options->limits;
    daemon->epoch.directory_fd = -1;
    daemon->clean_stop = CLEAN_STOP_NONE;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (!steps[i](daemon, refusal)) {
            files_made(daemon);
            daemon_give_back(daemon);
            return false;
        }
    }
    files_made(daemon);
    ready_line_write(daemon);
    log_write(log, LOG_LEVEL_INFO, "serving in epoch %" PRIu64 "%s; seccomp is %s",
              daemon->epoch.number, options->ephemeral ? ", which is ephemeral" : "",
              sandbox_mode_text(options->seccomp));
    *daemon_out = daemon;
    return true;
}

const char *daemon_ready_line(const struct daemon *daemon)
{
    return daemon->ready_line;
}

void daemon_stop(struct daemon *daemon)
{
    bool is_orderly = service_shut_down(daemon->service) == STATUS_OK;

    if (!is_orderly) {
        log_write(daemon->log, LOG_LEVEL_WARN,
                  "the last answers could not be sent in time: some clients will ask again");
    }
    actor_loop_stop(daemon->loop, false);
    is_orderly = journal_finish(daemon) && is_orderly;
    if (is_orderly && service_is_idle(daemon->service)) {
        /* A run may have used more than one epoch. */
        daemon->clean_stop.epoch = daemon->epoch.number;
        clean_stop_leave(&daemon->clean_stop);
    }
    daemon_give_back(daemon);
}
