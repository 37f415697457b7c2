import EventLog
import Logging
import Metrics

/// How a `SpillingProducer` works. The times are decision 4's.
public struct SpillConfiguration: Sendable {
    /// Bound on what the spill holds: keys, values, headers and 64 bytes a record. Beyond it `.queueFull`.
    public var maxBytes: Int64 = 1 << 30
    /// No more is spilled while the disk has less room than this, free pages of the spill's own file counted. What is left
    /// is for the drain: removing what was sent writes, too.
    public var minFreeBytes: Int64 = 64 << 20
    /// Bytes left on the disk that a directory lies on; tests say less.
    var freeBytes: @Sendable (_ directory: String) -> Int64 = { SpillDisk.freeBytes(of: $0) }
    /// A record that the log has not acknowledged for so long is written to the spill as well.
    public var copyAfter: Duration = .milliseconds(500)
    /// While a lane's oldest record waits longer than this, new ones go to the spill.
    public var lateAfter: Duration = .milliseconds(300)
    /// How often the two are looked at.
    public var sweepInterval: Duration = .milliseconds(50)
    /// Bounds on what is handed to the log and not acknowledged; beyond them records go to the spill. They lie below
    /// the producer's own, whose refusals would let a later record overtake an earlier one.
    public var maxInFlightRecords = 50_000
    public var maxInFlightBytes = 128 << 20
    /// How long `close` waits for the log's word on what is in flight.
    public var closeTimeout: Duration = .seconds(2)
    /// How often records that the log refuses as a whole topic (unknown, not allowed) are tried again.
    public var refusalRetry: Duration = .seconds(5)
    /// Where `SpillMetric` is counted.
    public var metrics: any MetricsFactory = MetricsSystem.factory
    public var logger = Logger(label: "millrace.spill")

    public init() {}
}
