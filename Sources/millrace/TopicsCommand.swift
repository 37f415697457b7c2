import ArgumentParser
import EventLog
import Service

/// `millrace topics create|list`.
struct TopicsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topics", abstract: "Create and list topics.", subcommands: [Create.self, List.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create missing topics, and let the built-in groups begin at offset 0.",
            discussion: "Safe to repeat. Refuses when a topic exists with another number of partitions.")

        func run() async throws {
            try await withLog(creating: true) { log, settings in
                try await Provisioning.provision(log, topics: settings.topics)
                print("topics and groups are ready on \(settings.log)")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Topics with partitions and records held.")

        func run() async throws {
            try await withLog { log, _ in
                for topic in try await log.admin.topics().sorted(by: { $0.topic < $1.topic }) {
                    let partitions = (0..<topic.partitions).map { TopicPartition(topic.topic, $0) }
                    let held = try await log.admin.watermarks(of: partitions)
                    let records = held.values.reduce(0) { $0 + $1.high - $1.low }
                    print(columns(topic.topic.name, 44, "\(topic.partitions) partitions", 16, "\(records) records"))
                }
            }
        }
    }
}

/// `millrace groups`: how far each built-in group is behind.
struct Groups: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lag and parked records of the built-in groups, per topic.")

    func run() async throws {
        try await withLog { log, settings in
            for (processor, inputs) in Provisioning.builtInInputs(settings.topics) {
                for topic in inputs {
                    let group = settings.topics.group(of: processor)
                    let partitions = try await log.admin.partitions(of: topic)
                    let lag = try await log.admin.lag(of: group, topics: [topic]).values.reduce(0, +)
                    let commits = try await log.admin.commits(of: group, in: partitions)
                    let parked = commits.values.reduce(0) { $0 + Progress($1).parked.count }
                    print(columns(group, 28, topic.name, 36, "lag \(lag)", 14, "parked \(parked)"))
                }
            }
        }
    }
}

/// Text in columns: each string followed by the width it is padded to; the last has none.
func columns(_ a: String, _ widthA: Int, _ b: String, _ widthB: Int, _ c: String, _ widthC: Int = 0, _ d: String = "") -> String {
    func pad(_ text: String, _ width: Int) -> String {
        text.count < width ? text + String(repeating: " ", count: width - text.count) : text + " "
    }
    return pad(a, widthA) + pad(b, widthB) + (d.isEmpty ? c : pad(c, widthC) + d)
}
