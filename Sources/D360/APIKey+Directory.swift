extension APIKey {
    /// The keys of a directory with one file for each channel, named like it; as mounted secrets come. Blocks as `read`
    /// does.
    ///
    /// Names that begin with a dot are not channels: Kubernetes keeps its own links under such names. White space around
    /// a key is not part of it; a file without a key, or one that cannot be read, throws its name and nothing else.
    ///
    /// - Parameters:
    ///   - names: The directory's entries.
    ///   - read: The bytes of one of them.
    public static func keys(
        named names: [String], read: (String) -> [UInt8]?
    ) throws(APIKeyError) -> [String: APIKey] {
        var keys: [String: APIKey] = [:]
        for name in names where !name.hasPrefix(".") {
            guard let bytes = read(name) else { throw APIKeyError(file: name, "cannot be read") }
            let text = String(decoding: bytes, as: UTF8.self)
            let key = text.split(whereSeparator: \.isWhitespace)
            guard key.count == 1, key[0].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
                throw APIKeyError(file: name, "does not hold one key")
            }
            keys[name] = APIKey(String(key[0]))
        }
        return keys
    }
}

/// A file of keys that is of no use; never says what stands in it.
public struct APIKeyError: Error, Sendable, Hashable, CustomStringConvertible {
    public let file: String
    public let reason: String

    init(file: String, _ reason: String) {
        self.file = file
        self.reason = reason
    }

    public var description: String { "the API key file \"\(file)\" \(reason)" }
}
