import EventLog
import WhatsApp

/// What one instance learned about a limit, to be told to all others: the value of a compacted topic, keyed by `key`.
///
///     {"scope":"number","id":"700…","ceiling_micro":1000000000,"ceiling_at":…,"cut_micro":56000000,"cut_at":…}
///
/// Rates are millionths of a message a second, of the whole number and not of an instance's share; for an account and
/// for `all` they are millionths of the full rate. Times are milliseconds since 1970. Merging is by time, so copies and
/// any order do no harm.
public struct LearnedLimit: Sendable, Hashable {
    public enum Scope: Sendable, Hashable {
        case number(String)
        case account(String)
        /// Everything that is sent with our app.
        case all
    }

    public struct Rate: Sendable, Hashable {
        public var micro: Int64
        public var at: Timestamp

        public init(micro: Int64, at: Timestamp) {
            self.micro = micro
            self.at = at
        }
    }

    public var scope: Scope
    /// What the platform allows since `at`: from a throughput upgrade.
    public var ceiling: Rate?
    /// Where the rate was cut to.
    public var cut: Rate?

    public init(_ scope: Scope, ceiling: Rate? = nil, cut: Rate? = nil) {
        self.scope = scope
        self.ceiling = ceiling
        self.cut = cut
    }

    public var key: String {
        switch scope {
        case .number(let id): "number:\(id)"
        case .account(let id): "account:\(id)"
        case .all: "all"
        }
    }

    public var value: [UInt8] {
        JSONWriter.object { json in
            switch scope {
            case .number(let id):
                json.member("scope", "number")
                json.member("id", id)
            case .account(let id):
                json.member("scope", "account")
                json.member("id", id)
            case .all: json.member("scope", "all")
            }
            json.memberIfPresent("ceiling_micro", ceiling?.micro)
            json.memberIfPresent("ceiling_at", ceiling?.at.milliseconds)
            json.memberIfPresent("cut_micro", cut?.micro)
            json.memberIfPresent("cut_at", cut?.at.milliseconds)
        }
    }

    /// Nil when the bytes are not such a value, or name a rate that no platform allows.
    public init?(value: [UInt8]) {
        guard let json = try? JSON(parsing: value), json.kind == .object else { return nil }
        switch (json["scope"]?.string, json["id"]?.string) {
        case ("number", let id?): scope = .number(id)
        case ("account", let id?): scope = .account(id)
        case ("all", _): scope = .all
        default: return nil
        }
        ceiling = Self.rate(json["ceiling_micro"]?.integer, json["ceiling_at"]?.integer)
        cut = Self.rate(json["cut_micro"]?.integer, json["cut_at"]?.integer)
        if ceiling == nil, cut == nil { return nil }
    }

    private static func rate(_ micro: Int64?, _ at: Int64?) -> Rate? {
        guard let micro, let at, (1...100_000_000_000).contains(micro), at >= 0 else { return nil }
        return Rate(micro: micro, at: Timestamp(milliseconds: at))
    }
}
