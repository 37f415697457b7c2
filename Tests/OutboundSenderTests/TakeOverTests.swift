import D360
import EventLog
import EventLogTesting
import Foundation
import Logging
import Processing
import SQLiteLog
import SendLimits
import ServiceLifecycle
import Synchronization
import Testing
import WhatsApp

@testable import outbound_sender

/// Answers by command, and notes when it was asked.
private final class JudgingSender: CommandSender {
    private let judge: Mutex<@Sendable (String) -> SendOutcome>
    private let asked = Mutex<[(id: String, at: Timestamp)]>([])
    private let now: @Sendable () -> Timestamp

    init(now: @escaping @Sendable () -> Timestamp, _ judge: @escaping @Sendable (String) -> SendOutcome) {
        self.now = now
        self.judge = Mutex(judge)
    }

    func answer(_ judge: @escaping @Sendable (String) -> SendOutcome) { self.judge.withLock { $0 = judge } }
    func times(_ id: String) -> [Timestamp] { asked.withLock { $0.filter { $0.id == id }.map(\.at) } }

    func send(_ command: OutboundCommand, to endpoint: ChannelEndpoint) async -> SendOutcome {
        asked.withLock { $0.append((command.id, now())) }
        return judge.withLock(\.self)(command.id)
    }
}

/// The sender in the real runtime, on an embedded log and a clock that the test moves.
private struct SenderWorld: Sendable {
    let log: SQLiteLog
    let folder: String
    let clock = ManualClock()
    let sender: JudgingSender
    static let topics = Topics(partitions: 1)

    static func with(
        _ judge: @escaping @Sendable (String) -> SendOutcome, _ body: (SenderWorld) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sender-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var configuration = SQLiteLogConfiguration()
        configuration.now = { Sample.now }
        let log = try await SQLiteLog.open(path: folder + "/events.db", configuration: configuration)
        try await log.admin.createTopics(topics.specs(groups: ["millrace.outbound-sender"]))
        let world = SenderWorld(log: log, folder: folder, judge)
        do { try await body(world) } catch {
            await log.close()
            throw error
        }
        await log.close()
    }

    private init(log: SQLiteLog, folder: String, _ judge: @escaping @Sendable (String) -> SendOutcome) {
        (self.log, self.folder) = (log, folder)
        let clock = clock
        sender = JudgingSender(now: { Sample.now + clock.now.sinceStart }, judge)
    }

    var now: Timestamp { Sample.now + clock.now.sinceStart }

    /// A new instance: it knows what the log knows.
    ///
    /// - Parameter disk: of its state.
    func start(disk: String = "state") -> (group: ServiceGroup, task: Task<Void, any Error>) {
        var configuration = ProcessorRuntimeConfiguration(stateDirectory: folder + "/" + disk)
        configuration.start = .earliest
        // The clock is moved by hand, and the machine may be slow.
        configuration.handlerTimeout = .seconds(1_000_000)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let clock = clock
        let runtime = ProcessorRuntime(
            processor: Sample.processor(
                sender, archive: LogArchive(log: log, statuses: Self.topics.statuses, results: Self.topics.outboundResults)),
            log: log, configuration: configuration, clock: clock,
            wallTime: { Sample.now + clock.now.sinceStart }, logger: logger)
        let group = ServiceGroup(services: [runtime], logger: logger)
        return (group, Task { try await group.run() })
    }

    func write(
        _ id: String, to conversation: String, lifetime: Duration = .seconds(86_400), isBulk: Bool = false
    ) async throws {
        var command = try Sample.command(id, lifetime: lifetime)
        (command.conversationKey, command.recipient) = ("700:\(conversation)", .to(conversation))
        (command.requestedAt, command.expiresAt) = (now, now + lifetime)
        try await log.produce([command.record(topic: isBulk ? Self.topics.outboundBulk : Self.topics.outbound)])
    }

    func results() async throws -> [OutboundResult] {
        let reader = try await log.reader()
        let records = try await reader.read(
            TopicPartition(Self.topics.outboundResults, 0), from: 0, maxRecords: 1_000, waitingUpTo: .zero)
        await reader.close()
        return try records.map(OutboundResult.init)
    }

