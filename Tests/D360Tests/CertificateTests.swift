import D360
import Foundation
import HTTPTesting
import Synchronization
import Testing

/// Against `openssl s_server` with a certificate of its own making.
@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: TLSServer.openssl), "needs the openssl tool"))
struct CertificateTests {
    @Test func untrustedCertificateIsRefusedBeforeAnythingIsSent() async throws {
        let server = try await TLSServer()
        let request = HTTPRequest(method: "POST", url: "https://127.0.0.1:\(server.port)/", body: [0x7b, 0x7d])
        let error = await #expect(throws: TransportError.self) { _ = try await HTTPTransport().perform(request) }
        #expect(error?.code == .tls)
        #expect(error?.delivery == .notSent)
        server.stop()
    }

    @Test func configuredAuthorityIsTrusted() async throws {
        let server = try await TLSServer()
        let transport = HTTPTransport(HTTPTransportConfiguration(caFile: server.certificate))
        let request = HTTPRequest(method: "GET", url: "https://127.0.0.1:\(server.port)/")
        #expect(try await transport.perform(request).status == 200)
        server.stop()
    }

    @Test func certificateOfAnotherNameIsRefused() async throws {
        let server = try await TLSServer(name: "DNS:other.example.test")
        let transport = HTTPTransport(HTTPTransportConfiguration(caFile: server.certificate))
        let request = HTTPRequest(method: "GET", url: "https://127.0.0.1:\(server.port)/")
        let error = await #expect(throws: TransportError.self) { _ = try await transport.perform(request) }
        #expect(error?.code == .tls)
        server.stop()
    }
}

private final class TLSServer: Sendable {
    static let openssl = "/usr/bin/openssl"

    let certificate: String
    let port: Int
    private let folder: URL
    private let process: Mutex<Process>

    init(name: String = "IP:127.0.0.1") async throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "millrace-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        certificate = folder.appending(path: "cert.pem").path
        let key = folder.appending(path: "key.pem").path
        let maker = Self.process([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=millrace test", "-addext",
            "subjectAltName=\(name)", "-keyout", key, "-out", certificate,
        ])
        try maker.run()
        maker.waitUntilExit()

        let server = Self.process(["s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, "-www"])
        let output = Pipe()
        server.standardOutput = output
        server.standardInput = Pipe()
        let said = Mutex("")
        let listening = AsyncStream<Int> { stream in
            output.fileHandleForReading.readabilityHandler = { handle in
                let text = said.withLock { text in
                    text += String(decoding: handle.availableData, as: UTF8.self)
                    return text
                }
                // "ACCEPT 127.0.0.1:40123"
                guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("ACCEPT ") }),
                    text.contains("\n"), let port = line.split(separator: ":").last.flatMap({ Int($0) })
                else { return }
                stream.yield(port)
                stream.finish()
                handle.readabilityHandler = nil
            }
        }
        try server.run()
        var found = 0
        for await port in listening { found = port }
        port = found
        process = Mutex(server)
    }

    func stop() {
        process.withLock { $0.terminate() }
        try? FileManager.default.removeItem(at: folder)
    }

    private static func process(_ arguments: [String]) -> Process {
        let process = Process()
        process.executableURL = URL(filePath: openssl)
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        return process
    }
}
