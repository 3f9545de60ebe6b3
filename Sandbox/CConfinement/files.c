#include "files.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(ALMA_O_PATH == O_PATH, "O_PATH differs on this architecture");

int alma_open_beneath(int directory, const char *path, uint64_t flags)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int alma_rename_new(int from_directory, const char *from, int to_directory, const char *to)
{
    return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, RENAME_NOREPLACE);
}

int64_t alma_find(const uint8_t *text, uint64_t text_size, const uint8_t *pattern,
                  uint64_t pattern_size)
{
    const uint8_t *found = memmem(text, text_size, pattern, pattern_size);
    return found ? found - text : -1;
}
