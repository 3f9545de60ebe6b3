/* Pieces of file systems: detached mounts for a task, mount points, small files. */
#include "confinement.h"
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int alma_set_attributes(int fd, unsigned flags, uint64_t attributes, int idmap)
{
    struct mount_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.attr_set = alma_left_out(ALMA_LAYER_MOUNT) ? 0 : attributes;
    if (idmap >= 0) {
        attr.attr_set |= MOUNT_ATTR_IDMAP;
        attr.userns_fd = (uint64_t)idmap;
    }
    return mount_setattr(fd, "", AT_EMPTY_PATH | flags, &attr, sizeof attr);
}

int alma_close_keeping_errno(int fd)
{
    int saved = errno;

    close(fd);
    errno = saved;
    return -1;
}

int alma_memory_fs(uint64_t bytes, uint64_t inodes, const char *mode, long uid, long gid,
                   uint64_t attributes)
{
    char size[32], count[32], owner[32], group[32];
    int context = fsopen("tmpfs", FSOPEN_CLOEXEC), fd;

    if (context < 0)
        return -1;
    snprintf(size, sizeof size, "%llu", (unsigned long long)bytes);
    snprintf(count, sizeof count, "%llu", (unsigned long long)inodes);
    snprintf(owner, sizeof owner, "%ld", uid);
    snprintf(group, sizeof group, "%ld", gid);
    if (fsconfig(context, FSCONFIG_SET_STRING, "size", size, 0) != 0 ||
        fsconfig(context, FSCONFIG_SET_STRING, "nr_inodes", count, 0) != 0 ||
        fsconfig(context, FSCONFIG_SET_STRING, "mode", mode, 0) != 0 ||
        (uid >= 0 && fsconfig(context, FSCONFIG_SET_STRING, "uid", owner, 0) != 0) ||
        (gid >= 0 && fsconfig(context, FSCONFIG_SET_STRING, "gid", group, 0) != 0) ||
        fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
        return alma_close_keeping_errno(context);
    fd = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)attributes);
    alma_close_keeping_errno(context);
    return fd;
}

int alma_move_to(int fd, const char *target)
{
    int result = move_mount(fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);

    alma_close_keeping_errno(fd);
    return result;
}

int alma_detached_memory(uint64_t bytes, uint64_t inodes, uid_t uid, gid_t gid)
{
    return alma_memory_fs(bytes, inodes, "0700", uid, gid, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

int alma_detached_mount(const char *path, uint64_t device, uint64_t inode, int idmap, int flags)
{
    /* In a user namespace the mounts below are locked and must come along. */
    unsigned recursive = flags & ALMA_ATTACH_RECURSIVE ? AT_RECURSIVE : 0;
    uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    struct stat found;
    int fd = open_tree(AT_FDCWD, path,
                       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | recursive);

    if (fd < 0)
        return -1;
    /* The name may have changed its meaning since the coordinator pinned it. */
    if (fstat(fd, &found) != 0 || found.st_dev != device || found.st_ino != inode) {
        errno = ESTALE;
        return alma_close_keeping_errno(fd);
    }
    if (flags & ALMA_ATTACH_READ_ONLY)
        attributes |= MOUNT_ATTR_RDONLY;
    if (alma_set_attributes(fd, recursive, attributes, idmap) != 0)
        return alma_close_keeping_errno(fd);
    return fd;
}

/* Makes the directories above `path`, an absolute path that is used relative to the current
 * directory. */
int alma_make_parents(const char *path)
{
    char part[PATH_MAX];
    size_t length = strlen(path);

    if (length >= sizeof part) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (size_t i = 1; i < length; i++) {
        if (path[i] != '/')
            continue;
        memcpy(part, path + 1, i - 1);
        part[i - 1] = 0;
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return -1;
    }
    return 0;
}

int alma_make_mount_point(const char *path, int directory)
{
    int fd;

    if (alma_make_parents(path) != 0)
        return -1;
    if (directory)
        return mkdir(path + 1, 0755) == 0 || errno == EEXIST ? 0 : -1;
    fd = open(path + 1, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

int alma_write_text(const char *path, const void *text, size_t length, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    ssize_t written = 0;

    if (fd < 0)
        return -1;
    for (size_t done = 0; done < length; done += (size_t)written) {
        written = write(fd, (const char *)text + done, length - done);
        if (written < 0)
            return alma_close_keeping_errno(fd);
    }
    if (fchmod(fd, mode) != 0)
        return alma_close_keeping_errno(fd);
    close(fd);
    return 0;
}

int alma_attach_mount(int mount, const char *target)
{
    struct stat status;

    if (fstat(mount, &status) != 0 || chdir("/") != 0)
        return -1;
    if (alma_make_mount_point(target, S_ISDIR(status.st_mode)) != 0 && errno != EROFS)
        return -1;
    return move_mount(mount, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
}

/* Opened through another mount of the same files, which stays writable when the root is sealed. */
int alma_open_script(const char *name)
{
    int fd, tree;

    errno = EINVAL;
    if (strchr(name, '/') != NULL || name[0] == 0 || strlen(name) > 255)
        return -1;
    tree = open_tree(AT_FDCWD, "/run/alma", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0)
        return -1;
    fd = openat(tree, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0555);
    alma_close_keeping_errno(tree);
    return fd;
}
