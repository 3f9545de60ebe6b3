/* Protected paths of a workspace. The root of a mount can be neither renamed nor removed, and
 * nothing can take its place: so each is made one, read-only, and each directory above it too. */
#include "confinement.h"
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Other mounts may be crossed: those held before. */
static int open_place(int workspace, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve =
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};

    return (int)syscall(SYS_openat2, workspace, path, &how, sizeof how);
}

static int look(int fd, int *directory, int *mount_root)
{
    struct statx status;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &status) != 0)
        return -1;
    *directory = S_ISDIR(status.stx_mode);
    *mount_root = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    return 0;
}

static int make_mount_root(int place)
{
    int fd =
        open_tree(place, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

    if (fd < 0)
        return -1;
    if (move_mount(fd, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
        return alma_close_keeping_errno(fd);
    close(fd);
    return 0;
}

/* Holds what `path` names. Returns 1 for a directory, 0 for anything else, under which nothing can
 * be, or -1. */
static int hold(int workspace, const char *path, int read_only)
{
    int directory = 0, mount_root = 0, result = -1;
    int place = open_place(workspace, path);

    if (place < 0)
        return -1;
    if (look(place, &directory, &mount_root) != 0 || (!mount_root && make_mount_root(place) != 0))
        return alma_close_keeping_errno(place);
    close(place);
    /* By its name again: it must lead to the mount. */
    place = open_place(workspace, path);
    if (place < 0 || look(place, &directory, &mount_root) != 0)
        return -1;
    if (!mount_root)
        errno = ESTALE;
    else if (directory && !read_only)
        result = 0;
    else
        result = alma_set_attributes(place, AT_RECURSIVE, MOUNT_ATTR_RDONLY, -1);
    alma_close_keeping_errno(place);
    return result == 0 ? directory : -1;
}

/* Nothing can be made in a file system that is read-only. */
static int stays_absent(int workspace, const char *above)
{
    int fd = open_place(workspace, above);
    int result = fd >= 0 && faccessat(fd, ".", W_OK, 0) != 0 && errno == EROFS;

    if (fd >= 0)
        close(fd);
    return result;
}

static int hold_all_above(int workspace, const char *path)
{
    char part[PATH_MAX];
    size_t above = 0;
    int directory;

    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        directory = hold(workspace, part, path[i] == 0);
        if (directory < 0) {
            part[above] = 0;
            return errno == ENOENT && stays_absent(workspace, above > 0 ? part : ".") ? 0 : -1;
        }
        if (!directory)
            return 0;
        above = i;
    }
    return 0;
}

int alma_hold_path(const char *path)
{
    int workspace, result;

    if (strlen(path) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    workspace = open("/workspace", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (workspace < 0)
        return -1;
    result = hold_all_above(workspace, path);
    alma_close_keeping_errno(workspace);
    return result;
}
