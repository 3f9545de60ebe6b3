#ifndef ALMA_SECCOMP_PROBE_H
#define ALMA_SECCOMP_PROBE_H

#include <stddef.h>

#define ALMA_PROBE_FAILED (-1)
#define ALMA_PROBE_REFUSED (-2)
#define ALMA_PROBE_SIGNAL 1000

/* Makes one call in a child process under a seccomp program that nobody listens to.
 * Returns the call's errno, 0 if it succeeded; ALMA_PROBE_SIGNAL + n if signal n ended the child;
 * ALMA_PROBE_REFUSED if the kernel does not take the program; ALMA_PROBE_FAILED without a child. */
int alma_seccomp_probe(const void *program, size_t bytes, long number,
                       const unsigned long arguments[6]);

/* Makes calls that the program refuses, each with -1 for every argument, one after the other in one
 * child: a fork of a large process takes long. answers[i] is the errno of numbers[i], or
 * ALMA_PROBE_FAILED where the child did not come so far. Returns 0 when all were made. */
int alma_seccomp_sweep(const void *program, size_t bytes, const int *numbers, size_t count,
                       int *answers);

#endif
