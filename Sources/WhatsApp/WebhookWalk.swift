import EventLog

/// Walks the envelope of one body and hands each item to `WebhookRecords`.
struct WebhookWalk {
    private let text: JSONText
    private let setup: WebhookSetup
    private var records: WebhookRecords

    init(_ records: WebhookRecords) {
        text = records.text
        setup = records.setup
        self.records = records
    }

    /// Members of the body that tell the envelopes apart.
    private struct Envelope {
        var object: Int?
        var entry: Int?
        var event: Int?
        var id: Int?
        var hasItems = false

        init(_ text: JSONText) {
            text.forEachMember(of: 0) { name, value in
                if text.equals(name, "object") {
                    object = value
                } else if text.equals(name, "entry") {
                    entry = value
                } else if text.equals(name, "event") {
                    event = value
                } else if text.equals(name, "id") {
                    id = value
                } else if text.equals(name, "messages") || text.equals(name, "statuses") || text.equals(name, "errors")
                {
                    hasItems = true
                }
            }
        }
    }

    mutating func run() -> [Record] {
        let envelope = Envelope(text)
        if text.isString(envelope.object, "whatsapp_business_account") {
            cloud(envelope)
        } else if envelope.object == nil, envelope.hasItems {
            items(of: 0, field: nil, origin(.onPremise))
        } else if envelope.object == nil, text.text(envelope.event)?.isEmpty == false {
            records.other(0, field: envelope.event, id: text.text(envelope.id), reason: nil, channelOrigin)
        } else {
            wholeBody(.unknownEnvelope)
        }
        if records.isEmpty { wholeBody(.nothingInside) }
        if records.skippedUnreadable { wholeBody(.tooManyUnreadable) }
        if records.isFull {
            records.removeAll()
            wholeBody(.tooManyItems)
        }
        return records.records
    }

    private var channelOrigin: WebhookOrigin { origin(setup.hosting) }

    private func origin(_ hosting: Hosting) -> WebhookOrigin {
        origin(WebhookOrigin.Names(), hosting, isAccountLevel: false)
    }

    private func origin(_ named: WebhookOrigin.Names, _ hosting: Hosting, isAccountLevel: Bool) -> WebhookOrigin {
        WebhookOrigin(
            named, setup, hosting: hosting, isAccountLevel: isAccountLevel, headers: records.headers)
    }

    private mutating func wholeBody(_ reason: UnreadReason) {
        records.other(0, field: nil, id: nil, reason: reason, channelOrigin)
    }

    // MARK: Cloud API

    private mutating func cloud(_ envelope: Envelope) {
        guard let entries = envelope.entry, text.isArray(entries) else { return wholeBody(.entryUnreadable) }
        text.forEachElement(of: entries) { entry in
            self.entry(entry)
            return !records.isFull
        }
        if envelope.hasItems { wholeBody(.outsideEntry) }
    }

    private mutating func entry(_ entry: Int) {
        var id: Int?
        var time: Int?
        var changes: Int?
        text.forEachMember(of: entry) { name, value in
            if text.equals(name, "changes") {
                changes = value
            } else if text.equals(name, "id") {
                id = value
            } else if text.equals(name, "time") {
                time = value
            }
        }
        guard let changes, text.isArray(changes) else {
            return records.unreadable(entry, field: nil, reason: .entryUnreadable, channelOrigin)
        }
        text.forEachElement(of: changes) { change in
            self.change(change, entryID: id, entryTime: time)
            return !records.isFull
        }
    }

    private mutating func change(_ change: Int, entryID: Int?, entryTime: Int?) {
        var field: Int?
        var value: Int?
        text.forEachMember(of: change) { name, member in
            if text.equals(name, "value") {
                value = member
            } else if text.equals(name, "field") {
                field = member
            }
        }
        let isMessages = text.isString(field, "messages")
        let names = names(inValue: value, entryID: entryID, entryTime: entryTime)
        let origin = origin(names, .cloud, isAccountLevel: !isMessages)
        guard let value, let name = field, text.text(name) != nil else {
            return records.unreadable(change, field: nil, reason: .changeUnreadable, origin)
        }
        if let reason = foreign(origin) {
            records.other(value, field: field, id: nil, reason: reason, origin)
        } else if !isMessages {
            records.other(value, field: field, id: nil, reason: nil, origin)
        } else if !text.isObject(value) {
            records.unreadable(value, field: field, reason: .valueUnreadable, origin)
        } else {
            items(of: value, field: field, origin)
        }
    }

    private func names(inValue value: Int?, entryID: Int?, entryTime: Int?) -> WebhookOrigin.Names {
        var metadata: Int?
        if let value {
            text.forEachMember(of: value) { name, member in
                if text.equals(name, "metadata") { metadata = member }
            }
        }
        var phoneNumberID: Int?
        var displayPhoneNumber: Int?
        if let metadata {
            text.forEachMember(of: metadata) { name, member in
                if text.equals(name, "phone_number_id") {
                    phoneNumberID = member
                } else if text.equals(name, "display_phone_number") {
                    displayPhoneNumber = member
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
    /// the account only counts for events of the account.
    private func foreign(_ origin: WebhookOrigin) -> UnreadReason? {
        guard setup.isBound, let own = setup.names.phoneNumberID else { return nil }
        if let named = origin.named.phoneNumberID { return named == own ? nil : .foreignPhoneNumberID }
        guard origin.isAccountLevel, let account = setup.names.wabaID, let named = origin.named.wabaID else {
            return nil
        }
        return named == account ? nil : .foreignWABAID
    }

    // MARK: Items of either envelope

    private mutating func items(of value: Int, field: Int?, _ origin: WebhookOrigin) {
        var lists = WebhookLists()
        text.forEachMember(of: value) { name, member in
            if text.equals(name, "messages") {
                lists.messages = member
            } else if text.equals(name, "statuses") {
                lists.statuses = member
            } else if text.equals(name, "contacts") {
                lists.contacts = member
            } else if text.equals(name, "errors") {
                lists.errors = member
            }
        }
        let before = records.total
        records.begin(lists)
        list(lists.messages, field, origin) { records, item in records.message(item, field, origin) }
        list(lists.statuses, field, origin) { records, item in records.status(item, field, origin) }
        list(lists.errors, field, origin) { records, item in records.error(item, field, origin) }
        records.end(lists, field, origin)
        if records.total == before { records.other(value, field: field, id: nil, reason: .nothingInside, origin) }
    }

    private mutating func list(
        _ list: Int?, _ field: Int?, _ origin: WebhookOrigin, _ body: (inout WebhookRecords, Int) -> Void
    ) {
        guard let list, !text.isNull(list) else { return }
        guard text.isArray(list) else { return records.unreadable(list, field: field, reason: .notAList, origin) }
        text.forEachElement(of: list) { item in
            body(&records, item)
            return !records.isFull
        }
    }
}

/// The lists of one change.
struct WebhookLists {
    var messages: Int?
    var statuses: Int?
    var errors: Int?
    var contacts: Int?
}
