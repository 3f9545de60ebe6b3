/* What holds for a program at its first own instruction. */
#include "hostile.h"

#include <stdio.h>
#include <sys/resource.h>

static struct rlimit first[RLIMIT_NLIMITS];

/* Before main, before the constructors of any other part. */
__attribute__((constructor(101))) static void look(void)
{
    for (int i = 0; i < RLIMIT_NLIMITS; i++)
        getrlimit((__rlimit_resource_t)i, &first[i]);
}

/* What the call answers is not looked at: a refusal may be told as done where that is harmless. */
static void at_most(const char *what, int resource, rlim_t most)
{
    struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY}, now = more;

    if (first[resource].rlim_max > most || first[resource].rlim_cur > most)
        broken(what, "was at first", (long)first[resource].rlim_max);
    (void)setrlimit((__rlimit_resource_t)resource, &more);
    (void)getrlimit((__rlimit_resource_t)resource, &now);
    if (now.rlim_max > most || now.rlim_cur > most)
        broken(what, "was raised to", (long)now.rlim_max);
    else
        held(what);
}

int attempt_early_limits(int argc, char **argv)
{
    (void)argc, (void)argv;
    at_most("core", RLIMIT_CORE, 1);
    at_most("open files", RLIMIT_NOFILE, 256);
    at_most("processes", RLIMIT_NPROC, 128);
    at_most("file size", RLIMIT_FSIZE, 64 << 20);
    at_most("processor time", RLIMIT_CPU, 32);
    at_most("locked memory", RLIMIT_MEMLOCK, 64 << 10);
    at_most("message queues", RLIMIT_MSGQUEUE, 0);
    at_most("pending signals", RLIMIT_SIGPENDING, 1024);
    at_most("real-time priority", RLIMIT_RTPRIO, 0);
    at_most("nice", RLIMIT_NICE, 0);
    at_most("stack", RLIMIT_STACK, 64 << 20);
    return 0;
}
