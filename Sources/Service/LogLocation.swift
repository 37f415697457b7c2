import EventLog
import Foundation
import KafkaLog
import Logging
import SQLiteLog

/// Where the event log is: `MILLRACE_LOG`.
///
/// | form | log |
/// |---|---|
/// | `sqlite:/var/lib/millrace/events.db` | the embedded log in that file |
/// | `kafka://broker1:9092,broker2:9092` | a Kafka cluster |
public enum LogLocation: Sendable, Hashable, CustomStringConvertible {
    case sqlite(path: String)
    case kafka(bootstrap: String)

    public init(parsing text: String) throws(SettingError) {
        if let path = text.dropping(prefix: "sqlite:"), !path.isEmpty {
            self = .sqlite(path: path)
        } else if let brokers = text.dropping(prefix: "kafka://"), Self.areBrokers(brokers) {
            self = .kafka(bootstrap: brokers)
        } else {
            throw SettingError("MILLRACE_LOG", "must be sqlite:PATH or kafka://HOST:PORT[,HOST:PORT…]; credentials go into MILLRACE_KAFKA_…")
        }
    }

    /// `HOST[:PORT]`, divided by commas; an IPv6 address stands in brackets. No credentials: the text is shown.
    private static func areBrokers(_ text: String) -> Bool {
        text.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { broker in
            guard let parts = broker.wholeMatch(of: /([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\])(:[0-9]{1,5})?/) else { return false }
            return parts.2.map { (1...65_535).contains(Int($0.dropFirst()) ?? 0) } ?? true
        }
    }

    public var description: String {
        switch self {
        case .sqlite(let path): "sqlite:\(path)"
        case .kafka(let bootstrap): "kafka://\(bootstrap)"
        }
    }

    /// Whether the log can be looked at without making it: an embedded one must be there, a cluster answers for itself.
    public var exists: Bool {
        switch self {
        case .sqlite(let path): FileManager.default.fileExists(atPath: path)
        case .kafka: true
        }
    }

    /// Opens the log. `kafkaProperties` are librdkafka's own and win over Millrace's defaults.
    public func open(kafkaProperties: [String: String], replicas: Int, logger: Logger) async throws -> any Log {
        switch self {
        case .sqlite(let path):
            var configuration = SQLiteLogConfiguration()
            configuration.logger = logger
            return try await SQLiteLog.open(path: path, configuration: configuration)
        case .kafka(let bootstrap):
            var configuration = KafkaLogConfiguration()
            configuration.properties = kafkaProperties
            configuration.replicationFactor = replicas
            configuration.logger = logger
            return try await KafkaLog.open(bootstrap: bootstrap, configuration: configuration)
        }
    }
}

extension String {
    func dropping(prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
