import EventLog
import Processing
import WhatsApp

/// Remembers what was accepted, so that a copy of a command (a producer's retry, a replay, a crash before the commit)
/// gives the same result again instead of a second message.
///
/// Only acceptance is remembered: a command that failed may be tried again by whoever sends its copy. With it goes where
/// a command lies whose fallback may still be wanted: a status may tell later that the window was closed.
struct SentCommands {
    private let state: any StateStore

    /// Copies come later than their original; past expiry nothing is sent anyway.
    private static let grace = Duration.seconds(86_400)

    init(_ state: any StateStore) { self.state = state }

    /// Throws `conflict` when what was sent under the command's id has another content: a caller used one idempotency key
    /// for two commands, and this is the second.
    func result(of command: OutboundCommand) async throws -> OutboundResult? {
        guard let value = try await state.value(key(command.id)) else { return nil }
        let result = try OutboundResult(
            value: value, conversationKey: command.conversationKey, correlationID: command.correlationID ?? command.id,
            traceparent: command.traceparent)
        return try Self.agreed(result, with: command)
    }

    /// The result, if it is of the same content.
    static func agreed(_ result: OutboundResult, with command: OutboundCommand) throws -> OutboundResult {
        if let content = result.contentHash, content != command.contentHash {
            throw HandlerFailure.permanent("conflict", "another command was sent under this id")
        }
        return result
    }

    /// - Parameters:
    ///   - result: the value of its result.
    ///   - fallback: where the command lies, if it brings a fallback that was not sent.
    func remember(_ result: [UInt8], of command: OutboundCommand, fallback: RecordPosition?) async throws {
        var value = result
        if let fallback {
            let place = JSONWriter.object { place in
                place.member("topic", fallback.partition.topic.name)
                place.member("offset", fallback.offset)
            }
            // The value is an object with members; the place goes before them.
            value = Array(#"{"fallback_at":"#.utf8) + place + Array(",".utf8) + value.dropFirst()
        }
        try await state.set(key(command.id), to: value, expires: command.expiresAt + Self.grace)
    }

    /// When the command was accepted; nil for one that is not remembered here.
    func acceptedAt(_ id: String) async throws -> Timestamp? {
        guard let value = try await state.value(key(id)) else { return nil }
        return (try? JSON(parsing: value))?["result"]?["finished_at"]?.integer.map { Timestamp(milliseconds: $0) }
    }

    /// Attempts that it took until a command was accepted.
    struct Attempts: Sendable, Hashable {
        var attempts: Int
        var firstAttemptAt: Timestamp
        var isLowerBound: Bool
    }

    /// Where the command lies whose fallback has not gone out, and how it was accepted.
    func fallback(of id: String, in partition: Int32) async throws -> (place: RecordPosition, accepted: Attempts)? {
        guard let value = try await state.value(key(id)), let json = try? JSON(parsing: value),
            let topic = json["fallback_at"]?["topic"]?.string, let offset = json["fallback_at"]?["offset"]?.integer,
            let result = json["result"], let attempts = result["attempts"]?.integer,
            let first = result["first_attempt_at"]?.integer
        else { return nil }
        return (
            RecordPosition(TopicPartition(Topic(topic), partition), offset),
            Attempts(
                attempts: Int(clamping: attempts), firstAttemptAt: Timestamp(milliseconds: first),
                isLowerBound: result["attempts_at_least"]?.bool == true)
        )
    }

    private func key(_ id: String) -> String { "sent/\(id)" }
}
