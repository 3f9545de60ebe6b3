/*
 * What Swift and C share. Each kernel facility has one C file; the tables of contents are
 * alma_enter_namespaces() and alma_prepare() in prepare.c (everything before a task is known) and
 * alma_tool_enter() in tool.c (everything between fork and exec).
 *
 * A step returns 0, or -1 with errno set; alma_failure says which step it was.
 */
#ifndef ALMA_CONFINEMENT_H
#define ALMA_CONFINEMENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Each stage belongs to one layer and one stable error: ConfinementStage in Swift. */
enum alma_stage {
    ALMA_STAGE_NONE = 0,
    ALMA_STAGE_USER_NAMESPACE = 1,
    ALMA_STAGE_MOUNT_NAMESPACE = 2,
    ALMA_STAGE_IPC_NAMESPACE = 3,
    ALMA_STAGE_UTS_NAMESPACE = 4,
    ALMA_STAGE_NETWORK_NAMESPACE = 5,
    ALMA_STAGE_PID_NAMESPACE = 6,
    ALMA_STAGE_CGROUP_NAMESPACE = 7,
    ALMA_STAGE_IDENTITY = 8,
    ALMA_STAGE_ROOT = 9,
    ALMA_STAGE_VIEW = 10,
    ALMA_STAGE_PROC = 11,
    ALMA_STAGE_WORKSPACE = 12,
    ALMA_STAGE_SCRIPT = 13,
    ALMA_STAGE_LIMITS = 14,
    ALMA_STAGE_LANDLOCK = 15,
    ALMA_STAGE_CAPABILITIES = 16,
    ALMA_STAGE_NO_NEW_PRIVS = 17,
    ALMA_STAGE_SECCOMP = 18,
    ALMA_STAGE_START = 19, /* signals, session, standard streams, working directory */
    ALMA_STAGE_EXEC = 20,
    ALMA_STAGE_FORK = 21,
};

struct alma_failure {
    int32_t stage;
    int32_t error;
};

/* Layers that a debug build can leave out, to show that the tests of that layer fail without it. */
enum alma_layer {
    ALMA_LAYER_NETWORK = 1 << 0,
    ALMA_LAYER_IPC = 1 << 1,
    ALMA_LAYER_UTS = 1 << 2,
    ALMA_LAYER_CGROUP = 1 << 3,
    ALMA_LAYER_MOUNT = 1 << 4, /* read-only and nosuid attributes; the view itself stays */
    ALMA_LAYER_LANDLOCK = 1 << 5,
    ALMA_LAYER_CAPABILITIES = 1 << 6,
    ALMA_LAYER_NO_NEW_PRIVS = 1 << 7,
    ALMA_LAYER_SECCOMP = 1 << 8,
    ALMA_LAYER_LIMITS = 1 << 9,
    ALMA_LAYER_PID = 1 << 10, /* the process namespace; /proc shows the host's then */
    ALMA_LAYER_USER = 1 << 11,
};

/* Set once at start; in release builds it changes nothing. */
void alma_leave_out(uint32_t layers);
int alma_left_out(uint32_t layer);
/* Debug builds only: called with each layer where it is put on, or left out. */
void alma_on_layer(void (*reached)(uint32_t layer));

/* ---- namespaces.c ---- */

/* 1 when this process may map other users and mount in the host's namespace. */
int alma_is_privileged(void);
/* For an ordinary user: own user and mount namespaces that keep the host's view (later mounts
 * included), with the right to open mounts in it. */
int alma_enter_host_view(void);
/* In the new process: a user namespace of its own. Waits on `sync` until the parent has written the
 * maps. */
int alma_enter_user_namespace(int sync);
/* In the parent, between the two bytes on `sync`: maps uid and gid 1000 inside to uid and gid
 * outside. */
int alma_map_identity(int sync, pid_t pid, uid_t uid, gid_t gid);
/* A user namespace that maps `owner` on disk to `uid` in a mount; -1 or its descriptor. */
int alma_idmap_namespace(uid_t owner, gid_t group, uid_t uid, gid_t gid);

/* ---- mounts.c, root.c, proc.c, holds.c ---- */

struct alma_view {
    const char *path; /* the same place outside and inside */
    int32_t optional;
};

