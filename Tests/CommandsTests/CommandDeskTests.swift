import EventLog
import EventLogTesting
import Testing
import WhatsApp

@testable import Commands

@Suite struct CommandDeskTests {
    @Test func commandIsOnItsTopicWithEverythingItNeeds() async throws {
        try await Bench.run { bench in
            let desk = try await bench.instance()
            let receipt = try await desk.accept(try request(more: #","opaque":"o""#), from: operatorPrincipal)
            let command = try #require(try await bench.commands().first)
            #expect(command.id == receipt.commandID)
            #expect(command.conversationKey == receipt.conversationKey)
            #expect(command.channel == Bench.channels[0])
            #expect(command.opaque == "o")
            #expect(command.tag != nil)
            _ = try await desk.accept(try request(more: #","bulk":true"#), from: operatorPrincipal)
            #expect(try await bench.commands(Bench.topics.outboundBulk).count == 1)
            #expect(try await bench.commands().count == 1)
        }
    }

    @Test func withoutAKeyEachCallIsACommand() async throws {
        try await Bench.run { bench in
            let desk = try await bench.instance()
            for _ in 0..<2 { _ = try await desk.accept(try request(), from: operatorPrincipal) }
            #expect(Set(try await bench.commands().map(\.id)).count == 2)
            #expect(try await bench.records(Bench.topics.commandKeys).isEmpty)
        }
    }

    @Test func sameKeyAndContentIsOneCommandAlsoAfterARestart() async throws {
        try await Bench.run { bench in
            let clock = ManualTime(Timestamp(seconds: 1_790_000_000))
            let first = try await bench.instance(now: clock.now)
            let receipt = try await first.accept(try request(key: "k"), from: operatorPrincipal)
            #expect(!receipt.isRepetition)
            clock.advance(.seconds(60))
            let again = try await first.accept(try request(key: "k"), from: operatorPrincipal)
            #expect(again.isRepetition)
            #expect(again.commandID == receipt.commandID)
            #expect(try await bench.commands().count == 1)
            let restarted = try await bench.instance(now: clock.now)
            #expect(try await restarted.accept(try request(key: "k"), from: operatorPrincipal).commandID == receipt.commandID)
            let records = try await bench.records(Bench.topics.outbound)
            #expect(records.count == 2)
            #expect(records[0].value == records[1].value && records[0].headers == records[1].headers, "a copy")
        }
    }

    @Test(arguments: Bench.Backend.allCases)
    func sameKeyWithOtherContentIsRefusedAlsoAfterARestart(backend: Bench.Backend) async throws {
        try await Bench.run(on: backend) { bench in
            let first = try await bench.instance()
            _ = try await first.accept(try request(key: "k"), from: operatorPrincipal)
            for desk in [first, try await bench.instance()] {
                await #expect(throws: CommandRefusal.conflict) {
                    try await desk.accept(try request(key: "k", body: "Bye"), from: operatorPrincipal)
                }
                await #expect(throws: CommandRefusal.conflict, "another recipient, so another partition") {
                    try await desk.accept(try request(key: "k", to: "15550002222"), from: operatorPrincipal)
                }
            }
            #expect(try await bench.commands().count == 1)
            _ = try await first.accept(try request(key: "k", body: "Bye"), from: Principal(name: "another"))
            #expect(try await bench.commands().count == 2, "keys of two principals never meet")
        }
    }

    /// Instances that know nothing of each other's calls race with one key and different contents: one content wins
    /// everywhere.
    @Test(arguments: Bench.Backend.allCases) func racingInstancesAgreeOnOneContent(backend: Bench.Backend) async throws {
        try await Bench.run(on: backend) { bench in
            var desks: [CommandDesk] = []
            for _ in 0..<4 { desks.append(try await bench.instance()) }
            for round in 0..<20 {
                let outcomes = await withTaskGroup(of: (Int, Bool).self) { group in
                    for (index, desk) in desks.enumerated() {
                        group.addTask {
                            let asked = try? request(key: "k\(round)", to: "1555000\(1_000 + index)", body: "v\(index % 2)")
                            guard let asked else { return (index, false) }
                            return (index, (try? await desk.accept(asked, from: operatorPrincipal)) != nil)
                        }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                #expect(outcomes.count(where: \.1) == 1, "all recipients differ: one call wins")
            }
            let commands = try await bench.commands()
            #expect(commands.count == 20)
            #expect(Set(commands.map(\.id)).count == 20)
        }
    }

    @Test func callAfterALostAnswerGivesTheSameCommand() async throws {
        try await Bench.run { bench in
            let faulty = FaultyLog(bench.log, plan: .none)
            let keys = bench.keys(on: faulty)
            try await keys.start()
            let desk = bench.desk(keys, on: faulty)
            faulty.breakDown()
            await #expect(throws: LogError.self) { try await desk.accept(try request(key: "k"), from: operatorPrincipal) }
            faulty.repair()
            _ = try await desk.accept(try request(key: "k"), from: operatorPrincipal)
            #expect(try await bench.commands().count == 1)
        }
    }

    /// Answers of the log get lost at random; calling again until it works leaves one identity per key.
    @Test(arguments: [1, 2, 3] as [UInt64]) func lostAnswersGiveCopiesAndNothingElse(seed: UInt64) async throws {
        try await Bench.run { bench in
            let faulty = FaultyLog(bench.log, plan: FaultPlan(seed: seed, refusedProduces: 0.2, lostProduceAnswers: 0.3))
            let keys = bench.keys(on: faulty)
            try await keys.start()
            let desk = bench.desk(keys, on: faulty)
            for number in 0..<20 {
                var isDone = false
                while !isDone {
                    isDone = (try? await desk.accept(try request(key: "k\(number)"), from: operatorPrincipal)) != nil
                }
            }
            let records = try await bench.records(Bench.topics.outbound)
            #expect(Set(try records.map { try OutboundCommand($0).id }).count == 20)
            #expect(Set(records.map(\.value)).count == 20, "copies are the same, times included")
        }
    }

    @Test func forgottenKeyIsFreeAgain() async throws {
        try await Bench.run { bench in
            let clock = ManualTime(Timestamp(seconds: 1_790_000_000))
            let desk = try await bench.instance(now: clock.now)
            _ = try await desk.accept(try request(key: "k"), from: operatorPrincipal)
            clock.advance(.seconds(86_401))
            _ = try await bench.instance(now: clock.now).accept(try request(key: "k", body: "Bye"), from: operatorPrincipal)
            #expect(try await bench.commands().count == 2)
        }
    }

    @Test func brokenRulesAndForeignChannelsAreRefusedAndNothingIsStored() async throws {
        try await Bench.run { bench in
            let desk = try await bench.instance()
            await #expect(throws: CommandRefusal.invalid(
                MessageFault("message.text.body", "must be text of 1 to 4096 characters"))) {
                try await desk.accept(try request(key: "k", body: ""), from: operatorPrincipal)
            }
            let bound = Principal(name: "crm", channels: ["old"])
            await #expect(throws: CommandRefusal.forbidden) { try await desk.accept(try request(key: "k"), from: bound) }
            var elsewhere = try request(key: "k")
            elsewhere.channel = "nowhere"
            await #expect(throws: CommandRefusal.forbidden) { try await desk.accept(elsewhere, from: operatorPrincipal) }
            for topic in [Bench.topics.outbound, Bench.topics.outboundBulk, Bench.topics.commandKeys] {
                #expect(try await bench.records(topic).isEmpty)
            }
            _ = try await desk.accept(try request(key: "k"), from: operatorPrincipal)
        }
    }

    @Test func foreignRecordsOnTheTopicOfKeysArePassedOver() async throws {
        try await Bench.run { bench in
            let topic = Bench.topics.commandKeys
            try await bench.log.produce([
                Record(topic: topic, key: nil, value: [1]), Record(topic: topic, key: [0xFF], value: Array("{}".utf8)),
                Record(
                    topic: topic, key: Array("short".utf8),
                    value: Array(#"{"content":"x","requested_at":1,"expires_at":2}"#.utf8)),
            ])
            let desk = try await bench.instance()
            _ = try await desk.accept(try request(key: "k"), from: operatorPrincipal)
        }
    }
}
