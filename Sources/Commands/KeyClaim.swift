import EventLog
import WhatsApp

/// "This content takes this command id": a record of the `command-keys` topic, keyed by the id.
///
///     {"content":"<hash>","requested_at":ms,"expires_at":ms}
struct KeyClaim: Sendable {
    let id: String
    let content: String
    let requestedAt: Timestamp
    let expiresAt: Timestamp

    init(_ command: OutboundCommand) {
        id = command.id
        content = command.contentHash
        requestedAt = command.requestedAt
        expiresAt = command.expiresAt
    }

    /// Nil for a record that is no claim of ours; such are passed over.
    init?(_ record: StoredRecord) {
        guard let key = record.key, let value = record.value, let json = try? JSON(parsing: value),
            let content = json["content"]?.string, let requestedAt = json["requested_at"]?.integer,
            let expiresAt = json["expires_at"]?.integer
        else { return nil }
        id = String(decoding: key, as: UTF8.self)
        self.content = content
        self.requestedAt = Timestamp(milliseconds: requestedAt)
        self.expiresAt = Timestamp(milliseconds: expiresAt)
    }

    func record(topic: Topic) -> Record {
        let value = JSONWriter.object { value in
            value.member("content", content)
            value.member("requested_at", requestedAt.milliseconds)
            value.member("expires_at", expiresAt.milliseconds)
        }
        return Record(topic: topic, key: Array(id.utf8), value: value, timestamp: requestedAt)
    }

    /// Nil when id or content are no hashes of ours.
    var entry: (id: UInt128, entry: KeyIndex.Entry)? {
        guard let id = Self.number(id), let content = Self.number(content) else { return nil }
        return (id, KeyIndex.Entry(content: content, requestedAt: requestedAt, expiresAt: expiresAt))
    }

    /// Ids and content hashes are 128 bits in hex.
    static func number(_ hex: String) -> UInt128? { hex.utf8.count == 32 ? UInt128(hex, radix: 16) : nil }
}
