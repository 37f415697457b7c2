import CRdKafka
import EventLog
import Logging

/// Commits: one request at a time, tried again while the coordinator is away, refused when the partitions are not ours.
extension ConsumerLoop {
    func addCommit(_ new: [TopicPartition: Commit], answer: @escaping CommitQueue.Answer) {
        commits.add(new, deadline: .now + configuration.commitTimeout, answer: answer)
    }

    /// Sends what waits. librdkafka stamps the request with the generation it has when it sends: nothing of a lost
    /// assignment may be asked for, hence the check here, on the thread that alone changes what is owned.
    func sendCommits() {
        guard commitRetryAt == nil else { return }
        let isLost = rd_kafka_assignment_lost(client.handle) != 0
        if isLost { disown() }
        let owned = isLost || buffer.holdsAssignment ? [] : ownedByMember.withLock { $0 }
        var answers: [() -> Void] = []
        if let request = commits.next(owned: owned, at: .now, answers: &answers) {
            let list = RDKafkaPartitionList(request)
            let code = rd_kafka_commit_queue(client.handle, list.pointer, replies.pointer, commitCallback, nil)
            if code != RD_KAFKA_RESP_ERR_NO_ERROR {
                commits.finish(with: { _ in .failure(code.error("commit")) }, answers: &answers)
            }
        }
        for answer in answers { answer() }
    }

    func handleCommitted(_ code: rd_kafka_resp_err_t, _ failures: [TopicPartition: rd_kafka_resp_err_t]) {
        var answers: [() -> Void] = []
        let isPassing = failures.isEmpty ? code.isPassing : failures.values.allSatisfy(\.isPassing)
        if isPassing {
            commits.retry(at: .now, error: code.error("commit"), answers: &answers)
            commitRetryAt = .now + .milliseconds(100)
        } else {
            if code.logCode == .fenced || failures.values.contains(where: { $0.logCode == .fenced }) { disown() }
            commits.finish(
                with: { wanted in
                    if code == RD_KAFKA_RESP_ERR_NO_ERROR, failures.isEmpty { return .success(()) }
                    if failures.isEmpty { return .failure(code.error("commit")) }
                    guard let failed = wanted.keys.first(where: { failures[$0] != nil }) else { return .success(()) }
                    return .failure(failures[failed]!.error("commit of \(failed)"))
                }, answers: &answers)
        }
        for answer in answers { answer() }
    }

    /// Whoever hears that a commit was fenced must not produce for these partitions either, though librdkafka tells of the
    /// loss a moment later.
    private func disown() { ownedByMember.withLock { $0 = [] } }

    func failCommits(_ error: LogError) {
        var answers: [() -> Void] = []
        commits.failAll(error, answers: &answers)
        for answer in answers { answer() }
    }
}

extension rd_kafka_resp_err_t {
    /// A commit that failed so may be sent again as it is. `REBALANCE_IN_PROGRESS` comes while the group waits for
    /// its leader; `ILLEGAL_GENERATION` and its like are final and mean fenced.
    fileprivate var isPassing: Bool {
        switch self {
        case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
            RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
            RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
            RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
            RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
            true
        default: false
        }
    }
}
