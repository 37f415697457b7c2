import EventLog

/// What another process does in a case: it joins a group, reads without committing, and then goes wrong.
///
/// The suite's subject starts the process and calls `play` there; the values travel as text (`Codable`).
public struct ProcessPart: Sendable, Codable {
    public enum Ending: String, Sendable, Codable {
        /// The process must kill itself (`SIGKILL`) when `play` returns.
        case killed
        /// The process stops itself (`SIGSTOP`) during `play`, is continued by the suite when somebody
        /// else owns its partitions, and must end with exit code 0 when `play` returns.
        case comesBackStale
    }

    public let ending: Ending
    let group: String
    let topics: [String]
    /// Where the process tells its id, and tries to write when it is stale.
    let output: String
    let sessionTimeoutMs: Int64

    init(_ ending: Ending, group: String, topic: Topic, output: Topic, sessionTimeout: Duration) {
        self.ending = ending
        self.group = group
        topics = [topic.name]
        self.output = output.name
        sessionTimeoutMs = sessionTimeout.milliseconds
    }

    /// Plays the part on `log`; throws when the log misbehaves.
    public func play(on log: any Log) async throws {
        let member = Member(
            try await log.consumer(
                ConsumerConfiguration(
                    group: group, topics: topics.map { Topic($0) }, sessionTimeout: .milliseconds(sessionTimeoutMs))),
            Member.Habits())
        try await member.step(until: "the other process reads a record") { !$0.records.isEmpty }
        let position = try requireValue(member.state.records.last, "record")
        try await log.produce([
            Record(topic: Topic(output), key: bytes("pid"), value: bytes("\(OtherProcess.ownID)")),
        ])
        guard ending == .comesBackStale else { return }
        // Heartbeats may have queued behind that produce. Whoever is stopped in the middle of a commit to a file keeps
        // all others from writing; that cannot be helped, and is not what this part is about.
        try await Task.sleep(for: .milliseconds(200))
        OtherProcess.stopSelf()
        try await requireError(.fenced, from: "a commit by a process that slept too long") {
            try await member.consumer.commit([position.source: Commit(offset: position.offset + 1, metadata: "stale")])
        }
        // After the refused commit also a member on Kafka knows that it is out.
        let output = Record(topic: Topic(output), key: bytes("stale"), value: bytes("stale"))
        try await requireError(.fenced, from: "a produce by a process that slept too long") {
            try await member.consumer.produce([output], for: [position.source])
        }
    }
}
