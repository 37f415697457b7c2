import EventLog
import Foundation
import Synchronization
import WhatsApp

/// Commands of a steady rate, to so many customers in turn that each gets one in twelve seconds: a pair may have one in
/// six, and a test that lasts must not wait for that limit.
final class CommandLoad: Sendable {
    private let customers: Int
    private let pipeline: Pipeline
    private let rate: Int
    private let count = Mutex(0)
    private let run = UUID().uuidString.prefix(8)

    init(_ pipeline: Pipeline, rate: Int) {
        self.pipeline = pipeline
        self.rate = rate
        customers = max(300, 12 * rate)
    }

    var written: Int { count.withLock { $0 } }
    func id(_ number: Int) -> String { "\(run)-\(number)" }

    /// Until cancelled.
    func feed() async throws {
        let start = ContinuousClock.now
        let first = written
        while !Task.isCancelled {
            let due = first + Int(Double((ContinuousClock.now - start).milliseconds) / 1_000 * Double(rate))
            if due > written { try await write(upTo: due) }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    func write(upTo end: Int) async throws {
        try await pipeline.log.produce(try (written..<end).map(record))
        count.withLock { $0 = end }
    }

    private func record(_ number: Int) throws -> Record {
        let phone = "1555\(1_000_000 + number % customers)"
        let business = "700100200300501"
        return OutboundCommand(
            channel: ChannelIdentity(name: "demo", hosting: .cloud, wabaID: "900100200300401", phoneNumberID: business),
            id: id(number), purpose: .utility, recipient: .to(phone),
            conversationKey: ConversationKey.make(business: business, user: phone),
            message: try JSON(parsing: Array(#"{"type":"text","text":{"body":"No. \#(number)"}}"#.utf8)),
            expiresAt: .now + .seconds(3_600), requestedAt: .now
        ).record(topic: pipeline.topics.outbound)
    }
}

/// How commands ended, as the results topic has it.
final class CommandEnds: Sendable {
    fileprivate struct Book {
        var next: [TopicPartition: Offset] = [:]
        var messages: [String: Set<String>] = [:]
        var others: [String] = []
        var resent: Set<String> = []
    }

    private let log: any Log
    private let reader: any Reader
    private let book = Mutex(Book())

    init(_ pipeline: Pipeline) async throws {
        log = pipeline.log
        reader = try await log.reader()
        let partitions = try await log.admin.partitions(of: pipeline.topics.outboundResults)
        book.withLock { $0.next = Dictionary(uniqueKeysWithValues: partitions.map { ($0, 0) }) }
    }

    func isAccepted(_ id: String) -> Bool { book.withLock { $0.messages[id] != nil } }
    var others: [String] { book.withLock { $0.others } }
    var resent: Int { book.withLock { $0.resent.count } }
    /// A copy of a result names the same message.
    var isOneMessageEach: Bool { book.withLock { $0.messages.values.allSatisfy { $0.count == 1 } } }

    func read() async throws {
        for (partition, start) in book.withLock({ $0.next }) {
            var at = start
            while true {
                let records = try await reader.read(partition, from: at, maxRecords: 1_000, waitingUpTo: .zero)
                guard let last = records.last else { break }
                let results = try records.map { try OutboundResult($0) }
                at = last.offset + 1
                book.withLock { book in
                    for result in results { book.note(result) }
                    book.next[partition] = at
                }
            }
        }
    }
}

extension CommandEnds.Book {
    fileprivate mutating func note(_ result: OutboundResult) {
        guard result.outcome == .accepted, let message = result.messageID else {
            others.append("\(result.commandID) \(result.outcome.rawValue) \(result.error?.errorClass ?? "")")
            return
        }
        messages[result.commandID, default: []].insert(message)
        if result.resentAfterUnknown > 0 { resent.insert(result.commandID) }
    }
}
