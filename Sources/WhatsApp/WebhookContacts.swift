/// Finds the contact that belongs to a message or status of the same change.
struct WebhookContacts {
    private let text: JSONText
    private var contacts: [Int] = []
    /// Index in `contacts` by phone number and business-scoped id; only for several contacts.
    private var byID: [ArraySlice<UInt8>: Int] = [:]

    init(_ text: JSONText, array: Int?) {
        self.text = text
        guard let array, text.isArray(array) else { return }
        text.forEachElement(of: array) { element in
            if text.isObject(element) { contacts.append(element) }
            return true
        }
        guard contacts.count > 1 else { return }
        for contact in contacts {
            let ids = ids(of: contact)
            for id in [ids.phone, ids.user] {
                if let id, byID[id] == nil { byID[id] = contact }
            }
        }
    }

    var isEmpty: Bool { contacts.isEmpty }

    /// The contact with one of `ids`. A single contact also belongs to a single party whatever its ids: a person's
    /// `wa_id` and `from` may differ.
    func find(_ ids: [ArraySlice<UInt8>?], isSingleParty: () -> Bool) -> Int? {
        guard let first = contacts.first else { return nil }
        if contacts.count > 1 {
            for id in ids {
                if let id, let contact = byID[id] { return contact }
            }
            return nil
        }
        let own = self.ids(of: first)
        let matches = ids.contains { $0 != nil && ($0 == own.phone || $0 == own.user) }
        return matches || isSingleParty() ? first : nil
    }

    private func ids(of contact: Int) -> (phone: ArraySlice<UInt8>?, user: ArraySlice<UInt8>?) {
        var waID: Int?
        var userID: Int?
        text.forEachMember(of: contact) { name, value in
            if text.equals(name, "wa_id") {
                waID = value
            } else if text.equals(name, "user_id") {
                userID = value
            }
        }
        let phone = text.idText(waID, maxBytes: WebhookSplitter.maxUserBytes).flatMap(ConversationKey.user)
        return (phone, text.idText(userID, maxBytes: WebhookSplitter.maxUserBytes))
    }
}
