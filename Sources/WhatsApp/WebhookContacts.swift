/// Finds the contact that belongs to a message or status of the same change.
struct WebhookContacts {
    private typealias IDs = (phone: BorrowedBytes?, user: BorrowedBytes?)

    /// The first contact: most bodies have no other, and are answered without hashing.
    private var first: (contact: Int, ids: IDs)?
    private var count = 0
    /// Several contacts by their ids, so that many messages beside many contacts stay linear work.
    private var byID: [BorrowedBytes: Int] = [:]

    init(_ text: WebhookText, array: Int?) {
        guard let array, text.isArray(array) else { return }
        text.forEachElement(of: array) { element in
            if text.isObject(element) { add(element, Self.ids(of: element, text)) }
            return true
        }
    }

    private mutating func add(_ contact: Int, _ ids: IDs) {
        count += 1
        guard let first else {
            first = (contact, ids)
            return
        }
        if count == 2 { index(first.contact, first.ids) }
        index(contact, ids)
    }

    private mutating func index(_ contact: Int, _ ids: IDs) {
        if let phone = ids.phone, byID[phone] == nil { byID[phone] = contact }
        if let user = ids.user, byID[user] == nil { byID[user] = contact }
    }

    var isEmpty: Bool { count == 0 }

    /// The contact with one of the party's ids. A single contact also belongs to a single party whatever its ids: a
    /// person's `wa_id` and `from` may differ.
    func find(_ party: WebhookParty, isSingleParty: () -> Bool) -> Int? {
        if let contact = find(party.participant) ?? find(party.phone) ?? find(party.userID) { return contact }
        return count == 1 && isSingleParty() ? first?.contact : nil
    }

    private func find(_ id: BorrowedBytes?) -> Int? {
        guard let id, let first else { return nil }
        if count > 1 { return byID[id] }
        return id == first.ids.phone || id == first.ids.user ? first.contact : nil
    }

    private static func ids(of contact: Int, _ text: WebhookText) -> IDs {
        var waID: Int?
        var userID: Int?
        text.forEachMember(of: contact) { name, value in
            switch name {
            case "wa_id": waID = value
            case "user_id": userID = value
            default: break
            }
        }
        let limit = WebhookSplitter.maxUserBytes
        return (text.user(waID, maxBytes: limit), text.idText(userID, maxBytes: limit))
    }
}
