import D360
import Synchronization
import WhatsApp

/// Which channel a command means. Channels and their keys may be replaced while messages go out.
final class ChannelDirectory: Sendable {
    private struct Content {
        var byNumber: [String: SendingChannel] = [:]
        var byName: [String: SendingChannel] = [:]
        /// Numbers by the digits that people know them by.
        var byDisplay: [String: String] = [:]
        /// Channels that are configured without a number: they send for whatever number their webhooks name.
        var open: Set<String> = []

        init(_ channels: [SendingChannel]) {
            for channel in channels {
                byName[channel.identity.name] = channel
                if let display = channel.identity.displayPhoneNumber.flatMap(ConversationKey.user) {
                    byDisplay[display] = channel.identity.business
                }
                if let number = channel.identity.phoneNumberID {
                    byNumber[number] = channel
                } else {
                    open.insert(channel.identity.name)
                }
            }
        }
    }

    private let content: Mutex<Content>

    init(_ channels: [SendingChannel]) { content = Mutex(Content(channels)) }

    /// Replaces all. Answers the numbers whose key is another one now: what held them may be over.
    @discardableResult
    func replace(_ channels: [SendingChannel]) -> [String] {
        content.withLock { content in
            let old = content
            content = Content(channels)
            return channels.filter { old.byName[$0.identity.name]?.endpoint.apiKey != $0.endpoint.apiKey }
                .map(\.identity.business)
        }
    }

    /// The `phone_number_id` of a number that an event names by its digits. A bound channel is heard on the numbers of its
    /// own account only.
    func number(displayedAs digits: String, toldBy name: String?) -> String? {
        content.withLock { content in
            guard let number = content.byDisplay[digits] else { return nil }
            guard let teller = name.flatMap({ content.byName[$0] }), teller.isBound else { return number }
            let account = content.byNumber[number]?.identity.wabaID
            return teller.identity.business == number || (account != nil && account == teller.identity.wabaID) ? number : nil
        }
    }

    /// The number's own channel: one webhook name can serve several numbers, so the number goes first. The name counts
    /// for a command that names no number, and for a channel that is bound to none; never for another number's channel,
    /// whose key would send from the wrong number.
    subscript(_ channel: ChannelIdentity) -> SendingChannel? {
        content.withLock { content in
            guard let number = channel.phoneNumberID else { return content.byName[channel.name] }
            return content.byNumber[number] ?? (content.open.contains(channel.name) ? content.byName[channel.name] : nil)
        }
    }
}
