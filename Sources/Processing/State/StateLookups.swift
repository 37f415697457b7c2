import GRDB
import Synchronization

import struct Foundation.Data

/// Looks entries up. Those who ask while a reader is busy share its next trip: with many handlers at work, a trip to
/// another thread and a transaction for each of them would cost more than all that they do there.
final class StateLookups: Sendable {
    private struct Lookup {
        let key: String
        let waiter: CheckedContinuation<[UInt8]?, any Error>
    }

    private struct Line {
        var waiting: [Lookup] = []
        var isReading = false
    }

    private let pool: DatabasePool
    private let survivors: StateKeys
    private let line = Mutex(Line())

    init(_ pool: DatabasePool, _ survivors: StateKeys) {
        self.pool = pool
        self.survivors = survivors
    }

    func value(_ key: String) async throws -> [UInt8]? {
        try await withCheckedThrowingContinuation { waiter in
            let begins = line.withLock { line in
                line.waiting.append(Lookup(key: key, waiter: waiter))
                defer { line.isReading = true }
                return !line.isReading
            }
            if begins { read() }
        }
    }

    /// A transaction of its own for each trip: it sees what was on the disk when its lookups were asked for.
    private func read() {
        pool.asyncRead { opened in
            let asked = self.line.withLock { line in
                defer { line.waiting = [] }
                return line.waiting
            }
            for lookup in asked {
                lookup.waiter.resume(with: Result { try self.find(lookup.key, opened.get()) })
            }
            let goesOn = self.line.withLock { line in
                line.isReading = !line.waiting.isEmpty
                return line.isReading
            }
            if goesOn { self.read() }
        }
    }

    private func find(_ key: String, _ db: Database) throws -> [UInt8]? {
        let table = StateTable(key, survivors)
        let find = try db.cachedStatement(sql: "SELECT value FROM \(table.rawValue) WHERE key = ?")
        return try Data.fetchOne(find, arguments: [key]).map(Array.init)
    }
}
