import EventLog
import WhatsApp

/// Makes the log ready: topics, and groups that begin at offset 0 on purpose: no `auto.offset.reset` chooses for them.
public enum Provisioning {
    /// The processors that come with Millrace, by name, with the topics each reads.
    public static func builtInInputs(_ topics: Topics) -> [(processor: String, inputs: [Topic])] {
        [
            ("auto-responder", [topics.messages]),
            ("outbound-sender", [topics.outbound, topics.outboundBulk]),
            ("status-tracker", [topics.outbound, topics.outboundBulk, topics.outboundResults, topics.statuses]),
            ("analytics", [topics.messages, topics.outboundResults, topics.statuses]),
        ]
    }

    /// Creates missing topics and gives each built-in group that has no progress in a partition the commit 0 there.
    /// Safe to repeat, and while everything runs: groups that have progress are left alone.
    public static func provision(_ log: any Log, topics: Topics) async throws(LogError) {
        let groups = builtInInputs(topics).map { "millrace.\($0.processor)" }
        try await log.admin.createTopics(topics.specs(groups: groups))
        for (processor, inputs) in builtInInputs(topics) {
            try await bear(group: "millrace.\(processor)", inputs: inputs, log)
        }
    }

    private static func bear(group: String, inputs: [Topic], _ log: any Log) async throws(LogError) {
        var partitions: [TopicPartition] = []
        for topic in inputs { partitions += try await log.admin.partitions(of: topic) }
        let known = try await log.admin.commits(of: group, in: partitions)
        let missing = partitions.filter { known[$0] == nil }
        if missing.isEmpty { return }
        try await log.admin.setCommits(Dictionary(uniqueKeysWithValues: missing.map { ($0, Commit(offset: 0)) }), of: group)
    }
}
