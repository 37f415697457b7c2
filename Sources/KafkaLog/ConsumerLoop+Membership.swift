import CRdKafka
import EventLog
import Logging

/// Getting partitions, offering them, giving them back.
extension ConsumerLoop {
    func handle(_ notice: RDKafkaContext.Notice) {
        switch notice {
        case .assigned(let partitions): handleAssigned(partitions)
        case .revoked(_, let isLost): handleRevoked(isLost: isLost)
        case .committed(let code, let failures): handleCommitted(code, failures)
        }
    }

    /// The rebalance is finished for librdkafka at once, with nothing to read: a member that takes its time to restore
    /// state must not hold up the group's next rebalance. `start(at:)` assigns the partitions.
    private func handleAssigned(_ partitions: [TopicPartition]) {
        assign([:])
        topics = [:]
        assignment.owned = Set(partitions)
        assignment.phase = partitions.isEmpty ? .none : .lookingUp(at: .now)
        logger.info("partitions assigned", metadata: ["kafka.partitions": "\(partitions.count)"])
    }

    /// Reads what the group has stored for the new partitions, then offers them.
    func lookUpCommitsIfDue(_ now: ContinuousClock.Instant) {
        guard case .lookingUp(let at) = assignment.phase, at <= now else { return }
        let list = RDKafkaPartitionList(assignment.owned)
        let code = rd_kafka_committed(client.handle, list.pointer, 2_000)
        var failure: rd_kafka_resp_err_t? = code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : code
        list.forEach { if $0.err != RD_KAFKA_RESP_ERR_NO_ERROR { failure = $0.err } }
        if let failure {
            logger.info("group's commits not readable yet", metadata: ["kafka.error": "\(failure.name)"])
            assignment.phase = .lookingUp(at: .now + .milliseconds(200))
            return
        }
        let commits = RDKafkaPartitionList.commits(in: list.pointer)
        assignment.phase = .offered
        publishOwned()
        buffer.post(.assigned(Dictionary(uniqueKeysWithValues: assignment.owned.map { ($0, commits[$0]) })))
    }

    private func handleRevoked(isLost: Bool) {
        switch assignment.phase {
        case .none, .lookingUp: return giveUpAssignment()
        case .revoking: break
        case .offered where buffer.withdrawAssignment(): return giveUpAssignment()
        case .offered, .started:
            logger.info(
                "partitions revoked",
                metadata: ["kafka.partitions": "\(assignment.owned.count)", "kafka.lost": "\(isLost)"])
            stopReading()
            if !isLost {
                assignment.phase = .revoking(deadline: .now + configuration.revocationGrace)
                return buffer.post(.revoked(assignment.owned.sorted()))
            }
        }
        if isLost { lose() }
    }

    func endRevocationIfDue(_ now: ContinuousClock.Instant) {
        guard case .revoking(let deadline) = assignment.phase, deadline <= now else { return }
        logger.warning("revoked partitions were not released in time")
        lose()
    }

    private func lose() {
        let lost = assignment.owned.sorted()
        giveUpAssignment()
        buffer.post(.lost(lost))
    }

    func release(_ partitions: [TopicPartition]) {
        guard case .revoking = assignment.phase else { return }
        assignment.owned.subtract(partitions)
        commits.forget(partitions)
        publishOwned()
        if assignment.owned.isEmpty { giveUpAssignment() }
    }

    /// Owns nothing from here on, and tells librdkafka, which then joins again.
    func giveUpAssignment() {
        stopReading()
        commits.forget(assignment.owned)
        assignment = Assignment()
        publishOwned()
        rd_kafka_assign(client.handle, nil)
    }

    private func stopReading() {
        buffer.discard(assignment.owned)
        buffer.setPaused(assignment.owned, false)
        reading = [:]
        outOfRange = []
        pausedEarly = []
    }

    func publishOwned() {
        let owned = assignment.phase == .none ? [] : assignment.owned
        ownedByMember.withLock { $0 = owned }
    }
}
