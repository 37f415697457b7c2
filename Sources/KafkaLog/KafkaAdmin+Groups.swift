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
        return try await ask { client throws(LogError) in
            let list = RDKafkaPartitionList(Set(partitions))
            var request = rd_kafka_ListConsumerGroupOffsets_new(group, list.pointer)
            defer { rd_kafka_ListConsumerGroupOffsets_destroy(request) }
            let answer = try RDKafkaAdminEvent(
                RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, with: client, timeout: self.timeout, "commits of \(group)"
            ) { rd_kafka_ListConsumerGroupOffsets(client.handle, &request, 1, $0, $1) }
            let result = rd_kafka_event_ListConsumerGroupOffsets_result(answer.pointer)
            var count = 0
            let groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count)
            guard let found = try self.partitions(of: groups, count, "commits of \(group)") else { return [:] }
            return RDKafkaPartitionList.commits(in: found)
        }
    }

    func setCommits(_ commits: [TopicPartition: Commit], of group: String) async throws(LogError) {
        if commits.values.contains(where: { $0.metadata.utf8.count > Commit.maxMetadataBytes }) {
            throw LogError(.metadataTooLarge, "commit")
        }
        if commits.isEmpty { return }
        try await ask { client throws(LogError) in
            let list = RDKafkaPartitionList(commits)
            var request = rd_kafka_AlterConsumerGroupOffsets_new(group, list.pointer)
            defer { rd_kafka_AlterConsumerGroupOffsets_destroy(request) }
            do throws(LogError) {
                let answer = try RDKafkaAdminEvent(
                    RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, with: client, timeout: self.timeout,
                    "set commits of \(group)"
                ) { rd_kafka_AlterConsumerGroupOffsets(client.handle, &request, 1, $0, $1) }
                let result = rd_kafka_event_AlterConsumerGroupOffsets_result(answer.pointer)
                var count = 0
                let groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &count)
                _ = try self.partitions(of: groups, count, "set commits of \(group)")
            } catch where error.code == .fenced {
                // The coordinator takes commits from outside only while a group has no members.
                throw LogError(.groupActive, group)
            }
        }
    }

    /// The partitions of the only group in a result. Throws its error, or the first one of a partition.
    private func partitions(
        of groups: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int, _ what: String
    ) throws(LogError) -> UnsafePointer<rd_kafka_topic_partition_list_t>? {
        guard count == 1, let group = groups?[0] else { return nil }
        if let error = rd_kafka_group_result_error(group) { throw rd_kafka_error_code(error).error(what) }
        guard let list = rd_kafka_group_result_partitions(group) else { return nil }
        var failure: LogError?
        RDKafkaPartitionList.forEach(in: list) { element in
            if element.err != RD_KAFKA_RESP_ERR_NO_ERROR { failure = element.err.error(what) }
        }
        if let failure { throw failure }
        return list
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
