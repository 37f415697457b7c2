import Foundation
import NIOCore
import NIOPosix

/// Sends webhooks as fast as they are answered (closed loop) or at a constant rate (open loop) and times the answers.
///
/// In the open loop latency counts from the moment a request was due, so a server that stalls is charged for all that
/// queued up behind the stall.
struct LoadGenerator {
    var port: Int
    var path: String
    var bodies: [String]

    func closedLoop(connections: Int, seconds: Double) throws -> Measured {
        try run(connections: connections, rate: nil, seconds: seconds)
    }

    func openLoop(rate: Double, connections: Int, seconds: Double) throws -> Measured {
        try run(connections: connections, rate: rate, seconds: seconds)
    }

    private func run(connections: Int, rate: Double?, seconds: Double) throws -> Measured {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { try? group.syncShutdownGracefully() }
        let loop = group.next()
        let requests = bodies.map { body in
            ByteBuffer(
                string: "POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic d2FiYTpzZWNyZXQ=\r\n"
                    + "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
        let run = try loop.submit { NIOLoopBound(LoadRun(requests, loop, rate), eventLoop: loop) }.wait()
        for _ in 0..<connections {
            _ = try ClientBootstrap(group: group)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(LoadConnection(run.value))
                    }
                }
                .connect(host: "127.0.0.1", port: port).wait()
        }
        try loop.submit { run.value.start() }.wait()
        usleep(UInt32(seconds * 1e6))
        return try loop.submit { run.value.stop() }.wait()
    }
}

/// One run, on its event loop alone.
private final class LoadRun {
    private let requests: [ByteBuffer]
    private let loop: any EventLoop
    private let rate: Double?
    private var idle: [LoadConnection] = []
    private var next = 0
    private var started = NIODeadline.now()
    private var due = CircularBuffer<NIODeadline>()
    private var dueCount = 0
    private var isRunning = false
    private var latencies: [UInt32] = []
    private var errors = 0

    init(_ requests: [ByteBuffer], _ loop: any EventLoop, _ rate: Double?) {
        self.requests = requests
        self.loop = loop
        self.rate = rate
        latencies.reserveCapacity(1 << 20)
    }

    func start() {
        isRunning = true
        started = .now()
        if rate == nil { for connection in idle { send(connection, .now()) } } else { tick() }
    }

    func stop() -> Measured {
        isRunning = false
        let seconds = Double((NIODeadline.now() - started).nanoseconds) / 1e9
        let sorted = latencies.sorted()
        func percentile(_ share: Double) -> Double {
            sorted.isEmpty ? 0 : Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) / 1_000
        }
        return Measured(
            requests: Double(sorted.count), requestsPerSecond: Double(sorted.count) / seconds, p50: percentile(0.5), p99: percentile(0.99),
            p999: percentile(0.999), errors: errors + due.count)
    }

    /// Sends what is due; once a millisecond.
    private func tick() {
        guard isRunning, let rate else { return }
        let now = NIODeadline.now()
        while true {
            let moment = started + .nanoseconds(Int64(Double(dueCount) / rate * 1e9))
            if moment > now { break }
            dueCount += 1
            due.append(moment)
        }
        while !due.isEmpty, let connection = idle.popLast() { send(connection, due.removeFirst()) }
        loop.assumeIsolated().scheduleTask(in: .milliseconds(1)) { self.tick() }
    }

    func ready(_ connection: LoadConnection) { idle.append(connection) }

    func answered(_ connection: LoadConnection, status: Int, sentAt: NIODeadline) {
        guard isRunning else { return }
        if status != 200 { errors += 1 }
        latencies.append(UInt32(clamping: (NIODeadline.now() - sentAt).nanoseconds / 1_000))
        if rate == nil {
            send(connection, .now())
        } else if due.isEmpty {
            idle.append(connection)
        } else {
            send(connection, due.removeFirst())
        }
    }

    func failed() { if isRunning { errors += 1 } }

    private func send(_ connection: LoadConnection, _ moment: NIODeadline) {
        next = (next + 1) % requests.count
        connection.send(requests[next], moment)
    }
}

private final class LoadConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let run: LoadRun
    private var context: ChannelHandlerContext?
    private var input = ByteBuffer()
    private var sentAt = NIODeadline.now()

    init(_ run: LoadRun) { self.run = run }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        run.ready(self)
    }
    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        run.failed()
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func send(_ request: ByteBuffer, _ moment: NIODeadline) {
        sentAt = moment
        context?.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
        guard let length = HTTPMessage.length(of: input.readableBytesView), input.readableBytes >= length else { return }
        // "HTTP/1.1 200": three digits from the ninth byte on.
        let status = input.getString(at: input.readerIndex + 9, length: 3).flatMap { Int($0) } ?? 0
        input.moveReaderIndex(forwardBy: length)
        run.answered(self, status: status, sentAt: sentAt)
    }
}
