import Foundation

/// The table and its last lines: `goal <name> <value> <limit> ok|short`.
struct Goals {
    private(set) var areMet = true

    mutating func atLeast(_ name: String, _ value: Double, _ limit: Double) { add(name, value, limit, value >= limit) }
    mutating func atMost(_ name: String, _ value: Double, _ limit: Double) { add(name, value, limit, value <= limit) }

    private mutating func add(_ name: String, _ value: Double, _ limit: Double, _ isMet: Bool) {
        say("goal \(name) \(Self.text(value)) \(Self.text(limit)) \(isMet ? "ok" : "short")")
        areMet = areMet && isMet
    }

    static func text(_ value: Double) -> String { String(format: "%.2f", value) }
}

/// A line, at once: `print` keeps what it writes to a pipe.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

/// CPU time of this process so far, all threads.
func cpuTime() -> Duration {
    var usage = rusage()
    // RUSAGE_SELF, which Swift sees as another type.
    getrusage(0, &usage)
    func duration(_ time: timeval) -> Duration { .seconds(time.tv_sec) + .microseconds(time.tv_usec) }
    return duration(usage.ru_utime) + duration(usage.ru_stime)
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

/// This program again, as the other side; it says its port in its first line.
final class OtherSide {
    let port: Int
    private let process = Process()

    init(_ role: String) throws {
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = [role]
        process.standardOutput = output
        try process.run()
        var line: [UInt8] = []
        while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first, byte != UInt8(ascii: "\n") {
            line.append(byte)
        }
        guard let port = Int(String(decoding: line, as: UTF8.self)) else {
            process.terminate()
            throw CocoaError(.fileReadUnknown)
        }
        self.port = port
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
    }
}
