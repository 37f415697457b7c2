import EventLog
import Foundation
import Processing
import Synchronization

/// How far a replay is, on standard error: a bar with rate and time left on a terminal, a line every ten seconds elsewhere.
final class ReplayDisplay: Sendable {
    private struct State {
        var last = ReplayProgress()
        var shownAt: ContinuousClock.Instant?
        var width = 0
    }

    private let name: String
    private let begin = ContinuousClock.now
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let state = Mutex(State())

    init(name: String) { self.name = name }

    func show(_ progress: ReplayProgress) {
        let elapsed = ContinuousClock.now - begin
        state.withLock { state in
            state.last = progress
            let pause: Duration = isTerminal ? .milliseconds(200) : .seconds(10)
            if let shownAt = state.shownAt ?? (isTerminal ? nil : begin), ContinuousClock.now - shownAt < pause { return }
            state.shownAt = .now
            let line = Self.line(progress, after: elapsed)
            let blank = String(repeating: " ", count: max(0, state.width - line.count))
            StandardError.write(isTerminal ? Array("\r\(line)\(blank)".utf8) : Array("\(name) replay \(line)\n".utf8))
            state.width = line.count
        }
    }

    /// `[########------------]  40 %   12,000/s  2 min left   4,800,000 of 12,000,000`
    static func line(_ progress: ReplayProgress, after elapsed: Duration) -> String {
        let share = progress.offsets == 0 ? 1 : Double(progress.finished) / Double(progress.offsets)
        let rate = Double(progress.finished) / max(elapsed / .seconds(1), 0.001)
        let filled = Int(share * 20)
        var line = "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: 20 - filled) + "] "
        line += "\(Int(share * 100)) %  \(grouped(Int64(rate)))/s  "
        if progress.finished < progress.offsets {
            let left = rate > 0 ? Double(progress.offsets - progress.finished) / rate : .infinity
            line += left.isFinite && left < 1e7 ? "\(time(Int64(left.rounded(.up)))) left  " : "time left unknown  "
        }
        line += "\(grouped(progress.finished)) of \(grouped(progress.offsets))"
        if progress.parked > 0 { line += "  \(grouped(Int64(progress.parked))) parked" }
        return line
    }

    func summary(effects: Bool) -> String {
        let (progress, width) = state.withLock { ($0.last, $0.width) }
        // The bar makes room for the result.
        if isTerminal { StandardError.write(Array("\r\(String(repeating: " ", count: width))\r".utf8)) }
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        let verb = effects ? "written" : "withheld"
        var text = """
            \(name): \(Self.grouped(progress.finished)) of \(Self.grouped(progress.offsets)) offsets replayed in \
            \(seconds.formatted(.number.precision(.fractionLength(1)))) s; \(Self.grouped(Int64(progress.outputs))) outputs \
            and \(Self.grouped(Int64(progress.deadLetters))) dead letters \(verb)
            """
        if progress.parked > 0 {
            text += "\n\(name): \(Self.grouped(Int64(progress.parked))) records kept failing and were left"
        }
        return text
    }

    private static func grouped(_ number: Int64) -> String {
        var text = ""
        for (index, digit) in String(number).reversed().enumerated() {
            if index > 0, index % 3 == 0, digit != "-" { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }

    private static func time(_ seconds: Int64) -> String {
        switch seconds {
        case 7_200...: "\(seconds / 3_600) h"
        case 120...: "\(seconds / 60) min"
        default: "\(seconds) s"
        }
    }
}
