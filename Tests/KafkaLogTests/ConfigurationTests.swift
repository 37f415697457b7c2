import EventLog
import KafkaLog
import Testing

@Suite struct ConfigurationTests {
    private func failure(_ properties: [String: String]) async -> LogError? {
        var configuration = KafkaLogConfiguration()
        configuration.properties = properties
        configuration.logger.logLevel = .critical
        do {
            let log = try await KafkaLog.open(bootstrap: "127.0.0.1:1", configuration: configuration)
            await log.close()
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        ("no.such.property", "hunter2"), ("security.protocol", "hunter2"), ("linger.ms", "hunter2"),
        ("group.id", "hunter2"), ("enable.auto.commit", "hunter2"),
    ])
    func aBadPropertyIsNamedWithoutItsValue(name: String, value: String) async throws {
        let error = try #require(await failure([name: value]))
        #expect(error.code == .invalidConfiguration)
        #expect(error.detail.contains(name))
        #expect(!error.detail.contains(value))
    }

    @Test func whatTheLibraryRefusesAsAWholeCarriesNoValue() async throws {
        let secret = "/no/such/place/hunter2.pem"
        let error = try #require(await failure(["security.protocol": "ssl", "ssl.ca.location": secret]))
        #expect(error.code == .invalidConfiguration)
        #expect(!error.description.contains(secret))
    }

    @Test func idempotenceCannotBeWeakened() async throws {
        let error = try #require(await failure(["acks": "1"]))
        #expect(error.code == .invalidConfiguration && error.detail.contains("acks"))
    }

    @Test func propertiesWinOverOurs() async throws {
        let on = try await MockLog(["t": 1]) { $0.properties["message.max.bytes"] = "2000" }
        let large = String(repeating: "x", count: 2_001)
        #expect(await code { try await on.log.produce([record("t", large)]) } == .recordTooLarge)
        await on.log.close()
    }

    @Test func aLogOpensAndClosesWithoutABroker() async {
        #expect(await failure([:]) == nil)
    }
}
