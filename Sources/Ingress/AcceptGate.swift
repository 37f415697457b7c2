import NIOCore

/// Stops accepting while there are far too many connections; callers then wait in the kernel's queue.
///
/// A few more than `maxConnections` are accepted, so that they can be told 503; beyond that even telling them costs
/// more than it helps. Sits on the listening channel.
final class AcceptGate: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never
    typealias OutboundOut = Never

    private static let retryInterval = TimeAmount.milliseconds(20)

    private let metrics: IngressMetrics
    private let limit: Int

    init(_ core: IngressCore) {
        metrics = core.metrics
        limit = core.configuration.maxConnections + max(16, core.configuration.maxConnections / 8)
    }

    func read(context: ChannelHandlerContext) {
        if metrics.openConnections < limit { return context.read() }
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.retryInterval) {
            if context.channel.isActive { self.read(context: context) }
        }
    }
}

@available(*, unavailable)
extension AcceptGate: Sendable {}
