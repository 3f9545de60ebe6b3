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