    /// Moves the clock, half a second at a time, until it holds.
    func advance(_ what: Comment, until holds: () async throws -> Bool) async throws {
        for _ in 0..<20_000 {
            if try await holds() { return }
            clock.advance(by: .milliseconds(500))
            try await Task.sleep(for: .milliseconds(4))
        }
        Issue.record(what)
    }

    func advance(by duration: Duration) async throws {
        let end = clock.now.sinceStart + duration
        try await advance("the time passes") { clock.now.sinceStart >= end }
    }
}

@Suite struct TakeOverTests {
    private static let failure = SendOutcome.retry(ClassifiedError(httpStatus: 500, errorClass: .retry, meaning: "down"))

    /// Whatever the API stumbles over leaves its line after a minute, and its number is not held.
    @Test(arguments: [500, 503]) func poisonousMessageHoldsNeitherItsNumberNorItsConversationForLong(status: Int) async throws {
        let failure = SendOutcome.retry(ClassifiedError(httpStatus: status, errorClass: .retry, meaning: "down"))
        let receipt = try Sample.receipt()
        try await SenderWorld.with({ $0 == "poison" ? failure : .accepted(receipt) }) { world in
            let instance = world.start()
            try await world.write("poison", to: "15550001111")
            try await world.write("next", to: "15550001111")
            var others = 0
            try await world.advance("the conversation goes on") {
                // Somebody else is written to now and then.
                if Int(world.clock.now.sinceStart / .seconds(3)) > others {
                    others += 1
                    try await world.write("other-\(others)", to: "15550002222")
                }
                return try await world.results().contains { $0.commandID == "next" }
            }
            let results = try await world.results()
            let poison = try #require(results.first { $0.commandID == "poison" })
            #expect(poison.outcome == .rejected && poison.error?.httpStatus == status)
            #expect(poison.attempts == world.sender.times("poison").count && poison.attempts > 1)
            #expect(poison.finishedAt - poison.firstAttemptAt < .seconds(300))
            #expect(results.contains { $0.commandID == "other-1" && $0.outcome == .accepted })
            #expect(results.first { $0.commandID == "next" }?.outcome == .accepted)
            await instance.group.triggerGracefulShutdown()
            try await instance.task.value
        }
    }

    /// Tries are bounded across owners, and the result tells all of them.
    @Test func attemptsAndTheirTimesSurviveATakeOver() async throws {
        let failure = Self.failure
        try await SenderWorld.with({ _ in failure }) { world in
            try await world.advance(by: .seconds(7))
            try await world.write("poison", to: "15550001111")
            try await world.advance(by: .seconds(3))
            for tries in [2, 4] {
                let instance = world.start()
                try await world.advance("it is tried") { world.sender.times("poison").count >= tries }
                await instance.group.triggerGracefulShutdown()
                try await instance.task.value
                // Nobody owns the partition for a while, which is not held against the message.
                try await world.advance(by: .seconds(600))
            }
            let instance = world.start()
            try await world.advance("it ends") { try await !world.results().isEmpty }
            let result = try #require(try await world.results().first)
            let times = world.sender.times("poison")
            #expect(result.outcome == .rejected)
            #expect(result.attempts == times.count && !result.attemptsAtLeast)
            let late = result.firstAttemptAt - (times.first ?? world.now)
            // The clock goes on by half a second a step while the handler works; owners lie ten minutes apart.
            #expect((.seconds(-60)...Duration.seconds(60)).contains(late), "not when it was taken over")
            await instance.group.triggerGracefulShutdown()
            try await instance.task.value
        }
    }

