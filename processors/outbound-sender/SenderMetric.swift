import Telemetry

/// What the sender counts beside what every processor does.
///
/// `number` is the end of a `phone_number_id`, enough for people to tell their numbers apart.
public enum SenderMetric: String, MetricCatalogue {
    case results = "whatsapp_outbound_results_total"
    case age = "whatsapp_command_age_seconds"
    case resent = "whatsapp_sends_after_unknown_total"
    case inDoubt = "whatsapp_commands_in_doubt"
    case waiting = "whatsapp_sends_waiting"
    case inFlight = "whatsapp_sends_in_flight"
    case heldNumbers = "whatsapp_numbers_held"
    case pausedTemplates = "whatsapp_templates_paused"
    case bulkPaused = "whatsapp_bulk_paused"

    public var spec: MetricSpec {
        switch self {
        case .results:
            .counter(
                labels: ["number", "outcome", "error_type"],
                "Commands that ended: accepted, rejected, expired or unknown; error_type is the platform's code or a word of the sender's.")
        case .age:
            .histogram(
                .seconds, buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 86_400],
                labels: ["outcome"], "From the moment a command was asked for to its end: its time in queues, mostly.")
        case .resent:
            .counter(
                labels: ["number"], "Messages sent again although nobody knew whether the first one had been accepted.")
        case .inDoubt: .gauge("Commands that wait for a status that tells whether they were accepted.")
        case .waiting: .gauge("Messages that wait for their turn under a limit.")
        case .inFlight: .gauge("Messages let go and not answered yet.")
        case .heldNumbers:
            .gauge("Numbers that may not send until somebody acts: key, payment, quality, policy.")
        case .bulkPaused: .gauge("1 while campaigns stand still by an operator's word (`millrace outbound pause`), else 0.")
        case .pausedTemplates: .gauge("Templates that are paused, disabled or missing.")
        }
    }
}
