import Foundation
import NIOSSL

/// Two self-made pairs of certificate and key, and the place where a server looks for the one in use.
public struct Certificates: Sendable {
    public static let openssl = "/usr/bin/openssl"

    public struct Pair: Sendable {
        public let certificate: String
        public let key: String
    }
    public struct Failed: Error {}

    public let first: Pair
    public let second: Pair
    public let certificatePath: String
    public let keyPath: String
    private let folder: URL

    /// - Parameter names: What they are for, as OpenSSL writes it.
    public init(names: String = "DNS:hooks.example,IP:127.0.0.1") throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "millrace-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.folder = folder
        func path(_ name: String) -> String { folder.appending(path: name).path }
        first = Pair(certificate: path("first.crt"), key: path("first.key"))
        second = Pair(certificate: path("second.crt"), key: path("second.key"))
        (certificatePath, keyPath) = (path("tls.crt"), path("tls.key"))
        for pair in [first, second] { try Self.make(pair, names) }
    }

    private static func make(_ pair: Pair, _ names: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: openssl)
        process.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=millrace test", "-addext", "subjectAltName=\(names)", "-keyout", pair.key, "-out", pair.certificate,
        ]
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed() }
    }

    public func install(_ pair: Pair) throws {
        try installCertificate(pair)
        try write(String(contentsOfFile: pair.key, encoding: .utf8), to: keyPath)
    }

    public func installCertificate(_ pair: Pair) throws {
        try write(String(contentsOfFile: pair.certificate, encoding: .utf8), to: certificatePath)
    }

    public func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
    }

    public func delete(_ path: String) throws { try FileManager.default.removeItem(atPath: path) }
    public func remove() { try? FileManager.default.removeItem(at: folder) }

    /// A client's context that trusts this certificate alone.
    public func trusting(_ pair: Pair, only version: TLSVersion? = nil) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(pair.certificate)
        if let version {
            configuration.minimumTLSVersion = version
            configuration.maximumTLSVersion = version
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            preconditionFailure("the client's TLS context: \(error)")
        }
    }

    /// A server's context with this pair, that offers these protocols.
    public func serving(_ pair: Pair, _ protocols: [String]) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(pair.certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: pair.key, format: .pem)))
        configuration.applicationProtocols = protocols
        return try NIOSSLContext(configuration: configuration)
    }
}
