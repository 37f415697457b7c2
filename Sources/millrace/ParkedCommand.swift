import ArgumentParser
import EventLog
import Processing
import Service
import WhatsApp

import struct Foundation.UUID

/// `millrace parked list|release|drop`: what a processor has put aside after a passing failure.
struct ParkedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parked", abstract: "Look at a processor's parked records, try them now, or give them up.",
        subcommands: [List.self, Release.self, Drop.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Parked records, the oldest first.",
            discussion: "From the group's commits and the records themselves. No payload is shown, and of numbers the last three digits.")

        @Argument(help: "Name of the processor, e.g. outbound-sender.") var processor: String
        @Option(help: "How many records to list.") var first = 100

        func run() async throws {
            try await withParked(of: processor) { parked, desk, progress in
                let count = progress.values.reduce(0) { $0 + $1.parked.count }
                print("\(parked.group): \(count) records parked")
                if count > 0, first > 0 { print(Shown.table(try await rows(progress, desk.log))) }
            }
        }

        private func rows(_ progress: [TopicPartition: Progress], _ log: any Log) async throws -> [[String]] {
            let rows = try await log.withReader { try await self.rows(progress, $0) }
            return [["record", "key", "age", "bytes", "effect"]] + rows.sorted { $0.at < $1.at }.prefix(first).map(\.cells)
        }

        private func rows(
            _ progress: [TopicPartition: Progress], _ reader: any Reader
        ) async throws -> [(at: Timestamp, cells: [String])] {
            var rows: [(at: Timestamp, cells: [String])] = []
            for (source, progress) in progress.sorted(by: { $0.key < $1.key }) {
                for offset in progress.parked.prefix(first) {
                    let id = ParkedName(source: source, offset: offset).description
                    let attempted = progress.attempted.contains(offset) ? "unknown" : ""
                    if let record = try await reader.record(source, at: offset) {
                        rows.append((
                            record.timestamp,
                            [id, Shown.key(record.key), Shown.age(.now - record.timestamp), "\(record.value?.count ?? 0)", attempted]
                        ))
                    } else {
                        rows.append((Timestamp(milliseconds: 0), [id, "gone: retention took it", "", "", attempted]))
                    }
                }
            }
            return rows
        }
    }

    struct Release: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try parked records now instead of when they are due.",
            discussion: "Order per key stays: where a record waits behind another of its key, that one is tried.")

        @OptionGroup var chosen: ChosenRecords

        func run() async throws {
            try await withParked(of: chosen.processor) { parked, desk, progress in
                let orders = try chosen.orders(.release, in: progress, of: parked.group)
                do {
                    let applied = try await desk.give(orders)
                    print("\(parked.group): \(applied) records are tried now")
                } catch is ParkedOrders.NobodyAnswers {
                    throw Refusal(
                        try await parked.isAlive(on: desk.log)
                            ? "the owner of these partitions did not answer; try again, or look at `millrace groups`"
                            : "\(parked.group) is stopped; when it starts it tries all its parked records at once")
                }
            }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give parked records up: to the dead letters, as REJECTED by operator.",
            discussion: """
                A running processor does it itself. For a stopped one the commit is edited here; what the processor would \
                have written along with a dead letter is not written then. `millrace dlq redrive` brings a dropped record back.
                """)

        @OptionGroup var chosen: ChosenRecords

        func run() async throws {
            try await withParked(of: chosen.processor) { parked, desk, progress in
                let orders = try chosen.orders(.drop, in: progress, of: parked.group)
                var applied = 0
                do {
                    for order in orders {
                        applied += try await parked.dropAtRest(order.offsets, of: order.source, now: .now)
                    }
                } catch let error as LogError where error.code == .groupActive {
                    do {
                        applied += try await desk.give(orders)
                    } catch is ParkedOrders.NobodyAnswers {
                        throw Refusal("the owner of these partitions did not answer; try again, or look at `millrace groups`")
                    }
                }
                print("\(parked.group): \(applied) records go to dlq.\(parked.group)")
            }
        }
    }
}

