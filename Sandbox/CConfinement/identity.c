/* Who a process in the sandbox is: user and group 1000, no capability, no way to gain one. */
#include "confinement.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SANDBOX_ID 1000
#define ALL_SECUREBITS 0xff /* every bit and its lock */

int alma_set_dumpable(int dumpable) { return prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0); }

int alma_take_identity(void)
{
    /* Outside a namespace of its own root's rights would go with its ids; the rest takes them. */
    if (alma_left_out(ALMA_LAYER_USER) &&
        prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0)
        return -1;
    if (setresgid(SANDBOX_ID, SANDBOX_ID, SANDBOX_ID) != 0 ||
        setresuid(SANDBOX_ID, SANDBOX_ID, SANDBOX_ID) != 0)
        return -1;
    /* Changing ids made this process undumpable, and its own /proc entries unwritable with that. */
    return alma_set_dumpable(1);
}

/* The bounding and ambient sets are read back by the executor, from /proc, before the tool may go.
 */
static int any_capability_left(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    uint32_t left = 0;

    if (syscall(SYS_capget, &header, data) != 0)
        return 1;
    for (int i = 0; i < 2; i++)
        left |= data[i].effective | data[i].permitted | data[i].inheritable;
    return left != 0;
}

int alma_drop_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2];
    int capability = 0;

    if (alma_left_out(ALMA_LAYER_CAPABILITIES))
        return 0;
    memset(none, 0, sizeof none);
    while (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
        capability++;
    if (errno != EINVAL || capability == 0) /* EINVAL: there is no such capability any more */
        return -1;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        return -1;
    if (prctl(PR_SET_SECUREBITS, ALL_SECUREBITS, 0, 0, 0) != 0)
        return -1;
    if (syscall(SYS_capset, &header, none) != 0)
        return -1;
    if (any_capability_left()) {
        errno = EPERM;
        return -1;
    }
    return 0;
}

int alma_no_new_privs(void)
{
    if (alma_left_out(ALMA_LAYER_NO_NEW_PRIVS))
        return 0;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int alma_join_fresh_keyring(void)
{
    /* A kernel without keyrings has none to leak. */
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
        return -1;
    return 0;
}

int alma_die_with_parent(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0) != 0)
        return -1;
    /* The parent may have died before the line above: then nobody will tell us. */
    if (getppid() != parent) {
        errno = ESRCH;
        return -1;
    }
    return 0;
}

int alma_adopt_orphans(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }
