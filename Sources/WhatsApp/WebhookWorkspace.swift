import EventLog

/// Memory that a split needs and the next one can use again. One for each thread that splits; a split has it alone.
///
/// It keeps what common bodies need (some tens of kilobytes) and gives back what a large one took.
public final class WebhookWorkspace {
    let tokens = JSONTokens()
    let arena = ByteArena()
    private var hash = IdentityHash("")
    /// Of the records of the last split, one by one: WhatsApp's own time as it was read, nil where it could not be. The
    /// record's timestamp is held to what the log takes.
    public internal(set) var eventTimes: [Timestamp?] = []

    public init() {}

    /// Begins anew.
    func forgetTimes() { eventTimes.removeAll(keepingCapacity: eventTimes.capacity <= 1_024) }

    /// The id of what `add` says, kept in the arena.
    @inline(__always)
    func id(_ kind: StaticString, _ add: (inout IdentityHash) -> Void) -> BorrowedBytes {
        hash.restart(kind)
        add(&hash)
        return hash.hex(in: arena)
    }

    deinit { arena.free() }
}

@available(*, unavailable)
extension WebhookWorkspace: Sendable {}
