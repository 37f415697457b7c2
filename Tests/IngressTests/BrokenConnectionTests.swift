import EventLog
import Logging
import Metrics
import NIOCore
import NIOEmbedded
import Testing
import WhatsApp

@testable import Ingress

/// A connection whose peer is gone is noticed when its answer is written, in the middle of answering.
@Suite struct BrokenConnectionTests {
    /// Closes as soon as somebody writes, as the socket of a peer that has reset it does.
    private final class BrokenSocket: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            promise?.fail(ChannelError.ioOnClosedChannel)
            context.close(promise: nil)
        }
    }

    @Test(arguments: [
        (post(message("wamid.1")), "stored"), (post("[]"), "refused after its body"),
        (post(message("wamid.1"), headers: ""), "refused before its body"), (Array("GET".utf8) + [0], "malformed"),
    ])
    func itsRequestIsCountedOnce(_ request: [UInt8], _ what: String) throws {
        let producer = TestProducer()
        var configuration = IngressConfiguration(
            channels: [
                IngressChannel(identity: .init(name: "shop", hosting: .cloud), authentication: TestIngress.shopLogin)
            ], account: nil)
        configuration.host = "127.0.0.1"
        let core = IngressCore(
            configuration, producer: producer, topics: Topics(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            metrics: NOOPMetricsHandler.instance, now: { Timestamp(seconds: 1_800_000_000) }, clock: { .now() })
        let channel = EmbeddedChannel()
        let connections = Connections(producer, on: channel.embeddedEventLoop, clock: { .now() })
        let acknowledgements = AcknowledgementQueue(connections, of: core, on: channel.embeddedEventLoop)
        let handler = WebhookHandler(core, connections, acknowledgements, isPlain: false)
        try channel.pipeline.syncOperations.addHandlers([BrokenSocket(), handler])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.writeInbound(ByteBuffer(bytes: request))
        channel.embeddedEventLoop.run()
        #expect(handler.state == .closed)
        #expect(core.metrics.requestsInFlight == 0)
        #expect(core.metrics.bytesInFlight == 0)
        #expect(core.metrics.openConnections == 0)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }
}
