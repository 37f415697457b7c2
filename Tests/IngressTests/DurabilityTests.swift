import EventLog
import Testing

@testable import Ingress

@Suite struct DurabilityTests {
    @Test func nothingIsAnsweredBeforeTheRecordsAreDurable() async throws {
        let producer = TestProducer(.hold)
        try await withIngress(producer) { ingress in
            let client = try await ingress.connect()
            try await client.send(post(message("wamid.1")))
            try await eventually("the records reach the log") { producer.heldCount == 1 }
            // A request that needs no log goes all the way meanwhile, and the first is still not answered.
            try await ingress.expect(400, to: post("[]"))
            #expect(!client.hasBytes)
            #expect(ingress.server.metrics.requestsInFlight == 1)
            producer.release()
            let response = try await client.response()
            #expect(response.status == 200)
            #expect(response.body.isEmpty)
            #expect(ingress.server.metrics.requestsInFlight == 0)
            #expect(ingress.server.metrics.bytesInFlight == 0)
            #expect(ingress.server.metrics.received(.messages) == 1)
            #expect(ingress.server.metrics.stored == 1)
        }
    }

    @Test func aLogThatIsSilentGets503AtTheDeadline() async throws {
        let producer = TestProducer(.hold)
        try await withIngress(producer, configure: { $0.ackDeadline = .milliseconds(500) }) { ingress in
            let client = try await ingress.connect()
            try await client.send(post(message("wamid.1")))
            let late = try await client.response()
            #expect(late.status == 503)
            #expect(late.headers["retry-after"] == "1")
            #expect(late.body.contains("\"ack_deadline\""))
            // The log still has the records: they stay counted, and its late word must not answer the next request.
            #expect(ingress.server.metrics.bytesInFlight > 0)
            try await client.send(post(message("wamid.2")))
            try await eventually("the second delivery reaches the log") { producer.heldCount == 2 }
            #expect(try await client.response().status == 503)
            producer.set(.accept)
            producer.release()
            try await client.send(post(message("wamid.3")))
            #expect(try await client.response().status == 200)
            #expect(!client.hasBytes)
            try await eventually("the budget is free again") { ingress.server.metrics.bytesInFlight == 0 }
        }
    }

    @Test func aLateWordDoesNotAnswerTheRequestAfterIt() async throws {
        let producer = TestProducer(.hold)
        try await withIngress(producer, configure: { $0.ackDeadline = .seconds(1) }) { ingress in
            let client = try await ingress.connect()
            try await client.send(post(message("wamid.1")))
            #expect(try await client.response().status == 503)
            try await client.send(post(message("wamid.2")))
            try await eventually("the second delivery reaches the log") { producer.heldCount == 2 }
            // Both succeed at once: the first is too late, the second is answered, once.
            producer.release()
            #expect(try await client.response().status == 200)
            try await client.send(post("[]"))
            #expect(try await client.response().status == 400)
            #expect(ingress.server.metrics.stored == 1)
        }
    }

    @Test(arguments: [
        (LogError.Code.queueFull, 503, "overloaded"), (.notDurable, 503, "log_unavailable"),
        (.unavailable, 503, "log_unavailable"), (.storage, 503, "log_unavailable"), (.fatal, 503, "log_unavailable"),
        (.recordTooLarge, 413, "body_too_large"),
    ])
    func aLogThatRefusesIsToldToTheSender(_ code: LogError.Code, _ status: Int, _ word: String) async throws {
        let producer = TestProducer(.fail(code))
        try await withIngress(producer) { ingress in
            let client = try await ingress.connect()
            try await client.send(post(message("wamid.1")))
            let response = try await client.response()
            #expect(response.status == status)
            #expect(response.headers["retry-after"] == (status == 503 ? "1" : nil))
            #expect(response.body.contains("\"\(word)\""))
            #expect(ingress.server.metrics.rejected[word] == 1)
            // The connection and the server go on.
            producer.set(.accept)
            try await client.send(post(message("wamid.1")))
            #expect(try await client.response().status == 200)
            #expect(ingress.server.metrics.bytesInFlight == 0)
        }
    }

    @Test func aBodyThatDoesNotFitInFlightIsRefusedAtOnceAndTheNextIsTakenWhenThereIsRoom() async throws {
        let producer = TestProducer(.hold)
        let body = message("wamid.1", text: String(repeating: "x", count: 40_000))
        try await withIngress(
            producer,
            configure: {
                $0.maxBodyBytes = 50_000
                $0.maxInFlightBytes = 50_000
            }
        ) { ingress in
            let first = try await ingress.connect()
            try await first.send(post(body))
            try await eventually("the first delivery reaches the log") { producer.heldCount == 1 }
            let second = try await ingress.connect()
            try await second.send(post(body))
            let refused = try await second.response()
            #expect(refused.status == 503)
            #expect(refused.headers["retry-after"] == "1")
            #expect(refused.body.contains("\"overloaded\""))
            // A chunked body is counted as it comes.
            let third = try await ingress.connect()
            third.post(chunked([Array(body.utf8)]))
            #expect(try await third.response().status == 503)
            producer.set(.accept)
            producer.release()
            #expect(try await first.response().status == 200)
            try await second.send(post(body))
            #expect(try await second.response().status == 200)
            #expect(ingress.server.metrics.bytesInFlight == 0)
        }
    }

    @Test func aClientThatLeavesBeforeTheAnswerHarmsNobody() async throws {
        let producer = TestProducer(.hold)
        try await withIngress(producer) { ingress in
            let leaving = try await ingress.connect()
            try await leaving.send(post(message("wamid.1")))
            try await eventually("its records reach the log") { producer.heldCount == 1 }
            try await leaving.close()
            let held = ingress.server.metrics.bytesInFlight
            let midway = try await ingress.connect()
            try await midway.send(Array(post(message("wamid.2")).dropLast(20)))
            try await eventually("its body is being received") { ingress.server.metrics.bytesInFlight > held }
            try await midway.close()
            producer.release()
            producer.set(.accept)
            try await ingress.expect(200, to: post(message("wamid.3")))
            try await eventually("nothing is left behind") {
                let metrics = ingress.server.metrics
                return metrics.bytesInFlight == 0 && metrics.requestsInFlight == 0 && metrics.openConnections == 0
            }
            #expect(producer.sent.count == 2)
        }
    }

    @Test func aClientThatClosesItsSideStillGetsItsAnswers() async throws {
        let producer = TestProducer(.hold)
        try await withIngress(producer) { ingress in
            let client = try await ingress.connect()
            try await client.send(post(message("wamid.1")) + post(message("wamid.2")))
            try await client.closeOutput()
            try await eventually("the first delivery reaches the log") { producer.heldCount == 1 }
            producer.set(.accept)
            producer.release()
            #expect(try await client.response().status == 200)
            #expect(try await client.response().status == 200)
            try await client.waitForEnd()
        }
    }
}

/// A chunked POST.
func chunked(_ chunks: [[UInt8]], to path: String = "/webhooks/shop") -> [UInt8] {
    var bytes = Array(
        "POST \(path) HTTP/1.1\r\nHost: a\r\n\(TestIngress.shopHeader)Transfer-Encoding: chunked\r\n\r\n".utf8)
    for chunk in chunks {
        bytes += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + Array("\r\n".utf8)
    }
    return bytes + Array("0\r\n\r\n".utf8)
}
