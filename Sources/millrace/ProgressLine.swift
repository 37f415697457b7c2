import Foundation
import Glibc

/// A line that is written over and over on a terminal, four times a second at most; nothing where output goes to a file.
final class ProgressLine {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var shownAt: ContinuousClock.Instant?
    private var width = 0

    func show(_ text: @autoclosure () -> String) {
        guard isTerminal else { return }
        if let shownAt, ContinuousClock.now - shownAt < .milliseconds(250) { return }
        shownAt = .now
        write(text())
    }

    /// Takes the line away, for what is printed next.
    func end() {
        guard isTerminal, width > 0 else { return }
        write("")
    }

    private func write(_ text: String) {
        let rest = String(repeating: " ", count: max(0, width - text.count))
        FileHandle.standardError.write(Data("\r\(text)\(rest)\r\(text)".utf8))
        width = text.count
    }
}
