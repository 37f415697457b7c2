import EventLog
import WhatsApp

/// What a status tells of a command whose answer was lost: the API had accepted it, under this message id.
struct Evidence: Sendable, Hashable {
    let messageID: String
    /// The status was `failed` because the 24 h window is closed: the message did not arrive, a template may.
    let meansWindowClosed: Bool

    init(_ status: MessageStatus) {
        messageID = status.id
        meansWindowClosed = status.meansWindowClosed
    }
}

extension MessageStatus {
    /// The message was accepted first, and refused by the platform later because the window is closed.
    var meansWindowClosed: Bool { status == "failed" && errorCodes.contains { $0 == 131_047 || $0 == 470 } }

    /// Why the platform refused a message that it had accepted; nil where it did not, or for a reason nobody knows.
    var refusal: ClassifiedError? {
        status == "failed" && !isPayment
            ? ErrorCatalogue.classify(statusCodes: errorCodes, hosting: channel.hosting) : nil
    }

    /// The platform held a marketing message back because its recipient has stopped them.
    var meansMarketingStopped: Bool { status == "failed" && errorCodes.contains(131_050) }
}

/// What the log has stored for good about commands and their messages: asked where memory cannot know.
protocol CommandArchive: Sendable {
    /// The first status that carries the command's tag, among all that the log holds at the moment of the call.
    ///
    /// - Parameters:
    ///   - partition: of the conversation; statuses lie in the partition of their command.
    ///   - since: nothing of the command can have been accepted before.
    func evidence(of commandID: String, in partition: Int32, since: Timestamp) async throws -> Evidence?

    /// The result of a command that was accepted by an earlier owner, as far as the log tells (`ResultHistory`).
    func acceptance(of commandID: String, in partition: Int32, since: Timestamp) async throws -> OutboundResult?

    /// Others may have acted in partitions that are not ours.
    func partitionsChanged(_ owned: Set<Int32>)

    /// The record of a command; nil when the log holds it no longer.
    func record(at position: RecordPosition) async throws -> StoredRecord?

    /// Nobody will ask for these commands again.
    func forget(_ commandIDs: some Sequence<String> & Sendable) async
}
