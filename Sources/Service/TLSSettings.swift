import Configuration
import Logging
import ServerTLS

extension ConfigReader {
    /// Certificate and key of a server's own TLS, e.g. `MILLRACE_INGRESS_TLS_CERTIFICATE` and `…_KEY`; nil when neither is
    /// given. One without the other is a mistake, and so are files that make no TLS server: they are read, blocking.
    ///
    /// - Parameter section: Of the program, e.g. `ingress`.
    public func tlsFiles(_ section: String) throws(SettingError) -> TLSFiles? {
        let (certificate, key) = (ConfigKey("\(section).tls.certificate"), ConfigKey("\(section).tls.key"))
        switch (string(forKey: certificate), string(forKey: key)) {
        case (let certificatePath?, let keyPath?):
            let files = TLSFiles(certificatePath: certificatePath, keyPath: keyPath)
            do throws(TLSFilesError) {
                try files.check()
            } catch {
                let names =
                    switch error.file {
                    case .certificate: [certificate]
                    case .key: [key]
                    case .both: [certificate, key]
                    }
                throw SettingError(names.map(\.environmentName).joined(separator: ", "), error.description)
            }
            return files
        case (nil, nil): return nil
        case (nil, _?): throw SettingError(certificate.environmentName, "is needed beside the key")
        case (_?, nil): throw SettingError(key.environmentName, "is needed beside the certificate")
        }
    }

    /// A setting in whole milliseconds.
    public func milliseconds(
        _ key: ConfigKey, default fallback: Duration, in range: ClosedRange<Int>
    ) throws(SettingError) -> Duration {
        .milliseconds(try int(key, default: Int(fallback / .milliseconds(1)), in: range))
    }
}

extension TLSFiles {
    /// Watched from now on: made before a server reads them, so that no change falls between.
    public func watched() throws -> Loaded<Void> {
        try Loaded { files in
            files.read(certificatePath)
            files.read(keyPath)
        }
    }
}

extension Loaded where Value == Void {
    /// Has a server take its changed TLS files. A certificate whose time is still to come is tried again until it has.
    public func reloadingTLS(
        logger: Logger, _ reload: @escaping @Sendable () throws -> Void
    ) -> Reloading<Void> {
        reloading("tls", logger: logger) {
            do {
                try reload()
            } catch let error as TLSFilesError where error.isPassing {
                throw ReloadDelay(error.description)
            }
        }
    }
}

extension TLSFilesError: ReadableError {}
