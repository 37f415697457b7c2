import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import Synchronization

/// A real HTTP server on 127.0.0.1 for tests, in plain HTTP/1.1 or over TLS, then with HTTP/2 if it is offered: it notes every request and behaves, or misbehaves, as told.
public final class LocalServer: Sendable {
    public struct Request: Sendable {
        public var method: String
        public var path: String
        public var headers: [(name: String, value: String)]
        public var body: [UInt8]
        /// Which connection it came over, counted from 0.
        public var connection: Int
        public var isHTTP2: Bool

        public func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }
    }

    public enum Reply: Sendable {
        case answer(status: Int = 200, headers: [(String, String)] = [], body: [UInt8] = [])
        /// No answer until `release()`, which answers 200 with an empty body.
        case hold
        /// The connection is closed without an answer.
        case close
        /// An answer that ends before its announced length.
        case truncate
    }

    private struct State {
        var requests: [Request] = []
        var connections = 0
        var open = 0
        var held: [any Channel] = []
        var mostHeld = 0
    }

    private let state = Mutex(State())
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let listener: Mutex<(any Channel)?> = Mutex(nil)
    private let connectionChannels = Mutex<[ObjectIdentifier: any Channel]>([:])
    private let tls: NIOSSLContext?
    private let reply: @Sendable (Request) -> Reply

    /// `reply` is asked once per request, on the server's thread.
    public init(
        tls: NIOSSLContext? = nil, _ reply: @escaping @Sendable (Request) -> Reply = { _ in .answer() }
    ) async throws {
        self.tls = tls
        self.reply = reply
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [self] channel in prepare(channel) }
            .bind(host: "127.0.0.1", port: 0).get()
        listener.withLock { $0 = channel }
    }

    private func prepare(_ channel: any Channel) -> EventLoopFuture<Void> {
        let connection = opened(channel)
        guard let tls else {
            return channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: false)
                try channel.pipeline.syncOperations.addHandler(RequestHandler(self, connection))
            }
        }
        return channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
        }.flatMap {
            // One call for each stream of HTTP/2, or for the connection of HTTP/1.1.
            channel.configureCommonHTTPServerPipeline { stream in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandler(RequestHandler(self, connection))
                }
            }
        }
    }

    public var port: Int { listener.withLock { $0?.localAddress?.port } ?? 0 }
    public var url: String { "\(tls == nil ? "http" : "https")://127.0.0.1:\(port)" }
    public var requests: [Request] { state.withLock { $0.requests } }
    /// Connections ever made.
    public var connections: Int { state.withLock { $0.connections } }
    /// Connections open now.
    public var openConnections: Int { state.withLock { $0.open } }
    public var held: Int { state.withLock { $0.held.count } }
    /// The most requests ever held at once.
    public var mostHeld: Int { state.withLock { $0.mostHeld } }

    /// Answers every held request.
    public func release() {
        let held = state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for channel in held { Self.write(.answer(), to: channel) }
    }

    public func stop() async throws {
        let channel = listener.withLock { listener in
            defer { listener = nil }
            return listener
        }
        try await channel?.close()
        try await group.shutdownGracefully()
    }

    /// Waits until `condition` holds; false when it does not within 20 s.
    public static func eventually(_ condition: @Sendable () -> Bool) async -> Bool {
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(20)
        while clock.now < deadline {
            if condition() { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return condition()
    }

    /// Closes every connection in the middle of whatever it does.
    public func cutConnections() {
        for channel in connectionChannels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }

    private func opened(_ channel: any Channel) -> Int {
        connectionChannels.withLock { $0[ObjectIdentifier(channel)] = channel }
        channel.closeFuture.whenComplete { [self] _ in
            connectionChannels.withLock { $0[ObjectIdentifier(channel)] = nil }
            state.withLock { $0.open -= 1 }
        }
        return state.withLock { state in
            state.open += 1
            defer { state.connections += 1 }
            return state.connections
        }
    }

    fileprivate func ended(_ channel: any Channel) {
        state.withLock { state in state.held.removeAll { $0 === channel } }
    }

    fileprivate func received(_ request: Request, on channel: any Channel) {
        state.withLock { $0.requests.append(request) }
        let reply = reply(request)
        if case .hold = reply {
            state.withLock { state in
                state.held.append(channel)
                state.mostHeld = max(state.mostHeld, state.held.count)
            }
        } else {
            Self.write(reply, to: channel)
        }
    }

    private static func write(_ reply: Reply, to channel: any Channel) {
        switch reply {
        case .hold: break
        case .close: channel.close(promise: nil)
        case .truncate:
            write(status: 200, [("Content-Length", "100")], Array("{\"mess".utf8), to: channel)
            channel.flush()
            channel.close(promise: nil)
        case .answer(let status, let headers, let body):
            let fields = headers + [("Content-Length", String(body.count))]
            write(status: status, fields, body, to: channel)
            channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
        }
    }

    private static func write(status: Int, _ headers: [(String, String)], _ body: [UInt8], to channel: any Channel) {
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: HTTPHeaders(headers))
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
    }
}

/// The requests of one connection, or of one stream, gathered and handed to the server.
private final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart

    private let server: LocalServer
    private let connection: Int
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(_ server: LocalServer, _ connection: Int) {
        self.server = server
        self.connection = connection
    }

    func channelInactive(context: ChannelHandlerContext) {
        server.ended(context.channel)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
        case .body(let bytes):
            body.append(contentsOf: bytes.readableBytesView)
        case .end:
            guard let head else { return }
            let headers = head.headers.map { (name: $0.name, value: $0.value) }
            server.received(
                LocalServer.Request(
                    method: head.method.rawValue, path: head.uri, headers: headers, body: body, connection: connection,
                    isHTTP2: head.version == .http2),
                on: context.channel)
        }
    }
}

@available(*, unavailable)
extension RequestHandler: Sendable {}
