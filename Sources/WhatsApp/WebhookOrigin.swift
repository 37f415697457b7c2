import EventLog

/// Which number or account a change of a body concerns, with what each of its records repeats, made once.
struct WebhookOrigin {
    /// The business part of conversation keys, and the key of the number's errors and unreadable items.
    let business: String
    let source: String
    /// Beginning of every value: `{"channel":{…}`.
    let valuePrefix: [UInt8]
    /// The number the body named, if any.
    let namedPhoneNumberID: String?
    let namedWABAID: String?
    /// What a conversation key of this number may begin with.
    let keyPrefixes: [String]
    /// Concerns no number of its own.
    let isAccountLevel: Bool
    /// Verbatim `entry.time`; only account events have it.
    let entryTime: ArraySlice<UInt8>?

    /// Ids are around twenty digits; longer text is taken for absent, so that it is not repeated in every record.
    static let maxIDBytes = 128

    /// Where a body does not say: what we know of the channel it came in through.
    init(_ channel: ChannelIdentity, hosting: Hosting) {
        var channel = channel
        channel.hosting = hosting
        self.init(
            channel, business: channel.business, named: (nil, nil), ownKeys: [channel.business, channel.name],
            entryTime: nil, isAccountLevel: false)
    }

    /// A change of a Cloud API body. `isNumberLevel` fills what it does not name from the channel; an account event
    /// names no number because it concerns none.
    init(
        _ channel: ChannelIdentity, wabaID: ArraySlice<UInt8>?, phoneNumberID: ArraySlice<UInt8>?,
        displayPhoneNumber: ArraySlice<UInt8>?, entryTime: ArraySlice<UInt8>?, isNumberLevel: Bool
    ) {
        func string(_ text: ArraySlice<UInt8>?) -> String? { text.map { String(decoding: $0, as: UTF8.self) } }
        let named = (wabaID: string(wabaID), phoneNumberID: string(phoneNumberID))
        var identity = channel
        identity.hosting = .cloud
        identity.wabaID = named.wabaID ?? channel.wabaID
        identity.phoneNumberID = named.phoneNumberID ?? (isNumberLevel ? channel.phoneNumberID : nil)
        let isOwnNumber = identity.phoneNumberID == channel.phoneNumberID
        identity.displayPhoneNumber = string(displayPhoneNumber) ?? (isOwnNumber ? channel.displayPhoneNumber : nil)
        let business =
            identity.phoneNumberID ?? (isNumberLevel ? channel.name : identity.wabaID ?? channel.business)
        // A command may have been keyed when only the channel's name was known.
        let ownKeys = isOwnNumber || channel.phoneNumberID == nil ? [business, channel.name] : [business]
        self.init(
            identity, business: business, named: named, ownKeys: ownKeys, entryTime: entryTime,
            isAccountLevel: !isNumberLevel)
    }

    private init(
        _ identity: ChannelIdentity, business: String, named: (wabaID: String?, phoneNumberID: String?),
        ownKeys: [String], entryTime: ArraySlice<UInt8>?, isAccountLevel: Bool
    ) {
        self.business = business
        self.entryTime = entryTime
        self.isAccountLevel = isAccountLevel
        keyPrefixes = ownKeys.map { "\($0):" }
        namedWABAID = named.wabaID
        namedPhoneNumberID = named.phoneNumberID
        if isAccountLevel, identity.phoneNumberID == nil, let wabaID = identity.wabaID {
            source = CloudEvent.source(wabaID: wabaID)
        } else {
            source = CloudEvent.source(wabaID: identity.wabaID, business: business)
        }
        let object = JSONWriter.object(capacity: 192) { value in
            value.object("channel") { channel in
                channel.member("name", identity.name)
                channel.member("hosting", identity.hosting.rawValue)
                channel.memberOrNull("waba_id", identity.wabaID)
                channel.memberOrNull("phone_number_id", identity.phoneNumberID)
                channel.memberOrNull("display_phone_number", identity.displayPhoneNumber)
            }
        }
        valuePrefix = Array(object.dropLast())
    }
}
