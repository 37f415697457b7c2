import Configuration
import EventLog
import Foundation
import Logging
import SystemPackage
import WhatsApp

/// What every Millrace program reads at start: environment first, then the YAML file that `MILLRACE_CONFIG` names, then
/// the defaults below. A value out of range stops the program with its name.
///
/// | environment | in the file | default | what |
/// |---|---|---|---|
/// | `MILLRACE_LOG` | `log` | `sqlite:./data/events.db` | the event log, see `LogLocation` |
/// | `MILLRACE_CHANNELS` | `channels` | none | file of channels; or one channel in `MILLRACE_CHANNEL_…`, see `Channels` |
/// | `MILLRACE_STATE` | `state` | `./data/state` | folder of the processors' state files |
/// | `MILLRACE_TOPICS_PREFIX` | `topics.prefix` | `whatsapp` | first word of the topic names; another one than `whatsapp` is an installation of its own, with groups `millrace.<prefix>.…` |
/// | `MILLRACE_TOPICS_VERSION` | `topics.version` | 1 | last word of the topic names, `v1` |
/// | `MILLRACE_TOPICS_PARTITIONS` | `topics.partitions` | 12 | partitions of a topic that is created (1 to 10,000) |
/// | `MILLRACE_TOPICS_CHECK` | `topics.check` | true | the ingress refuses to start without its topics; false where brokers make them |
/// | `MILLRACE_TOPICS_REPLICAS` | `topics.replicas` | 3 | Kafka's replication factor for created topics |
/// | `MILLRACE_START` | `start` | `committed` | where a group without commit begins: `committed` refuses, `earliest`, `latest` |
/// | `MILLRACE_SPILL` | `spill` | none: off | the ingress's directory for what Kafka does not take in time; must outlive the process |
/// | `MILLRACE_SPILL_MAX_BYTES` | `spillMaxBytes` | 1073741824 | what it may hold; beyond it 503 (1 MiB to 1 TiB) |
/// | `MILLRACE_LOG_LEVEL` | `logLevel` | `info` | trace, debug, info, notice, warning, error, critical |
/// | `MILLRACE_ADMIN_PORT` | `admin.port` | 0 | port of `/livez`, `/readyz` and `/metrics`, see `AdminServer`; 0: none |
/// | `MILLRACE_ADMIN_HOST` | `admin.host` | `127.0.0.1` | address of that port; it knows no passwords, so keep it private |
/// | `MILLRACE_DRAIN_MS` | `drainMs` | 0 | so long a stop only says "not ready" (the ingress also `Connection: close`) before it begins (0 to 10,000); part of the 25 s that a stop may take |
/// | `MILLRACE_KAFKA_X_Y` | – | – | librdkafka property `x.y`; `MILLRACE_KAFKA_X_Y_FILE` reads it from a file |
public struct Settings: Sendable {
    public var log: LogLocation
    public var stateDirectory: String
    public var topics: Topics
    public var checksTopics: Bool
    public var replicas: Int
    /// Nil: no spill.
    public var spillDirectory: String?
    public var spillMaxBytes: Int
    public var start: Start
    public var logLevel: Logger.Level
    /// Nil: no admin port, and nothing is counted for it.
    public var admin: AdminSettings?
    /// How long a load balancer has to notice that we are not ready before we refuse connections.
    public var drainDelay: Duration
    public var kafkaProperties: [String: String]
    /// For the settings of one program alone, e.g. the ingress's port.
    public let reader: ConfigReader

    /// Where a group without a commit begins.
    public enum Start: String, Sendable, CaseIterable {
        case committed, earliest, latest
    }

    public static func load(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) async throws -> Settings {
        var providers: [any ConfigProvider] = [
            EnvironmentVariablesProvider(environmentVariables: environment).prefixKeys(with: "millrace")
        ]
        if let path = environment["MILLRACE_CONFIG"] {
            guard let file = try? await FileProvider<YAMLSnapshot>(filePath: FilePath(path)) else {
                throw SettingError("MILLRACE_CONFIG", "names a file that cannot be read as YAML")
            }
            providers.append(file)
        }
        return try Settings(reader: ConfigReader(providers: providers), environment: environment)
    }

