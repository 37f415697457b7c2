import EventLog
import WhatsApp

/// How many records of each kind a delivery gave.
struct RecordCounts {
    private(set) var messages = 0
    private(set) var statuses = 0
    private(set) var errors = 0
    private(set) var other = 0

    /// Answers the kind of the record; nil for the copy of the whole body, which is no event of its own.
    mutating func add(_ topic: Topic, of topics: Topics) -> IngressMetrics.Kind? {
        switch topic {
        // The most frequent first.
        case topics.statuses:
            statuses += 1
            return .statuses
        case topics.messages:
            messages += 1
            return .messages
        case topics.raw: return nil
        case topics.errors:
            errors += 1
            return .errors
        default:
            other += 1
            return .other
        }
    }
}

extension Delivery {
    /// The records of the complete body, and how many bytes they have. Throws when it is not exactly one JSON object.
    func split(
        _ core: IngressCore, _ traces: inout Traceparents, _ workspace: WebhookWorkspace
    ) throws(SplitError) -> (records: [Record], bytes: Int, counts: RecordCounts) {
        let arrival = core.now()
        let trace = traceparent(core, &traces)
        var records = try route.splitter.split(
            body.readableBytesSpan, receivedAt: arrival, traceparent: trace, in: workspace)
        assert(workspace.eventTimes.count == records.count)
        if route.keepsRaw {
            let whole = body.readableBytesSpan.copy(0..<body.readableBytes)
            records.append(route.splitter.rawRecord(whole, receivedAt: arrival, traceparent: trace))
        }
        var bytes = 0
        var counts = RecordCounts()
        for index in records.indices {
            bytes += records[index].byteCount
            guard let kind = counts.add(records[index].topic, of: core.topics) else { continue }
            // A time that cannot be read says nothing about the age.
            if let time = workspace.eventTimes[index] {
                core.metrics.arrived(kind, agedMilliseconds: arrival.milliseconds - time.milliseconds)
            }
        }
        return (records, bytes, counts)
    }

    private func traceparent(_ core: IngressCore, _ traces: inout Traceparents) -> [UInt8] {
        if let traceparent, core.configuration.continuesTraces, Traceparents.isWellFormed(traceparent) {
            return traceparent
        }
        return traces.begin()
    }
}

extension Answer {
    /// To a delivery that the log did not take.
    init(_ failure: LogError.Code) {
        switch failure {
        case .queueFull: self = .overloaded
        // Sending it again would end the same way.
        case .recordTooLarge: self = .bodyTooLarge
        default: self = .logUnavailable
        }
    }
}
