/* hostile ATTEMPT [ARGUMENT…]: makes one attempt and prints its verdict. */
#include "hostile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} attempts[] = {
    {"bomb", attempt_bomb},
    {"calls", attempt_calls},
    {"early-limits", attempt_early_limits},
    {"foreign-abi", attempt_foreign_abi},
    {"handles", attempt_handles},
    {"identity", attempt_identity},
    {"mounts", attempt_mounts},
    {"orphans", attempt_orphans},
    {"remounts", attempt_remounts},
    {"rewriting", attempt_rewriting},
};

void held(const char *attempt) { printf("held %s\n", attempt); }

void broken(const char *attempt, const char *how, long value)
{
    printf("BROKEN %s: %s %ld\n", attempt, how, value);
}

void judge(const char *attempt, long outcome, const int *wanted)
{
    int cause = errno;
    if (outcome != -1) {
        broken(attempt, "returned", outcome);
        return;
    }
    for (; *wanted; wanted++)
        if (*wanted == cause) {
            held(attempt);
            return;
        }
    broken(attempt, strerror(cause), cause);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc > 1 && i < sizeof(attempts) / sizeof(*attempts); i++)
        if (strcmp(argv[1], attempts[i].name) == 0) {
            int status = attempts[i].run(argc - 1, argv + 1);
            puts("over");
            return status;
        }
    fprintf(stderr, "hostile: no such attempt\n");
    return 2;
}
