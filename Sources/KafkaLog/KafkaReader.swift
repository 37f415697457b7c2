import CRdKafka
import EventLog
import Synchronization

/// Reads outside of any group: one simple consumer, one `PartitionReader` per partition.
final class KafkaReader: Reader {
    private let client: RDKafkaClient
    private let admin: KafkaAdmin
    private let requestTimeout: Duration
    /// Nil after `close`.
    private let partitions = Mutex<[TopicPartition: PartitionReader]?>([:])

    /// Blocks for a moment: not for the cooperative pool.
    init(settings: RDKafkaSettings, admin: KafkaAdmin) throws(LogError) {
        self.admin = admin
        requestTimeout = settings.configuration.requestTimeout
        let context = RDKafkaContext(logger: settings.configuration.logger)
        client = try RDKafkaConfiguration(
            settings.reader, properties: settings.configuration.properties, context: context
        ).makeClient(RD_KAFKA_CONSUMER)
    }

    func read(
        _ partition: TopicPartition, from offset: Offset, maxRecords: Int, waitingUpTo wait: Duration
    ) async throws(LogError) -> [StoredRecord] {
        try await reader(of: partition).read(from: offset, maxRecords: maxRecords, waitingUpTo: wait)
    }

    func close() async {
        let open = partitions.withLock { partitions in
            defer { partitions = nil }
            return partitions ?? [:]
        }
        await withTaskGroup(of: Void.self) { group in
            for reader in open.values { group.addTask { await reader.close() } }
        }
    }

    private func reader(of partition: TopicPartition) async throws(LogError) -> PartitionReader {
        if let known = try known(partition) { return known }
        // Asked once: a simple consumer would wait for a topic that is not there.
        try await admin.checkExistence(of: [partition])
        let made = try PartitionReader(partition, client: client, requestTimeout: requestTimeout)
        return try partitions.withLock { readers throws(LogError) in
            guard readers != nil else { throw LogError(.closed, "reader") }
            if let other = readers![partition] { return other }
            readers![partition] = made
            return made
        }
    }

    private func known(_ partition: TopicPartition) throws(LogError) -> PartitionReader? {
        try partitions.withLock { readers throws(LogError) in
            guard let readers else { throw LogError(.closed, "reader") }
            return readers[partition]
        }
    }
}
