import CRdKafka
import EventLog
import Foundation

/// A `rd_kafka_topic_partition_list_t`: made, filled, lent to calls, freed. One thread at a time.
final class RDKafkaPartitionList {
    let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    init(_ partitions: some Sequence<TopicPartition>) {
        pointer = rd_kafka_topic_partition_list_new(16)
        for partition in partitions { append(partition) }
    }

    init(at offsets: [TopicPartition: Offset]) {
        pointer = rd_kafka_topic_partition_list_new(Int32(offsets.count))
        for (partition, offset) in offsets { append(partition).pointee.offset = offset }
    }

    init(_ commits: [TopicPartition: Commit]) {
        pointer = rd_kafka_topic_partition_list_new(Int32(commits.count))
        for (partition, commit) in commits {
            let element = append(partition)
            element.pointee.offset = commit.offset
            var metadata = commit.metadata
            metadata.withUTF8 { bytes in
                guard let source = bytes.baseAddress, !bytes.isEmpty, let copy = malloc(bytes.count) else { return }
                copy.copyMemory(from: source, byteCount: bytes.count)
                // The list frees it.
                element.pointee.metadata = copy
                element.pointee.metadata_size = bytes.count
            }
        }
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    @discardableResult
    private func append(_ partition: TopicPartition) -> UnsafeMutablePointer<rd_kafka_topic_partition_t> {
        rd_kafka_topic_partition_list_add(pointer, partition.topic.name, partition.partition)
    }

    func forEach(_ body: (rd_kafka_topic_partition_t) -> Void) { Self.forEach(in: pointer, body) }

    static func forEach(
        in list: UnsafePointer<rd_kafka_topic_partition_list_t>, _ body: (rd_kafka_topic_partition_t) -> Void
    ) {
        for index in 0..<Int(list.pointee.cnt) { body(list.pointee.elems[index]) }
    }

    static func partitions(in list: UnsafePointer<rd_kafka_topic_partition_list_t>) -> [TopicPartition] {
        (0..<Int(list.pointee.cnt)).map { list.pointee.elems[$0].topicPartition }
    }

    /// What a group has stored, from a list that librdkafka filled. Partitions without a commit are absent.
    static func commits(in list: UnsafePointer<rd_kafka_topic_partition_list_t>) -> [TopicPartition: Commit] {
        var commits: [TopicPartition: Commit] = [:]
        forEach(in: list) { element in
            if element.offset >= 0 { commits[element.topicPartition] = element.commit }
        }
        return commits
    }
}

extension rd_kafka_topic_partition_t {
    var topicPartition: TopicPartition { TopicPartition(Topic(String(cString: topic)), partition) }

    var commit: Commit {
        let bytes = UnsafeRawBufferPointer(start: metadata, count: metadata == nil ? 0 : metadata_size)
        return Commit(offset: offset, metadata: String(decoding: bytes, as: UTF8.self))
    }
}
