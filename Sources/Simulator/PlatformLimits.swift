import EventLog

/// What the platform allows; nothing is limited unless said so.
public struct LimitBehaviour: Sendable {
    /// Messages a second of each number, in and out together; the real one has 80, 1,000 after an upgrade, 20 for
    /// coexistence. Beyond: 130429 (on-premise 1015).
    public var numberRate: Double?
    /// Messages a second that all numbers of one account may send. Beyond: 80007.
    public var accountRate: Double?
    /// One message in 6 s from one number to one user, 45 within 6 s lent from the future. Beyond: 131056.
    public var limitsPairs = false
    /// How much may come at once, in seconds of the rate. The platform does not say; a quarter is our guess.
    public var depth = 0.25

    public init() {}
}

/// Counts what arrives, as the platform does: refused messages do not count.
struct PlatformLimits: Sendable {
    enum Verdict: Sendable {
        case allowed, numberRate, accountRate, pair
    }

    private struct Bucket: Sendable {
        var level: Double
        var at: Timestamp

        mutating func refill(_ rate: Double, depth: Double, at now: Timestamp) {
            level = min(max(1, rate * depth), level + rate * Double((now - at).milliseconds) / 1_000)
            at = max(at, now)
        }
    }
    /// See `LimitBehaviour.limitsPairs`.
    private struct Pair: Sendable {
        var began: Timestamp
        var count = 0
        var paidAt: Timestamp

        func allows(_ now: Timestamp) -> Bool { now >= paidAt || count < 45 && now - began < .seconds(6) }

        mutating func take(_ now: Timestamp) {
            if now >= paidAt { (began, count, paidAt) = (now, 0, now) }
            count += 1
            paidAt = paidAt + .seconds(6)
        }
    }

    private static let maxPairs = 250_000

    private let behaviour: LimitBehaviour
    private var numbers: [String: Bucket] = [:]
    private var accounts: [String: Bucket] = [:]
    private var pairs = BoundedTable<String, Pair>(capacity: Self.maxPairs)

    init(_ behaviour: LimitBehaviour) { self.behaviour = behaviour }

    mutating func send(_ number: SimulatedNumber, to recipient: String, at now: Timestamp) -> Verdict {
        let key = "\(number.phoneNumberID):\(recipient)"
        if let rate = number.rate ?? behaviour.numberRate, Self.level(&numbers, number.phoneNumberID, rate, behaviour.depth, now) < 1 {
            return .numberRate
        }
        if let rate = behaviour.accountRate, Self.level(&accounts, number.wabaID, rate, behaviour.depth, now) < 1 { return .accountRate }
        if behaviour.limitsPairs, let pair = pairs[key], !pair.allows(now) { return .pair }
        numbers[number.phoneNumberID]?.level -= 1
        accounts[number.wabaID]?.level -= 1
        if behaviour.limitsPairs, pairs.change(key, { $0.take(now) }) == nil {
            var pair = Pair(began: now, paidAt: now)
            pair.take(now)
            _ = pairs.set(key, pair)
        }
        return .allowed
    }

    /// A customer's message: nothing refuses it, and it counts.
    mutating func inbound(_ number: SimulatedNumber, at now: Timestamp) {
        guard let rate = number.rate ?? behaviour.numberRate else { return }
        let level = Self.level(&numbers, number.phoneNumberID, rate, behaviour.depth, now)
        numbers[number.phoneNumberID]?.level = max(0, level - 1)
    }

    private static func level(
        _ buckets: inout [String: Bucket], _ key: String, _ rate: Double, _ depth: Double, _ now: Timestamp
    ) -> Double {
        var bucket = buckets[key] ?? Bucket(level: max(1, rate * depth), at: now)
        bucket.refill(rate, depth: depth, at: now)
        buckets[key] = bucket
        return bucket.level
    }
}
