import EventLog
import EventLogTesting
import Foundation
import Synchronization
import Testing

@testable import Processing

/// State that survives its disk: every owner here has a folder of its own, as another machine would.
@Suite struct SurvivalTests {
    /// Counts the records of each key and puts `value=count` out. `forget` removes the key.
    private var counter: TestProcessor {
        var processor = TestProcessor { record, context in
            if record.valueText == "forget" {
                try await context.state.set(record.keyText, to: nil, expires: nil)
                return []
            }
            let count = Int(String(decoding: try await context.state.value(record.keyText) ?? [], as: UTF8.self)) ?? 0
            try await context.state.set(record.keyText, to: Array("\(count + 1)".utf8), expires: nil)
            return [Record(topic: "out", key: record.key, value: Array("\(record.valueText)=\(count + 1)".utf8))]
        }
        processor.state = .surviving(.all)
        return processor
    }

    private func machine(_ number: Int, in world: World) -> (inout ProcessorRuntimeConfiguration) -> Void {
        { $0.stateDirectory = world.folder + "/machine\(number)" }
    }

    private func disk(_ number: Int, in world: World, _ partition: Int32 = 0) async throws -> SQLiteStateStore {
        try await .open(world.folder + "/machine\(number)/millrace.test/\(partition).db", survivors: .all)
    }

    private func outputs(_ world: World) async throws -> [String] { try await world.read("out").map(\.valueText) }

    @Test(arguments: [WorkMode.ordered, .concurrent(limit: 4)])
    func theNextMachineHasTheSameState(work: WorkMode) async throws {
        try await World.with { world in
            var processor = counter
            processor.work = work
            for turn in 0..<4 {
                try await world.write((0..<5).map { ("k", "\(turn * 5 + $0)") })
                let owner = world.start(processor, machine(turn, in: world))
                try await world.waitUntilDone()
                if turn % 2 == 0 { try await owner.stop() } else { await owner.kill() }
            }
            #expect(try await outputs(world) == (0..<20).map { "\($0)=\($0 + 1)" })
        }
    }

    @Test func whatWasRemovedStaysSo() async throws {
        try await World.with { world in
            try await world.write([("a", "0"), ("b", "1"), ("a", "forget")])
            let first = world.start(counter, machine(1, in: world))
            try await world.waitUntilDone()
            await first.kill()
            try await world.write([("a", "2"), ("b", "3")])
            let second = world.start(counter, machine(2, in: world))
            try await world.waitUntilDone()
            try await second.stop()
            #expect(try await outputs(world) == ["0=1", "1=1", "2=1", "3=2"])
        }
    }

    @Test func onlyTheDeclaredPartSurvives() async throws {
        try await World.with { world in
            var processor = counter
            processor.state = .surviving(.beginning(with: ["kept/"]))
            try await world.write([("kept/a", "0"), ("b", "1")])
            let first = world.start(processor, machine(1, in: world))
            try await world.waitUntilDone()
            try await first.stop()
            try await world.write([("kept/a", "2"), ("b", "3")])
            let second = world.start(processor, machine(2, in: world))
            try await world.waitUntilDone()
            try await second.stop()
            #expect(try await outputs(world) == ["0=1", "1=1", "2=2", "3=1"])
            let keys = Set(try await world.read(World.state).map(\.keyText)).filter { !$0.hasPrefix("\u{0}") }
            #expect(keys == ["kept/a"])
        }
    }

    /// The group does not know yet what the state contains.
    @Test func whatTheStateContainsIsNotAppliedAgainOnAnotherMachine() async throws {
        try await World.with { world in
            try await world.write((0..<5).map { ("k", "\($0)") })
            let claiming = Allowance(1)
            let stuck = HookedLog(
                world.log,
                .init(beforeCommit: { _ throws(LogError) in
                    if !claiming.take() { throw LogError(.unavailable, "refused on purpose") }
                }))
            let first = world.start(counter, on: stuck, machine(1, in: world))
            try await eventually("the state is on the log") {
                let records = try await world.read(World.state)
                return records.contains { $0.valueText == "5" } && records.last?.keyText == "\u{0}seal"
            }
            await first.kill()
            #expect(try await world.progress() == Progress(offset: 0))
            try await world.write([("k", "5")])
            let second = world.start(counter, machine(2, in: world))
            try await world.waitUntilDone()
            try await second.stop()
            #expect(try await outputs(world).last == "5=6")
        }
    }

    /// Kafka cannot write entries and seal in one step. Here nothing is ever sealed.
    @Test func aFlushThatWasNotSealedIsNotBelieved() async throws {
        try await World.with { world in
            try await world.write([("k", "0")])
            let first = world.start(counter, machine(1, in: world))
            try await world.waitUntilDone()
            await first.kill()
            try await world.write([("k", "1"), ("new", "2")])
            let claiming = Allowance(1)
            let unsealed = HookedLog(
                world.log,
                .init(beforeSeal: { _ throws(LogError) in
                    if !claiming.take() { throw LogError(.unavailable, "refused on purpose") }
                }))
            let dying = world.start(counter, on: unsealed, machine(2, in: world))
            try await eventually("its entries are there") {
                try await world.read(World.state).contains { $0.keyText == "new" }
            }
            await dying.kill()
            let third = world.start(counter, machine(3, in: world))
            try await world.waitUntilDone()
            try await third.stop()
            #expect(try await outputs(world).last == "2=1")
            #expect(try await disk(3, in: world).value("k") == Array("2".utf8))
        }
    }

