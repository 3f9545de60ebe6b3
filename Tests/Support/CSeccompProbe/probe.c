#define _GNU_SOURCE
#include "seccomp_probe.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_REFUSED 255 /* above every errno */

static int child(struct sock_fprog *program, long number, const unsigned long a[6])
{
    alarm(5); /* for calls that wait */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) != 0)
        return EXIT_REFUSED;
    return syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]) == -1 ? errno : 0;
}

int alma_seccomp_probe(const void *program, size_t bytes, long number,
                       const unsigned long arguments[6])
{
    struct sock_fprog filter = {
        .len = (unsigned short)(bytes / sizeof(struct sock_filter)),
        .filter = (struct sock_filter *)program,
    };
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(&filter, number, arguments));
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return ALMA_PROBE_FAILED;
    if (WIFSIGNALED(status))
        return ALMA_PROBE_SIGNAL + WTERMSIG(status);
    return WEXITSTATUS(status) == EXIT_REFUSED ? ALMA_PROBE_REFUSED : WEXITSTATUS(status);
}
