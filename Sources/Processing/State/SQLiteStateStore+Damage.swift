import GRDB
import Logging

import class Foundation.FileManager

extension SQLiteStateStore {
    /// Opens the file; one that is damaged is set aside as `<path>.damaged`, and the state begins as on a machine that never
    /// had it. One bad file must not keep a processor from its other partitions.
    static func openOrReplace(
        _ path: String, survivors: StateKeys, limits: StateLimits, logger: Logger
    ) async throws -> SQLiteStateStore {
        do {
            return try await open(path, survivors: survivors, limits: limits)
        } catch let error as DatabaseError where [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode.primaryResultCode) {
            logger.error(
                "state file is damaged and set aside; its state begins anew",
                metadata: ["state.file": "\(path)", "error": "\(error.resultCode)"])
            try setAside(path)
            return try await open(path, survivors: survivors, limits: limits)
        }
    }

    private static func setAside(_ path: String) throws {
        let files = FileManager.default
        for suffix in ["", "-wal", "-shm"] where files.fileExists(atPath: path + suffix) {
            try? files.removeItem(atPath: path + ".damaged" + suffix)
            try files.moveItem(atPath: path + suffix, toPath: path + ".damaged" + suffix)
        }
    }
}
