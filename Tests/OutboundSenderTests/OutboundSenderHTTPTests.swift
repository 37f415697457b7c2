import D360
import HTTPTesting
import ProcessorTesting
import Testing
import WhatsApp

@testable import outbound_sender

/// The processor with the real client against a real server.
@Suite struct OutboundSenderHTTPTests {
    @Test func commandGoesOutAndItsResultComesBack() async throws {
        let server = try await LocalServer { request in
            request.connection == 0 ? .answer(body: Array(#"{"messages":[{"id":"wamid.9"}]}"#.utf8)) : .close
        }
        let client = D360Client(transport: HTTPTransport())
        let tester = ProcessorTester(Sample.processor(client, baseURL: server.url))
        let record = Sample.record(try Sample.command())
        let outputs = try await tester.feed([record, record], at: Sample.now)
        #expect(try Sample.results(outputs).map(\.messageID) == ["wamid.9", "wamid.9"])
        #expect(server.requests.count == 1, "the copy is not sent")
        let body = try JSON(parsing: try #require(server.requests.first).body)
        #expect(body["text"]?["body"]?.string == "Hi")
        #expect(body["biz_opaque_callback_data"]?.string == "mr1:c1:700:15550001111")
        try await server.stop()
    }
}
