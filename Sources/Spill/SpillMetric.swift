import EventLog
import Metrics
import Telemetry

/// Every metric of the spill. Gauges are set and counters grow at each look, about twenty times a second.
public enum SpillMetric: String, MetricCatalogue {
    case records = "millrace_spill_records"
    case bytes = "millrace_spill_bytes"
    case bytesLimit = "millrace_spill_limit_bytes"
    case diskFree = "millrace_spill_disk_free_bytes"
    case lanes = "millrace_spill_lanes"
    case spilled = "millrace_spill_spilled_records_total"
    case drained = "millrace_spill_drained_records_total"
    case refused = "millrace_spill_refused_total"
    case topicRefused = "millrace_spill_topic_refused_total"
    case rejected = "millrace_spill_rejected_records_total"
    case rejectedHeld = "millrace_spill_rejected_held_records"

    public var spec: MetricSpec {
        switch self {
        case .records: .gauge("Records in the spill that the log has yet to acknowledge.")
        case .bytes: .gauge(.bytes, "What the spill holds as its bound counts it, rejected records included.")
        case .bytesLimit: .gauge(.bytes, "Bound on millrace_spill_bytes; beyond it senders get 503.")
        case .diskFree: .gauge(.bytes, "Room left for the spill: of its disk, and what its own file has and does not use.")
        case .lanes: .gauge("Lanes, each a part of a topic's keys, whose new records go to the spill; 0 while the log keeps up.")
        case .spilled: .counter("Records that became durable in the spill.")
        case .drained: .counter("Records that the log took from the spill.")
        case .refused: .counter("Parts of deliveries that neither log nor spill took.")
        case .topicRefused: .counter("Times that the log refused a topic as a whole, so that its records wait in the spill.")
        case .rejected:
            .counter(labels: ["error_type"], "Records that the log refused for good and that went to the rejected table.")
        case .rejectedHeld: .gauge("Records in the rejected table, which wait for the operator.")
        }
    }
}

/// The instruments, all but those with labels.
struct SpillInstruments {
    private let records, bytes, diskFree, lanes, rejectedHeld: Gauge
    private let spilled, drained, refused, topicRefused: Counter

    init(_ configuration: SpillConfiguration) {
        let factory = configuration.metrics
        records = SpillMetric.records.gauge(in: factory)
        bytes = SpillMetric.bytes.gauge(in: factory)
        diskFree = SpillMetric.diskFree.gauge(in: factory)
        lanes = SpillMetric.lanes.gauge(in: factory)
        rejectedHeld = SpillMetric.rejectedHeld.gauge(in: factory)
        spilled = SpillMetric.spilled.counter(in: factory)
        drained = SpillMetric.drained.counter(in: factory)
        refused = SpillMetric.refused.counter(in: factory)
        topicRefused = SpillMetric.topicRefused.counter(in: factory)
        SpillMetric.bytesLimit.gauge(in: factory).record(configuration.maxBytes)
    }

    func record(_ seen: SpillLook, since last: SpillTotals) {
        let totals = seen.totals
        records.record(totals.heldRecords)
        bytes.record(totals.heldBytes)
        diskFree.record(seen.diskFree)
        lanes.record(seen.lanes)
        rejectedHeld.record(totals.rejectedHeld)
        spilled.increment(by: totals.spilled - last.spilled)
        drained.increment(by: totals.drained - last.drained)
        refused.increment(by: totals.refused - last.refused)
        topicRefused.increment(by: totals.held - last.held)
    }
}
