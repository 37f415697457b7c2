import EventLog

/// What a record causes belongs to its trace: outputs that say nothing themselves get the headers of W3C Trace Context
/// (`traceparent`, `tracestate`) of the record that was handled. Outputs of a whole batch have many causes and are left
/// alone.
enum TraceContext {
    static let headers = ["traceparent", "tracestate"]

    static func carried(from record: StoredRecord, to outputs: [Record]) -> [Record] {
        if outputs.isEmpty { return outputs }
        let known = record.headers
        guard let parent = known.string(headers[0]) else { return outputs }
        let parts: [(String, String?)] = [(headers[0], parent), (headers[1], known.string(headers[1]))]
        return outputs.map { output in
            if output.headers[headers[0]] != nil { return output }
            var output = output
            for case (let name, let value?) in parts { output.headers.append(name, value) }
            return output
        }
    }
}
