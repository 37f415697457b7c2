import Foundation
import WhatsApp
import Yams

/// One number (or account) at 360dialog: how its webhooks prove themselves and how we send for it.
public struct Channel: Sendable, Hashable {
    /// What the caller of a webhook must show. 360dialog sends the headers that were set with the webhook URL
    /// (docs.360dialog.com, "Receiving messages").
    public enum WebhookProof: Sendable, Hashable {
        case basic(user: String, password: Secret)
        case header(name: String, value: Secret)
    }

    public var identity: ChannelIdentity
    public var webhookProof: WebhookProof
    /// Nil for a channel that only receives.
    public var apiKey: Secret?
    public var baseURL: String
    /// Webhooks may speak for this number only: for installations that several tenants share.
    public var isBound: Bool
    /// True for the one that answers at `/webhooks`, without a name in the path.
    public var isAccount: Bool
}

/// The channels file, named by `MILLRACE_CHANNELS`:
///
///     channels:
///       main:                              # POST /webhooks/main
///         hosting: cloud                   # or on-premise
///         phone_number_id: "700100200300501"
///         waba_id: "900100200300401"
///         display_phone_number: "15550009001"
///         bound: true                      # bodies that name another number are kept on `other` only
///         webhook:
///           basic: { user: testuser, password_file: /run/secrets/main-webhook }
///         api_key_file: /run/secrets/main-d360-key
///     account:                             # POST /webhooks, optional
///       webhook:
///         header: { name: X-Millrace-Secret, value_env: ACCOUNT_SECRET }
///
/// A secret is given as `x` (plain, for a first try), `x_env` (name of an environment variable) or `x_file`.
/// Every mistake is named by its place; nothing is guessed.
public struct Channels: Sendable {
    public var all: [Channel]

    public init(all: [Channel]) { self.all = all }

    /// The channels of the file that `MILLRACE_CHANNELS` names.
    public static func load(environment: [String: String]) throws -> Channels {
        guard let path = environment["MILLRACE_CHANNELS"] else {
            throw SettingError("MILLRACE_CHANNELS", "must name the file of channels")
        }
        return try load(file: path, environment: environment)
    }

    static func load(file path: String, environment: [String: String]) throws -> Channels {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw SettingError("MILLRACE_CHANNELS", "names a file that cannot be read")
        }
        return try Channels(yaml: String(decoding: data, as: UTF8.self), environment: environment)
    }

    public init(yaml: String, environment: [String: String] = [:]) throws {
        let file: ChannelsFile
        if let root = try? Yams.load(yaml: yaml) { try ChannelsFile.checkKeys(of: root) }
        do {
            file = try YAMLDecoder().decode(ChannelsFile.self, from: yaml)
        } catch let error as DecodingError {
            throw SettingError("channels file", error.place)
        } catch {
            throw SettingError("channels file", "is not valid YAML")
        }
        all = try (file.channels ?? [:]).sorted { $0.key < $1.key }.map { name, entry in
            try entry.channel(name: name, isAccount: false, environment: environment)
        }
        if let account = file.account {
            all.append(try account.channel(name: "account", isAccount: true, environment: environment))
        }
        if all.isEmpty { throw SettingError("channels file", "names no channel") }
        let numbers = all.compactMap(\.identity.phoneNumberID)
        if Set(numbers).count < numbers.count {
            throw SettingError("channels file", "names one phone_number_id in two channels")
        }
    }
}

private struct ChannelsFile: Decodable {
    var channels: [String: Entry]?
    var account: Entry?

    /// The decoder passes over what it does not know; a misspelt key must not silently become a default.
    static func checkKeys(of root: Any) throws(SettingError) {
        let root = try members(of: root, at: "", known: ["channels", "account"])
        var entries = (root["channels"] as? [String: Any] ?? [:]).map { (place: "channels.\($0.key)", value: $0.value) }
        if let account = root["account"] { entries.append((place: "account", value: account)) }
        for (place, value) in entries {
            let entry = try members(of: value, at: place, known: entryKeys)
            let proof = try members(of: entry["webhook"], at: place + ".webhook", known: ["basic", "header"])
            _ = try members(
                of: proof["basic"], at: place + ".webhook.basic",
                known: ["user", "password", "password_env", "password_file"])
            _ = try members(
                of: proof["header"], at: place + ".webhook.header", known: ["name", "value", "value_env", "value_file"])
        }
    }

    private static let entryKeys: Set<String> = [
        "hosting", "phone_number_id", "waba_id", "display_phone_number", "bound", "webhook", "api_key", "api_key_env",
        "api_key_file", "base_url",
    ]

