/// The runs that are under way, and how many hands of each kind they take.
struct RunningRuns<Instant: InstantProtocol & Sendable>: Sendable where Instant.Duration == Duration {
    private var runs: [UInt64: Run<Instant>] = [:]
    /// Of side inputs.
    private(set) var side = 0
    /// By main input.
    private(set) var main: [Int]

    init(inputs: Int) { main = Array(repeating: 0, count: inputs) }

    var count: Int { runs.count }
    var isEmpty: Bool { runs.isEmpty }
    var all: [Run<Instant>] { Array(runs.values) }
    subscript(id: UInt64) -> Run<Instant>? { runs[id] }

    mutating func begin(_ run: Run<Instant>) {
        runs[run.id] = run
        count(run, 1)
    }

    /// False when it was not under way any more.
    @discardableResult
    mutating func end(_ id: UInt64) -> Bool {
        guard let run = runs.removeValue(forKey: id) else { return false }
        count(run, -1)
        return true
    }

    private mutating func count(_ run: Run<Instant>, _ change: Int) {
        if run.isSide { side += change } else { main[run.input] += change }
    }
}
