import EventLog

/// Walks the envelope of one body and hands each item to `WebhookRecords`.
struct WebhookWalk {
    private let text: WebhookText
    private let arena: ByteArena
    private var records: WebhookRecords
    private var setup: WebhookSetup { records.setup }

    init(_ records: consuming WebhookRecords) {
        text = records.text
        arena = text.arena
        self.records = records
    }

    /// Members of the body that tell the envelopes apart.
    private struct Envelope {
        var object: Int?
        var entry: Int?
        var event: Int?
        var id: Int?
        var hasItems = false
        var hasUnknown = false

        init(_ text: WebhookText) {
            text.forEachMember(of: 0) { name, value in
                switch name {
                case "object": object = value
                case "entry": entry = value
                case "event": event = value
                case "id": id = value
                case "messages", "statuses", "errors": hasItems = true
                default: hasUnknown = hasUnknown || text.isFilledArray(value)
                }
            }
        }
    }

    mutating func run() -> [Record] {
        let envelope = Envelope(text)
        if text.isString(envelope.object, "whatsapp_business_account") {
            cloud(envelope)
        } else if envelope.object == nil, envelope.hasItems {
            items(WebhookLists(text, 0), of: 0, field: nil, origin(.onPremise))
        } else if envelope.object == nil, text.text(envelope.event)?.isEmpty == false {
            // One that is no text is none: then the body tells.
            let id = text.text(envelope.id)
            records.other(0, field: envelope.event, id: text.identity(envelope.id) == id ? id : nil, reason: nil, channelOrigin)
        } else {
            wholeBody(.unknownEnvelope)
        }
        if records.isFull {
            records.removeAll()
            wholeBody(.tooManyItems)
            return records.records
        }
        if records.isEmpty { wholeBody(.nothingInside) }
        if records.skippedUnreadable { wholeBody(.tooManyUnreadable) }
        return records.records
    }

    private var channelOrigin: WebhookOrigin { origin(setup.hosting) }

    private func origin(_ hosting: Hosting) -> WebhookOrigin {
        origin(WebhookOrigin.Names(), hosting, isAccountLevel: false)
    }

    private func origin(_ named: WebhookOrigin.Names, _ hosting: Hosting, isAccountLevel: Bool) -> WebhookOrigin {
        WebhookOrigin(named, setup, hosting: hosting, isAccountLevel: isAccountLevel, arena)
    }

    private mutating func wholeBody(_ reason: UnreadReason) {
        records.other(0, field: nil, id: nil, reason: reason, channelOrigin)
    }

    // MARK: Cloud API

    private mutating func cloud(_ envelope: Envelope) {
        guard let entries = envelope.entry, text.isArray(entries) else { return wholeBody(.entryUnreadable) }
        text.forEachElement(of: entries) { entry in
            let mark = arena.mark
            defer { arena.release(to: mark) }
            self.entry(entry)
            return !records.isFull
        }
        if envelope.hasItems { wholeBody(.outsideEntry) } else if envelope.hasUnknown { wholeBody(.unknownList) }
    }

    private mutating func entry(_ entry: Int) {
        var id: Int?
        var time: Int?
        var changes: Int?
        var hasUnknown = false
        text.forEachMember(of: entry) { name, value in
            switch name {
            case "changes": changes = value
            case "id": id = value
            case "time": time = value
            default: hasUnknown = hasUnknown || text.isFilledArray(value)
            }
        }
        guard let changes, text.isArray(changes) else {
            return records.unreadable(entry, field: nil, reason: .entryUnreadable, channelOrigin)
        }
        text.forEachElement(of: changes) { change in
            // Once its records are made, nobody needs what was kept for them; the same holds for each item.
            let mark = arena.mark
            defer { arena.release(to: mark) }
            self.change(change, entryID: id, entryTime: time)
            return !records.isFull
        }
        if hasUnknown { records.other(entry, field: nil, id: nil, reason: .unknownList, channelOrigin) }
    }

