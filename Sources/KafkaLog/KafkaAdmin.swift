import CRdKafka
import Dispatch
import EventLog
import Foundation
import Synchronization

/// Topics, watermarks, groups. Every request blocks, so each runs on this object's serial queue.
///
/// The client is made at the first request; it belongs to `queue`, which is why the object may cross threads.
final class KafkaAdmin: Admin, @unchecked Sendable {
    let settings: RDKafkaSettings
    private let queue = DispatchQueue(label: "kafka-admin")
    private var made: RDKafkaClient?
    private let closed = Atomic(false)

    init(settings: RDKafkaSettings) { self.settings = settings }

    var timeout: Duration { settings.configuration.requestTimeout }
    var timeoutMilliseconds: Int32 { Int32(timeout.milliseconds) }

    func ask<Value: Sendable>(
        _ body: @escaping @Sendable (RDKafkaClient) throws(LogError) -> Value
    ) async throws(LogError) -> Value {
        try await queue.blocking { [self] () throws(LogError) in try body(try client()) }
    }

    /// Waits for the request under way, which its time-out bounds; it is not repeated.
    func close() async {
        closed.store(true, ordering: .relaxed)
        await queue.blocking { [self] in made = nil }
    }

    /// Whether what failed so far may be tried once more.
    func mayGoOn(until deadline: ContinuousClock.Instant) -> Bool {
        ContinuousClock.now < deadline && !closed.load(ordering: .relaxed)
    }

    private func client() throws(LogError) -> RDKafkaClient {
        if closed.load(ordering: .relaxed) { throw LogError(.closed, "admin") }
        if let made { return made }
        let context = RDKafkaContext(logger: settings.configuration.logger)
        let client = try RDKafkaConfiguration(
            settings.admin, properties: settings.configuration.properties, context: context
        ).makeClient(RD_KAFKA_PRODUCER)
        made = client
        return client
    }

    func topics() async throws(LogError) -> [TopicDescription] {
        try await ask { client throws(LogError) in
            try self.topics(client).map { TopicDescription(topic: $0, partitions: $1) }.sorted { $0.topic < $1.topic }
        }
    }

    func watermarks(of partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Watermarks] {
        if partitions.isEmpty { return [:] }
        return try await askAboutTopics { client throws(LogError) in
            try self.checkExistence(of: partitions, client)
            return try client.watermarks(of: partitions, within: self.timeout)
        }
    }

    func offsets(
        at time: Timestamp, of partitions: [TopicPartition]
    ) async throws(LogError) -> [TopicPartition: Offset] {
        if partitions.isEmpty { return [:] }
        return try await askAboutTopics { client throws(LogError) in
            try self.checkExistence(of: partitions, client)
            let found = try client.offsets(of: partitions, at: time.milliseconds, within: self.timeout)
            if found.values.allSatisfy({ $0 >= 0 }) { return found }
            // Kafka answers -1 where no record is that young.
            let held = try client.watermarks(of: partitions, within: self.timeout)
            return found.merging(held.mapValues(\.high)) { found, high in found >= 0 ? found : high }
        }
    }

    /// Throws `.unknownTopic` when one of them does not exist.
    func checkExistence(of partitions: [TopicPartition]) async throws(LogError) {
        try await askAboutTopics { client throws(LogError) in try self.checkExistence(of: partitions, client) }
    }

    // MARK: Blocking parts

    /// How long "unknown topic" may be no more than a broker that has not heard of a new one.
    static let propagation = Duration.seconds(3)

    /// A topic reaches the brokers one after the other, and each request asks another of them.
    private func askAboutTopics<Value: Sendable>(
        _ body: @escaping @Sendable (RDKafkaClient) throws(LogError) -> Value
    ) async throws(LogError) -> Value {
        try await ask { [self] client throws(LogError) in
            let deadline = ContinuousClock.now + Self.propagation
            while true {
                do throws(LogError) {
                    return try body(client)
                } catch {
                    guard error.code == .unknownTopic, mayGoOn(until: deadline) else { throw error }
                    Thread.sleep(forTimeInterval: 0.1)
                }
            }
        }
    }

    func topics(_ client: RDKafkaClient, only topic: OpaquePointer? = nil) throws(LogError) -> [Topic: Int32] {
        try withMetadata(client, of: topic) { metadata in
            var topics: [Topic: Int32] = [:]
            for index in 0..<Int(metadata.topic_cnt) {
                let found = metadata.topics[index]
                guard found.err == RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
                topics[Topic(String(cString: found.topic))] = found.partition_cnt
            }
            return topics
        }
    }

    /// Metadata of all topics, or of one.
    func withMetadata<Value>(
        _ client: RDKafkaClient, of topic: OpaquePointer?, _ body: (rd_kafka_metadata) -> Value
    ) throws(LogError) -> Value {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(client.handle, topic == nil ? 1 : 0, topic, &metadata, timeoutMilliseconds)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else { throw code.error("metadata") }
        defer { rd_kafka_metadata_destroy(metadata) }
        return body(metadata.pointee)
    }

    /// A request for what does not exist would wait for it, or make it where the brokers create topics by themselves.
    private func checkExistence(of partitions: [TopicPartition], _ client: RDKafkaClient) throws(LogError) {
        let known = try topics(client)
        for partition in partitions where !(0..<(known[partition.topic] ?? 0)).contains(partition.partition) {
            throw LogError(.unknownTopic, "\(partition)")
        }
    }
}
