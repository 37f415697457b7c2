import EventLog
import Logging
import ServiceLifecycle
import Testing
import WhatsApp

@testable import Ingress

@Suite struct LifecycleTests {
    @Test func aStopFinishesWhatIsInFlightAndTakesNothingNew() async throws {
        let producer = TestProducer(.hold)
        try await withIngress(producer) { ingress in
            let storing = try await ingress.connect()
            let receiving = try await ingress.connect()
            let idle = try await ingress.connect()
            try await idle.send(post("[]"))
            #expect(try await idle.response().status == 400)
            try await storing.send(post(message("wamid.1")))
            try await eventually("the first delivery reaches the log") { producer.heldCount == 1 }
            let held = ingress.server.metrics.bytesInFlight
            let request = post(message("wamid.2"))
            try await receiving.send(Array(request.dropLast(20)))
            try await eventually("the second is being received") { ingress.server.metrics.bytesInFlight > held }
            await ingress.services.triggerGracefulShutdown()
            try await idle.waitForEnd()
            await #expect(throws: (any Error).self) { try await ingress.connect() }
            #expect(!storing.hasBytes)
            try await receiving.send(Array(request.suffix(20)))
            try await eventually("the second delivery reaches the log") { producer.heldCount == 2 }
            producer.release()
            for client in [storing, receiving] {
                let response = try await client.response()
                #expect(response.status == 200)
                try await client.waitForEnd()
            }
        }
    }

    @Test func anAnnouncedStopIsSaidInEveryAnswer() async throws {
        try await withIngress(TestProducer()) { ingress in
            let client = try await ingress.connect()
            try await client.send(post(message("wamid.1")))
            #expect(try await client.response().headers["connection"] == nil)
            ingress.server.announceStop()
            try await client.send(post(message("wamid.2")))
            let last = try await client.response()
            #expect(last.status == 200)
            #expect(last.headers["connection"] == "close")
            try await client.waitForEnd()
            // Others are still taken, once each.
            let response = try await ingress.answer(to: post(message("wamid.3")))
            #expect(response.status == 200)
            #expect(response.headers["connection"] == "close")
        }
    }

    /// When the stop begins, the request may be on its way already.
    @Test(arguments: [false, true])
    func aRequestThatCrossesTheStopIsAnswered(asTheFirstOfItsConnection isFirst: Bool) async throws {
        try await withIngress(TestProducer(), configure: { $0.leaveTimeout = .seconds(9) }) { ingress in
            let client = try await ingress.connect()
            if !isFirst {
                try await client.send(post(message("wamid.1")))
                #expect(try await client.response().status == 200)
            }
            try await eventually("it is let in") { ingress.server.metrics.openConnections == 1 }
            await ingress.services.triggerGracefulShutdown()
            try await eventually("it does not listen any more") { ingress.server.readiness != .ready }
            try await client.send(post(message("wamid.2")))
            let response = try await client.response()
            #expect(response.status == 200)
            #expect(response.headers["connection"] == "close")
            try await client.waitForEnd()
        }
    }

    /// Who is not through by then is told so.
    @Test func aStopDoesNotWaitForEver() async throws {
        let producer = TestProducer(.hold)
        try await withIngress(producer, configure: { $0.shutdownTimeout = .seconds(1) }) { ingress in
            let storing = try await ingress.connect()
            try await storing.send(post(message("wamid.1")))
            try await eventually("it is in work") { producer.heldCount == 1 }
            let held = ingress.server.metrics.bytesInFlight
            let receiving = try await ingress.connect()
            try await receiving.send(Array(post(message("wamid.2")).dropLast(20)))
            try await eventually("the second is being received") { ingress.server.metrics.bytesInFlight > held }
            await ingress.services.triggerGracefulShutdown()
            for (client, status) in [(storing, 503), (receiving, 408)] {
                #expect(try await client.response().status == status)
                try await client.waitForEnd()
            }
        }
        // The log's word after the end meets nobody, and no loop.
        producer.release()
    }

    @Test func aPortInUseIsAnError() async throws {
        try await withIngress(TestProducer()) { ingress in
            let second = try TestIngress.makeServer(TestProducer(), configure: { $0.port = ingress.port })
            await #expect(throws: (any Error).self) { try await second.run() }
            await #expect(throws: (any Error).self) { try await second.port }
        }
    }

    @Test func severalLoopsServeAlike() async throws {
        let producer = TestProducer()
        try await withIngress(producer, configure: { $0.eventLoopCount = 3 }) { ingress in
            for number in 1...9 { try await ingress.expect(200, to: post(message("wamid.\(number)"))) }
        }
        #expect(producer.sent.count == 9)
    }

    @Test func settingsThatMakeNoSenseAreRefused() {
        let shop = IngressChannel(identity: .init(name: "shop", hosting: .cloud), authentication: TestIngress.shopLogin)
        func channel(_ name: String, _ authentication: WebhookAuthentication) -> IngressChannel {
            IngressChannel(identity: .init(name: name, hosting: .cloud), authentication: authentication)
        }
        let broken: [IngressConfiguration] =
            [
                [], [shop, shop], [channel("", .none)], [channel("a/b", .none)], [channel("a b", .none)],
                [channel("a", .basic(user: "", password: "p"))], [channel("a", .basic(user: "u", password: ""))],
                [channel("a", .basic(user: "u:v", password: "p"))], [channel("a", .header(name: "", value: "v"))],
                [channel("a", .header(name: "h", value: ""))], [channel("a", .signature(.meta, secret: ""))],
                [IngressChannel(identity: .init(name: "a", hosting: .cloud), authentication: [])],
                [IngressChannel(identity: .init(name: "a", hosting: .cloud), authentication: [.none, TestIngress.shopLogin])],
                [
                    IngressChannel(
                        identity: .init(name: "a", hosting: .cloud), authentication: [.none], verifyTokens: [""])
                ],
            ].map { IngressConfiguration(channels: $0) }
            + [
                { $0.port = 65_536 }, { $0.maxBodyBytes = 0 }, { $0.maxInFlightBytes = 1_000 },
                { $0.ackDeadline = .zero }, { $0.eventLoopCount = 0 },
                { $0.maxNesting = 129 },
            ].map { (change: (inout IngressConfiguration) -> Void) in
                var configuration = IngressConfiguration(channels: [shop])
                change(&configuration)
                return configuration
            }
        for configuration in broken {
            #expect(throws: IngressConfigurationError.self) {
                _ = try IngressServer(
                    configuration: configuration, producer: TestProducer(), topics: Topics(),
                    logger: Logger(label: "test"), now: { Timestamp(milliseconds: 0) })
            }
        }
    }
}
