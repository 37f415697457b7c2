import Crypto
import EventLog

/// Collects the records of one body.
struct WebhookRecords {
    let text: JSONText
    let setup: WebhookSetup
    let arrival: Timestamp
    /// Of all records of this delivery.
    let headers: Headers
    private(set) var records: [Record] = []
    private var unreadableCount = 0
    private var bodyDigest: [UInt8]?

    // Of the change at hand.
    private(set) var lists = WebhookLists()
    private var contacts: WebhookContacts?
    private var hasOneSender: Bool?
    private var contactBytes = 0
    private var contactLeftOut = false

    init(_ text: JSONText, _ setup: WebhookSetup, arrival: Timestamp, headers: Headers) {
        self.text = text
        self.setup = setup
        self.arrival = arrival
        self.headers = headers
    }

    var isEmpty: Bool { records.isEmpty }
    var isFull: Bool { records.count > WebhookSplitter.maxRecords }
    var skippedUnreadable: Bool { unreadableCount > WebhookSplitter.maxUnreadable }
    /// Everything met so far, also what was not kept one by one.
    var total: Int { records.count + max(unreadableCount - WebhookSplitter.maxUnreadable, 0) }

    mutating func removeAll() { records.removeAll() }

    // MARK: A change

    mutating func begin(_ lists: WebhookLists) {
        self.lists = lists
        contacts = nil
        hasOneSender = nil
        contactLeftOut = false
    }

    mutating func end(_ lists: WebhookLists, _ field: Int?, _ origin: WebhookOrigin) {
        guard contactLeftOut, let list = lists.contacts else { return }
        other(list, field: field, id: nil, reason: .contactsNotCopied, origin)
    }

    // MARK: Records

    mutating func append(
        _ type: EventType, _ topic: Topic, id: ArraySlice<UInt8>, subject: ArraySlice<UInt8>?, time: WebhookTime,
        key: [UInt8], correlationID: ArraySlice<UInt8>? = nil, causationID: ArraySlice<UInt8>? = nil, value: [UInt8],
        _ origin: WebhookOrigin
    ) {
        var headers = Headers()
        headers.reserveCapacity(640)
        headers.append(origin.sharedHeaders)
        CloudEvent.append(
            type: type.rawValue, id: id, subject: subject, time: time.time, timeIsArrival: time.isArrival,
            partitionKey: key[...], correlationID: correlationID, causationID: causationID, to: &headers)
        records.append(
            Record(topic: topic, key: key, value: value, headers: headers, timestamp: time.logTime(arrival: arrival)))
    }

    /// An item for `other` that should have been something else. Beyond the limit it is only counted.
    mutating func unreadable(_ item: Int, field: Int?, reason: UnreadReason, _ origin: WebhookOrigin) {
        unreadableCount += 1
        if !skippedUnreadable { other(item, field: field, id: nil, reason: reason, origin) }
    }

