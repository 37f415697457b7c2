import Foundation

/// What was promised, held against what was measured.
struct Goals {
    private var lines: [String] = []
    private var isShort = false

    mutating func atMost(_ name: String, _ value: Double?, _ limit: Double) { add(name, value, limit) { $0 <= limit } }
    mutating func atLeast(_ name: String, _ value: Double?, _ limit: Double) { add(name, value, limit) { $0 >= limit } }

    /// A value that could not be measured is short.
    private mutating func add(_ name: String, _ value: Double?, _ limit: Double, _ holds: (Double) -> Bool) {
        let isMet = value.map(holds) ?? false
        if !isMet { isShort = true }
        lines.append("goal \(name) \(value.map(Self.text) ?? "unmeasured") \(Self.text(limit)) \(isMet ? "ok" : "short")")
    }

    private static func text(_ value: Double) -> String {
        value >= 100 ? String(format: "%.0f", value) : String(format: "%.2f", value)
    }

    /// Prints all of them and gives the exit code.
    func report() -> Int32 {
        print("")
        for line in lines { print(line) }
        return isShort ? 1 : 0
    }
}

/// One run of load against one server.
struct Measured {
    /// Answered.
    var requests: Double
    var requestsPerSecond: Double
    /// Milliseconds; not a number where the tool does not say.
    var p50, p99, p999: Double
    var errors: Int
    /// Microseconds of the server's process per answered request.
    var cpu: Double = 0
    /// Largest resident size of the server so far, in MiB.
    var peakMemory: Double = 0

    static func median(_ runs: [Measured]) -> Measured? {
        if runs.isEmpty { return nil }
        func middle(_ value: (Measured) -> Double) -> Double {
            let sorted = runs.map(value).sorted()
            return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
        }
        return Measured(
            requests: middle(\.requests), requestsPerSecond: middle(\.requestsPerSecond), p50: middle(\.p50), p99: middle(\.p99), p999: middle(\.p999),
            errors: runs.reduce(0) { $0 + $1.errors }, cpu: middle(\.cpu), peakMemory: runs.map(\.peakMemory).max() ?? 0)
    }

    static let header = "| load | server | req/s | CPU us/req | p50 ms | p99 ms | p99.9 ms | peak MiB | errors |\n|---|---|--:|--:|--:|--:|--:|--:|--:|"

    func row(_ load: String, _ server: String) -> String {
        func text(_ value: Double, _ digits: Int) -> String {
            value.isNaN ? "–" : String(format: "%.\(digits)f", value)
        }
        return "| \(load) | \(server) | \(text(requestsPerSecond, 0)) | \(text(cpu, 1)) | \(text(p50, 2)) | \(text(p99, 2)) | "
            + "\(text(p999, 2)) | \(text(peakMemory, 0)) | \(errors) |"
    }
}
