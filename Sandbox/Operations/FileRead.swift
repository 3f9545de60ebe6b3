import AlmaModel

/// `file_read`: the content of a file, or some of its lines.
struct FileRead {
    /// Bytes of the file that one answer holds at most: 8 MiB.
    static let contentLimit = 8 << 20
    /// Bytes the content may take as a JSON string, so that the answer fits a frame of 16 MiB.
    static let encodedLimit = 12 << 20
    /// Bytes in front of the first line asked for that are skipped at most: 256 MiB.
    static let skipLimit = 256 << 20

    private enum Encoding: String {
        case utf8 = "utf-8"
        case base64
        case latin1 = "latin-1"
    }

    private let path: WorkspacePath
    private let firstLine: Int64
    private let lineLimit: Int64?
    private let encoding: Encoding

    init(_ input: OperationInput) throws(AlmaError) {
        path = try input.path()
        firstLine = try input.optionalInteger("offset", in: 1...Int64.max) ?? 1
        lineLimit = try input.optionalInteger("limit", in: 1...Int64.max)
        let name = try input.optionalString("encoding") ?? Encoding.utf8.rawValue
        guard let encoding = Encoding(rawValue: name) else {
            throw AlmaError(field: "encoding", "must be \"utf-8\", \"latin-1\" or \"base64\"")
        }
        self.encoding = encoding
    }

    func run(in workspace: borrowing Directory) throws(AlmaError) -> JSON {
        let file = try Location(path, in: workspace).openFile()
        var excerpt = LineExcerpt(skipping: firstLine - 1, lineLimit: lineLimit, byteLimit: Self.contentLimit)
        let size = try fill(&excerpt, from: file)
        var content = excerpt.bytes
        var isCut = excerpt.isCut
        let text = try encode(&content, isCut: &isCut)
        var members: [JSON.Member] = [
            .init("content", .string(text)), .init("size", .integer(size)), .init("lines", JSON(content.lineCount)),
            .init("truncated", .bool(isCut)), .init("mime", .string(MediaType.of(path, startingWith: excerpt.head))),
        ]
        if encoding == .base64 { members.append(.init("encoding", "base64")) }
        return .object(members)
    }

    /// - Returns: the size of the whole file.
    private func fill(_ excerpt: inout LineExcerpt, from file: borrowing OpenFile) throws(AlmaError) -> Int64 {
        do throws(SystemError) {
            let size = try file.status().size
            while !excerpt.isCut, excerpt.skippedBytes <= Self.skipLimit {
                let bytes = try file.read(atMost: 128 << 10)
                if bytes.isEmpty { return size }
                excerpt.append(bytes)
            }
            if excerpt.isCut { return size }
        } catch {
            throw AlmaError(error, path, "read")
        }
        throw AlmaError(
            .fileTooLarge,
            "Line \(firstLine) of \(path.shown) is more than \(Self.skipLimit >> 20) MiB into the file; "
                + "read it with a program instead."
        )
    }

    /// Cuts `content` to what the answer can hold.
    private func encode(_ content: inout [UInt8], isCut: inout Bool) throws(AlmaError) -> String {
        if encoding == .base64 { return Base64.encode(content) }
        let fitting = content.prefixFitting(Self.encodedLimit, isLatin1: encoding == .latin1)
        if fitting < content.count {
            content.removeSubrange(fitting...)
            isCut = true
        }
        if encoding == .latin1 {
            var text = String.UnicodeScalarView()
            text.append(contentsOf: content.lazy.map { Unicode.Scalar($0) })
            return String(text)
        }
        if isCut { content.removeLast(content.incompleteSuffix) }
        guard let text = String(validating: content, as: UTF8.self) else {
            throw .notText(path, "ask for encoding \"base64\" or \"latin-1\"")
        }
        return text
    }
}

extension [UInt8] {
    /// Lines, a last one without newline included.
    var lineCount: Int {
        var count = 0
        for byte in self where byte == UInt8(ascii: "\n") { count += 1 }
        return count + (isEmpty || last == UInt8(ascii: "\n") ? 0 : 1)
    }

    /// How many of the first bytes take at most `limit` bytes inside a JSON string.
    fileprivate func prefixFitting(_ limit: Int, isLatin1: Bool) -> Int {
        var cost = 0
        for (index, byte) in enumerated() {
            switch byte {
            case 0x09, 0x0A, 0x0D, UInt8(ascii: "\""), UInt8(ascii: "\\"): cost += 2
            case 0..<0x20, 0x7F: cost += 6
            case 0x80...: cost += isLatin1 ? 2 : 1
            default: cost += 1
            }
            if cost > limit { return index }
        }
        return count
    }

    /// Bytes at the end that begin a UTF-8 character without completing it: 0 to 3.
    fileprivate var incompleteSuffix: Int {
        for length in 1...3 where length <= count {
            let byte = self[count - length]
            if byte & 0xC0 == 0x80 { continue }
            let expected = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return expected > length ? length : 0
        }
        return 0
    }
}

/// Media types by a file's first bytes and, where those say nothing, its name.
enum MediaType {
    static func of(_ path: WorkspacePath, startingWith head: [UInt8]) -> String {
        for (magic, type) in magics where head.starts(with: magic) { return type }
        let name = String(decoding: path.components.last ?? [], as: UTF8.self)
        if let dot = name.lastIndex(of: "."), let type = extensions[name[dot...].dropFirst().lowercased()] {
            return type
        }
        return head.contains(0) ? "application/octet-stream" : "text/plain"
    }

    private static let magics: [([UInt8], String)] = [
        ([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], "image/png"),
        ([0xFF, 0xD8, 0xFF], "image/jpeg"),
        (Array("GIF8".utf8), "image/gif"),
        (Array("%PDF-".utf8), "application/pdf"),
        ([0x50, 0x4B, 0x03, 0x04], "application/zip"),
        ([0x1F, 0x8B], "application/gzip"),
        ([0x7F, 0x45, 0x4C, 0x46], "application/x-executable"),
        (Array("SQLite format 3\0".utf8), "application/vnd.sqlite3"),
    ]

    private static let extensions: [String: String] = [
        "txt": "text/plain", "log": "text/plain", "md": "text/markdown", "csv": "text/csv", "html": "text/html",
        "htm": "text/html", "css": "text/css", "js": "text/javascript", "mjs": "text/javascript",
        "json": "application/json", "xml": "application/xml", "yaml": "application/yaml", "yml": "application/yaml",
        "toml": "application/toml", "py": "text/x-python", "sh": "application/x-sh", "c": "text/x-c", "h": "text/x-c",
        "swift": "text/x-swift", "svg": "image/svg+xml", "wasm": "application/wasm", "tar": "application/x-tar",
        "mp3": "audio/mpeg", "wav": "audio/wav", "mp4": "video/mp4", "webp": "image/webp",
    ]
}
