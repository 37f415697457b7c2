import EventLog

/// Names and shapes of the pipeline's topics, `<prefix>.<what>.v<version>`.
///
/// | topic | key | kept |
/// |---|---|---|
/// | messages, statuses | conversation | 14 days |
/// | errors, other | phone number id or WABA id | 30 days |
/// | raw | delivery id | 7 days |
/// | outbound, outboundBulk | conversation | 7 days |
/// | commandKeys | command id | 2 days |
/// | outboundResults | conversation | 14 days |
/// | messageState | message id | newest of each key |
/// | analytics | number, window, source partition | newest of each key, 90 days |
/// | `state.<group>` | the processor's key | newest of each key |
/// | `dlq.<group>` | the original key | 30 days |
/// | `millrace.control.v1` | order | 1 day |
///
/// Keys decide partitions, so the partition count belongs to the version: more partitions are a new version.
public struct Topics: Sendable, Hashable {
    public let prefix: String
    public let version: Int
    /// Of every topic.
    public let partitions: Int32

    /// Messages of customers.
    public let messages: Topic
    /// What became of messages we sent.
    public let statuses: Topic
    /// Out-of-band errors of number, account or app.
    public let errors: Topic
    /// Every other event, and whatever could not be read.
    public let other: Topic
    /// Whole webhook bodies, verbatim; written only when asked for.
    public let raw: Topic
    /// Commands: replies, utility and authentication messages.
    public let outbound: Topic
    /// Commands of campaigns, apart so that they can be paused alone.
    public let outboundBulk: Topic
    /// Which content took which idempotency key of a caller: the first claim of a command id counts.
    public let commandKeys: Topic
    /// How commands ended.
    public let outboundResults: Topic
    /// The latest state of each message we sent.
    public let messageState: Topic
    /// Window aggregates.
    public let analytics: Topic

    public init(prefix: String = "whatsapp", version: Int = 1, partitions: Int32 = 12) {
        func topic(_ name: String) -> Topic { Topic("\(prefix).\(name).v\(version)") }
        self.prefix = prefix
        self.version = version
        self.partitions = partitions
        messages = topic("messages")
        statuses = topic("statuses")
        errors = topic("errors")
        other = topic("other")
        raw = topic("raw")
        outbound = topic("outbound")
        outboundBulk = topic("outbound-bulk")
        commandKeys = topic("command-keys")
        outboundResults = topic("outbound-results")
        messageState = topic("message-state")
        analytics = topic("analytics")
    }

    /// What the ingress writes.
    public var inbound: [Topic] { [messages, statuses, errors, other, raw] }

    /// Orders of operators to running processors, and answers; one partition, kept for a day.
    public static let control: Topic = "millrace.control.v1"
    public static let controlSpec = TopicSpec(control, partitions: 1, retention: .delete(days: 1))

    /// Where the group's failed records go.
    public static func deadLetters(group: String) -> Topic { Topic("dlq.\(group)") }
    /// Where the group keeps state that must survive its machine.
    public static func state(group: String) -> Topic { Topic("state.\(group)") }

    /// The platform sends bodies of up to 3 MB that may hold one item; with the envelope they must fit.
    public static let maxInboundRecordBytes = 8 << 20

    /// How long commands are held; none may live longer.
    public static let outboundRetentionDays: Int64 = 7

    /// How long claims of idempotency keys are held; keys are remembered for less.
    public static let commandKeyRetentionDays: Int64 = 2

    /// Everything to create for the pipeline and these consumer groups.
    public func specs(groups: [String]) -> [TopicSpec] {
        let large = Self.maxInboundRecordBytes
        var specs = [
            spec(messages, .delete(days: 14), large),
            spec(statuses, .delete(days: 14), large),
            spec(errors, .delete(days: 30), large),
            spec(other, .delete(days: 30), large),
            spec(raw, .delete(days: 7), large),
            spec(outbound, .delete(days: Self.outboundRetentionDays)),
            spec(outboundBulk, .delete(days: Self.outboundRetentionDays)),
            spec(commandKeys, .delete(days: Self.commandKeyRetentionDays)),
            spec(outboundResults, .delete(days: 14)),
            spec(messageState, .compact),
            spec(analytics, .compactAndDelete(days: 90)),
            Self.controlSpec,
        ]
        for group in groups { specs += self.specs(group: group, outputs: []) }
        return specs
    }

    /// What a processor brings along: its dead letters, its state, and topics of its own, kept for 14 days.
    public func specs(group: String, outputs: [Topic]) -> [TopicSpec] {
        [
            spec(Self.deadLetters(group: group), .delete(days: 30), Self.maxInboundRecordBytes),
            // Who writes again what must not be believed needs the time to do so (decision 13).
            spec(Self.state(group: group), Retention(compacts: true, compactionLag: .seconds(3_600))),
        ] + outputs.map { spec($0, .delete(days: 14)) }
    }

    private func spec(_ topic: Topic, _ retention: Retention, _ maxRecordBytes: Int = 1 << 20) -> TopicSpec {
        TopicSpec(topic, partitions: partitions, retention: retention, maxRecordBytes: maxRecordBytes)
    }
}
