import EventLog
import EventLogTesting
import Foundation
import Logging
import Metrics
import NIOCore
import NIOPosix
import Testing
import WhatsApp

@testable import Ingress

@Suite struct DescriptorTests {
    @Test(arguments: [
        (4_096, 1 << 20, 50, 4_096), (4_096, 4_096, 50, 3_368), (4_096, 1_024, 50, 638), (100, 64, 20, 12), (100, 16, 20, 1),
        (5, 64, 20, 5),
    ])
    func connectionsAreHeldToWhatTheProcessMayOpen(_ wanted: Int, _ limit: Int, _ used: Int, _ held: Int) {
        var configuration = IngressConfiguration(channels: [])
        configuration.maxConnections = wanted
        #expect(configuration.holdConnections(toOpenFiles: limit, used: used) == (held == wanted))
        #expect(configuration.maxConnections == held)
        // All of them, those that are told 503, and the others have a descriptor.
        if held > 1 { #expect(held + AcceptGate.surplus(beyond: held) + used + min(256, limit / 4) <= limit) }
    }

    /// The kernel says again and again that somebody waits, and each time that there is no descriptor.
    @Test func withoutADescriptorAcceptingPausesAndGoesOn() async throws {
        let logs = RecordedLog()
        let core = IngressCore(
            IngressConfiguration(channels: []), producer: TestProducer(), topics: Topics(),
            logger: Logger(label: "test") { _ in logs }, metrics: NOOPMetricsHandler.instance,
            now: { Timestamp(milliseconds: 0) }, clock: { .now() })
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = try await ServerBootstrap(group: group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(AcceptGate(core)) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        for _ in 1...3 {
            let isReading = try await listener.eventLoop.submit {
                listener.pipeline.fireErrorCaught(IOError(errnoCode: EMFILE, reason: "accept"))
                return try listener.syncOptions?.getOption(.autoRead)
            }.get()
            #expect(isReading == false)
            // Again after a while, or the test hangs.
            while try await !listener.getOption(.autoRead).get() {}
        }
        let client = try await TestClient.connect(try #require(listener.localAddress?.port))
        try await client.close()
        #expect(logs.lines.count { $0.contains("no resources") } == 1)
        // What is no lack of resources is no reason to wait.
        let goesOn = try await listener.eventLoop.submit {
            listener.pipeline.fireErrorCaught(IOError(errnoCode: ECONNABORTED, reason: "accept"))
            return try listener.syncOptions?.getOption(.autoRead)
        }.get()
        #expect(goesOn == true)
        try await listener.close()
    }
}
