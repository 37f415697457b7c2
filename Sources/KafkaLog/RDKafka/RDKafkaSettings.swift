import EventLog

/// The librdkafka properties Millrace starts from, by kind of client. The user's properties are applied over them.
///
/// Names and ranges: librdkafka 2.0.2, CONFIGURATION.md.
struct RDKafkaSettings: Sendable {
    let bootstrap: String
    let configuration: KafkaLogConfiguration

    /// Properties a user cannot set: offsets, groups, assignment and the place of a key would no longer be what `EventLog`
    /// promises.
    static let reserved: Set<String> = [
        "bootstrap.servers", "metadata.broker.list", "group.id", "group.instance.id", "enable.auto.commit",
        "auto.commit.enable", "enable.auto.offset.store", "auto.offset.reset", "partition.assignment.strategy",
        "enable.partition.eof", "partitioner",
    ]

    /// What a batch adds to its only record, with room to spare: Kafka counts the whole batch against its limit.
    static let batchOverheadBytes = 64 << 10

    /// Largest record the producer takes.
    var maxRecordBytes: Int {
        configuration.properties["message.max.bytes"].flatMap(Int.init) ?? configuration.maxRecordBytes
    }

    private var common: [String: String] {
        [
            "bootstrap.servers": bootstrap,
            "client.id": "millrace",
            "client.software.name": "millrace",
            // A broker that comes back is found within a second; the default waits up to ten.
            "reconnect.backoff.max.ms": "1000",
            "socket.connection.setup.timeout.ms": "10000",
            "message.max.bytes": "\(configuration.maxRecordBytes + Self.batchOverheadBytes)",
            "allow.auto.create.topics": "false",
            // A topic that is not there fails its records after this time, instead of holding them for ever.
            "topic.metadata.propagation.max.ms": "5000",
        ]
    }

    var producer: [String: String] {
        common.merging([
            "enable.idempotence": "true",
            "acks": "all",
            "linger.ms": "0",
            "max.in.flight": "5",
            // An expired message stalls the whole idempotent producer in 2.0.2; deadlines are the caller's.
            "message.timeout.ms": "0",
            // `QueueBound` is the bound; the library's own lies a little above, so that a call is taken whole or not.
            "queue.buffering.max.messages": "\(configuration.maxQueuedRecords + 1)",
            "queue.buffering.max.kbytes": "\(configuration.maxQueuedBytes / 1_024 + 1_024)",
        ]) { $1 }
    }

    func consumer(_ member: ConsumerConfiguration) -> [String: String] {
        var settings = common.merging([
            "group.id": member.group,
            "session.timeout.ms": "\(member.sessionTimeout.milliseconds)",
            "heartbeat.interval.ms": "\(max(1, min(3_000, member.sessionTimeout.milliseconds / 4)))",
            "max.poll.interval.ms": "\(max(300_000, member.sessionTimeout.milliseconds))",
            "partition.assignment.strategy": "range",
            "enable.auto.commit": "false",
            "enable.auto.offset.store": "false",
            "auto.offset.reset": "error",
            // At 400,000 records a second 16 MiB were 40 ms, and their brokers' threads slept when it was full.
            "queued.max.messages.kbytes": "65536",
            "fetch.error.backoff.ms": "100",
            // A member that joined before its broker had heard of a new topic gets its partitions at the next look;
            // the default is five minutes.
            "topic.metadata.refresh.interval.ms": "10000",
        ]) { $1 }
        if let instanceID = member.instanceID { settings["group.instance.id"] = instanceID }
        return settings
    }

    /// Of a client that speaks for a group and is no member of it.
    func outsider(of group: String) -> [String: String] {
        common.merging(["group.id": group, "enable.auto.commit": "false"]) { $1 }
    }

    var reader: [String: String] {
        common.merging([
            "enable.auto.commit": "false",
            "enable.auto.offset.store": "false",
            "auto.offset.reset": "error",
            "enable.partition.eof": "true",
            // Per partition: what a reader may hold ahead of its caller.
            "queued.max.messages.kbytes": "4096",
            "fetch.wait.max.ms": "100",
            "fetch.error.backoff.ms": "100",
        ]) { $1 }
    }

    var admin: [String: String] { common }
}
