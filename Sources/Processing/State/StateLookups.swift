import GRDB
import SQLiteParts

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
        let find = try RawStatement(db, "SELECT value FROM \(table.rawValue) WHERE key = ?")
        defer { find.reset() }
        find.bind(1, key)
        return try find.step() ? find.bytes(0) : nil
    }
}
