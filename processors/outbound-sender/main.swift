import D360
import SendLimits
import Service
import WhatsApp

await MillraceService.main { host in
    guard !host.withholdsEffects else {
        throw SettingError("--effects", "all that outbound-sender does is sending; replay it with this option or not at all")
    }
    let topics = host.settings.topics
    let transport = try HTTPTransportConfiguration(host.settings)
    let settings = try SenderSettings(host.settings, transport)
    let channels = try host.channels().sending
    let limiter = SendLimiter(settings.limits, clock: ContinuousClock())
    limiter.setNumbers(channels.map { $0.sendingNumber(defaultRate: settings.limits.defaultRate) })
    return OutboundSenderProcessor(
        topics: topics, sender: D360Client(transport: HTTPTransport(transport)), channels: ChannelDirectory(channels),
        limiter: limiter, archive: LogArchive(log: host.log, statuses: topics.statuses), unknownWait: settings.unknownWait)
}
