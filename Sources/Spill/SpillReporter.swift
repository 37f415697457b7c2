import EventLog
import Logging
import Metrics

/// What the spill counts. Gauges are set at each look, counters grow.
enum SpillMetrics {
    /// Records in the spill, and their bytes as the bound counts them.
    static let records = Gauge(label: "millrace_spill_records")
    static let bytes = Gauge(label: "millrace_spill_bytes")
    /// Lanes whose new records go to the spill.
    static let lanes = Gauge(label: "millrace_spill_lanes")
    /// Records that became durable in the spill.
    static let spilled = Counter(label: "millrace_spill_spilled_records_total")
    /// Records that the log took from the spill.
    static let drained = Counter(label: "millrace_spill_drained_records_total")
    /// Parts of calls that neither log nor spill took.
    static let refused = Counter(label: "millrace_spill_refused_total")
    /// Times that the log refused a lane's topic as a whole.
    static let held = Counter(label: "millrace_spill_topic_refused_total")

    /// Records that the log refuses for good.
    static func rejected(_ reason: LogError.Code) -> Counter {
        Counter(label: "millrace_spill_rejected_records_total", dimensions: [("error.type", reason.name)])
    }
}

/// Turns the counts into metrics, and the beginning and the end of a spell of spilling into log lines.
struct SpillReporter {
    /// The spill must be empty for so long before its spell is over: a log that is slow now and then is one spell.
    private static let calm: Duration = .seconds(1)
    /// Between lines about topics that refuse: every lane of them tries again and again.
    private static let topicPause: Duration = .seconds(30)

    private let logger: Logger
    private var last = SpillTotals()
    private var begun: (at: Duration, spilled: Int, drained: Int)?
    private var emptySince: Duration?
    private var nextTopicLine: Duration = .zero

    init(_ logger: Logger) { self.logger = logger }

    mutating func look(at seen: (totals: SpillTotals, lanes: Int, isSpilling: Bool), _ now: Duration) {
        let totals = seen.totals
        SpillMetrics.records.record(totals.heldRecords)
        SpillMetrics.bytes.record(totals.heldBytes)
        SpillMetrics.lanes.record(seen.lanes)
        SpillMetrics.spilled.increment(by: totals.spilled - last.spilled)
        SpillMetrics.drained.increment(by: totals.drained - last.drained)
        SpillMetrics.refused.increment(by: totals.refused - last.refused)
        SpillMetrics.held.increment(by: totals.held - last.held)
        if totals.held > last.held, now >= nextTopicLine {
            nextTopicLine = now + Self.topicPause
            logger.error("A topic takes no records; they wait in the spill", metadata: records(totals))
        }
        tellOfSpell(totals, seen.isSpilling, now)
        last = totals
    }

    private mutating func tellOfSpell(_ totals: SpillTotals, _ isSpilling: Bool, _ now: Duration) {
        if isSpilling {
            emptySince = nil
            guard begun == nil else { return }
            begun = (now, last.spilled, last.drained)
            logger.warning("The log is slow or gone: records go to the spill", metadata: records(totals))
        } else if let spell = begun {
            let since = emptySince ?? now
            emptySince = since
            guard now - since >= Self.calm else { return }
            begun = nil
            logger.notice(
                "The spill is empty: records go to the log",
                metadata: [
                    "spill.seconds": "\((since - spell.at).milliseconds / 1_000)",
                    "spill.spilled": "\(totals.spilled - spell.spilled)",
                    "spill.drained": "\(totals.drained - spell.drained)",
                ])
        }
    }

    private func records(_ totals: SpillTotals) -> Logger.Metadata {
        ["spill.records": "\(totals.heldRecords)", "spill.bytes": "\(totals.heldBytes)"]
    }
}
