#ifndef ALMA_SYSCALLS_H
#define ALMA_SYSCALLS_H

#include <stddef.h>
#include <stdint.h>

/* A system call of this machine. `arguments` has one letter per argument: `i` where the kernel
 * looks at the low 32 bits only (int, unsigned, pid_t, mode_t, a descriptor), `w` where it looks at
 * all 64. */
struct alma_syscall {
    const char *name;
    int32_t number;
    const char *arguments;
};

/* Every call known by name, in no order; the table is static. */
const struct alma_syscall *alma_syscalls(size_t *count);

#endif
