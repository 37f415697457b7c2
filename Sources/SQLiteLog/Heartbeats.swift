import Dispatch
import EventLog
import Foundation
import Synchronization

/// The thread that keeps this process's members alive, whatever their callers do: it asks for a heartbeat of each at a
/// quarter of the lease.
final class Heartbeats: Sendable {
    private let consumers = Mutex<[ObjectIdentifier: SQLiteConsumer]>([:])
    private let stop = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)
    private let interval: Duration

    init(lease: Duration) { interval = lease / 4 }

    func add(_ consumer: SQLiteConsumer) { consumers.withLock { $0[ObjectIdentifier(consumer)] = consumer } }
    func remove(_ consumer: SQLiteConsumer) {
        consumers.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(consumer)) }
    }
    var all: [SQLiteConsumer] { consumers.withLock { Array($0.values) } }

    func start() {
        let thread = Thread { self.run() }
        thread.name = "sqlite-heartbeat"
        thread.start()
    }

    /// Blocks until the thread has ended.
    func close() {
        stop.signal()
        ended.wait()
    }

    private func run() {
        defer { ended.signal() }
        while stop.wait(timeout: .now() + .milliseconds(Int(interval.milliseconds))) == .timedOut {
            for consumer in all { consumer.requestBeat() }
        }
    }
}
