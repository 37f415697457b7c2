import EventLog

extension WebhookRecords {
    mutating func message(_ item: Int, _ field: Int?, _ origin: WebhookOrigin) {
        let party = WebhookParty(text, message: item)
        guard text.isObject(item), let id = itemID(party.id), let user = party.user else {
            return unreadable(item, field: field, reason: .messageUnreadable, origin)
        }
        let contact = contact(for: [party.phone, party.userID], isStatus: false)
        append(
            Draft(
                type: .messageReceived, topic: topics.messages, id: id, subject: id,
                time: WebhookTime(text.scalarText(party.timestamp), arrival: arrival),
                key: ConversationKey.make(business: origin.business, user: user), correlationID: id),
            value(#","message":"#, item, contact: contact, origin), origin)
    }

    mutating func status(_ item: Int, _ field: Int?, _ origin: WebhookOrigin) {
        let party = WebhookParty(text, status: item)
        guard text.isObject(item), let id = itemID(party.id), let status = text.text(party.status) else {
            return unreadable(item, field: field, reason: .statusUnreadable, origin)
        }
        let tag = tag(party, origin)
        let contact = contact(for: [party.participant, party.phone, party.userID], isStatus: true)
        append(
            Draft(
                type: .statusUpdated, topic: topics.statuses, id: statusID(id, status, party, item), subject: id,
                time: WebhookTime(text.scalarText(party.timestamp), arrival: arrival),
                key: tag?.conversationKey
                    ?? ConversationKey.make(business: origin.business, user: party.user ?? id),
                causationID: tag?.commandID),
            value(#","status":"#, item, contact: contact, origin), origin)
    }

    /// Non-empty text of at most `maxIDLength` characters; a number would have lost digits on the way.
    private func itemID(_ index: Int?) -> String? {
        guard let id = text.text(index), !id.isEmpty else { return nil }
        let limit = WebhookSplitter.maxIDLength
        guard id.count <= limit || id.count(where: { $0 & 0xC0 != 0x80 }) <= limit else { return nil }
        return String(decoding: id, as: UTF8.self)
    }

    /// Our tag, if it speaks of this number: with another's in it a tenant could write into that one's conversations.
    private func tag(_ party: WebhookParty, _ origin: WebhookOrigin) -> CommandTag? {
        guard let data = text.text(party.callbackData), data.count <= CommandTag.maxBytes else { return nil }
        guard let tag = CommandTag(parsing: String(decoding: data, as: UTF8.self)) else { return nil }
        let isOurs = origin.keyPrefixes.contains { tag.conversationKey.utf8.starts(with: $0.utf8) }
        return isOurs ? tag : nil
    }

    /// The recipient is no part of it: it may appear and vanish as users take usernames. A group's statuses repeat id,
    /// word and time for each participant; where none is named, the whole item tells them apart.
    private func statusID(_ id: String, _ status: ArraySlice<UInt8>, _ party: WebhookParty, _ item: Int) -> String {
        var hash = IdentityHash("status")
        hash.add(id)
        hash.add(status)
        if let time = text.scalarText(party.timestamp) { hash.add(time) } else { hash.addAbsent() }
        if let participant = party.participant {
            hash.add(participant)
        } else if party.group != nil {
            hash.add(text.slice(item))
        } else {
            hash.addAbsent()
        }
        if text.isString(party.type, "payment") { hash.add("payment") }
        return hash.hex()
    }
}
