import Telemetry

/// Every metric that a processor gets from its runtime.
public enum ProcessorMetric: String, MetricCatalogue {
    // Names after OpenTelemetry's semantic conventions for messaging, where these have one.
    case consumed = "messaging_client_consumed_messages_total"
    case produced = "messaging_client_sent_messages_total"
    case handlingDuration = "messaging_process_duration_seconds"
    case handled = "processor_records_handled_total"
    case effectsUnknown = "processor_effects_unknown_total"
    case outages = "processor_outages_total"
    case parked = "processor_parked_records"
    case lagRecords = "processor_lag_records"
    case lagSeconds = "processor_lag_seconds"
    case parkedAge = "processor_parked_age_seconds"
    case unfinishedAge = "processor_unfinished_age_seconds"
    case partitions = "processor_partitions"
    case restoring = "processor_restore_remaining_records"
    case restored = "processor_restored_records_total"
    case stateBytes = "processor_state_bytes"
    case evicted = "processor_state_evicted_entries_total"

    public var spec: MetricSpec {
        switch self {
        case .consumed: .counter(labels: ["group", "topic"], "Records taken from the log.")
        case .produced: .counter(labels: ["group"], "Records written and durable, dead letters included.")
        case .handlingDuration:
            .histogram(
                .seconds, buckets: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
                labels: ["group", "outcome"], "How long a handler worked on one record, by outcome: done or failed.")
        case .handled:
            .counter(
                labels: ["group", "topic", "outcome"],
                "Tries at a record: done; failed, so that it is parked or given up; dead, when its dead letter is written.")
        case .effectsUnknown:
            .counter(
                labels: ["group", "topic"],
                "Effects whose outcome became unknown: a take-over, a handler that took too long, or its own word.")
        case .outages:
            .counter(
                labels: ["group", "kind"],
                "Times that what records need went down for a lane, by kind: all of the processor's, or one named.")
        case .parked:
            .gauge(labels: ["group", "topic", "partition"], "Records that wait for another try, or behind one of their key.")
        case .lagRecords:
            .gauge(
                labels: ["group", "topic", "partition"],
                "Records from the oldest that is neither done nor parked to the end of the partition.")
        case .lagSeconds:
            .gauge(
                .seconds, labels: ["group", "topic", "partition"],
                "Age, by its own time stamp, of the oldest record that is neither done nor parked; 0 when there is none.")
        case .parkedAge:
            .gauge(
                .seconds, labels: ["group", "topic", "partition"],
                "Age of the oldest record that waits for another try or behind one of its key; 0 when there is none.")
        case .unfinishedAge:
            .gauge(
                .seconds, labels: ["group", "topic", "partition"],
                "Age of the oldest record that is not done, parked or not; 0 when there is none.")
        case .partitions:
            .gauge(labels: ["group", "state"], "Partitions of this instance, by state: running, restoring or stuck.")
        case .restoring:
            .gauge(
                labels: ["group", "topic", "partition"],
                "Records still to be read before the state is complete: of an input, or of the state's topic.")
        case .restored:
            .counter(labels: ["group"], "Records of the state's topic that were taken over by a new owner.")
        case .stateBytes: .gauge(.bytes, labels: ["group", "partition"], "Size of the state's files.")
        case .evicted:
            .counter(
                labels: ["group"], "Entries of the state that went before their time because the state was full.")
        }
    }
}
