import Foundation
import WhatsApp

/// One number (or account) at 360dialog: how its webhooks prove themselves and how we send for it.
public struct Channel: Sendable, Hashable {
    /// What the caller of a webhook must show: of every kind in a channel's list one. Secrets of one kind are
    /// alternatives (an old and a new one), kinds are demanded together.
    public enum WebhookProof: Sendable, Hashable {
        /// 360dialog sends the headers that were set with the webhook URL (docs.360dialog.com, "Receiving messages").
        case basic(user: String, password: Secret)
        case header(name: String, value: Secret)
        /// `x-360dialog-signature`: HMAC-SHA256 of the body with the platform's secret (partner webhooks).
        case signature(secret: Secret)
        /// `X-Hub-Signature-256`: the same with the secret of Meta's app.
        case metaSignature(appSecret: Secret)
    }

    public enum UnknownPolicy: String, Sendable, Hashable, CaseIterable {
        /// Sent again, which may deliver it twice.
        case resend
        case deadLetter = "dead-letter"
    }

    public var identity: ChannelIdentity
    public var webhookProofs: [WebhookProof]
    /// What Meta's handshake may show when the webhook is set up.
    public var verifyTokens: [Secret]
    /// Nil for a channel that only receives.
    public var apiKey: Secret?
    public var baseURL: String
    /// Messages a second, in and out together, that the platform takes of the number; nil: the sender's default.
    public var rate: Double?
    /// What becomes of a message when nobody knows whether it was accepted; nil: as the hosting has it.
    public var unknown: UnknownPolicy?
    /// Webhooks may speak for this number only, and events of an account for `waba_id` only: for installations that
    /// several tenants share.
    public var isBound: Bool
    /// Whether whole bodies go to the raw topic too; nil: as `MILLRACE_INGRESS_RAW` says.
    public var keepsRaw: Bool?
    /// True for the one that answers at `/webhooks`, without a name in the path.
    public var isAccount: Bool
}

/// The channels: from the file that `MILLRACE_CHANNELS` names, or a single one from `MILLRACE_CHANNEL_…` alone.
///
///     channels:
///       main:                              # POST /webhooks/main
///         hosting: cloud                   # or on-premise
///         phone_number_id: "700100200300501"
///         waba_id: "900100200300401"
///         display_phone_number: "15550009001"
///         bound: true                      # what names another number or account is kept on `other` only
///         raw: true                        # bodies are kept whole too, on `whatsapp.raw.v1`
///         webhook:
///           basic: { user: testuser, password_file: /run/secrets/main-webhook }
///         api_key_file: /run/secrets/main-d360-key
///         rate: 80                         # messages a second: 20 (coexistence), 80, or up to 1000 (upgraded)
///         unknown: resend                  # or dead-letter: when a send's answer and its statuses stay away
///       rotated:                           # every form takes a list: old and new are both valid
///         webhook:
///           basic:
///             - { user: testuser, password_file: /run/secrets/old }
///             - { user: testuser, password_file: /run/secrets/new }
///       partner:
///         webhook:
///           signature: { secret_file: /run/secrets/platform }       # x-360dialog-signature
///       direct:                            # Meta without 360dialog; GET /webhooks/direct is its handshake
///         webhook:
///           meta: { app_secret_file: /run/secrets/app, verify_token_env: META_VERIFY_TOKEN }
///     account:                             # POST /webhooks, optional
///       webhook:
///         header: { name: X-Millrace-Secret, value_env: ACCOUNT_SECRET }
///
/// Several forms under one `webhook` are demanded together: `basic` and `signature` want both. A secret is given as `x`
/// (plain, for a first try), `x_env` (name of an environment variable) or `x_file`. Every mistake is named by its place;
/// nothing is guessed.
///
/// The same single channel without a file, each variable named as its place in the file (a secret's also with `_FILE`):
///
/// | environment | in the file |
/// |---|---|
/// | `MILLRACE_CHANNEL_NAME` | the name, `main` when it is not set |
/// | `MILLRACE_CHANNEL_HOSTING`, `_PHONE_NUMBER_ID`, `_WABA_ID`, `_DISPLAY_PHONE_NUMBER`, `_BOUND`, `_RAW`, `_BASE_URL`, `_RATE`, `_UNKNOWN` | likewise |
/// | `MILLRACE_CHANNEL_API_KEY` | `api_key` |
/// | `MILLRACE_CHANNEL_BASIC_USER`, `_BASIC_PASSWORD` | `webhook.basic` |
/// | `MILLRACE_CHANNEL_HEADER_NAME`, `_HEADER_VALUE` | `webhook.header` |
/// | `MILLRACE_CHANNEL_SIGNATURE_SECRET` | `webhook.signature` |
/// | `MILLRACE_CHANNEL_META_APP_SECRET`, `_META_VERIFY_TOKEN` | `webhook.meta` |
///
/// The ingress takes changes of the file and of secret files while it runs (`Reloading`); the environment is read once.
public struct Channels: Sendable {
    public var all: [Channel]

    public init(all: [Channel]) { self.all = all }

    /// Whether the environment names any channel.
    public static func areNamed(in environment: [String: String]) -> Bool {
        environment["MILLRACE_CHANNELS"] != nil || ChannelVariables.arePresent(in: environment)
    }

    public static func load(environment: [String: String]) throws -> Channels {
        var files = FileContents()
        return try load(environment: environment, files: &files)
    }

    /// - Parameter files: gets to know every file that was read, also when this throws.
    public static func load(environment: [String: String], files: inout FileContents) throws -> Channels {
        let hasVariables = ChannelVariables.arePresent(in: environment)
        guard let path = environment["MILLRACE_CHANNELS"] else {
            guard hasVariables else {
                throw SettingError(
                    "MILLRACE_CHANNELS", "must name the file of channels, or MILLRACE_CHANNEL_… one channel")
            }
            let tree = try ChannelVariables.tree(environment)
            return Channels(all: try ChannelsReader.channels(tree, environment, &files))
        }
        if hasVariables {
            throw SettingError("MILLRACE_CHANNELS", "cannot be used together with MILLRACE_CHANNEL_… variables")
        }
        guard let data = files.read(path) else {
            throw SettingError("MILLRACE_CHANNELS", "names a file that \(files.fault(path))")
        }
        return try Channels(yaml: String(decoding: data, as: UTF8.self), environment: environment, files: &files)
    }

    public init(yaml: String, environment: [String: String] = [:]) throws {
        var files = FileContents()
        try self.init(yaml: yaml, environment: environment, files: &files)
    }

    init(yaml: String, environment: [String: String], files: inout FileContents) throws {
        all = try ChannelsReader.channels(try SettingsTree(yaml: yaml), environment, &files)
    }
}
