import EventLog
import Processing
import WhatsApp

/// What persons want of marketing messages, kept in the processor's state without an end.
///
/// A person may be known by several conversation keys (a phone number's, a business-scoped id's), which lie in different
/// partitions. What is learned under one of them goes to the others over the consent topic, whose newest record of a key
/// is what this book holds.
struct ConsentBook {
    private let state: any StateStore

    init(_ state: any StateStore) { self.state = state }

    /// Asked before a marketing message is sent, so that a stop holds for messages that were queued before it.
    func isStopped(_ conversationKey: String) async throws -> Bool {
        try await consent(conversationKey)?.isStopped ?? false
    }

    /// Takes over what is said of a key of this partition. Answers what must be told, by key: to the other names of the
    /// person when it was news, and under its own key when the book knew better.
    func merge(_ told: Consent, of key: String) async throws -> [String: Consent] {
        var merged = told
        let known = try await consent(key)
        if let known { merged.merge(known) }
        var news: [String: Consent] = [:]
        if merged != known {
            try await state.set(name(key), to: merged.encoded(), expires: nil)
            for alias in merged.aliases where alias != key { news[alias] = merged.seen(from: alias, otherThan: key) }
        }
        if merged != told { news[key] = merged }
        return news
    }

    private func consent(_ key: String) async throws -> Consent? {
        try await state.value(name(key)).flatMap(Consent.init(decoding:))
    }

    /// What its keys in the state begin with.
    static let prefix = "consent/"
    private func name(_ key: String) -> String { Self.prefix + key }
}

extension Consent {
    /// The same word as it holds for another name of the person.
    fileprivate func seen(from alias: String, otherThan key: String) -> Consent {
        Consent(isStopped: isStopped, at: at, source: source, aliases: aliases.union([key]).subtracting([alias]))
    }
}

extension Consent {
    /// A record of the consent topic. Its id follows from its content and its cause.
    func record(of key: String, topic: Topic, cause: StoredRecord) throws(MalformedRecord) -> Record {
        var event = try CloudEvent.caused(by: cause, processor: "outbound-sender", type: EventType.consentChanged.rawValue)
        event.id += "-" + key
        event.partitionKey = key
        event.subject = nil
        event.time = at
        return Record(topic: topic, key: Array(key.utf8), value: encoded(), headers: event.headers)
    }
}
