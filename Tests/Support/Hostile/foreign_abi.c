/* System calls by other doors than the one that filters usually watch. */
#include "hostile.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
static long i386_call(long number)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(0), "c"(0), "d"(0) : "memory");
    return (int)result;
}

static long x32_call(long number)
{
    long result = syscall(0x40000000 | number, 0, 0, 0, 0, 0, 0);
    return result == -1 ? -errno : result;
}

/* In a child: a filter may also end whoever calls. Held when the call was fatal, or was said not
 * to exist or not to be permitted; anything else comes from the call itself. */
static void by_door(const char *door, long (*call)(long), long number)
{
    char attempt[64];
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        long result = call(number);
        _exit(result == -ENOSYS || result == -EPERM ? 0 : 1);
    }
    snprintf(attempt, sizeof attempt, "%s number %ld", door, number);
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        broken(attempt, "was carried out", 1);
    else
        held(attempt);
}

/* Runs `code` in the 32-bit code segment; it ends the process itself. */
static void in_32_bit_segment(const unsigned char *code, size_t length)
{
    unsigned char *low = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

    if (low == MAP_FAILED)
        _exit(2);
    memcpy(low, code, length);
    __asm__ volatile("mov %0, %%rsp\n\tpushq $0x23\n\tpushq %1\n\tlretq"
                     :
                     : "r"(low + 8000), "r"((unsigned long)low)
                     : "memory");
    __builtin_unreachable();
}

/* getpid, then exit with 1 if it gave a process id, all in 32-bit code. */
static void by_segment(const char *attempt, unsigned char door0, unsigned char door1)
{
    unsigned char code[] = {
        0xb8, 20, 0, 0, 0,                                      /* mov $20, %eax (getpid) */
        door0, door1, 0x85, 0xc0,                               /* test %eax, %eax */
        0xb8, 1, 0, 0, 0, 0xbb, 0, 0, 0, 0,                     /* mov $1 (exit), %eax; $0, %ebx */
        0x7e, 5, 0xbb, 1, 0, 0, 0,                              /* jle over; mov $1, %ebx */
        0xcd, 0x80, 0xf4,                                       /* int $0x80; hlt */
    };
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        in_32_bit_segment(code, sizeof code);
    waitpid(pid, &status, 0);
    if (WIFEXITED(status))
        broken(attempt, "ended by its own exit", WEXITSTATUS(status));
    else
        held(attempt);
}

/* The return from sysenter leads nowhere in a 64-bit process; what it wrote before counts. */
static void by_sysenter(void)
{
    int ends[2];
    int status = 0;
    char byte = 0;
    pid_t pid;

    if (pipe(ends) != 0)
        return;
    pid = fork();
    if (pid == 0) {
        char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        __asm__ volatile("mov %3, %%rbp\n\tsysenter"
                         :
                         : "a"(4L), "b"((long)ends[1]), "c"(low), "r"(low + 64), "d"(1L)
                         : "memory");
        _exit(0);
    }
    close(ends[1]);
    waitpid(pid, &status, 0);
    if (read(ends[0], &byte, 1) == 1)
        broken("sysenter", "wrote", 1);
    else
        held("sysenter");
    close(ends[0]);
}
#endif

int attempt_foreign_abi(int argc, char **argv)
{
    (void)argc, (void)argv;
#if defined(__x86_64__)
    /* i386: getpid, mount, ptrace, ioctl, clone, personality, socketcall, keyctl, unshare, bpf,
     * seccomp, clone3, and none. */
    static const long i386[] = {20,  21,  26,  54,  120, 136, 102,
                                288, 310, 357, 354, 435, 9999};
    /* getpid, ptrace, mount, unshare by x32 numbers, and x32's own ptrace, execveat, ioctl. */
    static const long x32[] = {39, 101, 165, 272, 521, 545, 514};

    for (size_t i = 0; i < sizeof i386 / sizeof *i386; i++)
        by_door("int 0x80", i386_call, i386[i]);
    for (size_t i = 0; i < sizeof x32 / sizeof *x32; i++)
        by_door("x32", x32_call, x32[i]);
    by_segment("int 0x80 from 32-bit code", 0xcd, 0x80);
    by_segment("syscall from 32-bit code", 0x0f, 0x05);
    by_segment("sysenter from 32-bit code", 0x0f, 0x34);
    by_sysenter();
#else
    held("no other ABI on this processor");
#endif
    return 0;
}
