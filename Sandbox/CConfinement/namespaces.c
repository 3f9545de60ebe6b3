/* User namespaces: the sandbox's own, the spawner's, and those that only carry an id mapping. */
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SANDBOX_ID 1000

int alma_is_privileged(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    const uint32_t needed = 1u << CAP_SYS_ADMIN | 1u << CAP_SETUID | 1u << CAP_SETGID;

    if (syscall(SYS_capget, &header, data) != 0)
        return 0;
    return (data[0].effective & needed) == needed;
}

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t written;
    int saved;

    if (fd < 0)
        return -1;
    written = write(fd, text, strlen(text));
    saved = errno;
    close(fd);
    errno = saved;
    return written == (ssize_t)strlen(text) ? 0 : -1;
}

/* setgroups must be denied before an unprivileged process may write gid_map (EPERM otherwise). */
static int write_maps(pid_t pid, const char *uid_map, const char *gid_map, int deny_setgroups)
{
    char path[64];

    if (deny_setgroups) {
        snprintf(path, sizeof path, "/proc/%d/setgroups", pid);
        if (write_file(path, "deny") != 0)
            return -1;
    }
    snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
    if (write_file(path, uid_map) != 0)
        return -1;
    snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
    return write_file(path, gid_map);
}

int alma_enter_host_view(void)
{
    char uid_map[64], gid_map[64];
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (alma_set_dumpable(1) != 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return -1;
    snprintf(uid_map, sizeof uid_map, "%u %u 1", uid, uid);
    snprintf(gid_map, sizeof gid_map, "%u %u 1", gid, gid);
    if (write_maps(getpid(), uid_map, gid_map, 1) != 0)
        return -1;
    /* Slave, not private: what the host mounts later is seen, and what it unmounts is let go. */
    return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
}

int alma_enter_user_namespace(int sync)
{
    char byte = 0;

    /* Only the privileged can, and only they have foreign groups to lose; the rest keep theirs
     * unmapped. */
    if (alma_is_privileged() && setgroups(0, NULL) != 0 && errno != EPERM)
        return -1;
    if (!alma_left_out(ALMA_LAYER_USER) && unshare(CLONE_NEWUSER) != 0)
        return -1;
    if (send(sync, &byte, 1, MSG_NOSIGNAL) != 1 || recv(sync, &byte, 1, 0) != 1) {
        errno = EPIPE;
        return -1;
    }
    return 0;
}

int alma_map_identity(int sync, pid_t pid, uid_t uid, gid_t gid)
{
    char uid_map[64], gid_map[64], byte;

    if (recv(sync, &byte, 1, 0) != 1) {
        errno = EPIPE;
        return -1;
    }
    snprintf(uid_map, sizeof uid_map, "%d %u 1", SANDBOX_ID, uid);
    snprintf(gid_map, sizeof gid_map, "%d %u 1", SANDBOX_ID, gid);
    if (!alma_left_out(ALMA_LAYER_USER) && write_maps(pid, uid_map, gid_map, 1) != 0)
        return -1;
    return send(sync, &byte, 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* A namespace needs a process to be made; this one only waits to be killed. */
static int idmap_holder(int sync)
{
    char byte = 0;

    if (unshare(CLONE_NEWUSER) != 0)
        byte = (char)errno;
    if (send(sync, &byte, 1, MSG_NOSIGNAL) != 1)
        return 1;
    (void)recv(sync, &byte, 1, 0);
    return 0;
}

static int open_mapped(int sync, pid_t pid, const char *uid_map, const char *gid_map)
{
    char path[64], byte = 0;

    if (recv(sync, &byte, 1, 0) != 1 || byte != 0) {
        errno = byte != 0 ? byte : EPIPE;
        return -1;
    }
    if (write_maps(pid, uid_map, gid_map, 0) != 0)
        return -1;
    snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

int alma_idmap_namespace(uid_t owner, gid_t group, uid_t uid, gid_t gid)
{
    char uid_map[64], gid_map[64];
    int sync[2], fd, saved;
    pid_t pid;

    snprintf(uid_map, sizeof uid_map, "%u %u 1", owner, uid);
    snprintf(gid_map, sizeof gid_map, "%u %u 1", group, gid);
    if (alma_socketpair(SOCK_STREAM, sync) != 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        close(sync[0]);
        _exit(idmap_holder(sync[1]));
    }
    close(sync[1]);
    fd = pid < 0 ? -1 : open_mapped(sync[0], pid, uid_map, gid_map);
    saved = errno;
    close(sync[0]); /* the holder's recv ends, and so does it */
    if (pid > 0)
        waitpid(pid, NULL, 0);
    errno = saved;
    return fd;
}
