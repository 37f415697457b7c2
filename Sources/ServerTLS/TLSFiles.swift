import NIOSSL
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

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
    public func check() throws(TLSFilesError) { _ = try load() }

    /// A context, and the seconds since 1970 between which its certificate is one.
    struct Loaded {
        let context: NIOSSLContext
        let validity: ClosedRange<Int>
    }

    /// See `check`.
    func load() throws(TLSFilesError) -> Loaded {
        let chain: [NIOSSLCertificate]
        let key: NIOSSLPrivateKey
        do {
            chain = try NIOSSLCertificate.fromPEMFile(certificatePath)
        } catch {
            throw TLSFilesError(.certificate, "the TLS certificate file holds no readable PEM certificate")
        }
        guard let own = chain.first else {
            throw TLSFilesError(.certificate, "the TLS certificate file holds no readable PEM certificate")
        }
        do {
            key = try NIOSSLPrivateKey(file: keyPath, format: .pem)
        } catch {
            throw TLSFilesError(.key, "the TLS key file holds no readable, unencrypted PEM key")
        }
        let (from, to) = (Int(own.notValidBefore), Int(own.notValidAfter))
        guard from <= to else { throw TLSFilesError(.certificate, "the TLS certificate is never valid") }
        return Loaded(context: try context(chain, key), validity: from...to)
    }

    private func context(_ chain: [NIOSSLCertificate], _ key: NIOSSLPrivateKey) throws(TLSFilesError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        // Who still sends is waited for before this, by the servers: a close is then meant.
        configuration.shutdownTimeout = .milliseconds(500)
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw TLSFilesError(.both, "the TLS certificate and key do not belong together")
        }
    }
}

/// The TLS context that new connections get. Those that are open keep the one they began with, so that a new
/// certificate drops nobody.
public final class TLSContexts: Sendable {
    private let files: TLSFiles
    private let current: Mutex<TLSFiles.Loaded>
    private let now: @Sendable () -> Int

    /// Takes a certificate whose time is over or still to come, too: some senders do not look, and a server that does not
    /// start serves nobody. See `isOfUse`.
    ///
    /// - Parameter now: seconds since 1970.
    public init(_ files: TLSFiles, now: @escaping @Sendable () -> Int = { time(nil) }) throws(TLSFilesError) {
        self.files = files
        self.now = now
        current = Mutex(try files.load())
    }

    /// Whether the certificate in use is one at this time.
    public var isOfUse: Bool { current.withLock { $0.validity }.contains(now()) }

    /// Reads the files anew, blocking. Throws when they are no good, or the certificate is none at this time; then
    /// nothing has changed.
    public func reload() throws(TLSFilesError) {
        let next = try files.load()
        let now = now()
        if now > next.validity.upperBound { throw TLSFilesError(.certificate, "the TLS certificate has expired") }
        if now < next.validity.lowerBound {
            throw TLSFilesError(.certificate, "the TLS certificate is not valid yet", isPassing: true)
        }
        current.withLock { $0 = next }
    }

    /// For the pipeline of a connection that was accepted now.
    public func makeHandler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: current.withLock { $0.context }) }
}

/// Files that do not make a TLS server. Safe to log: it quotes nothing of them.
public struct TLSFilesError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Which of the files is to be looked at.
    public enum File: Sendable { case certificate, key, both }

    public let file: File
    public let description: String
    /// It will be good by and by.
    public let isPassing: Bool

    init(_ file: File, _ description: String, isPassing: Bool = false) {
        self.file = file
        self.description = description
        self.isPassing = isPassing
    }
}
