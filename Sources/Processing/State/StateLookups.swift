import EventLog
import GRDB

import struct Foundation.Data

/// Looks entries up, all that are asked for meanwhile in one transaction. It sees what was on the disk when they were.
final class StateLookups: Sendable {
    private let looks: SharedLooks<String, [UInt8]?, any Error>

    init(_ pool: DatabasePool, _ survivors: StateKeys) {
        looks = SharedLooks { keys in
            do {
                return try await pool.read { db in keys.map { key in Result { try Self.find(key, survivors, db) } } }
            } catch {
                return keys.map { _ in .failure(error) }
            }
        }
    }

    func value(_ key: String) async throws -> [UInt8]? { try await looks.ask(key) }

    private static func find(_ key: String, _ survivors: StateKeys, _ db: Database) throws -> [UInt8]? {
        let table = StateTable(key, survivors)
        let find = try db.cachedStatement(sql: "SELECT value FROM \(table.rawValue) WHERE key = ?")
        return try Data.fetchOne(find, arguments: [key]).map(Array.init)
    }
}
