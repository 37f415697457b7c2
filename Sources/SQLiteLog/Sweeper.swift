import EventLog
import GRDB
import Logging

/// Removes what retention and compaction no longer keep, in steps small enough not to be felt by writers.
///
/// One process at a time does it by itself; every step checks what it does inside its own transaction, so a sweep by
/// hand beside it is harmless.
struct Sweeper: Sendable {
    /// Records of one step.
    static let stepRecords: Int64 = 256

    let store: Store
    let writer: Writer
    let file: LockFile
    let configuration: SQLiteLogConfiguration

    /// Sweeps from time to time until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            do {
                try await Task.sleep(for: configuration.sweepInterval)
            } catch {
                return
            }
            guard file.tryLock(.sweeper) else { continue }
            defer { file.unlock(.sweeper) }
            do throws(LogError) {
                try await sweep()
            } catch {
                configuration.logger.warning("a sweep failed", metadata: [LogKeys.error: "\(error)"])
            }
        }
    }

    /// Goes once through all partitions.
    func sweep() async throws(LogError) {
        let topics = try await store.read { [catalog = store.catalog] in try catalog.all($0) }
        for info in topics {
            for number in 0..<info.partitions {
                let partition = info.id(of: number)
                // Looks that only read: most sweeps find nothing, and then write nothing.
                let now = configuration.now()
                if try await store.read({ try Compaction.isDue(partition, info, now, $0) }) {
                    try await repeatStep { try Compaction.step(partition, info, $0) }
                }
                if try await store.read({ try Trimming.isDue(partition, info, now, $0) }) {
                    try await repeatStep { try Trimming.step(partition, info, $0) }
                }
            }
        }
    }

    /// Repeats until a step says that nothing is left, or the task is cancelled.
    private func repeatStep(_ step: @escaping @Sendable (WriteTransaction) throws -> Bool) async throws(LogError) {
        while try await writer.perform(step), !Task.isCancelled {}
    }
}
