import EventLog
import EventLogTesting
import Foundation
import Logging
import SQLiteLog
import Telemetry
import Testing

@testable import Spill

/// A spilling producer on a real spill file, in front of a log in the test's hand, on a clock that the test moves.
@Suite struct SpillingProducerTests {
    struct Scene: Sendable {
        let log = TestLog()
        let clock = ManualClock()
        let answers = Answers()
        let lines = LogCapture()
        let folder: String
        let spill: SpillingProducer
        private let running: Task<Void, any Error>

        init(_ folder: String, configure: (inout SpillConfiguration) -> Void = { _ in }) async throws {
            var configuration = SpillConfiguration()
            configuration.minFreeBytes = 0
            configuration.closeTimeout = .zero
            configuration.logger = lines.logger
            configure(&configuration)
            self.folder = folder
            let spill = try await SpillingProducer.open(
                directory: folder, topics: ["t", "u"], before: self.log, configuration: configuration, clock: clock)
            self.spill = spill
            running = Task { try await spill.run() }
        }

        /// Time passes in steps, so that both loops come round.
        func pass(_ time: Duration) async {
            for _ in 0..<max(1, time.milliseconds / 50) {
                await clock.waitForSleepers(2)
                clock.advance(by: .milliseconds(50))
            }
            await clock.waitForSleepers(2)
        }
        func passUntil(_ what: Comment, _ condition: () async throws -> Bool) async throws {
            try await eventually(what) {
                await pass(.milliseconds(50))
                return try await condition()
            }
        }
        func end() async throws {
            running.cancel()
            try await running.value
        }
    }

    func withScene(
        configure: (inout SpillConfiguration) -> Void = { _ in }, _ body: (Scene) async throws -> Void
    ) async throws {
        try await withFolder { folder in
            let scene = try await Scene(folder, configure: configure)
            try await body(scene)
            try await scene.end()
        }
    }

    @Test func aLogThatAnswersLeavesTheSpillAlone() async throws {
        try await withScene { scene in
            for n in 1...20 { scene.give("\(n)") }
            #expect(scene.answers.stored.count == 20)
            #expect(scene.log.stored == (1...20).map(String.init))
            await scene.pass(.seconds(2))
            #expect(scene.spill.heldRecords == 0)
            #expect(scene.spill.state.withLock(\.totals.spilled) == 0)
            #expect(scene.lines.all.isEmpty)
        }
    }

    @Test func aRecordIsAnsweredFromTheSpillAfterHalfASecond() async throws {
        try await withScene { scene in
            scene.log.set(.hold)
            scene.give("1")
            await scene.pass(.milliseconds(450))
            #expect(scene.answers.stored.isEmpty)
            try await scene.passUntil("the copy is durable") { scene.answers.stored == ["1"] }
            #expect(scene.spill.heldRecords == 1)
            // The late word removes the copy, and nothing is sent twice.
            scene.log.set(.accept)
            scene.log.release()
            try await scene.passUntil("the spill is empty") { scene.spill.heldRecords == 0 }
            #expect(scene.log.sent == [["1"]])
            scene.give("2")
            #expect(scene.log.stored == ["1", "2"])
        }
    }

    @Test func whileALaneIsLateItsRecordsGoToTheSpillAndOthersDoNot() async throws {
        try await withScene { scene in
            scene.log.set(.hold)
            scene.give("a1", key: "a")
            await scene.pass(.milliseconds(350))
            scene.give("a2", key: "a")
            scene.give("b1", key: "b")
            try await scene.passUntil("both are answered") { scene.answers.stored.isSuperset(of: ["a1", "a2"]) }
            #expect(scene.log.sent == [["a1"], ["b1"]])
            scene.log.set(.accept)
            scene.log.release()
            try await scene.passUntil("drained") { scene.log.stored.contains("a2") && scene.spill.heldRecords == 0 }
            #expect(scene.log.stored == ["a1", "b1", "a2"])
        }
    }

    @Test func whatFailsIsSpilledAndSentAgainInOrder() async throws {
        try await withScene { scene in
            scene.log.set(.hold)
            for n in 1...5 { scene.give("\(n)") }
            scene.log.release(failing: .notDurable)
            for n in 6...9 { scene.give("\(n)") }
            try await scene.passUntil("all are answered") { scene.answers.stored.count == 9 }
            scene.log.set(.accept)
            scene.log.release(failing: .notDurable)
            try await scene.passUntil("drained") { scene.spill.heldRecords == 0 }
            #expect(scene.log.stored == (1...9).map(String.init))
        }
    }

    @Test func aLaneStaysInTheSpillUntilTheLogHasAnswered() async throws {
        try await withScene { scene in
            scene.log.set(.fail(.notDurable))
            scene.give("1")
            try await scene.passUntil("the copy is durable") { scene.answers.stored == ["1"] }
            // Sent again, to a log that says nothing: not a reason to give it more.
            scene.log.set(.hold)
            try await scene.passUntil("it is sent again") { scene.log.heldCount == 1 }
            scene.give("2")
            try await scene.passUntil("the second is spilled") { scene.answers.stored == ["1", "2"] }
            await scene.pass(.seconds(1))
            #expect(scene.log.heldCount == 1)
            scene.log.set(.accept)
            scene.log.release()
            try await scene.passUntil("both are there") { scene.log.stored == ["1", "2"] && scene.spill.heldRecords == 0 }
        }
    }

    @Test func whatIsSpilledOutlivesTheProcess() async throws {
        try await withFolder { folder in
            let first = try await Scene(folder)
            first.log.set(.fail(.unavailable))
            for n in 1...9 {
                first.give("\(n)")
                first.give("null \(n)", key: nil, topic: "u")
            }
            try await first.passUntil("all are answered") { first.answers.stored.count == 18 }
            try await first.end()

            let second = try await Scene(folder)
            #expect(second.spill.heldRecords == 18)
            // Newer ones of the lane come after it; other lanes are open.
            second.give("10")
            second.give("other", key: "other")
            #expect(second.log.stored == ["other"])
            try await second.passUntil("drained") { second.spill.heldRecords == 0 }
            #expect(second.log.stored.filter { Int($0) != nil } == (1...10).map(String.init))
            #expect(second.log.stored.filter { $0.hasPrefix("null") } == (1...9).map { "null \($0)" })
            let arrived = second.log.storedRecords.filter { $0.topic == "u" }
            #expect(arrived.allSatisfy { $0.key == nil && $0.partition == nil })
            try await second.end()
        }
    }

    @Test func everythingOfARecordComesThroughTheSpill() async throws {
        try await withScene { scene in
            let headers = Headers([Header("a", "1"), Header("null", nil), Header("a", [0, 255])])
            let given = [
                Record(topic: "t", key: [0], value: nil, headers: headers, timestamp: Timestamp(milliseconds: 5)),
                Record(topic: "t", key: [], value: [], timestamp: Timestamp(milliseconds: 7)),
            ]
            scene.log.set(.fail(.notDurable))
            for record in given { try await scene.spill.produce([record]) }
            scene.log.set(.accept)
            try await scene.passUntil("drained") { scene.log.stored.count == 2 }
            #expect(Set(scene.log.storedRecords) == Set(given))
        }
    }

    @Test func aFullSpillRefusesAndTheLogMayStillTakeWhatItHas() async throws {
        try await withScene(configure: { $0.maxBytes = 400 }) { scene in
            scene.log.set(.hold)
            scene.give("first", key: "a")
            await scene.pass(.milliseconds(350))
            for n in 1...10 { scene.give("\(n)", key: "a") }
            try await scene.passUntil("the room is used") { scene.answers.stored.count > 2 }
            #expect(scene.answers.failed["10"] == .queueFull)
            #expect(!scene.spill.canAccept)
            // No room for its copy: it waits for the log.
            scene.give("late", key: "b")
            await scene.pass(.seconds(1))
            #expect(!scene.answers.stored.contains("late") && scene.answers.failed["late"] == nil)
            scene.log.set(.accept)
            scene.log.release()
            try await scene.passUntil("room again") { scene.spill.heldRecords == 0 }
            #expect(scene.answers.stored.contains("late"))
            try await scene.passUntil("all lanes are open") { scene.spill.canAccept }
            scene.give("again", key: "a")
            #expect(scene.answers.stored.contains("again"))
            #expect(Set(scene.log.stored) == scene.answers.stored)
        }
    }

    @Test func aDiskWithoutRoomIsAFullSpill() async throws {
        try await withScene(configure: { $0.minFreeBytes = .max }) { scene in
            await scene.pass(.milliseconds(100))
            scene.log.set(.fail(.notDurable))
            scene.give("1")
            #expect(scene.answers.failed["1"] == .notDurable)
        }
    }

