/* SPDX-License-Identifier: MIT */
/* Each page of the database proves itself: its last 8 bytes, which SQLite leaves to us, are a hash of the rest
 * and of the page's number, written and looked at where SQLite writes and reads the file. So a start has to
 * look at no more than what it reads, however long the history is, and yet no bit that flipped in it goes
 * unseen; what is never read is looked at a few pages at a time while the daemon serves. SQLite's log has
 * checksums of its own.
 *
 * A page that cannot prove itself is damaged, or was written by another program (`sqlite3` copies a log that
 * a kill left into the file), or is of a journal that was made without proofs. So it is no refusal by itself:
 * the whole file is checked, as slowly as SQLite does that, and where it is sound the pages are taken at their
 * word until the next start. */
#include "journal/journal_file_state.h"

#include "base/siphash.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROOF_BYTES 8
#define PROOF_VFS "canceld"
#define HEADER_BYTES 100
#define HEADER_RESERVED 20 /* bytes of each page that SQLite leaves alone */
#define HEADER_PAGES 28    /* of the database, big-endian */

enum proof_mode {
    PROOF_COUNT,  /* what cannot prove itself is counted */
    PROOF_REFUSE, /* and is an error */
    PROOF_OFF
};

/* SQLite's handle of a database; the system's own stands behind it. */
struct proof_file {
    sqlite3_file base;
    sqlite3_file *system;
    bool is_sealed; /* its pages carry proofs */
    bool failed;    /* the system could not read a page: that is nothing about the page */
    enum proof_mode mode;
    uint64_t unproven;
    uint8_t page[FILE_PAGE_BYTES];
};

static struct proof_file *proof_of(sqlite3_file *file)
{
    return (struct proof_file *) (void *) file;
}

static struct proof_file *proof_find(const struct journal_file *file)
{
    sqlite3_file *found = NULL;
    const int code = sqlite3_file_control(file->sqlite, "main", SQLITE_FCNTL_FILE_POINTER, &found);
    ASSERT(code == SQLITE_OK && found != NULL);
    return proof_of(found);
}

/* ---- a page ---- */

static uint64_t proof_hash(const uint8_t *page, sqlite3_int64 offset)
{
    /* Any fixed key: it is there against accidents, not against people. */
    const struct siphash_key key = {.k0 = UINT64_C(0x63616e63656c6420),
                                    .k1 = UINT64_C(0x7061676520707266) ^ (uint64_t) offset};
    return siphash13(&key, bytes_of(page, FILE_PAGE_BYTES - PROOF_BYTES));
}

static bool is_page(const struct proof_file *file, int size, sqlite3_int64 offset)
{
    return file->is_sealed && size == FILE_PAGE_BYTES && offset % FILE_PAGE_BYTES == 0;
}

static bool is_proven(const uint8_t *page, sqlite3_int64 offset)
{
    uint8_t proof[PROOF_BYTES];
    const uint64_t hash = proof_hash(page, offset);
    for (size_t i = 0; i < PROOF_BYTES; i++) {
        proof[i] = (uint8_t) (hash >> 8 * i);
    }
    return memcmp(page + FILE_PAGE_BYTES - PROOF_BYTES, proof, PROOF_BYTES) == 0;
}

static void prove(uint8_t *page, sqlite3_int64 offset)
{
    const uint64_t hash = proof_hash(page, offset);
    for (size_t i = 0; i < PROOF_BYTES; i++) {
        page[FILE_PAGE_BYTES - PROOF_BYTES + i] = (uint8_t) (hash >> 8 * i);
    }
}

/* ---- what SQLite calls ---- */

static int proof_close(sqlite3_file *base)
{
    sqlite3_file *system = proof_of(base)->system;
    return system->pMethods->xClose(system);
}

static int proof_read(sqlite3_file *base, void *buffer, int size, sqlite3_int64 offset)
{
    struct proof_file *file = proof_of(base);
    const int code = file->system->pMethods->xRead(file->system, buffer, size, offset);
    file->failed = file->failed || (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ);
    if (file->mode == PROOF_OFF || !is_page(file, size, offset) ||
        (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) ||
        (code == SQLITE_OK && is_proven(buffer, offset))) {
        return code;
    }
    file->unproven++;
    return file->mode == PROOF_REFUSE ? SQLITE_CORRUPT : code;
}

