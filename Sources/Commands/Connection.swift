import HummingbirdCore
import Logging
import NIOCore
import ServerTLS

/// How a connection begins: TLS with the certificate of the moment, the guard against slow senders, then HTTP/1.1.
struct Connection: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    let http: HTTP1Channel
    let tls: TLSContexts?
    let requestTimeout: TimeAmount
    let metrics: CommandsMetrics
    let isWelcome: @Sendable (ContinueHandler.Announcement) -> Bool

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            if let tls { try pipeline.addHandler(tls.makeHandler()) }
            try pipeline.addHandler(SlowSenderGuard(requestTimeout, metrics))
        }.flatMap { http.setup(channel: channel, logger: logger) }.flatMapThrowing { value in
            try ContinueHandler(isWelcome).join(channel)
            return value
        }
    }

    func handle(value: Value, logger: Logger) async { await http.handle(value: value, logger: logger) }
}

/// Closes a connection whose request is not answered within a time from its first byte, or from the beginning of the
/// connection: who sends a byte now and then holds it no longer than that. Idle time between requests is HTTP's own.
///
/// It stands behind TLS: a handshake that does not end counts as a request that does not come.
final class SlowSenderGuard: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let patience: TimeAmount
    private let metrics: CommandsMetrics
    private var deadline: Scheduled<Void>?
    private static let informational = Array("HTTP/1.1 1".utf8)

    init(_ patience: TimeAmount, _ metrics: CommandsMetrics) {
        self.patience = patience
        self.metrics = metrics
    }

    func handlerAdded(context: ChannelHandlerContext) {
        metrics.opened()
        begin(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        metrics.closed()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        begin(context)
        context.fireChannelRead(data)
    }

    /// The answer: whatever else of its request comes begins another wait.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // "100 Continue" is no answer.
        if !unwrapOutboundIn(data).readableBytesView.starts(with: Self.informational) { end() }
        context.write(data, promise: promise)
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard deadline == nil else { return }
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: patience) {
            self.metrics.cutSlowSender()
            context.close(promise: nil)
        }
    }

    private func end() {
        deadline?.cancel()
        deadline = nil
    }
}

@available(*, unavailable)
extension SlowSenderGuard: Sendable {}
