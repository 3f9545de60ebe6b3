/// The files of `policies/` that are compiled into the program, so that it works without an installation. The build
/// makes `PackageResources` of what Package.swift lists as `.embedInCode`.
enum ShippedPolicies {
    /// - Parameter path: below `policies/`, for example `seccomp/default.json`.
    static func file(_ path: String) -> [UInt8]? {
        switch path {
        case "default.yaml": PackageResources.default_yaml
        case "seccomp/default.json": PackageResources.default_json
        default: nil
        }
    }

    /// What messages call a compiled-in file.
    static func origin(_ path: String) -> String { "(built-in) policies/\(path)" }
}
