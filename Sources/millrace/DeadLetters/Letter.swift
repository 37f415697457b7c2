import EventLog
import WhatsApp

/// One dead letter: the original record with the cause of its death in `_dlq.…` headers.
struct Letter {
    /// What letters are counted by.
    struct Cause: Hashable, Comparable {
        var disposition: String
        var errorClass: String
        var topic: String

        static func < (a: Cause, b: Cause) -> Bool {
            (a.disposition, a.errorClass, a.topic) < (b.disposition, b.errorClass, b.topic)
        }
    }

    let record: StoredRecord
    let cause: Cause
    /// Where the record lay; nil where the headers do not say.
    let origin: (source: TopicPartition, offset: Offset)?
    let attempts: Int?
    let message: String
    /// How often it went back already.
    let redriveCount: Int

    static let errorPrefix = "_dlq.errors."
    static let redriveHeader = "_dlq.redrive.count"

    /// Of repeated headers the last counts.
    init(_ record: StoredRecord) {
        self.record = record
        func text(_ name: String) -> String? { record.headers.string(Self.errorPrefix + name) }
        let topic = text("original.topic")
        cause = Cause(disposition: text("disposition") ?? "–", errorClass: text("class") ?? "–", topic: topic ?? "–")
        if let topic, Topic(topic).isValid, let partition = text("original.partition").flatMap({ Int32($0) }),
            let offset = text("original.offset").flatMap({ Offset($0) }), partition >= 0
        {
            origin = (TopicPartition(Topic(topic), partition), offset)
        } else {
            origin = nil
        }
        attempts = text("attempts").flatMap { Int($0) }
        message = text("message") ?? ""
        redriveCount = max(0, record.headers.string(Self.redriveHeader).flatMap { Int($0) } ?? 0)
    }

    /// `partition:offset`, how a letter is named on the command line.
    var id: String { "\(record.source.partition):\(record.offset)" }

    /// The original record on its way back, counted once more; nil when the letter does not say where it belongs.
    ///
    /// It goes to the partition it came from and gets a new time stamp, so that retention does not take it at once;
    /// `ce_time` in its headers stays.
    func redriven() -> Record? {
        guard let origin else { return nil }
        var headers = Headers()
        for header in record.headers where !header.name.hasPrefix(Self.errorPrefix) && header.name != Self.redriveHeader {
            headers.append(header)
        }
        headers.append(Self.redriveHeader, "\(redriveCount + 1)")
        return Record(
            topic: origin.source.topic, partition: origin.source.partition, key: record.key, value: record.value,
            headers: headers)
    }
}

/// Letters counted by cause.
struct CauseHistogram {
    private struct Count {
        var letters = 0
        var oldest: Timestamp
        var newest: Timestamp
    }
    private var counts: [Letter.Cause: Count] = [:]
    private(set) var total = 0

    mutating func add(_ letter: Letter) {
        let time = letter.record.timestamp
        var count = counts[letter.cause] ?? Count(oldest: time, newest: time)
        count.letters += 1
        count.oldest = min(count.oldest, time)
        count.newest = max(count.newest, time)
        counts[letter.cause] = count
        total += 1
    }

    /// The most frequent first.
    var table: String {
        var rows = [["letters", "disposition", "class", "from topic", "oldest", "newest"]]
        for (cause, count) in counts.sorted(by: { ($1.value.letters, $0.key) < ($0.value.letters, $1.key) }) {
            rows.append([
                "\(count.letters)", Shown.cell(cause.disposition), Shown.cell(cause.errorClass), Shown.cell(cause.topic),
                RFC3339.string(count.oldest), RFC3339.string(count.newest),
            ])
        }
        return Shown.table(rows)
    }
}
