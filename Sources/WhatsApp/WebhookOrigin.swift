/// Which number or account a change of a body concerns, with what each of its records repeats, made once.
struct WebhookOrigin {
    /// What a change names; each nil when missing or unusable.
    struct Names {
        var wabaID: BorrowedBytes?
        var phoneNumberID: BorrowedBytes?
        var displayPhoneNumber: BorrowedBytes?
        /// Verbatim `entry.time`; only account events have it.
        var entryTime: BorrowedBytes?
    }

    let named: Names
    /// The business part of conversation keys, and the key of the number's errors and unreadable items.
    let business: BorrowedBytes
    /// `ce_source`.
    let source: BorrowedBytes
    /// Beginning of every value: `{"channel":{…}`.
    let valuePrefix: BorrowedBytes
    /// An event of the account, which concerns no number unless it names one.
    let isAccountLevel: Bool

    /// Ids are around twenty digits; longer text is taken for absent, so that it is not repeated in every record.
    static let maxIDBytes = 128

    /// What a change does not name is taken from the channel it came in through.
    init(_ named: Names, _ setup: WebhookSetup, hosting: Hosting, isAccountLevel: Bool, _ arena: ByteArena) {
        let wabaID = named.wabaID ?? setup.names.wabaID
        let phoneNumberID = named.phoneNumberID ?? (isAccountLevel ? nil : setup.names.phoneNumberID)
        self.named = named
        self.isAccountLevel = isAccountLevel
        business = phoneNumberID ?? (isAccountLevel ? wabaID : nil) ?? setup.business
        let concernsAccount = isAccountLevel && phoneNumberID == nil && wabaID != nil
        source = CloudEventText.source(wabaID: wabaID, business: concernsAccount ? nil : business, arena)

        let isOwnNumber = named.phoneNumberID == nil || named.phoneNumberID == setup.names.phoneNumberID
        let display = named.displayPhoneNumber ?? (isOwnNumber && !isAccountLevel ? setup.names.displayPhoneNumber : nil)
        let texts = setup.name.count + (wabaID?.count ?? 0) + (phoneNumberID?.count ?? 0) + (display?.count ?? 0)
        valuePrefix = arena.write(limit: 160 + 6 * texts) { value in
            value.append(#"{"channel":{"name":"#)
            JSONWriter.append(setup.name, to: &value)
            value.append(hosting == .cloud ? #","hosting":"cloud""# : #","hosting":"on-premise""#)
            Self.append(#","waba_id":"#, wabaID, to: &value)
            Self.append(#","phone_number_id":"#, phoneNumberID, to: &value)
            Self.append(#","display_phone_number":"#, display, to: &value)
            value.append(UInt8(ascii: "}"))
        }
    }

    private static func append(_ name: StaticString, _ text: BorrowedBytes?, to value: inout ByteWriter) {
        value.append(name)
        if let text { JSONWriter.append(text, to: &value) } else { value.append("null") }
    }
}
