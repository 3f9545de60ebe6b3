import Testing

@testable import AlmaExecution

@Suite("Where a path lies whatever it is mounted as")
struct MountTableTests {
    private let table = MountTable(
        text: """
            20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
            30 20 8:1 /home/me/.alma /mnt/alias rw - ext4 /dev/sda1 rw
            31 20 8:1 /home/me\\040too/a\\134b /mnt/with\\040space rw - ext4 /dev/sda1 rw
            32 20 0:40 / /srv/work rw - tmpfs none rw
            33 32 8:1 /home/me /srv/work/inner rw - ext4 /dev/sda1 rw
            nonsense
            """)

    @Test(
        "a bind mount is what it shows",
        arguments: [
            ("/", "20", "8:1", "/"), ("/home/me", "20", "8:1", "/home/me"),
            ("/mnt/alias", "30", "8:1", "/home/me/.alma"),
            ("/mnt/alias/x", "30", "8:1", "/home/me/.alma/x"), ("/srv/work", "32", "0:40", "/"),
            ("/srv/work/a", "32", "0:40", "/a"), ("/srv/work/inner", "33", "8:1", "/home/me"),
            ("/mnt/with space/f", "31", "8:1", "/home/me too/a\\b/f"),
        ])
    func place(path: String, mount: Substring, device: String, place: String) {
        #expect(table.place(of: path, onMount: mount) == .init(device: device, path: place))
    }

    @Test("a mount that is not there, or does not hold the path, gives no place")
    func none() {
        #expect(table.place(of: "/x", onMount: "99") == nil)
        #expect(table.place(of: "/mnt/aliased", onMount: "30") == nil)
        #expect(MountTable.current()?.place(of: "/nothing/here") == nil)
        #expect(MountTable.current()?.place(of: "/usr/bin") != nil)
    }

    @Test("what is mounted below a directory is told, the directory's own mount is not")
    func below() {
        #expect(table.places(below: "/srv/work") == [.init(device: "8:1", path: "/home/me")])
        #expect(table.places(below: "/srv").count == 2)
        #expect(table.places(below: "/mnt/alias") == [])
    }

    @Test("places overlap by whole components of one file system")
    func overlaps() {
        let home = MountTable.Place(device: "8:1", path: "/home/me")
        #expect(home.overlaps(.init(device: "8:1", path: "/home/me/.alma")))
        #expect(home.overlaps(.init(device: "8:1", path: "/home")))
        #expect(!home.overlaps(.init(device: "8:1", path: "/home/menot")))
        #expect(!home.overlaps(.init(device: "8:2", path: "/home/me")))
    }
}
