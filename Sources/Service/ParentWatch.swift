#if canImport(Glibc)
import Glibc
#endif
import Foundation
import ServiceLifecycle

/// Ends when standard input does: `millrace up` holds the other end, so its children stop when it dies, even by
/// `kill -9`, which it cannot pass on. On when `MILLRACE_PARENT=stdin`.
struct ParentWatch: Service {
    func run() async throws {
        let (ended, end) = AsyncStream<Void>.makeStream()
        let thread = Thread {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) { break }
            }
            end.finish()
        }
        thread.name = "parent-watch"
        thread.start()
        for await _ in ended.cancelOnGracefulShutdown() {}
    }
}
