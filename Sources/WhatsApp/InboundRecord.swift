import EventLog

/// What records of messages and statuses have in common.
struct InboundRecord {
    let event: CloudEvent
    let channel: ChannelIdentity
    let contact: JSON?
    let item: JSON
    let conversationKey: String

    /// `member` is `message` or `status`.
    init(_ record: StoredRecord, member: String) throws(MalformedRecord) {
        event = try CloudEvent(record.headers)
        guard let bytes = record.value, let value = try? JSON(parsing: bytes) else { throw MalformedRecord("value") }
        guard let item = value[member], item.kind == .object else { throw MalformedRecord(member) }
        guard let key = record.key else { throw MalformedRecord("key") }
        self.item = item
        contact = value["contact"]
        channel = try Self.channel(value["channel"])
        conversationKey = String(decoding: key, as: UTF8.self)
    }

    private static func channel(_ channel: JSON?) throws(MalformedRecord) -> ChannelIdentity {
        guard let channel, let name = channel["name"]?.string else { throw MalformedRecord("channel.name") }
        guard let hosting = channel["hosting"]?.string.flatMap(Hosting.init(rawValue:)) else {
            throw MalformedRecord("channel.hosting")
        }
        return ChannelIdentity(
            name: name, hosting: hosting, wabaID: channel["waba_id"]?.string,
            phoneNumberID: channel["phone_number_id"]?.string,
            displayPhoneNumber: channel["display_phone_number"]?.string)
    }

    /// Non-empty text of a member, or its digits where it came as a number.
    func text(_ member: String) -> String? { item[member]?.idText }
}

extension JSON {
    var idText: String? {
        if let string { return string.isEmpty ? nil : string }
        return kind == .number ? String(decoding: bytes, as: UTF8.self) : nil
    }
}