    init(reader: ConfigReader, environment: [String: String]) throws {
        self.reader = reader
        log = try LogLocation(parsing: reader.string(forKey: "log", default: "sqlite:./data/events.db"))
        stateDirectory = reader.string(forKey: "state", default: "./data/state")
        topics = Topics(
            prefix: try Self.topicsPrefix(reader),
            version: try reader.int("topics.version", default: 1, in: 1...1_000),
            partitions: Int32(try reader.int("topics.partitions", default: 12, in: 1...10_000)))
        checksTopics = try reader.flag("topics.check", default: true)
        replicas = try reader.int("topics.replicas", default: 3, in: 1...100)
        spillDirectory = reader.string(forKey: "spill")
        if spillDirectory == "" { throw SettingError("MILLRACE_SPILL", "must name a directory, or not be set") }
        spillMaxBytes = try reader.int("spillMaxBytes", default: 1 << 30, in: (1 << 20)...(1 << 40))
        start = try reader.choice("start", default: .committed)
        logLevel = try reader.choice("logLevel", default: .info)
        let adminPort = try reader.int("admin.port", default: 0, in: 0...65_535)
        let adminHost = reader.string(forKey: "admin.host", default: "127.0.0.1")
        admin = adminPort == 0 ? nil : AdminSettings(host: adminHost, port: adminPort)
        drainDelay = .milliseconds(try reader.int("drainMs", default: 0, in: 0...10_000))
        kafkaProperties = try Self.kafkaProperties(in: environment)
    }

    /// What Kafka takes in a topic's name, and short enough for what is put behind it (249 characters in all).
    private static func topicsPrefix(_ reader: ConfigReader) throws(SettingError) -> String {
        let prefix = reader.string(forKey: "topics.prefix", default: "whatsapp")
        guard prefix.wholeMatch(of: /[A-Za-z0-9._-]{1,200}/) != nil, prefix.contains(where: { $0 != "." }) else {
            throw SettingError("MILLRACE_TOPICS_PREFIX", "must be 1 to 200 letters, digits, '.', '_' and '-'")
        }
        return prefix
    }

    /// Where processors keep their state: made if missing, and tried, so that the start names the setting and not a
    /// partition's file later on.
    func checkStateDirectory() throws(StartError) {
        do {
            try FileManager.default.createDirectory(
                atPath: stateDirectory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw StartError("MILLRACE_STATE", "\(stateDirectory) cannot be made")
        }
        guard access(stateDirectory, W_OK | X_OK) == 0 else {
            throw StartError("MILLRACE_STATE", "\(stateDirectory): \(String(cString: strerror(errno)))")
        }
    }

    /// `MILLRACE_KAFKA_SASL_MECHANISM=PLAIN` is librdkafka's `sasl.mechanism=PLAIN`; with `_FILE` at the end of the name
    /// the value is read from that file, for secrets.
    private static func kafkaProperties(in environment: [String: String]) throws -> [String: String] {
        var properties: [String: String] = [:]
        for (name, value) in environment {
            guard let rest = name.dropping(prefix: "MILLRACE_KAFKA_") else { continue }
            if rest.hasSuffix("_FILE") {
                properties[rest.dropLast(5).lowercased().replacing("_", with: ".")] = try Secret.read(file: value, for: name)
            } else {
                properties[rest.lowercased().replacing("_", with: ".")] = value
            }
        }
        return properties
    }
}

extension ConfigReader {
    /// An integer in its range; an unreadable or outlying value throws instead of giving way to the default.
    public func int(_ key: ConfigKey, default fallback: Int, in range: ClosedRange<Int>) throws(SettingError) -> Int {
        guard let value = int(forKey: key) else {
            if string(forKey: key) == nil { return fallback }
            throw SettingError(key.environmentName, "must be a whole number")
        }
        guard range.contains(value) else {
            throw SettingError(key.environmentName, "must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// `true` or `false`, and nothing else.
    public func flag(_ key: ConfigKey, default fallback: Bool) throws(SettingError) -> Bool {
        guard let value = bool(forKey: key) else {
            if string(forKey: key) == nil { return fallback }
            throw SettingError(key.environmentName, "must be true or false")
        }
        return value
    }

    /// One of an enumeration's words.
    public func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: ConfigKey, default fallback: Choice
    ) throws(SettingError) -> Choice where Choice.RawValue == String {
        guard let word = string(forKey: key) else { return fallback }
        guard let choice = Choice(rawValue: word) else {
            let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw SettingError(key.environmentName, "must be one of \(words)")
        }
        return choice
    }
}

extension ConfigKey {
    /// How the key is written in the environment, e.g. `MILLRACE_TOPICS_PARTITIONS`.
    var environmentName: String {
        let words = components.map { component in
            component.reduce(into: "") { name, letter in
                if letter.isUppercase { name.append("_") }
                name.append(letter.uppercased())
            }
        }
        return "MILLRACE_" + words.joined(separator: "_")
    }
}