    private static func members(
        of value: Any?, at place: String, known: Set<String>
    ) throws(SettingError) -> [String: Any] {
        let members = value as? [String: Any] ?? [:]
        if let stranger = members.keys.filter({ !known.contains($0) }).min() {
            let path = place.isEmpty ? stranger : "\(place).\(stranger)"
            throw SettingError(path, "is not known; known are \(known.sorted().joined(separator: ", "))")
        }
        return members
    }

    struct Entry: Decodable {
        var hosting: String?
        var phone_number_id: String?
        var waba_id: String?
        var display_phone_number: String?
        var bound: Bool?
        var webhook: Webhook
        var api_key: String?
        var api_key_env: String?
        var api_key_file: String?
        var base_url: String?
    }
    struct Webhook: Decodable {
        var basic: Basic?
        var header: NamedHeader?
    }
    struct Basic: Decodable {
        var user: String
        var password: String?
        var password_env: String?
        var password_file: String?
    }
    struct NamedHeader: Decodable {
        var name: String
        var value: String?
        var value_env: String?
        var value_file: String?
    }
}

extension ChannelsFile.Entry {
    fileprivate func channel(name: String, isAccount: Bool, environment: [String: String]) throws -> Channel {
        let place = isAccount ? "account" : "channels.\(name)"
        // The name is a path segment of the webhook URL and part of ids.
        guard !name.isEmpty, name.count <= 64, name.utf8.allSatisfy(\.isNameByte) else {
            throw SettingError(place, "a channel's name is 1 to 64 letters, digits, '-' or '.'")
        }
        guard let kind = Hosting(rawValue: hosting ?? Hosting.cloud.rawValue) else {
            throw SettingError("\(place).hosting", "must be cloud or on-premise")
        }
        if bound == true, phone_number_id == nil {
            throw SettingError("\(place).bound", "needs phone_number_id")
        }
        let base = base_url ?? (kind == .cloud ? "https://waba-v2.360dialog.io" : "https://waba.360dialog.io")
        guard base.hasPrefix("https://") || base.hasPrefix("http://"), !base.hasSuffix("/") else {
            throw SettingError("\(place).base_url", "must begin with https:// (or http://) and not end with /")
        }
        let key = try secret("api_key", api_key, api_key_env, api_key_file, at: place, environment)
        return Channel(
            identity: ChannelIdentity(
                name: name, hosting: kind, wabaID: waba_id, phoneNumberID: phone_number_id,
                displayPhoneNumber: display_phone_number),
            webhookProof: try proof(at: "\(place).webhook", environment), apiKey: key, baseURL: base,
            isBound: bound ?? false, isAccount: isAccount)
    }

    private func proof(at place: String, _ environment: [String: String]) throws -> Channel.WebhookProof {
        switch (webhook.basic, webhook.header) {
        case (let basic?, nil):
            let found = try secret(
                "password", basic.password, basic.password_env, basic.password_file, at: place + ".basic", environment)
            guard let found else { throw SettingError(place + ".basic", "needs password, password_env or password_file") }
            return .basic(user: basic.user, password: found)
        case (nil, let header?):
            let found = try secret(
                "value", header.value, header.value_env, header.value_file, at: place + ".header", environment)
            guard let found else { throw SettingError(place + ".header", "needs value, value_env or value_file") }
            return .header(name: header.name, value: found)
        default:
            throw SettingError(place, "needs exactly one of basic and header")
        }
    }

    private func secret(
        _ name: String, _ plain: String?, _ variable: String?, _ file: String?, at place: String,
        _ environment: [String: String]
    ) throws -> Secret? {
        let setting = "\(place).\(name)"
        switch (plain, variable, file) {
        case (nil, nil, nil): return nil
        case (let plain?, nil, nil) where !plain.isEmpty: return Secret(plain)
        case (nil, let variable?, nil):
            guard let value = environment[variable], !value.isEmpty else {
                throw SettingError(setting + "_env", "names an environment variable that is not set")
            }
            return Secret(value)
        case (nil, nil, let file?): return Secret(try Secret.read(file: file, for: setting + "_file"))
        default: throw SettingError(setting, "must be given once, and not empty")
        }
    }
}

extension UInt8 {
    fileprivate var isNameByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

extension DecodingError {
    /// Where in the file, and which rule; never what stands there.
    fileprivate var place: String {
        func path(_ context: Context) -> String {
            context.codingPath.isEmpty ? "the file" : context.codingPath.map(\.stringValue).joined(separator: ".")
        }
        return switch self {
        case .keyNotFound(let key, let context): "\(path(context)) lacks \(key.stringValue)"
        case .typeMismatch(_, let context), .valueNotFound(_, let context): "\(path(context)) has the wrong type"
        case .dataCorrupted(let context): "\(path(context)) cannot be read"
        @unknown default: "cannot be read"
        }
    }
}