    @Test func aRecordThatTheLogRefusesForGoodIsKeptAndDoesNotHoldUpItsLane() async throws {
        try await withScene { scene in
            scene.log.refuse { $0.text == "poison" ? .recordTooLarge : nil }
            scene.give("1")
            scene.give("poison")
            scene.give("2")
            try await scene.passUntil("drained") { scene.spill.heldRecords == 0 && scene.answers.stored.count == 3 }
            #expect(scene.log.stored == ["1", "2"])
            #expect(try await SpillStatus.read(directory: scene.folder).rejected == 1)
            #expect(scene.lines.all.count { $0.hasPrefix("error The log refuses a record for good") } == 1)
            #expect(!scene.lines.all.contains { $0.contains("poison") })
            scene.log.refuseNothing()
            #expect(try await scene.spill.retryRejected() == 1)
            #expect(scene.log.stored == ["1", "2", "poison"])
            #expect(scene.log.storedRecords.last == record("poison").with(scene.log.storedRecords.last?.timestamp))
            #expect(try await SpillStatus.read(directory: scene.folder).rejected == 0)
        }
    }

    @Test func aTopicThatIsUnknownKeepsItsRecordsWaitingInOrder() async throws {
        try await withScene { scene in
            scene.log.refuse { $0.topic == "u" ? .unknownTopic : nil }
            for n in 1...5 { scene.give("\(n)", topic: "u") }
            scene.give("other", topic: "t")
            try await scene.passUntil("all are answered") { scene.answers.stored.count == 6 }
            await scene.pass(.seconds(20))
            #expect(scene.log.stored == ["other"])
            #expect(scene.spill.heldRecords == 5)
            #expect(scene.lines.all.contains { $0.hasPrefix("error A topic takes no records") })
            scene.log.refuseNothing()
            try await scene.passUntil("drained") { scene.spill.heldRecords == 0 }
            #expect(scene.log.stored == ["other", "1", "2", "3", "4", "5"])
        }
    }

    @Test func aCallOverManyLanesIsAnsweredOnceWhenAllAreDurable() async throws {
        try await withScene { scene in
            scene.log.set(.hold)
            let records = (0..<100).map { record("\($0)", key: "key \($0)") }
            scene.spill.send(records) { scene.answers.note("call", $0) }
            #expect(scene.log.sent.flatMap { $0 }.count == 100)
            try await scene.passUntil("answered") { scene.answers.stored == ["call"] }
            scene.log.set(.accept)
            scene.log.release()
            try await scene.passUntil("drained") { scene.spill.heldRecords == 0 }
            #expect(scene.log.stored.count == 100)
        }
    }

    @Test func whatCannotBeSpilledIsRefusedAtOnce() async throws {
        try await withScene { scene in
            scene.give("x", topic: "stranger")
            scene.spill.send([Record(topic: "t", partition: 0, key: nil, value: nil)]) { scene.answers.note("placed", $0) }
            scene.spill.send([]) { scene.answers.note("empty", $0) }
            #expect(scene.answers.failed == ["x": .unknownTopic, "placed": .unsupported])
            #expect(scene.answers.stored == ["empty"])
        }
    }

    @Test func theLogsWordIsHeardWhereTheBellRings() async throws {
        try await withFolder { folder in
            let rings = Answers()
            let answers = Answers()
            let spill = try await SpillingProducer.open(directory: folder, topics: ["t"], before: DrainableLog())
            spill.setBell { rings.note("rung", .success([])) }
            spill.give("a", answers)
            #expect(rings.stored == ["rung"])
            #expect(answers.stored == [])
            spill.drain()
            #expect(answers.stored == ["a"])
            await spill.close()
        }
    }