    /// A former owner that hangs may write to Kafka long after its successor has begun.
    @Test func whatAFormerOwnerWritesTooLateIsNotBelievedAndWrittenOver() async throws {
        try await World.with { world in
            try await world.write([("k", "0"), ("l", "1")])
            let first = world.start(counter, machine(1, in: world))
            try await world.waitUntilDone()
            try await first.stop()
            let second = world.start(counter, machine(2, in: world))
            try await eventually("it has begun") {
                try await world.read(World.state).contains {
                    $0.keyText == "\u{0}seal" && $0.headers.string("state.epoch") == "2"
                }
            }
            let state = TopicPartition(World.state, 0)
            let late: [StateRecord] = [
                .entry(key: "k", StateEntry(value: Array("700".utf8)), epoch: 1, flush: 9),
                .entry(key: "z", StateEntry(value: Array("700".utf8)), epoch: 1, flush: 9),
                .seal(["in": Progress(offset: 99)], epoch: 1, flush: 9, hasSettled: true),
            ]
            try await world.log.produce(late.map { $0.record(in: state) })
            try await world.write([("l", "2")])
            try await world.waitUntilDone()
            try await world.write([("l", "3")])
            try await world.waitUntilDone()
            try await second.stop()
            let newest = Dictionary(grouping: try await world.read(World.state), by: \.keyText).mapValues(\.last!)
            #expect(newest["k"]?.valueText == "1" && newest["z"]?.value == nil)
            try await world.write([("k", "4"), ("z", "5")])
            let third = world.start(counter, machine(3, in: world))
            try await world.waitUntilDone()
            try await third.stop()
            #expect(try await outputs(world).suffix(2) == ["4=2", "5=1"])
        }
    }

    @Test func anOwnerWhoseStateIsClaimedByAnotherWritesNothingMore() async throws {
        try await World.with { world in
            let first = world.start(counter, machine(1, in: world))
            try await eventually("it has begun") {
                try await world.read(World.state).contains { $0.keyText == "\u{0}seal" }
            }
            try await world.log.produce([StateRecord.claim(epoch: 5).record(in: TopicPartition(World.state, 0))])
            try await world.write([("k", "0")])
            try await eventually("it has tried") {
                try await world.read(World.state).contains { $0.keyText == "k" }
            }
            try await Task.sleep(for: .milliseconds(200))
            #expect(try await world.progress() == Progress(offset: 0))
            await first.kill()
            #expect(try await disk(1, in: world).value("k") == nil)
            let second = world.start(counter, machine(2, in: world))
            try await world.waitUntilDone()
            try await second.stop()
            #expect(try await disk(2, in: world).value("k") == Array("1".utf8))
        }
    }

    @Test func aRestoreThatIsStoppedGoesOnWhereItWas() async throws {
        try await World.with { world in
            try await world.write((0..<4_000).map { ("k\($0)", "\($0)") })
            let first = world.start(counter, machine(1, in: world))
            try await world.waitUntilDone()
            try await first.stop()
            let slow = SlowReads(world.log, of: World.state, pages: 3)
            let interrupted = world.start(counter, on: slow.log, machine(2, in: world))
            try await eventually("it stands in the middle") { slow.isStanding }
            try await interrupted.stop()
            let read = Restored()
            let second = world.start(counter, observer: read, machine(2, in: world))
            try await world.write([("k7", "new")])
            try await world.waitUntilDone()
            try await second.stop()
            #expect(try await outputs(world).last == "new=2")
            #expect(read.count > 500 && read.count < 4_000)
        }
    }

    /// While one member restores, another joins: it gets its share at once.
    @Test func aPartitionThatIsBeingRestoredCanBeGivenUp() async throws {
        try await World.with(partitions: 2) { world in
            try await world.write((0..<400).map { ("k\($0)", "\($0)") })
            let first = world.start(counter, machine(1, in: world))
            try await world.waitUntilDone()
            try await first.stop()
            let slow = SlowReads(world.log, of: World.state, pages: 0)
            let standing = world.start(counter, on: slow.log, machine(2, in: world))
            try await eventually("it restores") { slow.isStanding }
            let other = try await World.open(world.folder)
            let second = world.start(counter, on: other, machine(3, in: world))
            try await world.write((0..<400).map { ("k\($0)", "again") })
            try await eventually("the other one works on its share") {
                let (first, second) = (try await world.progress("in", 0), try await world.progress("in", 1))
                return first.offset + second.offset > 400
            }
            slow.goOn()
            try await world.waitUntilDone()
            try await standing.stop()
            try await second.stop()
            await other.close()
            #expect(try await outputs(world).count { $0 == "again=2" } == 400)
        }
    }

