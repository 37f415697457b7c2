import EventLog
import Processing
import WhatsApp

/// Makes the log ready: topics, and groups that begin at offset 0 on purpose: no `auto.offset.reset` chooses for them.
public enum Provisioning {
    /// The processors that come with Millrace, by name, with the topics each reads.
    public static func builtInInputs(_ topics: Topics) -> [(processor: String, inputs: [Topic])] {
        [
            ("auto-responder", [topics.messages]),
            (
                "outbound-sender",
                [topics.outbound, topics.outboundBulk, topics.statuses, topics.messages, topics.other, topics.consent]
            ),
            ("status-tracker", [topics.outbound, topics.outboundBulk, topics.outboundResults, topics.statuses]),
            ("analytics", [topics.messages, topics.outboundResults, topics.statuses]),
        ]
    }

    /// Creates missing topics and gives each built-in group that has no progress in a partition the commit 0 there.
    /// Safe to repeat, and while everything runs: groups that have progress are left alone.
    public static func provision(_ log: any Log, topics: Topics) async throws(LogError) {
        let groups = builtInInputs(topics).map { topics.group(of: $0.processor) }
        try await log.admin.createTopics(topics.specs(groups: groups))
        for (processor, inputs) in builtInInputs(topics) {
            try await bear(group: topics.group(of: processor), inputs: inputs, log)
        }
    }

    /// A processor comes to the log: topics of its own that are missing are created, its group is given a commit where
    /// it has none. Safe to repeat, also by several instances at once; progress that exists is left alone.
    ///
    /// `.groupActive` when partitions without progress (of an input added later) are met while instances run: stop
    /// them first, because only a group at rest takes commits from outside.
    public static func bear(
        _ processor: any Processor, from start: LogPoint, _ log: any Log, _ topics: Topics
    ) async throws(LogError) {
        let held = try await log.admin.topics()
        let names = Set(held.map(\.topic))
        if let missing = processor.subscription.first(where: { !names.contains($0) }) {
            throw LogError(.unknownTopic, missing.name)
        }
        // As many partitions as the inputs have, whatever this process was told: keys must meet.
        let partitions = held.first { $0.topic == processor.inputs.first }?.partitions
        let specs = topics.specs(group: topics.group(of: processor.name), outputs: processor.outputs).filter { !names.contains($0.topic) }
        try await log.admin.createTopics(
            specs.map { spec in
                TopicSpec(
                    spec.topic, partitions: partitions ?? spec.partitions, retention: spec.retention,
                    maxRecordBytes: spec.maxRecordBytes)
            })
        do {
            try await bear(group: topics.group(of: processor.name), inputs: processor.subscription, from: start, log)
        } catch where error.code == .groupActive {
            // Another instance was quicker, if everything is there by now.
            try await bear(group: topics.group(of: processor.name), inputs: processor.subscription, from: start, log)
        }
    }

    private static func bear(
        group: String, inputs: [Topic], from start: LogPoint? = nil, _ log: any Log
    ) async throws(LogError) {
        var partitions: [TopicPartition] = []
        for topic in inputs { partitions += try await log.admin.partitions(of: topic) }
        let known = try await log.admin.commits(of: group, in: partitions)
        let missing = partitions.filter { known[$0] == nil }
        if missing.isEmpty { return }
        let offsets = try await start?.offsets(in: missing, of: log) ?? [:]
        try await log.admin.setCommits(
            Dictionary(uniqueKeysWithValues: missing.map { ($0, Commit(offset: offsets[$0] ?? 0)) }), of: group)
    }
}
