import EventLog
import WhatsApp

/// What is sent.
enum Commands {
    static func text(
        number: Int, user: Int, purpose: OutboundCommand.Purpose = .utility, at now: Timestamp = .now
    ) throws -> OutboundCommand {
        let text = #"{"type":"text","text":{"body":"Your parcel has left the house and arrives tomorrow before noon."}}"#
        let recipient = "1555\(1_000_000 + user)"
        let phone = Scene.number(number)
        return OutboundCommand(
            channel: ChannelIdentity(name: Scene.channel(number), hosting: .cloud, phoneNumberID: phone),
            id: OutboundCommand.id(processor: "bench", source: phone, causeID: "\(user)", ordinal: 0), purpose: purpose,
            recipient: .to(recipient), conversationKey: "\(phone):\(recipient)",
            message: try JSON(parsing: Array(text.utf8)), expiresAt: now + .seconds(3_600), requestedAt: now)
    }
}
