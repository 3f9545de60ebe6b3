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

#endif
