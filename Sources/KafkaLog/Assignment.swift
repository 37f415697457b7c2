import EventLog
import Synchronization

/// What a member owns, and where it is between getting and giving back. The eager protocol moves all at once.
struct Assignment {
    enum Phase: Equatable {
        /// Nothing is ours.
        case none
        /// Ours; the group's commits are still being read.
        case lookingUp(at: ContinuousClock.Instant)
        /// `.assigned` is out; `start(at:)` has not come.
        case offered
        case started
        /// The group wants them back; they are ours until released, or until `deadline`.
        case revoking(deadline: ContinuousClock.Instant)
    }

    var phase = Phase.none
    var owned: Set<TopicPartition> = []

    var nextTimer: ContinuousClock.Instant? {
        switch phase {
        case .lookingUp(let at): at
        case .revoking(let deadline): deadline
        case .none, .offered, .started: nil
        }
    }
}

/// A started partition: where it stands, and what librdkafka has been told.
struct ReadingPartition {
    /// The next offset to take; anything below it is stale.
    var next: Offset
    /// Since when the caller has it paused.
    var pausedSince: ContinuousClock.Instant?
    /// The partition does not hold `next`: it stands still until `seek`.
    var isOutOfRange = false
    /// librdkafka has stopped for good after out of range: only assigning again gets it going.
    var isStranded = false
    /// librdkafka is at another place than `next`.
    var needsSeek = false
    /// librdkafka is fetching, as far as we have told it.
    var isFetching = true
}
