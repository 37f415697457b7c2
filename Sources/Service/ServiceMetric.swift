import Telemetry

/// Every metric that a program has whatever it does.
public enum ServiceMetric: String, MetricCatalogue {
    case ready = "service_ready"
    // Names of Prometheus' client libraries, which dashboards know.
    case cpu = "process_cpu_seconds_total"
    case memory = "process_resident_memory_bytes"
    case started = "process_start_time_seconds"
    case openFiles = "process_open_fds"

    public var spec: MetricSpec {
        switch self {
        case .ready: .gauge("1 while /readyz says ready, else 0.")
        case .cpu: .counter(.seconds, "CPU time of the process, user and system.")
        case .memory: .gauge(.bytes, "Memory of the process that is in RAM.")
        case .started: .gauge(.seconds, "When the process started, in seconds since 1970.")
        case .openFiles: .gauge("Files and sockets that are open.")
        }
    }
}
