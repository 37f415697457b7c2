import EventLog

/// Counts of one business number in one minute, as seen by one source partition.
///
/// Readers add up the partitions; a later record of the same key replaces an earlier one.
public struct AnalyticsWindow: Sendable, Hashable {
    /// Which window a count belongs to.
    public struct Key: Sendable, Hashable {
        public static let length = Duration.seconds(60)

        /// `phone_number_id` (or the channel's name where none is known).
        public var number: String
        /// Begin of the minute.
        public var from: Timestamp

        public init(number: String, at time: Timestamp) {
            self.number = number
            let length = Self.length.milliseconds
            from = Timestamp(milliseconds: time.milliseconds - ((time.milliseconds % length) + length) % length)
        }

        /// Key of the record on the topic.
        public func record(partition: Int32) -> [UInt8] { Array("\(number)|\(from.milliseconds)|\(partition)".utf8) }
    }

    public var key: Key
    /// Messages in, by type.
    public var incoming: [String: Int] = [:]
    /// Messages that 360dialog accepted.
    public var out = 0
    public var sent = 0
    public var delivered = 0
    public var read = 0
    /// Failures by error code; rejected by the API or reported by a status.
    public var failed: [String: Int] = [:]

    public init(key: Key) { self.key = key }

    public mutating func add(_ other: AnalyticsWindow) {
        incoming.merge(other.incoming, uniquingKeysWith: +)
        failed.merge(other.failed, uniquingKeysWith: +)
        out += other.out
        sent += other.sent
        delivered += other.delivered
        read += other.read
    }
}

extension AnalyticsWindow {
    public func encoded() -> [UInt8] {
        JSONWriter.object { json in
            json.member("phone_number_id", key.number)
            json.member("from", key.from.milliseconds)
            json.member("to", (key.from + Key.length).milliseconds)
            json.object("in") { json in
                for (type, count) in incoming.sorted(by: { $0.key < $1.key }) { json.member(type, count) }
            }
            json.member("out", out)
            json.member("sent", sent)
            json.member("delivered", delivered)
            json.member("read", read)
            json.object("failed") { json in
                for (code, count) in failed.sorted(by: { $0.key < $1.key }) { json.member(code, count) }
            }
        }
    }

    /// Nil when the bytes are not a window.
    public init?(decoding bytes: [UInt8]) {
        guard let json = try? JSON(parsing: bytes), let number = json["phone_number_id"]?.string,
            let from = json["from"]?.integer
        else { return nil }
        self.init(key: Key(number: number, at: Timestamp(milliseconds: from)))
        json["in"]?.forEachMember { incoming[$0] = Int($1.integer ?? 0) }
        json["failed"]?.forEachMember { failed[$0] = Int($1.integer ?? 0) }
        out = Int(json["out"]?.integer ?? 0)
        sent = Int(json["sent"]?.integer ?? 0)
        delivered = Int(json["delivered"]?.integer ?? 0)
        read = Int(json["read"]?.integer ?? 0)
    }
}
