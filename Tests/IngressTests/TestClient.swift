import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Testing

/// A TCP client that sends exactly the bytes it is given and shows exactly what came back.
final class TestClient: Sendable {
    struct Response: Sendable, Equatable {
        var status: Int
        var headers: [String: String]
        var body: String
    }

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
    static func connect(_ port: Int, tls: NIOSSLContext? = nil) async throws -> TestClient {
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
        return TestClient(inbox, channel)
    }

    func send(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }
    func send(_ text: String) async throws { try await send(Array(text.utf8)) }
    /// Sends without waiting: the peer may stop reading.
    func post(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    /// Closes our side without waiting.
    func halfClose() { channel.close(mode: .output, promise: nil) }
    func closeOutput() async throws { try await channel.close(mode: .output) }
    /// Stops reading, so that the peer's answers pile up.
    func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }
    func close() async throws { try await channel.close() }

    var wasReset: Bool { inbox.state.withLock { $0.wasReset } }
    var isClosedByPeer: Bool { inbox.state.withLock { $0.isClosed } }
    var hasBytes: Bool { inbox.state.withLock { !$0.bytes.isEmpty } }

    /// Waits until the server has closed its side and nothing is left to read.
    func waitForEnd(_ what: @autoclosure () -> String = "") async throws {
        try await eventually("the server closes the connection \(what())") { self.isClosedByPeer }
    }

    /// The next answer. To HEAD there is no body, whatever the headers say.
    func response(toHead: Bool = false) async throws -> Response {
        try await value("an answer arrives") {
            self.inbox.state.withLock { state in
                guard let (response, length) = Self.parse(state.bytes, toHead: toHead) else { return nil }
                state.bytes.removeFirst(length)
                return response
            }
        }
    }

    private static func parse(_ bytes: [UInt8], toHead: Bool) -> (Response, Int)? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        let status = Int(lines[0].split(separator: " ")[1]) ?? 0
        let length = toHead || status == 100 ? 0 : Int(headers["content-length"] ?? "0") ?? 0
        let bodyStart = text.utf8.distance(from: text.startIndex, to: end.upperBound)
        guard bytes.count >= bodyStart + length else { return nil }
        let body = String(decoding: bytes[bodyStart..<bodyStart + length], as: UTF8.self)
        return (Response(status: status, headers: headers, body: body), bodyStart + length)
    }
}

/// Waits until `produce` gives a value. The limit only ends a test that would otherwise hang.
func value<T>(
    _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ produce: () throws -> T?
) async throws -> T {
    let clock = ContinuousClock()
    let limit = clock.now + .seconds(30)
    while clock.now < limit {
        if let found = try produce() { return found }
        try await Task.sleep(for: .milliseconds(1))
    }
    Issue.record(what, sourceLocation: sourceLocation)
    throw CancellationError()
}

func eventually(
    _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool
) async throws {
    _ = try await value(what, sourceLocation: sourceLocation) { condition() ? true : nil }
}
