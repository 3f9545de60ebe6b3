/* Every call that could change what is mounted, and the calls that find files without a path. */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers that the oldest headers lack; the same on every architecture. */
enum {
    NUMBER_OPEN_TREE = 428,
    NUMBER_MOVE_MOUNT = 429,
    NUMBER_FSOPEN = 430,
    NUMBER_FSCONFIG = 431,
    NUMBER_FSMOUNT = 432,
    NUMBER_FSPICK = 433,
    NUMBER_MOUNT_SETATTR = 442,
    NUMBER_STATMOUNT = 457,
    NUMBER_LISTMOUNT = 458,
    NUMBER_OPEN_TREE_ATTR = 467,
};

static const int refused[] = {EPERM, ENOSYS, 0};

struct attributes {
    uint64_t set, clear, propagation, user_namespace;
};

/* The rights to mount, wherever they can be had. */
static void gain_rights(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0)
        printf("in namespaces of its own\n");
}

static void old_calls(void)
{
    judge("mount a tmpfs", mount("alma-planted", "/tmp", "tmpfs", 0, NULL), refused);
    judge("mount proc", mount("alma-planted", "/tmp", "proc", 0, NULL), refused);
    judge("bind", mount("/usr", "/tmp", NULL, MS_BIND | MS_REC, NULL), refused);
    judge("move", mount("/workspace", "/tmp", NULL, MS_MOVE, NULL), refused);
    judge("share", mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL), refused);
    judge("pivot_root", syscall(SYS_pivot_root, "/tmp", "/tmp"), refused);
    judge("pivot_root .", syscall(SYS_pivot_root, ".", "."), refused);
    judge("chroot", chroot("/tmp"), refused);
}

static void new_calls(void)
{
    struct attributes clear = {.clear = 1};
    int none = -1;

    judge("fsopen", syscall(NUMBER_FSOPEN, "tmpfs", 0), refused);
    judge("fsconfig", syscall(NUMBER_FSCONFIG, none, 6, NULL, NULL, 0), refused);
    judge("fsmount", syscall(NUMBER_FSMOUNT, none, 0, 0), refused);
    judge("fspick", syscall(NUMBER_FSPICK, AT_FDCWD, "/tmp", 0), refused);
    judge("open_tree", syscall(NUMBER_OPEN_TREE, AT_FDCWD, "/usr", 1), refused);
    judge("open_tree /", syscall(NUMBER_OPEN_TREE, AT_FDCWD, "/", 0x8001), refused);
    judge("open_tree_attr",
          syscall(NUMBER_OPEN_TREE_ATTR, AT_FDCWD, "/usr", 1, &clear, sizeof clear), refused);
    judge("move_mount", syscall(NUMBER_MOVE_MOUNT, AT_FDCWD, "/usr", AT_FDCWD, "/tmp", 0), refused);
    judge("mount_setattr",
          syscall(NUMBER_MOUNT_SETATTR, AT_FDCWD, "/usr", 0, &clear, sizeof clear), refused);
    judge("statmount", syscall(NUMBER_STATMOUNT, NULL, NULL, 0, 0), refused);
    judge("listmount", syscall(NUMBER_LISTMOUNT, NULL, NULL, 0, 0), refused);
}

int attempt_mounts(int argc, char **argv)
{
    (void)argc, (void)argv;
    gain_rights();
    old_calls();
    new_calls();
    return 0;
}

static void is_read_only(const char *path)
{
    const int wanted[] = {EROFS, EACCES, 0};

    judge(path, open(path, O_WRONLY | O_CREAT, 0600), wanted);
}

int attempt_remounts(int argc, char **argv)
{
    static const char *const read_only[] = {"/", "/usr", "/dev/null", "/dev/zero", "/proc/sys"};
    static const char *const covers[] = {"/proc", "/proc/keys",   "/proc/kallsyms", "/workspace",
                                         "/",     "/proc/sys", "/workspace/.envrc"};
    const unsigned long flags[] = {MS_REMOUNT, MS_REMOUNT | MS_BIND,
                                   MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV};
    struct stat status;
    char what[100];

    (void)argc, (void)argv;
    gain_rights();
    for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++)
        for (size_t j = 0; j < sizeof flags / sizeof *flags; j++) {
            snprintf(what, sizeof what, "remount %s with %#lx", read_only[i], flags[j]);
            judge(what, mount(NULL, read_only[i], NULL, flags[j], NULL), refused);
        }
    for (size_t i = 0; i < sizeof covers / sizeof *covers; i++) {
        snprintf(what, sizeof what, "umount %s", covers[i]);
        judge(what, umount2(covers[i], MNT_DETACH), refused);
        judge(what, umount2(covers[i], MNT_FORCE), refused);
        judge(what, umount2(covers[i], UMOUNT_NOFOLLOW), refused);
    }
    is_read_only("/planted");
    is_read_only("/usr/planted");
    is_read_only("/usr/bin/planted");
    /* Still what covers it. */
    if (stat("/proc/keys", &status) == 0 && S_ISCHR(status.st_mode))
        held("/proc/keys is covered");
    else
        broken("/proc/keys", "is uncovered", status.st_mode);
    return 0;
}

int attempt_handles(int argc, char **argv)
{
    static const char *const paths[] = {"/", "/usr", "/usr/bin", "/workspace", "/tmp", "/proc"};
    struct {
        struct file_handle handle;
        unsigned char bytes[128];
    } buffer;
    int mount = 0;

    (void)argc, (void)argv;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        memset(&buffer, 0, sizeof buffer);
        buffer.handle.handle_bytes = sizeof buffer.bytes;
        judge("name_to_handle_at",
              name_to_handle_at(AT_FDCWD, paths[i], &buffer.handle, &mount, 0), refused);
        /* As in the exploit of old: guess the root's inode of the host's file system. */
        buffer.handle.handle_bytes = 8;
        buffer.handle.handle_type = 1;
        buffer.bytes[0] = 2;
        int place = open(paths[i], O_RDONLY | O_DIRECTORY);
        judge("open_by_handle_at", open_by_handle_at(place, &buffer.handle, O_RDONLY), refused);
        close(place);
    }
    return 0;
}

/* Whether a program with set-id bits changes who it is. */
int attempt_identity(int argc, char **argv)
{
    uid_t real, effective, saved;
    gid_t real_group, effective_group, saved_group;

    (void)argc;
    if (getresuid(&real, &effective, &saved) != 0 ||
        getresgid(&real_group, &effective_group, &saved_group) != 0)
        return 1;
    if (real != effective || effective != saved || effective == 0)
        broken(argv[0], "is another user", effective);
    else if (real_group != effective_group || effective_group != saved_group)
        broken(argv[0], "is in another group", effective_group);
    else
        held("stays who it is");
    return 0;
}
