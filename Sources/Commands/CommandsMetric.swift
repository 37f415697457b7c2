import Telemetry

/// Every metric of the commands endpoint.
public enum CommandsMetric: String, MetricCatalogue {
    case requests = "commands_requests_total"

    public var spec: MetricSpec {
        switch self {
        case .requests:
            .counter(labels: ["outcome"], "Requests, by outcome: accepted, repeated, or the code in the answer's body.")
        }
    }
}
