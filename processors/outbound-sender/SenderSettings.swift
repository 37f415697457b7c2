import D360
import SendLimits
import Service
import WhatsApp

/// How the sender behaves.
///
/// | environment | in the file | default | what |
/// |---|---|---|---|
/// | `MILLRACE_SENDER_UNKNOWN_WAIT_MS` | `sender.unknownWaitMs` | 120000 | so long a message whose answer was lost waits for a status that tells, see `OutboundSenderProcessor+Doubt.swift` (1,000 to 3,600,000) |
/// | `MILLRACE_SENDER_API_KEYS` | `sender.apiKeys` | none | directory with one file for each channel, named like it, that holds its `D360-API-KEY`; goes before the channels file |
/// | `MILLRACE_SENDER_STOP_WORDS` | `sender.stopWords` | `stop` | messages that are one of these, comma-separated, stop marketing; empty: none |
/// | `MILLRACE_SENDER_RESUME_WORDS` | `sender.resumeWords` | `start` | and these resume it |
/// | `MILLRACE_SENDER_NUMBER_RATE` | `sender.numberRate` | 80 | messages a second, in and out, of a number whose channel names no `rate` (1 to 1,000) |
///
/// Messages under way at once are as many as connections to one host, see `TransportSettings.swift`.
struct SenderSettings: Sendable {
    var unknownWait: Duration
    var limits: SendLimitsConfiguration
    var words: ConsentWords
    var keyDirectory: String?

    init(_ settings: Settings, _ transport: HTTPTransportConfiguration) throws {
        let reader = settings.reader
        unknownWait = .milliseconds(try reader.int("sender.unknownWaitMs", default: 120_000, in: 1_000...3_600_000))
        words = ConsentWords(
            stop: Self.words(reader.string(forKey: "sender.stopWords", default: "stop")),
            resume: Self.words(reader.string(forKey: "sender.resumeWords", default: "start")))
        keyDirectory = reader.string(forKey: "sender.apiKeys")
        let connections = transport.maxConnectionsPerHost
        limits = SendLimitsConfiguration(
            defaultRate: Double(try reader.int("sender.numberRate", default: 80, in: 1...1_000)), maxWaiting: 8_192,
            maxWaitingPerNumber: 4_096, maxInFlight: connections, maxInFlightPerNumber: max(1, connections * 3 / 4),
            // Shorter than the runtime's time limit of a handler.
            maxWait: .seconds(20))
    }

    private static func words(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }
}

extension Channels {
    /// Those that have a key, from the directory or of their own. Blocks.
    ///
    /// - Parameter files: gets to know every file that was read, also when this throws.
    static func sending(
        environment: [String: String], keyDirectory: String?, files: inout FileContents
    ) throws -> Sending {
        let channels = try load(environment: environment, files: &files)
        var keys: [String: APIKey] = [:]
        var strays: [String] = []
        if let keyDirectory {
            guard let names = files.list(keyDirectory) else {
                throw SettingError("MILLRACE_SENDER_API_KEYS", "names a directory that cannot be read")
            }
            (keys, strays) = try APIKey.keys(named: names, of: Set(channels.all.map(\.identity.name))) { name in
                files.read("\(keyDirectory)/\(name)").map(Array.init)
            }
        }
        let sending = channels.all.compactMap { channel -> SendingChannel? in
            guard let key = keys[channel.identity.name] ?? channel.apiKey.map({ APIKey($0.value) }) else { return nil }
            return SendingChannel(
                channel.identity,
                ChannelEndpoint(baseURL: channel.baseURL, hosting: channel.identity.hosting, apiKey: key),
                unknown: channel.unknown, rate: channel.rate, isBound: channel.isBound)
        }
        return Sending(channels: sending, strays: strays)
    }

    /// Channels that can send, and what lies in the directory of keys and is no channel's.
    struct Sending: Sendable {
        var channels: [SendingChannel]
        var strays: [String]
    }
}

extension SendingChannel {
    /// What the limiter needs to know.
    func sendingNumber(defaultRate: Double) -> SendingNumber {
        SendingNumber(id: identity.business, account: identity.wabaID, rate: rate ?? defaultRate)
    }
}
