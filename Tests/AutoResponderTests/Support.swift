import EventLog
import Foundation
import Logging
import Processing
import ProcessorTesting
import WhatsApp

let shop = ChannelIdentity(
    name: "shop", hosting: .cloud, wabaID: "900100200300401", phoneNumberID: "700100200300501",
    displayPhoneNumber: "15550009001")

/// When the messages of these tests were written.
let written = Timestamp(seconds: 1_790_000_007)

func context(_ state: MemoryState = MemoryState(), now: Timestamp = written + .seconds(5)) -> HandlerContext {
    state.now = now
    return HandlerContext(
        attempt: 1, partition: 0, firstFailedAt: nil, now: now, state: state,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
}

/// The records that a webhook body becomes, as the log would give them back.
func stored(_ body: [UInt8], channel: ChannelIdentity = shop) throws -> [StoredRecord] {
    let records = try WebhookSplitter.split(
        body, channel: channel, topics: Topics(), receivedAt: written, traceparent: "00-\(trace)-0000000000000001-01")
    return records.map { StoredRecord($0, at: written) }
}

let trace = "0af7651916cd43dd8448eb211c80319c"

/// One customer's message: `content` is its type and the member of that name.
func message(
    _ content: String, id: String = "wamid.1", from: String? = "15550001111", name: String? = "Ana Sample",
    more: String = ""
) throws -> StoredRecord {
    let sender = from.map { #""from":"\#($0)","# } ?? ""
    let contact = name.map { #"{"profile":{"name":"\#($0)"},"wa_id":"\#(from ?? "")"}"# } ?? ""
    let body = """
        {"object":"whatsapp_business_account","entry":[{"id":"900100200300401","changes":[{"field":"messages","value":{
        "messaging_product":"whatsapp",
        "metadata":{"display_phone_number":"15550009001","phone_number_id":"700100200300501"},
        "contacts":[\(contact)],
        "messages":[{\(sender)"id":"\(id)","timestamp":"\(written.milliseconds / 1_000)"\(more),\(content)}]}}]}]}
        """
    guard let record = try stored(Array(body.utf8)).first else { throw NoRecord() }
    return record
}

func text(_ text: String) -> String { #""type":"text","text":{"body":"\#(text)"}"# }

struct NoRecord: Error {}

/// `Tests/<folder>/<path>` beside this file's folder.
func testsFolder(_ path: String, file: String = #filePath) -> URL {
    URL(fileURLWithPath: file).deletingLastPathComponent().deletingLastPathComponent().appending(path: path)
}
