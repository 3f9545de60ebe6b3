/* The second half of the confinement, in order: from fork to exec. No allocation, no locale, no
 * name service. */
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By the system call itself: the C library keeps two signals to itself, and posix_spawn leaves
 * them ignored. */
static int clean_signals(void)
{
    static const char default_action[32]; /* struct sigaction as the kernel has it, all zero */
    sigset_t none;

    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++)
        if (syscall(SYS_rt_sigaction, number, default_action, NULL, 8) != 0 && errno != EINVAL)
            return -1;
    return sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A session of its own, clean signals, its own standard streams, /workspace, and no other
 * descriptor but link and error, which exec closes. */
static int clean_start(const struct alma_tool *tool)
{
    if (setsid() < 0 || clean_signals() != 0 || alma_join_fresh_keyring() != 0)
        return -1;
    umask(022);
    if (dup2(tool->input, 0) < 0 || dup2(tool->output, 1) < 0 || dup2(tool->diagnostics, 2) < 0)
        return -1;
    if (alma_close_from(tool->error + 1) != 0)
        return -1;
    return chdir("/workspace");
}

/* This file is in the mounts, readable for all, and in no Landlock rule: only Landlock can refuse
 * it. */
static int probe_landlock(void)
{
    int fd = open("/run/.closed", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

/* The last step. What follows it must be allowed by every filter: sendmsg, close, recv, execve. */
static int filter_and_wait(const struct alma_tool *tool)
{
    struct alma_record record = {
        .kind = ALMA_RECORD_WAITING, .pid = getpid(), .landlock_probe = probe_landlock()};
    int listener = -1;
    ssize_t sent;
    char go;

    if (!alma_left_out(ALMA_LAYER_SECCOMP)) {
        listener = alma_seccomp_install(tool->filter, tool->filter_length, 1);
        if (listener < 0)
            return -1;
    }
    sent = alma_send(tool->link, &record, sizeof record, &listener, listener >= 0, 0);
    if (listener >= 0)
        close(listener);
    if (sent == (ssize_t)sizeof record && tool->warm_up != NULL)
        tool->warm_up(tool->warm_up_context);
    if (sent != (ssize_t)sizeof record || read(tool->link, &go, 1) != 1)
        _exit(127);
    return 0;
}

/* An absolute path, one relative to /workspace, or a name to be found in the sandbox's PATH. */
static void execute(const struct alma_tool *tool)
{
    static const char *const directories[] = {"/usr/local/bin", "/usr/bin", "/bin"};
    char path[4096];
    int refused = 0;

    if (strchr(tool->program, '/') != NULL) {
        execve(tool->program, tool->argv, tool->envp);
        return;
    }
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        if (snprintf(path, sizeof path, "%s/%s", directories[i], tool->program) >=
            (int)sizeof path) {
            errno = ENAMETOOLONG;
            return;
        }
        execve(path, tool->argv, tool->envp);
        if (errno == EACCES)
            refused = 1;
        else if (errno != ENOENT && errno != ENOTDIR)
            return;
    }
    errno = refused ? EACCES : ENOENT;
}

void alma_tool_enter(struct alma_tool *tool)
{
    if (clean_start(tool) != 0)
        alma_give_up(tool->link, ALMA_STAGE_START);
    if (alma_apply_limits(tool) != 0)
        alma_give_up(tool->link, ALMA_STAGE_LIMITS);
    if (alma_landlock_restrict(tool->rules, tool->rule_count, 1, tool->deny_tcp) != 0)
        alma_give_up(tool->link, ALMA_STAGE_LANDLOCK);
    if (alma_drop_capabilities() != 0)
        alma_give_up(tool->link, ALMA_STAGE_CAPABILITIES);
    if (alma_no_new_privs() != 0)
        alma_give_up(tool->link, ALMA_STAGE_NO_NEW_PRIVS);
    if (filter_and_wait(tool) != 0)
        alma_give_up(tool->link, ALMA_STAGE_SECCOMP);
    if (tool->program == NULL) {
        close(tool->error);
        close(tool->link);
        return;
    }
    execute(tool);
    alma_give_up(tool->link, ALMA_STAGE_EXEC);
}
