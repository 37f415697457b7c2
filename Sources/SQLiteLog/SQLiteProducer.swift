import EventLog

/// Appends records through the process's writer.
struct SQLiteProducer: Producer {
    let writer: Writer

    func send(_ records: [Record], completion: @escaping @Sendable (Result<[RecordPosition], LogError>) -> Void) {
        if records.isEmpty { return completion(.success([])) }
        let bytes = records.reduce(0) { $0 + $1.byteCount }
        let job = WriteJob(records: records.count, bytes: bytes) { transaction in
            let positions = try transaction.append(records)
            return { completion(.success(positions)) }
        } fail: {
            completion(.failure($0))
        }
        writer.add(job, isBounded: true)
    }
}
