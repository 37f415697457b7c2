import EventLog

extension SpillingProducer {
    /// Sends the rejected records again, for when the cause was mended, and takes them off their table. Answers how
    /// many. One that is refused again comes back. Killed in between, a record may be sent and still be on the table.
    public func retryRejected() async throws(LogError) -> Int {
        let stored = try await store.rejectedRecords()
        for (record, offset) in stored {
            try await produce([record])
            try await store.forgetRejected(through: offset)
        }
        return stored.count
    }
}

extension SpillStore {
    private static let prefix = "_spill.rejected."

    /// As they were before they were rejected, each with its place in the table.
    func rejectedRecords() async throws(LogError) -> [(Record, Offset)] {
        guard let held = try await log.sizes()[Self.rejected]?.watermarks else { return [] }
        var records: [(Record, Offset)] = []
        var next = held.low
        while next < held.high {
            let read = try await reader.read(Self.rejected, from: next, maxRecords: 100, waitingUpTo: .zero)
            guard let last = read.last else { break }
            records += read.map { (Self.restored($0), $0.offset) }
            next = last.offset + 1
        }
        return records
    }

    func forgetRejected(through offset: Offset) async throws(LogError) {
        try await log.deleteRecords(below: [Self.rejected: offset + 1])
    }

    private static func restored(_ stored: StoredRecord) -> Record {
        let topic = stored.headers.string(prefix + "topic") ?? ""
        let headers = Headers(stored.headers.filter { !$0.name.hasPrefix(prefix) })
        return Record(
            topic: Topic(topic), key: stored.key, value: stored.value, headers: headers, timestamp: stored.timestamp)
    }
}
