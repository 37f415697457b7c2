import Dispatch
import EventLog
import Foundation
import GRDB
import Synchronization

/// The connections: one that writes, used by the writer's thread alone, and a few that read.
final class Store: Sendable {
    let path: String
    let catalog = Catalog()
    private let pool: DatabasePool
    private let configuration: SQLiteLogConfiguration
    private var synchronous: SQLiteLogConfiguration.Synchronous { configuration.synchronous }
    /// What the writing connection is set to; GRDB's pool begins with NORMAL, whatever was set before.
    private let current = Mutex(SQLiteLogConfiguration.Synchronous.normal)

    var lockPath: String { path + ".lock" }
    var bellPath: String { path + ".bell" }

    /// Opens or creates the file. Blocks: call it outside of the cooperative pool.
    init(path: String, _ configuration: SQLiteLogConfiguration) throws {
        self.path = path
        self.configuration = configuration
        try Self.makeDirectory(of: path)
        let lock = WriteLock(try LockFile(path: path + ".lock"))
        // Alone: making the file, its mode and its tables are steps that no other process may see half done.
        pool = try lock.withLock {
            try Self.makeFile(path)
            // Looked at before the pool turns on the write-ahead log: a file of another program stays as it is.
            let present = try DatabaseQueue(path: path, configuration: Self.connection(configuration, readers: 1))
                .read { try Schema.isPresent($0) }
            let pool = try DatabasePool(
                path: path, configuration: Self.connection(configuration, readers: configuration.readers))
            try pool.writeWithoutTransaction { db in
                if !present {
                    try db.inTransaction(.immediate) {
                        try Schema.create(db)
                        return .commit
                    }
                }
            }
            return pool
        }
    }

    /// Runs `body` in a read transaction on a reader's own thread.
    ///
    /// Not GRDB's async call, which ends early when the task is cancelled: a task on its way out still has to read.
    func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws(LogError) -> T {
        let result: Result<T, LogError> = await withCheckedContinuation { continuation in
            pool.asyncRead { opened in
                continuation.resume(returning: Result { try body(opened.get()) }.mapError(LogError.init))
            }
        }
        return try result.get()
    }

    /// The writing connection. Blocks; for the writer's thread.
    ///
    /// With `waitsForDisk` a commit is on the disk, and so are all before it; else it is in the kernel's hands.
    func write<T>(waitsForDisk: Bool = true, _ body: (Database) throws -> T) throws -> T {
        try pool.writeWithoutTransaction { db in
            let wanted: SQLiteLogConfiguration.Synchronous = waitsForDisk ? synchronous : .normal
            try current.withLock { current in
                if current == wanted { return }
                try db.execute(sql: "PRAGMA synchronous = \(wanted.rawValue)")
                current = wanted
            }
            return try body(db)
        }
    }

    /// Blocks until readers are done.
    func close() throws { try pool.close() }

    /// A connection beside the pool, for a thread with a duty of its own.
    func connection(busyTimeout: Double) throws -> DatabaseQueue {
        try DatabaseQueue(path: path, configuration: Self.connection(configuration, readers: 1, busyTimeout: busyTimeout))
    }

    private static func connection(
        _ log: SQLiteLogConfiguration, readers: Int, busyTimeout: Double = 5
    ) -> Configuration {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        configuration.maximumReaderCount = readers
        configuration.persistentReadOnlyConnections = true
        configuration.busyMode = .timeout(busyTimeout)
        configuration.label = "millrace.sqlite"
        configuration.prepareDatabase { db in
            // Commits never checkpoint; that is the checkpointer's.
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -8192; PRAGMA synchronous = FULL")
            // What a stuck reader made the write-ahead log grow to is given back.
            try db.execute(sql: "PRAGMA journal_size_limit = \(4 * log.maxWALBytes)")
            // Some systems build SQLite so that it fills what is removed with zeros: then removing a record writes as
            // much as appending it did, into the write-ahead log, and a disk that is nearly full cannot be emptied.
            try db.execute(sql: "PRAGMA secure_delete = FAST")
        }
        return configuration
    }

    private static func makeDirectory(of path: String) throws(LogError) {
        let directory = (path as NSString).deletingLastPathComponent
        if directory.isEmpty || FileManager.default.fileExists(atPath: directory) { return }
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw .system("mkdir", directory)
        }
    }

    /// An empty file for the owner alone; SQLite gives its side files the same mode.
    private static func makeFile(_ path: String) throws(LogError) {
        // Only ever opened when new: closing a file drops all of the process's locks on it, SQLite's included.
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            Glibc.close(descriptor)
        } else if errno != EEXIST {
            throw .system("open", path)
        }
    }
}
