import EventLog
import Processing
import WhatsApp

/// Remembers what was accepted, so that a copy of a command (a producer's retry, a replay, a crash before the commit)
/// gives the same result again instead of a second message.
///
/// Only acceptance is remembered: a command that failed may be tried again by whoever sends its copy.
struct SentCommands {
    private let state: any StateStore

    /// Copies come later than their original; past expiry nothing is sent anyway.
    private static let grace = Duration.seconds(86_400)

    init(_ state: any StateStore) { self.state = state }

    /// Throws `conflict` when what was sent under the command's id has another content: a caller used one idempotency key
    /// for two commands, and this is the second.
    func result(of command: OutboundCommand) async throws -> OutboundResult? {
        guard let value = try await state.value(key(command)) else { return nil }
        let result = try OutboundResult(
            value: value, conversationKey: command.conversationKey, correlationID: command.correlationID ?? command.id,
            traceparent: command.traceparent)
        if let content = result.contentHash, content != command.contentHash {
            throw HandlerFailure.permanent("conflict", "another command was sent under this id")
        }
        return result
    }

    func remember(_ result: OutboundResult, of command: OutboundCommand) async throws {
        try await state.set(key(command), to: result.value, expires: command.expiresAt + Self.grace)
    }

    private func key(_ command: OutboundCommand) -> String { "sent/\(command.id)" }
}
