import EventLog
import Logging

/// What a look at the spill shows.
struct SpillLook {
    var totals: SpillTotals
    /// Whose new records go to the spill.
    var lanes: Int
    var isSpilling: Bool
    /// Bytes left on the disk, as last asked.
    var diskFree: Int64
}

/// Turns the counts into metrics, and the beginning and the end of a spell of spilling into log lines.
struct SpillReporter {
    /// The spill must be empty for so long before its spell is over: a log that is slow now and then is one spell.
    private static let calm: Duration = .seconds(1)
    /// Between lines about topics that refuse: every lane of them tries again and again.
    private static let topicPause: Duration = .seconds(30)

    private let logger: Logger
    private let instruments: SpillInstruments
    private var last = SpillTotals()
    private var begun: (at: Duration, spilled: Int, drained: Int)?
    private var emptySince: Duration?
    private var nextTopicLine: Duration = .zero

    init(_ configuration: SpillConfiguration) {
        logger = configuration.logger
        instruments = SpillInstruments(configuration)
    }

    mutating func look(at seen: SpillLook, _ now: Duration) {
        let totals = seen.totals
        instruments.record(seen, since: last)
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
