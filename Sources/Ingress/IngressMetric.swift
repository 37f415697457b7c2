import Telemetry

/// Every metric of the ingress.
public enum IngressMetric: String, MetricCatalogue {
    // Names after OpenTelemetry's semantic conventions for HTTP and messaging, where these have one.
    case requestDuration = "http_server_request_duration_seconds"
    case openConnections = "http_server_open_connections"
    case received = "whatsapp_events_received_total"
    case age = "whatsapp_event_age_seconds"
    case rejected = "ingress_requests_rejected_total"
    case requestsInFlight = "ingress_requests_in_flight"
    case bytesInFlight = "ingress_in_flight_bytes"
    case bytesInFlightLimit = "ingress_in_flight_limit_bytes"
    case produceDuration = "messaging_client_operation_duration_seconds"

    public var spec: MetricSpec {
        switch self {
        case .requestDuration:
            // The provider's limits are among the bounds: median 250 ms, 1 % over 1 s, failure at 5 s.
            .histogram(
                .seconds, buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
                labels: ["http_response_status_code"], "From the end of a request's head (of one without an end: its begin) to its answer, by status.")
        case .openConnections: .gauge("Connections that are open.")
        case .received:
            .counter(labels: ["kind"], "Events that became durable and were answered 200, by kind, which is their topic.")
        case .age:
            .histogram(
                .seconds, buckets: [0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400], labels: ["kind"],
                "How old messages and statuses are by WhatsApp's own time when they arrive, redeliveries included; unreadable times are left out.")
        case .rejected:
            .counter(labels: ["reason"], "Requests not answered 200, by the code in the answer's body.")
        case .requestsInFlight: .gauge("Deliveries handed to the log and not answered yet.")
        case .bytesInFlight: .gauge(.bytes, "Bodies being received and records not durable yet.")
        case .bytesInFlightLimit: .gauge(.bytes, "Bound on ingress_in_flight_bytes; beyond it senders get 503.")
        case .produceDuration:
            .histogram(
                .seconds, buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
                labels: ["messaging_operation_name", "error_type"],
                "From handing a delivery's records to the log to its word on them; error_type is absent when all are durable.")
        }
    }
}