    mutating func other(
        _ item: Int, field: Int?, id: ArraySlice<UInt8>?, reason: UnreadReason?, _ origin: WebhookOrigin
    ) {
        let item = text.slice(item)
        let name = text.text(field)
        var value = origin.valuePrefix
        value.reserveCapacity(value.count + item.count + (name?.count ?? 0) + 96)
        value.append(contentsOf: #","field":"#.utf8)
        if let field, name != nil {
            value.append(contentsOf: text.slice(field))
        } else {
            value.append(contentsOf: "null".utf8)
        }
        if let reason { value.append(contentsOf: #","reason":"\#(reason.rawValue)""#.utf8) }
        Self.close(&value, #","value":"#, item)
        append(
            .otherReceived, setup.topics.other, id: eventID(id) ?? contentID("other", field: name, item: item, origin),
            subject: subject(name), time: WebhookTime(origin.named.entryTime, arrival: arrival),
            key: Array(origin.business),
            value: value, origin)
    }

    mutating func error(_ item: Int, _ field: Int?, _ origin: WebhookOrigin) {
        guard text.isObject(item) else { return unreadable(item, field: field, reason: .errorUnreadable, origin) }
        let slice = text.slice(item)
        var value = origin.valuePrefix
        value.reserveCapacity(value.count + slice.count + 16)
        Self.close(&value, #","error":"#, slice)
        append(
            .errorRaised, setup.topics.errors, id: contentID("error", field: text.text(field), item: slice, origin),
            subject: nil, time: WebhookTime(origin.named.entryTime, arrival: arrival), key: Array(origin.business),
            value: value,
            origin)
    }

    /// The value of a message or status.
    mutating func value(_ name: String, _ item: Int, contact: Int?, _ origin: WebhookOrigin) -> [UInt8] {
        let item = text.slice(item)
        var contactSlice = contact.map(text.slice)
        if let size = contactSlice?.count {
            if contactBytes + size > WebhookSplitter.maxContactBytes {
                contactSlice = nil
                contactLeftOut = true
            } else {
                contactBytes += size
            }
        }
        var value = origin.valuePrefix
        value.reserveCapacity(value.count + item.count + (contactSlice?.count ?? 4) + 32)
        value.append(contentsOf: #","contact":"#.utf8)
        if let contactSlice { value.append(contentsOf: contactSlice) } else { value.append(contentsOf: "null".utf8) }
        Self.close(&value, name, item)
        return value
    }

    private static func close(_ value: inout [UInt8], _ name: String, _ item: ArraySlice<UInt8>) {
        value.append(contentsOf: name.utf8)
        value.append(contentsOf: item)
        value.append(UInt8(ascii: "}"))
    }

    // MARK: Ids

    private func eventID(_ id: ArraySlice<UInt8>?) -> ArraySlice<UInt8>? {
        guard let id, !id.isEmpty, id.count <= WebhookSplitter.maxIDLength else { return nil }
        return id
    }

    private func subject(_ field: ArraySlice<UInt8>?) -> ArraySlice<UInt8>? {
        guard let field, !field.isEmpty, field.count <= WebhookOrigin.maxIDBytes else { return nil }
        return field
    }

    /// Id of what has none of its own: by content where the platform says when, because equal events happen at
    /// different times; else by the body and the place in it.
    private mutating func contentID(
        _ kind: String, field: ArraySlice<UInt8>?, item: ArraySlice<UInt8>, _ origin: WebhookOrigin
    ) -> ArraySlice<UInt8> {
        var hash = IdentityHash(kind)
        if let time = origin.named.entryTime {
            if let id = origin.named.wabaID { hash.add(id) } else { hash.addAbsent() }
            hash.add(time)
            if let field { hash.add(field) } else { hash.addAbsent() }
            hash.add(item)
        } else {
            hash.add(digestOfBody()[...])
            hash.add(Int64(records.count))
        }
        return hash.hexBytes()[...]
    }

    private mutating func digestOfBody() -> [UInt8] {
        if let bodyDigest { return bodyDigest }
        var hasher = SHA256()
        text.bytes.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        let digest = Array(hasher.finalize())
        bodyDigest = digest
        return digest
    }

    // MARK: Contacts

    mutating func contact(of party: WebhookParty, isStatus: Bool) -> Int? {
        guard lists.contacts != nil else { return nil }
        let contacts = self.contacts ?? WebhookContacts(text, array: lists.contacts)
        self.contacts = contacts
        if contacts.isEmpty { return nil }
        return contacts.find(party) { isStatus ? isOnlyStatus() : isOnlySender() }
    }

    private func isOnlyStatus() -> Bool {
        count(lists.messages, upTo: 1) == 0 && count(lists.statuses, upTo: 2) == 1
    }

    private mutating func isOnlySender() -> Bool {
        if let hasOneSender { return hasOneSender }
        var senders: Set<ArraySlice<UInt8>> = []
        if let list = lists.messages, text.isArray(list) {
            text.forEachElement(of: list) { item in
                let party = WebhookParty(text, message: item)
                if let sender = party.phone ?? party.userID { senders.insert(sender) }
                return senders.count < 2
            }
        }
        let answer = senders.count == 1 && count(lists.statuses, upTo: 1) == 0
        hasOneSender = answer
        return answer
    }

    private func count(_ list: Int?, upTo limit: Int) -> Int {
        guard let list, text.isArray(list) else { return 0 }
        var count = 0
        text.forEachElement(of: list) { _ in
            count += 1
            return count < limit
        }
        return count
    }
}
