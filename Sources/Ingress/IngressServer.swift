import EventLog
import Logging
import Metrics
import NIOCore
import NIOPosix
import ServerTLS
import ServiceLifecycle
import Synchronization
import Telemetry
import WhatsApp

/// Takes webhooks over HTTP/1.1 and answers 200 only after every record of the body is durable.
///
/// | answer | when |
/// |---|---|
/// | 200 | every record is on the log; to Meta's handshake, with its challenge |
/// | 400 | the body is not exactly one JSON object or not encoded as it says, or the request is no HTTP |
/// | 401 | wrong or missing credentials or signature, unknown channel |
/// | 403 | Meta's handshake with a wrong token |
/// | 404, 405 | another path, another method |
/// | 408, 411, 413, 414, 415, 417, 431, 501 | the request is too slow, too large, or in a form that is not taken |
/// | 503 | the log did not confirm in time or refused, or a bound is reached; `Retry-After` says when to come again |
public final class IngressServer: Service {
    public var metrics: IngressMetrics { core.metrics }
    private let core: IngressCore
    private let tls: TLSContexts?
    private let logger: Logger
    private let bound = Once<Int>()
    private let isServing = Atomic(false)

    /// - Parameters:
    ///   - metrics: where `IngressMetric` is counted.
    ///   - now: the time that is written into records as their arrival.
    public convenience init(
        configuration: IngressConfiguration, producer: any Producer, topics: Topics, logger: Logger,
        metrics: any MetricsFactory = MetricsSystem.factory, now: @escaping @Sendable () -> Timestamp
    ) throws(IngressConfigurationError) {
        try self.init(
            configuration: configuration, producer: producer, topics: topics, logger: logger, metrics: metrics, now: now,
            clock: { .now() })
    }

    /// With another clock for deadlines, which tests move.
    init(
        configuration: IngressConfiguration, producer: any Producer, topics: Topics, logger: Logger,
        metrics: any MetricsFactory, now: @escaping @Sendable () -> Timestamp,
        clock: @escaping @Sendable () -> NIODeadline
    ) throws(IngressConfigurationError) {
        try configuration.validate()
        do throws(TLSFilesError) {
            if let files = configuration.tls { tls = try TLSContexts(files) } else { tls = nil }
        } catch {
            throw IngressConfigurationError(error.description)
        }
        if tls?.isOfUse == false { logger.warning("The TLS certificate has expired, or is not valid yet") }
        core = IngressCore(
            configuration, producer: producer, topics: topics, logger: logger, metrics: metrics, now: now,
            clock: clock)
        self.logger = logger
    }

    /// Whether a webhook would be taken now: the server listens, and the log confirms what it is given.
    public var readiness: Readiness {
        guard isServing.load(ordering: .relaxed) else { return .notReady("not listening") }
        return core.producerHealth.readiness(at: core.clock())
    }

    /// The port listened on. Waits until `run` has bound it; throws what kept `run` from doing so.
    public var port: Int {
        get async throws { try await bound.value }
    }

    /// A stop is about to come: every answer from now on says `Connection: close` and is the last one of its connection,
    /// so that senders leave before they would be left. Nobody is refused yet.
    public func announceStop() { core.isLeaving.store(true, ordering: .relaxed) }

    /// Takes other channels from now on, all at once; requests that are in work end as they began. Throws when they are
    /// no good; then nothing has changed.
    public func replaceChannels(_ channels: IngressChannels) throws(IngressConfigurationError) {
        try core.replace(channels)
    }

    /// Reads the TLS files anew, blocking, for the connections that come from now on; those that are open go on. Throws
    /// when the files are no good; then nothing has changed. Without TLS it does nothing.
    public func reloadTLS() throws(TLSFilesError) { try tls?.reload() }

