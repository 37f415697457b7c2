import EventLog

/// Members come and go; records are neither lost nor given to two.
enum GroupCases {
    static func twoMembersShareAndOneTakesOver(_ scene: Scene) async throws {
        let topic = try await scene.topic(partitions: 4)
        let log = try await scene.open()
        let first = try await scene.member(log, [topic], .init(commits: true))
        first.pump()
        try await first.wait(for: "all partitions") { $0.owned.count == 4 }
        let second = try await scene.member(try await scene.open(), [topic], .init(commits: true))
        second.pump()
        try await eventually("two and two") { first.state.owned.count == 2 && second.state.owned.count == 2 }
        try requireEqual(
            Set(first.state.owned.keys).union(second.state.owned.keys).count, 4, "partitions owned together")
        try await produceEverywhere(log, topic, 0..<50)
        // Whoever has them by now: each member takes records of its own partitions only, or fails.
        let partitions = (0..<4).map { TopicPartition(topic, $0) }
        try await eventually("all records") {
            for member in [first, second] { if let failure = member.state.failure { throw failure } }
            return partitions.allSatisfy { Set(first.state.offsets($0) + second.state.offsets($0)).count == 50 }
        }
        await second.close()
        try await first.wait(for: "all partitions again") { $0.owned.count == 4 }
        try await produceEverywhere(log, topic, 50..<60)
        try await first.wait(for: "all new records") { state in
            state.owned.keys.allSatisfy { Set(state.offsets($0)).isSuperset(of: 50..<60) }
        }
        // What one has committed does not come to the other. A slow machine may cost a member its partitions unasked, with
        // commits under way.
        if !first.state.lost.isEmpty || !second.state.lost.isEmpty { return }
        for partition in partitions {
            let repeated = Set(first.state.offsets(partition)).intersection(second.state.offsets(partition))
            try requireEqual(repeated, [], "committed records of \(partition) that came again")
        }
    }

    static func topicsOfEqualPartitionCountStayTogether(_ scene: Scene) async throws {
        let topics = [try await scene.topic("a", partitions: 4), try await scene.topic("b", partitions: 4)]
        let first = try await scene.member(try await scene.open(), topics)
        first.pump()
        try await first.wait(for: "all partitions") { $0.owned.count == 8 }
        let second = try await scene.member(try await scene.open(), topics)
        second.pump()
        try await eventually("four and four") { first.state.owned.count == 4 && second.state.owned.count == 4 }
        for member in [first, second] {
            let owned = member.state.owned.keys
            try requireEqual(
                Set(owned.filter { $0.topic == topics[0] }.map(\.partition)),
                Set(owned.filter { $0.topic == topics[1] }.map(\.partition)), "partitions of both topics")
        }
    }

    static func aMemberBeyondThePartitionsWaits(_ scene: Scene) async throws {
        let topic = try await scene.topic()
        let log = try await scene.open()
        let members = [try await scene.member(log, [topic], .init(commits: true))]
        members[0].pump()
        try await members[0].wait(for: "the partition") { $0.owned.count == 1 }
        let idle = try await scene.member(try await scene.open(), [topic], .init(commits: true))
        idle.pump()
        try await log.produce(numbered(0..<10, for: topic))
        try await eventually("all records, whoever owns the partition") {
            Set((members[0].state.records + idle.state.records).map(\.offset)) == Set(0..<10)
        }
        await (members[0].state.owned.isEmpty ? idle : members[0]).close()
        let heir = members[0].state.ended ? idle : members[0]
        try await heir.wait(for: "the partition") { $0.owned.count == 1 }
        try await log.produce(numbered(10..<11, for: topic))
        try await heir.wait(for: "the next record") { $0.records.contains { $0.offset == 10 } }
    }

    static func groupsDoNotDisturbEachOther(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let partition = TopicPartition(topic, 0)
        try await log.produce(numbered(0..<20, for: topic))
        let one = try await scene.member(log, [topic], .init(commits: true))
        let other = try await scene.member(log, [topic]) { $0.group += ".other" }
        for member in [one, other] {
            try await member.step(until: "all records") { $0.records.count >= 20 }
            try requireEqual(member.state.offsets(partition), Array(0..<20), "offsets")
        }
        let commits = try await log.admin.commits(of: scene.group + ".other", in: [partition])
        try requireEqual(commits.count, 0, "commits of the other group")
    }

