import AlmaModel
import Foundation
import Glibc
import Testing

@testable import AlmaExecution

@Suite("Which directories may be a workspace")
struct WorkspaceGuardTests {
    /// The code with which a workspace is refused; nil when it may be used.
    private func refusal(_ path: String, _ workspaces: WorkspaceGuard) -> ErrorCode? {
        do throws(AlmaError) {
            _ = try workspaces.pin(path)
            return nil
        } catch {
            return error.code
        }
    }

    @Test(
        "a path contains another by whole components",
        arguments: [
            ("/a/b", "/a/b", true), ("/a/b", "/a/b/c", true), ("/a/b", "/a/bc", false), ("/a/b", "/a", false),
            ("/", "/a", true),
            ("/", "/", true), ("/a", "/b/a", false),
        ])
    func contains(outer: String, inner: String, expected: Bool) {
        #expect(PathText.contains(outer, inner) == expected)
    }

    @Test("ALMA's own directories are closed from above, from within, and through links; neighbours are not")
    func own() throws {
        try withDirectory { root in
            try makeDirectories(root + "/p/home/run", root + "/p/home2", root + "/sockets/s", root + "/free/x")
            try FileManager.default.createSymbolicLink(atPath: root + "/link", withDestinationPath: root + "/p/home")
            try FileManager.default.createSymbolicLink(atPath: root + "/free/up", withDestinationPath: root + "/p")
            let workspaces = WorkspaceGuard(home: root + "/p/home", guarded: [root + "/sockets", ""])
            for path in [
                root, root + "/p", root + "/p/home", root + "/p/home/run", root + "/p/home/", root + "/p/home2/../home",
                root + "/link", root + "/link/run", root + "/free/up", root + "/sockets", root + "/sockets/s",
            ] {
                #expect(refusal(path, workspaces) == .workspaceUnsafe, "\(path)")
            }
            for path in [root + "/p/home2", root + "/free", root + "/free/x", root + "/free/x/../x/"] {
                #expect(refusal(path, workspaces) == nil, "\(path)")
            }
        }
    }

    @Test("a home named through a link is guarded where it is")
    func linkedHome() throws {
        try withDirectory { root in
            try makeDirectories(root + "/real/home", root + "/other")
            try FileManager.default.createSymbolicLink(atPath: root + "/home", withDestinationPath: root + "/real/home")
            let workspaces = WorkspaceGuard(home: root + "/home", guarded: [root + "/home"])
            #expect(refusal(root + "/real", workspaces) == .workspaceUnsafe)
            #expect(refusal(root + "/real/home", workspaces) == .workspaceUnsafe)
            #expect(refusal(root + "/other", workspaces) == nil)
        }
    }

    @Test("of the home only what is in workspaces may be used, and only by its real place")
    func conversations() throws {
        try withDirectory { root in
            let home = root + "/home"
            try makeDirectories(home + "/workspaces/1/deep", home + "/workspaces2/1", home + "/store")
            try FileManager.default.createSymbolicLink(
                atPath: home + "/workspaces/2", withDestinationPath: home + "/store")
            let workspaces = WorkspaceGuard(home: home, guarded: [])
            #expect(refusal(home + "/workspaces/1", workspaces) == nil)
            #expect(refusal(home + "/workspaces/1/deep", workspaces) == nil)
            for name in ["workspaces", "workspaces2/1", "workspaces/2", "workspaces/../store", "workspaces/.."] {
                #expect(refusal("\(home)/\(name)", workspaces) == .workspaceUnsafe, "\(name)")
            }
        }
    }

