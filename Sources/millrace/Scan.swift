import EventLog

/// Reads partitions from their beginning to where they end now, without a group.
struct Scan {
    let log: any Log
    private let batch = 1_000

    func forEachRecord(of partitions: [TopicPartition], _ body: (StoredRecord) -> Void) async throws {
        let held = try await log.admin.watermarks(of: partitions)
        let reader = try await log.reader()
        do {
            for partition in partitions {
                guard let marks = held[partition] else { continue }
                try await scan(partition, marks, reader, body)
            }
        } catch {
            await reader.close()
            throw error
        }
        await reader.close()
    }

    private func scan(
        _ partition: TopicPartition, _ marks: Watermarks, _ reader: any Reader, _ body: (StoredRecord) -> Void
    ) async throws {
        var next = marks.low
        while next < marks.high {
            let records = try await reader.read(partition, from: next, maxRecords: batch, waitingUpTo: .seconds(1))
            // Nothing within the wait below the mark: the rest was compacted away.
            guard let last = records.last else { return }
            for record in records where record.offset < marks.high { body(record) }
            next = last.offset + 1
        }
    }
}
