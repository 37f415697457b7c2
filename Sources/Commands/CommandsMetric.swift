import Telemetry

/// Every metric of the commands endpoint.
public enum CommandsMetric: String, MetricCatalogue {
    case requests = "commands_requests_total"
    case duration = "commands_request_duration_seconds"
    case inFlight = "commands_requests_in_flight"
    case openConnections = "commands_open_connections"
    case slowSenders = "commands_slow_senders_total"
    case keys = "commands_idempotency_keys"

    public var spec: MetricSpec {
        switch self {
        case .requests:
            .counter(labels: ["outcome"], "Requests for a message, by the outcome: accepted, repeated, or the code of the error.")
        case .duration:
            .histogram(
                .seconds, buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
                labels: ["outcome"], "From the end of a request's head to its answer, by outcome.")
        case .inFlight: .gauge("Commands handed to the log and not durable yet.")
        case .openConnections: .gauge("Connections of callers that are open.")
        case .slowSenders: .counter("Connections closed because a request did not come, or was not answered, in time.")
        case .keys: .gauge("Idempotency keys that are remembered; at their bound the oldest is forgotten early.")
        }
    }
}
