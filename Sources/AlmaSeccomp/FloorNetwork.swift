import AlmaModel
import Glibc

/// Which sockets a task may have in each network mode.
enum FloorNetwork {
    static func entries(_ mode: NetworkMode, showsHostFiles: Bool) -> [String: FloorEntry] {
        let (text, branches) =
            switch mode {
            case .none: (textOfNone, triedByRuntimes)
            case .loopback where showsHostFiles: (textOfInternetOnly, internet + route + [nameService])
            case .loopback: (textOfLoopback, internet + unix + route)
            }
        // Either end of a datagram pair can be sent elsewhere: to a socket of the host's in a workspace. The others
        // cannot.
        let pair = [stream, seqpacket].map {
            branch(.allow, .equal(0, UInt64(AF_UNIX)), .masked(1, typeMask, $0))
        }
        return [
            "socket": FloorEntry(Stage(branches: branches, otherwise: .notify(EPERM)), text),
            "socketpair": FloorEntry(Stage(branches: pair, otherwise: .notify(EPERM)), text),
            "setsockopt": usualBuffers,
        ]
    }

    /// Sockets keep the buffers they came with, so that their number tells what they hold. Success is answered, as the
    /// kernel does where it gives less than was asked for.
    private static let usualBuffers = FloorEntry(
        Stage(
            branches: [sendBuffer, receiveBuffer].map { branch(.errno(0), .equal(1, socketLevel), .equal(2, $0)) },
            otherwise: .allow), ("built-in: socket buffers", ""))

    /// SOL_SOCKET, SO_SNDBUF and SO_RCVBUF. The two that FORCE it take a capability.
    private static let (socketLevel, sendBuffer, receiveBuffer): (UInt64, UInt64, UInt64) = (1, 7, 8)

    private static let textOfNone = (
        rule: "network: none",
        hint: "this task has no network; `network: loopback` in its profile, or `--network loopback`, "
            + "gives it a 127.0.0.1 of its own"
    )

    private static let textOfLoopback = (
        rule: "network: loopback", hint: "this task has TCP, UDP and Unix sockets inside its sandbox, and no others"
    )

    /// A path is no address of a namespace: through a directory of the host's, so are its sockets in there.
    private static let textOfInternetOnly = (
        rule: "network: loopback",
        hint: "with a workspace or a mount of the host's this task has TCP and UDP inside its sandbox, and no others: "
            + "a Unix socket could reach the host's programs; use 127.0.0.1, or a fresh workspace"
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
        nameService,
        branch(.errno(EPERM), .equal(0, UInt64(AF_NETLINK)), .equal(2, netlinkRoute)),
    ]

    private static let nameService = branch(
        .errno(EACCES), .equal(0, UInt64(AF_UNIX)), .equal(1, stream | closeOnExec | nonBlocking), .equal(2, 0))

    private static let internet: [Stage.Branch] = {
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
        return branches
    }()

    private static let unix = [stream, datagram, seqpacket].map {
        branch(.allow, .equal(0, UInt64(AF_UNIX)), .masked(1, typeMask, $0))
    }
    private static let route = [branch(.allow, .equal(0, UInt64(AF_NETLINK)), .equal(2, netlinkRoute))]

    private static func branch(_ action: SyscallAction, _ tests: ArgumentTest...) -> Stage.Branch {
        .init(tests: tests, action: action)
    }
}
