/* The first half of the confinement, in order: what needs no knowledge of the profile
 * (alma_enter_namespaces), then what needs none of the task (alma_prepare). The user namespace
 * comes before (alma_enter_user_namespace), because its maps take a second process. */
#include "confinement.h"

#include <errno.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(struct alma_failure *failure, int stage)
{
    failure->stage = stage;
    failure->error = errno;
    return -1;
}

static int unshare_unless_left_out(int flag, uint32_t layer)
{
    return alma_left_out(layer) ? 0 : unshare(flag);
}

static int name_host(void) { return alma_left_out(ALMA_LAYER_UTS) ? 0 : sethostname("alma", 4); }

int alma_enter_namespaces(struct alma_failure *failure)
{
    failure->stage = ALMA_STAGE_NONE;
    umask(022);
    if (unshare(CLONE_NEWNS) != 0)
        return fail(failure, ALMA_STAGE_MOUNT_NAMESPACE);
    if (unshare_unless_left_out(CLONE_NEWIPC, ALMA_LAYER_IPC) != 0)
        return fail(failure, ALMA_STAGE_IPC_NAMESPACE);
    if (unshare_unless_left_out(CLONE_NEWUTS, ALMA_LAYER_UTS) != 0 || name_host() != 0)
        return fail(failure, ALMA_STAGE_UTS_NAMESPACE);
    if (unshare_unless_left_out(CLONE_NEWNET, ALMA_LAYER_NETWORK) != 0)
        return fail(failure, ALMA_STAGE_NETWORK_NAMESPACE);
    return 0;
}

pid_t alma_prepare(const struct alma_plan *plan, struct alma_tool *tool,
                   struct alma_failure *failure)
{
    pid_t spawner = getppid(), init;

    if (plan->loopback && !alma_left_out(ALMA_LAYER_NETWORK) && alma_loopback_up() != 0)
        return fail(failure, ALMA_STAGE_NETWORK_NAMESPACE);
    if (alma_build_root(plan) != 0)
        return fail(failure, ALMA_STAGE_ROOT);
    /* Taking other ids cleared it. */
    if (alma_die_with_parent(spawner) != 0)
        return fail(failure, ALMA_STAGE_IDENTITY);
    if (unshare_unless_left_out(CLONE_NEWPID, ALMA_LAYER_PID) != 0)
        return fail(failure, ALMA_STAGE_PID_NAMESPACE);
    init = fork();
    if (init < 0)
        return fail(failure, ALMA_STAGE_FORK);
    if (init == 0)
        alma_init_run(tool); /* returns in the tool only */
    return init;
}
