import EventLog

/// The lanes of one runtime, and how far it has come between joining its group and leaving it.
struct RuntimeSession<C: Clock>: Sendable where C.Duration == Duration {
    var lanes: [Int32: Lane<C>] = [:]
    /// Of each input.
    var partitions: Int32 = 0
    /// Being given up after a revocation.
    var leaving: [Lane<C>] = []
    var isStopping = false
    /// When the group had us as a member first.
    var joined: C.Instant?
    var wasAssigned = false
    var stuck: Set<TopicPartition> = []
    var failure: (any Error)?

    mutating func take(_ sources: [TopicPartition]) -> [Lane<C>] {
        Set(sources.map(\.partition)).compactMap { lanes.removeValue(forKey: $0) }
    }

    /// All lanes; no others begin.
    mutating func takeAll() -> [Lane<C>] {
        isStopping = true
        defer { lanes = [:] }
        return Array(lanes.values) + leaving
    }

    func leaving(_ sources: [TopicPartition]) -> [Lane<C>] {
        leaving.filter { !Set($0.sources).isDisjoint(with: sources) }
    }
}