    static func aCrashBeforeCommitMeansRedelivery(_ scene: Scene) async throws {
        let topic = try await scene.topic()
        let output = try await scene.topic("out")
        let partition = TopicPartition(topic, 0)
        let log = try await scene.open()
        try await log.produce(numbered(0..<20, for: topic))
        try await log.admin.setCommits([partition: Commit(offset: 5, metadata: "from before")], of: scene.group)
        try await scene.subject.runProcess(part(.killed, scene, topic, output))
        try requireEqual(try await scene.readAll(log, output).count, 1, "records by the killed process")
        let next = try await scene.member(log, [topic])
        try await next.step(until: "the records from the commit on") { $0.records.count >= 15 }
        try requireEqual(
            next.state.owned[partition], Commit(offset: 5, metadata: "from before"), "commit after the crash")
        try requireEqual(next.state.offsets(partition), Array(5..<20), "offsets after the crash")
    }

    static func aKilledMembersPartitionsAreTakenOver(_ scene: Scene) async throws {
        let topic = try await scene.topic(partitions: 4)
        let output = try await scene.topic("out")
        let log = try await scene.open()
        try await produceEverywhere(log, topic, 0..<10)
        // It does not commit, so that what the killed one takes over has records for it.
        let survivor = try await scene.member(log, [topic])
        survivor.pump()
        try await survivor.wait(for: "all partitions") { $0.owned.count == 4 }
        try await scene.subject.runProcess(part(.killed, scene, topic, output))
        try requireEqual(try await scene.readAll(log, output).count, 1, "records by the killed process")
        try await survivor.wait(for: "all partitions again") { $0.owned.count == 4 }
        try await produceEverywhere(log, topic, 10..<20)
        try await survivor.wait(for: "all new records") { state in
            state.owned.count == 4
                && state.owned.keys.allSatisfy { Set(state.offsets($0)).isSuperset(of: 10..<20) }
        }
    }

    /// A process that slept while its partitions went to another one: the zombie.
    static func aProcessThatComesBackStaleIsFenced(_ scene: Scene) async throws {
        let topic = try await scene.topic()
        let output = try await scene.topic("out")
        let partition = TopicPartition(topic, 0)
        let log = try await scene.open()
        try await log.produce(numbered(0..<5, for: topic))
        async let zombie: Void = scene.subject.runProcess(part(.comesBackStale, scene, topic, output))
        // It gives up by itself before this does, unless it sleeps; then its id is there.
        var processID: Int32?
        try await eventually("the other process tells its id", within: .seconds(180)) {
            // An error now would leave it asleep for ever.
            let told = try? await scene.readAll(log, output).first?.value
            processID = told.flatMap { Int32(String(decoding: $0, as: UTF8.self)) }
            return processID != nil
        }
        let sleeper = try requireValue(processID, "process id")
        do {
            let owner = try await scene.member(log, [topic])
            owner.pump()
            try await owner.wait(for: "the partition of a sleeping process") { !$0.owned.isEmpty }
            try await owner.consumer.commit([partition: Commit(offset: 3, metadata: "owner")])
        } catch {
            OtherProcess.wake(sleeper)
            throw error
        }
        OtherProcess.wake(sleeper)
        try await zombie
        let commit = try await scene.commit(log, partition)
        try requireEqual(commit, Commit(offset: 3, metadata: "owner"), "commit after the stale one")
        try requireEqual(try await scene.readAll(log, output).count, 1, "records by the stale process")
    }

    private static func part(
        _ ending: ProcessPart.Ending, _ scene: Scene, _ topic: Topic, _ output: Topic
    ) -> ProcessPart {
        ProcessPart(
            ending, group: scene.group, topic: topic, output: output, sessionTimeout: scene.subject.sessionTimeout)
    }

    private static func produceEverywhere(_ log: any Log, _ topic: Topic, _ range: Range<Int>) async throws {
        for partition in try await log.admin.partitions(of: topic) {
            try await log.produce(numbered(range, for: topic, partition: partition.partition))
        }
    }
}
