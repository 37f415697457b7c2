import ArgumentParser
import EventLog
import WhatsApp

/// A place in a log, as an operator names it: `beginning`, `end`, an offset, a time, or how long ago.
///
/// | text | means |
/// |---|---|
/// | `beginning`, `end` | the oldest record held; after the newest |
/// | `1200` | that offset, in every partition asked for |
/// | `2026-11-21T10:00:00Z` | the first record not older (RFC 3339) |
/// | `45s`, `90m`, `6h`, `7d` | the same, so long before now |
public enum LogPoint: Sendable, Hashable {
    case beginning
    case end
    case offset(Offset)
    case time(Timestamp)

    /// Nil when the text is none of the forms.
    public init?(_ text: String, now: Timestamp) {
        if text == "beginning" {
            self = .beginning
        } else if text == "end" {
            self = .end
        } else if let offset = Offset(text), offset >= 0 {
            self = .offset(offset)
        } else if let time = RFC3339.parse(text) {
            self = .time(time)
        } else if let age = Self.age(text) {
            self = .time(now - age)
        } else {
            return nil
        }
    }

    private static func age(_ text: String) -> Duration? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let count = Int64(text.dropLast()) else { return nil }
        // Ten thousand days are before WhatsApp; the bound keeps the product from overflowing.
        guard count >= 0, count <= 10_000 * 86_400 / unit else { return nil }
        return .seconds(count * unit)
    }

    /// Where that is in each partition, between its watermarks.
    public func offsets(
        in partitions: [TopicPartition], of log: any Log
    ) async throws(LogError) -> [TopicPartition: Offset] {
        let marks = try await log.admin.watermarks(of: partitions)
        switch self {
        case .beginning: return marks.mapValues(\.low)
        case .end: return marks.mapValues(\.high)
        case .offset(let offset): return marks.mapValues { min(max(offset, $0.low), $0.high) }
        case .time(let time): return try await log.admin.offsets(at: time, of: partitions)
        }
    }
}

extension LogPoint: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument, now: .now) }
}
