import ArgumentParser
import NIOCore
import NIOPosix

/// Answers every request as 360dialog answers an accepted send, after a fixed time, and does nothing else: the cheapest
/// API there can be. Prints its port.
struct AnswerServer: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "answer-server", shouldDisplay: false)
    @Option var delayMs: Int64 = 5

    func run() throws {
        Parent.watch()
        let delay = TimeAmount.milliseconds(delayMs)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let listener = try ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answerer(delay))
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        say("\(listener.localAddress?.port ?? 0)")
        try listener.closeFuture.wait()
    }

    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private static let body =
            #"{"messaging_product":"whatsapp","contacts":[{"input":"1","wa_id":"1"}],"messages":[{"id":"wamid.x"}]}"#
        private static let answer = ByteBuffer(
            string: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        private let delay: TimeAmount
        private var input = ByteBuffer()

        init(_ delay: TimeAmount) { self.delay = delay }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var bytes = unwrapInboundIn(data)
            if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
            while let length = HTTPMessage.length(of: input.readableBytesView), input.readableBytes >= length {
                input.moveReaderIndex(forwardBy: length)
                let channel = context.channel
                channel.eventLoop.scheduleTask(in: delay) { channel.writeAndFlush(Self.answer, promise: nil) }
            }
        }
    }
}
