import D360
import EventLog
import Logging
import Processing
import ProcessorTesting
import SendLimits
import Synchronization
import Testing
import WhatsApp

@testable import outbound_sender

/// A sender that answers what it is told and notes what it was asked for.
final class ScriptedSender: CommandSender {
    private let outcomes: Mutex<[SendOutcome]>
    private let commands = Mutex<[OutboundCommand]>([])

    init(_ outcomes: [SendOutcome]) { self.outcomes = Mutex(outcomes) }

    var sent: [String] { commands.withLock { $0.map(\.id) } }
    var types: [String?] { commands.withLock { $0.map(\.messageType) } }

    func send(_ command: OutboundCommand, to endpoint: ChannelEndpoint) async -> SendOutcome {
        commands.withLock { $0.append(command) }
        return outcomes.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
    }
}

enum Sample {
    static let topics = Topics()
    static let now = Timestamp(seconds: 1_790_000_000)

    static func receipt(_ id: String = "wamid.1") throws -> SendReceipt {
        try #require(SendReceipt(Array(#"{"messages":[{"id":"\#(id)"}]}"#.utf8)))
    }

    static func command(
        _ id: String = "c1", hosting: Hosting = .cloud, number: String? = "700", name: String = "shop",
        lifetime: Duration = .seconds(3_600), purpose: OutboundCommand.Purpose = .reply, fallback: String? = nil,
        windowEndsAt: Timestamp? = nil, text: String = "Hi"
    ) throws -> OutboundCommand {
        OutboundCommand(
            channel: ChannelIdentity(name: name, hosting: hosting, wabaID: "900", phoneNumberID: number), id: id,
            purpose: purpose, recipient: .to("15550001111"), conversationKey: "700:15550001111",
            message: try JSON(parsing: Array(#"{"type":"text","text":{"body":"\#(text)"}}"#.utf8)),
            fallback: try fallback.map { try JSON(parsing: Array($0.utf8)) }, expiresAt: now + lifetime,
            windowEndsAt: windowEndsAt, requestedAt: now, correlationID: "root", causationID: "cause",
            traceparent: "00-1")
    }

    static func record(_ command: OutboundCommand) -> StoredRecord {
        StoredRecord(command.record(topic: topics.outbound), at: now)
    }

    /// A processor that owns all partitions and may send fast.
    static func processor(
        _ sender: any CommandSender, hosting: Hosting = .cloud, baseURL: String = "http://127.0.0.1:9",
        archive: any CommandArchive = MemoryArchive(), unknown: UnknownPolicy? = nil,
        limiter: SendLimiter? = nil, metrics: SenderMetrics = SenderMetrics()
    ) -> OutboundSenderProcessor {
        let endpoint = ChannelEndpoint(baseURL: baseURL, hosting: hosting, apiKey: APIKey("k"))
        let identity = ChannelIdentity(name: "shop", hosting: hosting, phoneNumberID: "700")
        let processor = OutboundSenderProcessor(
            topics: topics, sender: sender, channels: ChannelDirectory([SendingChannel(identity, endpoint, unknown: unknown)]),
            limiter: limiter
                ?? SendLimiter(
                    SendLimitsConfiguration(defaultRate: 100_000, maxWait: .seconds(30)), clock: ContinuousClock()),
            archive: archive, words: ConsentWords(stop: ["stop"], resume: ["start"]), metrics: metrics)
        processor.partitionsChanged([0], of: 1)
        return processor
    }

    static func results(_ records: [Record]) throws -> [OutboundResult] {
        try records.map { record in
            #expect(record.topic == topics.outboundResults)
            return try OutboundResult(StoredRecord(record, at: now))
        }
    }
}

/// What the log would hold.
actor MemoryArchive: CommandArchive {
    private var evidence: [String: Evidence] = [:]
    private var records: [RecordPosition: StoredRecord] = [:]
    private(set) var asked: [String] = []
    private(set) var forgotten: [String] = []

    func store(_ status: StoredRecord) throws {
        let status = try MessageStatus(status)
        if let id = status.tag?.commandID { evidence[id] = evidence[id] ?? Evidence(status) }
    }
    func store(command: StoredRecord) { records[RecordPosition(command.source, command.offset)] = command }

    func evidence(of commandID: String, in partition: Int32, since: Timestamp) async throws -> Evidence? {
        asked.append(commandID)
        return evidence[commandID]
    }
    func record(at position: RecordPosition) async throws -> StoredRecord? { records[position] }
    func acceptance(of commandID: String, in partition: Int32, since: Timestamp) async throws -> OutboundResult? { nil }
    nonisolated func partitionsChanged(_ owned: Set<Int32>) {}
    func forget(_ commandIDs: some Sequence<String> & Sendable) async { forgotten += commandIDs }
}

/// A processor on its way through the life of a few commands: the runtime's part is played by the test.
final class SenderScene: Sendable {
    enum Step: Sendable {
        case outputs([Record])
        case failed(HandlerFailure)

        var failure: HandlerFailure? { if case .failed(let failure) = self { failure } else { nil } }
        var outputs: [Record] { if case .outputs(let outputs) = self { outputs } else { [] } }
    }

    let processor: OutboundSenderProcessor
    let archive: MemoryArchive
    let state: MemoryState
    private let marks = Mutex(0)

    init(
        _ sender: any CommandSender, hosting: Hosting = .cloud, unknown: UnknownPolicy? = nil,
        archive: MemoryArchive = MemoryArchive(), state: MemoryState = MemoryState()
    ) {
        self.archive = archive
        self.state = state
        processor = Sample.processor(sender, hosting: hosting, archive: archive, unknown: unknown)
        if state.now < Sample.now { state.now = Sample.now }
    }

    init(_ processor: OutboundSenderProcessor) {
        self.processor = processor
        archive = MemoryArchive()
        state = MemoryState()
        state.now = Sample.now
    }

    var now: Timestamp { state.now }
    func advance(_ duration: Duration) { state.now = state.now + duration }
    /// Times that an effect was marked.
    var marked: Int { marks.withLock { $0 } }

    /// - Parameter meanwhile: what happens while the mark is on its way.
    func context(
        _ effect: EffectOutcome = .none, meanwhile: @escaping @Sendable () async throws -> Void = {}
    ) -> HandlerContext {
        HandlerContext(
            attempt: 1, partition: 0, firstFailedAt: nil, now: now, state: state,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, effect: effect
        ) {
            self.marks.withLock { $0 += 1 }
            try await meanwhile()
        }
    }

    func handle(_ command: OutboundCommand, _ effect: EffectOutcome = .none) async -> Step {
        await handle(Sample.record(command), effect)
    }

    func handle(_ record: StoredRecord, _ effect: EffectOutcome = .none) async -> Step {
        do { return .outputs(try await processor.handle(record, context(effect))) } catch {
            return .failed(HandlerFailure(error))
        }
    }

    func results(_ command: OutboundCommand, _ effect: EffectOutcome = .none) async throws -> [OutboundResult] {
        let step = await handle(command, effect)
        #expect(step.failure == nil, "\(step.failure?.message ?? "")")
        return try Sample.results(step.outputs)
    }

    func buried(_ command: OutboundCommand, _ failure: HandlerFailure, _ effect: EffectOutcome = .none) async throws -> OutboundResult {
        let outputs = await processor.deadLettered(Sample.record(command), failure, context(effect))
        return try #require(try Sample.results(outputs).first)
    }

    /// A status comes in over the side input; `recorded` is when the ingress stored it.
    @discardableResult
    func status(
        _ word: String = "sent", of command: OutboundCommand?, message: String = "wamid.s", code: Int? = nil,
        recorded: Timestamp? = nil, isStored: Bool = true
    ) async throws -> SideAnswer {
        let record = try Sample.status(word, of: command, message: message, code: code, at: recorded ?? now)
        if isStored { try await archive.store(record) }
        return try await processor.handleSide(record, context())
    }

    /// Other messages of the number are accepted for so long, one a second, and get their statuses.
    ///
    /// - Parameter late: so long after they were accepted.
    func flow(_ duration: Duration, late: Duration = .zero) async throws {
        for second in 0..<(duration.milliseconds / 1_000) {
            advance(.seconds(1))
            var other = try Sample.command("other-\(second)-\(now.milliseconds)")
            other.conversationKey = "700:15550009999"
            let result = OutboundResult(
                of: other, outcome: .accepted, messageID: "wamid.o", attempts: 1, firstAttemptAt: now - late,
                finishedAt: now - late)
            try await SentCommands(state).remember(result.value, of: other, fallback: nil)
            try await status(of: other, message: "wamid.o")
        }
    }
}

extension Sample {
    /// As the ingress stores it; without a command it is of somebody else's message.
    static func status(
        _ word: String, of command: OutboundCommand?, message: String = "wamid.s", code: Int? = nil, at time: Timestamp
    ) throws -> StoredRecord {
        let tag = command.flatMap(\.tag).map { #","biz_opaque_callback_data":"\#($0.encoded)""# } ?? ""
        let user = command.map { String($0.conversationKey.dropFirst(4)) } ?? "15550009999"
        let errors = code.map { #","errors":[{"code":\#($0)}]"# } ?? ""
        let body = """
            {"object":"whatsapp_business_account","entry":[{"id":"900","changes":[{"field":"messages","value":{
            "messaging_product":"whatsapp","metadata":{"display_phone_number":"1","phone_number_id":"700"},
            "statuses":[{"id":"\(message)","status":"\(word)","timestamp":"\(time.milliseconds / 1_000)",
            "recipient_id":"\(user)"\(tag)\(errors)}]}}]}]}
            """
        let channel = ChannelIdentity(name: "shop", hosting: .cloud, wabaID: "900", phoneNumberID: "700")
        let records = try WebhookSplitter.split(Array(body.utf8), channel: channel, topics: topics, receivedAt: time)
        return StoredRecord(try #require(records.first), at: time)
    }
}
