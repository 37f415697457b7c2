import EventLog

/// A channel and the topics, in the form in which records need them. One object, so that the parts of the splitter
/// share it at the price of one reference.
final class WebhookSetup: Sendable {
    let hosting: Hosting
    let isBound: Bool
    let name: ArraySlice<UInt8>
    /// Names in place of those that a body lacks.
    let names: WebhookOrigin.Names
    /// Business part of the keys where neither body nor configuration names the number.
    let business: ArraySlice<UInt8>
    let topics: Topics

    init(_ channel: ChannelIdentity, _ topics: Topics, isBound: Bool) {
        self.isBound = isBound
        func bytes(_ text: String?) -> ArraySlice<UInt8>? { text.map { ArraySlice($0.utf8) } }
        hosting = channel.hosting
        name = ArraySlice(channel.name.utf8)
        names = WebhookOrigin.Names(
            wabaID: bytes(channel.wabaID), phoneNumberID: bytes(channel.phoneNumberID),
            displayPhoneNumber: bytes(channel.displayPhoneNumber))
        business = ArraySlice(channel.business.utf8)
        self.topics = topics
    }

    /// Headers of all records of one delivery.
    func headers(_ arrival: Timestamp, _ traceparent: String?) -> Headers {
        var headers = CloudEvent.firstHeaders
        headers.reserveCapacity(256)
        CloudEvent.append(recordedTime: arrival, traceparent: traceparent, to: &headers)
        return headers
    }
}
