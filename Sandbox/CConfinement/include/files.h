#ifndef ALMA_FILES_H
#define ALMA_FILES_H

#include <stdint.h>

/* O_PATH, which Swift's Glibc module hides; files.c checks the number. */
#define ALMA_O_PATH 010000000

/* openat2 with close-on-exec always set, that resolves beneath `directory`: no symbolic links, no
 * magic links, no other mounts. Returns a descriptor, or -1 with errno (EXDEV: leads outside,
 * ELOOP: a symbolic link). */
int alma_open_beneath(int directory, const char *path, uint64_t flags);

/* Renames without following links. Fails with EEXIST when the new name is taken. Returns 0, or -1
 * with errno. */
int alma_rename_new(int from_directory, const char *from, int to_directory, const char *to);

/* memmem, which Swift's Glibc module hides: the offset of the first `pattern` in `text`, or -1. */
int64_t alma_find(const uint8_t *text, uint64_t text_size, const uint8_t *pattern,
                  uint64_t pattern_size);

#endif
