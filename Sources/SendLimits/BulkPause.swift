import EventLog
import WhatsApp

/// An operator's word that campaigns stand still, or go on: the value of the topic that `LearnedLimit` has, under one key of
/// its own. The last one counts, for every instance, also for those that start later.
///
///     {"scope":"bulk","paused":true,"at":…}
public struct BulkPause: Sendable, Hashable {
    public static let key = "bulk"

    public var isPaused: Bool
    public var at: Timestamp

    public init(isPaused: Bool, at: Timestamp) {
        self.isPaused = isPaused
        self.at = at
    }

    public var value: [UInt8] {
        JSONWriter.object { json in
            json.member("scope", "bulk")
            json.member("paused", isPaused)
            json.member("at", at.milliseconds)
        }
    }

    /// Nil when the bytes are not such a value.
    public init?(value: [UInt8]) {
        guard let json = try? JSON(parsing: value), json["scope"]?.string == "bulk", let isPaused = json["paused"]?.bool,
            let at = json["at"]?.integer
        else { return nil }
        self.init(isPaused: isPaused, at: Timestamp(milliseconds: at))
    }
}
