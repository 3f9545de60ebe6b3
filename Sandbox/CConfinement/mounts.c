/* The sandbox's file system: an empty root in memory with read-only views of the host, and what is
 * attached later. */
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_VIEWS 64
#define ROOT_BYTES (16u << 20) /* synthetic files and one script */
#define ROOT_INODES 4096

static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                      "/dev/urandom"};
#define DEVICE_COUNT (sizeof devices / sizeof devices[0])

/* A view that was opened on the host and waits for its place in the new root. */
struct source {
    int fd; /* a detached mount; -1: a symbolic link or nothing */
    int directory;
    char link[256]; /* where a symbolic link points */
};

static int set_attributes(int fd, unsigned flags, uint64_t attributes, int idmap)
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

static int close_keeping_errno(int fd)
{
    int saved = errno;

    close(fd);
    errno = saved;
    return -1;
}

static int memory_fs(uint64_t bytes, uint64_t inodes, const char *mode, long uid, long gid,
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
        return close_keeping_errno(context);
    fd = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)attributes);
    close_keeping_errno(context);
    return fd;
}

static int move_to(int fd, const char *target)
{
    int result = move_mount(fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);

    close_keeping_errno(fd);
    return result;
}

/* ---- what the spawner opens for a task ---- */

int alma_detached_memory(uint64_t bytes, uint64_t inodes, uid_t uid, gid_t gid)
{
    return memory_fs(bytes, inodes, "0700", uid, gid, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
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
        return close_keeping_errno(fd);
    }
    if (flags & ALMA_ATTACH_READ_ONLY)
        attributes |= MOUNT_ATTR_RDONLY;
    if (set_attributes(fd, recursive, attributes, idmap) != 0)
        return close_keeping_errno(fd);
    return fd;
}

/* ---- the root ---- */

/* Opens the host's side of a view before the new ids are taken: afterwards a private parent would
 * be closed to us. */
