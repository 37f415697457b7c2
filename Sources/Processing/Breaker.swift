import EventLog

/// What is down: everything that a processor talks to, or one name of it, e.g. a number or a host.
public enum OutageScope: Sendable, Hashable {
    case processor
    case named(String)

    /// For metrics: a name may be personal.
    public var kind: String { if case .processor = self { "processor" } else { "named" } }
}

/// The scopes of a lane that are down, and when one record of each may try again.
///
///     closed ─outage─▶ open ─pause over─▶ probing ─success, or any other failure─▶ closed
///                       ▲                    │
///                       └────────outage──────┘   (a longer pause)
///
/// The pause grows like `RetryPolicy` says, from half its bound up, so that a probe is never immediate.
struct Breakers<Instant: InstantProtocol & Sendable>: Sendable where Instant.Duration == Duration {
    private struct Open {
        var probes = 0
        var nextProbe: Instant
        /// The record that tries; for the processor's scope any of this run.
        var probing: Probe?
        /// Keys whose head waits for the scope, the longest waiting first.
        var waiting = WaitingKeys()
    }

    enum Probe: Sendable, Hashable {
        case run(UInt64)
        case key(OrderKey)
    }

    private let pauses: RetryPolicy
    private var open: [OutageScope: Open] = [:]

    init(pauses: RetryPolicy) { self.pauses = pauses }

    var isEmpty: Bool { open.isEmpty }
    func isOpen(_ scope: OutageScope) -> Bool { open[scope] != nil }

    /// When the next pause after `now` is over.
    func nextProbe(after now: Instant) -> Instant? {
        open.values.filter { $0.probing == nil && $0.nextProbe > now }.map(\.nextProbe).min()
    }

    /// A record says that its scope is down. True when that is news.
    mutating func fail(
        _ scope: OutageScope, by probe: Probe, atLeast: Duration?, at now: Instant,
        using random: inout some RandomNumberGenerator
    ) -> Bool {
        if let state = open[scope], state.probing != probe { return false }
        let isNews = open[scope] == nil
        var state = open[scope] ?? Open(nextProbe: now)
        state.probes += 1
        state.probing = nil
        let bound = pauses.bound(afterAttempts: state.probes).milliseconds
        let pause = Duration.milliseconds(Int64.random(in: bound / 2...bound, using: &random))
        state.nextProbe = now.advanced(by: max(pause, atLeast ?? .zero))
        open[scope] = state
        return isNews
    }

    mutating func wait(_ key: OrderKey, for scope: OutageScope) {
        open[scope]?.waiting.append(key)
    }

    /// The pause of the processor's scope is over.
    func isProbeDue(at now: Instant) -> Bool {
        guard let state = open[.processor] else { return false }
        return state.probing == nil && state.nextProbe <= now
    }
    mutating func probeProcessor(by run: UInt64) { open[.processor]?.probing = .run(run) }

    func isProbing(_ scope: OutageScope, _ key: OrderKey) -> Bool { open[scope]?.probing == .key(key) }

    /// The head of a key waits no longer.
    mutating func leave(_ key: OrderKey) {
        for scope in open.keys { open[scope]?.waiting.remove(key) }
    }

    /// Keys of which one record each is to try now, and scopes for which nobody waits any more: the next record of
    /// theirs finds out.
    mutating func takeProbes(at now: Instant) -> (probes: [OrderKey], closed: [OutageScope]) {
        var probes: [OrderKey] = []
        var closed: [OutageScope] = []
        for (scope, state) in open where scope != .processor && state.probing == nil && state.nextProbe <= now {
            guard let key = open[scope]?.waiting.popFirst() else {
                open[scope] = nil
                closed.append(scope)
                continue
            }
            open[scope]?.probing = .key(key)
            probes.append(key)
        }
        return (probes, closed)
    }

    /// The probe came back with anything but an outage: whoever waited may go on.
    mutating func succeed(_ probe: Probe) -> (closed: [OutageScope], released: [OrderKey]) {
        let closed = open.filter { $0.value.probing == probe }
        for scope in closed.keys { open[scope] = nil }
        return (Array(closed.keys), closed.values.flatMap(\.waiting.all))
    }

    /// Forgets everything. Answers what was open.
    mutating func closeAll() -> [OutageScope] {
        defer { open = [:] }
        return Array(open.keys)
    }

    /// The probe never came back, or ended without asking what is down.
    mutating func giveUp(_ probe: Probe, at now: Instant, using random: inout some RandomNumberGenerator) {
        for scope in open.filter({ $0.value.probing == probe }).keys {
            _ = fail(scope, by: probe, atLeast: nil, at: now, using: &random)
        }
    }
}

/// A queue of keys, each once, that any of them may leave at any time.
private struct WaitingKeys: Sendable {
    private var order = Fifo<(key: OrderKey, arrival: Int)>()
    /// The last arrival of each that waits; those in `order` with another one have left.
    private var arrivals: [OrderKey: Int] = [:]
    private var lastArrival = 0

    mutating func append(_ key: OrderKey) {
        guard arrivals[key] == nil else { return }
        if order.count > 2 * arrivals.count + 64 { dropThoseThatLeft() }
        lastArrival += 1
        arrivals[key] = lastArrival
        order.append((key, lastArrival))
    }

    mutating func remove(_ key: OrderKey) { arrivals[key] = nil }

    mutating func popFirst() -> OrderKey? {
        while let (key, arrival) = order.popFirst() {
            guard arrivals[key] == arrival else { continue }
            arrivals[key] = nil
            return key
        }
        return nil
    }

    var all: [OrderKey] { arrivals.sorted { $0.value < $1.value }.map(\.key) }

    private mutating func dropThoseThatLeft() {
        order = Fifo()
        for key in all { order.append((key, arrivals[key] ?? 0)) }
    }
}
