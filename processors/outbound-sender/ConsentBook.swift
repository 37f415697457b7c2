import EventLog
import Processing
import WhatsApp

/// What persons want of marketing messages, kept in the processor's state without an end.
///
/// A person may be known by several conversation keys (a phone number's, a business-scoped id's). What one event says
/// under one of them holds for all that any event has named together with it.
struct ConsentBook {
    private let state: any StateStore

    init(_ state: any StateStore) { self.state = state }

    /// Asked before a marketing message is sent, so that a stop holds for messages that were queued before it.
    func isStopped(_ conversationKey: String) async throws -> Bool {
        try await consent(conversationKey)?.isStopped ?? false
    }

    func apply(_ change: ConsentChange) async throws {
        var keys = change.conversationKeys
        for key in change.conversationKeys { keys.formUnion(try await consent(key)?.aliases ?? []) }
        for key in keys {
            var consent = change.consent(for: key)
            if let known = try await self.consent(key) { consent.merge(known) }
            try await state.set(name(key), to: consent.encoded(), expires: nil)
        }
    }

    private func consent(_ key: String) async throws -> Consent? {
        try await state.value(name(key)).flatMap(Consent.init(decoding:))
    }

    private func name(_ key: String) -> String { "consent/\(key)" }
}
