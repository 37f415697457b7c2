import ArgumentParser
import Foundation
import KafkaLog
import NIOCore
import NIOPosix

/// The limit: SwiftNIO reads a request, finds its end, answers 200 and does nothing else.
struct LimitServer: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "limit-server", shouldDisplay: false)
    @Option var port: Int

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private static let ok = ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        private var input = ByteBuffer()

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var bytes = unwrapInboundIn(data)
            if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
            while let length = HTTPMessage.length(of: input.readableBytesView), input.readableBytes >= length {
                input.moveReaderIndex(forwardBy: length)
                context.writeAndFlush(wrapOutboundOut(Self.ok), promise: nil)
            }
            if input.readableBytes == 0 { input = ByteBuffer() }
        }
    }

    func run() throws {
        Parent.watch()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let listener = try ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4_096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler()) }
            }
            .bind(host: "127.0.0.1", port: port).wait()
        try listener.closeFuture.wait()
    }
}

/// librdkafka's mock broker in a process of its own; prints where it listens.
struct Broker: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "broker", shouldDisplay: false)

    func run() throws {
        Parent.watch()
        let kafka = try MockKafka(brokers: 1)
        say(kafka.bootstrap)
        withExtendedLifetime(kafka) { while true { sleep(3_600) } }
    }
}

/// As much of HTTP as a load generator and the limit need: both know who they are talking to.
enum HTTPMessage {
    /// Bytes of the message at the front; nil while its head is incomplete.
    static func length(of bytes: ByteBufferView) -> Int? {
        let lengthName = Array("content-length:".utf8)
        var line = bytes.startIndex
        var body = 0
        while let end = bytes[line...].firstIndex(of: UInt8(ascii: "\n")) {
            if end - line <= 1 { return end + 1 - bytes.startIndex + body }
            let start = bytes[line..<end].prefix(lengthName.count)
            if start.count == lengthName.count, zip(start, lengthName).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) {
                body = bytes[(line + lengthName.count)..<end].reduce(0) { sum, byte in
                    byte &- 0x30 < 10 ? sum * 10 + Int(byte &- 0x30) : sum
                }
            }
            line = end + 1
        }
        return nil
    }
}
