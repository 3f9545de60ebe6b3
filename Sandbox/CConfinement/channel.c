/* Sockets, descriptors and processes as Swift cannot spell them. */
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_DESCRIPTORS 16

int alma_socketpair(int type, int ends[2])
{
    return socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends);
}
int alma_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }
int alma_open_path(const char *path) { return open(path, O_PATH | O_CLOEXEC); }
int alma_pidfd_open(pid_t pid) { return pidfd_open(pid, 0); }
int alma_pidfd_kill(int pidfd) { return pidfd_send_signal(pidfd, SIGKILL, NULL, 0); }
int alma_close_from(int first) { return close_range((unsigned)first, ~0u, 0); }

int alma_child_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    return sigprocmask(SIG_BLOCK, &set, NULL) != 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC);
}

void *alma_shared_memory(size_t length)
{
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

ssize_t alma_send(int socket, const void *bytes, size_t length, const int *descriptors,
                  size_t count, int flags)
{
    union {
        char space[CMSG_SPACE(sizeof(int) * MOST_DESCRIPTORS)];
        struct cmsghdr align;
    } control;
    struct iovec vector = {(void *)bytes, length};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

    if (count > MOST_DESCRIPTORS) {
        errno = EINVAL;
        return -1;
    }
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(header), descriptors, sizeof(int) * count);
    }
    return sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

static pid_t last_sender;
pid_t alma_last_sender(void) { return last_sender; }

ssize_t alma_receive(int socket, void *bytes, size_t length, int *descriptors, size_t *count,
                     int flags)
{
    union {
        char space[CMSG_SPACE(sizeof(int) * MOST_DESCRIPTORS) + CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } control;
    struct iovec vector = {bytes, length};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof control.space};
    ssize_t received = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    size_t capacity = *count;

    *count = 0;
    last_sender = -1;
    if (received < 0)
        return -1;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS)
            memcpy(&last_sender, CMSG_DATA(header), sizeof last_sender); /* ucred begins with it */
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t passed = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < passed; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
            if (*count < capacity)
                descriptors[(*count)++] = fd;
            else
                close(fd);
        }
    }
    return received;
}

pid_t alma_start_program(const char *path, char *const *argv, char *const *environment, int channel)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    pid_t pid = -1;
    int result;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    /* Its own session: Ctrl-C at a terminal is the coordinator's to handle. */
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, channel, 3);
    posix_spawn_file_actions_addclosefrom_np(&actions, 4);
    result = posix_spawn(&pid, path, &actions, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    errno = result;
    return result == 0 ? pid : -1;
}

/* ---- for the coordinator ---- */

int alma_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int alma_epoll_add(int epoll, int descriptor, uint64_t token, int writable)
{
    struct epoll_event event = {.events = EPOLLONESHOT | (writable ? EPOLLOUT : EPOLLIN),
                                .data = {.u64 = token}};

    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

int alma_epoll_remove(int epoll, int descriptor)
{
    return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, NULL);
}

int alma_epoll_wait(int epoll, uint64_t *tokens, int capacity)
{
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, capacity < 64 ? capacity : 64, -1);

    for (int i = 0; i < count; i++)
        tokens[i] = events[i].data.u64;
    return count;
}

static void *thread_body(void *body)
{
    ((void (*)(void))body)();
    return NULL;
}

int alma_start_thread(void (*body)(void))
{
    pthread_t thread;
    int result = pthread_create(&thread, NULL, thread_body, (void *)body);

    return result != 0 ? -1 : pthread_detach(thread);
}
