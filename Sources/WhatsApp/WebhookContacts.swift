/// Finds the contact that belongs to a message or status of the same change.
struct WebhookContacts {
    private let text: JSONText
    private var contacts: [Int] = []
    /// Contacts by phone number and business-scoped id, so that many messages beside many contacts stay linear work.
    private var byID: [ArraySlice<UInt8>: Int] = [:]

    init(_ text: JSONText, array: Int?) {
        self.text = text
        guard let array, text.isArray(array) else { return }
        text.forEachElement(of: array) { element in
            if text.isObject(element) { contacts.append(element) }
            return true
        }
        for contact in contacts {
            let ids = ids(of: contact)
            for id in [ids.phone, ids.user] {
                if let id, byID[id] == nil { byID[id] = contact }
            }
        }
    }

    var isEmpty: Bool { contacts.isEmpty }

    /// The contact with one of the party's ids. A single contact also belongs to a single party whatever its ids: a
    /// person's `wa_id` and `from` may differ.
    func find(_ party: WebhookParty, isSingleParty: () -> Bool) -> Int? {
        if let contact = find(party.participant) ?? find(party.phone) ?? find(party.userID) { return contact }
        return contacts.count == 1 && isSingleParty() ? contacts.first : nil
    }

    private func find(_ id: ArraySlice<UInt8>?) -> Int? { id.flatMap { byID[$0] } }

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
