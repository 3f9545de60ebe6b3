/* Many processes, by each door the kernel has. */
#include "hostile.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 1024 /* tries, so that it ends without a sandbox too */
#define STACK (64 << 10)

static int most, made, cause;
static char *stacks;

/* Not for ever, in case nobody ends it. */
static int wait_for_the_end(void *nothing)
{
    (void)nothing;
    alarm(20);
    for (;;)
        pause();
    return 0;
}

static int wait_for_parent(void *nothing)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    return wait_for_the_end(nothing);
}

static void *wait_in_thread(void *nothing)
{
    (void)nothing;
    for (;;)
        pause();
    return NULL;
}

static int by_fork(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(wait_for_parent(NULL));
    return pid < 0 ? -1 : 0;
}

/* Without a signal to its parent, and sharing its memory. */
static int by_clone(void)
{
    return clone(wait_for_parent, stacks + (made + 1) * STACK, CLONE_VM, NULL) < 0 ? -1 : 0;
}

static int by_thread(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    int result;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    result = pthread_create(&thread, &attributes, wait_in_thread, NULL);
    errno = result;
    return result == 0 ? 0 : -1;
}

/* Each one's parent stands still until the child ends: the chain ends at its last. */
static int vfork_chain(void *nothing)
{
    (void)nothing;
    if (made >= most)
        return 0;
    if (clone(vfork_chain, stacks + (made++ + 1) * STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL) <
        0) {
        made--;
        cause = errno;
    }
    return 0;
}

/* A session of its own each time, and a parent that is gone. */
static int by_orphan(void)
{
    int answer[2];
    char result = 1;
    pid_t middle;

    if (pipe(answer) != 0)
        return -1;
    middle = fork();
    if (middle == 0) {
        setsid();
        middle = fork();
        if (middle == 0) {
            close(answer[1]);
            for (int i = 0; i < 3; i++)
                close(i);
            _exit(wait_for_the_end(NULL));
        }
        result = (char)(middle < 0 ? errno : 0);
        _exit(write(answer[1], &result, 1) != 1);
    }
    close(answer[1]);
    if (middle > 0) {
        if (read(answer[0], &result, 1) != 1)
            result = EIO;
        waitpid(middle, NULL, 0);
        errno = result;
    }
    close(answer[0]);
    return middle < 0 || result != 0 ? -1 : 0;
}

/* bomb KIND LIMIT: held when the kernel refuses before there are LIMIT of them. */
int attempt_bomb(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*make)(void);
    } kinds[] = {{"fork", by_fork},
                 {"clone", by_clone},
                 {"thread", by_thread},
                 {"orphan", by_orphan}};
    int limit = argc > 2 ? atoi(argv[2]) : 0;

    most = limit * 3 < MOST ? limit * 3 : MOST;
    stacks = malloc((size_t)(most + 2) * STACK);
    if (limit <= 0 || stacks == NULL)
        return 2;
    if (strcmp(argv[1], "vfork") == 0)
        vfork_chain(NULL);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        while (strcmp(argv[1], kinds[i].name) == 0 && made < most && cause == 0)
            if (kinds[i].make() == 0)
                made++;
            else
                cause = errno;
    if (cause == EAGAIN && made > 0 && made < limit)
        held(argv[1]);
    else
        broken(argv[1], cause != 0 ? strerror(cause) : "no end", made);
    return 0;
}

static int processes(void)
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    int count = 0;

    while (directory != NULL && (entry = readdir(directory)) != NULL)
        count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
    if (directory != NULL)
        closedir(directory);
    return count;
}

/* orphans COUNT: so many grandchildren that end after their parents; held when all are gone. */
int attempt_orphans(int argc, char **argv)
{
    int left = argc > 1 ? atoi(argv[1]) : 0, before = processes();
    long tries = 0;

    while (left > 0 && tries++ < 10000000) {
        pid_t middle = fork();

        if (middle == 0) {
            pid_t last, parent = getpid();
            while ((last = fork()) < 0)
                sched_yield();
            if (last == 0)
                while (getppid() == parent)
                    sched_yield();
            _exit(0);
        }
        if (middle < 0) {
            sched_yield();
            continue;
        }
        waitpid(middle, NULL, 0);
        left--;
    }
    while (processes() > before && tries++ < 20000000)
        sched_yield();
    if (left == 0 && processes() <= before)
        held("orphans");
    else
        broken("orphans", "are left", processes() - before);
    return 0;
}
