import Foundation
import WhatsApp

/// Reads channels out of the tree of a channels file (see `Channels`), and their secrets from where it points to.
struct ChannelsReader {
    private let environment: [String: String]
    private var files: FileContents

    static func channels(
        _ root: SettingsTree, _ environment: [String: String], _ files: inout FileContents
    ) throws -> [Channel] {
        var reader = ChannelsReader(environment: environment, files: files)
        defer { files = reader.files }
        return try reader.channels(root)
    }

    private mutating func channels(_ root: SettingsTree) throws(SettingError) -> [Channel] {
        let members = try root.members(known: ["channels", "account"])
        var all: [Channel] = []
        for (name, entry) in try members["channels"]?.members().sorted(by: { $0.key < $1.key }) ?? [] {
            all.append(try channel(entry, name: name, isAccount: false))
        }
        if let account = members["account"] { all.append(try channel(account, name: "account", isAccount: true)) }
        if all.isEmpty { throw SettingError("channels file", "names no channel") }
        let numbers = all.compactMap(\.identity.phoneNumberID)
        if Set(numbers).count < numbers.count {
            throw SettingError("channels file", "names one phone_number_id in two channels")
        }
        return all
    }

    private mutating func channel(
        _ entry: SettingsTree, name: String, isAccount: Bool
    ) throws(SettingError) -> Channel {
        // The name is a path segment of the webhook URL and part of ids.
        guard !name.isEmpty, name.count <= 64, name.utf8.allSatisfy(\.isNameByte) else {
            throw entry.error("a channel's name is 1 to 64 letters, digits, '-' or '.'")
        }
        // Clients and proxies take these two out of a path.
        if name == "." || name == ".." { throw entry.error("such a name cannot stand in a path") }
        if name == "account", !isAccount { throw entry.error("is the name of the account's own channel, see account:") }
        let members = try entry.members(
            known: [
                "hosting", "phone_number_id", "waba_id", "display_phone_number", "bound", "raw", "webhook", "base_url",
                "rate", "unknown",
            ] + Self.names(ofSecret: "api_key"))
        let identity = try identity(entry, name: name, members)
        let isBound = try members["bound"]?.truth() ?? false
        if isBound, identity.phoneNumberID == nil { throw entry.error("bound", "needs phone_number_id") }
        guard let webhook = members["webhook"] else {
            throw entry.error("webhook", "is missing: it says what the caller of the webhook must show")
        }
        let (proofs, verifyTokens) = try proofs(webhook)
        return Channel(
            identity: identity, webhookProofs: proofs, verifyTokens: verifyTokens,
            apiKey: try secret("api_key", of: entry, members),
            baseURL: try baseURL(entry, identity.hosting, members), rate: try rate(entry, members),
            unknown: try unknown(entry, members), isBound: isBound,
            keepsRaw: try members["raw"]?.truth(), isAccount: isAccount)
    }

    private func identity(
        _ entry: SettingsTree, name: String, _ members: [String: SettingsTree]
    ) throws(SettingError) -> ChannelIdentity {
        guard let hosting = Hosting(rawValue: try members["hosting"]?.text() ?? Hosting.cloud.rawValue) else {
            throw entry.error("hosting", "must be cloud or on-premise")
        }
        return ChannelIdentity(
            name: name, hosting: hosting, wabaID: try id("waba_id", entry, members),
            phoneNumberID: try id("phone_number_id", entry, members),
            displayPhoneNumber: try id("display_phone_number", entry, members))
    }

    private func id(
        _ name: String, _ entry: SettingsTree, _ members: [String: SettingsTree]
    ) throws(SettingError) -> String? {
        guard let text = try members[name]?.text() else { return nil }
        if text.isBlank { throw entry.error(name, "must not be empty") }
        return text
    }

    private func baseURL(
        _ entry: SettingsTree, _ hosting: Hosting, _ members: [String: SettingsTree]
    ) throws(SettingError) -> String {
        let standard = hosting == .cloud ? "https://waba-v2.360dialog.io" : "https://waba.360dialog.io"
        let base = try members["base_url"]?.text() ?? standard
        guard base.hasPrefix("https://") || base.hasPrefix("http://"), !base.hasSuffix("/") else {
            throw entry.error("base_url", "must begin with https:// (or http://) and not end with /")
        }
        return base
    }

    private func rate(_ entry: SettingsTree, _ members: [String: SettingsTree]) throws(SettingError) -> Double? {
        guard let text = try members["rate"]?.text() else { return nil }
        guard let rate = Double(text), rate >= 1, rate <= 1_000 else {
            throw entry.error("rate", "must be messages a second, from 1 to 1000")
        }
        return rate
    }

