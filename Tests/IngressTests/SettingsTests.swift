import Configuration
import Foundation
import HTTPTesting
import Service
import Testing

@testable import Ingress
@testable import millrace_ingress

@Suite struct SettingsTests {
    private static let channels = "MILLRACE_CHANNEL_SIGNATURE_SECRET"

    private func configuration(_ environment: [String: String]) async throws -> IngressConfiguration {
        let settings = try await Settings.load(environment: environment)
        let channels = try Channels.load(environment: [Self.channels: "s"])
        return try IngressConfiguration(settings.reader, IngressChannels(channels, settings.reader))
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: Certificates.openssl), "needs the openssl tool"))
    func everySettingHasItsPlace() async throws {
        let pairs = try Certificates()
        defer { pairs.remove() }
        let found = try await configuration([
            "MILLRACE_INGRESS_HOST": "127.0.0.1", "MILLRACE_INGRESS_PORT": "8443",
            "MILLRACE_INGRESS_TLS_CERTIFICATE": pairs.first.certificate, "MILLRACE_INGRESS_TLS_KEY": pairs.first.key,
            "MILLRACE_INGRESS_RAW": "true", "MILLRACE_INGRESS_CONTINUE_TRACES": "false",
            "MILLRACE_INGRESS_DEADLINE_MS": "1000", "MILLRACE_INGRESS_MAX_BODY_BYTES": "2048",
            "MILLRACE_INGRESS_MAX_HEADER_BYTES": "4096", "MILLRACE_INGRESS_MAX_NESTING": "20",
            "MILLRACE_INGRESS_MAX_IN_FLIGHT_BYTES": "1048576", "MILLRACE_INGRESS_MAX_CONNECTIONS": "7",
            "MILLRACE_INGRESS_HEADER_TIMEOUT_MS": "1001", "MILLRACE_INGRESS_BODY_TIMEOUT_MS": "1002",
            "MILLRACE_INGRESS_IDLE_TIMEOUT_MS": "1003",
        ])
        #expect(found.host == "127.0.0.1")
        #expect(found.port == 8443)
        #expect(found.tls?.certificatePath == pairs.first.certificate)
        #expect(found.tls?.keyPath == pairs.first.key)
        #expect(found.channels.named.map(\.keepsRaw) == [true])
        #expect(!found.continuesTraces)
        #expect(found.ackDeadline == .seconds(1))
        #expect(found.maxBodyBytes == 2_048)
        #expect(found.maxHeaderBytes == 4_096)
        #expect(found.maxNesting == 20)
        #expect(found.maxInFlightBytes == 1 << 20)
        #expect(found.maxConnections == 7)
        let overTLS = try await configuration([
            "MILLRACE_INGRESS_TLS_CERTIFICATE": pairs.first.certificate, "MILLRACE_INGRESS_TLS_KEY": pairs.first.key,
        ])
        #expect(overTLS.maxConnections == 1_024)
        #expect(found.headerTimeout == .milliseconds(1_001))
        #expect(found.bodyTimeout == .milliseconds(1_002))
        #expect(found.idleTimeout == .milliseconds(1_003))
        try found.validate()
    }

    @Test func theDefaultsAreThoseOfTheTable() async throws {
        let found = try await configuration([:])
        #expect(found.host == "0.0.0.0")
        #expect(found.port == 8_080)
        #expect(found.tls == nil)
        #expect(found.channels.named.map(\.keepsRaw) == [false])
        #expect(found.continuesTraces)
        #expect(found.ackDeadline == .seconds(3))
        #expect(found.maxBodyBytes == 4_194_304)
        #expect(found.maxHeaderBytes == 16_384)
        #expect(found.maxNesting == 64)
        #expect(found.maxInFlightBytes == 67_108_864)
        #expect(found.maxConnections == 4_096)
        #expect(found.headerTimeout == .seconds(10))
        #expect(found.bodyTimeout == .seconds(30))
        #expect(found.idleTimeout == .seconds(75))
        try found.validate()
    }

    @Test(arguments: [
        ("MILLRACE_INGRESS_PORT", "65536"), ("MILLRACE_INGRESS_RAW", "maybe"), ("MILLRACE_INGRESS_MAX_NESTING", "129"),
        ("MILLRACE_INGRESS_MAX_HEADER_BYTES", "0"), ("MILLRACE_INGRESS_IDLE_TIMEOUT_MS", "soon"),
        ("MILLRACE_INGRESS_DEADLINE_MS", "5000"),
    ])
    func aValueOutOfRangeIsNamed(_ name: String, _ value: String) async throws {
        let error = await #expect(throws: SettingError.self) { try await configuration([name: value]) }
        #expect(error?.setting == name)
    }

    @Test func aCertificateNeedsItsKeyAndTheOtherWayRound() async throws {
        for (given, missing) in [("CERTIFICATE", "KEY"), ("KEY", "CERTIFICATE")] {
            let error = await #expect(throws: SettingError.self) {
                try await configuration(["MILLRACE_INGRESS_TLS_\(given)": "/a"])
            }
            #expect(error?.setting == "MILLRACE_INGRESS_TLS_\(missing)")
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: Certificates.openssl), "needs the openssl tool"))
    func filesThatMakeNoTLSServerAreNamedByTheirSetting() async throws {
        let pairs = try Certificates()
        defer { pairs.remove() }
        let (certificate, key) = ("MILLRACE_INGRESS_TLS_CERTIFICATE", "MILLRACE_INGRESS_TLS_KEY")
        let wrong = [
            ("/nowhere", pairs.first.key, certificate), (pairs.first.key, pairs.first.key, certificate),
            (pairs.first.certificate, "/nowhere", key), (pairs.first.certificate, "/dev/null", key),
            ("/dev/null", pairs.first.key, certificate),
            (pairs.first.certificate, pairs.second.key, "\(certificate), \(key)"),
        ]
        for (certificatePath, keyPath, setting) in wrong {
            let error = await #expect(throws: SettingError.self) {
                try await configuration([certificate: certificatePath, key: keyPath])
            }
            #expect(error?.setting == setting)
        }
    }
}
