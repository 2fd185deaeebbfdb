/* SPDX-License-Identifier: MIT */
/* Gives a fuzzer's entry each file of its corpus, whole and cut off: at every length where the file is
 * small, at some of them where it is large. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX ((size_t) 65536)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes end where their memory does. */
static void give(const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL) {
        exit(1);
    }
    memcpy(exact, bytes, size);
    (void) LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static int give_file(const char *name)
{
    static uint8_t bytes[FILE_BYTES_MAX];
    char path[1024];
    (void) snprintf(path, sizeof path, "%s/%s", FUZZ_FILES, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        (void) fprintf(stderr, "%s cannot be read\n", path);
        return 1;
    }
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    (void) fclose(file);
    for (size_t part = 0; part < size; part += 1 + size / FUZZ_CUTS) {
        give(bytes, part);
    }
    give(bytes, size);
    return 0;
}

int main(void)
{
    DIR *directory = opendir(FUZZ_FILES);
    if (directory == NULL) {
        (void) fprintf(stderr, "there is no %s\n", FUZZ_FILES);
        return 1;
    }
    int failed = 0;
    size_t count = 0;
    for (const struct dirent *entry = readdir(directory); entry != NULL && failed == 0;
         entry = readdir(directory)) {
        if (entry->d_name[0] != '.') {
            failed = give_file(entry->d_name);
            count++;
        }
    }
    (void) closedir(directory);
    (void) printf("%zu files\n", count);
    return failed != 0 || count == 0;
}
