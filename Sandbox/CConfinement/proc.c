/* /proc of the task's own process namespace, without what tells of the host or could change it. */
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* What other tasks and users do, or kernel internals; empty inside. /proc/stat stays: Node aborts
 * without it. */
static const char *const hidden_files[] = {
    "/proc/kcore",       "/proc/keys",          "/proc/key-users",    "/proc/kmsg",
    "/proc/kallsyms",    "/proc/latency_stats", "/proc/timer_list",   "/proc/sched_debug",
    "/proc/schedstat",   "/proc/interrupts",    "/proc/softirqs",     "/proc/loadavg",
    "/proc/diskstats",   "/proc/partitions",    "/proc/vmstat",       "/proc/zoneinfo",
    "/proc/slabinfo",    "/proc/vmallocinfo",   "/proc/pagetypeinfo", "/proc/buddyinfo",
    "/proc/modules",     "/proc/cmdline",       "/proc/kpagecount",   "/proc/kpageflags",
    "/proc/kpagecgroup", "/proc/sysrq-trigger", "/proc/swaps",        "/proc/locks",
    "/proc/iomem",       "/proc/ioports",       "/proc/config.gz",   "/proc/bootconfig",
};
static const char *const hidden_directories[] = {
    "/proc/acpi",   "/proc/scsi",     "/proc/asound",
    "/proc/driver", "/proc/pressure", "/proc/dynamic_debug",
};
static const char *const read_only_directories[] = {"/proc/bus", "/proc/fs", "/proc/irq",
                                                    "/proc/sys"};

#define COUNT(list) (sizeof list / sizeof list[0])

/* What this kernel does not have needs no hiding. */
static int unless_absent(int result) { return result != 0 && errno != ENOENT ? -1 : 0; }

static int make_read_only(const char *path)
{
    struct mount_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.attr_set = MOUNT_ATTR_RDONLY;
    return mount_setattr(AT_FDCWD, path, 0, &attr, sizeof attr);
}

static int mask(void)
{
    for (size_t i = 0; i < COUNT(hidden_files); i++)
        if (unless_absent(mount("/dev/null", hidden_files[i], NULL, MS_BIND, NULL)) != 0)
            return -1;
    for (size_t i = 0; i < COUNT(hidden_directories); i++)
        if (unless_absent(mount("tmpfs", hidden_directories[i], "tmpfs",
                                MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                                "size=4k,nr_inodes=2,mode=0555")) != 0)
            return -1;
    for (size_t i = 0; i < COUNT(read_only_directories); i++) {
        const char *path = read_only_directories[i];
        if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) != 0) {
            if (errno != ENOENT)
                return -1;
        } else if (make_read_only(path) != 0) {
            return -1;
        }
    }
    return 0;
}

int alma_mount_proc(void)
{
    int context, fd, result;

    if (alma_left_out(ALMA_LAYER_PID)) /* then the host's stays */
        return 0;
    context = fsopen("proc", FSOPEN_CLOEXEC);
    if (context < 0)
        return -1;
    result = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    fd = result != 0 ? -1
                     : fsmount(context, FSMOUNT_CLOEXEC,
                               MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    close(context);
    if (fd < 0)
        return -1;
    result = umount2("/proc", MNT_DETACH) != 0
                 ? -1
                 : move_mount(fd, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH);
    close(fd);
    return result != 0 ? -1 : mask();
}
