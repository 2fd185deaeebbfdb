/* SPDX-License-Identifier: MIT */
#include "fuzz_disk.h"

#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 12
#define OPEN_MAX_HERE 8
#define FD_DIRECTORY (1 << 20)
#define FD_FIRST (FD_DIRECTORY + 1)
#define BOOT_PATH "/proc/sys/kernel/random/boot_id"
#define BOOT_NAME "boot_id"
#define BOOT_TEXT "00000000-0000-4000-8000-000000000000\n"

struct open_file {
    struct fuzz_file *file; /* NULL: this number is free */
    size_t at;
};

static uint8_t rooms[FILES_MAX][FUZZ_FILE_BYTES_MAX];
static struct fuzz_file files[FILES_MAX];
static struct open_file opened[OPEN_MAX_HERE];
static size_t directory_opened;

/* ---- files ---- */

struct fuzz_file *fuzz_disk_find(const char *name)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (files[i].name[0] != '\0' && strcmp(files[i].name, name) == 0) {
            return &files[i];
        }
    }
    return NULL;
}

struct fuzz_file *fuzz_disk_make(const char *name)
{
    struct fuzz_file *file = fuzz_disk_find(name);
    for (size_t i = 0; file == NULL && i < FILES_MAX; i++) {
        if (files[i].name[0] == '\0') {
            file = &files[i];
            file->size = 0;
            file->data = rooms[i];
            CHECK_LT(strlen(name), sizeof file->name);
            memcpy(file->name, name, strlen(name) + 1);
        }
    }
    CHECK(file != NULL);
    return file;
}

void fuzz_disk_remove(struct fuzz_file *file)
{
    CHECK_EQ(file->opened, 0);
    file->name[0] = '\0';
}

void fuzz_disk_clear(void)
{
    CHECK_EQ(directory_opened, 0);
    for (size_t i = 0; i < FILES_MAX; i++) {
        fuzz_disk_remove(&files[i]);
    }
}

size_t fuzz_file_read(const struct fuzz_file *file, void *out, size_t size, size_t at)
{
    const size_t left = at < file->size ? file->size - at : 0;
    size = size < left ? size : left;
    if (size > 0) {
        memcpy(out, file->data + at, size);
    }
    return size;
}

void fuzz_file_resize(struct fuzz_file *file, size_t size)
{
    if (size > file->size) {
        memset(file->data + file->size, 0, size - file->size);
    }
    file->size = size;
}

bool fuzz_file_write(struct fuzz_file *file, const void *data, size_t size, size_t at)
{
    if (at > FUZZ_FILE_BYTES_MAX || size > FUZZ_FILE_BYTES_MAX - at) {
        return false;
    }
    if (at > file->size) {
        fuzz_file_resize(file, at);
    }
    memcpy(file->data + at, data, size);
    file->size = at + size > file->size ? at + size : file->size;
    return true;
}

/* ---- system calls ---- */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...);
int __real_close(int fd);
int __wrap_close(int fd);
ssize_t __real_read(int fd, void *out, size_t size);
ssize_t __wrap_read(int fd, void *out, size_t size);
ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t at);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t at);
int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);
int __real_flock(int fd, int how);
int __wrap_flock(int fd, int how);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_fstatat(int directory, const char *path, struct stat *found_out, int flags);
int __wrap_fstatat(int directory, const char *path, struct stat *found_out, int flags);
int __real_unlinkat(int directory, const char *path, int flags);
int __wrap_unlinkat(int directory, const char *path, int flags);
int __real_renameat(int from_directory, const char *from, int to_directory, const char *to);
int __wrap_renameat(int from_directory, const char *from, int to_directory, const char *to);

static int give_fd(struct fuzz_file *file)
{
    for (int i = 0; i < OPEN_MAX_HERE; i++) {
        if (opened[i].file == NULL) {
            opened[i] = (struct open_file){.file = file};
            file->opened++;
            return FD_FIRST + i;
        }
    }
    test_failed(__FILE__, __LINE__, "more files are open than a journal needs");
}

static struct open_file *open_of(int fd)
{
    CHECK(fd >= FD_FIRST && fd < FD_FIRST + OPEN_MAX_HERE && opened[fd - FD_FIRST].file != NULL);
    return &opened[fd - FD_FIRST];
}

