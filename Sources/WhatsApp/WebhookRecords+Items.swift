import EventLog

extension WebhookRecords {
    mutating func message(_ item: Int, _ field: Int?, _ origin: WebhookOrigin) {
        let party = WebhookParty(text, message: item)
        guard text.isObject(item), let id = itemID(party.id), let key = key(party, origin) else {
            return unreadable(item, field: field, reason: .messageUnreadable, origin)
        }
        let contact = contact(of: party, isStatus: false)
        let eventID = messageID(id, party)
        append(
            setup.types.message, setup.topics.messages, id: eventID, subject: id,
            time: time(party.timestamp), key: key, correlationID: eventID,
            value: value(#","message":"#, item, contact: contact, origin), origin)
    }

    mutating func status(_ item: Int, _ field: Int?, _ origin: WebhookOrigin) {
        let party = WebhookParty(text, status: item)
        guard text.isObject(item), let id = itemID(party.id), let word = text.identity(party.status) else {
            return unreadable(item, field: field, reason: .statusUnreadable, origin)
        }
        let tag = tag(party, origin)
        let contact = contact(of: party, isStatus: true)
        append(
            setup.types.status, setup.topics.statuses, id: statusID(text.identity(party.id) ?? id, word, party, item),
            subject: id, time: time(party.timestamp),
            key: tag.map { Array($0.conversationKey.utf8) } ?? key(party, origin)
                ?? ConversationKey.make(origin.business, id),
            causationID: tag.map { text.arena.keep($0.commandID) },
            value: value(#","status":"#, item, contact: contact, origin), origin)
    }

    private func key(_ party: WebhookParty, _ origin: WebhookOrigin) -> [UInt8]? {
        if let group = party.group { return ConversationKey.make(origin.business, group, isGroup: true) }
        return (party.phone ?? party.userID ?? party.parentUserID).map { ConversationKey.make(origin.business, $0) }
    }

    /// Non-empty text of at most `maxIDLength` characters; a number would have lost digits on the way.
    private func itemID(_ index: Int?) -> BorrowedBytes? {
        guard let id = text.text(index), !id.isEmpty else { return nil }
        let limit = WebhookSplitter.maxIDLength
        return id.count <= limit || id.raw.count(where: { $0 & 0xC0 != 0x80 }) <= limit ? id : nil
    }

    /// Our tag, if it speaks of this number: with another's in it a tenant could write into that one's conversations.
    /// A command may have been keyed by the channel's name, when the number's id was not known.
    private func tag(_ party: WebhookParty, _ origin: WebhookOrigin) -> CommandTag? {
        guard let data = text.text(party.callbackData), data.count <= CommandTag.maxBytes else { return nil }
        guard let tag = CommandTag(parsing: String(decoding: data.raw, as: UTF8.self)) else { return nil }
        let key = tag.conversationKey.utf8
        func isKey(of business: BorrowedBytes) -> Bool {
            key.starts(with: business.raw) && key.dropFirst(business.count).first == UInt8(ascii: ":")
        }
        return isKey(of: origin.business) || isKey(of: setup.name) ? tag : nil
    }

    /// The message's own, which a header can hold as long as it is text.
    private func messageID(_ id: BorrowedBytes, _ party: WebhookParty) -> BorrowedBytes {
        guard let identity = text.identity(party.id), identity != id else { return id }
        return workspace.id("message") { $0.add(identity) }
    }

    /// The recipient is no part of it: it may appear and vanish as users take usernames. A group's statuses repeat id,
    /// word and time for each participant; where none is named, the whole item tells them apart.
    private func statusID(
        _ id: BorrowedBytes, _ status: BorrowedBytes, _ party: WebhookParty, _ item: Int
    ) -> BorrowedBytes {
        workspace.id("status") { hash in
            hash.add(id)
            hash.add(status)
            if let time = text.identity(party.timestamp) ?? text.scalarText(party.timestamp) {
                hash.add(time)
            } else {
                hash.addAbsent()
            }
            if let participant = party.participant {
                hash.add(text.identity(party.participantMember) ?? participant)
            } else if party.group != nil {
                hash.add(text.slice(item))
            } else {
                hash.addAbsent()
            }
            if text.isString(party.type, "payment") { hash.add("payment") }
        }
    }
}
