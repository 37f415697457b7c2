import D360

/// Calls webhooks. A protocol so that the delivery logic can be tested without sockets.
protocol WebhookClient: Sendable {
    /// The status of a complete answer within the time; nil without one.
    func post(_ body: [UInt8], to webhook: SimulatedWebhook, timeout: Duration) async -> Int?
}

/// Over libcurl, which keeps connections open as the provider does.
struct TransportWebhookClient: WebhookClient {
    let transport: HTTPTransport

    func post(_ body: [UInt8], to webhook: SimulatedWebhook, timeout: Duration) async -> Int? {
        var headers = [HTTPField("Content-Type", "application/json")]
        headers += webhook.headers.sorted { $0.key < $1.key }.map { HTTPField($0.key, $0.value) }
        let request = HTTPRequest(method: "POST", url: webhook.url, headers: headers, body: body, timeout: timeout)
        return try? await transport.perform(request).status
    }
}
