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

    /// What a change does not name is taken from the channel it came in through. `headers`: those of the delivery.
    init(_ named: Names, _ setup: WebhookSetup, hosting: Hosting, isAccountLevel: Bool, headers: Headers) {
        let wabaID = named.wabaID ?? setup.names.wabaID
        let phoneNumberID = named.phoneNumberID ?? (isAccountLevel ? nil : setup.names.phoneNumberID)
        self.named = named
        self.isAccountLevel = isAccountLevel
        business = phoneNumberID ?? (isAccountLevel ? wabaID : nil) ?? setup.business
        let concernsAccount = isAccountLevel && phoneNumberID == nil && wabaID != nil
        var headers = headers
        let source = CloudEvent.source(wabaID: wabaID, business: concernsAccount ? nil : business)
        headers.append(CloudEvent.Name.source, source[...])
        sharedHeaders = headers

        let isOwnNumber = named.phoneNumberID == nil || named.phoneNumberID == setup.names.phoneNumberID
        let ownDisplay = isOwnNumber && !isAccountLevel ? setup.names.displayPhoneNumber : nil
        var value: [UInt8] = []
        value.reserveCapacity(256)
        value.append(contentsOf: #"{"channel":{"name":"#.utf8)
        JSONWriter.append(setup.name, to: &value)
        value.append(contentsOf: hosting == .cloud ? #","hosting":"cloud""#.utf8 : #","hosting":"on-premise""#.utf8)
        Self.append(#","waba_id":"#, wabaID, to: &value)
        Self.append(#","phone_number_id":"#, phoneNumberID, to: &value)
        Self.append(#","display_phone_number":"#, named.displayPhoneNumber ?? ownDisplay, to: &value)
        value.append(UInt8(ascii: "}"))
        valuePrefix = value
    }

    private static func append(_ name: String, _ text: ArraySlice<UInt8>?, to value: inout [UInt8]) {
        value.append(contentsOf: name.utf8)
        if let text { JSONWriter.append(text, to: &value) } else { value.append(contentsOf: "null".utf8) }
    }
}
