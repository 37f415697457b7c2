import Dispatch
import Foundation

/// Threads for calls that block: never the cooperative pool, never an event loop.
enum BlockingThread {
    static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.name = name
        thread.start()
    }
}

extension DispatchQueue {
    /// Runs a blocking `body` on this serial queue and waits for it without holding a thread of the cooperative pool.
    func blocking<Value: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, Failure>, Never>) in
            async { continuation.resume(returning: Result { () throws(Failure) in try body() }) }
        }.get()
    }
}
