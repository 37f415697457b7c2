import Crypto
import EventLog

/// Collects the records of one body.
struct WebhookRecords {
    let text: WebhookText
    let setup: WebhookSetup
    private let arrival: Timestamp
    let workspace: WebhookWorkspace
    // Of all records of this delivery.
    private let recordedTime: BorrowedBytes
    private let traceparent: BorrowedBytes?
    private(set) var records: [Record] = []
    private var unreadableCount = 0
    /// Items that are too many to make records of.
    private var notMade = 0
    private var bytes = 0
    private var bodyDigest: [UInt8]?

    // Of the change at hand.
    private(set) var lists = WebhookLists()
    private var contacts: WebhookContacts?
    private var hasOneSender: Bool?
    private var contactBytes = 0
    private var contactLeftOut = false

    init(
        _ text: WebhookText, _ setup: WebhookSetup, arrival: Timestamp, traceparent: BorrowedBytes?,
        _ workspace: WebhookWorkspace
    ) {
        self.workspace = workspace
        self.text = text
        self.setup = setup
        self.arrival = arrival
        self.traceparent = traceparent
        recordedTime = text.arena.keep(arrival)
    }

    var isEmpty: Bool { records.isEmpty }
    /// The body is more than is taken apart.
    var isFull: Bool { total > WebhookSplitter.maxItems || bytes > WebhookSplitter.maxRecordBytes }
    var skippedUnreadable: Bool { unreadableCount > WebhookSplitter.maxUnreadable }
    /// Everything met so far, also what was not kept one by one.
    var total: Int { records.count + max(unreadableCount - WebhookSplitter.maxUnreadable, 0) + notMade }

    mutating func removeAll() {
        records.removeAll()
        workspace.forgetTimes()
    }

    /// Whether the lists have room; looked at before anything of them is made.
    mutating func hasRoom(for lists: WebhookLists) -> Bool {
        let limit = WebhookSplitter.maxItems - total
        let items = count(lists.messages, upTo: limit + 1) + count(lists.statuses, upTo: limit + 1)
            + count(lists.errors, upTo: limit + 1)
        if items > limit { notMade = items }
        return items <= limit
    }

    // MARK: A change

    mutating func begin(_ lists: WebhookLists) {
        self.lists = lists
        contacts = lists.contacts.map { WebhookContacts(text, array: $0) }
        hasOneSender = nil
        contactLeftOut = false
    }

    mutating func end(_ lists: WebhookLists, _ field: Int?, _ origin: WebhookOrigin) {
        guard contactLeftOut, let list = lists.contacts else { return }
        other(list, field: field, id: nil, reason: .contactsNotCopied, origin)
    }

    // MARK: Records

    mutating func append(
        _ type: BorrowedBytes, _ topic: Topic, id: BorrowedBytes, subject: BorrowedBytes?, time: WebhookTime,
        key: [UInt8], correlationID: BorrowedBytes? = nil, causationID: BorrowedBytes? = nil, value: [UInt8],
        _ origin: WebhookOrigin
    ) {
        let headers = key.withUnsafeBytes { key in
            CloudEventText(
                source: origin.source, id: id, type: type, subject: subject,
                time: time.isArrival ? recordedTime : text.arena.keep(time.time), timeIsArrival: time.isArrival,
                recordedTime: recordedTime, partitionKey: BorrowedBytes(key), correlationID: correlationID,
                causationID: causationID, traceparent: traceparent
            ).headers
        }
        bytes += value.count + 2 * key.count + origin.source.count + id.count + (subject?.count ?? 0)
            + (correlationID?.count ?? 0)
        workspace.eventTimes.append(time.isArrival ? nil : time.time)
        records.append(
            Record(topic: topic, key: key, value: value, headers: headers, timestamp: time.logTime(arrival: arrival)))
    }

    /// An item for `other` that should have been something else. Beyond the limit it is only counted.
    mutating func unreadable(_ item: Int, field: Int?, reason: UnreadReason, _ origin: WebhookOrigin) {
        unreadableCount += 1
        if !skippedUnreadable { other(item, field: field, id: nil, reason: reason, origin) }
    }

