import EventLog

/// Judges what became of records that were handled while owners came, hung and died: the same for simulated worlds and
/// for real processes.
///
/// What it holds a runtime to:
///
/// - *Nothing is lost*: each record ends in an output or a dead letter.
/// - *Order per conversation and topic*: the first copies of a key's outputs follow each other as the records did, and
///   what ends in one owner's life ends in order.
/// - *Effects begin at most once without a word*: a second time only with a handler that was told the outcome is unknown.
/// - *Bounded duplicates*: copies have their causes.
///
/// Records are named by ascending numbers; outputs and dead letters carry the number as their value.
public struct DeliveryOracle: Sendable {
    private struct Life: Hashable {
        var owner: Int
        var key: String
    }

    /// What was breached; empty when all held.
    public private(set) var complaints: [String] = []
    /// How often the effect of a record began.
    public private(set) var effects: [Int: Int] = [:]
    /// Copies beside the first of each record.
    public private(set) var copies = 0
    private var lastEnded: [Life: Int] = [:]

    public init() {}

    public mutating func complain(_ text: String) { complaints.append(text) }

    /// A handler acts on the outside now.
    ///
    /// - Parameter wasTold: it had been told that an earlier effect's outcome is unknown.
    public mutating func effectBegins(_ number: Int, wasTold: Bool) {
        if !wasTold, effects[number] != nil { complain("the effect of \(number) began again without a word") }
        effects[number, default: 0] += 1
    }

    /// A record ended in one owner's life. `key` is that of its topic.
    public mutating func ended(_ number: Int, key: String, by owner: Int) {
        let life = Life(owner: owner, key: key)
        if let last = lastEnded[life], last >= number { complain("\(number) of \(key) ended after \(last)") }
        lastEnded[life] = number
    }

    /// What lies on the topics when all is over.
    ///
    /// - Parameters:
    ///   - numbers: of all records.
    ///   - outputs: each partition in the order of its offsets.
    ///   - copiesEach: how many copies one record may have beside the first.
    ///   - copiesInAll: how many there may be of all records.
    public mutating func judge(
        _ numbers: Range<Int>, outputs: [StoredRecord], deadLetters: [StoredRecord], copiesEach: Int,
        copiesInAll: Int = .max
    ) {
        var found: [Int: Int] = [:]
        for record in outputs + deadLetters {
            guard let number = record.number else {
                complain("an output that no record caused")
                continue
            }
            found[number, default: 0] += 1
        }
        for number in numbers {
            let count = found[number] ?? 0
            if count == 0 { complain("\(number) has neither output nor dead letter") }
            if count > 1 + copiesEach { complain("\(number) has \(count) outputs") }
            copies += max(0, count - 1)
        }
        if copies > copiesInAll { complain("\(copies) copies in all") }
        let disordered = Self.keysOutOfOrder(outputs)
        if !disordered.isEmpty { complain("out of order: \(disordered.prefix(5))") }
    }

    /// Keys of which the first copies of records do not follow each other.
    public static func keysOutOfOrder(_ records: [StoredRecord]) -> [String] {
        Dictionary(grouping: records) { String(decoding: $0.key ?? [], as: UTF8.self) }.filter { _, ofKey in
            var met: Set<Int> = []
            let firsts = ofKey.compactMap(\.number).filter { met.insert($0).inserted }
            return firsts != firsts.sorted()
        }.keys.sorted()
    }
}

extension StoredRecord {
    fileprivate var number: Int? { value.flatMap { Int(String(decoding: $0, as: UTF8.self)) } }
}
