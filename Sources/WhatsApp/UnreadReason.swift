/// `reason` in the value of a record on the `other` topic: why this did not become a message, status or error.
///
/// A record with a reason is kept, not understood: processors leave it alone, an operator looks at it.
public enum UnreadReason: String, Sendable, Hashable, CaseIterable {
    /// Neither envelope of WhatsApp nor a partner event: the whole body.
    case unknownEnvelope = "unknown_envelope"
    /// A known envelope with nothing in it: the whole body, or the change's value.
    case nothingInside = "nothing_inside"
    /// `entry` is not a list (the whole body), or one of it has no list of changes (that entry).
    case entryUnreadable = "entry_unreadable"
    /// A change that is no object, or without field name or value: the change.
    case changeUnreadable = "change_unreadable"
    /// The value of a `messages` change is not an object: the value.
    case valueUnreadable = "value_unreadable"
    /// `messages`, `statuses` or `errors` is not a list: what stands there.
    case notAList = "not_a_list"
    /// An element of `messages` without usable id or sender: the element.
    case messageUnreadable = "message_unreadable"
    /// An element of `statuses` without usable id or state: the element.
    case statusUnreadable = "status_unreadable"
    /// An element of `errors` that is no object: the element.
    case errorUnreadable = "error_unreadable"
    /// A list whose name nobody knows, and which is not empty, stands beside what is known: what it stands in, which is a
    /// change's value, a change, an entry or the whole body. What is known of that has records of its own.
    case unknownList = "unknown_list"
    /// Items beside the entries of a Cloud API body, where only on-premise bodies have them: the whole body.
    case outsideEntry = "outside_entry"
    /// The body names another number than the channel it came in through: the change's value.
    case foreignPhoneNumberID = "foreign_phone_number_id"
    /// An event of another account than the channel it came in through has, or is known to have: the change's value.
    case foreignWABAID = "foreign_waba_id"
    /// Contacts too large to be repeated in each record: the list of contacts.
    case contactsNotCopied = "contacts_not_copied"
    /// More unreadable items than are kept one by one: the whole body, once.
    case tooManyUnreadable = "too_many_unreadable"
    /// More items than one body may have, or more than its records may hold: the whole body instead of its items.
    case tooManyItems = "too_many_items"
}
