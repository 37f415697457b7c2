import EventLog

/// The parked records of a group as its commits list them, for an operator's tool.
public struct ParkedRecords: Sendable {
    private let log: any Log
    public let group: String

    public init(of group: String, on log: any Log) {
        self.log = log
        self.group = group
    }

    /// What the group has committed, per partition of any topic; empty for a group that was never born.
    public func progress() async throws(LogError) -> [TopicPartition: Progress] {
        let partitions = try await log.admin.topics().flatMap { topic in
            (0..<topic.partitions).map { TopicPartition(topic.topic, $0) }
        }
        return try await log.admin.commits(of: group, in: partitions).mapValues(Progress.init)
    }

    /// Drops records of a group that has no members, for which nobody else can: each becomes a dead letter, then the
    /// commit forgets it. Killed between the two, the letter is written again by the next try. What the processor itself
    /// would have written along with the letter is not.
    ///
    /// `.groupActive` when it lives. Answers the number dropped; what is not parked is left alone, and what retention
    /// took is only forgotten.
    public func dropAtRest(_ offsets: OffsetSet, of source: TopicPartition, now: Timestamp) async throws(LogError) -> Int {
        guard let commit = try await log.admin.commits(of: group, in: [source])[source] else { return 0 }
        // Before anything is written: refused when the group lives.
        try await log.admin.setCommits([source: commit], of: group)
        var progress = Progress(commit)
        let reader = try await log.reader()
        var letters: [Record] = []
        var dropped = 0
        do throws(LogError) {
            for offset in offsets where progress.parked.contains(offset) {
                if let record = try await reader.record(source, at: offset) { letters.append(letter(of: record, now)) }
                progress.parked.remove(offset)
                progress.attempted.remove(offset)
                dropped += 1
            }
        } catch {
            await reader.close()
            throw error
        }
        await reader.close()
        try await log.produce(letters)
        guard let smaller = progress.encoded() else { throw LogError(.metadataTooLarge, "commit of \(group)") }
        try await log.admin.setCommits([source: smaller], of: group)
        return dropped
    }

    private func letter(of record: StoredRecord, _ now: Timestamp) -> Record {
        var work = Work(record)
        work.past.firstFailedAt = record.timestamp
        return DeadLetter.record(
            of: work, failure: .permanent("operator", "dropped by an operator while the group was stopped"), group: group,
            topic: Topic("dlq.\(group)"), now: now)
    }
}
