/* Process 1 of the task's namespace: mounts /proc, starts the tool, reaps, and dies with its
 * executor. */
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FREE 8 /* 0-2 null, then the five descriptors of a task */

static void send_record(int link, const struct alma_record *record)
{
    (void)send(link, record, sizeof *record, MSG_NOSIGNAL);
}

_Noreturn void alma_give_up(int link, int stage)
{
    struct alma_record record = {.kind = ALMA_RECORD_FAILED, .stage = stage, .error = errno};

    send_record(link, &record);
    _exit(127);
}

/* Brings the task's descriptors to 3…7, and closes all others, the executor's channel too. */
static int keep_only_task_descriptors(struct alma_tool *tool)
{
    int32_t *kept[] = {&tool->link, &tool->error, &tool->input, &tool->output, &tool->diagnostics};

    for (size_t i = 0; i < 5; i++) {
        int high = fcntl(*kept[i], F_DUPFD_CLOEXEC, FIRST_FREE);
        if (high < 0)
            return -1;
        *kept[i] = high;
    }
    for (size_t i = 0; i < 5; i++) {
        if (dup3(*kept[i], 3 + (int)i, O_CLOEXEC) < 0)
            return -1;
        *kept[i] = 3 + (int)i;
    }
    return alma_close_from(FIRST_FREE);
}

/* A thread that moves itself waits for nobody; moving another process takes the kernel 7 ms where
 * this takes 0.1 (version 1, three controllers: it must wait until no fork is under way). */
static int join_cgroups(const struct alma_tool *tool)
{
    for (int i = 0; i < tool->join_count; i++)
        if (write(tool->joins[i], "0", 1) != 1)
            return -1;
    return 0;
}

static int confine_itself(const struct alma_tool *tool)
{
    close(tool->error);
    close(tool->input);
    close(tool->output);
    close(tool->diagnostics);
    if (alma_set_dumpable(0) != 0 || alma_drop_capabilities() != 0 || alma_no_new_privs() != 0)
        return -1;
    if (alma_left_out(ALMA_LAYER_SECCOMP))
        return 0;
    return alma_seccomp_install(tool->init_filter, tool->init_filter_length, 0);
}

static int64_t microseconds(const struct timeval *time)
{
    return time->tv_sec * 1000000LL + time->tv_usec;
}

/* The sum goes up to the end of the tool; what outlives it is killed and counted by other means. */
static void reap_until_none_left(pid_t tool, int link)
{
    struct alma_record record = {.kind = ALMA_RECORD_ENDED};
    struct rusage usage;
    siginfo_t other;
    int status;
    pid_t pid;

    while ((pid = wait4(-1, &status, 0, &usage)) > 0 || errno == EINTR) {
        if (pid <= 0)
            continue;
        record.cpu_microseconds += microseconds(&usage.ru_utime) + microseconds(&usage.ru_stime);
        if (usage.ru_maxrss > record.max_rss_kib)
            record.max_rss_kib = usage.ru_maxrss;
        if (pid == tool) {
            record.wait_status = status;
            record.alone = waitid(P_ALL, 0, &other, WEXITED | WNOHANG | WNOWAIT) != 0;
            send_record(link, &record);
        }
    }
}

void alma_init_run(struct alma_tool *tool)
{
    struct alma_record ready = {.kind = ALMA_RECORD_READY};
    char go;
    pid_t pid;

    if (prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0) != 0)
        _exit(127);
    if (join_cgroups(tool) != 0)
        alma_give_up(tool->link, ALMA_STAGE_LIMITS);
    if (keep_only_task_descriptors(tool) != 0)
        _exit(127);
    if (alma_mount_proc() != 0)
        alma_give_up(tool->link, ALMA_STAGE_PROC);
    send_record(tool->link, &ready);

    /* The end of the channel is the executor's end, also if it came before the prctl above. */
    if (recv(tool->link, &go, 1, 0) != 1)
        _exit(0);
    /* By now this process stands in the task's cgroup, which becomes the root of what the task can
     * see. */
    if (!alma_left_out(ALMA_LAYER_CGROUP) && unshare(CLONE_NEWCGROUP) != 0)
        alma_give_up(tool->link, ALMA_STAGE_CGROUP_NAMESPACE);
    pid = fork();
    if (pid == 0) {
        alma_tool_enter(tool);
        return;
    }
    if (pid < 0)
        alma_give_up(tool->link, ALMA_STAGE_FORK);
    if (confine_itself(tool) != 0)
        alma_give_up(tool->link, ALMA_STAGE_CAPABILITIES);
    reap_until_none_left(pid, tool->link);
    while (recv(tool->link, &go, 1, 0) > 0) {
    }
    _exit(0);
}
