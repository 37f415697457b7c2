/// A rate that is cut when the platform complains and grows back slowly.
///
/// It is a function of its ceiling, of the last cut and of the time since: two instances that know the same cut have the
/// same rate at every moment, so cuts and ceilings are all that they must tell each other.
///
///     rate(t) = min(ceiling, cut + growth · (t − cut time))
struct AdaptiveRate: Sendable {
    struct Cut: Sendable, Hashable {
        var rate: Double
        var at: Duration
    }

    /// What is left after a cut. One complaint is the answer to a small excess; a large one brings further cuts.
    static let decrease = 0.7
    /// Part of the last cut's rate won back each second: from one cut to where it was in about 90 s.
    static let growth = 0.005
    /// Part of the ceiling won back each second at least: from next to nothing to the ceiling in about 17 minutes.
    static let leastGrowth = 0.001
    /// Part of the ceiling that is never cut: somebody must find out when it is over.
    static let floor = 0.01

    var ceiling: Double
    var cut: Cut?

    init(ceiling: Double) { self.ceiling = ceiling }

    func value(at now: Duration) -> Double {
        guard let cut else { return ceiling }
        let growth = max(cut.rate * Self.growth, ceiling * Self.leastGrowth)
        return min(ceiling, cut.rate + growth * max(0, (now - cut.at).inSeconds))
    }

    /// The platform complained about a message that left at `sentAt`. A message from before the last cut says nothing
    /// new. Returns whether the rate was cut.
    mutating func complain(sentAt: Duration, at now: Duration) -> Bool {
        if let cut, sentAt <= cut.at { return false }
        cut = Cut(rate: max(ceiling * Self.floor, value(at: now) * Self.decrease), at: now)
        return true
    }

    /// Takes over what another instance saw. The later cut counts; of two at one moment the deeper. Returns whether it
    /// changed anything.
    mutating func adopt(_ other: Cut) -> Bool {
        if let cut, (cut.at, -cut.rate) >= (other.at, -other.rate) { return false }
        cut = other
        return true
    }
}