/// How a parked record is named on the command line: `topic:partition:offset`.
struct ParkedName: Hashable, CustomStringConvertible, ExpressibleByArgument {
    let source: TopicPartition
    let offset: Offset

    init(source: TopicPartition, offset: Offset) {
        self.source = source
        self.offset = offset
    }

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, Topic(String(parts[0])).isValid, let partition = Int32(parts[1]), partition >= 0,
            let offset = Offset(parts[2]), offset >= 0
        else { return nil }
        self.init(source: TopicPartition(Topic(String(parts[0])), partition), offset: offset)
    }

    var description: String { "\(source.topic):\(source.partition):\(offset)" }
}

/// The records that an order is about.
struct ChosenRecords: ParsableArguments {
    @Argument(help: "Name of the processor, e.g. outbound-sender.") var processor: String
    @Argument(help: "Records as `list` names them, TOPIC:PARTITION:OFFSET.") var records: [ParkedName] = []
    @Flag(help: "All parked records.") var all = false

    func validate() throws {
        if records.isEmpty != all { throw ValidationError("name records, or --all") }
    }

    /// One order per partition. A record that is named and not parked is a mistake to be told.
    func orders(
        _ action: ParkedOrder.Action, in progress: [TopicPartition: Progress], of group: String
    ) throws -> [ParkedOrder] {
        var offsets: [TopicPartition: OffsetSet] = [:]
        if all { offsets = progress.mapValues(\.parked) }
        for name in records {
            guard progress[name.source]?.parked.contains(name.offset) == true else {
                throw Refusal("\(name) is not parked")
            }
            offsets[name.source, default: OffsetSet()].insert(name.offset)
        }
        let chosen = offsets.filter { !$0.value.isEmpty }
        if chosen.isEmpty { throw Refusal("nothing is parked") }
        return chosen.sorted { $0.key < $1.key }.map { source, offsets in
            ParkedOrder(id: UUID().uuidString, action: action, group: group, source: source, offsets: offsets)
        }
    }
}

/// Gives orders to running processors over the control topic and waits for their answers.
struct ParkedOrders {
    let log: any Log
    let topics: Topics
    var patience = Duration.seconds(30)

    struct NobodyAnswers: Error {}

    /// Answers to how many records the orders were applied. An order whose answer does not come is repeated: a partition
    /// may be between two owners.
    func give(_ orders: [ParkedOrder]) async throws -> Int {
        try await log.admin.createTopics([topics.controlSpec])
        let partition = TopicPartition(topics.control, 0)
        var next = try await log.admin.watermarks(of: [partition])[partition]?.high ?? 0
        var open = Dictionary(uniqueKeysWithValues: orders.map { ($0.id, $0) })
        var applied = 0
        let deadline = ContinuousClock.now + patience
        return try await log.withReader { reader in
            var repeatAt = ContinuousClock.now
            while !open.isEmpty {
                if ContinuousClock.now >= deadline { throw NobodyAnswers() }
                if ContinuousClock.now >= repeatAt {
                    try await log.produce(open.values.map { $0.record(topic: topics.control) })
                    repeatAt = .now + .seconds(5)
                }
                for record in try await reader.read(partition, from: next, maxRecords: 100, waitingUpTo: .seconds(1)) {
                    next = record.offset + 1
                    if let answer = ParkedAnswer(record), open.removeValue(forKey: answer.id) != nil { applied += answer.applied }
                }
            }
            return applied
        }
    }
}

extension ParkedRecords {
    fileprivate func isAlive(on log: any Log) async throws -> Bool {
        try await log.admin.groups().contains { $0.group == group && !$0.members.isEmpty }
    }
}

/// Opens the log for a processor's parked records; refuses a processor that has no progress on it.
private func withParked(
    of processor: String, _ body: (ParkedRecords, ParkedOrders, [TopicPartition: Progress]) async throws -> Void
) async throws {
    try await withLog { log, settings in
        let parked = ParkedRecords(of: settings.topics.group(of: processor), on: log)
        let progress = try await parked.progress()
        if progress.isEmpty { throw Refusal("no processor \(processor) has progress on this log") }
        try await body(parked, ParkedOrders(log: log, topics: settings.topics), progress)
    }
}
