import EventLog

/// Leave for the messages of one run to stay in the library's memory. Each of them holds it, and so the client, which must
/// outlive its messages.
final class Loan: Sendable {
    let source: TopicPartition
    private let client: any AnyObject & Sendable

    init(_ source: TopicPartition, of client: any AnyObject & Sendable) {
        self.source = source
        self.client = client
    }
}

/// Bounds what records hold of the library's memory.
///
/// A message keeps the whole answer of a broker that it came in, with all the others of that answer: one record that is
/// held for long is enough. So what has been taken since the oldest message that is still out is the most that can be
/// held, whoever holds what; beyond the bound records are copied until that message has come back.
struct Lending {
    /// What a consumer's buffer and a dozen full lanes behind it hold.
    static let maxBytes = 128 << 20
    private let maxBytes: Int
    private let client: any AnyObject & Sendable
    /// Oldest first, each with what had been taken before it.
    private var loans: [(loan: Loan, at: Int)] = []
    private var taken = 0

    init(_ client: any AnyObject & Sendable, maxBytes: Int = Self.maxBytes) {
        self.client = client
        self.maxBytes = maxBytes
    }

    mutating func note(taken bytes: Int) { taken += bytes }

    /// For a run of messages of one partition; nil when they are to be copied.
    mutating func begin(_ source: TopicPartition) -> Loan? {
        var ended = 0
        while ended < loans.count, isKnownUniquelyReferenced(&loans[ended].loan) { ended += 1 }
        loans.removeFirst(ended)
        if let oldest = loans.first, taken - oldest.at >= maxBytes { return nil }
        let loan = Loan(source, of: client)
        loans.append((loan, taken))
        return loan
    }
}
