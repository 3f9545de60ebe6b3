#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Everything between fork and _exit is plain system calls: no allocation, no stdio, no locale. */

static int wait_for(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : ECANCELED;
}

static int in_child(int (*step)(int), int flags)
{
    pid_t child = fork();

    if (child < 0)
        return errno;
    if (child == 0)
        _exit(step(flags) == 0 ? 0 : errno);
    return wait_for(child);
}

static int write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int saved;
    ssize_t n;

    if (fd < 0)
        return -1;
    n = write(fd, text, strlen(text));
    saved = errno;
    close(fd);
    errno = saved;
    return n < 0 ? -1 : 0;
}

/* Appends `number` in decimal and returns the new end; the buffer has room by construction. */
static char *put_number(char *end, unsigned long number)
{
    char digits[24];
    int n = 0;

    do
        digits[n++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    while (n > 0)
        *end++ = digits[--n];
    *end = '\0';
    return end;
}

static int write_map(const char *path, unsigned long inside, unsigned long outside)
{
    char line[72];
    char *end = put_number(line, inside);

    *end++ = ' ';
    end = put_number(end, outside);
    strcpy(end, " 1\n");
    return write_text(path, line);
}

/* The directory that try_idmap is about. */
static const char *idmapped;

/* Enters a user namespace, with `flags` of others, as id 1000 mapped to whoever runs this. */
static int enter(int flags)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (unshare(CLONE_NEWUSER) < 0)
        return -1;
    if (write_text("/proc/self/setgroups", "deny") < 0 && errno != ENOENT)
        return -1;
    if (write_map("/proc/self/uid_map", 1000, uid) < 0 ||
        write_map("/proc/self/gid_map", 1000, gid) < 0)
        return -1;
    return flags != 0 ? unshare(flags) : 0;
}

static int try_mount(int flags)
{
    if (enter(flags) < 0)
        return -1;
    return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
}

static int is_first(int flags)
{
    (void)flags;
    errno = ESRCH;
    return getpid() == 1 ? 0 : -1;
}

static int try_pid(int flags)
{
    if (enter(flags) < 0)
        return -1;
    errno = in_child(is_first, 0);
    return errno == 0 ? 0 : -1;
}

/* A new filesystem that is mounted nowhere yet. */
static int detached(const char *type)
{
    int context = fsopen(type, FSOPEN_CLOEXEC);
    int mounted = -1;
    int saved;

    if (context < 0)
        return -1;
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        mounted = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    saved = errno;
    close(context);
    errno = saved;
    return mounted;
}

static int try_mount_api(int flags)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    int tree, tmpfs;

    if (try_mount(flags) < 0)
        return -1;
    tree = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    tmpfs = tree < 0 ? -1 : detached("tmpfs");
    if (tmpfs < 0)
        return -1;
    if (mount_setattr(tmpfs, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
        return -1;
    return move_mount(tmpfs, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
}

static int mount_proc(int flags)
{
    (void)flags;
    return detached("proc") < 0 ? -1 : 0;
}

static int try_proc(int flags)
{
    if (enter(flags) < 0)
        return -1;
    errno = in_child(mount_proc, 0);
    return errno == 0 ? 0 : -1;
}

static int try_capabilities(int flags)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    int cap;

    if (enter(flags) < 0)
        return -1;
    for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return -1;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return -1;
    if (prctl(PR_SET_SECUREBITS, SECURE_ALL_BITS | SECURE_ALL_LOCKS, 0, 0, 0) < 0)
        return -1;
    return (int)syscall(SYS_capset, &header, none);
}

static int try_seccomp(int flags)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = 1, .filter = &allow};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0 ? -1 : 0;
}

static int try_landlock(int flags)
{
    struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE};
    long set = syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);

    (void)flags;
    if (set < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return (int)syscall(SYS_landlock_restrict_self, (int)set, 0);
}

/* The child of try_idmap: makes the user namespace, says so, stays until its parent hangs up. */
static void hold_namespace(int channel)
{
    char byte = 0;

    if (unshare(CLONE_NEWUSER) < 0)
        _exit(errno);
    if (write(channel, &byte, 1) == 1)
        (void)!read(channel, &byte, 1);
    _exit(0);
}

static int map_of(pid_t holder, const char *file, char *path)
{
    char *end;

    strcpy(path, "/proc/");
    end = put_number(path + strlen(path), (unsigned long)holder);
    strcpy(end, file);
    return write_map(path, 0, 200000);
}

static int attach_idmap(pid_t holder, const char *directory)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
    char path[64];
    int tree, ns;

    if (map_of(holder, "/uid_map", path) < 0 || map_of(holder, "/gid_map", path) < 0)
        return -1;
    strcpy(strrchr(path, '/'), "/ns/user");
    ns = open(path, O_RDONLY | O_CLOEXEC);
    tree = open_tree(AT_FDCWD, directory, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (ns < 0 || tree < 0)
        return -1;
    attr.userns_fd = (unsigned long)ns;
    return mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr);
}

static int try_idmap(int flags)
{
    int channel[2];
    int result, saved;
    char byte;
    pid_t holder;

    (void)flags;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) < 0)
        return -1;
    holder = fork();
    if (holder < 0)
        return -1;
    if (holder == 0) {
        close(channel[0]);
        hold_namespace(channel[1]);
    }
    close(channel[1]);
    if (read(channel[0], &byte, 1) != 1) {
        errno = wait_for(holder);
        return -1;
    }
    result = attach_idmap(holder, idmapped);
    saved = errno;
    close(channel[0]);
    wait_for(holder);
    errno = saved;
    return result;
}

static const struct {
    int (*step)(int);
    int flags;
} probes[ALMA_PROBE_COUNT] = {
    [ALMA_PROBE_USER] = {enter, 0},
    [ALMA_PROBE_MOUNT] = {try_mount, CLONE_NEWNS},
    [ALMA_PROBE_PID] = {try_pid, CLONE_NEWPID},
    [ALMA_PROBE_NETWORK] = {enter, CLONE_NEWNET},
    [ALMA_PROBE_IPC] = {enter, CLONE_NEWIPC},
    [ALMA_PROBE_UTS] = {enter, CLONE_NEWUTS},
    [ALMA_PROBE_CGROUP] = {enter, CLONE_NEWCGROUP},
    [ALMA_PROBE_MOUNT_API] = {try_mount_api, CLONE_NEWNS},
    [ALMA_PROBE_PROC] = {try_proc, CLONE_NEWNS | CLONE_NEWPID},
    [ALMA_PROBE_CAPABILITIES] = {try_capabilities, 0},
    [ALMA_PROBE_SECCOMP] = {try_seccomp, 0},
    [ALMA_PROBE_SECCOMP_NOTIFY] = {try_seccomp, SECCOMP_FILTER_FLAG_NEW_LISTENER},
    [ALMA_PROBE_LANDLOCK] = {try_landlock, 0},
    [ALMA_PROBE_IDMAP] = {try_idmap, 0},
};

int alma_probe_try(enum alma_probe kind, const char *directory)
{
    if (kind < 0 || kind >= ALMA_PROBE_COUNT)
        return EINVAL;
    idmapped = directory;
    return in_child(probes[kind].step, probes[kind].flags);
}

int alma_probe_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return abi < 0 ? -errno : (int)abi;
}
