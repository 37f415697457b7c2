import NIOSSL
import Synchronization

/// The certificate chain and private key of a server's own TLS, as PEM files.
public struct TLSFiles: Sendable {
    /// The server's certificate first, then those that lead to its authority.
    public var certificatePath: String
    /// Unencrypted.
    public var keyPath: String

    public init(certificatePath: String, keyPath: String) {
        self.certificatePath = certificatePath
        self.keyPath = keyPath
    }

    /// Reads both files; blocks for that. Throws when one cannot be read or they do not belong together.
    func context() throws(TLSFilesError) -> NIOSSLContext {
        let chain: [NIOSSLCertificateSource]
        let key: NIOSSLPrivateKey
        do {
            chain = try NIOSSLCertificate.fromPEMFile(certificatePath).map { .certificate($0) }
        } catch {
            throw TLSFilesError("the TLS certificate file holds no readable PEM certificate")
        }
        do {
            key = try NIOSSLPrivateKey(file: keyPath, format: .pem)
        } catch {
            throw TLSFilesError("the TLS key file holds no readable, unencrypted PEM key")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        // Who still sends is waited for before this, by the servers: a close is then meant.
        configuration.shutdownTimeout = .milliseconds(500)
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw TLSFilesError("the TLS certificate and key do not belong together")
        }
    }
}

/// The TLS context that new connections get. Those that are open keep the one they began with, so that a new
/// certificate drops nobody.
public final class TLSContexts: Sendable {
    private let files: TLSFiles
    private let current: Mutex<NIOSSLContext>

    public init(_ files: TLSFiles) throws(TLSFilesError) {
        self.files = files
        current = Mutex(try files.context())
    }

    /// Reads the files anew, blocking. Throws when they are no good; then nothing has changed.
    public func reload() throws(TLSFilesError) {
        let next = try files.context()
        current.withLock { $0 = next }
    }

    /// For the pipeline of a connection that was accepted now.
    public func makeHandler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: current.withLock { $0 }) }
}

/// Files that do not make a TLS server. Safe to log: it quotes nothing of them.
public struct TLSFilesError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