    @Test func withoutItsTopicAProcessorDoesNotStart() async throws {
        try await World.with { world in
            var processor = counter
            processor.name = "homeless"
            try await world.log.admin.createTopics([
                TopicSpec("dlq.millrace.homeless", partitions: 1, retention: .delete(days: 1))
            ])
            let runtime = world.start(processor)
            await #expect(throws: LogError.self) { try await runtime.end() }
        }
    }

    @Test func stateOfBeforeIsGivenToAnEmptyTopic() async throws {
        try await World.with { world in
            var former = counter
            former.state = .local
            try await world.write((0..<1_200).map { ("k\($0)", "\($0)") })
            let first = world.start(former, machine(1, in: world))
            try await world.waitUntilDone()
            try await first.stop()
            let second = world.start(counter, machine(1, in: world))
            try await world.write([("k0", "x")])
            try await world.waitUntilDone()
            try await second.stop()
            try await world.write([("k0", "y"), ("k1199", "z")])
            let third = world.start(counter, machine(2, in: world))
            try await world.waitUntilDone()
            try await third.stop()
            #expect(try await outputs(world).suffix(3) == ["x=2", "y=3", "z=2"])
        }
    }

    /// A seal that says so too early would let compaction decide about the keys that are still to come.
    @Test func anOwnerHasSettledWhenTheLastDoubtedKeyIsWrittenAgain() async throws {
        try await World.with { world in
            var former = counter
            former.state = .local
            let keys = Set((0..<1_200).map { "k\($0)" })
            try await world.write(keys.map { ($0, "") })
            let first = world.start(former, machine(1, in: world))
            try await world.waitUntilDone()
            try await first.stop()
            let second = world.start(counter, machine(1, in: world))
            for n in 0..<4 {
                try await world.write([("k0", "\(n)")])
                try await world.waitUntilDone()
            }
            try await second.stop()
            let records = try await world.read(World.state)
            let settled = try #require(records.firstIndex { $0.headers["state.settled"] != nil })
            #expect(Set(records[..<settled].map(\.keyText)).isSuperset(of: keys))
        }
    }

    /// A file of garbage, one that was cut, and one whose pages are garbage behind the first.
    @Test(arguments: [0, 4_096, 5_000])
    func aDamagedFileIsSetAsideAndItsStateRestored(kept: Int) async throws {
        try await World.with { world in
            try await world.write((0..<300).map { ("k\($0)", "a") })
            let first = world.start(counter, machine(1, in: world))
            try await world.waitUntilDone()
            try await first.stop()
            let path = world.folder + "/machine1/millrace.test/0.db"
            let file = try #require(FileManager.default.contents(atPath: path))
            let garbage = Data(repeating: 0xA5, count: kept == 5_000 ? 0 : file.count - kept)
            try (file.prefix(kept) + garbage).write(to: URL(filePath: path))
            try await world.write([("k7", "b")])
            let second = world.start(counter, machine(1, in: world))
            try await world.waitUntilDone()
            try await second.stop()
            #expect(try await outputs(world).last == "b=2")
            #expect(FileManager.default.fileExists(atPath: path + ".damaged"))
        }
    }

    /// Entries expire on the topic too.
    @Test func whatExpiresIsRemovedFromTheTopic() async throws {
        try await World.with { world in
            let clock = ManualClock()
            var processor = TestProcessor { record, context in
                try await context.state.set(record.keyText, to: [1], expires: context.now + .seconds(60))
                return []
            }
            processor.state = .surviving(.all)
            try await world.write((0..<1_100).map { ("k\($0)", "\($0)") })
            let runtime = world.start(processor, clock: clock, machine(1, in: world))
            try await world.waitUntilDone()
            clock.advance(by: .seconds(61))
            for n in 0..<4 {
                try await world.write([("last", "\(n)")])
                try await world.waitUntilDone()
            }
            try await runtime.stop()
            let newest = Dictionary(grouping: try await world.read(World.state), by: \.keyText).mapValues(\.last!)
            let held = newest.filter { $0.value.value != nil && !$0.key.hasPrefix("\u{0}") }
            #expect(Set(held.keys) == ["last"])
            #expect(try await disk(1, in: world).size.surviving == 5)
        }
    }
}

/// Counts what a restore takes over.
private final class Restored: ProcessorObserver {
    private let records = Mutex(0)
    var count: Int { records.withLock { $0 } }
    func restored(_ records: Int) { self.records.withLock { $0 += records } }
    func received(_ records: Int, from partition: TopicPartition) {}
    func handled(_ partition: TopicPartition, _ outcome: HandlingOutcome, took: [Duration]) {}
    func produced(_ records: Int) {}
    func progressed(_ partition: TopicPartition, to offset: Offset, parked: Int, oldest: Timestamp?) {}
    func stuck(_ partition: TopicPartition) {}
    func released(_ partition: TopicPartition) {}
}
