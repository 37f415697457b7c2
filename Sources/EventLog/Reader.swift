/// Reads partitions outside of any group: single records by offset (parked records), replay, broadcast inputs.
public protocol Reader: Sendable {
    /// Records of `partition` from `offset` on, in order, at most `maxRecords`.
    ///
    /// At the end of the partition it waits up to `wait` for a first record and then answers what there is, maybe
    /// nothing. The first record may lie beyond `offset` where compaction removed some. `.offsetOutOfRange` when
    /// `offset` lies below the low or above the high watermark.
    func read(
        _ partition: TopicPartition, from offset: Offset, maxRecords: Int, waitingUpTo wait: Duration
    ) async throws(LogError) -> [StoredRecord]

    func close() async
}

extension Reader {
    /// The one record at `offset`, nil when it is gone.
    public func record(_ partition: TopicPartition, at offset: Offset) async throws(LogError) -> StoredRecord? {
        do {
            let found = try await read(partition, from: offset, maxRecords: 1, waitingUpTo: .zero)
            return found.first.flatMap { $0.offset == offset ? $0 : nil }
        } catch where error.code == .offsetOutOfRange {
            return nil
        }
    }

    /// Calls `body` with each record that `partition` holds at `offsets`, in order. They must lie between its watermarks;
    /// what compaction took is left out.
    ///
    /// - Parameter batch: So many records are asked for at once.
    public func forEachRecord(
        of partition: TopicPartition, in offsets: Range<Offset>, batch: Int = 1_000,
        isolation: isolated (any Actor)? = #isolation, _ body: (StoredRecord) -> Void
    ) async throws(LogError) {
        var next = offsets.lowerBound
        while next < offsets.upperBound {
            let most = min(batch, Int(offsets.upperBound - next))
            let found = try await read(partition, from: next, maxRecords: most, waitingUpTo: .zero)
            guard let last = found.last else { return }
            for record in found where record.offset < offsets.upperBound { body(record) }
            next = last.offset + 1
        }
    }
}
