import EventLog
import WhatsApp

// What every instance must know, as records of the send-limits topic.

extension LearnedLimit {
    public func record(topic: Topic) -> Record {
        .news(key, value, at: [ceiling?.at, cut?.at].compactMap { $0 }.max(), source: "outbound-sender", topic)
    }
}

extension TemplateNews {
    public func record(topic: Topic) -> Record { .news(key, value, at: at, source: "outbound-sender", topic) }
}

extension BulkPause {
    public func record(topic: Topic) -> Record { .news(Self.key, value, at: at, source: "operator", topic) }
}

extension Record {
    /// Its id follows from what it says: copies are one event.
    fileprivate static func news(
        _ key: String, _ value: [UInt8], at time: Timestamp?, source: String, _ topic: Topic
    ) -> Record {
        var hash = IdentityHash("send-limit")
        hash.add(key)
        hash.add(value[...])
        let event = CloudEvent(
            type: .sendLimitLearned, id: hash.hex(), source: "/millrace/\(source)", time: time, recordedTime: time,
            partitionKey: key)
        return Record(topic: topic, key: Array(key.utf8), value: value, headers: event.headers)
    }
}
