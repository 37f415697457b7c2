import EventLog
import Foundation
import Logging

/// How a `SQLiteLog` works. The defaults are right for production.
public struct SQLiteLogConfiguration: Sendable {
    /// What a commit waits for.
    public enum Synchronous: String, Sendable {
        /// The disk has it: survives a power cut.
        case full = "FULL"
        /// The kernel has it: survives the process, not the machine.
        case normal = "NORMAL"
    }

    public var synchronous: Synchronous = .full

    /// Bounds of what `send` takes before it answers `.queueFull`: waiting and in the running commit together.
    public var maxQueuedBytes = 64 << 20
    public var maxQueuedRecords = 50_000

    /// Bounds of one group commit. A single call larger than that is committed alone.
    public var maxCommitBytes = 8 << 20
    public var maxCommitRecords = 1_024

    /// A member of a consumer group that is silent for so long loses its partitions.
    public var lease: Duration = .seconds(3)
    /// How long a live member may keep a partition that was asked back; 5 s for work in flight and some for its commit.
    public var revocationGrace: Duration = .seconds(8)

    /// How often old records are looked for.
    public var sweepInterval: Duration = .seconds(30)
    /// The write-ahead log is copied into the file, and begins anew, when it is longer than this. What a stuck reader
    /// made it grow to is given back down to four times that.
    public var maxWALBytes = 16 << 20
    /// Connections that read at the same time.
    public var readers = 4

    /// Whether this log is its file's only owner: opening it is `.unavailable` while another owner lives. Logs that are
    /// opened without it, to look, exclude nobody and are not excluded.
    public var isOwner = false

    /// The wall clock: timestamps of records that bring none, and the age of records.
    public var now: @Sendable () -> Timestamp = {
        Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000))
    }
    public var logger = Logger(label: "millrace.sqlite")

    public init() {}
}

enum LogKeys {
    static let error = "error.detail"
    static let count = "error.count"
    static let group = "log.group"
    static let member = "log.member"
    static let path = "sqlite.path"
    static let pages = "sqlite.wal-pages"
}
