import EventLog
import Foundation
import WhatsApp

/// Follows the log from its end and prints one line per customer's message.
///
/// It is a group of its own that commits nothing: every `up` begins at the end, and nobody waits for it.
struct FlowView: Sendable {
    private let consumer: any Consumer
    private let log: any Log
    private let topics: Topics
    /// More lines in a second than anybody can read are counted instead of printed.
    private let maxLinesPerSecond = 20

    static func atTheEnd(of log: any Log, topics: Topics) async throws -> FlowView {
        let inputs = [topics.messages, topics.outbound, topics.outboundResults, topics.statuses]
        let consumer = try await log.consumer(
            ConsumerConfiguration(group: topics.group(of: "up.\(UUID().uuidString.lowercased())"), topics: inputs))
        return FlowView(consumer: consumer, log: log, topics: topics)
    }

    func run(print: @escaping @Sendable (String) -> Void) async {
        let book = Book(maxLinesPerSecond: maxLinesPerSecond, print: print)
        let overdue = Task {
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(1))
                await book.second()
            }
        }
        do {
            try await withTaskCancellationHandler {
                while let event = try await consumer.next() { try await take(event, into: book) }
            } onCancel: {
                Task { await consumer.close() }
            }
        } catch {
            print("  ! the view lost the log; the stages go on")
        }
        overdue.cancel()
    }

    private func take(_ event: ConsumerEvent, into book: Book) async throws {
        switch event {
        case .assigned(let partitions):
            let held = try await log.admin.watermarks(of: Array(partitions.keys))
            try await consumer.start(at: held.mapValues(\.high))
        case .records(_, let records):
            await book.read(records, topics)
        case .revoked(let partitions):
            try await consumer.release(partitions)
        case .outOfRange(let partition, _, let held):
            try await consumer.seek(partition, to: held.high)
        case .lost:
            break
        }
    }

    private actor Book {
        private var book = FlowBook()
        private var printed = 0
        private let maxLinesPerSecond: Int
        private let print: @Sendable (String) -> Void

        init(maxLinesPerSecond: Int, print: @escaping @Sendable (String) -> Void) {
            self.maxLinesPerSecond = maxLinesPerSecond
            self.print = print
        }

        func read(_ records: [StoredRecord], _ topics: Topics) {
            let now = Timestamp.now
            for record in records { show(lines(of: record, topics, at: now)) }
        }

        private func lines(of record: StoredRecord, _ topics: Topics, at now: Timestamp) -> [String] {
            switch record.topic {
            case topics.messages:
                return (try? InboundMessage(record)).map { book.customerWrote($0, at: now) } ?? []
            case topics.outbound:
                guard let command = try? OutboundCommand(record) else { return [] }
                return book.answered(command, causedBy: command.causationID, at: now)
            case topics.outboundResults:
                return (try? OutboundResult(record)).map { book.sent($0, at: now) } ?? []
            default:
                return (try? MessageStatus(record)).map { book.statusCame($0, at: now) } ?? []
            }
        }

        func second() {
            if printed > maxLinesPerSecond { print("  … and \(printed - maxLinesPerSecond) more in this second") }
            printed = 0
            show(book.tellOverdue(at: .now))
        }

        private func show(_ lines: [String]) {
            for line in lines {
                printed += 1
                if printed <= maxLinesPerSecond { print(line) }
            }
        }
    }
}
