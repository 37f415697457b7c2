/// The runs that are under way.
struct RunningRuns<Instant: InstantProtocol & Sendable>: Sendable where Instant.Duration == Duration {
    private var runs: [UInt64: Run<Instant>] = [:]
    /// How many are of side inputs.
    private(set) var side = 0

    var count: Int { runs.count }
    var isEmpty: Bool { runs.isEmpty }
    var all: [Run<Instant>] { Array(runs.values) }
    subscript(id: UInt64) -> Run<Instant>? { runs[id] }

    mutating func begin(_ run: Run<Instant>) {
        runs[run.id] = run
        if run.isSide { side += 1 }
    }

    /// False when it was not under way any more.
    @discardableResult
    mutating func end(_ id: UInt64) -> Bool {
        guard let run = runs.removeValue(forKey: id) else { return false }
        if run.isSide { side -= 1 }
        return true
    }
}
