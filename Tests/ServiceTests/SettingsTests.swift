import Foundation
import Service
import Testing

@Suite struct SettingsTests {
    @Test func defaultsNeedNoEnvironment() async throws {
        let settings = try await Settings.load(environment: [:])
        #expect(settings.log == .sqlite(path: "./data/events.db"))
        #expect(settings.topics.messages.name == "whatsapp.messages.v1")
        #expect(settings.topics.partitions == 12)
        #expect(settings.start == .committed)
        #expect(settings.spillDirectory == nil)
        #expect(settings.spillMaxBytes == 1 << 30)
    }

    @Test func theEnvironmentWinsOverTheFileAndTheFileOverTheDefault() async throws {
        let path = NSTemporaryDirectory() + "settings-\(UUID().uuidString).yaml"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("log: sqlite:/from/file.db\ntopics:\n  prefix: shop\n  partitions: 6\n".utf8)
            .write(to: URL(fileURLWithPath: path))
        let settings = try await Settings.load(
            environment: ["MILLRACE_CONFIG": path, "MILLRACE_TOPICS_PARTITIONS": "24"])
        #expect(settings.log == .sqlite(path: "/from/file.db"))
        #expect(settings.topics.messages.name == "shop.messages.v1")
        #expect(settings.topics.partitions == 24)
    }

    @Test(arguments: [
        ("MILLRACE_LOG", "postgres://x"), ("MILLRACE_LOG", "kafka://user:secret@host:9092"), ("MILLRACE_LOG", "sqlite:"),
        ("MILLRACE_LOG", "kafka://"), ("MILLRACE_LOG", "kafka://:9092,,"), ("MILLRACE_LOG", "kafka://a:9092,"),
        ("MILLRACE_LOG", "kafka://a:0"), ("MILLRACE_LOG", "kafka://a:65536"), ("MILLRACE_LOG", "kafka://a b:9092"),
        ("MILLRACE_LOG", "kafka://a:http"), ("MILLRACE_TOPICS_PREFIX", ""), ("MILLRACE_TOPICS_PREFIX", "what's app"),
        ("MILLRACE_TOPICS_PREFIX", ".."), ("MILLRACE_TOPICS_PREFIX", String(repeating: "a", count: 201)),
        ("MILLRACE_TOPICS_CHECK", "perhaps"),
        ("MILLRACE_TOPICS_PARTITIONS", "many"), ("MILLRACE_TOPICS_PARTITIONS", "0"), ("MILLRACE_START", "newest"),
        ("MILLRACE_LOG_LEVEL", "loud"), ("MILLRACE_SPILL", ""), ("MILLRACE_SPILL_MAX_BYTES", "1000"),
        ("MILLRACE_KAFKA_SASL_PASSWORD_FILE", "/nowhere"),
    ])
    func aBadValueStopsTheStartAndIsNamedButNotShown(_ name: String, _ value: String) async throws {
        let error = await #expect(throws: SettingError.self) { try await Settings.load(environment: [name: value]) }
        #expect(error?.setting == name)
        #expect(error?.description.contains("secret") == false)
    }

    @Test(arguments: ["a", "a:9092", "broker-1.kafka.svc:9092,broker-2.kafka.svc:9093", "10.0.0.1:9092", "[::1]:9092,[fe80::1]"])
    func brokersAreHostsWithOrWithoutAPort(_ brokers: String) async throws {
        let settings = try await Settings.load(environment: ["MILLRACE_LOG": "kafka://\(brokers)"])
        #expect(settings.log == .kafka(bootstrap: brokers))
    }

    @Test func anyKafkaPropertyPassesThrough() async throws {
        let path = NSTemporaryDirectory() + "password-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("hunter2\n".utf8).write(to: URL(fileURLWithPath: path))
        let settings = try await Settings.load(environment: [
            "MILLRACE_LOG": "kafka://b1:9092,b2:9092", "MILLRACE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "MILLRACE_KAFKA_SASL_PASSWORD_FILE": path, "MILLRACE_SPILL": "/var/lib/millrace/spill",
            "MILLRACE_SPILL_MAX_BYTES": "2097152",
        ])
        #expect(settings.log == .kafka(bootstrap: "b1:9092,b2:9092"))
        #expect(settings.spillDirectory == "/var/lib/millrace/spill")
        #expect(settings.spillMaxBytes == 2 << 20)
        #expect(settings.kafkaProperties == ["security.protocol": "SASL_SSL", "sasl.password": "hunter2"])
    }
}
