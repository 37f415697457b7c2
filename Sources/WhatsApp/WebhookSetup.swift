import EventLog

/// A channel and the topics, in the form in which records need them. One object, so that the parts of the splitter
/// share it at the price of one reference.
///
/// Its text is borrowed from an arena of its own, which nothing changes once this is made: any thread may read it.
final class WebhookSetup: @unchecked Sendable {
    let hosting: Hosting
    let isBound: Bool
    let name: BorrowedBytes
    /// Names in place of those that a body lacks.
    let names: WebhookOrigin.Names
    /// Business part of the keys where neither body nor configuration names the number.
    let business: BorrowedBytes
    let topics: Topics
    let types: EventTypes
    private let arena = ByteArena(firstBlockBytes: 512)

    init(_ channel: ChannelIdentity, _ topics: Topics, isBound: Bool) {
        self.isBound = isBound
        hosting = channel.hosting
        name = arena.keep(channel.name)
        names = WebhookOrigin.Names(
            wabaID: channel.wabaID.map(arena.keep), phoneNumberID: channel.phoneNumberID.map(arena.keep),
            displayPhoneNumber: channel.displayPhoneNumber.map(arena.keep))
        business = arena.keep(channel.business)
        self.topics = topics
        types = EventTypes(arena)
    }

    deinit { arena.free() }

    /// `ce_type` of what comes out of a body.
    struct EventTypes {
        let message, status, error, other, delivery: BorrowedBytes

        fileprivate init(_ arena: ByteArena) {
            func text(_ type: EventType) -> BorrowedBytes { arena.keep(type.rawValue) }
            message = text(.messageReceived)
            status = text(.statusUpdated)
            error = text(.errorRaised)
            other = text(.otherReceived)
            delivery = text(.deliveryReceived)
        }
    }
}
