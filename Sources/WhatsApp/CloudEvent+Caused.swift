import EventLog

extension CloudEvent {
    /// The event with which a processor answers `record`.
    ///
    /// Its id follows from the processor, the cause's identity and `ordinal`, so that handling the record again gives a
    /// copy with the same `ce_source` and `ce_id`, and not a second event. Source, subject, time, partition key and
    /// trace are the cause's.
    ///
    /// - Parameters:
    ///   - type: `ce_type`, e.g. `sentiment.rated.v1`.
    ///   - ordinal: Which of the events that the record causes, from 0.
    /// - Throws: when `record` is no CloudEvent.
    public static func caused(
        by record: StoredRecord, processor: String, type: String, ordinal: Int = 0
    ) throws(MalformedRecord) -> CloudEvent {
        let cause = try CloudEvent(record.headers)
        var hash = IdentityHash("event")
        hash.add(processor)
        hash.add(cause.source)
        hash.add(cause.id)
        hash.add(Int64(ordinal))
        var event = cause
        event.id = hash.hex()
        event.type = type
        event.recordedTime = record.timestamp
        event.correlationID = cause.correlationID ?? cause.id
        event.causationID = cause.id
        return event
    }
}
