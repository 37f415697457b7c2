import EventLog
import WhatsApp

extension StoredRecord {
    /// A record as if the log had stored it.
    public init(_ record: Record, partition: Int32 = 0, offset: Offset = 0, at time: Timestamp = .now) {
        self.init(
            source: TopicPartition(record.topic, record.partition ?? partition), offset: offset, key: record.key,
            value: record.value, headers: record.headers, timestamp: record.timestamp ?? time)
    }

    /// A customer's text as the ingress stores it: through the same splitter, from a webhook body.
    public static func message(
        _ text: String, from customer: String = "15550001111", id: String = "wamid.1", at time: Timestamp = .now,
        topics: Topics = Topics()
    ) -> StoredRecord {
        let body = JSONWriter.object { body in
            body.member("object", "whatsapp_business_account")
            body.array("entry") { entries in
                entries.objectElement { entry in
                    entry.member("id", "900")
                    entry.array("changes") { changes in
                        changes.objectElement { change in
                            change.member("field", "messages")
                            change.object("value") { write(text, from: customer, id: id, at: time, to: &$0) }
                        }
                    }
                }
            }
        }
        let channel = ChannelIdentity(
            name: "demo", hosting: .cloud, wabaID: "900", phoneNumberID: "700", displayPhoneNumber: "15550009001")
        do {
            return StoredRecord(
                try WebhookSplitter.split(body, channel: channel, topics: topics, receivedAt: time)[0], at: time)
        } catch {
            preconditionFailure("the sample is a webhook: \(error)")
        }
    }

    private static func write(
        _ text: String, from customer: String, id: String, at time: Timestamp, to value: inout JSONWriter
    ) {
        value.object("metadata") { metadata in
            metadata.member("display_phone_number", "15550009001")
            metadata.member("phone_number_id", "700")
        }
        value.array("messages") { messages in
            messages.objectElement { message in
                message.member("id", id)
                message.member("from", customer)
                message.member("timestamp", "\(time.milliseconds / 1_000)")
                message.member("type", "text")
                message.object("text") { $0.member("body", text) }
            }
        }
    }
}

extension Record {
    /// The value as text, for comparing.
    public var text: String { value.map { String(decoding: $0, as: UTF8.self) } ?? "" }
}
