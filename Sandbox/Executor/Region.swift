import CConfinement
import Glibc

/// Memory that executor, init and tool share until exec, mapped before init is forked, so that a pointer into it means
/// the same in all three. Only ever grows; never read again once the tool has started.
final class Region {
    private let base: UnsafeMutableRawPointer
    private let capacity: Int
    private var used = 0

    /// nil when the kernel gives no memory.
    init?(capacity: Int = 32 << 20) {
        guard let base = alma_shared_memory(capacity) else { return nil }
        self.base = base
        self.capacity = capacity
    }

    deinit { leave() }

    /// Nothing of it is there any more for this process.
    func leave() { munmap(base, capacity) }

    /// The strings of a list that was placed, or of none.
    static func bytes(_ list: UnsafePointer<UnsafeMutablePointer<CChar>?>?) -> [[UInt8]] {
        guard let list else { return [] }
        var strings: [[UInt8]] = []
        while let string = list[strings.count] {
            strings.append(Array(UnsafeRawBufferPointer(start: string, count: strlen(string))))
        }
        return strings
    }

    private func reserve(_ length: Int, alignment: Int) -> UnsafeMutableRawPointer? {
        let start = (used + alignment - 1) & ~(alignment - 1)
        guard length <= capacity - start else { return nil }
        used = start + length
        return base + start
    }

    func place<T: BitwiseCopyable>(_ value: T) -> UnsafeMutablePointer<T>? {
        let place = reserve(MemoryLayout<T>.size, alignment: MemoryLayout<T>.alignment)?
            .bindMemory(to: T.self, capacity: 1)
        place?.initialize(to: value)
        return place
    }

    func place<T: BitwiseCopyable>(_ values: [T]) -> UnsafeMutablePointer<T>? {
        let place = reserve(MemoryLayout<T>.stride * max(values.count, 1), alignment: MemoryLayout<T>.alignment)?
            .bindMemory(to: T.self, capacity: values.count)
        place?.initialize(from: values, count: values.count)
        return place
    }

    func place(string: String) -> UnsafeMutablePointer<CChar>? {
        place(string.utf8.map { CChar(bitPattern: $0) } + [0])
    }

    func place(rules: [(path: String, access: UInt32)]) -> UnsafeMutablePointer<alma_rule>? {
        var placed: [alma_rule] = []
        for rule in rules {
            guard let path = place(string: rule.path) else { return nil }
            placed.append(alma_rule(path: path, access: rule.access))
        }
        return place(placed)
    }

    /// The paths are placed; the list itself is for this process.
    func place(views: [(path: String, optional: Bool)]) -> [alma_view]? {
        var placed: [alma_view] = []
        for view in views {
            guard let path = place(string: view.path) else { return nil }
            placed.append(alma_view(path: path, optional: view.optional ? 1 : 0))
        }
        return placed
    }

    /// A list as execve wants it, closed by NULL.
    func place(strings: [String]) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? {
        var pointers: [UnsafeMutablePointer<CChar>?] = []
        for string in strings {
            guard let pointer = place(string: string) else { return nil }
            pointers.append(pointer)
        }
        return place(pointers + [nil])
    }
}
