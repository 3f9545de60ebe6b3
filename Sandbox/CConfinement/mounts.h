/* What root.c needs of mounts.c. */
#ifndef ALMA_MOUNTS_H
#define ALMA_MOUNTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* -1, after closing `fd` without touching errno. */
int alma_close_keeping_errno(int fd);
/* Sets mount attributes on a detached mount; idmap is a descriptor or -1. */
int alma_set_attributes(int fd, unsigned flags, uint64_t attributes, int idmap);
/* A detached file system in memory; uid and gid below 0 are the caller's. */
int alma_memory_fs(uint64_t bytes, uint64_t inodes, const char *mode, long uid, long gid,
                   uint64_t attributes);
/* Attaches a detached mount and closes its descriptor. */
int alma_move_to(int fd, const char *target);
/* Both take an absolute path and use it relative to the current directory. */
int alma_make_parents(const char *path);
int alma_make_mount_point(const char *path, int directory);
/* A new file with exactly this mode. */
int alma_write_text(const char *path, const void *text, size_t length, mode_t mode);

#endif
