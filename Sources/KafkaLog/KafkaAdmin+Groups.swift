import CRdKafka
import EventLog
import Foundation

extension KafkaAdmin {
    /// By librdkafka's own list of groups, not by its admin requests, for the reasons told at `GroupOffsets`.
    func groups() async throws(LogError) -> [GroupDescription] {
        try await ask { [self] client throws(LogError) in
            let deadline = ContinuousClock.now + timeout
            while true {
                do throws(LogError) {
                    return try listGroups(client)
                } catch {
                    // A coordinator that is still loading, or a broker that does not answer just now.
                    guard error.code == .unavailable, mayGoOn(until: deadline) else { throw error }
                    Thread.sleep(forTimeInterval: 0.1)
                }
            }
        }
    }

    func commits(
        of group: String, in partitions: [TopicPartition]
    ) async throws(LogError) -> [TopicPartition: Commit] {
        if partitions.isEmpty { return [:] }
        return try await askCoordinator(of: group) { offsets, timeout throws(LogError) in
            try offsets.read(partitions, within: timeout)
        }
    }

    func setCommits(_ commits: [TopicPartition: Commit], of group: String) async throws(LogError) {
        if commits.values.contains(where: { $0.metadata.utf8.count > Commit.maxMetadataBytes }) {
            throw LogError(.metadataTooLarge, "commit")
        }
        if commits.isEmpty { return }
        try await askCoordinator(of: group) { offsets, timeout throws(LogError) in
            try offsets.set(commits, within: timeout)
        }
    }

    /// Tries until the group's coordinator answers. A cluster's first group makes the topic of all commits, and a broker
    /// that dies leaves its groups to another; both take seconds. Nor need it have heard of a topic that was made just now.
    /// Both requests may be repeated.
    private func askCoordinator<Value: Sendable>(
        of group: String, _ body: @escaping @Sendable (GroupOffsets, _ timeout: Duration) throws(LogError) -> Value
    ) async throws(LogError) -> Value {
        try await ask { [self] _ throws(LogError) in
            let offsets = try GroupOffsets(of: group, settings: settings)
            let deadline = ContinuousClock.now + settings.configuration.commitTimeout
            let heardBy = ContinuousClock.now + Self.propagation
            while true {
                do throws(LogError) {
                    return try body(offsets, min(timeout, .seconds(5)))
                } catch {
                    let until = error.code == .unavailable ? deadline : error.code == .unknownTopic ? heardBy : .now
                    guard mayGoOn(until: until) else { throw error }
                    Thread.sleep(forTimeInterval: 0.1)
                }
            }
        }
    }

    private func listGroups(_ client: RDKafkaClient) throws(LogError) -> [GroupDescription] {
        var list: UnsafePointer<rd_kafka_group_list>?
        let code = rd_kafka_list_groups(client.handle, nil, &list, timeoutMilliseconds)
        defer { if let list { rd_kafka_group_list_destroy(list) } }
        // A part of the groups is no answer: who is missing would seem to be at rest.
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { throw code.error("groups") }
        var descriptions: [GroupDescription] = []
        for group in UnsafeBufferPointer(start: list.pointee.groups, count: Int(list.pointee.group_cnt)) {
            if group.err != RD_KAFKA_RESP_ERR_NO_ERROR { throw group.err.error("groups") }
            // Others than consumers, e.g. Kafka Connect's workers, own no partitions.
            let type = group.protocol_type.map { String(cString: $0) } ?? ""
            guard type.isEmpty || type == "consumer" else { continue }
            descriptions.append(description(of: group))
        }
        return descriptions.sorted { $0.group < $1.group }
    }

    private func description(of group: rd_kafka_group_info) -> GroupDescription {
        var members: [String: [TopicPartition]] = [:]
        for member in UnsafeBufferPointer(start: group.members, count: Int(group.member_cnt)) {
            let bytes = UnsafeRawBufferPointer(
                start: member.member_assignment, count: Int(member.member_assignment_size))
            members[String(cString: member.member_id)] = MemberAssignment.partitions(in: bytes).sorted()
        }
        return GroupDescription(group: String(cString: group.group), members: members)
    }
}
