import Foundation
import HTTPTesting
import NIOSSL
import ServerTLS
import Synchronization
import Testing

@testable import Ingress

@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: Certificates.openssl), "needs the openssl tool"))
struct TLSTests {
    private func withTLS(
        _ producer: TestProducer = TestProducer(), configure: (inout IngressConfiguration) -> Void = { _ in },
        _ body: (TestIngress, Certificates) async throws -> Void
    ) async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.install(certificates.first)
        try await withIngress(
            producer,
            configure: {
                $0.tls = certificates.files
                configure(&$0)
            }
        ) { try await body($0, certificates) }
    }

    @Test func webhooksAreTakenOverTLS() async throws {
        try await withTLS { ingress, certificates in
            let client = try await TestClient.connect(ingress.port, tls: certificates.trusting(certificates.first))
            for number in 1...3 {
                try await client.send(post(message("wamid.\(number)")))
                #expect(try await client.response().status == 200)
            }
            // Large enough for many TLS records.
            try await client.send(post(message("wamid.4", text: String(repeating: "x", count: 1_000_000))))
            #expect(try await client.response().status == 200)
            try await client.send(post(message("wamid.5"), headers: TestIngress.shopHeader + "Connection: close\r\n"))
            #expect(try await client.response().status == 200)
            try await client.waitForEnd()
            #expect(!client.wasReset)
        }
    }

    @Test func oneConnectionTooManyIsToldSoOverTLSOrClosedWithoutAHandshake() async throws {
        try await withTLS(configure: { ($0.maxConnections, $0.headerTimeout) = (1, .seconds(600)) }) { ingress, certificates in
            let tls = certificates.trusting(certificates.first)
            let kept = try await TestClient.connect(ingress.port, tls: tls)
            try await kept.send(post(message("wamid.1")))
            #expect(try await kept.response().status == 200)
            let silent = try await ingress.connect()
            try await silent.waitForEnd()
            #expect(!silent.hasBytes)
            let surplus = try await TestClient.connect(ingress.port, tls: tls)
            #expect(try await surplus.response().status == 503)
            try await surplus.waitForEnd()
            #expect(!surplus.wasReset)
        }
    }

    @Test func aNewCertificateIsForNewConnectionsAndDropsNone() async throws {
        let producer = TestProducer(.hold)
        try await withTLS(producer) { ingress, certificates in
            let old = certificates.trusting(certificates.first)
            let new = certificates.trusting(certificates.second)
            let storing = try await TestClient.connect(ingress.port, tls: old)
            try await storing.send(post(message("wamid.1")))
            try await eventually("it reaches the log") { producer.heldCount == 1 }
            try certificates.install(certificates.second)
            try ingress.server.reloadTLS()

            producer.set(.accept)
            producer.release()
            #expect(try await storing.response().status == 200)
            // The old connection goes on with the old certificate, new ones get the new one.
            try await storing.send(post(message("wamid.2")))
            #expect(try await storing.response().status == 200)
            let fresh = try await TestClient.connect(ingress.port, tls: new)
            try await fresh.send(post(message("wamid.3")))
            #expect(try await fresh.response().status == 200)
            let distrustful = try await TestClient.connect(ingress.port, tls: old)
            try await eventually("the new certificate is refused") { distrustful.wasReset }
        }
    }

    @Test func aBadNewPairLeavesTheOldOneInUse() async throws {
        try await withTLS { ingress, certificates in
            let tls = certificates.trusting(certificates.first)
            let breakages: [() throws -> Void] = [
                { try certificates.installCertificate(certificates.second) },
                { try certificates.write("no certificate", to: certificates.certificatePath) },
                { try certificates.write("no key", to: certificates.keyPath) },
                { try certificates.write("", to: certificates.certificatePath) },
                { try certificates.write("", to: certificates.keyPath) },
                { try certificates.delete(certificates.keyPath) },
            ]
            for breakage in breakages {
                try certificates.install(certificates.first)
                try breakage()
                let error = #expect(throws: TLSFilesError.self) { try ingress.server.reloadTLS() }
                #expect(error?.description.hasPrefix("the TLS ") == true)
                let client = try await TestClient.connect(ingress.port, tls: tls)
                try await client.send(post(message("wamid.1")))
                #expect(try await client.response().status == 200)
            }
        }
    }

    @Test func aCertificateOutOfItsTimeDoesNotReplaceOneInUse() throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.install(certificates.first)
        // They are good for two days from now on.
        let clock = Mutex(Int(Date.now.timeIntervalSince1970))
        let contexts = try TLSContexts(certificates.files) { clock.withLock { $0 } }
        #expect(contexts.isOfUse)
        try certificates.install(certificates.second)
        try contexts.reload()
        clock.withLock { $0 += 3 * 86_400 }
        #expect(!contexts.isOfUse)
        let expired = #expect(throws: TLSFilesError.self) { try contexts.reload() }
        #expect(expired?.description == "the TLS certificate has expired")
        #expect(expired?.isPassing == false)
        clock.withLock { $0 -= 6 * 86_400 }
        let early = #expect(throws: TLSFilesError.self) { try contexts.reload() }
        #expect(early?.isPassing == true)
        // A server that does not start serves nobody.
        #expect(try !TLSContexts(certificates.files) { clock.withLock { $0 } }.isOfUse)
    }

    @Test func aBadPairAtStartIsAnError() throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        #expect(throws: IngressConfigurationError.self) {
            _ = try TestIngress.makeServer(TestProducer(), configure: { $0.tls = certificates.files })
        }
    }

    @Test func oldVersionsOfTLSAreRefused() async throws {
        try await withTLS { ingress, certificates in
            for (version, isTaken) in [(TLSVersion.tlsv11, false), (.tlsv12, true), (.tlsv13, true)] {
                let tls = certificates.trusting(certificates.first, only: version)
                let client = try await TestClient.connect(ingress.port, tls: tls)
                client.post(post(message("wamid.1")))
                if isTaken {
                    #expect(try await client.response().status == 200)
                } else {
                    try await eventually("the handshake fails") { client.wasReset }
                }
            }
        }
    }

    @Test func aHandshakeThatDoesNotEndIsCut() async throws {
        // Long enough for the good client's handshake on a slow machine.
        try await withTLS(configure: { $0.headerTimeout = .seconds(4) }) { ingress, certificates in
            let silent = try await ingress.connect()
            let slow = try await ingress.connect()
            // The beginning of a TLS record that promises 512 bytes.
            try await slow.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
            try await silent.waitForEnd()
            try await slow.waitForEnd()
            try await eventually("nothing is left of them") { ingress.server.metrics.openConnections == 0 }
            let client = try await TestClient.connect(ingress.port, tls: certificates.trusting(certificates.first))
            try await client.send(post(message("wamid.1")))
            #expect(try await client.response().status == 200)
        }
    }

    @Test func plainHTTPOnTheTLSPortIsCutAndHarmsNobody() async throws {
        let producer = TestProducer()
        try await withTLS(producer) { ingress, certificates in
            let plain = try await ingress.connect()
            plain.post(post(message("wamid.1")))
            try await plain.waitForEnd()
            let client = try await TestClient.connect(ingress.port, tls: certificates.trusting(certificates.first))
            try await client.send(post(message("wamid.2")))
            #expect(try await client.response().status == 200)
        }
        #expect(producer.sent.count == 1)
    }

    @Test func aSenderOfTooMuchReadsItsAnswerOverTLSToo() async throws {
        try await withTLS(configure: { $0.lingerTimeout = .seconds(20) }) { ingress, certificates in
            let client = try await TestClient.connect(ingress.port, tls: certificates.trusting(certificates.first))
            client.post(post([UInt8](repeating: 0x20, count: 5_000_000)))
            #expect(try await client.response().status == 413)
            try await client.waitForEnd()
            #expect(ingress.server.metrics.bytesInFlight == 0)
            try? await client.close()
        }
    }

    @Test func aStopFinishesWhatIsInFlightOverTLS() async throws {
        let producer = TestProducer(.hold)
        try await withTLS(producer) { ingress, certificates in
            let client = try await TestClient.connect(ingress.port, tls: certificates.trusting(certificates.first))
            try await client.send(post(message("wamid.1")))
            try await eventually("it reaches the log") { producer.heldCount == 1 }
            await ingress.services.triggerGracefulShutdown()
            producer.release()
            #expect(try await client.response().status == 200)
            try await client.waitForEnd()
        }
    }
}

extension Certificates {
    var files: TLSFiles { TLSFiles(certificatePath: certificatePath, keyPath: keyPath) }
}
