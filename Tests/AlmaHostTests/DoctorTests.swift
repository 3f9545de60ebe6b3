import AlmaModel
import Glibc
import Testing

@testable import AlmaHost

private func host(_ change: (inout HostFacts) -> Void = { _ in }) -> HostFacts {
    var facts = HostFacts()
    facts.kernelRelease = "6.1.0-18-amd64"
    for probe in HostFacts.Probe.allCases { facts.probes[probe] = 0 }
    facts.landlockABI = 6
    facts.cgroup = .delegated(path: "/sys/fs/cgroup/x")
    facts.executorPath = "/usr/local/bin/alma-executor"
    facts.executor = .good
    facts.home = "/home/u/.local/share/alma"
    facts.policyName = "default"
    facts.interpreters = [.init(tool: "python", path: "/usr/bin/python3", found: true)]
    change(&facts)
    return facts
}

private func check(_ name: String, _ facts: HostFacts) throws -> DoctorReport.Check {
    try #require(Doctor.report(on: facts).checks.first { $0.name == name })
}

@Suite("Doctor on hosts of every kind")
struct DoctorTests {
    @Test("a good host passes everywhere, and every layer has its line")
    func good() {
        let report = Doctor.report(on: host())
        #expect(report.passes)
        #expect(report.count(.warn) == 0)
        #expect(Set(Layer.allCases.map(\.rawValue)).isSubset(of: report.checks.map(\.name)))
        #expect(Set(report.checks.map(\.name)).count == report.checks.count)
    }

    @Test("whatever is not PASS says its cause and its fix")
    func explained() {
        let worst = host { facts in
            for probe in HostFacts.Probe.allCases { facts.probes[probe] = EPERM }
            facts.landlockABI = -ENOSYS
            facts.cgroup = .unusable("nothing there")
            facts.executor = .missing
            facts.homeErrno = EACCES
            facts.policyError = AlmaError(.policyInvalid, "broken")
            facts.configurationError = AlmaError(.configInvalid, "broken")
            facts.kernelRelease = "4.19.0"
            facts.isRoot = true
        }
        let report = Doctor.report(on: worst)
        #expect(!report.passes)
        for check in report.checks where check.state != .pass {
            #expect(check.cause?.isEmpty == false, "\(check.name)")
            #expect(check.fix?.isEmpty == false, "\(check.name)")
        }
    }

    @Test(
        "kernels before 5.12 fail",
        arguments: [
            ("5.11.22-generic", false), ("5.12.0", true), ("6.18.44-fc", true), ("4.19.0-26-amd64", false),
            ("x", false),
        ])
    func kernel(release: String, passes: Bool) throws {
        #expect(try check("kernel", host { $0.kernelRelease = release }).state == (passes ? .pass : .fail))
    }

