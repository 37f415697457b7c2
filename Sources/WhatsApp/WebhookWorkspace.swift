/// Memory that a split needs and the next one can use again. One for each thread that splits; a split has it alone.
///
/// It keeps what common bodies need (some tens of kilobytes) and gives back what a large one took.
public final class WebhookWorkspace {
    let tokens = JSONTokens()
    let arena = ByteArena()

    public init() {}

    deinit { arena.free() }
}

@available(*, unavailable)
extension WebhookWorkspace: Sendable {}