    @Test(
        "system directories are closed",
        arguments: [
            "/", "/etc", "/etc/ssl", "/usr", "/usr/bin", "/proc", "/proc/self", "/sys", "/dev", "/dev/shm", "/tmp",
            "/var", "/home",
        ])
    func system(path: String) throws {
        try withDirectory { root in
            let workspaces = WorkspaceGuard(home: root, guarded: [])
            let error = #expect(throws: AlmaError.self) { try workspaces.pin(path) }
            #expect(error?.code == .workspaceUnsafe)
            #expect(
                error?.message
                    == "workspace \(path) is not allowed: a system directory; give a project directory of its own")
        }
    }

    @Test("what is missing, no directory, relative or has a NUL is told apart")
    func wrong() throws {
        try withDirectory { root in
            try makeDirectories(root + "/home")
            try write("", to: root + "/file")
            let workspaces = WorkspaceGuard(home: root + "/home", guarded: [])
            #expect(refusal(root + "/gone", workspaces) == .workspaceNotFound)
            #expect(refusal(root + "/file/x", workspaces) == .workspaceNotFound)
            #expect(refusal(root + "/file", workspaces) == .workspaceUnsafe)
            #expect(refusal("relative", workspaces) == .workspaceUnsafe)
            #expect(refusal("", workspaces) == .workspaceUnsafe)
            #expect(refusal(root + "/home2\0", workspaces) == .workspaceUnsafe)
        }
    }

    @Test("a pinned path stays the directory it was, whatever becomes of its name")
    func pinned() throws {
        try withDirectory { root in
            try makeDirectories(root + "/home", root + "/a")
            let pinned = try WorkspaceGuard(home: root + "/home", guarded: []).pin(root + "/./a")
            var status = stat()
            #expect(lstat(root + "/a", &status) == 0)
            #expect(pinned.path == root + "/a")
            #expect(pinned.isDirectory)
            #expect(pinned.device == UInt64(status.st_dev))
            #expect(pinned.inode == UInt64(status.st_ino))
            #expect(pinned.owner.uid == geteuid())
        }
    }

    @Test("mounts may show anything but ALMA's own and the kernel's directories")
    func mounts() throws {
        try withDirectory { root in
            try makeDirectories(root + "/p/home/x", root + "/p/home2", root + "/q")
            let workspaces = WorkspaceGuard(home: root + "/p/home", guarded: [])
            for path in [
                "/", root, root + "/p", root + "/p/home", root + "/p/home/x", "/proc", "/proc/1", "/sys", "/dev/shm",
            ] {
                let pinned = try PinnedPath(path)
                #expect(throws: AlmaError.self, "\(path)") { try workspaces.checkMount(pinned) }
            }
            for path in ["/usr/share", "/etc/hosts", root + "/p/home2", root + "/q"] {
                let pinned = try PinnedPath(path)
                #expect(throws: Never.self, "\(path)") { try workspaces.checkMount(pinned) }
            }
        }
    }
}

@Suite("Where mounts may stand")
struct MountTargetTests {
    @Test(
        "a place of its own is fine",
        arguments: ["/data", "/data/x", "/home", "/opt/tools", "/workspace/data", "/tmp/data", "/..data"])
    func good(target: String) {
        #expect(throws: Never.self) { try MountTarget.check(target, in: .fresh) }
    }

    @Test(
        "relative, unclean, system and ALMA's own places are not",
        arguments: [
            "", "/", "data", "./data", "//data", "/data/", "/data//x", "/data/./x", "/data/../etc", "/..", "/workspace",
            "/tmp",
            "/proc", "/proc/self", "/dev", "/dev/shm", "/sys/fs", "/run", "/run/alma/x", "/etc", "/etc/passwd",
            "/usr/bin",
            "/bin", "/data\0x", "/sbin/x", "/lib", "/lib64/ld.so", "/" + String(repeating: "a", count: 1024),
        ])
    func bad(target: String) {
        let error = #expect(throws: AlmaError.self) { try MountTarget.check(target, in: .fresh) }
        #expect(error?.code == .inputInvalid)
        #expect(error?.details.map(\.field) == ["mounts"])
    }
}

extension MountTargetTests {
    @Test("nothing is mounted into a directory of the user's, where the mount point would stay")
    func given() {
        let error = #expect(throws: AlmaError.self) {
            try MountTarget.check("/workspace/data", in: .directory("/home/someone/project"))
        }
        #expect(error?.code == .inputInvalid)
    }
}
