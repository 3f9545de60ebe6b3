import AlmaModel
import Glibc

/// Which sockets a task may have in each network mode.
enum FloorNetwork {
    static func entries(_ mode: NetworkMode) -> [String: FloorEntry] {
        let (text, branches) =
            switch mode {
            case .none: (textOfNone, triedByRuntimes)
            case .loopback: (textOfLoopback, local)
            }
        // Either end of a datagram pair can be sent elsewhere: to a socket of the host's in a workspace. The others
        // cannot.
        let pair = [stream, seqpacket].map {
            branch(.allow, .equal(0, UInt64(AF_UNIX)), .masked(1, typeMask, $0))
        }
        return [
            "socket": FloorEntry(Stage(branches: branches, otherwise: .notify(EPERM)), text),
            "socketpair": FloorEntry(Stage(branches: pair, otherwise: .notify(EPERM)), text),
        ]
    }

    private static let textOfNone = (
        rule: "network: none",
        hint: "this task has no network; `network: loopback` in its profile, or `--network loopback`, "
            + "gives it a 127.0.0.1 of its own"
    )

    private static let textOfLoopback = (
        rule: "network: loopback", hint: "this task has TCP, UDP and Unix sockets inside its sandbox, and no others"
    )

    // The kernel's numbers; the bits above the type are SOCK_CLOEXEC and SOCK_NONBLOCK.
    private static let (stream, datagram, seqpacket): (UInt64, UInt64, UInt64) = (1, 2, 5)
    private static let typeMask: UInt64 = 0xF
    private static let (closeOnExec, nonBlocking): (UInt64, UInt64) = (0o2_000_000, 0o4_000)
    private static let (tcp, udp, mptcp): (UInt64, UInt64, UInt64) = (6, 17, 262)
    private static let netlinkRoute: UInt64 = 0

    /// What runtimes try by themselves and do without is no denial to tell of: glibc's look for nscd (each getpwnam)
    /// and for the machine's addresses (each getaddrinfo).
    private static let triedByRuntimes = [
        branch(
            .errno(EACCES), .equal(0, UInt64(AF_UNIX)), .equal(1, stream | closeOnExec | nonBlocking), .equal(2, 0)),
        branch(.errno(EPERM), .equal(0, UInt64(AF_NETLINK)), .equal(2, netlinkRoute)),
    ]

    private static let local: [Stage.Branch] = {
        var branches: [Stage.Branch] = []
        for family in [UInt64(AF_INET), UInt64(AF_INET6)] {
            for (type, itsProtocol) in [(stream, tcp), (datagram, udp)] {
                for chosen in [0, itsProtocol] {
                    branches.append(
                        branch(.allow, .equal(0, family), .masked(1, typeMask, type), .equal(2, chosen)))
                }
            }
            // Go tries it first for each listener and goes on with TCP.
            branches.append(branch(.errno(EPROTONOSUPPORT), .equal(0, family), .equal(2, mptcp)))
        }
        for type in [stream, datagram, seqpacket] {
            branches.append(branch(.allow, .equal(0, UInt64(AF_UNIX)), .masked(1, typeMask, type)))
        }
        return branches + [branch(.allow, .equal(0, UInt64(AF_NETLINK)), .equal(2, netlinkRoute))]
    }()

    private static func branch(_ action: SyscallAction, _ tests: ArgumentTest...) -> Stage.Branch {
        .init(tests: tests, action: action)
    }
}
