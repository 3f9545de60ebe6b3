/* Installing filters and answering what they ask. */
#include "confinement.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Kernel 6.6; missing in older headers. */
#define IOCTL_NOTIF_SET_FLAGS _IOW('!', 4, uint64_t)
#define FD_SYNC_WAKE_UP (1UL << 0)

int alma_seccomp_install(const void *filter, size_t length, int want_listener)
{
    struct sock_fprog program = {(unsigned short)(length / sizeof(struct sock_filter)),
                                 (struct sock_filter *)filter};
    unsigned long flags = want_listener ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;

    if (length == 0 || length % sizeof(struct sock_filter) != 0 ||
        length / sizeof(struct sock_filter) > BPF_MAXINSNS) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

void alma_seccomp_tune(int listener)
{
    /* Ten times faster answers where the kernel knows it; without it all works the same. */
    (void)ioctl(listener, IOCTL_NOTIF_SET_FLAGS, FD_SYNC_WAKE_UP);
}

int alma_seccomp_receive(int listener, struct alma_notification *notification)
{
    struct seccomp_notif received;

    memset(&received, 0, sizeof received);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &received) != 0)
        return -1;
    notification->id = received.id;
    notification->number = received.data.nr;
    for (int i = 0; i < 6; i++)
        notification->arguments[i] = received.data.args[i];
    return 0;
}

int alma_seccomp_refuse(int listener, uint64_t id, int error)
{
    struct seccomp_notif_resp response = {.id = id, .val = 0, .error = -error, .flags = 0};

    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}
