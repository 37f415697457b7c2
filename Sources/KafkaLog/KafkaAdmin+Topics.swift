import CRdKafka
import EventLog
import Foundation

extension KafkaAdmin {
    func createTopics(_ specs: [TopicSpec]) async throws(LogError) {
        if let unnamed = specs.first(where: { !$0.topic.isValid }) { throw LogError(.invalidTopic, unnamed.topic.name) }
        try await ask { client throws(LogError) in
            let known = try self.topics(client)
            for spec in specs { try self.check(spec, has: known[spec.topic]) }
            let missing = specs.filter { known[$0.topic] == nil }
            if missing.isEmpty { return }
            do throws(LogError) {
                try self.create(missing, client)
            } catch where error.code == .unsupported {
                // No CreateTopics here. Brokers of that kind make a topic when they are asked about it.
                for spec in missing { try self.askAbout(spec.topic, client) }
            }
            try self.awaitTopics(missing, client)
        }
    }

    private func check(_ spec: TopicSpec, has partitions: Int32?) throws(LogError) {
        guard let partitions, partitions != spec.partitions else { return }
        throw LogError(.topicMismatch, "\(spec.topic) has \(partitions) partitions, not \(spec.partitions)")
    }

    private func create(_ specs: [TopicSpec], _ client: RDKafkaClient) throws(LogError) {
        guard try hasController(client) else { throw LogError(.unsupported, "create topics: no controller") }
        var made: [OpaquePointer?] = []
        defer { for topic in made { rd_kafka_NewTopic_destroy(topic) } }
        let replicas = Int32(settings.configuration.replicationFactor)
        for spec in specs {
            guard let topic = rd_kafka_NewTopic_new(spec.topic.name, spec.partitions, replicas, nil, 0) else {
                throw LogError(.invalidConfiguration, "\(spec.topic): partitions or replication factor")
            }
            made.append(topic)
            for (name, value) in configuration(of: spec) { rd_kafka_NewTopic_set_config(topic, name, value) }
        }
        let answer = try RDKafkaAdminEvent(
            RD_KAFKA_ADMIN_OP_CREATETOPICS, with: client, timeout: timeout, "create topics"
        ) { options, answers in rd_kafka_CreateTopics(client.handle, &made, made.count, options, answers) }
        var count = 0
        let results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer.pointer), &count)
        for index in 0..<count {
            let result = results?[index]
            let code = rd_kafka_topic_result_error(result)
            // Another process was faster: its partition count is checked below.
            if code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS { continue }
            throw code.error("create \(String(cString: rd_kafka_topic_result_name(result)))")
        }
    }

    /// False when the brokers name a controller that is not among them, as librdkafka's mock does: a request for it
    /// would wait in vain. While a real cluster elects one there is no name, and waiting is right.
    private func hasController(_ client: RDKafkaClient) throws(LogError) -> Bool {
        let controller = rd_kafka_controllerid(client.handle, timeoutMilliseconds)
        let brokers = try withMetadata(client, of: nil) { metadata in
            (0..<Int(metadata.broker_cnt)).map { metadata.brokers[$0].id }
        }
        return controller < 0 || brokers.contains(controller)
    }

    /// Topic properties: Apache Kafka, "Topic configs".
    private func configuration(of spec: TopicSpec) -> [String: String] {
        let retention = spec.retention
        let deletes = !retention.compacts || retention.age != nil || retention.bytesPerPartition != nil
        let policies = (retention.compacts ? ["compact"] : []) + (deletes ? ["delete"] : [])
        // Kafka counts a whole batch against it; batches of small records reach 1,000,000 bytes.
        let maxMessageBytes = max(spec.maxRecordBytes, 1 << 20) + RDKafkaSettings.batchOverheadBytes
        var values = [
            "cleanup.policy": policies.joined(separator: ","),
            "retention.ms": "\(retention.age?.milliseconds ?? -1)",
            "retention.bytes": "\(retention.bytesPerPartition ?? -1)",
            "min.insync.replicas": "\(min(2, settings.configuration.replicationFactor))",
            "max.message.bytes": "\(maxMessageBytes)",
        ]
        // Whole segments are deleted: one of the default 1 GiB would hold many times what a small topic may keep.
        if let bytes = retention.bytesPerPartition {
            values["segment.bytes"] = "\(min(1 << 30, max(bytes / 4, Int64(maxMessageBytes))))"
        }
        if retention.compacts {
            values["delete.retention.ms"] = "\(retention.tombstoneAge.milliseconds)"
            values["min.compaction.lag.ms"] = "\(retention.compactionLag.milliseconds)"
        }
        return values
    }

    private func askAbout(_ topic: Topic, _ client: RDKafkaClient) throws(LogError) {
        let handle = rd_kafka_topic_new(client.handle, topic.name, nil)
        defer { if let handle { rd_kafka_topic_destroy(handle) } }
        _ = try topics(client, only: handle)
    }

    /// A new topic reaches the brokers one after the other. Each request asks any of them, so all know it once many
    /// answers in a row have named it.
    private func awaitTopics(_ specs: [TopicSpec], _ client: RDKafkaClient) throws(LogError) {
        let deadline = ContinuousClock.now + timeout
        let brokers = try withMetadata(client, of: nil) { Int($0.broker_cnt) }
        var sightings = 0
        while sightings < 4 * brokers {
            let known = try topics(client)
            if let missing = specs.first(where: { known[$0.topic] == nil }) {
                guard mayGoOn(until: deadline) else {
                    throw LogError(.unavailable, "\(missing.topic) is created but not yet known to the brokers")
                }
                sightings = 0
                Thread.sleep(forTimeInterval: 0.05)
                continue
            }
            for spec in specs { try check(spec, has: known[spec.topic]) }
            sightings += 1
        }
    }
}
