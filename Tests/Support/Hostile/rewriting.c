/* A second thread rewrites what the arguments of a call point to while the call is decided. */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* struct clone_args up to `tls`. */
static volatile uint64_t clone_arguments[8];
static volatile char path[64] = "/workspace/own";
static volatile uint64_t how[3]; /* struct open_how */
static volatile struct sockaddr_un address = {.sun_family = AF_UNIX};
static atomic_int over;

static const char *const paths[] = {"/workspace/own", "/proc/1/root/x"};

static void *rewrite(void *unused)
{
    (void)unused;
    for (unsigned i = 0; !atomic_load(&over); i++) {
        clone_arguments[0] = i & 1 ? 0x10000000 : 0; /* CLONE_NEWUSER */
        clone_arguments[4] = SIGCHLD;
        for (size_t c = 0; c < 15; c++)
            path[c] = paths[i & 1][c];
        how[0] = i & 1 ? O_RDONLY : O_RDWR | O_CREAT;
        how[1] = i & 1 ? 0 : 04755;
        address.sun_path[0] = i & 1 ? '/' : 0;
    }
    return NULL;
}

static int tries, got_through;

static void refused(const char *what, long result, int wanted)
{
    tries++;
    if (result == 0 && strcmp(what, "clone3") == 0)
        _exit(0); /* the new process */
    if (result != -1 || errno != wanted) {
        if (got_through++ == 0)
            broken(what, result == -1 ? strerror(errno) : "returned", result);
    }
}

static void try_all(int reported)
{
    int pair[2] = {-1, -1};

    refused("clone3", syscall(435, clone_arguments, 64), ENOSYS);
    refused("openat2", syscall(437, AT_FDCWD, path, how, 24), ENOSYS);
    if (!reported)
        return;
    refused("mount", syscall(SYS_mount, path, "/tmp", "tmpfs", 0, 0), EPERM);
    refused("chroot", syscall(SYS_chroot, path), EPERM);
    refused("chmod", chmod((const char *)path, 04755), EPERM);
    refused("open", open((const char *)path, O_RDWR | O_CREAT, 06755), EPERM);
    refused("pair", socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), EPERM);
    refused("socket", socket(AF_INET, SOCK_STREAM, 0), EPERM);
}

/* Whatever the paths said: nothing of the kind was made. */
static void look(void)
{
    struct stat status;

    if (stat(paths[0], &status) == 0 && status.st_mode & 06000)
        broken("set-id file", "was made", status.st_mode);
    else
        held("no set-id file");
}

int attempt_rewriting(int argc, char **argv)
{
    pthread_t thread;

    (void)argc, (void)argv;
    close(open("/workspace/own", O_CREAT | O_RDWR | O_CLOEXEC, 0755));
    if (pthread_create(&thread, NULL, rewrite, NULL) != 0)
        return 1;
    for (int i = 0; i < 100000 && got_through == 0; i++)
        try_all(i % 50 == 0);
    atomic_store(&over, 1);
    pthread_join(thread, NULL);
    if (got_through == 0 && tries > 200000)
        held("every call was refused the same");
    look();
    return 0;
}
