#ifndef ALMA_PROBE_H
#define ALMA_PROBE_H

/* What `alma doctor` tries out on this host, each in a throw-away child. */
enum alma_probe {
    ALMA_PROBE_USER, /* user namespace with a single-id map */
    ALMA_PROBE_MOUNT, /* mount namespace, propagation changed */
    ALMA_PROBE_PID, /* pid namespace whose first process is pid 1 */
    ALMA_PROBE_NETWORK,
    ALMA_PROBE_IPC,
    ALMA_PROBE_UTS,
    ALMA_PROBE_CGROUP,
    ALMA_PROBE_MOUNT_API, /* fsopen, fsmount, open_tree, mount_setattr, move_mount */
    ALMA_PROBE_PROC, /* a fresh /proc in a new pid namespace */
    ALMA_PROBE_CAPABILITIES, /* all five sets emptied, securebits locked */
    ALMA_PROBE_SECCOMP, /* a filter under no_new_privs */
    ALMA_PROBE_SECCOMP_NOTIFY, /* a filter with a listener */
    ALMA_PROBE_LANDLOCK, /* a rule set enforced on oneself */
    ALMA_PROBE_IDMAP, /* an idmapped clone of a directory; needs root */
    ALMA_PROBE_COUNT
};

/* Tries `kind` in a child and waits for it. `directory` matters to ALMA_PROBE_IDMAP only.
   Returns 0, or the errno of the step that failed; ECANCELED if a signal ended the child. */
int alma_probe_try(enum alma_probe kind, const char *directory);

/* The kernel's Landlock ABI, from 1 on, or -errno: -ENOSYS not built in, -EOPNOTSUPP off. */
int alma_probe_landlock_abi(void);

#endif
