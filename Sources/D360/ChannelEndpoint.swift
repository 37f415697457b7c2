import WhatsApp

/// Where and with which key a channel's messages are sent. Every number has a key of its own; another number's key
/// would send from that number.
public struct ChannelEndpoint: Sendable, CustomStringConvertible {
    /// E.g. `https://waba-v2.360dialog.io`, without a slash at the end.
    public let baseURL: String
    public let hosting: Hosting
    public let apiKey: APIKey
    /// Whether the number is enabled for the Marketing Messages API; when it is not, commands that ask for that route go
    /// to `POST /messages`. Cloud only.
    public let usesMarketingMessages: Bool
    /// Of every call.
    let headers: HTTPHeaders

    public init(baseURL: String, hosting: Hosting, apiKey: APIKey, usesMarketingMessages: Bool = true) {
        var url = baseURL[...]
        while url.last == "/" { url.removeLast() }
        self.baseURL = String(url)
        self.hosting = hosting
        self.apiKey = apiKey
        self.usesMarketingMessages = usesMarketingMessages
        headers = [
            HTTPField("D360-API-KEY", apiKey.value), HTTPField("Content-Type", "application/json"),
            HTTPField("Accept", "application/json"),
        ]
    }

    public var description: String { "ChannelEndpoint(\(hosting.rawValue))" }
}

/// A `D360-API-KEY`. Shows itself to nobody who prints it.
public struct APIKey: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let value: String

    public init(_ value: String) { self.value = value }

    public var description: String { "APIKey(…)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
