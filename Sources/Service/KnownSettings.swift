/// The names that Millrace's programs read from the environment, so that a misspelt one can be told.
///
/// All programs of an installation may share one environment: a name is known when any of them reads it.
public enum KnownSettings {
    /// By section; the section's own name is not read itself unless it is among those without one.
    private static let sections: [String: [String]] = [
        "ADMIN": ["HOST", "PORT"],
        "COMMANDS": [
            "DEADLINE_MS", "HOST", "IDLE_TIMEOUT_MS", "KEY_MEMORY_HOURS", "MAX_BODY_BYTES", "MAX_CONNECTIONS",
            "MAX_IN_FLIGHT", "MAX_KEYS", "PORT", "PRINCIPALS", "REQUEST_TIMEOUT_MS", "TLS_CERTIFICATE", "TLS_KEY",
        ],
        "HTTP": [
            "CA_FILE", "CONNECTIONS", "CONNECTIONS_PER_HOST", "CONNECT_TIMEOUT_MS", "IDLE_SECONDS", "PROXY", "TIMEOUT_MS",
            "VERSION",
        ],
        "INGRESS": [
            "BODY_TIMEOUT_MS", "CONTINUE_TRACES", "DEADLINE_MS", "HEADER_TIMEOUT_MS", "HOST", "IDLE_TIMEOUT_MS",
            "MAX_BODY_BYTES", "MAX_CONNECTIONS", "MAX_HEADER_BYTES", "MAX_IN_FLIGHT_BYTES", "MAX_NESTING", "PORT", "RAW",
            "TLS_CERTIFICATE", "TLS_KEY",
        ],
        "SENDER": ["API_KEYS", "NUMBER_RATE", "RESUME_WORDS", "STOP_WORDS", "UNKNOWN_WAIT_MS"],
        "TOPICS": ["CHECK", "PARTITIONS", "PREFIX", "REPLICAS", "VERSION"],
    ]
    private static let others = [
        "CHANNELS", "CONFIG", "DRAIN_MS", "LOG", "LOG_LEVEL", "PARENT", "RULES", "SPILL", "SPILL_MAX_BYTES", "START", "STATE",
    ]
    /// What follows is somebody else's: librdkafka names its properties, and `ChannelVariables` refuses strangers itself.
    private static let openPrefixes = ["MILLRACE_KAFKA_", "MILLRACE_CHANNEL_"]

    static let names: Set<String> = Set(
        sections.flatMap { section, names in names.map { "MILLRACE_\(section)_\($0)" } } + others.map { "MILLRACE_" + $0 })

    /// Names that begin as Millrace's do and that no program reads, sorted. A processor may have settings of its own
    /// that begin with its name, as `MILLRACE_ORDER_ALERTS_…` of `order-alerts`.
    public static func strangers(in environment: [String: String], of program: String) -> [String] {
        let own = "MILLRACE_" + program.uppercased().replacing("-", with: "_") + "_"
        return environment.keys.filter { name in
            name.hasPrefix("MILLRACE_") && !names.contains(name) && !name.hasPrefix(own)
                && !openPrefixes.contains { name.hasPrefix($0) }
        }.sorted()
    }
}
