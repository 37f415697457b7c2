import EventLog
import Processing
import Testing

/// The trace of a record goes on in what it causes, without a word of the processor.
@Suite struct TraceContextTests {
    private static let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    private static let own = "00-00000000000000000000000000000001-0000000000000002-01"

    @Test func outputsAndDeadLettersCarryTheTraceOfTheirCause() async throws {
        try await World.with { world in
            let headers = Headers([Header("traceparent", Self.trace), Header("tracestate", "a=1"), Header("other", "x")])
            for value in ["plain", "own", "dead", "untraced"] {
                let record = Record(
                    topic: "in", key: Array("k".utf8), value: Array(value.utf8),
                    headers: value == "untraced" ? Headers() : headers)
                try await world.log.produce([record])
            }
            let running = world.start(
                TestProcessor { record, _ in
                    if record.valueText == "dead" { throw HandlerFailure.permanent("no", "") }
                    var output = record.copy()
                    if record.valueText == "own" { output.headers.append("traceparent", Self.own) }
                    return [output]
                })
            try await world.waitUntilDone()
            try await running.stop()
            let outputs = try await world.read("out")
            #expect(outputs.map(\.valueText) == ["plain", "own", "untraced"])
            #expect(outputs.map { $0.headers.string("traceparent") } == [Self.trace, Self.own, nil])
            #expect(outputs.map { $0.headers.string("tracestate") } == ["a=1", nil, nil])
            #expect(outputs.allSatisfy { $0.headers["other"] == nil })
            #expect(try await world.read("dlq.millrace.test").map { $0.headers.string("traceparent") } == [Self.trace])
        }
    }
}
