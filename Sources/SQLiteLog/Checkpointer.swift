import Dispatch
import EventLog
import Foundation
import GRDB
import GRDBSQLite
import Logging
import Synchronization

/// Copies the write-ahead log into the file when it has grown, and lets it begin anew.
///
/// Commits never do this. First most of it is copied beside running commits (PASSIVE), then what came meanwhile, which
/// is little. Under load new commits always remain, so the rest, a few pages, is copied while holding the writers' turn
/// (RESTART): that is what bounds the log, and all who wait for a commit wait for it. A reader in
/// the middle of something can prevent it; after `busyTimeout` the writers go on, and the next try is a second later.
final class Checkpointer: Sendable {
    private static let busyTimeout = 0.1
    private static let retryAfter: Duration = .seconds(1)

    /// Set by the writer's thread in SQLite's callback, read by both.
    let pages = Atomic<Int>(0)
    /// A checkpoint is due whatever the length.
    private let isWanted = Atomic<Bool>(false)
    /// Who waits for `shrink`; nil when the thread has ended.
    private let shrinking = Mutex<[@Sendable (Result<Bool, LogError>) -> Void]?>([])
    private let isClosed = Atomic<Bool>(false)
    private let signal = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)
    private let maxPages: Int
    let pageSize: Int
    let path: String
    let file: LockFile
    let lock: WriteLock
    let connection: DatabaseQueue
    private let logger: Logger

    init(_ store: Store, _ configuration: SQLiteLogConfiguration) throws {
        connection = try store.connection(busyTimeout: Self.busyTimeout)
        pageSize = try connection.read { try Int.fetchOne($0, sql: "PRAGMA page_size") ?? 4_096 }
        maxPages = max(1, configuration.maxWALBytes / pageSize)
        path = store.path
        file = try LockFile(path: store.lockPath)
        lock = WriteLock(file)
        logger = configuration.logger
    }

    /// Has SQLite tell the length of the write-ahead log at each commit of the writer's connection.
    func watch(_ store: Store) throws {
        try store.write { db in
            // Unretained: the log closes the connection before it lets go of the checkpointer.
            _ = sqlite3_wal_hook(
                db.sqliteConnection,
                { context, _, _, pages in
                    let checkpointer = Unmanaged<Checkpointer>.fromOpaque(context!).takeUnretainedValue()
                    checkpointer.pages.store(Int(pages), ordering: .relaxed)
                    return SQLITE_OK
                }, Unmanaged.passUnretained(self).toOpaque())
        }
    }

    /// For the writer's thread, after each commit.
    func noteCommit() {
        if pages.load(ordering: .relaxed) > maxPages { signal.signal() }
    }

    /// For the writer's thread, after a commit that failed: on a full disk the write-ahead log cannot grow, but it can go
    /// on when it begins anew.
    func noteFailure() {
        isWanted.store(true, ordering: .relaxed)
        signal.signal()
    }

    /// Asks the thread to give the disk back what is not used. See `SQLiteLog.shrink`.
    func shrink(_ answer: @escaping @Sendable (Result<Bool, LogError>) -> Void) {
        let isTaken = shrinking.withLock { waiting in
            waiting?.append(answer)
            return waiting != nil
        }
        if isTaken { signal.signal() } else { answer(.failure(.logIsClosed)) }
    }

    func start() {
        let thread = Thread { self.run() }
        thread.name = "sqlite-checkpointer"
        thread.start()
    }

    /// Blocks until the thread has ended and its connection is closed.
    func close() {
        isClosed.store(true, ordering: .releasing)
        signal.signal()
        ended.wait()
        do {
            try connection.close()
        } catch {
            logger.warning(
                "the checkpointer's connection did not close", metadata: [LogKeys.error: "\(LogError(error))"])
        }
    }

    private func run() {
        defer {
            for answer in shrinking.withLock({ $0.take() }) ?? [] { answer(.failure(.logIsClosed)) }
            ended.signal()
        }
        while true {
            signal.wait()
            if isClosed.load(ordering: .acquiring) { return }
            // Signals of commits that came before this look are answered by it.
            while signal.wait(timeout: .now()) == .success {}
            if isClosed.load(ordering: .acquiring) { return }
            let waiting = shrinking.withLock { waiting in
                defer { waiting = [] }
                return waiting ?? []
            }
            if !waiting.isEmpty {
                let result = Result { try giveBack() }.mapError(LogError.init)
                for answer in waiting { answer(result) }
            }
            let isWanted = isWanted.exchange(false, ordering: .relaxed)
            if isWanted || pages.load(ordering: .relaxed) > maxPages, !checkpoint() {
                Thread.sleep(forTimeInterval: Double(Self.retryAfter.milliseconds) / 1_000)
            }
        }
    }

    /// False when the log could not begin anew.
    private func checkpoint() -> Bool {
        guard file.tryLock(.checkpointer) else { return false }
        defer { file.unlock(.checkpointer) }
        for _ in 0..<2 { _ = copy(SQLITE_CHECKPOINT_PASSIVE) }
        let code = lock.withLock { copy(SQLITE_CHECKPOINT_RESTART) }
        if code == SQLITE_OK {
            pages.store(0, ordering: .relaxed)
        } else {
            logger.info(
                "the write-ahead log could not begin anew",
                metadata: [LogKeys.error: "SQLite \(code)", LogKeys.pages: "\(pages.load(ordering: .relaxed))"])
        }
        return code == SQLITE_OK
    }

    func copy(_ mode: Int32) -> Int32 {
        connection.inDatabase { sqlite3_wal_checkpoint_v2($0.sqliteConnection, nil, mode, nil, nil) }
    }
}