static bool is_here(int fd)
{
    return fd >= FD_DIRECTORY;
}

static int fail(int code)
{
    errno = code;
    return -1;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    if (strcmp(path, FUZZ_DISK_DIRECTORY) == 0) {
        directory_opened++;
        return FD_DIRECTORY;
    }
    if (strcmp(path, BOOT_PATH) == 0) {
        struct fuzz_file *boot = fuzz_disk_make(BOOT_NAME);
        CHECK(fuzz_file_write(boot, BOOT_TEXT, sizeof BOOT_TEXT - 1, 0));
        return give_fd(boot);
    }
    return __real_open(path, flags, mode);
}

int __wrap_openat(int directory, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    if (!is_here(directory)) {
        return __real_openat(directory, path, flags, mode);
    }
    struct fuzz_file *file = fuzz_disk_find(path);
    if (file == NULL && (flags & O_CREAT) == 0) {
        return fail(ENOENT);
    }
    if (file != NULL && (flags & O_EXCL) != 0) {
        return fail(EEXIST);
    }
    file = fuzz_disk_make(path);
    if ((flags & O_TRUNC) != 0) {
        file->size = 0;
    }
    return give_fd(file);
}

int __wrap_close(int fd)
{
    if (!is_here(fd)) {
        return __real_close(fd);
    }
    if (fd == FD_DIRECTORY) {
        directory_opened--;
    } else {
        open_of(fd)->file->opened--;
        open_of(fd)->file = NULL;
    }
    return 0;
}

ssize_t __wrap_read(int fd, void *out, size_t size)
{
    if (!is_here(fd)) {
        return __real_read(fd, out, size);
    }
    struct open_file *from = open_of(fd);
    const size_t got = fuzz_file_read(from->file, out, size, from->at);
    from->at += got;
    return (ssize_t) got;
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t at)
{
    if (!is_here(fd)) {
        return __real_pwrite(fd, data, size, at);
    }
    return fuzz_file_write(open_of(fd)->file, data, size, (size_t) at) ? (ssize_t) size
                                                                       : fail(ENOSPC);
}

int __wrap_ftruncate(int fd, off_t size)
{
    if (!is_here(fd)) {
        return __real_ftruncate(fd, size);
    }
    if ((size_t) size > FUZZ_FILE_BYTES_MAX) {
        return fail(ENOSPC);
    }
    fuzz_file_resize(open_of(fd)->file, (size_t) size);
    return 0;
}

int __wrap_flock(int fd, int how)
{
    return is_here(fd) ? 0 : __real_flock(fd, how);
}

int __wrap_fsync(int fd)
{
    return is_here(fd) ? 0 : __real_fsync(fd);
}

int __wrap_fstatat(int directory, const char *path, struct stat *found_out, int flags)
{
    if (!is_here(directory)) {
        return __real_fstatat(directory, path, found_out, flags);
    }
    const struct fuzz_file *file = fuzz_disk_find(path);
    if (file == NULL) {
        return fail(ENOENT);
    }
    *found_out = (struct stat){.st_mode = S_IFREG | 0600, .st_size = (off_t) file->size};
    return 0;
}

int __wrap_unlinkat(int directory, const char *path, int flags)
{
    if (!is_here(directory)) {
        return __real_unlinkat(directory, path, flags);
    }
    struct fuzz_file *file = fuzz_disk_find(path);
    if (file == NULL) {
        return fail(ENOENT);
    }
    fuzz_disk_remove(file);
    return 0;
}

/* Whoever has the one open that gets a new name has it still. */
int __wrap_renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    if (!is_here(from_directory)) {
        return __real_renameat(from_directory, from, to_directory, to);
    }
    struct fuzz_file *file = fuzz_disk_find(from);
    struct fuzz_file *replaced = fuzz_disk_find(to);
    if (file == NULL) {
        return fail(ENOENT);
    }
    if (replaced != NULL) {
        fuzz_disk_remove(replaced);
    }
    CHECK_LT(strlen(to), sizeof file->name);
    memcpy(file->name, to, strlen(to) + 1);
    return 0;
}
