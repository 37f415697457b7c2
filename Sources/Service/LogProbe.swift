import EventLog
import ServiceLifecycle
import Synchronization
import Telemetry

/// Asks the log every `interval` whether it is there, so that readiness knows it without traffic.
final class LogProbe<C: Clock>: Service where C.Duration == Duration {
    private let log: any Log
    private let interval: Duration
    private let clock: C
    private let last = Mutex(Readiness.notReady("not reached yet"))

    init(_ log: any Log, interval: Duration = .seconds(10), clock: C) {
        self.log = log
        self.interval = interval
        self.clock = clock
    }

    var readiness: Readiness { last.withLock { $0 } }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.probe()
                try? await self.clock.sleep(for: self.interval)
            }
        }
    }

    func probe() async {
        let answer: Readiness
        do {
            _ = try await log.admin.topics()
            answer = .ready
        } catch {
            answer = .notReady("out of reach")
        }
        last.withLock { $0 = answer }
    }
}
