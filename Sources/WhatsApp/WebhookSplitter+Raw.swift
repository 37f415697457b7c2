import Crypto
import EventLog

extension WebhookSplitter {
    /// The whole body, verbatim, for the raw topic: what an audit or a parser of tomorrow wants.
    ///
    /// Its id is a hash of channel and body, so that a redelivery of the same bytes is a copy with the same
    /// (`ce_source`, `ce_id`). The id is also the key: bodies of many conversations have no order among them.
    public func rawRecord(_ body: [UInt8], receivedAt: Timestamp, traceparent: [UInt8]? = nil) -> Record {
        ByteArena.scoped { arena in
            var hash = IdentityHash("delivery")
            hash.add(setup.name)
            hash.add(Array(SHA256.hash(data: body))[...])
            let id = hash.hex(in: arena)
            let time = arena.keep(receivedAt)
            let event = CloudEventText(
                source: CloudEventText.source(wabaID: setup.names.wabaID, business: setup.business, arena), id: id,
                type: setup.types.delivery, time: time, timeIsArrival: true, recordedTime: time, partitionKey: id,
                traceparent: traceparent.map(arena.keep))
            return Record(
                topic: setup.topics.raw, key: Array(id), value: body, headers: event.headers, timestamp: receivedAt)
        }
    }
}
