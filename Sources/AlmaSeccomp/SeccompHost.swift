import Glibc

/// What conditions in a system call profile are compared with.
public struct SeccompHost: Sendable, Equatable {
    public enum Architecture: String, Sendable {
        /// Named as in `includes.arches`.
        case amd64, arm64

        /// Named as in `architectures`.
        var name: String { self == .amd64 ? "SCMP_ARCH_X86_64" : "SCMP_ARCH_AARCH64" }

        /// Foreign ABIs of the same machine, which profiles list too and ALMA always kills.
        var compatible: [String] { self == .amd64 ? ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] : ["SCMP_ARCH_ARM"] }
    }

    public struct KernelVersion: Sendable, Equatable, Comparable {
        public var major: Int
        public var minor: Int

        public init(major: Int, minor: Int) {
            self.major = major
            self.minor = minor
        }

        public static func < (left: Self, right: Self) -> Bool { (left.major, left.minor) < (right.major, right.minor) }

        /// Reads `4.8` and nothing else.
        init?(_ text: String) {
            let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { part -> Int? in
                part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(part) : nil
            }
            guard parts.count == 2, let major = parts[0], let minor = parts[1] else { return nil }
            self.init(major: major, minor: minor)
        }
    }

    public var architecture: Architecture
    public var kernel: KernelVersion

    public init(architecture: Architecture, kernel: KernelVersion) {
        self.architecture = architecture
        self.kernel = kernel
    }

    /// This machine. A kernel that does not say its version counts as 0.0, so rules for newer ones do not apply.
    public static var current: SeccompHost {
        #if arch(x86_64)
            let architecture = Architecture.amd64
        #elseif arch(arm64)
            let architecture = Architecture.arm64
        #else
            #error("no system call profiles for this architecture")
        #endif
        var names = utsname()
        let unknown = KernelVersion(major: 0, minor: 0)
        guard uname(&names) == 0 else { return SeccompHost(architecture: architecture, kernel: unknown) }
        let release = withUnsafeBytes(of: names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let digits = release.split(separator: ".").prefix(2).map { $0.prefix { $0.isASCII && $0.isNumber } }
        let version = KernelVersion(digits.joined(separator: ".")) ?? unknown
        return SeccompHost(architecture: architecture, kernel: version)
    }
}
