extension APIKey {
    /// The keys of a directory with one file for each channel, named like it; as mounted secrets come. Blocks as `read`
    /// does.
    ///
    /// What is no channel's name is not looked at: editors leave `main~` and `.main.swp` behind, Kubernetes keeps its own
    /// links under names with a dot. White space around a key is not part of it; a channel's file without a key, or one
    /// that cannot be read, throws its name and nothing else.
    ///
    /// - Parameters:
    ///   - names: The directory's entries.
    ///   - channels: Names of the channels there are.
    ///   - read: The bytes of one of them.
    /// - Returns: The keys, and the names that are no channel's, but for those that begin with a dot.
    public static func keys(
        named names: [String], of channels: Set<String>, read: (String) -> [UInt8]?
    ) throws(APIKeyError) -> (keys: [String: APIKey], strays: [String]) {
        var keys: [String: APIKey] = [:]
        var strays: [String] = []
        for name in names where !name.hasPrefix(".") {
            guard channels.contains(name) else {
                strays.append(name)
                continue
            }
            guard let bytes = read(name) else { throw APIKeyError(file: name, "cannot be read") }
            let text = String(decoding: bytes, as: UTF8.self)
            let key = text.split(whereSeparator: \.isWhitespace)
            guard key.count == 1, key[0].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
                throw APIKeyError(file: name, "does not hold one key")
            }
            keys[name] = APIKey(String(key[0]))
        }
        return (keys, strays)
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
