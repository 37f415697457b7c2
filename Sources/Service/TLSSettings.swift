import Configuration
import ServerTLS

extension ConfigReader {
    /// Certificate and key of a server's own TLS, e.g. `MILLRACE_INGRESS_TLS_CERTIFICATE` and `…_KEY`; nil when neither is
    /// given. One without the other is a mistake.
    ///
    /// - Parameter section: Of the program, e.g. `ingress`.
    public func tlsFiles(_ section: String) throws(SettingError) -> TLSFiles? {
        let (certificate, key) = (ConfigKey("\(section).tls.certificate"), ConfigKey("\(section).tls.key"))
        switch (string(forKey: certificate), string(forKey: key)) {
        case (let certificatePath?, let keyPath?): return TLSFiles(certificatePath: certificatePath, keyPath: keyPath)
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

extension TLSFilesError: ReadableError {}
