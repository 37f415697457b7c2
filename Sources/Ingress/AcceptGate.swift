import Glibc
import NIOCore

/// Stops accepting while there are far too many connections; callers then wait in the kernel's queue.
///
/// A few more than `maxConnections` are accepted, so that they can be told 503; beyond that even telling them costs
/// more than it helps. And when the system has no descriptor for another one, it is not asked again at once: the
/// connection stays in the queue, so the loop would do nothing else. Sits on the listening channel.
final class AcceptGate: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never
    typealias OutboundOut = Never

    private static let retryInterval = TimeAmount.milliseconds(20)
    static let pauseInterval = TimeAmount.milliseconds(100)

    private let core: IngressCore
    private let limit: Int
    private var isPaused = false

    init(_ core: IngressCore) {
        self.core = core
        limit = core.configuration.maxConnections + Self.surplus(beyond: core.configuration.maxConnections)
    }

    /// Connections accepted beyond the limit, to be told so.
    static func surplus(beyond limit: Int) -> Int { max(16, limit / 8) }

    func read(context: ChannelHandlerContext) {
        if core.metrics.openConnections < limit { return context.read() }
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.retryInterval) {
            if context.channel.isActive { self.read(context: context) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? IOError, [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error.errnoCode) {
            core.acceptFailed(error.errnoCode)
            pause(context.channel)
        }
        context.fireErrorCaught(error)
    }

    /// Takes the channel off the selector: after a failure it reads on without being told.
    private func pause(_ channel: any Channel) {
        if isPaused { return }
        isPaused = true
        try? channel.syncOptions?.setOption(.autoRead, value: false)
        channel.eventLoop.assumeIsolated().scheduleTask(in: Self.pauseInterval) {
            self.isPaused = false
            try? channel.syncOptions?.setOption(.autoRead, value: true)
        }
    }
}

@available(*, unavailable)
extension AcceptGate: Sendable {}
