import D360
import SendLimits
import Service
import WhatsApp

/// How the sender behaves.
///
/// | environment | in the file | default | what |
/// |---|---|---|---|
/// | `MILLRACE_SENDER_UNKNOWN_WAIT_MS` | `sender.unknownWaitMs` | 120000 | so long a message whose answer was lost waits for a status that tells, see `OutboundSenderProcessor+Doubt.swift` (1,000 to 3,600,000) |
/// | `MILLRACE_SENDER_NUMBER_RATE` | `sender.numberRate` | 80 | messages a second, in and out, of a number whose channel names no `rate` (1 to 1,000) |
///
/// Messages under way at once are as many as connections to one host, see `TransportSettings.swift`.
struct SenderSettings: Sendable {
    var unknownWait: Duration
    var limits: SendLimitsConfiguration

    init(_ settings: Settings, _ transport: HTTPTransportConfiguration) throws {
        let reader = settings.reader
        unknownWait = .milliseconds(try reader.int("sender.unknownWaitMs", default: 120_000, in: 1_000...3_600_000))
        let connections = transport.maxConnectionsPerHost
        limits = SendLimitsConfiguration(
            defaultRate: Double(try reader.int("sender.numberRate", default: 80, in: 1...1_000)),
            maxInFlight: connections, maxInFlightPerNumber: max(1, connections * 3 / 4),
            // Shorter than the runtime's patience with handlers when partitions are given up.
            maxWait: .seconds(4))
    }
}

extension Channels {
    /// Those that have a key.
    var sending: [SendingChannel] {
        all.compactMap { channel in
            channel.apiKey.map { key in
                SendingChannel(
                    channel.identity,
                    ChannelEndpoint(
                        baseURL: channel.baseURL, hosting: channel.identity.hosting, apiKey: APIKey(key.value)),
                    unknown: channel.unknown, rate: channel.rate)
            }
        }
    }
}

extension SendingChannel {
    /// What the limiter needs to know.
    func sendingNumber(defaultRate: Double) -> SendingNumber {
        SendingNumber(id: identity.business, account: identity.wabaID, rate: rate ?? defaultRate)
    }
}