    @Test(
        "the sysctl that turned user namespaces off is named, with the command that turns them on",
        arguments: [
            ("user.max_user_namespaces", "0", "user.max_user_namespaces=15000"),
            ("kernel.unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
            ("kernel.apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ])
    func userNamespaces(name: String, value: String, command: String) throws {
        let found = try check(
            "user_namespace",
            host {
                $0.probes[.user] = EPERM
                $0.sysctls[name] = value
            })
        #expect(found.state == .fail)
        #expect(found.cause == "\(name) is \(value)")
        #expect(found.fix?.hasPrefix("sudo sysctl -w \(command) ") == true)
    }

    @Test("AppArmor's restriction is found where it bites: after the namespace was made")
    func appArmor() throws {
        let facts = host {
            $0.probes[.mount] = EPERM
            $0.sysctls["kernel.apparmor_restrict_unprivileged_userns"] = "1"
        }
        #expect(try check("mount", facts).fix?.contains("apparmor_restrict_unprivileged_userns=0") == true)
    }

    @Test("in a container without user namespaces the container is the cause")
    func container() throws {
        let found = try check(
            "user_namespace",
            host {
                $0.probes[.user] = EPERM
                $0.isContainer = true
            })
        #expect(found.cause == "the container engine forbids it")
        #expect(found.fix?.contains("seccomp=unconfined") == true)
    }

    @Test("without user namespaces the layers that need them point there")
    func dependent() throws {
        let facts = host {
            $0.probes[.user] = EPERM
            $0.probes[.network] = EPERM
        }
        #expect(try check("network", facts).fix == "mend user_namespace first")
    }

    @Test("a used-up namespace counter is named")
    func counter() throws {
        let found = try check(
            "network",
            host {
                $0.probes[.network] = ENOSPC
                $0.sysctls["user.max_net_namespaces"] = "0"
            })
        #expect(found.cause == "user.max_net_namespaces is 0")
    }

    @Test("a masked /proc is a failure with its own fix")
    func proc() throws {
        let found = try check("proc", host { $0.probes[.proc] = EPERM })
        #expect(found.state == .fail)
        #expect(found.fix?.contains("systempaths=unconfined") == true)
    }

    @Test(
        "Landlock: absent and off fail, old warns, new passes",
        arguments: [
            (-ENOSYS, DoctorReport.State.fail), (-EOPNOTSUPP, .fail), (0, .fail), (1, .warn), (3, .warn), (4, .pass),
            (7, .pass),
        ] as [(Int32, DoctorReport.State)])
    func landlock(abi: Int32, state: DoctorReport.State) throws {
        #expect(try check("landlock", host { $0.landlockABI = abi }).state == state)
    }

    @Test("a kernel without seccomp, or a filter that already listens, fails")
    func seccomp() throws {
        #expect(
            try check("seccomp", host { $0.probes[.seccomp] = EINVAL }).fix?.contains("CONFIG_SECCOMP_FILTER") == true)
        #expect(try check("seccomp_notify", host { $0.probes[.seccompNotify] = EBUSY }).state == .fail)
    }

    @Test("without a cgroup memory is sampled, which warns and tells how to delegate")
    func cgroup() throws {
        let user = try check("memory_limit", host { $0.cgroup = .unusable("none") })
        #expect(user.state == .warn)
        #expect(user.fix?.contains("systemd-run --user --scope -p Delegate=yes") == true)
        #expect(
            try check("memory_limit", host { $0.cgroup = .version1 }).state == .pass)
    }

    @Test("idmapped mounts matter to root only")
    func idmap() throws {
        let user = Doctor.report(on: host { $0.probes[.idmap] = EPERM })
        #expect(!user.checks.contains { $0.name == "idmapped_mounts" })
        #expect(
            try check(
                "idmapped_mounts",
                host {
                    $0.isRoot = true
                    $0.probes[.idmap] = EINVAL
                }
            ).state == .warn)
    }

    @Test(
        "an executor that cannot run fails",
        arguments: [HostFacts.ProgramFact.missing, .notExecutable, .noExec])
    func executor(fact: HostFacts.ProgramFact) throws {
        #expect(try check("executor", host { $0.executor = fact }).state == .fail)
    }

    @Test("a missing interpreter warns with the Debian package")
    func interpreter() throws {
        let found = try check("python", host { $0.interpreters[0].found = false })
        #expect(found.state == .warn)
        #expect(found.fix == "sudo apt-get install python3")
    }

    @Test("a policy that does not load fails with what is wrong")
    func policy() throws {
        let error = AlmaError(
            .policyInvalid, "does not load", details: [.init(field: "x.yaml:5:1", message: "unknown key")])
        #expect(try check("policy", host { $0.policyError = error }).cause == "does not load; x.yaml:5:1: unknown key")
    }

    @Test("config.yaml: absent passes, there passes, broken fails with every problem")
    func configuration() throws {
        let absent = try check("config", host { $0.configurationFile = "/c" })
        #expect(absent.state == .pass)
        #expect(absent.detail == "all defaults, there is no /c")
        let there = try check(
            "config",
            host {
                $0.configurationFile = "/c"
                $0.hasConfigurationFile = true
            })
        #expect(there.detail == "/c")
        let error = AlmaError(
            .configInvalid, "/c is wrong",
            details: [.init(field: "/c:1:1", message: "a"), .init(field: "/c:2:1", message: "b")])
        let broken = try check("config", host { $0.configurationError = error })
        #expect(broken.state == .fail)
        #expect(broken.cause == "/c is wrong; /c:1:1: a; /c:2:1: b")
    }

    @Test("the paths in use are fields of their own, null for a policy that is compiled in")
    func paths() throws {
        var settings = try Settings(.init(socket: "/s"), surroundings(["ALMA_HOME": "/h", "HOME": "/u"]))
        settings.shareDirectory = "/none"
        let facts = HostProbe.facts(settings, configurationError: nil, policy: .failure(AlmaError("x", "y")))
        #expect(
            Doctor.report(on: facts).json["paths"]
                == [
                    "home": "/h", "database": "/h/alma.db", "socket": "/s", "config": "/u/.config/alma/config.yaml",
                    "policy": nil, "executor": "/usr/local/bin/alma-executor",
                ])
    }

    @Test("JSON has every check and a summary")
    func json() {
        let json = Doctor.report(on: host { $0.cgroup = .unusable("none") }).json
        #expect(json["summary"] == ["pass": 19, "warn": 1, "fail": 0])
        #expect(
            json["checks"]?.array?.first
                == ["name": "kernel", "state": "PASS", "detail": "6.1.0-18-amd64", "cause": nil, "fix": nil])
    }
}
