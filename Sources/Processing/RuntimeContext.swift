import EventLog
import Logging

/// What all parts of one runtime share.
struct RuntimeContext<C: Clock>: Sendable where C.Duration == Duration {
    let processor: any Processor
    let configuration: ProcessorRuntimeConfiguration
    let clock: C
    let wallTime: @Sendable () -> Timestamp
    let observer: any ProcessorObserver
    let logger: Logger
    let trouble = DurabilityTrouble()

    var group: String { configuration.group(of: processor) }
    var deadLetterTopic: Topic { configuration.deadLetters(of: processor) }
    /// Where state that survives its disk lies; as many partitions as the inputs.
    var stateTopic: Topic { Topic("state.\(group)") }

    var now: Moment<C.Instant> { Moment(instant: clock.now, wall: wallTime()) }

    /// 50 ms, 100 ms, … up to 5 s, each drawn evenly from 0 up.
    private static var backoff: RetryPolicy {
        RetryPolicy(base: .milliseconds(50), cap: .seconds(5), maxAttempts: .max, maxAge: .seconds(Int64.max))
    }

    /// Repeats what fails for a passing reason until it succeeds, fails for good, or the task is cancelled.
    func persist<T>(
        at step: String, if isPassing: (any Error) -> Bool = Self.isPassing,
        _ body: () async throws -> T
    ) async throws -> T {
        var random = SystemRandomNumberGenerator()
        var failures = 0
        defer { if failures >= DurabilityTrouble.failuresInRow { trouble.ends() } }
        while true {
            do {
                return try await body()
            } catch {
                guard isPassing(error) else { throw error }
                failures += 1
                if failures == DurabilityTrouble.failuresInRow { trouble.begins() }
                logger.warning(
                    "step failed and will be repeated",
                    metadata: [LogKey.step: "\(step)", LogKey.error: "\(error)", LogKey.attempt: "\(failures)"])
                try await clock.sleep(for: Self.backoff.delay(afterAttempts: failures, using: &random))
            }
        }
    }

    @Sendable static func isPassing(_ error: any Error) -> Bool { (error as? LogError)?.isRetriable ?? false }
}

/// The keys of log metadata.
enum LogKey {
    static let group = "log.group"
    static let topic = "log.topic"
    static let partition = "log.partition"
    static let offset = "log.offset"
    static let count = "records.count"
    static let total = "records.total"
    static let step = "processing.step"
    static let attempt = "processing.attempt"
    static let error = "error"
    static let errorClass = "error.class"

    static func of(_ source: TopicPartition) -> Logger.Metadata {
        [topic: "\(source.topic)", partition: "\(source.partition)"]
    }

    static func of(_ record: StoredRecord, _ failure: HandlerFailure, attempt count: Int) -> Logger.Metadata {
        [
            topic: "\(record.topic)", partition: "\(record.source.partition)", offset: "\(record.offset)",
            errorClass: "\(failure.errorClass)", attempt: "\(count)",
        ]
    }
}