enum alma_attach {
    ALMA_ATTACH_READ_ONLY = 1 << 0,
    ALMA_ATTACH_RECURSIVE = 1 << 1, /* with the mounts below; without, they look empty */
};

/* A detached copy of the mount at `path`, checked to be the directory or file (device, inode). -1
 * or its descriptor. idmap is a descriptor from alma_idmap_namespace or -1. */
int alma_detached_mount(const char *path, uint64_t device, uint64_t inode, int idmap, int flags);
/* A detached empty filesystem in memory, owned by uid:gid. */
int alma_detached_memory(uint64_t bytes, uint64_t inodes, uid_t uid, gid_t gid);
/* A regular file or directory below `target` is made as mount point when missing. */
int alma_attach_mount(int mount, const char *target);
/* Makes /run/alma/NAME, empty, readable and executable, and opens it for writing, which goes on to
 * work when the root is sealed. */
int alma_open_script(const char *name);
/* What `path` names in /workspace becomes read-only, and neither it nor a directory above it can be
 * renamed, removed or replaced. Symbolic links are refused (ELOOP); ENOENT: it is not there. */
int alma_hold_path(const char *path);
/* From here on nothing can be put into the root any more. */
int alma_seal_root(void);

/* ---- prepare.c ---- */

struct alma_plan {
    const struct alma_view *views;
    size_t view_count;
    uint64_t tmp_bytes;
    uint64_t tmp_inodes;
    int32_t loopback; /* bring lo up */
    int32_t plain_zero; /* /dev/zero as a file of zeros: memory mapped from the device escapes
                           sampling */
};

/* Everything that can be done before anything is known, once; 0, or -1 with `failure` filled in. */
int alma_enter_namespaces(struct alma_failure *failure);
/* Then everything that can be done before a task is known. Leaves the host for good.
 * Returns the pid of init as this process sees it, or -1 with `failure` filled in. */
struct alma_tool;
pid_t alma_prepare(const struct alma_plan *plan, struct alma_tool *tool,
                   struct alma_failure *failure);

/* Steps of alma_prepare and alma_init_run that have files of their own. */
int alma_build_root(const struct alma_plan *plan);
int alma_mount_proc(void);

/* ---- init.c, tool.c ---- */

struct alma_rule {
    const char *path;
    uint32_t access; /* enum alma_access */
};

enum alma_access {
    ALMA_ACCESS_LIST = 1 << 0, /* this directory and all below can be listed */
    ALMA_ACCESS_READ = 1 << 1, /* read, list and execute below */
    ALMA_ACCESS_WRITE = 1 << 2, /* everything below but devices and sockets' peers */
    ALMA_ACCESS_DEVICE = 1 << 3, /* read and write one existing file */
};

/* One task. Lives with all it points to in memory shared by executor, init and tool until exec,
 * mapped before init was forked, so that pointers mean the same in all three. */
struct alma_tool {
    /* known at prepare */
    const void *filter; /* struct sock_filter[] */
    size_t filter_length; /* in bytes */
    const void *init_filter;
    size_t init_filter_length;
    int32_t link; /* the tool's end, SOCK_SEQPACKET */
    int32_t error; /* the tool's end; closed by exec */
    int32_t input, output, diagnostics;
    int32_t joins[4]; /* cgroup files, open for writing, in which init enters itself */
    int32_t join_count;
    int32_t deny_tcp; /* Landlock refuses TCP too: no network */
    void (*warm_up)(void *); /* NULL, or what the tool does first, confined and without its task */
    void *warm_up_context;
    /* known at assign */
    const char *program; /* NULL: no exec, alma_tool_enter returns */
    const char *operation; /* then: one of ALMA's own, with its input */
    const char *input_json;
    size_t input_json_length;
    char *const *argv;
    char *const *envp;
    const struct alma_rule *rules;
    size_t rule_count;
    uint64_t cpu_seconds, open_files, file_size, processes;
};

enum alma_record_kind {
    ALMA_RECORD_READY = 1, /* init: /proc is there */
    ALMA_RECORD_WAITING = 2, /* tool: confined, waits for go; carries the listener */
    ALMA_RECORD_ENDED = 3, /* init: the tool ended */
    ALMA_RECORD_FAILED = 4, /* init or tool: a step failed */
};

