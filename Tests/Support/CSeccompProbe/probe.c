#define _GNU_SOURCE
#include "seccomp_probe.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_REFUSED 255 /* above every errno */

static int enter(struct sock_fprog *program)
{
    alarm(5); /* for calls that wait */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program);
}

static int child(struct sock_fprog *program, long number, const unsigned long a[6])
{
    if (enter(program) != 0)
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

int alma_seccomp_sweep(const void *program, size_t bytes, const int *numbers, size_t count,
                       int *answers)
{
    struct sock_fprog filter = {
        .len = (unsigned short)(bytes / sizeof(struct sock_filter)),
        .filter = (struct sock_filter *)program,
    };
    size_t length = count * sizeof *answers;
    int *shared = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return ALMA_PROBE_FAILED;
    for (size_t i = 0; i < count; i++)
        shared[i] = ALMA_PROBE_FAILED;
    pid_t pid = fork();
    if (pid == 0) {
        if (enter(&filter) != 0)
            _exit(EXIT_REFUSED);
        for (size_t i = 0; i < count; i++)
            shared[i] = syscall(numbers[i], -1L, -1L, -1L, -1L, -1L, -1L) == -1 ? errno : 0;
        _exit(0);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return ALMA_PROBE_FAILED;
    for (size_t i = 0; i < count; i++)
        answers[i] = shared[i];
    munmap(shared, length);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ALMA_PROBE_REFUSED;
}
