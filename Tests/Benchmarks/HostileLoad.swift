import EventLogTesting
import Foundation
import NIOCore
import NIOPosix

/// Bad senders by the hundred, on a thread of their own: each is a connection that misbehaves in its way and is made anew
/// when the server has got rid of it.
final class HostileLoad {
    /// How a sender misbehaves: what it sends at once, what then once a second, and how it ends.
    struct Sender {
        var opening: [UInt8]
        var drip: [UInt8] = []
        var end = End.staysOpen

        enum End { case staysOpen, closesItsSide, resets }
    }

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let crowd: NIOLoopBound<HostileCrowd>

    /// - Parameter each: connections of each kind.
    init(port: Int, senders: [Sender], each: Int) throws {
        let (group, loop) = (group, group.next())
        crowd = try loop.submit { NIOLoopBound(HostileCrowd(port: port, group, loop), eventLoop: loop) }.wait()
        for sender in senders {
            for _ in 0..<each { try loop.submit { [crowd] in crowd.value.connect(sender) }.wait() }
        }
    }

    /// Ends all connections; answers how many there were in all.
    func stop() throws -> Int {
        let made = try group.next().submit { [crowd] in crowd.value.stop() }.wait()
        try group.syncShutdownGracefully()
        return made
    }
}

extension HostileLoad.Sender {
    private static let credentials = "Authorization: Basic d2FiYTpzZWNyZXQ=\r\n"

    private static func head(_ rest: String) -> [UInt8] {
        Array("POST /webhooks/bench HTTP/1.1\r\nHost: 127.0.0.1\r\n\(rest)".utf8)
    }

    private static func body(of length: Int, sending sent: Int, credentials: String = credentials) -> [UInt8] {
        head("\(credentials)Content-Length: \(length)\r\n\r\n") + [UInt8](repeating: .init(ascii: " "), count: sent)
    }

    /// Strangers and known senders, slow, silent, too large, broken off or talking nonsense.
    static var mixed: [Self] {
        var random = SeededGenerator(seed: 9_112)
        return [
            Self(opening: []),
            Self(opening: head("X-Slow: "), drip: [0x61]),
            Self(opening: body(of: 600, sending: 0), drip: [0x20]),
            Self(opening: body(of: 600, sending: 0, credentials: ""), drip: [0x20]),
            Self(opening: head("\(credentials)Transfer-Encoding: chunked\r\n\r\n"), drip: Array("1\r\n \r\n".utf8)),
            Self(opening: body(of: 50_000, sending: 40_000)),
            Self(opening: body(of: 600, sending: 300), end: .closesItsSide),
            Self(opening: body(of: 600, sending: 300), end: .resets),
            Self(opening: body(of: 10_000_000, sending: 300_000)),
            Self(opening: body(of: 200_000, sending: 200_000, credentials: "")),
            Self(opening: [UInt8](repeating: 0x61, count: 100_000)),
            Self(opening: (0..<1_000).map { _ in UInt8.random(in: 0...255, using: &random) }),
        ]
    }

    /// Known senders of large bodies that never end: they fill the in-flight limit.
    static var filling: [Self] { [Self(opening: body(of: 1_000_000, sending: 999_999))] }
}

/// The connections, on their event loop alone.
private final class HostileCrowd {
    private let port: Int
    private let group: MultiThreadedEventLoopGroup
    private let loop: any EventLoop
    private var isRunning = true
    private var open: [ObjectIdentifier: any Channel] = [:]
    private var made = 0

    init(port: Int, _ group: MultiThreadedEventLoopGroup, _ loop: any EventLoop) {
        (self.port, self.group, self.loop) = (port, group, loop)
    }

    func connect(_ sender: HostileLoad.Sender) {
        guard isRunning else { return }
        made += 1
        let crowd = NIOLoopBound(self, eventLoop: loop)
        ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(HostileConnection(sender))
                }
            }
            .connect(host: "127.0.0.1", port: port)
            .whenComplete { crowd.value.watch($0, sender) }
    }

    private func watch(_ result: Result<any Channel, any Error>, _ sender: HostileLoad.Sender) {
        guard case .success(let channel) = result else { return connectLater(sender) }
        let (id, crowd) = (ObjectIdentifier(channel), NIOLoopBound(self, eventLoop: loop))
        open[id] = channel
        channel.closeFuture.whenComplete { _ in
            crowd.value.open[id] = nil
            crowd.value.connectLater(sender)
        }
        if !isRunning { channel.close(promise: nil) }
    }

    /// Within a second, not all at once.
    private func connectLater(_ sender: HostileLoad.Sender) {
        guard isRunning else { return }
        let crowd = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: .milliseconds(.random(in: 500...1_500))) { crowd.value.connect(sender) }
    }

    func stop() -> Int {
        isRunning = false
        for channel in open.values { channel.close(promise: nil) }
        return made
    }
}

private final class HostileConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let sender: HostileLoad.Sender

    init(_ sender: HostileLoad.Sender) { self.sender = sender }

    func channelActive(context: ChannelHandlerContext) {
        let bytes = wrapOutboundOut(ByteBuffer(bytes: sender.opening))
        switch sender.end {
        case .staysOpen:
            context.writeAndFlush(bytes, promise: nil)
            if !sender.drip.isEmpty { drip(context) }
        case .closesItsSide:
            context.writeAndFlush(bytes, promise: nil)
            context.close(mode: .output, promise: nil)
        case .resets:
            // A close that does not linger is a reset (socket(7), SO_LINGER).
            _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            context.writeAndFlush(bytes).assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        }
    }

    private func drip(_ context: ChannelHandlerContext) {
        context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) {
            guard context.channel.isActive else { return }
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: self.sender.drip)), promise: nil)
            self.drip(context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
