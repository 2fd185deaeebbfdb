/* SPDX-License-Identifier: MIT */
/* A directory in memory for a target that would else write real files: the system calls of a journal and SQLite's
 * own are answered out of it, where the target's link wraps them (CANCELD_FUZZ_DISK in CMakeLists.txt). All else
 * goes to the system. It never fails, but where a file would outgrow its room: then the disk is full. */
#ifndef CANCELD_TESTS_FUZZ_DISK_H
#define CANCELD_TESTS_FUZZ_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZ_DISK_DIRECTORY "/fuzz"
#define FUZZ_FILE_BYTES_MAX ((size_t) 1 << 19)

struct fuzz_file {
    char name[32]; /* "": there is none */
    size_t size;
    size_t opened; /* so often, now */
    uint8_t *data; /* FUZZ_FILE_BYTES_MAX of them */
};

/* SQLite's files are here as well from now on. After fuzz_sqlite_begin(). */
void fuzz_disk_begin(void);

/* Nothing is left of what was there. Nobody has anything open. */
void fuzz_disk_clear(void);

/* NULL: there is none. */
struct fuzz_file *fuzz_disk_find(const char *name);

/* The one of that name, or a new one that is empty. */
struct fuzz_file *fuzz_disk_make(const char *name);

/* Nobody has it open. */
void fuzz_disk_remove(struct fuzz_file *file);

/* Copies what is there of these bytes, and returns how many. */
size_t fuzz_file_read(const struct fuzz_file *file, void *out, size_t size, size_t at);

/* What is new is zero. */
void fuzz_file_resize(struct fuzz_file *file, size_t size);

/* False: there is no room for them. */
bool fuzz_file_write(struct fuzz_file *file, const void *data, size_t size, size_t at);

#endif
