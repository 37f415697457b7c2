import EventLog

/// Where a group stands, and who may say so.
enum CommitCases {
    static func metadataSurvivesTheRoundTrip(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 3)
        let notes = [
            "", "mr1 p=12+3,20 a=40", "größe \u{1F4EC} \"quoted\"\n\ttabbed", String(repeating: "x", count: 4_096),
        ]
        try await log.produce(numbered(0..<notes.count, for: topic))
        let partition = TopicPartition(topic, 0)
        for (index, note) in notes.enumerated() {
            let commit = Commit(offset: Offset(index), metadata: note)
            let member = try await scene.member(log, [topic])
            try await member.step(until: "assignment") { $0.owned.count == 3 }
            try await member.consumer.commit([partition: commit])
            try requireEqual(try await scene.commit(log, partition), commit, "commit as an operator sees it")
            await member.close()
            let next = try await scene.member(try await scene.open(), [topic])
            try await next.step(until: "assignment") { $0.owned.count == 3 }
            try requireEqual(next.state.owned[partition], .some(commit), "commit that the next owner is given")
            try requireEqual(next.state.owned[TopicPartition(topic, 1)], .some(nil), "commit of another partition")
            await next.close()
        }
    }

    static func metadataBeyondTheLimitIsRefused(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let partition = TopicPartition(topic, 0)
        let member = try await scene.member(log, [topic])
        try await member.step(until: "assignment") { !$0.owned.isEmpty }
        try await member.consumer.commit([partition: Commit(offset: 0, metadata: "before")])
        for note in [String(repeating: "x", count: 4_097), String(repeating: "ü", count: 2_049)] {
            try await requireError(.metadataTooLarge, from: "a note of \(note.utf8.count) bytes") {
                try await member.consumer.commit([partition: Commit(offset: 0, metadata: note)])
            }
        }
        try requireEqual(try await scene.commit(log, partition)?.metadata, "before", "note after the refused ones")
        try await member.consumer.commit([partition: Commit(offset: 0, metadata: "after")])
    }

    static func aCommitMovesTheStartOfTheNextOwner(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let partition = TopicPartition(topic, 0)
        try await log.produce(numbered(0..<20, for: topic))
        for (start, end) in [(0, 8), (8, 15), (15, 20)] as [(Offset, Offset)] {
            let member = try await scene.member(try await scene.open(), [topic])
            try await member.step(until: "the rest") { $0.records.count >= 20 - start }
            try requireEqual(member.state.offsets(partition), Array(start..<20), "offsets of the next owner")
            try await member.consumer.commit([partition: Commit(offset: end)])
            await member.close()
        }
    }

    static func whatIsNotCommittedComesAgain(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        try await log.produce(numbered(0..<20, for: topic))
        for _ in 0..<2 {
            let member = try await scene.member(try await scene.open(), [topic])
            try await member.step(until: "all records") { $0.records.count >= 20 }
            try requireEqual(member.state.offsets(TopicPartition(topic, 0)), Array(0..<20), "offsets")
            await member.close()
        }
    }

    static func aCommitStoresItsOutputs(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let output = try await scene.topic("out", partitions: 2)
        let partition = TopicPartition(topic, 0)
        let member = try await scene.member(log, [topic])
        try await member.step(until: "assignment") { !$0.owned.isEmpty }
        let outputs = (0..<10).map { Record(topic: output, key: bytes("\($0)"), value: bytes("output \($0)")) }
        try await member.consumer.commit([partition: Commit(offset: 7, metadata: "n")], outputs: outputs)
        try requireEqual(try await scene.commit(log, partition), Commit(offset: 7, metadata: "n"), "commit")
        let stored = try await scene.readAll(try await scene.open(), output)
        try requireEqual(Set(stored.map(\.value)), Set(outputs.map(\.value)), "outputs")
        try requireEqual(stored.count, outputs.count, "outputs")
    }

    static func outputsThatFailLeaveTheCommitAlone(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let partition = TopicPartition(topic, 0)
        let member = try await scene.member(log, [topic])
        try await member.step(until: "assignment") { !$0.owned.isEmpty }
        try await requireError(.unknownTopic, from: "outputs for a partition that is not there") {
            try await member.consumer.commit(
                [partition: Commit(offset: 7)], outputs: numbered(0..<1, for: topic, partition: 1))
        }
        try requireEqual(try await scene.commit(log, partition), nil, "commit after its outputs failed")
        try await member.consumer.commit([partition: Commit(offset: 8)], outputs: numbered(0..<1, for: topic))
        try requireEqual(try await scene.commit(log, partition)?.offset, 8, "commit after that")
    }

    static func onlyTheOwnerCommitsAndProduces(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let foreign = try await scene.topic("foreign")
        let output = try await scene.topic("out")
        let (own, other) = (TopicPartition(topic, 0), TopicPartition(foreign, 0))
        let member = try await scene.member(log, [topic])
        try await member.step(until: "assignment") { !$0.owned.isEmpty }
        let positions = try await member.consumer.produce(numbered(0..<3, for: output), for: [own])
        try requireEqual(positions.map(\.offset), [0, 1, 2], "offsets produced for an owned partition")
        try await requireFenced(member, [own, other], output)
        try requireEqual(try await scene.commit(log, own), nil, "commit of the owned one of two")
        await member.close()
        try requireEqual(try await scene.readAll(log, output).count, 3, "outputs after the refused ones")
    }

    static func afterReleaseNothingIsCommitted(_ scene: Scene) async throws {
        let topic = try await scene.topic(partitions: 2)
        let output = try await scene.topic("out")
        let log = try await scene.open()
        let first = try await scene.member(log, [topic])
        try await first.step(until: "assignment") { $0.owned.count == 2 }
        let second = try await scene.member(try await scene.open(), [topic])
        second.pump()
        try await first.step(until: "revocation") { !$0.revoked.isEmpty }
        first.pump()
        try await second.wait(for: "a share") { !$0.owned.isEmpty }
        let gone = Array(second.state.owned.keys)
        try await requireFenced(first, gone, output)
        try requireEqual(try await log.admin.commits(of: scene.group, in: gone).count, 0, "commits")
        try requireEqual(try await scene.readAll(log, output).count, 0, "outputs")
    }

    /// A member that does not answer a revocation loses its partitions all the same, and is told.
    static func aMemberThatDoesNotLetGoIsFenced(_ scene: Scene) async throws {
        let topic = try await scene.topic(partitions: 2)
        let output = try await scene.topic("out")
        let log = try await scene.open()
        try await log.produce(numbered(0..<5, for: topic) + numbered(0..<5, for: topic, partition: 1))
        let stubborn = try await scene.member(log, [topic], .init(revoked: { _, _ in }))
        try await stubborn.step(until: "assignment and records") { $0.records.count == 10 }
        let second = try await scene.member(try await scene.open(), [topic])
        second.pump()
        try await second.wait(for: "a share, though nobody let go") { !$0.owned.isEmpty }
        let gone = try requireValue(second.state.owned.keys.first, "partition")
        try await requireFenced(stubborn, [gone], output)
        try requireEqual(try await scene.readAll(log, output).count, 0, "outputs")
        let kept = try await commitSomething(second, Commit(offset: 3, metadata: "second"))
        try await requireFenced(stubborn, [gone], output)
        try requireEqual(
            try await scene.commit(log, kept), Commit(offset: 3, metadata: "second"), "commit of the new owner")
        try await stubborn.step(until: "loss") { $0.lost.contains(gone) }
    }

    static func aCommitDuringRevocationWorks(_ scene: Scene) async throws {
        let topic = try await scene.topic(partitions: 2)
        let output = try await scene.topic("out")
        let log = try await scene.open()
        let first = try await scene.member(
            log, [topic],
            .init(revoked: { consumer, partitions in
                let outputs = partitions.map { Record(topic: output, key: bytes("\($0)"), value: []) }
                var commits: [TopicPartition: Commit] = [:]
                for partition in partitions { commits[partition] = Commit(offset: 0, metadata: "parting \(partition)") }
                try await consumer.commit(commits, outputs: outputs)
                try await consumer.release(partitions)
            }))
        try await first.step(until: "assignment") { $0.owned.count == 2 }
        first.pump()
        let second = try await scene.member(try await scene.open(), [topic])
        second.pump()
        try await second.wait(for: "a share") { !$0.owned.isEmpty }
        for (partition, commit) in second.state.owned {
            try requireEqual(commit?.metadata, "parting \(partition)", "note of the parting owner")
        }
        try await first.wait(for: "revocation") { !$0.revoked.isEmpty }
        let keys = Set(try await scene.readAll(log, output).map { String(decoding: $0.key ?? [], as: UTF8.self) })
        try require(keys.isSuperset(of: second.state.owned.keys.map(\.description)), "outputs of the parting owner: \(keys)")
    }

    /// Commits for a partition that the member owns. Which one may change meanwhile: whoever was put out joins anew, and
    /// the partitions are shared out again.
    private static func commitSomething(_ member: Member, _ commit: Commit) async throws -> TopicPartition {
        var committed: TopicPartition?
        try await eventually("a commit by the new owner") {
            guard let owned = member.state.owned.keys.first else { return false }
            do { try await member.consumer.commit([owned: commit]) } catch let error as LogError where error.code == .fenced {
                return false
            }
            committed = owned
            return true
        }
        return try requireValue(committed, "committed partition")
    }

    /// `commit` and `produce(for:)` of `member` must be refused for `partitions`, and leave no output.
    private static func requireFenced(_ member: Member, _ partitions: [TopicPartition], _ output: Topic) async throws {
        let commits = Dictionary(uniqueKeysWithValues: partitions.map { ($0, Commit(offset: 1, metadata: "stale")) })
        let outputs = [Record(topic: output, key: nil, value: bytes("stale"))]
        try await requireError(.fenced, from: "a commit for partitions that are not owned") {
            try await member.consumer.commit(commits, outputs: outputs)
        }
        try await requireError(.fenced, from: "a produce for partitions that are not owned") {
            try await member.consumer.produce(outputs, for: partitions)
        }
    }
}
