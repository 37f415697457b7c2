import D360
import Service

await MillraceService.main { host in
    guard !host.withholdsEffects else {
        throw SettingError("--effects", "all that outbound-sender does is sending; replay it with this option or not at all")
    }
    let channels = try host.channels().all.compactMap { channel in
        channel.apiKey.map { key in
            (
                identity: channel.identity,
                endpoint: ChannelEndpoint(
                    baseURL: channel.baseURL, hosting: channel.identity.hosting, apiKey: APIKey(key.value))
            )
        }
    }
    return OutboundSenderProcessor(
        topics: host.settings.topics,
        sender: D360Client(transport: HTTPTransport(try HTTPTransportConfiguration(host.settings))),
        channels: ChannelDirectory(channels))
}