static int proof_write(sqlite3_file *base, const void *buffer, int size, sqlite3_int64 offset)
{
    struct proof_file *file = proof_of(base);
    if (offset == 0 && size == FILE_PAGE_BYTES) {
        file->is_sealed = ((const uint8_t *) buffer)[HEADER_RESERVED] == PROOF_BYTES;
    }
    if (!is_page(file, size, offset)) {
        return file->system->pMethods->xWrite(file->system, buffer, size, offset);
    }
    memcpy(file->page, buffer, sizeof file->page);
    prove(file->page, offset);
    return file->system->pMethods->xWrite(file->system, file->page, size, offset);
}

static int proof_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    sqlite3_file *system = proof_of(base)->system;
    return system->pMethods->xTruncate(system, size);
}

static int proof_sync(sqlite3_file *base, int flags)
{
    sqlite3_file *system = proof_of(base)->system;
    return system->pMethods->xSync(system, flags);
}

static int proof_size(sqlite3_file *base, sqlite3_int64 *size_out)
{
    sqlite3_file *system = proof_of(base)->system;
    return system->pMethods->xFileSize(system, size_out);
}

static int proof_lock(sqlite3_file *base, int level)
{
    sqlite3_file *system = proof_of(base)->system;
    return system->pMethods->xLock(system, level);
}

static int proof_unlock(sqlite3_file *base, int level)
{
    sqlite3_file *system = proof_of(base)->system;
    return system->pMethods->xUnlock(system, level);
}

static int proof_check_lock(sqlite3_file *base, int *found_out)
{
    sqlite3_file *system = proof_of(base)->system;
    return system->pMethods->xCheckReservedLock(system, found_out);
}

/* Before SQLite copies its log into the file it says how big that will be. The file is made so big first:
 * else one that a kill left in the middle of it looked like one that was cut. */
static int grow(sqlite3_file *system, sqlite3_int64 size)
{
    sqlite3_int64 found = 0;
    const int code = system->pMethods->xFileSize(system, &found);
    return code != SQLITE_OK || found >= size ? code : system->pMethods->xTruncate(system, size);
}

static int proof_control(sqlite3_file *base, int what, void *argument)
{
    sqlite3_file *system = proof_of(base)->system;
    if (what == SQLITE_FCNTL_SIZE_HINT) {
        return grow(system, *(const sqlite3_int64 *) argument);
    }
    return system->pMethods->xFileControl(system, what, argument);
}

static int proof_sector(sqlite3_file *base)
{
    sqlite3_file *system = proof_of(base)->system;
    return system->pMethods->xSectorSize(system);
}

static int proof_device(sqlite3_file *base)
{
    sqlite3_file *system = proof_of(base)->system;
    return system->pMethods->xDeviceCharacteristics(system);
}

/* Without shared memory: a journal is always locked for its process alone. */
static const sqlite3_io_methods proof_methods = {.iVersion = 1,
                                                 .xClose = proof_close,
                                                 .xRead = proof_read,
                                                 .xWrite = proof_write,
                                                 .xTruncate = proof_truncate,
                                                 .xSync = proof_sync,
                                                 .xFileSize = proof_size,
                                                 .xLock = proof_lock,
                                                 .xUnlock = proof_unlock,
                                                 .xCheckReservedLock = proof_check_lock,
                                                 .xFileControl = proof_control,
                                                 .xSectorSize = proof_sector,
                                                 .xDeviceCharacteristics = proof_device};

/* ---- the file system that SQLite is given ---- */

static sqlite3_vfs *system_vfs;
static sqlite3_vfs proof_vfs;
static bool is_registered;

