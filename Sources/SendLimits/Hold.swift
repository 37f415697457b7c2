/// A stop that ends by a try: of a number that somebody must look after, or of a template that is paused.
///
/// Until `until` nothing goes. Then one message goes as a probe and the others wait for what becomes of it: accepted ends
/// the hold, refused begins it anew, and a probe that tells nothing leaves room for another one.
///
/// Where statuses have told of the stop, the API accepts the probe too, and refuses it later. Then it takes a status to
/// end the hold.
struct Hold: Sendable {
    enum Gate: Hashable {
        case open
        case closed(until: Duration)
        /// A probe is under way; nobody else goes before it has told something, or that time has come.
        case probing(until: Duration?)
    }

    private(set) var since: Duration
    private(set) var until: Duration
    /// A status has told of it, after the API had accepted the message.
    let isToldLater: Bool
    private(set) var isProbing = false
    /// A probe that was accepted waits for its status, not longer.
    private var probeEnds: Duration?

    /// Statuses come in seconds; where none comes, the next probe may have more luck.
    static let statusPatience = Duration.seconds(60)

    init(at now: Duration, for length: Duration, isToldLater: Bool = false) {
        (since, until) = (now, now + length)
        self.isToldLater = isToldLater
    }

    func gate(at now: Duration) -> Gate {
        if now < until { return .closed(until: until) }
        if isProbing, probeEnds.map({ now < $0 }) ?? true { return .probing(until: probeEnds) }
        return .open
    }

    mutating func probe() { (isProbing, probeEnds) = (true, nil) }
    mutating func probeAccepted(at now: Duration) { probeEnds = now + Self.statusPatience }
    mutating func probeToldNothing() { isProbing = false }
}
