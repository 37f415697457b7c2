import EventLog

/// Holds records of a partition back while the library would not send them anyway.
///
/// librdkafka 2.0.2 makes no request for a partition of which five messages are in flight (`RD_KAFKA_IDEMP_MAX_INFLIGHT`),
/// and with more of them queued and `linger.ms` over, its broker thread does not sleep until those five are acknowledged:
/// it spins. That takes milliseconds in a good hour, and a core for each broker that is left for the many seconds after
/// one was lost. So the library gets the next records of a partition when it can send them: all that wait, together.
struct PartitionGate {
    static let mostUnderWay = 5

    struct Held {
        let send: PendingSend
        let index: Int
    }

    /// Handed over and not yet reported.
    private var underWay = 0
    private(set) var held: [Held] = []

    /// True when the record may be handed over now; else it is held.
    mutating func admit(_ send: PendingSend, at index: Int) -> Bool {
        guard held.isEmpty, underWay < Self.mostUnderWay else {
            held.append(Held(send: send, index: index))
            return false
        }
        underWay += 1
        return true
    }

    /// One is reported, or was refused. Answers those that may be handed over now.
    mutating func settle() -> [Held] {
        underWay -= 1
        assert(underWay >= 0, "settled more than was admitted")
        guard underWay < Self.mostUnderWay, !held.isEmpty else { return [] }
        underWay += held.count
        return takeHeld()
    }

    /// Nobody is to hand them over any more.
    mutating func takeHeld() -> [Held] {
        defer { held = [] }
        return held
    }
}
