/// A topic as the log has it.
public struct TopicDescription: Sendable, Hashable {
    public var topic: Topic
    public var partitions: Int32

    public init(topic: Topic, partitions: Int32) {
        self.topic = topic
        self.partitions = partitions
    }
}

/// A consumer group as the log has it.
public struct GroupDescription: Sendable, Hashable {
    public var group: String
    /// Live members, each with the partitions it owns.
    public var members: [String: [TopicPartition]]

    public init(group: String, members: [String: [TopicPartition]]) {
        self.group = group
        self.members = members
    }
}

/// Creating and looking, for start-up and operators.
public protocol Admin: Sendable {
    /// Creates what is missing. A topic that is there with the same partition count is left alone, so the call can be
    /// repeated by every process; another count throws `.topicMismatch` (keys would change partitions).
    func createTopics(_ specs: [TopicSpec]) async throws(LogError)

    func topics() async throws(LogError) -> [TopicDescription]

    /// `.unknownTopic` when one of them does not exist.
    func watermarks(of partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Watermarks]

    /// First offset whose record is not older than `time`; the high watermark when there is none.
    func offsets(at time: Timestamp, of partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Offset]

    func groups() async throws(LogError) -> [GroupDescription]

    /// The group's stored progress; partitions without one are absent.
    func commits(of group: String, in partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Commit]

    /// Sets a group's progress from outside: a group is born on purpose, or wound back. `.groupActive` while it has
    /// live members on these topics.
    func setCommits(_ commits: [TopicPartition: Commit], of group: String) async throws(LogError)
}

extension Admin {
    /// All partitions of a topic, in order. `.unknownTopic` when it does not exist.
    public func partitions(of topic: Topic) async throws(LogError) -> [TopicPartition] {
        guard let found = try await topics().first(where: { $0.topic == topic }) else {
            throw LogError(.unknownTopic, topic.name)
        }
        return (0..<found.partitions).map { TopicPartition(topic, $0) }
    }

    /// Records between a group's progress and the end, per partition. A partition without commit counts from `low`.
    public func lag(of group: String, topics: [Topic]) async throws(LogError) -> [TopicPartition: Int64] {
        var all: [TopicPartition] = []
        for topic in topics { all += try await partitions(of: topic) }
        let held = try await watermarks(of: all)
        let commits = try await commits(of: group, in: all)
        var lag: [TopicPartition: Int64] = [:]
        for (partition, marks) in held {
            lag[partition] = max(0, marks.high - max(commits[partition]?.offset ?? marks.low, marks.low))
        }
        return lag
    }
}