    /// Serves until the graceful shutdown: then no connection is accepted any more, requests in flight are finished
    /// (for at most `shutdownTimeout`), and it returns. Throws when the address cannot be bound. Runs once.
    public func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: core.configuration.eventLoopCount)
        do {
            try await serve(on: group)
        } catch {
            bound.resolve(.failure(error))
            try? await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    /// What one event loop has: its connections, and the way back to them from the log.
    private struct Lane: Sendable {
        let loop: any EventLoop
        let connections: NIOLoopBound<Connections>
        let acknowledgements: AcknowledgementQueue
    }

    private func serve(on group: MultiThreadedEventLoopGroup) async throws {
        var lanes: [Lane] = []
        for loop in group.makeIterator() { lanes.append(try await makeLane(on: loop)) }
        let listener: any Channel
        do {
            listener = try await listen(on: group, lanes)
        } catch {
            let place = "\(core.configuration.host):\(core.configuration.port)"
            throw IngressConfigurationError("cannot listen on \(place): \(error)")
        }
        let port = listener.localAddress?.port ?? core.configuration.port
        bound.resolve(.success(port))
        isServing.store(true, ordering: .relaxed)
        let drained = core.producer as? any DrainableProducer
        if let drained, let lane = lanes.first { drained.setBell { lane.loop.execute { drained.drain() } } }
        defer { drained?.setBell(nil) }
        logger.info("Ingress listens", metadata: ["ingress.port": "\(port)"])
        try await withTaskCancellationOrGracefulShutdownHandler {
            try await listener.closeFuture.get()
        } onCancelOrGracefulShutdown: {
            self.announceStop()
            self.isServing.store(false, ordering: .relaxed)
            listener.close(promise: nil)
        }
        isServing.store(false, ordering: .relaxed)
        logger.info(
            "Ingress stops", metadata: ["ingress.requests_in_flight": "\(metrics.requestsInFlight)"])
        try await drain(lanes)
        logger.info("Ingress has stopped", metadata: ["ingress.stored": "\(metrics.stored)"])
    }

    private func makeLane(on loop: any EventLoop) async throws -> Lane {
        let interval = core.times.sweepInterval
        let core = core
        return try await loop.submit {
            let connections = Connections(core.producer, on: loop, clock: { core.clock() })
            connections.sweep(every: interval, on: loop)
            return Lane(
                loop: loop, connections: NIOLoopBound(connections, eventLoop: loop),
                acknowledgements: AcknowledgementQueue(connections, of: core, on: loop))
        }.get()
    }

    /// Two usual requests at a time, and not much more for a large one: each connection keeps such a buffer for as long as
    /// it is open, whoever it is.
    private static var readBuffers: any RecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(minimum: 2 << 10, initial: 2 << 10, maximum: 8 << 10)
    }

    private func listen(on group: MultiThreadedEventLoopGroup, _ lanes: [Lane]) async throws -> any Channel {
        let core = core
        let tls = tls
        let lanes = Dictionary(uniqueKeysWithValues: lanes.map { (ObjectIdentifier($0.loop), $0) })
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4_096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptGate(core))
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.recvAllocator, value: Self.readBuffers)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let lane = lanes[ObjectIdentifier(channel.eventLoop)] else {
                        preconditionFailure("a connection on a loop that is not the group's")
                    }
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(tls.makeHandler()) }
                    try pipeline.addHandler(
                        WebhookHandler(core, lane.connections.value, lane.acknowledgements, isPlain: tls == nil))
                }
            }
            .bind(host: core.configuration.host, port: core.configuration.port).get()
    }

    /// Lets every connection finish, at most for `shutdownTimeout`, or not at all when the task is cancelled.
    private func drain(_ lanes: [Lane]) async throws {
        let patience = TimeAmount(core.configuration.shutdownTimeout)
        let leaveTime = TimeAmount(core.configuration.leaveTimeout)
        // So that the last answers arrive before everything is closed.
        let lastAnswers = max(patience - leaveTime, .nanoseconds(patience.nanoseconds / 2))
        try await withTaskCancellationHandler {
            let emptied = lanes.map { lane in
                let empty = lane.loop.makePromise(of: Void.self)
                lane.loop.execute {
                    lane.connections.value.drain(empty)
                    lane.loop.scheduleTask(in: leaveTime) { lane.connections.value.leave() }
                    lane.loop.scheduleTask(in: lastAnswers) { lane.connections.value.expireAll() }
                    lane.loop.scheduleTask(in: patience) { lane.connections.value.closeAll() }
                }
                return empty.futureResult
            }
            for empty in emptied { try await empty.get() }
            for lane in lanes { lane.acknowledgements.close() }
        } onCancel: {
            for lane in lanes { lane.loop.execute { lane.connections.value.closeAll() } }
        }
    }
}
