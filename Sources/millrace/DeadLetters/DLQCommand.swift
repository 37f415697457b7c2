import ArgumentParser
import EventLog
import Service
import WhatsApp

/// `millrace dlq list|show|redrive`: what a processor could not handle.
struct DLQCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq", abstract: "Look at a processor's dead letters and send them back.",
        subcommands: [List.self, Show.self, RedriveCommand.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Letters by cause, and the newest ones.",
            discussion: "No payload is shown, and of numbers the last three digits.")

        @Argument(help: "Name of the processor, e.g. outbound-sender.") var processor: String
        @OptionGroup var filter: LetterFilter
        @Option(help: "How many letters to list.") var last = 20

        func validate() throws {
            guard (0...10_000).contains(last) else { throw ValidationError("--last must be from 0 to 10000") }
        }

        func run() async throws {
            try await withLetters(of: processor) { redrive in
                let gone = try await redrive.progress()
                var histogram = CauseHistogram()
                var wentBack = 0
                var newest: [Letter] = []
                try await Scan(log: redrive.log).forEachRecord(of: redrive.log.admin.partitions(of: redrive.letters)) { record in
                    let letter = Letter(record)
                    guard filter.matches(letter) else { return }
                    histogram.add(letter)
                    if gone[record.source]?.hasFinished(record.offset) == true { wentBack += 1 }
                    newest.append(letter)
                    // Partitions are read one after the other: keep the newest of all, not all.
                    if newest.count > 2 * last + 1_000 { newest = Self.newest(newest, last) }
                }
                print("\(redrive.letters): \(histogram.total) letters, \(wentBack) of them sent back already")
                if histogram.total == 0 { return }
                print(histogram.table)
                if last > 0 { print("\n" + Self.table(Self.newest(newest, last), gone)) }
            }
        }

        private static func newest(_ letters: [Letter], _ count: Int) -> [Letter] {
            Array(letters.sorted { $0.record.timestamp < $1.record.timestamp }.suffix(count))
        }

        private static func table(_ letters: [Letter], _ gone: [TopicPartition: Progress]) -> String {
            Shown.table(
                [["letter", "written", "disposition", "class", "record", "key", "attempts", "redriven", "why"]]
                    + letters.map { letter in
                        let wentBack = gone[letter.record.source]?.hasFinished(letter.record.offset) == true
                        return [
                            letter.id, RFC3339.string(letter.record.timestamp), Shown.cell(letter.cause.disposition),
                            Shown.cell(letter.cause.errorClass),
                            Shown.cell(letter.origin.map { "\($0.source)@\($0.offset)" } ?? "–"), Shown.key(letter.record.key),
                            letter.attempts.map { "\($0)" } ?? "–", "\(letter.redriveCount)\(wentBack ? "+1" : "")",
                            Shown.masked(String(letter.message.prefix(80))),
                        ]
                    })
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One letter's headers, and its payload if asked for.")

        @Argument(help: "Name of the processor.") var processor: String
        @Argument(help: "The letter, PARTITION:OFFSET as `list` has it.") var letter: String
        @Flag(help: "Show key, value and headers in full, numbers too.") var payload = false

        func run() async throws {
            let parts = letter.split(separator: ":")
            guard parts.count == 2, let partition = Int32(parts[0]), let offset = Offset(parts[1]) else {
                throw ValidationError("a letter is named PARTITION:OFFSET, e.g. 3:17; `millrace dlq list \(processor)` has them")
            }
            try await withLetters(of: processor) { redrive in
                let source = TopicPartition(redrive.letters, partition)
                guard try await redrive.log.admin.partitions(of: redrive.letters).contains(source) else {
                    throw Refusal("\(redrive.letters) has no partition \(partition)")
                }
                let reader = try await redrive.log.reader()
                let record = try await reader.record(source, at: offset)
                await reader.close()
                guard let record else { throw Refusal("\(redrive.letters) holds no letter \(letter)") }
                print(Self.description(of: record, inFull: payload))
            }
        }

        private static let ids: Set = ["ce_id", "ce_causationid", "ce_correlationid", "traceparent"]

        static func description(of record: StoredRecord, inFull: Bool) -> String {
            let shown = inFull ? Shown.text : Shown.masked
            var rows = [["written", RFC3339.string(record.timestamp)]]
            rows.append(["key", record.key.map { shown(String(decoding: $0, as: UTF8.self)) } ?? "none"])
            for header in record.headers {
                // Ids are what an operator searches for; a hash may look like a number.
                let shown = Self.ids.contains(header.name) ? Shown.text : shown
                rows.append([Shown.text(header.name), header.value.map { shown(String(decoding: $0, as: UTF8.self)) } ?? "null"])
            }
            let bytes = record.value.map { "\($0.count) bytes" } ?? "none"
            rows.append(["value", inFull ? bytes : "\(bytes), shown with --payload"])
            guard inFull, let value = record.value else { return Shown.table(rows) }
            return Shown.table(rows) + "\n\n" + Shown.text(String(decoding: value, as: UTF8.self))
        }
    }

    struct RedriveCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "redrive", abstract: "Send letters back to the topics they came from.",
            discussion: """
                Without --execute it only counts what would go back. A letter goes back once, in order per key, with its \
                original key, value and headers; `_dlq.redrive.count` is counted up. Only letters that are there at the \
                start are meant. A run that was stopped or killed is continued by running it again. Note that every \
                group that reads the original topic sees the record again; Millrace's own know copies by ce_source and ce_id.
                """)

        @Argument(help: "Name of the processor.") var processor: String
        @OptionGroup var filter: LetterFilter
        @Flag(help: "Do it.") var execute = false
        @Option(help: "Letters per second.") var rate = 100.0
        @Option(help: "Leave letters that went back so often already.") var maxRedrives = 3
        @Option(help: "Send at most so many letters back.") var limit: Int?

        func validate() throws {
            guard rate >= 0.1, rate <= 100_000 else { throw ValidationError("--rate must be from 0.1 to 100000") }
            guard (1...1_000).contains(maxRedrives) else { throw ValidationError("--max-redrives must be from 1 to 1000") }
            guard limit.map({ $0 > 0 }) ?? true else { throw ValidationError("--limit must be positive") }
        }

        func run() async throws {
            try await withLetters(of: processor) { redrive in
                if execute { try await send(redrive) } else { try await count(redrive) }
            }
        }

        private func count(_ redrive: Redrive<ContinuousClock>) async throws {
            let gone = try await redrive.progress()
            var histogram = CauseHistogram()
            var (exhausted, homeless) = (0, 0)
            try await Scan(log: redrive.log).forEachRecord(of: redrive.log.admin.partitions(of: redrive.letters)) { record in
                let letter = Letter(record)
                guard filter.matches(letter), gone[record.source]?.hasFinished(record.offset) != true else { return }
                if letter.redriveCount >= maxRedrives {
                    exhausted += 1
                } else if letter.origin == nil {
                    homeless += 1
                } else {
                    histogram.add(letter)
                }
            }
            let going = min(histogram.total, limit ?? .max)
            print("\(redrive.letters): \(going) letters would go back\(going < histogram.total ? " of \(histogram.total)" : "")")
            if histogram.total > 0 { print(histogram.table) }
            print(left(exhausted, homeless), terminator: "")
            if histogram.total > 0 { print("Nothing was written. Add --execute to send them.") }
        }

        private func send(_ redrive: Redrive<ContinuousClock>) async throws {
            let filter = filter
            let plan = Redrive<ContinuousClock>.Plan(
                filter: { filter.matches($0) }, maxRedrives: maxRedrives, rate: rate, limit: limit ?? .max)
            let line = ProgressLine()
            let report = try await redrive.run(plan) { line.show("\($0) letters went back") }
            line.end()
            print("\(redrive.letters): \(report.redriven) letters went back")
            print(left(report.exhausted, report.homeless), terminator: "")
        }

        private func left(_ exhausted: Int, _ homeless: Int) -> String {
            var lines = ""
            if exhausted > 0 { lines += "\(exhausted) stay: they went back \(maxRedrives) times already (--max-redrives)\n" }
            if homeless > 0 { lines += "\(homeless) stay: their headers do not say where they belong\n" }
            return lines
        }
    }
}

/// Opens the log for a processor's dead letters.
private func withLetters(of processor: String, _ body: (Redrive<ContinuousClock>) async throws -> Void) async throws {
    try await withLog { log, settings in
        let group = settings.topics.group(of: processor)
        let letters = Topics.deadLetters(group: group)
        let topics = try await log.admin.topics().map(\.topic.name)
        guard topics.contains(letters.name) else {
            let prefix = Topics.deadLetters(group: settings.topics.group(of: "")).name
            // A name with a dot is another installation's.
            let known = topics.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count) }
                .filter { !$0.contains(".") }.sorted()
            throw Refusal("no processor \(processor) has dead letters on this log; there are: \(known.joined(separator: ", "))")
        }
        try await body(
            Redrive(log: log, letters: letters, group: Redrive<ContinuousClock>.groupName(of: group), clock: ContinuousClock()))
    }
}