static int proof_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                      int *flags_out)
{
    struct proof_file *file = proof_of(base);
    uint8_t header[HEADER_BYTES];
    (void) vfs;
    if ((flags & SQLITE_OPEN_MAIN_DB) == 0) {
        return system_vfs->xOpen(system_vfs, name, base, flags, flags_out);
    }
    *file = (struct proof_file){.system = (sqlite3_file *) (void *) (file + 1)};
    const int code = system_vfs->xOpen(system_vfs, name, file->system, flags, flags_out);
    if (file->system->pMethods == NULL) {
        return code;
    }
    base->pMethods = &proof_methods;
    if (code == SQLITE_OK &&
        file->system->pMethods->xRead(file->system, header, sizeof header, 0) == SQLITE_OK) {
        file->is_sealed = header[HEADER_RESERVED] == PROOF_BYTES;
    }
    return code;
}

static void register_once(void)
{
    if (sqlite3_initialize() != SQLITE_OK) {
        return;
    }
    system_vfs = sqlite3_vfs_find(NULL);
    if (system_vfs == NULL) {
        return;
    }
    proof_vfs = *system_vfs; /* all but the opening is the system's */
    proof_vfs.zName = PROOF_VFS;
    proof_vfs.pNext = NULL;
    proof_vfs.szOsFile = (int) sizeof(struct proof_file) + system_vfs->szOsFile;
    proof_vfs.xOpen = proof_open;
    is_registered = sqlite3_vfs_register(&proof_vfs, 0) == SQLITE_OK;
}

int file_proof_open(const char *path, struct sqlite3 **sqlite_out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void) pthread_once(&once, register_once);
    *sqlite_out = NULL;
    return !is_registered ? SQLITE_NOMEM
                          : sqlite3_open_v2(path, sqlite_out,
                                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, PROOF_VFS);
}

bool file_proof_ask(struct sqlite3 *sqlite)
{
    int bytes = PROOF_BYTES;
    return sqlite3_file_control(sqlite, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes) == SQLITE_OK;
}

/* ---- the whole file ---- */

/* A page that was never written is all zeros; nobody reads it. */
static bool is_blank(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, FILE_PAGE_BYTES - 1) == 0;
}

/* The next page; false at the end of the file, and where it cannot be read just now. */
static bool look_at_next(struct journal_file *file, struct proof_file *proof)
{
    const sqlite3_int64 offset = (sqlite3_int64) (file->checked_pages * FILE_PAGE_BYTES);
    if (proof->system->pMethods->xRead(proof->system, proof->page, FILE_PAGE_BYTES, offset) !=
        SQLITE_OK) {
        return false;
    }
    proof->unproven += is_proven(proof->page, offset) || is_blank(proof->page) ? 0 : 1;
    file->checked_pages++;
    return true;
}

/* Whether it has proofs, and as many pages as it says. */
static bool has_all(const struct proof_file *file)
{
    uint8_t header[HEADER_BYTES];
    sqlite3_int64 size = 0;
    uint64_t pages = 0;
    if (!file->is_sealed || file->system->pMethods->xFileSize(file->system, &size) != SQLITE_OK ||
        file->system->pMethods->xRead(file->system, header, sizeof header, 0) != SQLITE_OK) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        pages = pages << 8 | header[HEADER_PAGES + i];
    }
    return (uint64_t) size >= pages * FILE_PAGE_BYTES;
}

static int take_verdict(void *context, int columns, char **values, char **names)
{
    char *verdict = context;
    (void) names;
    (void) snprintf(verdict, JOURNAL_ERROR_BYTES / 2, "%s",
                    columns == 1 && values[0] != NULL ? values[0] : "?");
    return 0;
}

/* A page that the check could not have is told as a fault like any other: one of the database is known here, one
 * of the log by its words. */
static bool is_of_machine(const struct proof_file *proof, const char *verdict)
{
    static const char words[] = "error code=";
    const char *found = strstr(verdict, words);
    const long code = found == NULL ? SQLITE_OK : strtol(found + strlen(words), NULL, 10) & 0xff;
    return proof->failed || code == SQLITE_IOERR || code == SQLITE_NOMEM;
}

