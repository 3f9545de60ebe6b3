/* Limits that each process carries; those of the whole tree are the executor's and the cgroup's. */
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

/* init and the executor are counted with the task by the kernel. */
#define OWN_PROCESSES 2

static int limit_of(pid_t pid, int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit value = {soft, hard};
    struct rlimit now;

    /* A lower hard limit of the host's stays. */
    if (prlimit(pid, (__rlimit_resource_t)resource, NULL, &now) != 0)
        return -1;
    if (now.rlim_max < value.rlim_max)
        value.rlim_max = now.rlim_max;
    if (value.rlim_cur > value.rlim_max)
        value.rlim_cur = value.rlim_max;
    return prlimit(pid, (__rlimit_resource_t)resource, &value, NULL);
}

static int limit(int resource, uint64_t soft, uint64_t hard)
{
    return limit_of(0, resource, soft, hard);
}

int alma_limit_descriptors(pid_t pid, uint64_t most)
{
    if (alma_left_out(ALMA_LAYER_LIMITS))
        return 0;
    errno = ESRCH; /* 0 would be this process, and the tool without a limit */
    return pid <= 0 ? -1 : limit_of(pid, RLIMIT_NOFILE, most, most);
}

/* The first to go when memory runs out; anybody may raise this value. */
static int volunteer_for_oom(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    ssize_t written;

    if (fd < 0)
        return -1;
    written = write(fd, "1000", 4);
    close(fd);
    return written == 4 ? 0 : -1;
}

int alma_apply_limits(const struct alma_tool *tool)
{
    if (volunteer_for_oom() != 0)
        return -1;
    if (alma_left_out(ALMA_LAYER_LIMITS))
        return 0;
    /* 0 keeps files away, but a core pattern that is a pipe runs the host's handler all the same;
     * at 1 the kernel starts none. */
    if (limit(RLIMIT_CORE, 1, 1) != 0 ||
        limit(RLIMIT_FSIZE, tool->file_size, tool->file_size) != 0 ||
        limit(RLIMIT_NPROC, tool->processes + OWN_PROCESSES, tool->processes + OWN_PROCESSES) !=
            0 ||
        limit(RLIMIT_CPU, tool->cpu_seconds, tool->cpu_seconds + 1) != 0 ||
        limit(RLIMIT_MEMLOCK, 64 << 10, 64 << 10) != 0 || limit(RLIMIT_MSGQUEUE, 0, 0) != 0 ||
        limit(RLIMIT_SIGPENDING, 1024, 1024) != 0 || limit(RLIMIT_STACK, 8 << 20, 64 << 20) != 0 ||
        /* Some hosts let their users' processes be real-time ones (audio groups). */
        limit(RLIMIT_RTPRIO, 0, 0) != 0 || limit(RLIMIT_NICE, 0, 0) != 0)
        return -1;
    /* Past file_size a write fails with EFBIG instead of killing. */
    return signal(SIGXFSZ, SIG_IGN) == SIG_ERR ? -1 : 0;
}
