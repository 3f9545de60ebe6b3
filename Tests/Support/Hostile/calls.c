/* calls FILE: makes the system calls that a file lists, each in a child of its own.
 *
 * A line is NUMBER and six arguments in hexadecimal, then a deadline in milliseconds. What came of
 * it is printed in the same order: `call LINE returned`, `call LINE errno N`, `call LINE signal N`,
 * or `call LINE waits` when it was still under way at its deadline. */
#include "hostile.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct request {
    long number;
    unsigned long arguments[6];
    long deadline; /* milliseconds */
};

static int make(const struct request *request)
{
    const unsigned long *a = request->arguments;

    return syscall(request->number, a[0], a[1], a[2], a[3], a[4], a[5]) == -1 ? errno : 0;
}

/* Waits for SIGCHLD, which is blocked; a child that is late is killed. */
static int reap(pid_t child, long deadline, int *status)
{
    struct timespec left = {deadline / 1000, deadline % 1000 * 1000000};
    sigset_t ended;
    int late = 0;

    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    while (waitpid(child, status, WNOHANG) == 0) {
        if (sigtimedwait(&ended, NULL, &left) < 0 && errno == EAGAIN) {
            late = 1;
            kill(child, SIGKILL);
            waitpid(child, status, 0);
            break;
        }
    }
    return late;
}

static void attempt(int line, const struct request *request)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        /* A call that forks comes here more than once. */
        _exit(make(request));
    if (child < 0)
        printf("call %d not made: errno %d\n", line, errno);
    else if (reap(child, request->deadline, &status))
        printf("call %d waits\n", line);
    else if (WIFSIGNALED(status))
        printf("call %d signal %d\n", line, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        printf("call %d errno %d\n", line, WEXITSTATUS(status));
    else
        printf("call %d returned\n", line);
}

int attempt_calls(int argc, char **argv)
{
    FILE *list = argc > 1 ? fopen(argv[1], "r") : NULL;
    struct request r;
    unsigned long *a = r.arguments;
    sigset_t ended;
    int line = 0;

    if (list == NULL)
        return 2;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ended, NULL);
    while (fscanf(list, "%ld %lx %lx %lx %lx %lx %lx %ld", &r.number, &a[0], &a[1], &a[2], &a[3],
                  &a[4], &a[5], &r.deadline) == 8) {
        fflush(stdout);
        attempt(line++, &r);
    }
    return 0;
}
