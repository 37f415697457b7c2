import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// Answers every request as 360dialog answers an accepted send, after a fixed delay; the cheapest server at hand.
enum AnswerServer {
    static func run(delay: TimeAmount) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: false)
                    try channel.pipeline.syncOperations.addHandler(Answerer(delay))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        say("\(channel.localAddress?.port ?? 0)")
        try await channel.closeFuture.get()
    }

    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart

        private static let body = ByteBuffer(
            string: #"{"messaging_product":"whatsapp","contacts":[{"input":"1","wa_id":"1"}],"messages":[{"id":"wamid.x"}]}"#)
        private let delay: TimeAmount

        init(_ delay: TimeAmount) { self.delay = delay }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = unwrapInboundIn(data) else { return }
            let channel = context.channel
            channel.eventLoop.scheduleTask(in: delay) {
                let fields: HTTPHeaders = [
                    "Content-Type": "application/json", "Content-Length": "\(Self.body.readableBytes)",
                ]
                let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: fields)
                channel.write(HTTPServerResponsePart.head(head), promise: nil)
                channel.write(HTTPServerResponsePart.body(.byteBuffer(Self.body)), promise: nil)
                channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
            }
        }
    }
}