/* The first fault of a verdict, behind a line that says where it looked. */
static const char *fault_in(char *verdict)
{
    char *fault = strncmp(verdict, "***", 3) == 0 ? strchr(verdict, '\n') : NULL;
    fault = fault == NULL ? verdict : fault + 1;
    fault[strcspn(fault, "\n")] = '\0';
    return fault;
}

/* Whether each index fits its table takes several times as long as the rest, so of a big file it is
 * not asked: what is unsettled is counted in any case (journal_file_load.c), and of an entry that an
 * index has lost the history does not tell. */
static enum status check_whole(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    char verdict[JOURNAL_ERROR_BYTES / 2] = "";
    struct proof_file *proof = proof_find(file);
    sqlite3_int64 size = 0;
    const bool is_big = proof->system->pMethods->xFileSize(proof->system, &size) != SQLITE_OK ||
                        (uint64_t) size > JOURNAL_CHECK_BYTES_MAX;
    proof->failed = false;
    if (sqlite3_exec(file->sqlite, is_big ? "PRAGMA quick_check(1)" : "PRAGMA integrity_check(1)",
                     take_verdict, verdict, NULL) != SQLITE_OK) {
        return file_failed(file, "read", error);
    }
    if (strcmp(verdict, "ok") == 0) {
        return STATUS_OK;
    }
    if (is_of_machine(proof, verdict)) {
        return file_refuse(error, STATUS_SYSTEM, "cannot read %s: the disk or the memory fails",
                           file->path);
    }
    return file_damaged(file, fault_in(verdict), error);
}

static enum status take_at_word(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    struct proof_file *proof = proof_find(file);
    proof->mode = PROOF_COUNT;
    const enum status status = check_whole(file, error);
    if (status == STATUS_OK) {
        proof->mode = PROOF_OFF;
    }
    return status;
}

enum status file_proof_begin(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    struct proof_file *proof = proof_find(file);
    if (!has_all(proof)) {
        return take_at_word(file, error);
    }
    /* So much costs next to nothing, and what is damaged is better refused than served for a while. */
    while (file->checked_pages < JOURNAL_CHECK_START_PAGES && look_at_next(file, proof)) {
    }
    file->checked_pages = 0;
    return file_proof_read(file, error);
}

enum status file_proof_read(struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    const struct proof_file *proof = proof_find(file);
    return proof->mode == PROOF_OFF || proof->unproven == 0 ? STATUS_OK : take_at_word(file, error);
}

bool file_proof_has_failed(const struct journal_file *file)
{
    return proof_find(file)->failed;
}

void file_proof_refuse(struct journal_file *file)
{
    struct proof_file *proof = proof_find(file);
    if (proof->mode == PROOF_COUNT) {
        proof->mode = PROOF_REFUSE;
    }
}

bool file_proof_again(struct journal_file *file)
{
    char error[JOURNAL_ERROR_BYTES];
    struct proof_file *proof = proof_find(file);
    if (file->is_damaged || proof->mode != PROOF_REFUSE || proof->unproven == 0) {
        return false;
    }
    const enum status status = take_at_word(file, error);
    file->is_damaged = status == STATUS_INVALID;
    if (status != STATUS_OK) {
        proof->mode = PROOF_REFUSE; /* as before, also where it could just not be looked at */
    }
    if (file->is_damaged) {
        file->figures.failures++;
        file->figures.error = SQLITE_CORRUPT;
    }
    return status == STATUS_OK;
}

/* ---- while it is in use ---- */

uint64_t journal_file_check(struct journal_file *file)
{
    struct proof_file *proof = proof_find(file);
    bool more = proof->mode == PROOF_REFUSE && !file->is_damaged;
    for (size_t i = 0; more && i < JOURNAL_CHECK_PAGES; i++) {
        more = look_at_next(file, proof);
    }
    if (proof->unproven > 0) {
        more = file_proof_again(file) && more;
    }
    if (!more) {
        file->checked_pages = 0;
    }
    return more ? JOURNAL_CHECK_STEP_MS : JOURNAL_CHECK_MS;
}

bool journal_file_is_damaged(const struct journal_file *file)
{
    return file->is_damaged;
}
