import Foundation
import Synchronization

/// The threads that use libcurl now.
///
/// A process may exit while some run: a tool that does not wait, a test runner. OpenSSL frees its tables in an `atexit`
/// handler of its own, under the hands of a thread that is closing a TLS connection at that moment, and the heap is
/// damaged: the process ends with SIGABRT instead of its exit code. So they are ended first.
enum CurlThreads {
    private static let running = Mutex<[ObjectIdentifier: CurlMulti]>([:])
    /// Longer than giving up any number of connections takes; a thread that hangs must not keep the process.
    private static let patience = Duration.seconds(2)

    static func enter(_ multi: CurlMulti) { running.withLock { $0[ObjectIdentifier(multi)] = multi } }
    static func leave(_ multi: CurlMulti) { running.withLock { $0[ObjectIdentifier(multi)] = nil } }

    static func endAtExit() {
        atexit {
            for multi in CurlThreads.running.withLock({ Array($0.values) }) { multi.abort() }
            let deadline = ContinuousClock.now + CurlThreads.patience
            while CurlThreads.running.withLock({ !$0.isEmpty }), ContinuousClock.now < deadline { usleep(200) }
        }
    }
}
