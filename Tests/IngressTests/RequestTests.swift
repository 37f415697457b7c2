import EventLog
import Testing
import WhatsApp

@testable import Ingress

@Suite struct RequestTests {
    @Test(arguments: [
        "/", "/webhook", "/webhooks/", "/webhooks/shop/", "/webhooks/shop/more", "/webhooksshop", "/WEBHOOKS/shop",
        "/webhooks//shop", "*", "http://hooks.example",
    ])
    func otherPathsAreNotFound(_ path: String) async throws {
        try await withIngress(TestProducer()) { ingress in
            let response = try await ingress.answer(to: post("{}", to: path))
            #expect(response.status == 404)
            #expect(response.body.contains("\"not_found\""))
        }
    }

    @Test(arguments: ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
    func otherMethodsAreNotAllowed(_ method: String) async throws {
        try await withIngress(TestProducer()) { ingress in
            let client = try await ingress.connect()
            for path in ["/webhooks/shop", "/webhooks", "/webhooks/nobody"] {
                try await client.send("\(method) \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                let response = try await client.response(toHead: method == "HEAD")
                #expect(response.status == 405)
                #expect(response.headers["allow"] == "POST")
            }
            try await client.send(post(message("wamid.1")))
            #expect(try await client.response().status == 200)
        }
    }

    @Test func aBodyMayComeInAnyPieces() async throws {
        let producer = TestProducer()
        let request = post(#"{"a":"é\n"}"#)
        try await withIngress(producer) { ingress in
            let client = try await ingress.connect()
            for cut in 1..<request.count {
                try await client.send(Array(request[..<cut]))
                // The first piece is on its own: nothing but a whole request makes the server act.
                try await client.send(Array(request[cut...]))
                #expect(try await client.response().status == 200)
            }
            let slow = try await ingress.connect()
            for byte in request { try await slow.send([byte]) }
            #expect(try await slow.response().status == 200)
        }
        #expect(producer.sent.count == request.count)
        #expect(Set(producer.sent.map { $0.map(\.value) }).count == 1)
    }

    @Test func aChunkedBodyIsOneBody() async throws {
        let producer = TestProducer()
        let body = Array(message("wamid.1").utf8)
        try await withIngress(producer) { ingress in
            for size in [1, 7, 100, body.count] {
                let starts = stride(from: 0, to: body.count, by: size)
                let chunks = starts.map { Array(body[$0..<min($0 + size, body.count)]) }
                try await ingress.expect(200, to: chunked(chunks))
            }
            let plain = try await ingress.answer(to: post(body))
            #expect(plain.status == 200)
        }
        #expect(Set(producer.sent.map { $0.map(\.value) }).count == 1)
        #expect(producer.sent.count == 5)
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        let producer = TestProducer(.hold)
        try await withIngress(producer) { ingress in
            let client = try await ingress.connect()
            let requests = [
                post(message("wamid.1")), post("[]"), Array("GET /webhooks HTTP/1.1\r\nHost: a\r\n\r\n".utf8),
                post(message("wamid.2")), post("{}", to: "/nowhere"), post("{}", headers: ""),
            ]
            try await client.send(requests.flatMap { $0 })
            var statuses: [Int] = []
            try await eventually("the first delivery reaches the log") { producer.heldCount == 1 }
            #expect(!client.hasBytes)
            producer.release()
            for _ in 1...3 { statuses.append(try await client.response().status) }
            try await eventually("the second delivery reaches the log") { producer.heldCount == 1 }
            #expect(!client.hasBytes)
            producer.release()
            for _ in 1...3 { statuses.append(try await client.response().status) }
            #expect(statuses == [200, 400, 405, 200, 404, 401])
        }
    }

    @Test func manyPipelinedRequestsAreAllAnswered() async throws {
        let producer = TestProducer()
        try await withIngress(producer) { ingress in
            let client = try await ingress.connect()
            let one = post(message("wamid.1"))
            for _ in 1...20 { client.post((1...20).flatMap { _ in one }) }
            for _ in 1...400 { #expect(try await client.response().status == 200) }
        }
        #expect(producer.sent.count == 400)
    }

    @Test func aConnectionEndsWhenTheClientSaysSo() async throws {
        try await withIngress(TestProducer()) { ingress in
            let client = try await ingress.connect()
            try await client.send(post(message("wamid.1"), headers: TestIngress.shopHeader + "Connection: close\r\n"))
            let response = try await client.response()
            #expect(response.status == 200)
            #expect(response.headers["connection"] == "close")
            try await client.waitForEnd()
        }
    }

    @Test func http10EndsTheConnectionUnlessItAsksToKeepIt() async throws {
        let body = message("wamid.1")
        try await withIngress(TestProducer()) { ingress in
            let head = "POST /webhooks/shop HTTP/1.0\r\n\(TestIngress.shopHeader)Content-Length: \(body.utf8.count)\r\n"
            let client = try await ingress.connect()
            try await client.send(head + "Connection: keep-alive\r\n\r\n" + body)
            let kept = try await client.response()
            #expect(kept.status == 200)
            #expect(kept.headers["connection"] == "keep-alive")
            try await client.send(head + "\r\n" + body)
            let last = try await client.response()
            #expect(last.status == 200)
            #expect(last.headers["connection"] == "close")
            try await client.waitForEnd()
        }
    }

    @Test func aClientThatAsksFirstIsToldToContinue() async throws {
        try await withIngress(TestProducer()) { ingress in
            let body = message("wamid.1")
            let expectation = TestIngress.shopHeader + "Expect: 100-continue\r\n"
            let request = post(body, headers: expectation)
            let client = try await ingress.connect()
            try await client.send(Array(request.dropLast(body.utf8.count)))
            #expect(try await client.response().status == 100)
            try await client.send(body)
            #expect(try await client.response().status == 200)
            // Refused before the body: no 100, and the connection ends, as the body may come or not.
            try await client.send(Array(post(body, headers: "Expect: 100-continue\r\n").dropLast(body.utf8.count)))
            let refused = try await client.response()
            #expect(refused.status == 401)
            #expect(refused.headers["connection"] == "close")
            try await client.waitForEnd()
            let odd = try await ingress.answer(to: post(body, headers: TestIngress.shopHeader + "Expect: coffee\r\n"))
            #expect(odd.status == 417)
        }
    }

    /// Framing that two servers could read differently, and plain nonsense: refused, and nothing behind it is read.
    @Test(arguments: [
        ("Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        ("Content-Length: -5\r\n", 400),
        ("Content-Length: +5\r\n", 400),
        ("Content-Length: 0x5\r\n", 400),
        ("Content-Length: 5,5\r\n", 400),
        ("Content-Length: 99999999999999999999999\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Transfer-Encoding: identity\r\n", 501),
        ("Content-Length : 5\r\n", 400),
        ("Host: b\r\nContent-Length: 5\r\n", 400),
        ("", 411),
    ])
    func ambiguousFramingIsRefused(_ headers: String, _ status: Int) async throws {
        let producer = TestProducer()
        try await withIngress(producer) { ingress in
            let client = try await ingress.connect()
            let head = "POST /webhooks/shop HTTP/1.1\r\nHost: a\r\n\(TestIngress.shopHeader)\(headers)\r\n"
            client.post(Array((head + (status == 411 ? "" : "{\"a\":1}\r\n0\r\n\r\n")).utf8))
            #expect(try await client.response().status == status)
            if status != 411 { try await client.waitForEnd() }
        }
        #expect(producer.sent.isEmpty)
    }

    @Test(arguments: [
        "nonsense\r\n\r\n", "POST /webhooks/shop HTTP/2.0\r\nHost: a\r\n\r\n", "POST /webhooks/shop\r\n\r\n",
        "POST /webhooks/shop HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}",
        "POST /webhooks/shop HTTP/1.1\r\nHost: a\r\nBad Header: b\r\n\r\n",
        "POST /webhooks/open HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    ])
    func whatIsNoHTTPGets400AndTheEnd(_ text: String) async throws {
        let producer = TestProducer()
        try await withIngress(producer) { ingress in
            let client = try await ingress.connect()
            client.post(Array((text + String(repeating: "more", count: 1_000)).utf8))
            #expect(try await client.response().status == 400)
            try await client.waitForEnd()
            #expect(!client.hasBytes)
            #expect(!client.wasReset)
            try await ingress.expect(200, to: post(message("wamid.1")))
        }
    }

    @Test func theSendersTraceIsContinuedAndOthersGetOne() async throws {
        let producer = TestProducer()
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        try await withIngress(producer) { ingress in
            for value in [given, "nonsense", given.uppercased()] {
                let headers = TestIngress.shopHeader + "traceparent: \(value)\r\n"
                try await ingress.expect(200, to: post(message("wamid.1"), headers: headers))
            }
        }
        let traces = producer.sent.compactMap { $0.first?.headers.string("traceparent") }
        #expect(traces.first == given)
        #expect(traces.allSatisfy { Traceparents.isWellFormed($0.utf8) })
        #expect(Set(traces).count == 3)
    }

    @Test func aTraceIsNotContinuedWhenTheSenderIsNotToBeTrustedWithIt() async throws {
        let producer = TestProducer()
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        try await withIngress(producer, configure: { $0.continuesTraces = false }) { ingress in
            let headers = TestIngress.shopHeader + "traceparent: \(given)\r\n"
            try await ingress.expect(200, to: post(message("wamid.1"), headers: headers))
        }
        let trace = try #require(producer.sent.first?.first?.headers.string("traceparent"))
        #expect(trace != given)
        #expect(Traceparents.isWellFormed(trace.utf8))
    }

    @Test(arguments: [
        "", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
    ])
    func aMalformedTraceparentIsNone(_ text: String) {
        #expect(!Traceparents.isWellFormed(text.utf8))
    }
}
