import Testing
import WhatsApp

@testable import Ingress

@Suite struct ChannelChangeTests {
    private func channel(_ name: String, password: String) -> IngressChannel {
        IngressChannel(
            identity: .init(name: name, hosting: .cloud), authentication: .basic(user: "testuser", password: password))
    }

    @Test func newChannelsHoldFromTheNextRequestOnAndWhatIsInWorkEndsAsItBegan() async throws {
        let producer = TestProducer(.hold)
        try await withIngress(producer) { ingress in
            let storing = try await ingress.connect()
            try await storing.send(post(message("wamid.1")))
            try await eventually("it reaches the log") { producer.heldCount == 1 }
            let held = ingress.server.metrics.bytesInFlight
            let receiving = try await ingress.connect()
            let request = post(message("wamid.2"))
            try await receiving.send(Array(request.dropLast(10)))
            try await eventually("the second is admitted") { ingress.server.metrics.bytesInFlight > held }
            try ingress.server.replaceChannels(IngressChannels(named: [channel("new", password: "testpass")]))
            producer.set(.accept)
            producer.release()
            try await receiving.send(Array(request.suffix(10)))
            #expect(try await storing.response().status == 200)
            #expect(try await receiving.response().status == 200)
            // The same connection: its channel is gone, another one has come.
            try await storing.send(post(message("wamid.3")))
            #expect(try await storing.response().status == 401)
            try await storing.send(post(message("wamid.4"), to: "/webhooks/new"))
            #expect(try await storing.response().status == 200)
        }
    }

    @Test func channelsThatMakeNoSenseChangeNothing() async throws {
        try await withIngress(TestProducer()) { ingress in
            for channels in [[], [channel("shop", password: "")], [channel("a", password: "1"), channel("a", password: "2")]] {
                #expect(throws: IngressConfigurationError.self) {
                    try ingress.server.replaceChannels(IngressChannels(named: channels))
                }
            }
            try await ingress.expect(200, to: post(message("wamid.1")))
        }
    }
}