/* What travels on the link. */
struct alma_record {
    int32_t kind;
    int32_t stage, error;
    int32_t pid; /* WAITING: the tool's, as its namespace sees it */
    int32_t landlock_probe; /* WAITING: errno of opening what only Landlock forbids */
    int32_t wait_status; /* ENDED */
    int32_t alone; /* ENDED: the tool has left nothing behind */
    int64_t cpu_microseconds; /* ENDED: the tool and what it waited for */
    int64_t max_rss_kib; /* ENDED */
};

/* Runs as pid 1; does not return, except in the tool of a task without program. */
void alma_init_run(struct alma_tool *tool);
/* Tells the executor which step failed, errno being its cause, and ends this process. */
_Noreturn void alma_give_up(int link, int stage);
/* From fork to exec. Returns only for a task without program, confined and told to go. */
void alma_tool_enter(struct alma_tool *tool);

/* ---- identity.c, landlock.c, limits.c, seccomp.c, network.c ---- */

int alma_take_identity(void);
int alma_drop_capabilities(void);
int alma_no_new_privs(void);
int alma_join_fresh_keyring(void);
/* Memory, descriptors and /proc entries of this process are closed to others of the same user. */
int alma_set_dumpable(int dumpable);

/* Landlock's ABI version; 0 when the kernel has none. */
int alma_landlock_abi(void);
int alma_landlock_restrict(const struct alma_rule *rules, size_t count, int scope, int deny_tcp);

/* All but the one on descriptors. */
int alma_apply_limits(const struct alma_tool *tool);
/* That one, of another process. */
int alma_limit_descriptors(pid_t pid, uint64_t most);

/* Installs the filter on this process. With want_listener returns its descriptor, else 0. */
int alma_seccomp_install(const void *filter, size_t length, int want_listener);

struct alma_notification {
    uint64_t id;
    int32_t number;
    uint64_t arguments[6];
};
/* -1 with ENOENT when the caller died meanwhile. Never blocks after poll said readable. */
int alma_seccomp_receive(int listener, struct alma_notification *notification);
/* The call fails with `error` (positive errno). Never lets a call continue. */
int alma_seccomp_refuse(int listener, uint64_t id, int error);
void alma_seccomp_tune(int listener);

int alma_loopback_up(void);

/* ---- channel.c ---- */

int alma_socketpair(int type, int ends[2]);
int alma_pipe(int ends[2]);
/* One message with up to 16 descriptors; sends all of `length` or fails. */
ssize_t alma_send(int socket, const void *bytes, size_t length, const int *descriptors,
                  size_t count, int flags);
/* Up to 16 descriptors arrive close-on-exec in `descriptors`; further ones are closed. */
ssize_t alma_receive(int socket, void *bytes, size_t length, int *descriptors, size_t *count,
                     int flags);
/* Who sent the last message that came by a socket with SO_PASSCRED: its pid as seen here,
 * or -1 when the message did not say. */
pid_t alma_last_sender(void);
/* Only a handle: neither readable nor writable. */
int alma_open_path(const char *path);
int alma_pidfd_open(pid_t pid);
int alma_pidfd_kill(int pidfd);
int alma_close_from(int first);
void *alma_shared_memory(size_t length);
/* Blocks SIGCHLD and returns a descriptor that is readable when children have ended. */
int alma_child_signals(void);
/* Starts `path` in a session of its own with descriptor 3 = channel, no other descriptor, and an
 * empty environment but `environment`. Returns its pid. */
pid_t alma_start_program(const char *path, char *const *argv, char *const *environment,
                         int channel);

/* One-shot readiness, a token each. Returns how many tokens there are. */
int alma_epoll_create(void);
int alma_epoll_add(int epoll, int descriptor, uint64_t token, int writable);
int alma_epoll_remove(int epoll, int descriptor);
int alma_epoll_wait(int epoll, uint64_t *tokens, int capacity);
/* A detached thread that runs `body`. */
int alma_start_thread(void (*body)(void));

/* Peculiar forms that Swift cannot import. */
int alma_die_with_parent(pid_t parent);
/* Processes whose parents end become children of this one. */
int alma_adopt_orphans(void);

#include "files.h"
#include "probe.h"
#include "syscalls.h"

#endif
