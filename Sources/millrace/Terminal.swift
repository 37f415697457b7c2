import Glibc
import Synchronization

/// Standard output, one whole line at a time, whoever prints.
final class Terminal: Sendable {
    private let lock = Mutex<Void>(())

    func print(_ line: String) {
        lock.withLock { _ in
            Swift.print(line)
            fflush(nil)
        }
    }
}
