import EventLog

/// When something happened, as far as WhatsApp's timestamp can be read.
///
/// It should be a string of Unix seconds; numbers, fractions and milliseconds have been seen. Anything else, a time
/// before 1970 and one more than a day ahead of us count as unknown: then it is the time of arrival, and says so.
struct WebhookTime {
    let time: Timestamp
    let isArrival: Bool

    /// The platform redelivers for this long.
    private static let oldestRedelivery: Int64 = 7 * 86_400_000
    private static let furthestAhead: Int64 = 86_400_000
    /// In seconds the year 5138, in milliseconds March 1973: no real timestamp is on the wrong side.
    private static let leastMilliseconds: Int64 = 100_000_000_000

    init(_ text: BorrowedBytes?, arrival: Timestamp) {
        if let text, let parsed = Self.parse(text), parsed.milliseconds - arrival.milliseconds <= Self.furthestAhead {
            (time, isArrival) = (parsed, false)
        } else {
            (time, isArrival) = (arrival, true)
        }
    }

    /// The log's timestamp of the record. Retention counts from it and brokers refuse times ahead of theirs, so it is
    /// the event's own only within the week in which the platform redelivers; else the record could be gone at once.
    func logTime(arrival: Timestamp) -> Timestamp {
        let age = arrival.milliseconds - time.milliseconds
        return (0...Self.oldestRedelivery).contains(age) ? time : arrival
    }

    private static func parse(_ text: BorrowedBytes) -> Timestamp? {
        var value: Int64 = 0
        var digits = 0
        for byte in text.raw {
            if byte == UInt8(ascii: "."), digits > 0 { break }
            guard byte &- UInt8(ascii: "0") < 10, digits < 18 else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
            digits += 1
        }
        if value <= 0 { return nil }
        return value < leastMilliseconds ? Timestamp(seconds: value) : Timestamp(milliseconds: value)
    }
}
