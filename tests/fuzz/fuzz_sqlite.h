/* SPDX-License-Identifier: MIT */
/* SQLite's memory out of a pool of the fuzzer's own, and SQLite without locks: to open a journal takes some
 * thousand allocations, and in the sanitizer's allocator they would take most of the time. What SQLite has
 * freed is poisoned, so whoever reads it too late is seen still. */
#ifndef CANCELD_TESTS_FUZZ_SQLITE_H
#define CANCELD_TESTS_FUZZ_SQLITE_H

/* Before SQLite is used at all. */
void fuzz_sqlite_begin(void);

#endif