    /// An owner that was killed has told nothing of its last request: the result says that it may have been more.
    @Test func attemptsOfAKilledOwnerAreALowerBound() async throws {
        let receipt = try Sample.receipt()
        try await SenderWorld.with({ _ in .unknown(.cut) }) { world in
            let first = world.start()
            try await world.write("c1", to: "15550001111", lifetime: .seconds(60))
            try await world.advance("it is sent") { world.sender.times("c1").count == 1 }
            first.task.cancel()
            _ = await first.task.result
            world.sender.answer { _ in .accepted(receipt) }
            let second = world.start()
            try await world.advance("it expires in doubt") { try await !world.results().isEmpty }
            let result = try #require(try await world.results().first)
            #expect(result.outcome == .unknown && result.attempts == 1 && result.attemptsAtLeast)
            #expect(world.sender.times("c1").count == 1)
            await second.group.triggerGracefulShutdown()
            try await second.task.value
        }
    }

    /// An operator's word holds campaigns alone, also at an instance that starts later, and no longer than they live.
    @Test func pausedCampaignsWaitWhileRepliesGoOn() async throws {
        let receipt = try Sample.receipt()
        try await SenderWorld.with({ _ in .accepted(receipt) }) { world in
            func say(_ isPaused: Bool) async throws {
                let pause = BulkPause(isPaused: isPaused, at: world.now)
                _ = try await world.log.produce([pause.record(topic: SenderWorld.topics.sendLimits)])
            }
            try await say(true)
            var instance = world.start()
            for number in 0..<3 { try await world.write("bulk-\(number)", to: "1555000000\(number)", isBulk: true) }
            try await world.write("bulk-short", to: "15550000009", lifetime: .seconds(30), isBulk: true)
            try await world.write("reply", to: "15550000001")
            try await world.advance("the reply goes out, the short one expires") { try await world.results().count == 2 }
            #expect(try await Set(world.results().map(\.commandID)) == ["reply", "bulk-short"])
            #expect(try await world.results().first { $0.commandID == "bulk-short" }?.outcome == .expired)
            await instance.group.triggerGracefulShutdown()
            try await instance.task.value

            instance = world.start()
            try await world.advance(by: .seconds(600))
            #expect(try await world.results().count == 2)
            try await say(false)
            try await world.advance("campaigns go on") { try await world.results().count == 5 }
            #expect(world.sender.times("bulk-0").count == 1)
            await instance.group.triggerGracefulShutdown()
            try await instance.task.value
        }
    }

    /// What was sent is remembered on a disk; when that is lost the results on the log tell, and the copy has the same one.
    @Test func copyOfACommandIsNotSentAgainAfterItsDiskIsLost() async throws {
        let receipt = try Sample.receipt("wamid.once")
        try await SenderWorld.with({ _ in .accepted(receipt) }) { world in
            try await world.write("c1", to: "15550001111")
            let written = try Sample.command("c1", lifetime: .seconds(86_400)).record(topic: SenderWorld.topics.outbound)
            for (turn, disk) in ["first", "second", "first"].enumerated() {
                let instance = world.start(disk: disk)
                try await world.advance("the copy has a result") { try await world.results().count == turn + 1 }
                await instance.group.triggerGracefulShutdown()
                try await instance.task.value
                _ = try await world.log.produce([written])
            }
            #expect(world.sender.times("c1").count == 1)
            #expect(try await Set(world.results().map(\.messageID)) == ["wamid.once"])
            #expect(try await Set(world.results().map(\.eventID)).count == 1, "readers know the copies")
        }
    }

    /// Far longer than the patience with one message: what is down costs nobody an attempt, and nothing is lost.
    @Test func whileTheAPIIsDownNothingLeavesTheLine() async throws {
        let (failure, receipt) = (Self.failure, try Sample.receipt())
        try await SenderWorld.with({ _ in failure }) { world in
            let instance = world.start()
            for number in 0..<4 { try await world.write("c\(number)", to: "1555000000\(number)") }
            try await world.advance(by: .seconds(900))
            #expect(try await world.results().isEmpty)
            world.sender.answer { _ in .accepted(receipt) }
            try await world.advance("all are sent") { try await world.results().count == 4 }
            #expect(try await world.results().allSatisfy { $0.outcome == .accepted })
            await instance.group.triggerGracefulShutdown()
            try await instance.task.value
        }
    }
}
