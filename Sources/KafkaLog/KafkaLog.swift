import CRdKafka
import Dispatch
import EventLog
import Synchronization

/// The event log on Kafka, by librdkafka.
///
/// | object | thread |
/// |---|---|
/// | producer | one, blocked in the queue of delivery reports (idle while an event loop drains them) |
/// | each consumer | one, which polls and does all that touches its assignment |
/// | each reader | one per partition that is being read |
/// | admin | one, for one request at a time |
///
/// What Kafka must be like: brokers from 2.4 on, `acks=all` allowed, topics with `min.insync.replicas` 2 of 3 replicas
/// (`createTopics` makes them so).
public final class KafkaLog: Log {
    private let settings: RDKafkaSettings
    private let kafkaProducer: KafkaProducer
    private let kafkaAdmin: KafkaAdmin
    private let makers = DispatchQueue(label: "kafka-open")
    /// What `close` has to close, as far as it is still there; nil afterwards.
    private let opened = Mutex<[WeakCloseable]?>([])

    public var producer: any Producer { kafkaProducer }
    public var admin: any Admin { kafkaAdmin }

    private init(settings: RDKafkaSettings, producer: KafkaProducer) {
        self.settings = settings
        kafkaProducer = producer
        kafkaAdmin = KafkaAdmin(settings: settings)
    }

    /// Opens a log on the cluster that `bootstrap` (`host:port,host:port`) belongs to.
    ///
    /// Brokers need not be up: requests wait for them, within their bounds. `.invalidConfiguration` names a property
    /// that librdkafka does not know or whose value it does not take; values never appear in errors.
    public static func open(
        bootstrap: String, configuration: KafkaLogConfiguration = .init()
    ) async throws(LogError) -> KafkaLog {
        let settings = RDKafkaSettings(bootstrap: bootstrap, configuration: configuration)
        return try await DispatchQueue(label: "kafka-open").blocking { () throws(LogError) in
            KafkaLog(settings: settings, producer: try KafkaProducer(settings: settings))
        }
    }

    public func consumer(_ configuration: ConsumerConfiguration) async throws(LogError) -> any Consumer {
        let (settings, producer) = (settings, kafkaProducer)
        let consumer = try await makers.blocking { () throws(LogError) in
            let loop = try ConsumerLoop(member: configuration, settings: settings)
            try loop.start()
            return KafkaConsumer(loop: loop, producer: producer)
        }
        try await register(consumer)
        return consumer
    }

    public func reader() async throws(LogError) -> any Reader {
        let (settings, admin) = (settings, kafkaAdmin)
        let reader = try await makers.blocking { () throws(LogError) in
            try KafkaReader(settings: settings, admin: admin)
        }
        try await register(reader)
        return reader
    }

    /// Bounded by `closeTimeout` and by the `requestTimeout` of a request under way.
    public func close() async {
        let all = opened.withLock { opened in
            defer { opened = nil }
            return opened?.compactMap(\.value) ?? []
        }
        await withTaskGroup(of: Void.self) { group in
            for one in all { group.addTask { await one.close() } }
        }
        await kafkaProducer.close()
        await kafkaAdmin.close()
    }

    private func register(_ one: any Closeable) async throws(LogError) {
        let isOpen = opened.withLock { opened in
            opened?.removeAll { $0.value == nil }
            opened?.append(WeakCloseable(value: one))
            return opened != nil
        }
        if isOpen { return }
        await one.close()
        throw LogError(.closed, "log")
    }
}

/// A consumer or a reader of the log.
private protocol Closeable: AnyObject, Sendable {
    func close() async
}
private struct WeakCloseable: Sendable {
    weak let value: (any Closeable)?
}
extension KafkaConsumer: Closeable {}
extension KafkaReader: Closeable {}
