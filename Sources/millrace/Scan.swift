import EventLog

/// Reads partitions from their beginning to where they end now, without a group.
struct Scan {
    let log: any Log

    func forEachRecord(of partitions: [TopicPartition], _ body: (StoredRecord) -> Void) async throws {
        let held = try await log.admin.watermarks(of: partitions)
        try await log.withReader { reader in
            for partition in partitions {
                guard let marks = held[partition] else { continue }
                try await reader.forEachRecord(of: partition, in: marks.low..<marks.high, body)
            }
        }
    }
}
