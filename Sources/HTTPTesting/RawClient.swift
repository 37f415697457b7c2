import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A TCP client that sends exactly the bytes it is given and shows exactly what came back.
public final class RawClient: Sendable {
    /// What has arrived and was not taken yet. Filled on the event loop, emptied by the test.
    private final class Inbox: Sendable {
        struct State {
            var bytes: [UInt8] = []
            var isClosed = false
            var wasReset = false
        }
        let state = Mutex(State())
    }

    private final class Reader: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let inbox: Inbox
        init(_ inbox: Inbox) { self.inbox = inbox }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            inbox.state.withLock { $0.bytes.append(contentsOf: bytes.readableBytesView) }
        }
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .inputClosed? = event as? ChannelEvent { inbox.state.withLock { $0.isClosed = true } }
        }
        func channelInactive(context: ChannelHandlerContext) { inbox.state.withLock { $0.isClosed = true } }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            inbox.state.withLock { $0.wasReset = true }
            context.close(promise: nil)
        }
    }

    private let inbox: Inbox
    private let channel: any Channel

    private init(_ inbox: Inbox, _ channel: any Channel) {
        self.inbox = inbox
        self.channel = channel
    }

    /// - Parameter tls: speaks TLS with this context; a failed handshake shows as a reset.
    /// The name it asks for is `hooks.example`.
    public static func connect(_ port: Int, tls: NIOSSLContext? = nil) async throws -> RawClient {
        let inbox = Inbox()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        let handler = try NIOSSLClientHandler(context: tls, serverHostname: "hooks.example")
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    try channel.pipeline.syncOperations.addHandler(Reader(inbox))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawClient(inbox, channel)
    }

    public func send(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }
    public func send(_ text: String) async throws { try await send(Array(text.utf8)) }
    /// Sends without waiting: the peer may stop reading.
    public func post(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    /// Closes our side without waiting.
    public func halfClose() { channel.close(mode: .output, promise: nil) }
    public func closeOutput() async throws { try await channel.close(mode: .output) }
    /// Stops reading, so that the peer's answers pile up.
    public func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }
    public func startReading() async throws { try await channel.setOption(.autoRead, value: true).get() }
    public func close() async throws { try await channel.close() }

    public var wasReset: Bool { inbox.state.withLock { $0.wasReset } }
    public var isClosedByPeer: Bool { inbox.state.withLock { $0.isClosed } }
    public var hasBytes: Bool { inbox.state.withLock { !$0.bytes.isEmpty } }

    /// Takes off the front of what has arrived, when `parse` finds something whole there.
    public func take<Value>(_ parse: ([UInt8]) -> (value: Value, length: Int)?) -> Value? {
        inbox.state.withLock { state in
            guard let (value, length) = parse(state.bytes) else { return nil }
            state.bytes.removeFirst(length)
            return value
        }
    }
}