    private func unknown(
        _ entry: SettingsTree, _ members: [String: SettingsTree]
    ) throws(SettingError) -> Channel.UnknownPolicy? {
        guard let word = try members["unknown"]?.text() else { return nil }
        guard let policy = Channel.UnknownPolicy(rawValue: word) else {
            throw entry.error("unknown", "must be resend or dead-letter")
        }
        return policy
    }

    // MARK: Proofs

    private mutating func proofs(
        _ webhook: SettingsTree
    ) throws(SettingError) -> (proofs: [Channel.WebhookProof], verifyTokens: [Secret]) {
        let forms = try webhook.members(known: ["basic", "header", "signature", "meta"])
        var proofs: [Channel.WebhookProof] = []
        var verifyTokens: [Secret] = []
        for basic in try forms["basic"]?.elements() ?? [] {
            let members = try basic.members(known: ["user"] + Self.names(ofSecret: "password"))
            let user = try required("user", of: basic, members)
            // The colon ends the user in what a client sends (RFC 7617, 2).
            if user.contains(":") { throw basic.error("user", "must not contain a colon") }
            proofs.append(.basic(user: user, password: try requiredSecret("password", of: basic, members)))
        }
        for header in try forms["header"]?.elements() ?? [] {
            proofs.append(try headerProof(header, besideBasic: !proofs.isEmpty))
        }
        for signature in try forms["signature"]?.elements() ?? [] {
            let members = try signature.members(known: Self.names(ofSecret: "secret"))
            proofs.append(.signature(secret: try requiredSecret("secret", of: signature, members)))
        }
        for meta in try forms["meta"]?.elements() ?? [] {
            let members = try meta.members(
                known: Self.names(ofSecret: "app_secret") + Self.names(ofSecret: "verify_token"))
            proofs.append(.metaSignature(appSecret: try requiredSecret("app_secret", of: meta, members)))
            if let token = try secret("verify_token", of: meta, members) { verifyTokens.append(token) }
        }
        // Nothing to show would let anybody in.
        if proofs.isEmpty { throw webhook.error("needs basic, header, signature or meta") }
        return (proofs, verifyTokens)
    }

    /// A header that could never be shown as it is demanded is a mistake, and would refuse everybody.
    private mutating func headerProof(
        _ header: SettingsTree, besideBasic hasBasic: Bool
    ) throws(SettingError) -> Channel.WebhookProof {
        let members = try header.members(known: ["name"] + Self.names(ofSecret: "value"))
        let name = try required("name", of: header, members)
        // RFC 9110, 5.6.2.
        guard name.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !#"()<>@,;:\"/[]?={}"#.utf8.contains($0) }) else {
            throw header.error("name", "is no name of a header")
        }
        if hasBasic, name.lowercased() == "authorization" {
            throw header.error("name", "cannot be Authorization beside basic: both would be demanded of one header")
        }
        let value = try requiredSecret("value", of: header, members)
        let bytes = Array(value.value.utf8)
        let blanks = [UInt8(ascii: " "), UInt8(ascii: "\t")]
        if blanks.contains(where: { $0 == bytes.first || $0 == bytes.last }) {
            throw header.error("value", "must not begin or end with a blank: blanks there are no part of a header's value")
        }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == UInt8(ascii: "\t") }) else {
            throw header.error("value", "holds what no header can, e.g. a line end")
        }
        return .header(name: name, value: value)
    }

    private func required(
        _ name: String, of entry: SettingsTree, _ members: [String: SettingsTree]
    ) throws(SettingError) -> String {
        guard let text = try members[name]?.text(), !text.isEmpty else { throw entry.error("needs \(name)") }
        return text
    }

    // MARK: Secrets

    private static func names(ofSecret name: String) -> [String] { [name, name + "_env", name + "_file"] }

    private mutating func requiredSecret(
        _ name: String, of entry: SettingsTree, _ members: [String: SettingsTree]
    ) throws(SettingError) -> Secret {
        guard let secret = try secret(name, of: entry, members) else {
            throw entry.error("needs \(name), \(name)_env or \(name)_file")
        }
        return secret
    }

    private mutating func secret(
        _ name: String, of entry: SettingsTree, _ members: [String: SettingsTree]
    ) throws(SettingError) -> Secret? {
        switch (members[name], members[name + "_env"], members[name + "_file"]) {
        case (nil, nil, nil): return nil
        case (let plain?, nil, nil):
            let text = try plain.text()
            if text.isBlank { throw plain.error("must not be empty") }
            return Secret(text)
        case (nil, let variable?, nil):
            guard let value = environment[try variable.text()], !value.isBlank else {
                throw variable.error("names an environment variable that is not set, or blank")
            }
            return Secret(value)
        case (nil, nil, let file?):
            return Secret(try Secret.text(of: files.read(try file.text()), for: file.place))
        default: throw entry.error(name, "must be given once")
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
