import EventLog

/// Which number or account a change of a body concerns, with what each of its records repeats, made once.
///
/// Text is kept in bytes throughout: most of it goes from the body to the records as it is.
struct WebhookOrigin {
    /// What a change names; each nil when missing or unusable.
    struct Names {
        var wabaID: ArraySlice<UInt8>?
        var phoneNumberID: ArraySlice<UInt8>?
        var displayPhoneNumber: ArraySlice<UInt8>?
        /// Verbatim `entry.time`; only account events have it.
        var entryTime: ArraySlice<UInt8>?
    }

    let named: Names
    /// The business part of conversation keys, and the key of the number's errors and unreadable items.
    let business: ArraySlice<UInt8>
    /// Beginning of every record's headers.
    let sharedHeaders: Headers
    /// Beginning of every value: `{"channel":{…}`.
    let valuePrefix: [UInt8]
    /// An event of the account, which concerns no number unless it names one.
    let isAccountLevel: Bool

    /// Ids are around twenty digits; longer text is taken for absent, so that it is not repeated in every record.
    static let maxIDBytes = 128

    /// What a change does not name is taken from the channel it came in through.
    init(
        _ named: Names, _ channel: ChannelIdentity, hosting: Hosting, isAccountLevel: Bool, arrival: Timestamp,
        traceparent: String?
    ) {
        func bytes(_ text: String?) -> ArraySlice<UInt8>? { text.map { ArraySlice($0.utf8) } }
        let wabaID = named.wabaID ?? bytes(channel.wabaID)
        let phoneNumberID = named.phoneNumberID ?? (isAccountLevel ? nil : bytes(channel.phoneNumberID))
        self.named = named
        self.isAccountLevel = isAccountLevel
        business = phoneNumberID ?? (isAccountLevel ? wabaID : nil) ?? ArraySlice(channel.business.utf8)
        let concernsAccount = isAccountLevel && phoneNumberID == nil && wabaID != nil
        let source = CloudEvent.source(wabaID: wabaID, business: concernsAccount ? nil : business)
        sharedHeaders = CloudEvent.sharedHeaders(source: source[...], recordedTime: arrival, traceparent: traceparent)

        let isOwnNumber = named.phoneNumberID == nil || named.phoneNumberID == bytes(channel.phoneNumberID)
        let ownDisplay = isOwnNumber && !isAccountLevel ? bytes(channel.displayPhoneNumber) : nil
        valuePrefix = Self.valuePrefix(
            ArraySlice(channel.name.utf8), hosting, wabaID, phoneNumberID, named.displayPhoneNumber ?? ownDisplay)
    }

    private static func valuePrefix(
        _ name: ArraySlice<UInt8>, _ hosting: Hosting, _ wabaID: ArraySlice<UInt8>?, _ phoneNumberID: ArraySlice<UInt8>?,
        _ displayPhoneNumber: ArraySlice<UInt8>?
    ) -> [UInt8] {
        let object = JSONWriter.object(capacity: 256) { value in
            value.object("channel") { channel in
                channel.textMember("name", name)
                channel.member("hosting", hosting.rawValue)
                channel.textMember("waba_id", wabaID)
                channel.textMember("phone_number_id", phoneNumberID)
                channel.textMember("display_phone_number", displayPhoneNumber)
            }
        }
        // Open, for what follows.
        return Array(object.dropLast())
    }
}