    mutating func other(
        _ item: Int, field: Int?, id: BorrowedBytes?, reason: UnreadReason?, _ origin: WebhookOrigin
    ) {
        let item = text.slice(item)
        let name = text.text(field)
        let nameAsIs = name == nil ? nil : field.map(text.slice)
        let reason = reason.map { text.arena.keep(#","reason":"\#($0.rawValue)""#) }
        let limit = origin.valuePrefix.count + item.count + (nameAsIs?.count ?? 4) + (reason?.count ?? 0) + 32
        let value = [UInt8](capacity: limit) { value in
            value.append(origin.valuePrefix)
            value.append(#","field":"#)
            value.append(nameAsIs ?? BorrowedBytes("null"))
            if let reason { value.append(reason) }
            Self.close(&value, #","value":"#, item)
        }
        append(
            setup.types.other, setup.topics.other, id: eventID(id) ?? contentID("other", field: name, item: item, origin),
            subject: subject(name), time: WebhookTime(origin.named.entryTime, arrival: arrival),
            key: Array(origin.business), value: value, origin)
    }

    mutating func error(_ item: Int, _ field: Int?, _ origin: WebhookOrigin) {
        guard text.isObject(item) else { return unreadable(item, field: field, reason: .errorUnreadable, origin) }
        let slice = text.slice(item)
        let value = [UInt8](capacity: origin.valuePrefix.count + slice.count + 16) { value in
            value.append(origin.valuePrefix)
            Self.close(&value, #","error":"#, slice)
        }
        append(
            setup.types.error, setup.topics.errors, id: contentID("error", field: text.text(field), item: slice, origin),
            subject: nil, time: WebhookTime(origin.named.entryTime, arrival: arrival), key: Array(origin.business),
            value: value, origin)
    }

    func time(_ timestamp: Int?) -> WebhookTime { WebhookTime(text.scalarText(timestamp), arrival: arrival) }

    /// The value of a message or status.
    mutating func value(_ name: StaticString, _ item: Int, contact: Int?, _ origin: WebhookOrigin) -> [UInt8] {
        let item = text.slice(item)
        let contact = slice(contact: contact) ?? BorrowedBytes("null")
        let limit = origin.valuePrefix.count + contact.count + item.count + 32
        return [UInt8](capacity: limit) { value in
            value.append(origin.valuePrefix)
            value.append(#","contact":"#)
            value.append(contact)
            Self.close(&value, name, item)
        }
    }

    /// Nil as well when the body's contacts have been copied too often.
    private mutating func slice(contact: Int?) -> BorrowedBytes? {
        guard let contact = contact.map(text.slice) else { return nil }
        guard contactBytes + contact.count <= WebhookSplitter.maxContactBytes else {
            contactLeftOut = true
            return nil
        }
        contactBytes += contact.count
        return contact
    }

    @inline(__always)
    private static func close(_ value: inout ByteWriter, _ name: StaticString, _ item: BorrowedBytes) {
        value.append(name)
        value.append(item)
        value.append(UInt8(ascii: "}"))
    }

    // MARK: Ids

    private func eventID(_ id: BorrowedBytes?) -> BorrowedBytes? {
        guard let id, !id.isEmpty, id.count <= WebhookSplitter.maxIDLength else { return nil }
        return id
    }

    private func subject(_ field: BorrowedBytes?) -> BorrowedBytes? {
        guard let field, !field.isEmpty, field.count <= WebhookOrigin.maxIDBytes else { return nil }
        return field
    }

    /// Id of what has none of its own: by content where the platform says when, because equal events happen at
    /// different times; else by the body and the place in it.
    private mutating func contentID(
        _ kind: StaticString, field: BorrowedBytes?, item: BorrowedBytes, _ origin: WebhookOrigin
    ) -> BorrowedBytes {
        workspace.id(kind) { hash in
            if let time = origin.named.entryTime {
                if let id = origin.named.wabaID { hash.add(id) } else { hash.addAbsent() }
                hash.add(time)
                if let field { hash.add(field) } else { hash.addAbsent() }
                hash.add(item)
            } else {
                hash.add(digestOfBody()[...])
                hash.add(Int64(records.count))
            }
        }
    }

    private mutating func digestOfBody() -> [UInt8] {
        if let bodyDigest { return bodyDigest }
        let digest = Array(SHA256.hash(data: text.body))
        bodyDigest = digest
        return digest
    }

    // MARK: Contacts

    mutating func contact(of party: WebhookParty, isStatus: Bool) -> Int? {
        guard let contacts, !contacts.isEmpty else { return nil }
        return contacts.find(party) { isStatus ? isOnlyStatus() : isOnlySender() }
    }

    private func isOnlyStatus() -> Bool {
        count(lists.messages, upTo: 1) == 0 && count(lists.statuses, upTo: 2) == 1
    }

    private mutating func isOnlySender() -> Bool {
        if let hasOneSender { return hasOneSender }
        var senders: Set<BorrowedBytes> = []
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
