import GRDB
import GRDBSQLite

/// A prepared statement used without GRDB's conversions, for statements that run once per record, entry or commit. Bytes are
/// bound without copying and must live until `step`; texts are copied.
///
/// The connection caches the statement; the reference keeps it alive while its handle is in use.
public struct RawStatement {
    @usableFromInline let statement: Statement
    @inlinable var handle: OpaquePointer { statement.sqliteStatement }

    public init(_ db: Database, _ sql: String) throws {
        statement = try db.cachedStatement(sql: sql)
        sqlite3_reset(statement.sqliteStatement)
    }

    @inlinable
    public func bind(_ index: Int32, _ value: Int64) { sqlite3_bind_int64(handle, index, value) }

    /// Nil is NULL.
    @inlinable
    public func bind(_ index: Int32, _ value: Int64?) {
        if let value { bind(index, value) } else { sqlite3_bind_null(handle, index) }
    }

    public func bind(_ index: Int32, _ text: String) {
        // -1: SQLITE_TRANSIENT, which Swift cannot see.
        let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        sqlite3_bind_text64(handle, index, text, UInt64(text.utf8.count), copies, UInt8(SQLITE_UTF8))
    }

    /// Nil is NULL; no bytes are a blob of length 0.
    public func bind(_ index: Int32, _ bytes: UnsafeRawBufferPointer?) {
        guard let bytes else {
            sqlite3_bind_null(handle, index)
            return
        }
        if let start = bytes.baseAddress, !bytes.isEmpty {
            // No destructor (SQLITE_STATIC): the caller keeps the bytes.
            sqlite3_bind_blob64(handle, index, start, UInt64(bytes.count), nil)
        } else {
            sqlite3_bind_zeroblob(handle, index, 0)
        }
    }

    /// True while there is a row.
    public func step() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code:
            let message = String(cString: sqlite3_errmsg(sqlite3_db_handle(handle)))
            sqlite3_reset(handle)
            throw DatabaseError(resultCode: ResultCode(rawValue: code), message: message)
        }
    }

    /// Runs a statement without rows that was bound, and makes it ready for the next.
    public func run() throws {
        _ = try step()
        reset()
    }

    @inlinable
    public func reset() { sqlite3_reset(handle) }

    @inlinable
    public func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    public func bytes(_ column: Int32) -> [UInt8]? {
        if sqlite3_column_type(handle, column) == SQLITE_NULL { return nil }
        let count = Int(sqlite3_column_bytes(handle, column))
        guard count > 0, let start = sqlite3_column_blob(handle, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: count))
    }
}

/// Lends the bytes of an optional array.
@inlinable
public func withBytes<T>(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) throws -> T) rethrows -> T {
    guard let bytes else { return try body(nil) }
    return try bytes.withUnsafeBytes { try body($0) }
}
