import EventLog

/// What was fetched and not taken, partition by partition; these take turns. The pure part of `ConsumerBuffer`.
struct BufferedRecords {
    /// Partitions with something to take, each once; the first is next.
    private var order: [TopicPartition] = []
    /// Of at most `maxBatchRecords` each, never empty.
    private var chunks: [TopicPartition: [Intake.Chunk]] = [:]
    /// Stays behind the records fetched before it.
    private var outOfRange: [TopicPartition: ConsumerEvent] = [:]
    /// Kept, and not given out.
    private var paused: Set<TopicPartition> = []
    private(set) var bytes = 0
    private let maxBatchRecords: Int

    init(maxBatchRecords: Int) { self.maxBatchRecords = maxBatchRecords }

    mutating func append(_ chunk: Intake.Chunk) {
        bytes += chunk.bytes
        let last = (chunks[chunk.source]?.count ?? 0) - 1
        if last >= 0, chunks[chunk.source]![last].records.count + chunk.records.count <= maxBatchRecords {
            chunks[chunk.source]![last].records += chunk.records
            chunks[chunk.source]![last].bytes += chunk.bytes
        } else {
            chunks[chunk.source, default: []].append(chunk)
        }
        offer(chunk.source)
    }

    mutating func append(_ partition: TopicPartition, outOfRange event: ConsumerEvent) {
        outOfRange[partition] = event
        offer(partition)
    }

    mutating func take() -> ConsumerEvent? {
        guard let partition = order.first else { return nil }
        order.removeFirst()
        defer { offer(partition) }
        guard let chunk = chunks[partition]?.removeFirst() else { return outOfRange.removeValue(forKey: partition) }
        if chunks[partition]?.isEmpty == true { chunks[partition] = nil }
        bytes -= chunk.bytes
        return .records(partition, chunk.records)
    }

    mutating func setPaused(_ partition: TopicPartition, _ isPaused: Bool) {
        if isPaused {
            paused.insert(partition)
            order.removeAll { $0 == partition }
        } else {
            paused.remove(partition)
            offer(partition)
        }
    }

    /// Drops the records of a partition; answers the first one's offset. Without records what is out of range is kept.
    mutating func removeRecords(of partition: TopicPartition) -> Offset? {
        guard let chunks = chunks.removeValue(forKey: partition) else { return nil }
        bytes -= chunks.reduce(0) { $0 + $1.bytes }
        outOfRange[partition] = nil
        order.removeAll { $0 == partition }
        return chunks.first?.records.first?.offset
    }

    /// Drops all that is held of a partition.
    mutating func remove(_ partition: TopicPartition) {
        _ = removeRecords(of: partition)
        outOfRange[partition] = nil
        order.removeAll { $0 == partition }
    }

    private mutating func offer(_ partition: TopicPartition) {
        if chunks[partition] == nil, outOfRange[partition] == nil { return }
        if !paused.contains(partition), !order.contains(partition) { order.append(partition) }
    }
}
