import AlmaWire
import Glibc
import Testing

@Suite("An owned descriptor")
struct OwnedDescriptorTests {
    /// High up, where no other test gets its descriptors from meanwhile.
    private func descriptor(_ least: Int32) -> Int32 {
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer { close(null) }
        return fcntl(null, F_DUPFD_CLOEXEC, least)
    }

    private func isOpen(_ raw: Int32) -> Bool { fcntl(raw, F_GETFD) >= 0 }

    @Test("is lent as it is, and closed when its owner goes")
    func closed() {
        let raw = descriptor(800)
        do {
            let owned = OwnedDescriptor(adopting: raw)
            owned.withRaw { #expect($0 == raw) }
            #expect(isOpen(raw))
        }
        #expect(!isOpen(raw))
    }

    @Test("stays open when it is given away")
    func released() {
        let raw = descriptor(850)
        #expect(OwnedDescriptor(adopting: raw).release() == raw)
        #expect(isOpen(raw))
        close(raw)
    }
}
