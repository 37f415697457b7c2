import Crypto
import EventLog

extension WebhookSplitter {
    /// The whole body, verbatim, for the raw topic: what an audit or a parser of tomorrow wants.
    ///
    /// Its id is a hash of channel and body, so that a redelivery of the same bytes is a copy with the same
    /// (`ce_source`, `ce_id`). The id is also the key: bodies of many conversations have no order among them.
    public func rawRecord(_ body: [UInt8], receivedAt: Timestamp, traceparent: String? = nil) -> Record {
        var hash = IdentityHash("delivery")
        hash.add(setup.name)
        var hasher = SHA256()
        body.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        hash.add(Array(hasher.finalize())[...])
        let id = hash.hexBytes()
        var headers = setup.headers(receivedAt, traceparent)
        headers.append(
            CloudEvent.Name.source, CloudEvent.source(wabaID: setup.names.wabaID, business: setup.business)[...])
        CloudEvent.append(
            type: EventType.deliveryReceived.rawValue, id: id[...], subject: nil, time: receivedAt, timeIsArrival: true,
            partitionKey: id[...], correlationID: nil, causationID: nil, to: &headers)
        return Record(topic: setup.topics.raw, key: id, value: body, headers: headers, timestamp: receivedAt)
    }
}
