import EventLog
import ServiceLifecycle
import Synchronization
import Telemetry

/// Asks the log every `interval` whether it is there, so that readiness knows it without traffic.
final class LogProbe<C: Clock>: Service where C.Duration == Duration {
    private let log: any Log
    private let interval: Duration
    private var answerTime: Duration { .seconds(30) }
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
        let topics = await log.topics(within: answerTime)
        last.withLock { $0 = topics == nil ? .notReady("out of reach") : .ready }
    }
}

extension Log {
    /// Its topics; nil when it fails, does not answer in time, or when the task is cancelled. The log's own time-outs are
    /// longer than a start or a stop should take: the answer to the question that is left is nobody's.
    func topics(within limit: Duration) async -> [TopicDescription]? {
        let (answers, answer) = AsyncStream<[TopicDescription]?>.makeStream()
        Task { answer.yield(try? await admin.topics()) }
        let timer = Task {
            try await Task.sleep(for: limit)
            answer.yield(nil)
        }
        defer { timer.cancel() }
        for await first in answers { return first }
        return nil
    }
}
