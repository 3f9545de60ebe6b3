/* Landlock: the same view as the mounts give, enforced a second time by other means. */
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers of the oldest system ALMA builds on. */
#define ACCESS_TRUNCATE (1ULL << 14) /* ABI 3 */
#define ACCESS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define ACCESS_BIND_TCP (1ULL << 0) /* ABI 4 */
#define ACCESS_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT_SOCKETS (1ULL << 0) /* ABI 6 */
#define SCOPE_SIGNALS (1ULL << 1)

struct ruleset_attributes {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

int alma_landlock_abi(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return version < 0 ? 0 : (int)version;
}

static uint64_t handled_by(int abi)
{
    uint64_t handled = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

    if (abi >= 2)
        handled |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        handled |= ACCESS_TRUNCATE;
    if (abi >= 5)
        handled |= ACCESS_IOCTL_DEV;
    return handled;
}

static uint64_t rights(uint32_t access)
{
    const uint64_t read =
        LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    const uint64_t write = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                           LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                           LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                           LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |
                           LANDLOCK_ACCESS_FS_REFER | ACCESS_TRUNCATE;
    uint64_t result = 0;

    if (access & ALMA_ACCESS_LIST)
        result |= LANDLOCK_ACCESS_FS_READ_DIR;
    if (access & ALMA_ACCESS_READ)
        result |= read;
    if (access & ALMA_ACCESS_WRITE)
        result |= read | write;
    if (access & ALMA_ACCESS_DEVICE)
        result |= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE;
    return result;
}

/* Rights that only directories can have are refused by the kernel in a rule for a file. */
static uint64_t fitting(int fd, uint64_t wanted)
{
    const uint64_t for_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                               LANDLOCK_ACCESS_FS_READ_FILE | ACCESS_TRUNCATE | ACCESS_IOCTL_DEV;
    int directory = faccessat(fd, ".", F_OK, 0) == 0;

    return directory ? wanted : wanted & for_files;
}

/* A path that is not there needs no rule. */
static int add_rule(int ruleset, const struct alma_rule *rule, uint64_t handled)
{
    struct landlock_path_beneath_attr attributes;
    int fd = open(rule->path, O_PATH | O_CLOEXEC);
    long result;

    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    attributes.parent_fd = fd;
    attributes.allowed_access = fitting(fd, rights(rule->access) & handled);
    result = attributes.allowed_access == 0 ? 0
                                            : syscall(SYS_landlock_add_rule, ruleset,
                                                      LANDLOCK_RULE_PATH_BENEATH, &attributes, 0);
    close(fd);
    return (int)result;
}

int alma_landlock_restrict(const struct alma_rule *rules, size_t count, int scope, int deny_tcp)
{
    int abi = alma_landlock_abi();
    struct ruleset_attributes attributes = {handled_by(abi), 0, 0};
    size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    int ruleset;
    long result = 0;

    if (alma_left_out(ALMA_LAYER_LANDLOCK))
        return 0;
    if (abi == 0) {
        errno = ENOSYS;
        return -1;
    }
    if (deny_tcp && abi >= 4)
        attributes.handled_access_net = ACCESS_BIND_TCP | ACCESS_CONNECT_TCP;
    if (scope && abi >= 6)
        attributes.scoped = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset < 0)
        return -1;
    for (size_t i = 0; i < count && result == 0; i++)
        result = add_rule(ruleset, &rules[i], attributes.handled_access_fs);
    if (result == 0)
        result = syscall(SYS_landlock_restrict_self, ruleset, 0);
    close(ruleset);
    return (int)result;
}
