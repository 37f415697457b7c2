import EventLog

/// What a record of the topic `state.<group>` says. Partition `n` holds the state of lane `n`.
///
/// | record | key | value | headers `state.…` |
/// |---|---|---|---|
/// | entry | the state's key | its value; none: removed | `kind` entry, `epoch`, `flush`, `expires` |
/// | seal | NUL `seal` | the progress that the state has now, a line per topic | `kind` seal, `epoch`, `flush`, `settled` |
/// | claim | NUL `claim/<epoch>` | empty | `kind` claim, `epoch` |
///
/// Entries count once the seal of their flush follows; a claim says that another owner begins; `settled` that it has
/// written again what was doubted before its claim. `StateHistory` reads them.
enum StateRecord: Sendable, Equatable {
    case entry(key: String, StateEntry, epoch: Int64, flush: Int64)
    case seal([Topic: Progress], epoch: Int64, flush: Int64, hasSettled: Bool)
    case claim(epoch: Int64)

    private static let sealKey = Array("\u{0}seal".utf8)
    private static func claimKey(_ epoch: Int64) -> [UInt8] { Array("\u{0}claim/\(epoch)".utf8) }

    /// Nil for what is none of these: a claim that was taken back, or another's.
    init?(_ record: StoredRecord) {
        let headers = record.headers
        func number(_ name: String) -> Int64? { headers.string("state." + name).flatMap { Int64($0) } }
        guard let key = record.key, let epoch = number("epoch") else { return nil }
        switch headers.string("state.kind") {
        case "entry":
            guard let flush = number("flush") else { return nil }
            let expires = number("expires").map { Timestamp(milliseconds: $0) }
            self = .entry(
                key: String(decoding: key, as: UTF8.self), StateEntry(value: record.value, expires: expires),
                epoch: epoch, flush: flush)
        case "seal":
            guard let flush = number("flush"), let value = record.value else { return nil }
            let hasSettled = headers["state.settled"] != nil
            self = .seal(Self.progress(value), epoch: epoch, flush: flush, hasSettled: hasSettled)
        case "claim" where record.value != nil: self = .claim(epoch: epoch)
        default: return nil
        }
    }

    func record(in partition: TopicPartition) -> Record {
        switch self {
        case .entry(let key, let entry, let epoch, let flush):
            var headers = Self.headers("entry", epoch, flush)
            if let expires = entry.expires { headers.append("state.expires", "\(expires.milliseconds)") }
            return Record(
                topic: partition.topic, partition: partition.partition, key: Array(key.utf8), value: entry.value,
                headers: headers)
        case .seal(let progress, let epoch, let flush, let hasSettled):
            var headers = Self.headers("seal", epoch, flush)
            if hasSettled { headers.append("state.settled", "1") }
            return Record(
                topic: partition.topic, partition: partition.partition, key: Self.sealKey, value: Self.text(progress),
                headers: headers)
        case .claim(let epoch):
            return Record(
                topic: partition.topic, partition: partition.partition, key: Self.claimKey(epoch), value: [],
                headers: Self.headers("claim", epoch))
        }
    }

    /// Takes a claim back, once nothing depends on it.
    static func withdrawnClaim(_ epoch: Int64, in partition: TopicPartition) -> Record {
        Record(topic: partition.topic, partition: partition.partition, key: claimKey(epoch), value: nil)
    }

    private static func headers(_ kind: String, _ epoch: Int64, _ flush: Int64? = nil) -> Headers {
        var headers = Headers([Header("state.kind", kind), Header("state.epoch", "\(epoch)")])
        if let flush { headers.append("state.flush", "\(flush)") }
        return headers
    }

    /// `<topic> <offset> <note>`: the note as commits have it, but of any length.
    private static func text(_ progress: [Topic: Progress]) -> [UInt8] {
        Array(progress.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.offset) \($0.value.note)" }.joined(separator: "\n").utf8)
    }

    private static func progress(_ value: [UInt8]) -> [Topic: Progress] {
        var progress: [Topic: Progress] = [:]
        for line in String(decoding: value, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 2)
            guard words.count >= 2, let offset = Offset(words[1]) else { continue }
            let note = words.count == 3 ? String(words[2]) : ""
            progress[Topic(String(words[0]))] = Progress(Commit(offset: offset, metadata: note))
        }
        return progress
    }
}
