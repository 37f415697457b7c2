import EventLog
import Foundation
import GRDB
import GRDBSQLite

extension Checkpointer {
    /// Less than this is not worth the work.
    private static let worthBytes = 1 << 20
    /// SQLite makes a file smaller by writing anew what it holds, while all writers wait: so only little of it.
    private static let maxRewrittenBytes = 4 << 20

    /// For the checkpointer's thread. False when a reader or another process is in the way; then the rest stays.
    func giveBack() throws -> Bool {
        let (unused, used) = try connection.read { db in
            let free = try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
            let all = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            return (free * pageSize, (all - free) * pageSize)
        }
        let isRewritten = unused >= Self.worthBytes && used <= Self.maxRewrittenBytes
        guard isRewritten || walBytes >= Self.worthBytes else { return true }
        guard file.tryLock(.checkpointer) else { return false }
        defer { file.unlock(.checkpointer) }
        // Before the turn is taken: most of the log is copied while others write.
        _ = copy(SQLITE_CHECKPOINT_PASSIVE)
        return try lock.withLock {
            if isRewritten {
                // What is held is little: no file in a temporary folder, which may be full, too.
                try connection.inDatabase { try $0.execute(sql: "PRAGMA temp_store = MEMORY; VACUUM") }
            }
            let code = copy(SQLITE_CHECKPOINT_TRUNCATE)
            if code == SQLITE_OK { pages.store(0, ordering: .relaxed) }
            return code == SQLITE_OK
        }
    }

    private var walBytes: Int {
        var info = stat()
        return stat(path + "-wal", &info) == 0 ? Int(info.st_size) : 0
    }
}
