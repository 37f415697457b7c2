import EventLog
import ProcessorTesting
import WhatsApp

/// Records as the pipeline writes them, for one conversation and one command.
struct Samples {
    private let topics = Topics()
    private let channel = ChannelIdentity(
        name: "demo", hosting: .cloud, wabaID: "900", phoneNumberID: "700", displayPhoneNumber: "15550009001")
    private let start = Timestamp(seconds: 1_790_000_000)

    private var request: OutboundCommand {
        OutboundCommand(
            channel: channel, id: "cmd-1", purpose: .reply, recipient: .to("15550001111"),
            conversationKey: "700:15550001111", message: try! JSON(parsing: Array(#"{"type":"text","text":{"body":"hi"}}"#.utf8)),
            expiresAt: start + .seconds(86_400), requestedAt: start)
    }

    func command() -> StoredRecord { StoredRecord(request.record(topic: topics.outbound)) }

    /// Accepted with a message id, rejected without.
    func result(messageID: String?) -> StoredRecord {
        let failure = OutboundResult.Failure(code: 131_026, errorClass: "permanent", message: "undeliverable")
        let result = OutboundResult(
            of: request, outcome: messageID == nil ? .rejected : .accepted, messageID: messageID, attempts: 1,
            firstAttemptAt: start + .seconds(1), finishedAt: start + .seconds(2),
            error: messageID == nil ? failure : nil)
        return StoredRecord(result.record(topic: topics.outboundResults))
    }

    /// A status of `wamid.1` that carries the command's tag, split from a webhook body.
    func status(_ word: String, at second: Int64) -> StoredRecord {
        let tag = CommandTag(commandID: "cmd-1", conversationKey: "700:15550001111")!.encoded
        let body = """
            {"object":"whatsapp_business_account","entry":[{"id":"900","changes":[{"field":"messages","value":{
            "metadata":{"display_phone_number":"15550009001","phone_number_id":"700"},
            "statuses":[{"id":"wamid.1","status":"\(word)","timestamp":"\(start.milliseconds / 1_000 + second)",
            "recipient_id":"15550001111","biz_opaque_callback_data":"\(tag)"}]}}]}]}
            """
        let records = try! WebhookSplitter.split(
            Array(body.utf8), channel: channel, topics: topics, receivedAt: start + .seconds(second))
        return StoredRecord(records[0])
    }
}
