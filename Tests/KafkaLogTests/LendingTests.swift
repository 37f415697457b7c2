import EventLog
import Testing

@testable import KafkaLog

/// Records whose content stays in librdkafka's memory.
@Suite struct LendingTests {
    private final class Library: Sendable {}
    private let source = TopicPartition("t", 0)

    @Test func whatIsTakenWhileAMessageIsOutIsTheBound() {
        var lending = Lending(Library(), maxBytes: 100)
        var first = lending.begin(source)
        lending.note(taken: 60)
        #expect(lending.begin(source) != nil)
        lending.note(taken: 60)
        #expect(lending.begin(source) == nil, "120 bytes were taken since the first went out")
        _ = first
        first = nil
        #expect(lending.begin(source) != nil)
    }

    @Test func onlyTheOldestCounts() {
        var lending = Lending(Library(), maxBytes: 100)
        for _ in 0..<1_000 {
            let loan = lending.begin(source)
            #expect(loan != nil, "the one before has come back")
            lending.note(taken: 60)
            _ = loan
        }
    }

    @Test func aLoanKeepsTheLibrary() {
        weak var library: Library?
        var loan: Loan?
        do {
            let strong = Library()
            library = strong
            var lending = Lending(strong)
            loan = lending.begin(source)
        }
        #expect(library != nil)
        withExtendedLifetime(loan) {}
        loan = nil
        #expect(library == nil)
    }

    @Test func recordsAreWholeAfterTheirLogHasGone() async throws {
        let on = try await MockLog(["t": 1])
        let headers = Headers([Header("a", "1"), Header("b", nil as [UInt8]?), Header("a", "2")])
        try await on.log.produce(
            (0..<50).map {
                Record(
                    topic: "t", partition: 0, key: Array("k\($0)".utf8), value: Array("v\($0)".utf8), headers: headers,
                    timestamp: Timestamp(milliseconds: 1_000 + Int64($0)))
            })
        let member = try await on.log.member("g", ["t"])
        try await member.begin()
        let records = try await member.take(50)
        await member.close()
        await on.log.close()
        // By many at once: the headers are taken apart at the first look.
        await withDiscardingTaskGroup { group in
            for _ in 0..<4 {
                group.addTask { for record in records { #expect(record.headers == headers) } }
            }
        }
        for (number, record) in records.enumerated() {
            #expect(record.source == source && record.offset == Offset(number))
            #expect(record.key == Array("k\(number)".utf8) && record.value == Array("v\(number)".utf8))
            #expect(record.timestamp == Timestamp(milliseconds: 1_000 + Int64(number)))
            #expect(record.detached == record)
            #expect(record.keyHash == record.key.map(Murmur2.hash) ?? 0)
        }
    }
}
