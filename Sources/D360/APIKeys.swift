import Synchronization

/// Where a channel's `D360-API-KEY` comes from. Asked for every send, so that a key that was changed counts at once.
public protocol APIKeys: Sendable {
    /// Nil for a channel that has none.
    func key(channel: String) -> APIKey?
}

/// Keys that can be replaced while requests are under way: whoever watches the files hands in what they say now.
public final class APIKeyRing: APIKeys {
    private let keys: Mutex<[String: APIKey]>

    public init(_ keys: [String: APIKey] = [:]) { self.keys = Mutex(keys) }

    public func key(channel: String) -> APIKey? { keys.withLock { $0[channel] } }

    /// Replaces all keys. Returns the channels whose key is another one now, e.g. to end the hold of a number whose
    /// old key was refused.
    @discardableResult
    public func replace(_ new: [String: APIKey]) -> Set<String> {
        keys.withLock { keys in
            defer { keys = new }
            return Set(new.filter { keys[$0.key]?.value != $0.value.value }.keys)
        }
    }

    /// The keys of a directory with one file for each channel, named like it; as mounted secrets come. Blocks.
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
