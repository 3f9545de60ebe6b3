import AlmaModel
import GRDB
import Glibc
import Synchronization

/// This store's row in `owners`, with the lock that proves it lives.
final class Owner: Sendable {
    let id: String
    private let path: String
    private let lock: Mutex<LockFile?>

    private init(id: String, path: String, lock: LockFile) {
        self.id = id
        self.path = path
        self.lock = Mutex(lock)
    }

    /// Takes a lock of its own.
    static func enter(_ home: Home) throws(AlmaError) -> Owner {
        // Somebody who sweeps may take a new file for a dead owner's before it is locked; the next try is alone.
        for _ in 0..<10 {
            let id = RunID.make()
            let path = home.ownerLock(id)
            if let lock = try LockFile.take(path), lock.hasName { return Owner(id: id, path: path, lock: lock) }
        }
        throw AlmaError(.storeUnavailable, "cannot keep a lock in \(home.owners); something removes it")
    }

    /// Removes the row, if no run is open; then lets the lock go.
    func leave(_ database: Database) {
        try? database.inTransaction(.immediate) {
            try OwnersTable.remove(id, from: database)
            return .commit
        }
        if (try? OwnersTable.pid(of: id, in: database)) == .some(nil) { unlink(path) }
        FaultPoint.reached("store.leaving")
        letGo()
    }

    /// Lets the lock go as the kernel does when the process dies.
    func letGo() { lock.withLock { $0 = nil } }
}
