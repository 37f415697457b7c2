import EventLog
import Logging
import ServiceLifecycle
import Synchronization
import Telemetry

extension Host {
    /// Refuses to start on a log that lacks one of `topics`, or has it with another number of partitions than
    /// `MILLRACE_TOPICS_PARTITIONS` says: keys would not meet. The error names the setting and what mends it.
    ///
    /// A log that is out of reach is no reason to refuse: a restart in an outage must bring back an ingress, which
    /// answers from its spill or 503. Then the topics are looked at when the log answers, by the service returned. What
    /// it finds is an error line and, `refusing`, "not ready" as the check `topics`.
    ///
    /// - Parameter refusing: whether records cannot be taken without their topics; false with a spill, which keeps them.
    public func checkTopics(_ topics: [Topic], refusing: Bool) async throws(SettingError) -> (any Service)? {
        guard settings.checksTopics else { return nil }
        let check = TopicCheck(topics: topics, partitions: settings.topics.partitions)
        if let held = await log.topics(within: .seconds(refusing ? 5 : 1)) {
            if let mistake = check.mistake(in: held) { throw mistake }
            return nil
        }
        logger.warning(
            "The log does not answer; its topics are looked at when it does", metadata: ["setting": "MILLRACE_LOG"])
        let watch = TopicWatch(check, log, logger: logger, clock: ContinuousClock())
        if refusing { health.add("topics") { watch.readiness } }
        return watch
    }
}

/// What a program needs of the log's topics.
struct TopicCheck: Sendable {
    let topics: [Topic]
    let partitions: Int32

    func mistake(in held: [TopicDescription]) -> SettingError? {
        for topic in topics {
            guard let found = held.first(where: { $0.topic == topic }) else {
                return SettingError(
                    "MILLRACE_LOG",
                    "lacks the topic \(topic.name); make what is missing with: millrace topics create")
            }
            if found.partitions != partitions {
                return SettingError(
                    "MILLRACE_TOPICS_PARTITIONS",
                    "is \(partitions), but \(topic.name) has \(found.partitions) partitions, which never change: set it "
                        + "to \(found.partitions), or begin new topics with MILLRACE_TOPICS_VERSION and: millrace topics create")
            }
        }
        return nil
    }
}

/// Looks at the topics of a log that was out of reach at the start, until they are as they should be.
final class TopicWatch<C: Clock>: Service where C.Duration == Duration {
    private static var interval: Duration { .seconds(5) }
    private static var answerTime: Duration { .seconds(30) }
    /// Looks between two lines about the same mistake.
    private static var linePause: Int { 12 }

    private let check: TopicCheck
    private let log: any Log
    private let logger: Logger
    private let clock: C
    private let last = Mutex(Readiness.notReady("not looked at yet"))

    init(_ check: TopicCheck, _ log: any Log, logger: Logger, clock: C) {
        (self.check, self.log, self.logger, self.clock) = (check, log, logger, clock)
    }

    var readiness: Readiness { last.withLock { $0 } }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var looks = 0
            while !Task.isCancelled, !(await self.look(isWorthALine: looks % Self.linePause == 0)) {
                looks += 1
                try? await self.clock.sleep(for: Self.interval)
            }
        }
        // A service that returns ends the program.
        try? await gracefulShutdown()
    }

    /// True when all is well.
    func look(isWorthALine: Bool) async -> Bool {
        guard let held = await log.topics(within: Self.answerTime) else { return false }
        guard let mistake = check.mistake(in: held) else {
            last.withLock { $0 = .ready }
            return true
        }
        last.withLock { $0 = .notReady(mistake.setting) }
        if isWorthALine { logger.error("The topics are not as they should be", metadata: ["setting.error": "\(mistake)"]) }
        return false
    }
}
