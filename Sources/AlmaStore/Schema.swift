import AlmaModel
import GRDB

/// The database's shape. Each migration leads from the version before to its own, and is never changed once released.
enum Schema {
    static let migrations: [@Sendable (Database) throws -> Void] = [
        { try $0.execute(sql: version1) }
    ]

    /// - Throws: `store.too_new` when a newer ALMA made the database.
    static func check(_ database: Database) throws {
        let version = try self.version(of: database)
        guard version <= migrations.count else {
            throw AlmaError(
                .storeTooNew,
                "the database has version \(version), this ALMA knows \(migrations.count); use the newer ALMA")
        }
    }

    /// Brings the database to the newest version, in one transaction.
    static func migrate(_ database: Database) throws {
        if try version(of: database) == migrations.count { return }
        try database.inTransaction(.immediate) {
            // Another process may have been faster.
            let version = try self.version(of: database)
            for migration in migrations.dropFirst(version) { try migration(database) }
            try database.execute(sql: "PRAGMA user_version = \(max(version, migrations.count))")
            return .commit
        }
    }

    private static func version(of database: Database) throws -> Int {
        try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
    }

    // Times are milliseconds since 1970, JSON is text. `runs.number` is the order of arrival, whatever the clock did;
    // `runs.owner` is set exactly while a run is open. What can be large comes last in a row.
    private static let version1 = """
        CREATE TABLE owners (
            id TEXT PRIMARY KEY NOT NULL,
            pid INTEGER NOT NULL,
            kind TEXT NOT NULL,
            started INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE runs (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            owner TEXT REFERENCES owners(id),
            tool TEXT NOT NULL,
            user TEXT NOT NULL,
            role TEXT NOT NULL,
            origin TEXT NOT NULL,
            agent TEXT,
            restricted INTEGER NOT NULL,
            conversation TEXT,
            workspace TEXT,
            effect TEXT NOT NULL,
            rules TEXT NOT NULL,
            reason TEXT NOT NULL,
            profile TEXT NOT NULL,
            policy_name TEXT NOT NULL,
            policy_sha256 TEXT NOT NULL,
            state TEXT NOT NULL,
            status TEXT,
            created INTEGER NOT NULL,
            started INTEGER,
            ended INTEGER,
            input TEXT NOT NULL,
            result TEXT
        ) STRICT;
        CREATE INDEX runs_open ON runs(owner) WHERE owner IS NOT NULL;
        CREATE INDEX runs_user ON runs(user);
        CREATE INDEX runs_created ON runs(created);

        CREATE TABLE events (
            run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,
            sequence INTEGER NOT NULL,
            kind TEXT NOT NULL,
            time INTEGER NOT NULL,
            data TEXT NOT NULL,
            PRIMARY KEY (run, sequence)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE approvals (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,
            call_hash TEXT NOT NULL,
            tool TEXT NOT NULL,
            workspace TEXT,
            user TEXT NOT NULL,
            role TEXT NOT NULL,
            origin TEXT NOT NULL,
            agent TEXT,
            restricted INTEGER NOT NULL,
            reason TEXT NOT NULL,
            rules TEXT NOT NULL,
            state TEXT NOT NULL,
            resolver TEXT,
            created INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            resolved INTEGER,
            input TEXT NOT NULL
        ) STRICT;
        CREATE INDEX approvals_run ON approvals(run);
        CREATE INDEX approvals_pending ON approvals(number) WHERE state = 'pending';

        CREATE TABLE audit (
            sequence INTEGER PRIMARY KEY,
            time INTEGER NOT NULL,
            kind TEXT NOT NULL,
            run TEXT,
            user TEXT,
            data TEXT NOT NULL,
            hash TEXT NOT NULL
        ) STRICT;
        """
}