    @Test func whatTheSpillDoesIsCounted() async throws {
        let registry = PrometheusRegistry()
        func value(_ metric: SpillMetric, _ label: String? = nil) -> Double? {
            label.map { registry.value(of: metric, $0) } ?? registry.value(of: metric)
        }
        try await withScene(configure: { ($0.metrics, $0.maxBytes) = (registry, 1 << 20) }) { scene in
            scene.log.set(.hold)
            scene.give("a")
            try await scene.passUntil("the record is spilled") { value(.records) == 1 && value(.lanes) == 1 }
            #expect(value(.spilled) == 1 && value(.bytesLimit) == 1_048_576 && value(.diskFree) ?? 0 > 0)
            scene.log.set(.accept)
            scene.log.release()
            try await scene.passUntil("the spill is empty") {
                value(.records) == 0 && value(.lanes) == 0 && value(.bytes) == 0
            }
            scene.log.refuse { $0.text == "b" ? .recordTooLarge : nil }
            scene.give("b")
            try await scene.passUntil("the record is rejected") { value(.rejectedHeld) == 1 }
            #expect(value(.rejected, LogError.Code.recordTooLarge.name) == 1)
        }
    }

    @Test func twoProcessesCannotShareADirectory() async throws {
        try await withScene { scene in
            do throws(LogError) {
                _ = try await SpillingProducer.open(directory: scene.folder, topics: ["t"], before: scene.log)
                Issue.record("it was opened twice")
            } catch {
                #expect(error.code == .unavailable)
                #expect(error.detail.contains("belongs to another process"))
            }
            // Looking is allowed.
            let status = try await SpillStatus.read(directory: scene.folder)
            #expect(status.isInUse)
        }
    }

    @Test func theStatusOfASpillNeedsNoMoreThanToRead() async throws {
        try await withFolder { folder in
            let scene = try await Scene(folder)
            scene.log.set(.fail(.unavailable))
            for n in 1...3 { scene.give("\(n)") }
            try await scene.passUntil("all are spilled") { scene.answers.stored.count == 3 }
            #expect(try await SpillStatus.read(directory: folder).records == 3)
            try await scene.end()
            // A copy of SQLite's own files, as in a backup; nothing is made beside them.
            for file in ["spill.db.lock", "spill.db.bell"] {
                try FileManager.default.removeItem(atPath: "\(folder)/\(file)")
            }
            let files = Set(try FileManager.default.contentsOfDirectory(atPath: folder))
            let status = try await SpillStatus.read(directory: folder)
            #expect(status.records == 3 && !status.isInUse && status.lanes.first?.oldest?.text == "1")
            #expect(try Set(FileManager.default.contentsOfDirectory(atPath: folder)) == files)
        }
    }

    /// A spill on a disk that is mounted read-only, and one whose ingress runs beside that mount.
    @Test(.enabled(if: SmallMount.isAllowed, "needs the right to mount"), arguments: [false, true])
    func theStatusIsReadOnAReadOnlyMount(isInUse: Bool) async throws {
        try await withFolder { folder in
            try await withFolder { mounted in
                let scene = try await Scene(folder)
                scene.log.set(.fail(.unavailable))
                scene.give("1")
                try await scene.passUntil("it is spilled") { scene.answers.stored.count == 1 }
                if !isInUse { try await scene.end() }
                let mount = try SmallMount(readOnly: folder, at: mounted)
                #expect(open("\(mounted)/new", O_WRONLY | O_CREAT, 0o600) < 0)
                let status = try await SpillStatus.read(directory: mounted)
                #expect(status.records == 1 && status.isInUse == isInUse)
                mount.remove()
                if isInUse { try await scene.end() }
            }
        }
    }

    @Test func beginningAndEndAreOneLineEach() async throws {
        try await withScene { scene in
            scene.log.set(.hold)
            scene.give("1")
            try await scene.passUntil("spilled") { scene.spill.heldRecords == 1 }
            await scene.pass(.seconds(3))
            scene.log.set(.accept)
            scene.log.release()
            try await scene.passUntil("empty") { scene.spill.heldRecords == 0 }
            await scene.pass(.seconds(2))
            #expect(scene.lines.all.count == 2)
            #expect(scene.lines.all.first?.hasPrefix("warning The log is slow or gone: records go to the spill") == true)
            #expect(scene.lines.all.last?.hasPrefix("notice The spill is empty: records go to the log") == true)
        }
    }
}

extension SpillingProducerTests.Scene {
    func give(_ text: String, key: String? = "k", topic: Topic = "t") { spill.give(text, key: key, topic: topic, answers) }
}

extension StoredRecord {
    fileprivate var text: String { String(decoding: value ?? [], as: UTF8.self) }
}

extension Record {
    func with(_ timestamp: Timestamp?) -> Record {
        var record = self
        record.timestamp = timestamp
        return record
    }
}
