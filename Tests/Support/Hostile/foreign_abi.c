/* System calls by other doors than the one that filters usually watch. */
#include "hostile.h"

#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
static long i386_call(long number)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(0), "c"(0), "d"(0) : "memory");
    return result;
}

/* getpid by the i386 number: harmless, and allowed to nobody. */
static long i386_getpid(void) { return i386_call(20); }
/* The same by its x32 number. */
static long x32_getpid(void) { return syscall(0x40000000 | SYS_getpid); }
#endif

/* A filter may also end whoever calls. */
static void in_child(const char *attempt, long (*call)(void))
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(call() > 0 ? 1 : 0);
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
        broken(attempt, "was carried out", 1);
    else
        held(attempt);
}

int attempt_foreign_abi(int argc, char **argv)
{
    (void)argc, (void)argv;
#if defined(__x86_64__)
    in_child("int 0x80", i386_getpid);
    in_child("x32", x32_getpid);
#else
    held("no other ABI on this processor");
#endif
    return 0;
}