static int open_source(const struct alma_view *view, struct source *source)
{
    struct stat status;
    ssize_t length;

    source->fd = -1;
    source->link[0] = 0;
    if (lstat(view->path, &status) != 0)
        return errno == ENOENT && view->optional ? 0 : -1;
    if (S_ISLNK(status.st_mode)) {
        length = readlink(view->path, source->link, sizeof source->link - 1);
        if (length < 0)
            return -1;
        source->link[length] = 0;
        return 0;
    }
    source->directory = S_ISDIR(status.st_mode);
    source->fd =
        open_tree(AT_FDCWD, view->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    return source->fd < 0 ? -1 : 0;
}

/* Makes the directories above `path`, an absolute path that is used relative to the current
 * directory. */
static int make_parents(const char *path)
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

static int make_mount_point(const char *path, int directory)
{
    int fd;

    if (make_parents(path) != 0)
        return -1;
    if (directory)
        return mkdir(path + 1, 0755) == 0 || errno == EEXIST ? 0 : -1;
    fd = open(path + 1, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int place_source(const struct alma_view *view, const struct source *source)
{
    if (source->link[0] != 0)
        return make_parents(view->path) == 0 && symlink(source->link, view->path + 1) == 0 ? 0 : -1;
    if (source->fd < 0)
        return 0;
    if (make_mount_point(view->path, source->directory) != 0 ||
        set_attributes(source->fd, AT_RECURSIVE,
                       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, -1) != 0)
        return -1;
    return move_to(source->fd, view->path + 1);
}

/* Sparse, and read-only like all of the root: what is mapped from it can be neither shared nor
 * kept. */
static int place_zeros(void)
{
    int fd = open("dev/zero", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    int result = fd < 0 ? -1 : ftruncate(fd, 1LL << 40);

    if (fd >= 0)
        close_keeping_errno(fd);
    return result;
}

static int place_devices(const int *fds, int plain_zero)
{
    static const char *const links[][2] = {
        {"/proc/self/fd", "dev/fd"},
        {"/proc/self/fd/0", "dev/stdin"},
        {"/proc/self/fd/1", "dev/stdout"},
        {"/proc/self/fd/2", "dev/stderr"},
    };
    const uint64_t attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;

    for (size_t i = 0; i < DEVICE_COUNT; i++) {
        if (plain_zero && strcmp(devices[i], "/dev/zero") == 0) {
            if (place_zeros() != 0)
                return -1;
            close(fds[i]);
            continue;
        }
        if (make_mount_point(devices[i], 0) != 0 ||
            /* Read-only keeps their owners, modes and times; nodev would close them. */
            set_attributes(fds[i], 0, attributes, -1) != 0 || move_to(fds[i], devices[i] + 1) != 0)
            return -1;
    }
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        if (symlink(links[i][0], links[i][1]) != 0)
            return -1;
    return 0;
}

static int write_text(const char *path, const void *text, size_t length, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    ssize_t written = 0;

    if (fd < 0)
        return -1;
    for (size_t done = 0; done < length; done += (size_t)written) {
        written = write(fd, (const char *)text + done, length - done);
        if (written < 0)
            return close_keeping_errno(fd);
    }
    if (fchmod(fd, mode) != 0)
        return close_keeping_errno(fd);
    close(fd);
    return 0;
}

static int place_synthetic_files(void)
{
    static const char *const files[][2] = {
        {"etc/passwd", "sandbox:x:1000:1000:sandbox:/tmp/home:/bin/sh\n"
                       "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
        {"etc/group", "sandbox:x:1000:\nnogroup:x:65534:\n"},
        {"run/.closed", "Landlock keeps this closed.\n"}, /* see probe_landlock */
        {"etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"},
        {"etc/hostname", "alma\n"},
        {"etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"},
    };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (write_text(files[i][0], files[i][1], strlen(files[i][1]), 0444) != 0)
            return -1;
    return 0;
}

static int place_memory(const char *path, const struct alma_plan *plan)
{
    int fd = memory_fs(plan->tmp_bytes, plan->tmp_inodes, "1777", -1, -1,
                       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);

    return fd < 0 ? -1 : move_to(fd, path);
}

static int fill_root(const struct alma_plan *plan, const struct source *sources,
                     const int *device_fds, int proc)
{
    static const char *const directories[] = {"etc", "dev",       "dev/shm", "proc",
                                              "tmp", "workspace", "run",     "run/alma"};

    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++)
        if (mkdir(directories[i], 0755) != 0)
            return -1;
    for (size_t i = 0; i < plan->view_count; i++)
        if (place_source(&plan->views[i], &sources[i]) != 0)
            return -1;
    if (place_devices(device_fds, plan->plain_zero) != 0 || place_synthetic_files() != 0 ||
        place_memory("tmp", plan) != 0 || place_memory("dev/shm", plan) != 0 ||
        move_to(proc, "proc") != 0)
        return -1;
    return mkdir("tmp/home", 0700);
}

/* Opens all sources, takes the sandbox's ids (files made before would belong to nobody), builds the
 * root and moves into it. It is put together on /proc, a place where no view can lie. */
int alma_build_root(const struct alma_plan *plan)
{
    struct source sources[MOST_VIEWS];
    int device_fds[DEVICE_COUNT], root, proc;

    if (plan->view_count > MOST_VIEWS) {
        errno = E2BIG;
        return -1;
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return -1;
    for (size_t i = 0; i < plan->view_count; i++)
        if (open_source(&plan->views[i], &sources[i]) != 0)
            return -1;
    for (size_t i = 0; i < DEVICE_COUNT; i++)
        if ((device_fds[i] = open_tree(AT_FDCWD, devices[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)) <
            0)
            return -1;
    /* A new /proc can be mounted only where an old one is visible; init takes this one away. */
    proc = open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (proc < 0 || alma_take_identity() != 0)
        return -1;
    root = memory_fs(ROOT_BYTES, ROOT_INODES, "0755", -1, -1, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (root < 0 || move_mount(root, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) != 0 ||
        fchdir(root) != 0)
        return -1;
    close(root);
    if (fill_root(plan, sources, device_fds, proc) != 0)
        return -1;
    /* The old root lands on top of the new one and goes. */
    if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
        return -1;
    return 0;
}

int alma_seal_root(void)
{
    struct mount_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.attr_set = MOUNT_ATTR_RDONLY;
    return alma_left_out(ALMA_LAYER_MOUNT) ? 0
                                           : mount_setattr(AT_FDCWD, "/", 0, &attr, sizeof attr);
}

int alma_attach_mount(int mount, const char *target)
{
    struct stat status;

    if (fstat(mount, &status) != 0 || chdir("/") != 0)
        return -1;
    if (make_mount_point(target, S_ISDIR(status.st_mode)) != 0 && errno != EROFS)
        return -1;
    return move_mount(mount, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
}

int alma_place_script(const char *name, const void *bytes, size_t length)
{
    char path[300];

    if (strchr(name, '/') != NULL || name[0] == 0 || strlen(name) > 255 ||
        strcmp(name, "..") == 0 || strcmp(name, ".") == 0) {
        errno = EINVAL;
        return -1;
    }
    snprintf(path, sizeof path, "/run/alma/%s", name);
    return write_text(path, bytes, length, 0555);
}
