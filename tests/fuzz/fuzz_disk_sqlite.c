/* SPDX-License-Identifier: MIT */
/* SQLite's way to the directory in memory. */
#include "fuzz_disk.h"
#include "testing.h"

#include <sqlite3.h>
#include <string.h>

#define SECTOR_BYTES 4096

/* ---- SQLite's file ---- */

struct disk_file {
    sqlite3_file base;
    struct fuzz_file *file;
};

static struct fuzz_file *file_of(sqlite3_file *base)
{
    return ((struct disk_file *) (void *) base)->file;
}

static int disk_close(sqlite3_file *base)
{
    file_of(base)->opened--;
    return SQLITE_OK;
}

static int disk_read(sqlite3_file *base, void *out, int size, sqlite3_int64 at)
{
    const size_t got = fuzz_file_read(file_of(base), out, (size_t) size, (size_t) at);
    if (got < (size_t) size) {
        memset((uint8_t *) out + got, 0, (size_t) size - got);
        return SQLITE_IOERR_SHORT_READ;
    }
    return SQLITE_OK;
}

static int disk_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 at)
{
    return fuzz_file_write(file_of(base), data, (size_t) size, (size_t) at) ? SQLITE_OK
                                                                            : SQLITE_FULL;
}

static int disk_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    if ((size_t) size > FUZZ_FILE_BYTES_MAX) {
        return SQLITE_FULL;
    }
    fuzz_file_resize(file_of(base), (size_t) size);
    return SQLITE_OK;
}

static int disk_sync(sqlite3_file *base, int flags)
{
    (void) base;
    (void) flags;
    return SQLITE_OK;
}

static int disk_size(sqlite3_file *base, sqlite3_int64 *size_out)
{
    *size_out = (sqlite3_int64) file_of(base)->size;
    return SQLITE_OK;
}

static int disk_lock(sqlite3_file *base, int level)
{
    (void) base;
    (void) level;
    return SQLITE_OK;
}

static int disk_is_locked(sqlite3_file *base, int *found_out)
{
    (void) base;
    *found_out = 0;
    return SQLITE_OK;
}

static int disk_control(sqlite3_file *base, int what, void *argument)
{
    (void) base;
    (void) what;
    (void) argument;
    return SQLITE_NOTFOUND;
}

static int disk_sector(sqlite3_file *base)
{
    (void) base;
    return SECTOR_BYTES;
}

static int disk_device(sqlite3_file *base)
{
    (void) base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods disk_methods = {.iVersion = 1,
                                                .xClose = disk_close,
                                                .xRead = disk_read,
                                                .xWrite = disk_write,
                                                .xTruncate = disk_truncate,
                                                .xSync = disk_sync,
                                                .xFileSize = disk_size,
                                                .xLock = disk_lock,
                                                .xUnlock = disk_lock,
                                                .xCheckReservedLock = disk_is_locked,
                                                .xFileControl = disk_control,
                                                .xSectorSize = disk_sector,
                                                .xDeviceCharacteristics = disk_device};

/* ---- SQLite's directory ---- */

/* All that SQLite opens here stands in the one directory. */
static const char *name_in(const char *path)
{
    const char *name = strrchr(path, '/');
    CHECK(name != NULL);
    return name + 1;
}

static int disk_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags,
                     int *flags_out)
{
    struct disk_file *file = (struct disk_file *) (void *) base;
    (void) vfs;
    *file = (struct disk_file){.file = path == NULL ? NULL : fuzz_disk_find(name_in(path))};
    if (file->file == NULL && path != NULL && (flags & SQLITE_OPEN_CREATE) != 0) {
        file->file = fuzz_disk_make(name_in(path));
    }
    if (file->file == NULL) {
        return SQLITE_CANTOPEN;
    }
    base->pMethods = &disk_methods;
    file->file->opened++;
    if (flags_out != NULL) {
        *flags_out = flags;
    }
    return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    struct fuzz_file *file = fuzz_disk_find(name_in(path));
    (void) vfs;
    (void) sync;
    if (file == NULL) {
        return SQLITE_IOERR_DELETE_NOENT;
    }
    fuzz_disk_remove(file);
    return SQLITE_OK;
}

/* An empty one counts as none, as SQLite's own says it. */
static int disk_access(sqlite3_vfs *vfs, const char *path, int what, int *is_there_out)
{
    const struct fuzz_file *file = fuzz_disk_find(name_in(path));
    (void) vfs;
    *is_there_out = file != NULL && (what != SQLITE_ACCESS_EXISTS || file->size > 0);
    return SQLITE_OK;
}

static int disk_full_path(sqlite3_vfs *vfs, const char *path, int room, char *out)
{
    const size_t size = strlen(path) + 1;
    (void) vfs;
    CHECK_LE(size, (size_t) room);
    memcpy(out, path, size);
    return SQLITE_OK;
}

/* Always the same, so that an input is. */
static int disk_random(sqlite3_vfs *vfs, int size, char *out)
{
    (void) vfs;
    memset(out, 0x5c, (size_t) size);
    return size;
}

void fuzz_disk_begin(void)
{
    static sqlite3_vfs vfs;
    CHECK_EQ(sqlite3_initialize(), SQLITE_OK);
    const sqlite3_vfs *system_vfs = sqlite3_vfs_find(NULL);
    CHECK(system_vfs != NULL);
    vfs = *system_vfs; /* time is the system's */
    vfs.zName = "fuzz";
    vfs.pNext = NULL;
    vfs.szOsFile = sizeof(struct disk_file);
    vfs.xOpen = disk_open;
    vfs.xDelete = disk_delete;
    vfs.xAccess = disk_access;
    vfs.xFullPathname = disk_full_path;
    vfs.xRandomness = disk_random;
    CHECK_EQ(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}
