import EventLog
import Testing
import WhatsApp

@testable import Ingress

@Suite struct RawTests {
    private static let topics = Topics()
    private static func channels(keepsRaw: Bool) -> [IngressChannel] {
        ["shop", "other"].map {
            IngressChannel(
                identity: .init(name: $0, hosting: .cloud, wabaID: "900", phoneNumberID: "700"),
                authentication: [TestIngress.shopLogin], keepsRaw: keepsRaw)
        }
    }

    @Test func theWholeBodyGoesWithItsRecordsToTheRawTopic() async throws {
        let producer = TestProducer()
        let body = Array("\u{FEFF} \(message("wamid.1"))\r\n".utf8)
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        try await withIngress(producer, configure: { $0.channels.named = Self.channels(keepsRaw: true) }) { ingress in
            let headers = TestIngress.shopHeader + "traceparent: \(trace)\r\n"
            try await ingress.expect(200, to: post(body, headers: headers))
            try await ingress.expect(
                200, to: post(deflated(body, .gzip), headers: headers + "Content-Encoding: gzip\r\n"))
            try await ingress.expect(200, to: post(body, to: "/webhooks/other"))
            // Nothing of a body that is not taken is kept.
            try await ingress.expect(400, to: post("[]"))
            #expect(ingress.server.metrics.received(.messages) == 3)
            #expect(ingress.server.metrics.received(.other) == 0)
            #expect(ingress.server.metrics.bytesInFlight == 0)
        }
        // One call, so one answer for all: the 200 stands for the raw record too.
        #expect(producer.sent.count == 3)
        #expect(producer.sent.allSatisfy { $0.map(\.topic) == [Self.topics.messages, Self.topics.raw] })
        let raw = producer.sent.map { $0[1] }
        #expect(raw.allSatisfy { $0.value == body })
        let events = try raw.map { try CloudEvent($0.headers) }
        #expect(events[0].type == EventType.deliveryReceived.rawValue)
        #expect(events[0].source == "/360dialog/900/700")
        #expect(events[0].traceparent == trace)
        #expect(events[0].recordedTime == Timestamp(seconds: 1_800_000_000))
        #expect(raw[0].key == Array(events[0].id.utf8))
        // A redelivery, even if compressed, is a copy; what came in through another channel is not.
        #expect(events[1].id == events[0].id)
        #expect(events[2].id != events[0].id)
    }

    @Test func aDeliveryIsNotAnsweredBeforeItsRawRecordIsDurable() async throws {
        let producer = TestProducer(.fail(.storage))
        try await withIngress(producer, configure: { $0.channels.named = Self.channels(keepsRaw: true) }) { ingress in
            try await ingress.expect(503, to: post(message("wamid.1")))
        }
        #expect(producer.sent.first?.count == 2)
    }

    @Test func itIsOffUnlessAskedFor() async throws {
        let producer = TestProducer()
        try await withIngress(producer, configure: { $0.channels.named = Self.channels(keepsRaw: false) }) { ingress in
            try await ingress.expect(200, to: post(message("wamid.1")))
        }
        #expect(producer.sent.first?.map(\.topic) == [Self.topics.messages])
    }
}
