import CRdKafka
import EventLog
import Synchronization

/// A member of a Kafka consumer group. The work is done by the thread of its `ConsumerLoop`.
final class KafkaConsumer: Consumer {
    private let loop: ConsumerLoop
    private let producer: KafkaProducer

    init(loop: ConsumerLoop, producer: KafkaProducer) {
        self.loop = loop
        self.producer = producer
    }

    deinit {
        // A consumer that was dropped without `close` must not keep its partitions: its thread would heartbeat on.
        let loop = loop
        Task { await loop.close() }
    }

    func next() async throws(LogError) -> ConsumerEvent? { try await loop.buffer.next().get() }

    func start(at positions: [TopicPartition: Offset]) async throws(LogError) {
        try await loop.perform { loop throws(LogError) in try loop.start(at: positions) }
    }

    func pause(_ partitions: [TopicPartition]) async throws(LogError) {
        try await loop.perform { loop in loop.setPaused(partitions, true) }
    }

    func resume(_ partitions: [TopicPartition]) async throws(LogError) {
        try await loop.perform { loop in loop.setPaused(partitions, false) }
    }

    func seek(_ partition: TopicPartition, to offset: Offset) async throws(LogError) {
        try await loop.perform { loop throws(LogError) in try loop.seek(partition, to: offset) }
    }

    func commit(_ commits: [TopicPartition: Commit], outputs: [Record]) async throws(LogError) {
        if commits.values.contains(where: { $0.metadata.utf8.count > Commit.maxMetadataBytes }) {
            throw LogError(.metadataTooLarge, "commit")
        }
        try checkOwned(commits.keys)
        try await producer.produce(outputs)
        if commits.isEmpty { return }
        let loop = loop
        try await withCheckedContinuation { (continuation: CheckedContinuation<Result<Void, LogError>, Never>) in
            loop.send { running in
                if let running {
                    running.addCommit(commits) { continuation.resume(returning: $0) }
                } else {
                    continuation.resume(returning: .failure(LogError(.closed, "consumer")))
                }
            }
        }.get()
    }

    @discardableResult
    func produce(_ records: [Record], for sources: [TopicPartition]) async throws(LogError) -> [RecordPosition] {
        try checkOwned(sources)
        return try await producer.produce(records)
    }

    func release(_ partitions: [TopicPartition]) async throws(LogError) {
        await withCheckedContinuation { continuation in
            loop.send { loop in
                // A closed consumer has given up all.
                loop?.release(partitions)
                continuation.resume()
            }
        }
    }

    func close() async { await loop.close() }

    private func checkOwned(_ partitions: some Sequence<TopicPartition>) throws(LogError) {
        // An assignment that the caller has not seen yet is none of his doing.
        let owned = loop.buffer.holdsAssignment ? [] : loop.ownedByMember.withLock { $0 }
        if let foreign = partitions.first(where: { !owned.contains($0) }) {
            throw LogError(.fenced, "\(foreign) is not owned by this member")
        }
    }
}

extension ConsumerLoop {
    /// Leaves the group and waits until the thread has ended.
    func close() async {
        await withCheckedContinuation { continuation in
            send { loop in
                if let loop { loop.close(continuation) } else { continuation.resume() }
            }
        }
    }
}
