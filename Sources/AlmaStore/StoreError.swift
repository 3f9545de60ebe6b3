import AlmaModel
import GRDB

extension AlmaError {
    /// What a database error means for whoever asked, by SQLite's result code.
    init(storing error: any Error) {
        guard let error = error as? DatabaseError else {
            self.init(.storeUnavailable, "the database cannot be used: \(error)")
            return
        }
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(.storeBusy, "the database is locked by another program; try again, or end what holds it")
        case .SQLITE_FULL:
            self.init(.storeFull, "no room left for the database; free some disk space")
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_CANTOPEN:
            self.init(.storeReadOnly, "the database cannot be written; check who owns ALMA's home and its mode")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            self.init(.storeCorrupt, "the database is damaged; restore a backup, or move it away to start anew")
        default:
            self.init(.storeUnavailable, "the database cannot be used: \(error.message ?? "\(error.resultCode)")")
        }
    }
}
