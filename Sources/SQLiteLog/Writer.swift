import EventLog
import Foundation
import GRDB
import Logging
import Synchronization

/// The one thread of this process that writes: it takes everything that waits, commits it as one transaction, and
/// answers all the waiters at once. While the disk works on one commit the next one gathers.
final class Writer: Sendable {
    private let store: Store
    private let queue: WriteQueue
    private let lock: WriteLock
    private let doorbell: Doorbell
    private let checkpointer: Checkpointer
    private let configuration: SQLiteLogConfiguration
    private let failures = CommitFailures()
    private let ended = Mutex<(isOver: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

    init(
        _ store: Store, _ doorbell: Doorbell, _ checkpointer: Checkpointer, _ configuration: SQLiteLogConfiguration
    ) throws(LogError) {
        self.store = store
        self.doorbell = doorbell
        self.checkpointer = checkpointer
        self.configuration = configuration
        queue = WriteQueue(maxRecords: configuration.maxQueuedRecords, maxBytes: configuration.maxQueuedBytes)
        lock = WriteLock(try LockFile(path: store.lockPath))
    }

    func start() {
        let thread = Thread { self.run() }
        thread.name = "sqlite-writer"
        thread.start()
    }

    /// Finishes what is queued and ends the thread.
    func close() async {
        queue.close()
        await withCheckedContinuation { continuation in
            let isOver = ended.withLock { ended in
                if !ended.isOver { ended.waiters.append(continuation) }
                return ended.isOver
            }
            if isOver { continuation.resume() }
        }
    }

    func add(_ job: WriteJob, isBounded: Bool) {
        if let refusal = queue.add(job, isBounded: isBounded) { job.fail(refusal) }
    }

    /// Runs `body` inside a group commit and answers when that is durable. See `WriteJob.apply` for what it may throw.
    /// `durable` is called before, on the writer's thread, in the order of the jobs.
    func perform<T: Sendable>(
        kind: WriteJob.Kind = .data, records: Int = 0, bytes: Int = 0,
        _ body: @escaping @Sendable (WriteTransaction) throws -> T,
        durable: @escaping @Sendable (T) -> Void = { _ in }
    ) async throws(LogError) -> T {
        let result: Result<T, LogError> = await withCheckedContinuation { continuation in
            let job = WriteJob(kind: kind, records: records, bytes: bytes) { transaction in
                let value = try body(transaction)
                return {
                    durable(value)
                    continuation.resume(returning: .success(value))
                }
            } fail: {
                continuation.resume(returning: .failure($0))
            }
            add(job, isBounded: false)
        }
        return try result.get()
    }

    private func run() {
        while let batch = queue.take(
            maxRecords: configuration.maxCommitRecords, maxBytes: configuration.maxCommitBytes)
        {
            let answers = commit(batch)
            queue.finished(batch)
            for answer in answers { answer() }
        }
        let waiters = ended.withLock { ended in
            ended.isOver = true
            defer { ended.waiters = [] }
            return ended.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// What to tell the waiters, all of them, after success or failure.
    private func commit(_ batch: [WriteJob]) -> [@Sendable () -> Void] {
        do {
            let waitsForDisk = batch.contains { $0.kind == .data }
            let (answers, rings) = try lock.withLock {
                try store.write(waitsForDisk: waitsForDisk) { try apply(batch, $0) }
            }
            if rings { doorbell.ring() }
            checkpointer.noteCommit()
            return answers
        } catch {
            store.catalog.forgetAll()
            let failure = LogError(error)
            failures.note(failure, configuration.logger)
            if failure.code == .storage { checkpointer.noteFailure() }
            return batch.map { job in { job.fail(failure) } }
        }
    }

    private func apply(_ batch: [WriteJob], _ db: Database) throws -> ([@Sendable () -> Void], rings: Bool) {
        var answers: [@Sendable () -> Void] = []
        answers.reserveCapacity(batch.count)
        var rings = false
        try db.inTransaction(.immediate) {
            let transaction = WriteTransaction(db, store.catalog, now: configuration.now())
            for job in batch {
                do {
                    answers.append(try job.apply(transaction))
                } catch let refusal as LogError {
                    answers.append { job.fail(refusal) }
                }
            }
            try transaction.finish()
            rings = transaction.isWorthRinging
            return .commit
        }
        return (answers, rings)
    }
}
