/* Attempts that Python cannot make. Each prints its findings with held() and broken(). */
#ifndef HOSTILE_H
#define HOSTILE_H

/* One line of the verdict: an attempt that came to nothing. */
void held(const char *attempt);

/* One line of the verdict: an attempt that got through, and how. */
void broken(const char *attempt, const char *how, long value);

/* `held` if the call failed with one of the errno numbers in `wanted`, which ends with 0; else
 * `broken`. */
void judge(const char *attempt, long outcome, const int *wanted);

int attempt_bomb(int argc, char **argv);
int attempt_calls(int argc, char **argv);
int attempt_early_limits(int argc, char **argv);
int attempt_foreign_abi(int argc, char **argv);
int attempt_handles(int argc, char **argv);
int attempt_identity(int argc, char **argv);
int attempt_mounts(int argc, char **argv);
int attempt_orphans(int argc, char **argv);
int attempt_remounts(int argc, char **argv);
int attempt_rewriting(int argc, char **argv);

#endif
