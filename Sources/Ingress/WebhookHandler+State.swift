extension WebhookHandler {
    /// What a connection is doing.
    enum State {
        /// Between requests, or in the middle of a head.
        case idle
        /// A delivery's body is arriving.
        case receiving
        /// The log has the records and the sender waits.
        case storing
        /// Answered; the rest of the body is read and dropped, then the connection goes on.
        case discarding
        /// Answered for the last time and closed on our side; what still comes is dropped until the peer closes.
        case lingering
        case closed
    }

    /// A refused body of at most so many bytes is dropped and the connection kept. Of one that found no room, all.
    static let maxDiscardedBytes = 64 << 10
    /// Requests of one connection that are handled in one turn of the loop; what comes behind them lets others go first.
    static let maxRequestsPerTurn = 16
    /// A lingering connection that has sent so much is cut.
    static let maxLingeringBytes = 16 << 20
}
