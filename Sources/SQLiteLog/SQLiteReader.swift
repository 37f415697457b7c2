import EventLog
import Synchronization

/// Reads partitions outside of any group.
final class SQLiteReader: Reader {
    /// Bound on the bytes of one answer; a larger single record is still answered.
    private static let maxBytes = 32 << 20

    private let store: Store
    private let doorbell: Doorbell
    private let ends: LogEnds
    private let isClosed = Atomic<Bool>(false)

    init(_ store: Store, _ doorbell: Doorbell, _ ends: LogEnds) {
        self.store = store
        self.doorbell = doorbell
        self.ends = ends
    }

    func read(
        _ partition: TopicPartition, from offset: Offset, maxRecords: Int, waitingUpTo wait: Duration
    ) async throws(LogError) -> [StoredRecord] {
        let deadline = ContinuousClock.now + wait
        var end: (partition: Int64, offset: Offset)?
        while true {
            if isClosed.load(ordering: .acquiring) { throw LogError(.closed, "the reader is closed") }
            let ticket = doorbell.ticket
            if let end, try await ends.ends(after: ticket).next[end.partition] == end.offset {
                if ContinuousClock.now >= deadline || Task.isCancelled { return [] }
            } else {
                let (id, records) = try await look(partition, from: offset, maxRecords: maxRecords)
                if !records.isEmpty || ContinuousClock.now >= deadline || Task.isCancelled { return records }
                end = (id, offset)
            }
            await doorbell.wait(past: ticket, until: deadline)
        }
    }

    private func look(
        _ partition: TopicPartition, from offset: Offset, maxRecords: Int
    ) async throws(LogError) -> (id: Int64, records: [StoredRecord]) {
        try await store.read { [catalog = store.catalog] db in
            let id = try catalog.id(of: partition, db)
            let held = try RecordRows.watermarks(id, db)
            guard (held.low...held.high).contains(offset) else {
                throw LogError(.offsetOutOfRange, "\(partition) holds \(held.low)..<\(held.high), asked for \(offset)")
            }
            if offset == held.high { return (id, []) }
            let records = try RecordRows.read(
                partition, id: id, from: offset, maxRecords: max(1, maxRecords), maxBytes: Self.maxBytes, db)
            return (id, records)
        }
    }

    func close() async {
        isClosed.store(true, ordering: .releasing)
        doorbell.fire()
    }
}
