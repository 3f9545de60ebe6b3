// swift-tools-version: 6.1
import PackageDescription

/// Switches that exist in debug builds only: `ALMA_TEST_WITHOUT` turns one layer off, so that tests can show they fail.
let testSwitches = "ALMA_TEST_SWITCHES"

let fuzzed: [Target.Dependency] = [
    "AlmaModel", "AlmaWire", "AlmaPolicy", "AlmaSeccomp", "AlmaExecution", "AlmaOperations", "AlmaCoordinator",
    "AlmaSocket",
]
/// A test of a fixed corpus; with `ALMA_FUZZ`, as `make fuzz` sets it, a fuzzer, which has no `main` of its own.
let fuzzing: Target =
    Context.environment["ALMA_FUZZ"] == nil
    ? .testTarget(
        name: "Fuzzing", dependencies: fuzzed, path: "Tests/Fuzzing", exclude: ["Corpus", "Fuzzer.swift"])
    : .executableTarget(
        name: "alma-fuzz", dependencies: fuzzed, path: "Tests/Fuzzing", exclude: ["Corpus", "CorpusTests.swift"],
        swiftSettings: [.unsafeFlags(["-parse-as-library"])])

let package = Package(
    name: "alma",
    products: [
        .executable(name: "alma", targets: ["alma"]),
        .executable(name: "alma-executor", targets: ["alma-executor"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .target(name: "AlmaModel", linkerSettings: [.linkedLibrary("m")]),
        .target(name: "AlmaWire", dependencies: ["AlmaModel"]),
        .target(
            name: "AlmaPolicy",
            dependencies: [
                "AlmaModel", "AlmaSeccomp", .product(name: "Yams", package: "Yams"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            exclude: ["Shipped/README.md"],
            resources: [
                .embedInCode("Shipped/default.yaml"), .embedInCode("Shipped/strict.yaml"),
                .embedInCode("Shipped/open.yaml"), .embedInCode("Shipped/seccomp/default.json"),
            ]),
        .target(
            name: "AlmaSeccomp",
            dependencies: ["AlmaModel", "CConfinement", .product(name: "Crypto", package: "swift-crypto")]),
        .target(
            name: "AlmaExecution",
            dependencies: [
                "AlmaModel", "AlmaWire", "AlmaPolicy", "AlmaSeccomp", "CConfinement",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            resources: [.embedInCode("Runners/run.py")]),
        .target(
            name: "AlmaStore",
            dependencies: [
                "AlmaModel", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        .target(
            name: "AlmaCoordinator",
            dependencies: [
                "AlmaModel", "AlmaPolicy", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        .target(
            name: "AlmaSocket",
            dependencies: [
                "AlmaModel", "AlmaWire", "AlmaPolicy", "AlmaCoordinator",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "Logging", package: "swift-log"),
            ]),
        .target(name: "AlmaHost", dependencies: ["AlmaModel", "AlmaPolicy", "AlmaExecution", "CConfinement"]),
        .executableTarget(
            name: "alma",
            dependencies: [
                "AlmaModel", "AlmaPolicy", "AlmaExecution", "AlmaHost", "AlmaStore", "AlmaCoordinator", "AlmaSocket",
                "AlmaWire", .product(name: "Logging", package: "swift-log"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .target(
            name: "CConfinement", path: "Sandbox/CConfinement",
            cSettings: [
                .define("_GNU_SOURCE"), .define(testSwitches, .when(configuration: .debug)),
                .unsafeFlags(["-std=c11", "-Wall", "-Wextra", "-Werror"]),
            ]),
        .target(name: "AlmaOperations", dependencies: ["AlmaModel", "CConfinement"], path: "Sandbox/Operations"),
        .target(name: "AlmaInterpreter", path: "Sandbox/Interpreter", resources: [.embedInCode("warm.py")]),
        .executableTarget(
            name: "alma-executor",
            dependencies: ["AlmaModel", "AlmaWire", "AlmaOperations", "AlmaInterpreter", "CConfinement"],
            path: "Sandbox/Executor",
            swiftSettings: [.define(testSwitches, .when(configuration: .debug))]),
        .target(name: "CSeccompProbe", path: "Tests/Support/CSeccompProbe"),
        .target(name: "TestStage", path: "Tests/Support/Stage"),
        .executableTarget(
            name: "hostile", path: "Tests/Support/Hostile",
            cSettings: [.define("_GNU_SOURCE"), .unsafeFlags(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1"])],
            // Needs nothing but a kernel, also where the toolchain is not to be seen.
            linkerSettings: [.unsafeFlags(["-static-executable"])]),
        fuzzing,
        .testTarget(
            name: "AlmaCLITests", dependencies: ["alma", "AlmaHost", "AlmaModel", "AlmaExecution", "AlmaPolicy"],
            exclude: ["Golden"]),
        .testTarget(
            name: "ConfinementTests", dependencies: ["AlmaExecution", "AlmaModel", "AlmaPolicy", "CConfinement"]),
        .testTarget(name: "EndToEndTests", dependencies: ["TestStage"]),
        .testTarget(name: "Adversarial", dependencies: ["TestStage", "hostile"], exclude: ["run"]),
        .testTarget(name: "AlmaModelTests", dependencies: ["AlmaModel"], exclude: ["Golden"]),
        .testTarget(name: "AlmaWireTests", dependencies: ["AlmaWire", "AlmaModel"]),
        .testTarget(
            name: "AlmaExecutionTests",
            dependencies: ["AlmaExecution", "AlmaModel", "AlmaPolicy", "AlmaSeccomp", "CConfinement"]),
        .testTarget(name: "AlmaPolicyTests", dependencies: ["AlmaPolicy", "AlmaModel", "AlmaSeccomp"]),
        .testTarget(name: "AlmaOperationsTests", dependencies: ["AlmaOperations", "AlmaModel"]),
        .testTarget(
            name: "AlmaSeccompTests", dependencies: ["AlmaSeccomp", "AlmaModel", "CSeccompProbe"]),
        .testTarget(
            name: "AlmaStoreTests",
            dependencies: ["AlmaStore", "AlmaModel", .product(name: "GRDB", package: "GRDB.swift")],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "AlmaCoordinatorTests",
            dependencies: ["AlmaCoordinator", "AlmaModel", "AlmaPolicy", "AlmaExecution", "AlmaStore"]),
        .testTarget(
            name: "AlmaSocketTests",
            dependencies: ["AlmaSocket", "AlmaModel", "AlmaWire", "AlmaCoordinator", "AlmaPolicy", "AlmaStore"],
            exclude: ["Golden"]),
        .testTarget(name: "AlmaHostTests", dependencies: ["AlmaHost", "AlmaModel", "AlmaPolicy"]),
    ],
    swiftLanguageModes: [.v6]
)
