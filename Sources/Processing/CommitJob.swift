import EventLog

/// Outputs of one finished record, or of a whole batch (no record).
struct Finished: Sendable {
    var work: Work?
    var outputs: [Record]
}

/// State writes, and exactly the records they reflect.
struct StateFlush: Sendable {
    var writes: StateWrites
    var applied: [Topic: Progress]
}

/// What one commit makes durable, in this order: outputs, state, the group's progress.
struct CommitJob: Sendable {
    var outputs: [Finished]
    /// Of the records that are finished by it, and of `outputs`.
    var bytes: Int
    var records: Int
    /// All partitions of the lane.
    var sources: [TopicPartition] = []
    /// Where the group's progress changed.
    var progress: [TopicPartition: Progress] = [:]
    var state: StateFlush?

    var outputRecords: [Record] { outputs.flatMap(\.outputs) }
    var commits: [TopicPartition: Commit] {
        progress.mapValues { progress in
            guard let commit = progress.encoded() else { preconditionFailure("the tracker bounds the metadata") }
            return commit
        }
    }
}
