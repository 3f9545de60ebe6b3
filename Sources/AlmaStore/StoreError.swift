import AlmaModel
import GRDB
import Glibc

extension AlmaError {
    /// What went wrong in the database means for whoever asked, by SQLite's result code.
    init(storing error: any Error) {
        switch error {
        case let error as AlmaError: self = error
        case let error as DatabaseError: self.init(database: error)
        case is RowDecodingError: self = .damaged("a row does not hold what it should")
        default: self.init(.storeUnavailable, "the database cannot be used: \(error)")
        }
    }

    private init(database error: DatabaseError) {
        // The shared memory beside the database only fails to grow for want of room.
        if error.extendedResultCode == .SQLITE_IOERR_SHMSIZE {
            self = .full
            return
        }
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(.storeBusy, "the database is locked by another program; try again, or end what holds it")
        case .SQLITE_FULL:
            self = .full
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_CANTOPEN:
            self = .readOnly
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            self = .damaged(error.message ?? "\(error.resultCode)")
        default:
            self.init(.storeUnavailable, "the database cannot be used: \(error.message ?? "\(error.resultCode)")")
        }
    }

    /// What a failed call to the kernel means; `action` says what it was for, as in "cannot …".
    init(kernel number: Int32, _ action: String) {
        switch number {
        case ENOSPC, EDQUOT: self = .full
        case EROFS, EACCES, EPERM: self = .readOnly
        default: self.init(.storeUnavailable, "cannot \(action): \(String(cString: strerror(number)))")
        }
    }

    private static let full = AlmaError(.storeFull, "no room left for the database; free some disk space")
    private static let readOnly = AlmaError(
        .storeReadOnly, "the database cannot be written; check who owns ALMA's home and its mode")

    static func damaged(_ what: String) -> AlmaError {
        AlmaError(
            .storeCorrupt, "the database is damaged (\(what)); restore a backup, or move it away to start anew")
    }
}

/// Runs `body`, and says what its errors mean.
func storing<Value>(_ body: () throws -> Value) throws(AlmaError) -> Value {
    do { return try body() } catch { throw AlmaError(storing: error) }
}
