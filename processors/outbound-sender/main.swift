import D360
import Service

await MillraceService.main { host in
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
