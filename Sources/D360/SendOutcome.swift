import WhatsApp

/// How one attempt to send a command ended.
public enum SendOutcome: Sendable, Hashable {
    /// The API took the message. Its statuses tell whether it arrives.
    case accepted(SendReceipt)
    /// The API will never take it.
    case rejected(ClassifiedError)
    /// The API did not take it now; `retryAfter` says when to come again, where the API or the catalogue know.
    case retry(ClassifiedError)
    /// The API cannot have seen it.
    case notSent(TransportError)
    /// It may have been taken. Sending again may deliver it twice.
    case unknown(Reason)

    public enum Reason: String, Sendable, Hashable {
        /// The body went out and no answer came in time.
        case timeout
        /// The connection ended before the answer did.
        case cut
        /// The answer says success and names no message.
        case noMessageID = "no-message-id"
        /// The answer could not be taken in, or the caller did not wait for it.
        case unread
    }
}
