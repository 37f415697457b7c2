import EventLog

/// What an event of the `other` topic says about how messages may be sent.
public enum SendingEvent: Sendable, Hashable {
    /// The platform takes so many messages a second of the number, in and out together, since then.
    /// - Parameter channel: name of the one that the event came in through.
    case throughput(number: String?, displayNumber: String?, channel: String?, rate: Double, at: Timestamp)
    /// A template may, or may not, be used since then.
    case template(account: String, name: String, language: String, isUsable: Bool, at: Timestamp)

    /// What a throughput upgrade gives a number (Meta: "Throughput").
    public static let upgradedRate = 1_000.0

    /// Nil for any other event, for those that name nothing, and for a record with an `UnreadReason`: it may speak for
    /// another tenant.
    ///
    ///     "field":"phone_number_quality_update","value":{"display_phone_number","event":"THROUGHPUT_UPGRADE",…}
    ///     "field":"message_template_status_update","value":{"event":"PAUSED","message_template_name",
    ///                                                       "message_template_language",…}
    public init?(_ record: StoredRecord) throws(MalformedRecord) {
        let event = try CloudEvent(record.headers)
        guard let bytes = record.value, let json = try? JSON(parsing: bytes) else { throw MalformedRecord("value") }
        let time = event.time ?? record.timestamp
        guard let value = json["value"], let word = value["event"]?.string?.uppercased(), json["reason"] == nil else {
            return nil
        }
        switch json["field"]?.string {
        case "phone_number_quality_update" where word == "THROUGHPUT_UPGRADE":
            let display = value["display_phone_number"]?.idText.flatMap(ConversationKey.user)
            let number = display == nil ? json["channel"]?["phone_number_id"]?.string : nil
            if display == nil, number == nil { return nil }
            self = .throughput(
                number: number, displayNumber: display, channel: json["channel"]?["name"]?.string,
                rate: Self.upgradedRate, at: time)
        case "message_template_status_update":
            guard let account = json["channel"]?["waba_id"]?.string, let isUsable = Self.usable[word],
                let name = value["message_template_name"]?.string,
                let language = value["message_template_language"]?.string
            else { return nil }
            self = .template(account: account, name: name, language: language, isUsable: isUsable, at: time)
        default: return nil
        }
    }

    /// Words of template events that say whether it may be sent; others (e.g. `FLAGGED`) leave that as it is.
    private static let usable = [
        "APPROVED": true, "REINSTATED": true, "UNPAUSED": true,
        "PAUSED": false, "DISABLED": false, "REJECTED": false, "PENDING_DELETION": false, "DELETED": false,
    ]
}
