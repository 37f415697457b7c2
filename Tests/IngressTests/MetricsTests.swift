import EventLog
import NIOCore
import Telemetry
import Testing

@testable import Ingress

@Suite struct MetricsTests {
    @Test func everyAnswerIsCountedAndTimed() async throws {
        let registry = PrometheusRegistry()
        try await withIngress(TestProducer(), metrics: registry) { ingress in
            try await ingress.expect(200, to: post(message("wamid.1")))
            try await ingress.expect(200, to: post(message("wamid.2")))
            try await ingress.expect(400, to: post("[]"))
            try await ingress.expect(401, to: post(message("wamid.3"), headers: ""))
            try await ingress.expect(405, to: Array("GET /webhooks/shop HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            #expect(registry.value(of: IngressMetric.requestDuration, "200") == 2)
            #expect(registry.value(of: IngressMetric.requestDuration, "400") == 1)
            #expect(registry.value(of: IngressMetric.rejected, "invalid_json") == 1)
            #expect(registry.value(of: IngressMetric.rejected, "unauthorized") == 1)
            #expect(registry.value(of: IngressMetric.rejected, "method_not_allowed") == 1)
            #expect(registry.value(of: IngressMetric.rejected, "overloaded") == 0)
            #expect(registry.value(of: IngressMetric.received, "messages") == 2)
            #expect(registry.value(of: IngressMetric.produceDuration, "send", "") == 2)
        }
    }

    @Test func ageIsFromWhatsAppsTimeToTheArrival() async throws {
        let registry = PrometheusRegistry()
        // The test server's clock stands at 1,800,000,000.
        try await withIngress(TestProducer(), metrics: registry) { ingress in
            let body = message("wamid.1").replacing("1790000007", with: "1799999993")
            try await ingress.expect(200, to: post(body))
            #expect(registry.value(of: IngressMetric.age, "messages") == 1)
            #expect(registry.text().contains("whatsapp_event_age_seconds_sum{kind=\"messages\"} 7.0\n"))
            // As old as it says, though the log would drop a record of that time at once.
            let old = message("wamid.2").replacing("1790000007", with: "\(1_800_000_000 - 30 * 86_400)")
            try await ingress.expect(200, to: post(old))
            #expect(registry.text().contains("whatsapp_event_age_seconds_sum{kind=\"messages\"} 2592007.0\n"))
            // Unreadable, or a year ahead.
            for time in ["soon", "1830000000"] {
                let body = message("wamid.3").replacing("1790000007", with: time)
                try await ingress.expect(200, to: post(body))
            }
            #expect(registry.value(of: IngressMetric.age, "messages") == 2)
            // A clock that is ahead: no age, and none below zero.
            try await ingress.expect(200, to: post(message("wamid.4").replacing("1790000007", with: "1800003600")))
            #expect(registry.value(of: IngressMetric.age, "messages") == 3)
            #expect(registry.text().contains("whatsapp_event_age_seconds_sum{kind=\"messages\"} 2592007.0\n"))
        }
    }

    @Test func whatWaitsForTheLogIsShown() async throws {
        let registry = PrometheusRegistry()
        let producer = TestProducer(.hold)
        try await withIngress(producer, metrics: registry) { ingress in
            let client = try await ingress.connect()
            try await client.send(post(message("wamid.1")))
            try await eventually("it is in work") { producer.heldCount == 1 }
            #expect(registry.value(of: IngressMetric.requestsInFlight) == 1)
            #expect(registry.value(of: IngressMetric.openConnections) == 1)
            #expect(registry.value(of: IngressMetric.bytesInFlight) ?? 0 > 100)
            #expect(registry.value(of: IngressMetric.bytesInFlightLimit) == 67_108_864)
            producer.release()
            #expect(try await client.response().status == 200)
            #expect(registry.value(of: IngressMetric.requestsInFlight) == 0)
            #expect(registry.value(of: IngressMetric.bytesInFlight) == 0)
        }
    }

    @Test func nothingOfARequestIsInTheMetrics() async throws {
        let registry = PrometheusRegistry()
        try await withIngress(TestProducer(.fail(.unavailable)), metrics: registry) { ingress in
            try await ingress.expect(503, to: post(message("wamid.secret", from: "15550001111", text: "private")))
            try await ingress.expect(401, to: post(message("wamid.secret"), to: "/webhooks/private-name"))
            let text = registry.text()
            for word in ["wamid", "15550001111", "private", "shop", "testuser", "700"] {
                #expect(!text.contains(word), "\(word)")
            }
            #expect(registry.value(of: IngressMetric.produceDuration, "send", "unavailable") == 1)
            #expect(registry.value(of: IngressMetric.received, "messages") == 0)
        }
    }
}

@Suite struct ReadinessTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private func at(_ seconds: Int64) -> NIODeadline { start + .seconds(seconds) }

    @Test func aLogThatIsSilentForAsLongAsASenderWaitsIsNotReady() {
        let health = ProducerHealth(patience: .seconds(3))
        #expect(health.readiness(at: at(0)) == .ready)
        health.sent(at: at(0))
        health.sent(at: at(2))
        #expect(health.readiness(at: at(3)) == .ready)
        #expect(health.readiness(at: at(4)) == .notReady("the log is silent"))
        health.answered(isFailure: false, at: at(5))
        #expect(health.readiness(at: at(6)) == .ready, "one is answered, the other may be next")
        #expect(health.readiness(at: at(9)) == .notReady("the log is silent"))
        health.answered(isFailure: false, at: at(10))
        #expect(health.readiness(at: at(1_000)) == .ready, "nothing waits")
    }

    @Test func anIdleTimeBeforeADeliveryDoesNotCount() {
        let health = ProducerHealth(patience: .seconds(3))
        health.sent(at: at(0))
        health.answered(isFailure: false, at: at(1))
        health.sent(at: at(100))
        #expect(health.readiness(at: at(102)) == .ready)
    }

    @Test func aLogThatRefusesIsNotReadyUntilItTakesOneOrMayBeTriedAgain() {
        let health = ProducerHealth(patience: .seconds(3))
        func deliver(fails: Bool, _ second: Int64) {
            health.sent(at: at(second))
            health.answered(isFailure: fails, at: at(second))
        }
        deliver(fails: true, 0)
        deliver(fails: true, 1)
        #expect(health.readiness(at: at(1)) == .ready, "two may be chance")
        deliver(fails: true, 2)
        #expect(health.readiness(at: at(2)) == .notReady("the log refuses"))
        #expect(health.readiness(at: at(12)) == .notReady("the log refuses"))
        #expect(health.readiness(at: at(13)) == .ready, "senders may try again")
        deliver(fails: true, 13)
        #expect(health.readiness(at: at(13)) == .notReady("the log refuses"))
        deliver(fails: false, 14)
        #expect(health.readiness(at: at(14)) == .ready)
    }

    @Test func theServerIsReadyWhileItServesALogThatTakes() async throws {
        let producer = TestProducer(.fail(.unavailable))
        let idle = try TestIngress.makeServer(producer)
        #expect(idle.readiness == .notReady("not listening"))
        var stopped: IngressServer?
        try await withIngress(producer) { ingress in
            stopped = ingress.server
            #expect(ingress.server.readiness == .ready)
            for number in 1...3 { try await ingress.expect(503, to: post(message("wamid.\(number)"))) }
            #expect(ingress.server.readiness == .notReady("the log refuses"))
            producer.set(.accept)
            try await ingress.expect(200, to: post(message("wamid.4")))
            #expect(ingress.server.readiness == .ready)
        }
        #expect(stopped?.readiness == .notReady("not listening"))
    }

    @Test func aLogThatSaysNothingMakesTheServerNotReadyUntilItDoes() async throws {
        let producer = TestProducer(.hold)
        try await withIngress(producer, configure: { $0.ackDeadline = .milliseconds(200) }) { ingress in
            try await ingress.expect(503, to: post(message("wamid.1")))
            try await eventually("it is noticed") { ingress.server.readiness == .notReady("the log is silent") }
            producer.release()
            #expect(ingress.server.readiness == .ready)
        }
    }

    @Test func aRecordThatIsTooLargeSaysNothingAboutTheLog() async throws {
        try await withIngress(TestProducer(.fail(.recordTooLarge))) { ingress in
            for number in 1...4 { try await ingress.expect(413, to: post(message("wamid.\(number)"))) }
            #expect(ingress.server.readiness == .ready)
        }
    }
}