    private mutating func change(_ change: Int, entryID: Int?, entryTime: Int?) {
        var field: Int?
        var value: Int?
        var hasUnknown = false
        text.forEachMember(of: change) { name, member in
            switch name {
            case "value": value = member
            case "field": field = member
            default: hasUnknown = hasUnknown || text.isFilledArray(member)
            }
        }
        let isMessages = text.isString(field, "messages")
        let lists = value.map { WebhookLists(text, $0) } ?? WebhookLists()
        let names = names(lists.metadata, entryID: entryID, entryTime: entryTime)
        let origin = origin(names, .cloud, isAccountLevel: !isMessages)
        guard let value, let field, text.isString(field) else {
            return records.unreadable(change, field: nil, reason: .changeUnreadable, origin)
        }
        if let reason = foreign(origin) {
            records.other(value, field: field, id: nil, reason: reason, origin)
        } else if !isMessages {
            records.other(value, field: field, id: nil, reason: nil, origin)
        } else if !text.isObject(value) {
            records.unreadable(value, field: field, reason: .valueUnreadable, origin)
        } else {
            items(lists, of: value, field: field, origin)
        }
        if hasUnknown { records.other(change, field: field, id: nil, reason: .unknownList, origin) }
    }

    private func names(_ metadata: Int?, entryID: Int?, entryTime: Int?) -> WebhookOrigin.Names {
        var phoneNumberID: Int?
        var displayPhoneNumber: Int?
        if let metadata {
            text.forEachMember(of: metadata) { name, member in
                switch name {
                case "phone_number_id": phoneNumberID = member
                case "display_phone_number": displayPhoneNumber = member
                default: break
                }
            }
        }
        let limit = WebhookOrigin.maxIDBytes
        return WebhookOrigin.Names(
            wabaID: text.idText(entryID, maxBytes: limit), phoneNumberID: text.idText(phoneNumberID, maxBytes: limit),
            displayPhoneNumber: text.idText(displayPhoneNumber, maxBytes: limit),
            entryTime: text.scalarText(entryTime))
    }

    /// Whether the body speaks for somebody whom this channel does not stand for. The number decides where it is named;
    /// the account only counts for events of the account. One that nobody has said to be the channel's own is foreign.
    private func foreign(_ origin: WebhookOrigin) -> UnreadReason? {
        guard setup.isBound, let own = setup.names.phoneNumberID else { return nil }
        if let named = origin.named.phoneNumberID { return named == own ? nil : .foreignPhoneNumberID }
        guard origin.isAccountLevel, let named = origin.named.wabaID else { return nil }
        return named == setup.names.wabaID ? nil : .foreignWABAID
    }

    // MARK: Items of either envelope

    private mutating func items(_ lists: WebhookLists, of value: Int, field: Int?, _ origin: WebhookOrigin) {
        guard records.hasRoom(for: lists) else { return }
        let before = records.total
        records.begin(lists)
        list(lists.messages, field, origin) { records, item in records.message(item, field, origin) }
        list(lists.statuses, field, origin) { records, item in records.status(item, field, origin) }
        list(lists.errors, field, origin) { records, item in records.error(item, field, origin) }
        records.end(lists, field, origin)
        let reason: UnreadReason? =
            records.total == before ? .nothingInside : lists.hasUnknown ? .unknownList : nil
        if let reason { records.other(value, field: field, id: nil, reason: reason, origin) }
    }

    private mutating func list(
        _ list: Int?, _ field: Int?, _ origin: WebhookOrigin, _ body: (inout WebhookRecords, Int) -> Void
    ) {
        guard let list, !text.isNull(list) else { return }
        guard text.isArray(list) else { return records.unreadable(list, field: field, reason: .notAList, origin) }
        text.forEachElement(of: list) { item in
            let mark = arena.mark
            defer { arena.release(to: mark) }
            body(&records, item)
            return !records.isFull
        }
    }
}

/// The lists of one change, and who it is about; each the last of its name.
struct WebhookLists {
    private(set) var messages: Int?
    private(set) var statuses: Int?
    private(set) var errors: Int?
    private(set) var contacts: Int?
    private(set) var metadata: Int?
    /// There is another list, which is not empty: WhatsApp's kinds of events come as lists.
    private(set) var hasUnknown = false

    init() {}

    /// Of a change's value, or of a whole body that has no changes.
    init(_ text: WebhookText, _ value: Int) {
        text.forEachMember(of: value) { name, member in
            switch name {
            case "messages": messages = member
            case "statuses": statuses = member
            case "errors": errors = member
            case "contacts": contacts = member
            case "metadata": metadata = member
            default: hasUnknown = hasUnknown || text.isFilledArray(member)
            }
        }
    }
}
