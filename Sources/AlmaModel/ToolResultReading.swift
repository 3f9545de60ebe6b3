extension ToolResult {
    /// Reads what `json` wrote, as a client gets it from a coordinator.
    /// - Returns: nil when it is no ToolResult.
    public init?(json: JSON) {
        guard let metadata = json["metadata"], let result = json["result"],
            let status = metadata["status"]?.string.flatMap(RunStatus.init), let tool = metadata["tool"]?.string,
            let id = metadata["run_id"]?.string
        else { return nil }
        self.init(
            status: status, runID: id, tool: tool, timeout: metadata["timeout"]?.double ?? 0,
            policy: PolicyStamp(json: metadata["policy"] ?? .null))
        self.result = result
        error = json["error"]?.string
        errorCode = metadata["error_code"]?.string.map(ErrorCode.init(rawValue:))
        executionTime = json["execution_time"]?.double ?? 0
        signal = metadata["signal"]?.integer.map { Int32(clamping: $0) }
        limit = metadata["limit"]?.string.flatMap(LimitKey.init)
        stdoutBytes = metadata["stdout_bytes"]?.integer ?? 0
        stderrBytes = metadata["stderr_bytes"]?.integer ?? 0
        truncated = metadata["truncated"]?.bool ?? false
        usage = Usage(json: metadata["usage"] ?? .null)
        deniedCalls = (metadata["denied_calls"]?.array ?? []).compactMap(DeniedCall.init)
        files = metadata["files"].flatMap(FileChanges.init)
        environmentDropped = strings(metadata["env_dropped"])
        isolation = Isolation(json: metadata["isolation"] ?? .null)
        isCached = metadata["cached"]?.bool ?? false
    }
}

private func strings(_ json: JSON?) -> [String] { (json?.array ?? []).compactMap(\.string) }

extension PolicyStamp {
    fileprivate init(json: JSON) {
        self.init(
            name: json["name"]?.string ?? "", sha256: json["sha256"]?.string ?? "", rules: strings(json["rules"]),
            profile: json["profile"]?.string ?? "")
    }
}

extension Usage {
    fileprivate init(json: JSON) {
        self.init()
        wallMilliseconds = json["wall_ms"]?.double ?? 0
        cpuMilliseconds = json["cpu_ms"]?.double ?? 0
        maxRSSKiB = json["max_rss_kib"]?.integer ?? 0
        processesPeak = json["processes_peak"]?.integer ?? 0
    }
}

extension DeniedCall {
    fileprivate init?(json: JSON) {
        guard let kind = json["kind"]?.string, let name = json["name"]?.string else { return nil }
        self.init(
            kind: kind, name: name, count: json["count"]?.integer ?? 1, rule: json["rule"]?.string ?? "",
            hint: json["hint"]?.string ?? "", inferred: json["inferred"]?.bool ?? false)
    }
}

extension FileChanges {
    fileprivate init?(json: JSON) {
        guard json.members != nil else { return nil }
        self.init()
        created = strings(json["created"])
        modified = strings(json["modified"])
        deleted = strings(json["deleted"])
        protected = strings(json["protected"])
    }
}

extension Isolation {
    fileprivate init(json: JSON) {
        self = .nothing
        for layer in Layer.allCases { layers[layer] = json[layer.rawValue]?.string.flatMap(LayerState.init) ?? .off }
        memoryLimit = json["memory_limit"]?.string.flatMap(LimitMechanism.init) ?? .none
        processLimit = json["process_limit"]?.string.flatMap(LimitMechanism.init) ?? .none
    }
}
