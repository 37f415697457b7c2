import CRdKafka
import EventLog
import Foundation

extension KafkaAdmin {
    func groups() async throws(LogError) -> [GroupDescription] {
        try await ask { client throws(LogError) in
            let names = try self.groupNames(client)
            return names.isEmpty ? [] : try self.describe(names, client)
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
    /// that dies leaves its groups to another; both take seconds. Both requests may be repeated.
    private func askCoordinator<Value: Sendable>(
        of group: String, _ body: @escaping @Sendable (GroupOffsets, _ timeout: Duration) throws(LogError) -> Value
    ) async throws(LogError) -> Value {
        try await ask { [self] _ throws(LogError) in
            let offsets = try GroupOffsets(of: group, settings: settings)
            let deadline = ContinuousClock.now + settings.configuration.commitTimeout
            while true {
                do throws(LogError) {
                    return try body(offsets, min(timeout, .seconds(5)))
                } catch {
                    guard error.code == .unavailable, mayGoOn(until: deadline) else { throw error }
                    Thread.sleep(forTimeInterval: 0.1)
                }
            }
        }
    }

    private func groupNames(_ client: RDKafkaClient) throws(LogError) -> [String] {
        let answer = try RDKafkaAdminEvent(
            RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, with: client, timeout: timeout, "groups"
        ) { rd_kafka_ListConsumerGroups(client.handle, $0, $1) }
        let result = rd_kafka_event_ListConsumerGroups_result(answer.pointer)
        var failures = 0
        if let errors = rd_kafka_ListConsumerGroups_result_errors(result, &failures), failures > 0 {
            throw rd_kafka_error_code(errors[0]).error("groups")
        }
        var count = 0
        let listed = rd_kafka_ListConsumerGroups_result_valid(result, &count)
        return (0..<count).map { String(cString: rd_kafka_ConsumerGroupListing_group_id(listed?[$0])) }
    }

    private func describe(_ names: [String], _ client: RDKafkaClient) throws(LogError) -> [GroupDescription] {
        var copies: [UnsafePointer<CChar>?] = names.map { UnsafePointer(strdup($0)) }
        defer { for copy in copies { free(UnsafeMutablePointer(mutating: copy)) } }
        let answer = try RDKafkaAdminEvent(
            RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, with: client, timeout: timeout, "groups"
        ) { rd_kafka_DescribeConsumerGroups(client.handle, &copies, copies.count, $0, $1) }
        var count = 0
        let result = rd_kafka_event_DescribeConsumerGroups_result(answer.pointer)
        let groups = rd_kafka_DescribeConsumerGroups_result_groups(result, &count)
        var descriptions: [GroupDescription] = []
        for index in 0..<count {
            let group = groups?[index]
            if let error = rd_kafka_ConsumerGroupDescription_error(group) {
                throw rd_kafka_error_code(error).error("groups")
            }
            descriptions.append(description(of: group))
        }
        return descriptions.sorted { $0.group < $1.group }
    }

    private func description(of group: OpaquePointer?) -> GroupDescription {
        var members: [String: [TopicPartition]] = [:]
        for index in 0..<rd_kafka_ConsumerGroupDescription_member_count(group) {
            let member = rd_kafka_ConsumerGroupDescription_member(group, index)
            let assignment = rd_kafka_MemberDescription_assignment(member)
            let partitions = rd_kafka_MemberAssignment_partitions(assignment)
                .map { RDKafkaPartitionList.partitions(in: $0) }
            members[String(cString: rd_kafka_MemberDescription_consumer_id(member))] = partitions?.sorted() ?? []
        }
        return GroupDescription(
            group: String(cString: rd_kafka_ConsumerGroupDescription_group_id(group)), members: members)
    }
}
