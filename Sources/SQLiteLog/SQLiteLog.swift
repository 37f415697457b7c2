import Dispatch
import EventLog
import Foundation
import Logging
import Synchronization

/// The event log in one SQLite file, for all processes of one machine.
///
/// Durable means committed to a write-ahead log that the disk has (`synchronous=FULL`). All writes of a process go
/// through one thread that commits whatever waits as one transaction; the processes take turns in the order in which
/// they asked. Readers never wait for writers. A process may die at any time: what was answered is there, nothing else
/// is. A process that is stopped (SIGSTOP) in the middle of a commit holds up the others until it goes on or is killed;
/// stopped at any other time it loses its leases and is refused when it wakes. Beside the file lie SQLite's own `-wal` and `-shm`, `.lock` and `.bell`; all of them belong on a local disk.
public final class SQLiteLog: Log {
    public let producer: any Producer
    public let admin: any Admin

    let store: Store
    let writer: Writer
    private let doorbell: Doorbell
    let ends: LogEnds
    let checkpointer: Checkpointer
    private let heartbeats: Heartbeats
    private let sweeper: Sweeper
    private let clock = BootClock()
    /// Holds the owner's lock from opening until `close`; nil when the log is nobody's.
    let ownership: LockFile?
    private let configuration: SQLiteLogConfiguration
    /// Nil when closed.
    private let sweeping = Mutex<Task<Void, Never>?>(nil)

    /// Opens the log, making file and directory when there are none. Its threads end with `close`.
    ///
    /// Throws `.storage` when the file cannot be opened, is no log, or has another version's tables, and `.unavailable`
    /// when it is to be ours alone and is another's (`SQLiteLogConfiguration.isOwner`).
    public static func open(
        path: String, configuration: SQLiteLogConfiguration = .init()
    ) async throws(LogError) -> SQLiteLog {
        try await offPool { try SQLiteLog(path, configuration) }
    }

    private init(_ path: String, _ configuration: SQLiteLogConfiguration) throws {
        self.configuration = configuration
        store = try Store(path: path, configuration)
        ownership = configuration.isOwner ? try LockFile(path: store.lockPath) : nil
        if let ownership, !ownership.tryLock(.owner) {
            try store.close()
            throw LogError(.unavailable, "\(path) belongs to another process that is running")
        }
        doorbell = try Doorbell(store)
        ends = LogEnds(store, doorbell)
        checkpointer = try Checkpointer(store, configuration)
        writer = try Writer(store, doorbell, checkpointer, configuration)
        heartbeats = Heartbeats(lease: configuration.lease)
        sweeper = Sweeper(
            store: store, writer: writer, file: try LockFile(path: store.lockPath), configuration: configuration)
        producer = SQLiteProducer(writer: writer)
        admin = SQLiteAdmin(store: store, writer: writer, clock: clock)

        try checkpointer.watch(store)
        doorbell.start()
        checkpointer.start()
        writer.start()
        heartbeats.start()
        sweeping.withLock { $0 = Task { [sweeper] in await sweeper.run() } }
    }

    /// Joins a group. `.unknownTopic` when a topic is not there; `.invalidConfiguration` when live members of the group
    /// subscribe to other topics. A member of the same `instanceID` is replaced and loses its partitions.
    public func consumer(_ configuration: ConsumerConfiguration) async throws(LogError) -> any Consumer {
        guard !configuration.group.isEmpty, !configuration.topics.isEmpty else {
            throw LogError(.invalidConfiguration, "a consumer needs a group and topics")
        }
        let token = UUID().uuidString
        let membership = Membership(
            group: configuration.group, member: configuration.instanceID ?? token, token: token,
            topics: Set(configuration.topics).sorted(), clock: clock, lease: self.configuration.lease,
            grace: self.configuration.revocationGrace)
        let consumer = SQLiteConsumer(
            membership, configuration, store, writer, doorbell, ends, self.configuration.logger
        ) { [heartbeats] in
            heartbeats.remove($0)
        }
        try await consumer.join()
        heartbeats.add(consumer)
        return consumer
    }

    public func reader() async throws(LogError) -> any Reader {
        if sweeping.withLock({ $0 == nil }) { throw LogError.logIsClosed }
        return SQLiteReader(store, doorbell, ends)
    }

    /// Applies retention and compaction now instead of at the next `sweepInterval`.
    public func sweep() async throws(LogError) { try await sweeper.sweep() }

    /// Leaves all groups, commits what is queued, and ends the log's threads.
    public func close() async {
        let task = sweeping.withLock { task in
            defer { task = nil }
            return task
        }
        guard let task else { return }
        task.cancel()
        await task.value
        for consumer in heartbeats.all { await consumer.close() }
        await writer.close()
        do throws(LogError) {
            try await Self.offPool { [heartbeats, doorbell, checkpointer, store] in
                heartbeats.close()
                try doorbell.close()
                checkpointer.close()
                try store.close()
            }
            ownership?.unlock(.owner)
        } catch {
            configuration.logger.warning(
                "the log did not close cleanly", metadata: [LogKeys.path: "\(store.path)", LogKeys.error: "\(error)"])
        }
    }

    /// Runs blocking work on a thread outside of the cooperative pool.
    static func offPool<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws(LogError) -> T {
        let result: Result<T, LogError> = await withCheckedContinuation { continuation in
            let thread = Thread {
                continuation.resume(returning: Result { try body() }.mapError(LogError.init))
            }
            thread.start()
        }
        return try result.get()
    }
}
