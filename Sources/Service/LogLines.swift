import Dispatch
import Foundation
import Synchronization

/// Writes log lines on a thread of its own. Whoever logs, an event loop for one, never waits for the reader of standard
/// error, which may have stopped reading.
///
/// Lines wait in memory, up to a bound; what comes beyond it is dropped, and how many were is said when there is room.
final class LogLines: Sendable {
    static let standardError: LogLines = {
        // However the process ends, but by a signal.
        atexit { LogLines.standardError.flush(within: .seconds(1)) }
        return LogLines(maxBytes: 1 << 20) { StandardError.write($0) }
    }()

    private struct State {
        var lines: [[UInt8]] = []
        var bytes = 0
        var dropped = 0
        /// What the thread has taken off `lines` and not written yet.
        var isWriting = false
        var isIdle: Bool { lines.isEmpty && dropped == 0 && !isWriting }
    }

    private let maxBytes: Int
    private let state = Mutex(State())
    private let news = DispatchSemaphore(value: 0)
    private let write: @Sendable ([UInt8]) -> Void

    /// - Parameter write: may block.
    init(maxBytes: Int, _ write: @escaping @Sendable ([UInt8]) -> Void) {
        self.maxBytes = maxBytes
        self.write = write
        let thread = Thread { [self] in while true { writeWaiting() } }
        thread.name = "log-lines"
        thread.start()
    }

    /// Does not block. The line ends with a line feed.
    func add(_ line: [UInt8]) {
        let isFirst = state.withLock { state in
            let isFirst = state.lines.isEmpty
            if state.bytes + line.count <= maxBytes {
                state.lines.append(line)
                state.bytes += line.count
            } else {
                state.dropped += 1
            }
            return isFirst
        }
        if isFirst { news.signal() }
    }

    /// Blocks until everything is written, for so long at most. Before the process ends.
    func flush(within patience: Duration) {
        let deadline = ContinuousClock.now + patience
        while !state.withLock(\.isIdle), ContinuousClock.now < deadline { usleep(1_000) }
    }

    private func writeWaiting() {
        news.wait()
        let (lines, dropped) = state.withLock { state in
            defer { (state.lines, state.dropped, state.isWriting) = ([], 0, true) }
            return (state.lines, state.dropped)
        }
        for line in lines {
            write(line)
            // Counted until it is written: one line may take as long as its reader likes.
            state.withLock { $0.bytes -= line.count }
        }
        if dropped > 0 {
            write(
                JSONLogHandler.line(
                    .warning, service: ProcessInfo.processInfo.processName, "Log lines were dropped: nobody read them in time",
                    ["log.dropped": "\(dropped)"]))
        }
        state.withLock { $0.isWriting = false }
    }
}
