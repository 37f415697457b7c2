import NIOCore
import NIOHTTP1

/// Answers `Expect: 100-continue` (RFC 9110, 10.1.1): a client that asks first sends its body when it is told to go on.
/// Who would be refused without a look at the body is told nothing, and gets the refusal.
final class ContinueHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// What is known before the body.
    struct Announcement {
        let authorization: String?
        let contentLength: Int?
    }

    private let isWelcome: @Sendable (Announcement) -> Bool

    init(_ isWelcome: @escaping @Sendable (Announcement) -> Bool) { self.isWelcome = isWelcome }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data), head.version == .http1_1, Self.asks(head),
            isWelcome(
                Announcement(
                    authorization: head.headers.first(name: "authorization"),
                    contentLength: head.headers.first(name: "content-length").flatMap { Int($0) }))
        {
            let go = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(go)), promise: nil)
        }
        context.fireChannelRead(data)
    }

    private static func asks(_ head: HTTPRequestHead) -> Bool {
        head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
    }

    /// Puts itself behind the decoder of a channel that speaks HTTP/1.1 already.
    func join(_ channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
        try pipeline.addHandler(self, position: .after(decoder))
    }
}

@available(*, unavailable)
extension ContinueHandler: Sendable {}
