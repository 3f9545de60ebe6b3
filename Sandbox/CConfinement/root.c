/* The root of the sandbox: empty, in memory, with read-only views of the host. */
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

static int place_source(const struct alma_view *view, const struct source *source)
{
    if (source->link[0] != 0)
        return alma_make_parents(view->path) == 0 && symlink(source->link, view->path + 1) == 0
                   ? 0
                   : -1;
    if (source->fd < 0)
        return 0;
    if (alma_make_mount_point(view->path, source->directory) != 0 ||
        alma_set_attributes(source->fd, AT_RECURSIVE,
                            MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, -1) != 0)
        return -1;
    return alma_move_to(source->fd, view->path + 1);
}

/* Sparse, and read-only like all of the root: what is mapped from it can be neither shared nor
 * kept. */
static int place_zeros(void)
{
    int fd = open("dev/zero", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    int result = fd < 0 ? -1 : ftruncate(fd, 1LL << 40);

    if (fd >= 0)
        alma_close_keeping_errno(fd);
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
        if (alma_make_mount_point(devices[i], 0) != 0 ||
            /* Read-only keeps their owners, modes and times; nodev would close them. */
            alma_set_attributes(fds[i], 0, attributes, -1) != 0 ||
            alma_move_to(fds[i], devices[i] + 1) != 0)
            return -1;
    }
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        if (symlink(links[i][0], links[i][1]) != 0)
            return -1;
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
        if (alma_write_text(files[i][0], files[i][1], strlen(files[i][1]), 0444) != 0)
            return -1;
    return 0;
}

static int place_memory(const char *path, const struct alma_plan *plan)
{
    int fd = alma_memory_fs(plan->tmp_bytes, plan->tmp_inodes, "1777", -1, -1,
                            MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);

    return fd < 0 ? -1 : alma_move_to(fd, path);
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
        alma_move_to(proc, "proc") != 0)
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
    root = alma_memory_fs(ROOT_BYTES, ROOT_INODES, "0755", -1, -1,
                          MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
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
