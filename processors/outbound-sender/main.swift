import D360
import SendLimits
import Service
import WhatsApp

// Channels and keys are taken anew when their files change; a number that was held for its key is tried again then.
await MillraceService.main { host in
    guard !host.withholdsEffects else {
        throw SettingError("--effects", "all that outbound-sender does is sending; replay it with this option or not at all")
    }
    let (topics, environment) = (host.settings.topics, host.environment)
    let transport = try HTTPTransportConfiguration(host.settings)
    let settings = try SenderSettings(host.settings, transport)
    let channels = try Loaded { files in
        try Channels.sending(environment: environment, keyDirectory: settings.keyDirectory, files: &files)
    }
    let limiter = SendLimiter(settings.limits, clock: ContinuousClock())
    let directory = ChannelDirectory([])
    let logger = host.logger
    @Sendable func use(_ sending: Channels.Sending) {
        let channels = sending.channels
        for name in sending.strays {
            // A channel that is yet to come, or what an editor left behind.
            logger.warning("no channel is named like this file of API keys", metadata: ["file": "\(name.prefix(80))"])
        }
        limiter.setNumbers(channels.map { $0.sendingNumber(defaultRate: settings.limits.defaultRate) })
        for number in directory.replace(channels) { limiter.resume(number: number) }
    }
    use(channels.value)
    host.runAlongside(channels.reloading("channels", logger: host.logger) { use($0) })
    host.runAlongside(LimitPublisher(limiter: limiter, log: host.log, topic: topics.sendLimits))
    return OutboundSenderProcessor(
        topics: topics, sender: D360Client(transport: HTTPTransport(transport)), channels: directory, limiter: limiter,
        archive: LogArchive(log: host.log, statuses: topics.statuses, results: topics.outboundResults), words: settings.words,
        unknownWait: settings.unknownWait)
}

extension APIKeyError: ReadableError {}
