/// A stop that ends by a try: of a number that somebody must look after, or of a template that is paused.
///
/// Until `until` nothing goes. Then one message goes as a probe and the others wait for what becomes of it: accepted ends
/// the hold, refused begins it anew, and a probe that tells nothing leaves room for another one.
struct Hold: Sendable {
    enum Gate: Hashable {
        case open
        case closed(until: Duration)
        /// A probe is under way.
        case probing
    }

    private(set) var since: Duration
    private(set) var until: Duration
    private(set) var isProbing = false

    init(at now: Duration, for length: Duration) { (since, until) = (now, now + length) }

    func gate(at now: Duration) -> Gate {
        if now < until { return .closed(until: until) }
        return isProbing ? .probing : .open
    }

    mutating func probe() { isProbing = true }
    mutating func probeToldNothing() { isProbing = false }
}
